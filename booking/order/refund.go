package order

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
)

// followAll does what follows from cancellations that were just written. What
// cannot be done now the worker does.
func (s *steps) followAll(ctx context.Context, done []Cancellation) {
	for _, c := range done {
		if err := s.follow(ctx, c); err != nil {
			s.log.Warn("canceled tickets are left to the worker", "order", c.Order, "err", err)
		}
	}
}

// follow does what follows from a cancellation, as far as it is not done: Redis
// puts the units on sale again, the provider gives the money back. Each may be
// repeated, by anybody, at any time.
func (s *steps) follow(ctx context.Context, c Cancellation) error {
	return errors.Join(s.free(ctx, c), s.repay(ctx, c, nil))
}

// free tells Redis. What somebody has bought again meanwhile is theirs.
func (s *steps) free(ctx context.Context, c Cancellation) error {
	if c.Freed {
		return nil
	}
	units, err := s.store.unowned(ctx, c)
	if err != nil {
		return err
	}
	if err := s.holds.Return(ctx, c.Performance, c.Attempt, c.Place, units); err != nil {
		return err
	}
	if _, err := s.store.db.Exec(ctx, `update cancellations set freed = true where performance_id = $1 and id = $2`, c.Performance, c.ID); err != nil {
		return away("freeing the units of", c.ID, err)
	}
	return nil
}

// unowned are the units of a cancellation that nobody has bought since.
func (s *Store) unowned(ctx context.Context, c Cancellation) ([]int, error) {
	rows, err := s.db.Query(ctx, `select unit from tickets where performance_id = $1 and unit = any($2) and state <> 'canceled'`, c.Performance, c.Units)
	if err != nil {
		return nil, away("looking for the units of", c.ID, err)
	}
	owned, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return nil, away("looking for the units of", c.ID, err)
	}
	return slices.DeleteFunc(slices.Clone(c.Units), func(u int) bool { return slices.Contains(owned, u) }), nil
}

// repay has the provider give the money back, or asks how far that got. The
// provider's answer to a repeat is the same refund, never a second one. e is the
// event that told of it, if one did.
func (s *steps) repay(ctx context.Context, c Cancellation, e *payment.Event) error {
	if c.State != RefundRunning {
		return nil
	}
	a, err := s.store.read(ctx, Attempt{ID: c.Attempt, Performance: c.PaidFor})
	if err != nil {
		return err
	}
	call, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done, err := s.provider.Refund(call, a.charge(), payment.Refund{ID: c.Refund, Amount: c.Amount, Fee: c.Fee, Cause: c.ID})
	switch {
	case errors.Is(err, payment.ErrNotRefundable):
		s.log.Error("a refund is refused by the provider", "order", c.Order, "refund", c.Refund)
		c.State = RefundFailed
	case err != nil:
		return fmt.Errorf("refunding of order %s: %w", c.Order, err)
	case done.State == payment.RefundDone:
		c.State = RefundDone
	case done.State == payment.RefundFailed:
		c.State = RefundFailed
	}
	return s.store.change(ctx, a, e, func(db querier) error { return s.store.refunded(ctx, db, c) })
}

// refunded writes down how a refund ended, once.
func (s *Store) refunded(ctx context.Context, db querier, c Cancellation) error {
	if c.State == RefundRunning {
		return nil
	}
	_, err := ids(ctx, db, `
		with moved as (
			update cancellations set state = $3, updated_at = now()
			where performance_id = $1 and id = $2 and refund_id = $4 and state = 'refunding'
			returning id, order_id, amount, currency
		), entry as (
			insert into order_ledger (performance_id, order_id, entry, amount, currency)
			select $1, order_id, case $3 when 'refunded' then 'refunded' else 'refund_failed' end, amount, currency from moved
		)
		select id from moved`, c.Performance, c.ID, string(c.State), c.Refund)
	if err != nil {
		return away("noting the refund of", c.ID, err)
	}
	return nil
}

// recheck asks whether a refund that was through has failed since: the buyer's bank may
// send it back. What was made up for by hand is not ours to follow any more.
func (s *steps) recheck(ctx context.Context, a Attempt, c Cancellation, e *payment.Event) error {
	call, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	all, err := s.provider.Refunds(call, a.charge())
	if err != nil {
		return fmt.Errorf("asking for the refunds of attempt %s: %w", a.ID, err)
	}
	if !slices.ContainsFunc(all, func(r payment.Refunded) bool { return r.ID == c.Refund && r.State == payment.RefundFailed }) {
		return s.store.heardOf(ctx, a, e)
	}
	s.log.Error("a refund has come back", "order", c.Order, "refund", c.Refund)
	return s.store.change(ctx, a, e, func(db querier) error {
		return returned(ctx, db, `performance_id = $1 and id = $2 and refund_id = $3 and made_up_by is null`, c.Performance, c.ID, c.Refund)
	})
}

// returned has refunds fail that were through: the money is here again, and somebody has
// to see to it.
func returned(ctx context.Context, db querier, where string, args ...any) error {
	_, err := ids(ctx, db, `
		with moved as (
			update cancellations set state = 'failed', made_up_by = null, updated_at = now()
			where state = 'refunded' and amount > 0 and `+where+`
			returning performance_id, id, order_id, amount, currency
		), entry as (
			insert into order_ledger (performance_id, order_id, entry, amount, currency)
			select performance_id, order_id, 'refund_returned', amount, currency from moved
		)
		select id from moved`, args...)
	if err != nil {
		return away("noting", "a refund that came back", err)
	}
	return nil
}

const cancellationColumns = `performance_id, id, order_id, attempt_id, coalesce(payment_performance, performance_id), place_id, units, amount, currency, kept, who, reason, state,
	refund_id, fee_returned, freed, created_at, updated_at`

func scanCancellation(row pgx.CollectableRow) (c Cancellation, err error) {
	err = row.Scan(&c.Performance, &c.ID, &c.Order, &c.Attempt, &c.PaidFor, &c.Place, &c.Units, &c.Amount.Amount, &c.Amount.Currency, &c.Kept,
		&c.Who, &c.Reason, &c.State, &c.Refund, &c.Fee, &c.Freed, &c.At, &c.Changed)
	c.At, c.Changed = c.At.UTC(), c.Changed.UTC()
	return c, err
}

func cancellations(ctx context.Context, db querier, sql string, args ...any) ([]Cancellation, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, away("reading", "cancellations", err)
	}
	found, err := pgx.CollectRows(rows, scanCancellation)
	if err != nil {
		return nil, away("reading", "cancellations", err)
	}
	return found, nil
}

// Cancellations lists those of an order, the first first.
func (s *Store) Cancellations(ctx context.Context, o Order) ([]Cancellation, error) {
	return cancellations(ctx, s.db, `select `+cancellationColumns+` from cancellations
		where performance_id = $1 and order_id = $2 order by id`, o.Performance, o.ID)
}

// FailedRefunds lists the cancellations whose refund the provider refuses, or whose
// bank has sent it back, the newest first.
func (s *Store) FailedRefunds(ctx context.Context, p booking.Page) (page []Cancellation, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	before, err := p.After()
	if err != nil {
		return nil, "", err
	}
	list, err := cancellations(ctx, s.db, `select `+cancellationColumns+` from cancellations
		where state = 'failed' and ($1::uuid is null or id < $1) order by id desc limit $2`, before, size+1)
	page, next = booking.Cut(list, size, func(c Cancellation) string { return c.ID })
	return page, next, err
}

// dueRefunds takes cancellations of which something is to be done and that have not moved
// for a while: longer the older they are, since a bank may take days.
func (s *Store) dueRefunds(ctx context.Context, idle time.Duration, limit int) ([]Cancellation, error) {
	return cancellations(ctx, s.db, `
		update cancellations c set updated_at = now()
		from (
			select performance_id as p, id as i from cancellations
			where (state = 'refunding' or not freed)
				and updated_at <= now() - greatest(make_interval(secs => $1), least((updated_at - created_at) / 4, interval '1 hour'))
			order by updated_at limit $2 for update skip locked
		) due
		where c.performance_id = due.p and c.id = due.i
		returning `+cancellationColumns, idle.Seconds(), limit)
}

// Refund does what follows from the cancellations that are due and returns how
// many there were.
func (s *Settler) Refund(ctx context.Context) (int, error) {
	found, err := s.store.dueRefunds(ctx, s.idle, settleLimit)
	if err != nil {
		return 0, err
	}
	for _, c := range found {
		if err := s.follow(ctx, c); err != nil {
			s.metrics.failed.WithLabelValues(taskRefund).Inc()
			s.log.Warn("a cancellation is not through yet", "order", c.Order, "err", err)
			continue
		}
		s.metrics.did.WithLabelValues(taskRefund).Inc()
	}
	return len(found), nil
}

// RetryRefund has a refund that failed asked for again, under an id of its own.
func (d *Desk) RetryRefund(ctx context.Context, id, who string) (Cancellation, error) {
	found, err := cancellations(ctx, d.store.db, `select `+cancellationColumns+` from cancellations where id = $1`, id)
	if err == nil && len(found) == 0 {
		err = ErrRefundUnknown
	}
	if err != nil {
		return Cancellation{}, err
	}
	c := found[0]
	if disputed, err := ids(ctx, d.store.db, `select id::text from order_disputes
		where (performance_id = $1 and order_id = $2 or attempt_id = $3) and state in ('asked', 'open')`, c.Performance, c.Order, c.Attempt); err != nil || len(disputed) > 0 {
		return Cancellation{}, errors.Join(err, ErrDisputed)
	}
	again := uuid.NewSHA1(uuid.MustParse(c.ID), []byte(c.Refund)).String()
	moved, err := ids(ctx, d.store.db, `
		with moved as (
			update cancellations set state = 'refunding', refund_id = $4, tries = tries + 1, updated_at = now()
			where performance_id = $1 and id = $2 and refund_id = $3 and amount = $6 and state = 'failed'
			returning id, order_id, amount, currency
		), entry as (
			insert into order_ledger (performance_id, order_id, entry, amount, currency, who)
			select $1, order_id, 'refunding', amount, currency, $5 from moved
		)
		select id from moved`, c.Performance, c.ID, c.Refund, again, who, c.Amount.Amount)
	if err != nil {
		return Cancellation{}, away("asking again for the refund of", c.ID, err)
	}
	if len(moved) == 1 {
		c.State, c.Refund = RefundRunning, again
		if err := d.follow(ctx, c); err != nil {
			d.log.Warn("a refund is left to the worker", "order", c.Order, "err", err)
		}
	}
	if found, err = cancellations(ctx, d.store.db, `select `+cancellationColumns+` from cancellations where performance_id = $1 and id = $2`,
		c.Performance, c.ID); err != nil {
		return Cancellation{}, err
	}
	return found[0], nil
}

// hearCancellation asks how far the refund of a cancellation got that an event is
// about, if there is one.
func (d *Desk) hearCancellation(ctx context.Context, e payment.Event) (Attempt, Heard, error) {
	if !booking.IsID(e.Refund) {
		return Attempt{}, HeardNot, nil
	}
	found, err := cancellations(ctx, d.store.db, `select `+cancellationColumns+` from cancellations where refund_id = $1`, e.Refund)
	if err != nil || len(found) == 0 {
		return Attempt{}, HeardNot, err
	}
	a, err := d.store.read(ctx, Attempt{ID: found[0].Attempt, Performance: found[0].PaidFor})
	if err != nil {
		return Attempt{}, HeardNot, err
	}
	known, err := d.store.heard(ctx, a, e)
	switch {
	case err != nil || known:
		return a, HeardAgain, err
	case found[0].State == RefundDone:
		err = d.recheck(ctx, a, found[0], &e)
	case found[0].State != RefundRunning:
		err = d.store.heardOf(ctx, a, &e)
	default:
		err = d.repay(ctx, found[0], &e)
	}
	if errors.Is(err, errHeard) {
		return a, HeardAgain, nil
	}
	return a, HeardNow, err
}
