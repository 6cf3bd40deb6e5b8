package order

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/tariff"
	"github.com/ropeline/ropeline/booking/ticket"
)

// ByHand is the reason of a cancellation that tells of a refund which somebody made at
// the provider.
const ByHand = "refunded by hand at the provider"

// hearByHand looks what was given back by hand of the payment that an event is about.
func (d *Desk) hearByHand(ctx context.Context, e payment.Event) (Attempt, Heard, error) {
	a, found, err := d.payer(ctx, e.Account, e.Ref)
	if err != nil || !found {
		return Attempt{}, HeardNot, err
	}
	known, err := d.store.heard(ctx, a, e)
	if err != nil || known {
		return a, HeardAgain, err
	}
	err = d.byHand(ctx, a, &e)
	if errors.Is(err, errHeard) {
		return a, HeardAgain, nil
	}
	return a, HeardNow, err
}

// payer finds the attempt of a payment by the provider's id, which the provider knows.
func (s *steps) payer(ctx context.Context, account, ref string) (Attempt, bool, error) {
	call, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p, err := s.provider.Find(call, payment.Charge{Ref: ref, Account: account})
	if err != nil {
		return Attempt{}, false, fmt.Errorf("asking for payment %.40q: %w", ref, err)
	}
	return s.store.byID(ctx, p.Attempt)
}

// byHand books what was given back by hand of an attempt's payment. Late money of a
// failed attempt is settled by it; else see Store.byHand. Of ours only those count that
// have failed: what was made by hand may make up for one that had succeeded, and one that
// is on its way the provider counts as given, so that nothing else gave it back.
func (s *steps) byHand(ctx context.Context, a Attempt, e *payment.Event) error {
	switch a.Step {
	case Captured, Done:
	case Voiding, Closed:
		return s.lateByHand(ctx, a, e)
	default:
		return fmt.Errorf("refund by hand of attempt %s, which is %s: %w", a.ID, a.Step, errTooEarly)
	}
	call, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	all, err := s.provider.Refunds(call, a.charge())
	if err != nil {
		return fmt.Errorf("asking for the refunds of attempt %s: %w", a.ID, err)
	}
	left, had := a.Amount.Amount, []string{}
	for _, r := range all {
		if r.State != payment.RefundFailed {
			left -= r.Amount.Amount
		}
		if booking.IsID(r.ID) {
			had = append(had, r.ID)
		}
	}
	all = slices.DeleteFunc(all, func(r payment.Refunded) bool {
		ours := r.ID != ""
		return r.State == payment.RefundPending || ours && (r.State != payment.RefundFailed || !booking.IsID(r.ID))
	})
	slices.SortStableFunc(all, failedFirst)
	freed, err := s.store.byHand(ctx, e, handed{attempt: a, left: left, had: had}, all)
	for _, c := range freed {
		if err := s.follow(ctx, c); err != nil {
			s.log.Warn("the places of what was refunded by hand are left to the worker", "order", c.Order, "err", err)
		}
	}
	return err
}

// failedFirst sorts refunds so that what has come back is to be made up for before those
// that do so: a provider lists the newest first.
func failedFirst(x, y payment.Refunded) int {
	switch failed := x.State == payment.RefundFailed; {
	case failed == (y.State == payment.RefundFailed):
		return 0
	case failed:
		return -1
	}
	return 1
}

// lateByHand asks once more for the refund of late money that had failed: the provider
// says that nothing is left of it.
func (s *steps) lateByHand(ctx context.Context, a Attempt, e *payment.Event) error {
	found, err := troubles(ctx, s.store.db, `attempt_id = $1 and kind = 'late' and state = 'failed' and refund_id is not null`, a.ID)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return s.store.heardOf(ctx, a, e)
	}
	a.Ref = found[0].Ref
	return s.refund(ctx, a, found[0], e)
}

// byHand books refunds that were made by hand, each once, in one transaction with the
// event that told of them, if one did. A refund of ours that the provider had refused
// is taken to be what was made up for, if one fits, and so is one that never came there
// and never can any more; of the rest nothing is owed any more. Exchanges may have left the payment's money with several orders: what each of
// them has is given back, its own first. Who has all of the money back has no tickets:
// they are canceled, and returned to be freed.
func (s *Store) byHand(ctx context.Context, e *payment.Event, h handed, refunds []payment.Refunded) (freed []Cancellation, err error) {
	a := h.attempt
	if h.rates, err = s.tariffsOf(ctx, a); err != nil {
		return nil, err
	}
	do := func(tx pgx.Tx) error {
		freed = nil
		paid, err := paidBy(ctx, tx, a.Performance, a.ID)
		if err != nil {
			return err
		}
		own := slices.IndexFunc(paid, func(o locked) bool { return o.attempt == a.ID })
		if own < 0 {
			return pgx.ErrNoRows
		}
		paid[0], paid[own] = paid[own], paid[0]
		h.paid = paid
		for _, r := range refunds {
			if currency := paid[0].Total.Currency; r.Amount.Currency != currency {
				return fmt.Errorf("it is of %s, and its order of %s", r.Amount.Currency, currency)
			}
			h.refund = r
			canceled, err := h.book(ctx, tx)
			if err != nil {
				return err
			}
			freed = append(freed, canceled...)
		}
		return nil
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if e == nil {
			return do(tx)
		}
		return s.changeIn(ctx, tx, a, *e, func() error { return do(tx) })
	})
	if err != nil {
		if !errors.Is(err, errHeard) {
			err = away("booking refunds by hand of", a.ID, err)
		}
		return nil, err
	}
	return freed, nil
}

// tariffsOf reads the rules of the performances for which a payment paid.
func (s *Store) tariffsOf(ctx context.Context, a Attempt) (map[ropeline.PerformanceID]tariff.Tariff, error) {
	performances, err := ids(ctx, s.db, `select $1::text union select performance_id::text from order_funds where attempt_id = $2`, string(a.Performance), a.ID)
	if err != nil {
		return nil, away("reading what was paid by", a.ID, err)
	}
	rates := map[ropeline.PerformanceID]tariff.Tariff{}
	for _, id := range performances {
		p, err := s.catalogue.Performance(ctx, ropeline.PerformanceID(id))
		if err != nil {
			return nil, err
		}
		rates[p.Map.ID] = p.Map.Tariff
	}
	return rates, nil
}

// handed is a refund by hand of a payment, and the orders that it paid for: its own is
// the first.
type handed struct {
	attempt Attempt
	left    int64    // what the provider could still give back of the payment
	had     []string // ids of our refunds that it knows of
	refund  payment.Refunded
	paid    []locked
	rates   map[ropeline.PerformanceID]tariff.Tariff
}

// name is the id of the cancellation that tells an order of it: it is written once. That
// of the payment's own order always is.
func (h handed) name(o locked) string {
	text := "by hand " + h.refund.Ref
	if o.attempt != h.attempt.ID {
		text += " of " + o.ID
	}
	return uuid.NewSHA1(uuid.MustParse(h.attempt.ID), []byte(text)).String()
}

// book books it, if that was not done, or that it has come back, and returns the
// cancellations whose places are to be freed.
func (h handed) book(ctx context.Context, tx pgx.Tx) (freed []Cancellation, err error) {
	if h.refund.ID != "" { // ours, which has failed
		return nil, returned(ctx, tx, `attempt_id = $1 and refund_id = $2 and made_up_by is null`, h.attempt.ID, h.refund.ID)
	}
	own := h.name(h.paid[0])
	known, err := ids(ctx, tx, `select id::text from cancellations where performance_id = $1 and id = $2`, h.paid[0].Performance, own)
	switch {
	case err != nil:
		return nil, err
	case h.refund.State == payment.RefundFailed: // of what was never booked it changes nothing
		names := column(h.paid, h.name)
		return nil, returned(ctx, tx, `(made_up_by = $1 or id = any($2::uuid[]) and refund_id = id and made_up_by is null)`, own, names)
	case len(known) > 0:
		return nil, nil
	}
	shares, err := h.share(ctx, tx, own)
	if err != nil {
		return nil, err
	}
	for i, o := range h.paid {
		if i > 0 && shares[i].back == 0 {
			continue
		}
		plan, err := h.plan(ctx, tx, o, shares[i])
		if err == nil {
			err = plan.write(ctx, tx)
		}
		if err != nil {
			return nil, err
		}
		if !plan.Freed {
			freed = append(freed, plan.Cancellation)
		}
	}
	return freed, nil
}

// share is what an order has of a refund by hand: what went back, and what of that is
// not owed any more, since it makes up for nothing.
type share struct{ back, waived int64 }

// share says which order's money it was: first of what was to be given back and was
// refused, then of what each has left of the payment. More than that, which is given
// back twice, is the own order's.
func (h handed) share(ctx context.Context, tx pgx.Tx, own string) ([]share, error) {
	shares, rest := make([]share, len(h.paid)), h.refund.Amount.Amount
	made, err := h.madeUp(ctx, tx, own)
	if err != nil {
		return nil, err
	}
	for _, c := range made {
		i := slices.IndexFunc(h.paid, func(o locked) bool { return o.ID == c.Order })
		if i < 0 {
			return nil, fmt.Errorf("refund %s is of order %s, for which its payment never paid", c.ID, c.Order)
		}
		shares[i].back += c.Amount.Amount
		rest -= c.Amount.Amount
	}
	for i, o := range h.paid {
		left, err := purses(ctx, tx, o)
		if err != nil {
			return nil, err
		}
		for _, p := range left {
			if n := min(rest, p.left); p.attempt == h.attempt.ID {
				shares[i].back, shares[i].waived, rest = shares[i].back+n, shares[i].waived+n, rest-n
			}
		}
	}
	shares[0].back, shares[0].waived = shares[0].back+rest, shares[0].waived+rest
	return shares, nil
}

// plan is what becomes of an order by its share.
func (h handed) plan(ctx context.Context, tx pgx.Tx, o locked, of share) (plan canceling, err error) {
	plan.Cancellation = Cancellation{ID: h.name(o), Performance: o.Performance, Order: o.ID, Attempt: h.attempt.ID, PaidFor: h.attempt.Performance, Place: o.Place,
		Units: []int{}, Amount: booking.Money{Amount: of.waived, Currency: o.Total.Currency}, Who: System, Reason: ByHand, State: RefundDone, Refund: h.name(o), Freed: true}
	if of.back > 0 {
		plan.entries = append(plan.entries, entry{name: "refunded", amount: of.back})
	}
	if of.waived > 0 {
		plan.entries = append(plan.entries, entry{name: "waived", amount: of.waived})
	}
	left, err := owing(ctx, tx, o.Order)
	if err != nil || left == 0 || of.waived < left {
		return plan, err
	}
	if o.Tickets, err = ticketsOf(ctx, tx, `performance_id = $1 and order_id = $2`, o.Performance, o.ID); err != nil {
		return plan, err
	}
	return plan.empty(o, h.rates[o.Performance])
}

// empty cancels all tickets that an order has left, of nothing. Their places are those of
// the order's own payment, so another one's refund is a cancellation by itself.
func (c canceling) empty(o locked, rates tariff.Tariff) (canceling, error) {
	var picked []int
	for i, k := range o.Tickets {
		if k.State == ticket.Valid || k.State == ticket.Blocked {
			picked = append(picked, i)
		}
	}
	drawn, err := draw(locked{Order: o.Order}, Cancel{Who: c.Who}, rates, picked, tariff.Refund{}.Cancel)
	if err != nil || len(picked) == 0 {
		return c, err
	}
	if c.Attempt != o.attempt {
		c.others = append(c.others, c.Cancellation)
		c.ID = uuid.NewSHA1(uuid.MustParse(c.ID), []byte("places")).String()
		c.Refund, c.Attempt, c.PaidFor, c.Amount.Amount = c.ID, o.attempt, o.Performance, 0
	}
	c.tickets, c.Units, c.last, c.Freed = drawn.tickets, drawn.Units, drawn.last, false
	c.entries = append(c.entries, drawn.entries...)
	return c, nil
}

// madeUp ends those refunds of ours that the refund by hand makes up for, the oldest
// first, and returns them: what the provider has refused, and what it was asked for and
// has not heard of, if that is more than is left. It would be refused when it comes, for
// good, and nobody is owed it. Of what is then left the oldest of the refused has a part:
// who is owed something is given that first, in however many pieces.
func (h handed) madeUp(ctx context.Context, tx pgx.Tx, by string) (made []Cancellation, err error) {
	open, err := cancellations(ctx, tx, `select `+cancellationColumns+` from cancellations
		where attempt_id = $1 and (state = 'failed' or state = 'refunding' and refund_id <> all($2::uuid[])) order by created_at for update`, h.attempt.ID, h.had)
	if err != nil {
		return nil, err
	}
	coming, amount := int64(0), h.refund.Amount.Amount
	for _, c := range open {
		if c.State == RefundRunning {
			coming += c.Amount.Amount
		}
	}
	for _, c := range open {
		if c.Amount.Amount > amount || c.State == RefundRunning && coming <= h.left {
			continue
		}
		if _, err := tx.Exec(ctx, `update cancellations set state = 'refunded', made_up_by = $3, updated_at = now() where performance_id = $1 and id = $2`,
			c.Performance, c.ID, by); err != nil {
			return nil, err
		}
		if c.State == RefundRunning {
			coming -= c.Amount.Amount
		}
		amount -= c.Amount.Amount
		made = append(made, c)
	}
	next := slices.IndexFunc(open, func(c Cancellation) bool {
		return c.State == RefundFailed && !slices.ContainsFunc(made, func(m Cancellation) bool { return m.ID == c.ID })
	})
	if next < 0 || amount == 0 {
		return made, nil
	}
	part := open[next]
	if err := part.split(ctx, tx, amount, by); err != nil {
		return nil, err
	}
	part.Amount.Amount = amount
	return append(made, part), nil
}

// split makes two of a refund that has failed: an amount of it that is made up for, and
// the rest, which is still owed. The platform's fee stays with the first: it may have been
// given back with a refund that the bank has sent back, and goes back once.
func (c Cancellation) split(ctx context.Context, tx pgx.Tx, amount int64, by string) error {
	rest := uuid.NewSHA1(uuid.MustParse(c.ID), []byte("rest of "+by))
	_, err := tx.Exec(ctx, `
		with part as (
			update cancellations set amount = $3, state = 'refunded', made_up_by = $4, updated_at = now()
			where performance_id = $1 and id = $2
			returning *
		)
		insert into cancellations (performance_id, id, order_id, attempt_id, payment_performance, place_id, units, amount, kept, currency, who, reason,
			state, refund_id, freed, fee_returned, created_at)
		select performance_id, $5::uuid, order_id, attempt_id, payment_performance, place_id, '{}', $6, 0, currency, who, reason,
			'failed', $5::uuid, true, 0, created_at
		from part`, c.Performance, c.ID, amount, by, rest, c.Amount.Amount-amount)
	return err
}
