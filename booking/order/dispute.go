package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/ticket"
)

// Dispute is an order whose buyer's bank wants the money back, as far as we have
// asked the provider.
type Dispute struct {
	ID          string // ours
	Performance ropeline.PerformanceID
	Sale        ropeline.SaleID
	Order       string
	Attempt     string
	Account     string // whose it is at the provider; empty: ours
	payment.Dispute
	Void        int // tickets that staff can release
	At, Changed time.Time
}

// Refusals of a release.
var (
	ErrDisputeUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "dispute-unknown", Detail: "There is no such dispute."}
	ErrDisputeOpen    = &ropeline.Error{Kind: ropeline.Conflict, Code: "dispute-not-lost", Detail: "This dispute is not lost. Its places are the buyer's for as long as it may be won."}
)

// idOf is our id of a dispute: one of a provider's is written once.
func idOf(a Attempt, ref string) string {
	return uuid.NewSHA1(uuid.MustParse(a.ID), []byte("dispute "+ref)).String()
}

// errTooEarly says that the order of an attempt is not written yet, or not paid.
var errTooEarly = errors.New("the payment has come further than its attempt")

// hearDispute asks how a dispute stands that an event is about. One that comes before
// the answer to the capture takes that for its answer.
func (d *Desk) hearDispute(ctx context.Context, e payment.Event) (Attempt, Heard, error) {
	if a, found, err := d.store.ofDispute(ctx, e.Dispute); err != nil || found {
		if known, knownErr := d.store.heard(ctx, a, e); err != nil || knownErr != nil || known {
			return a, HeardAgain, errors.Join(err, knownErr)
		}
	}
	call, cancel := context.WithTimeout(ctx, patience)
	now, err := d.provider.Dispute(call, e.Account, e.Dispute)
	cancel()
	if err != nil {
		return Attempt{}, HeardNot, fmt.Errorf("asking how dispute %.40q stands: %w", e.Dispute, err)
	}
	a, found, err := d.store.byID(ctx, now.Attempt)
	if err != nil || !found || !isOf(now, a, e.Account) {
		return Attempt{}, HeardNot, err
	}
	err = d.disputed(ctx, a, &e, now)
	if errors.Is(err, errHeard) {
		return a, HeardAgain, nil
	}
	return a, HeardNow, err
}

// isOf reports whether a dispute is about the payment of an attempt: whoever has an
// account can write there what they like.
func isOf(now payment.Dispute, a Attempt, account string) bool {
	return a.Account == account && (a.Ref == "" || a.Ref == now.Payment)
}

// disputed writes down how a dispute stands. A payment in dispute was captured: an
// attempt that does not know that yet goes forward first. Of one that has failed there
// is no order to dispute, and its late money is staff's already.
func (s *steps) disputed(ctx context.Context, a Attempt, e *payment.Event, now payment.Dispute) error {
	var err error
	if a.Step == Recorded {
		if a, err = s.forward(ctx, a); err != nil {
			return err
		}
	}
	switch a.Step {
	case Captured, Done:
		return s.store.disputed(ctx, a, e, now)
	case Voiding, Closed:
		return s.store.heardOf(ctx, a, e)
	}
	return fmt.Errorf("dispute of attempt %s, which is %s: %w", a.ID, a.Step, errTooEarly)
}

// booked is what of a dispute is in the books. It only grows, and a decision stays:
// who asked the provider first may write last.
type booked struct {
	state                 payment.DisputeState
	withdrawn, reinstated int64
	fee, feeReturned      int64
}

// with is what has to be in the books when the provider was seen to say now, and what
// the ledger lacks of it. The fee is in the currency of our account there.
func (b booked) with(now payment.Dispute) (booked, []entry) {
	next := booked{state: b.state, withdrawn: max(b.withdrawn, now.Withdrawn), reinstated: max(b.reinstated, now.Reinstated),
		fee: max(b.fee, now.Fee.Taken), feeReturned: max(b.feeReturned, now.Fee.Returned)}
	if !b.state.Over() && (b.state != payment.DisputeOpen || now.State.Over()) {
		next.state = now.State
	}
	var entries []entry
	add := func(name string, amount int64) {
		if amount > 0 {
			entries = append(entries, entry{name: name, amount: amount})
		}
	}
	charge := func(name string, amount int64) {
		if amount > 0 {
			entries = append(entries, entry{name: name, amount: amount, currency: now.Fee.Currency})
		}
	}
	if b.state == "" {
		add("disputed", now.Amount.Amount)
	}
	add("withdrawn", next.withdrawn-b.withdrawn)
	add("reinstated", next.reinstated-b.reinstated)
	charge("dispute_fee", next.fee-b.fee)
	charge("dispute_fee_returned", next.feeReturned-b.feeReturned)
	if next.state.Over() && !b.state.Over() {
		add("dispute_"+string(next.state), now.Amount.Amount)
	}
	return next, entries
}

// disputed writes a dispute, what the ledger lacks of it, and what it makes of the
// order's tickets, in one transaction with the event that told of it, if one did. Two
// that come at once wait for each other at the order's row.
func (s *Store) disputed(ctx context.Context, a Attempt, e *payment.Event, now payment.Dispute) error {
	do := func(tx pgx.Tx) error {
		o := Order{Performance: a.Performance}
		err := tx.QueryRow(ctx, `select id, currency from orders where performance_id = $1 and attempt_id = $2 for no key update`,
			a.Performance, a.ID).Scan(&o.ID, &o.Total.Currency)
		if err == nil && o.Total.Currency != now.Amount.Currency {
			err = fmt.Errorf("it is of %s, and its order of %s", now.Amount.Currency, o.Total.Currency)
		}
		if err != nil {
			return err
		}
		id := idOf(a, now.Ref)
		var b booked
		err = tx.QueryRow(ctx, `select state, withdrawn, reinstated, fee, fee_returned from order_disputes where id = $1`, id).
			Scan(&b.state, &b.withdrawn, &b.reinstated, &b.fee, &b.feeReturned)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		next, entries := b.with(now)
		if next == b {
			_, err := tx.Exec(ctx, `update order_disputes set updated_at = now() where id = $1`, id)
			return err
		}
		if _, err := tx.Exec(ctx, `
			insert into order_disputes as d (id, performance_id, order_id, attempt_id, provider_ref, payment_ref, state, amount,
				withdrawn, reinstated, currency, fee, fee_returned, fee_currency, reason, evidence_due, opened_at, account)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
			on conflict (id) do update set state = excluded.state, withdrawn = excluded.withdrawn, reinstated = excluded.reinstated,
				fee = excluded.fee, fee_returned = excluded.fee_returned, fee_currency = excluded.fee_currency,
				evidence_due = excluded.evidence_due, updated_at = now()`,
			id, a.Performance, o.ID, a.ID, now.Ref, now.Payment, next.state, now.Amount.Amount, next.withdrawn, next.reinstated,
			now.Amount.Currency, next.fee, next.feeReturned, now.Fee.Currency, now.Reason, timeOrNull(now.EvidenceDue), now.OpenedAt, a.Account); err != nil {
			return err
		}
		if err := write(ctx, tx, o, System, entries); err != nil {
			return err
		}
		paid, err := paidBy(ctx, tx, a.Performance, a.ID)
		if err != nil {
			return err
		}
		for _, o := range paid {
			if err := block(ctx, tx, o); err != nil {
				return err
			}
		}
		return nil
	}
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if e == nil {
			return do(tx)
		}
		return s.changeIn(ctx, tx, a, *e, func() error { return do(tx) })
	})
	if errors.Is(err, errHeard) {
		return err
	}
	if err != nil {
		return away("noting a dispute of", a.ID, err)
	}
	return nil
}

// paidBy are the orders that a payment paid for, its own and those that it came to with
// exchanges. They stay locked, and so do their tickets (lock).
func paidBy(ctx context.Context, tx pgx.Tx, performance ropeline.PerformanceID, attempt string) ([]locked, error) {
	rows, err := tx.Query(ctx, `
		select o.performance_id, o.id, o.attempt_id, o.place_id, o.state, o.amount, o.fee, o.currency from orders o
		where o.performance_id = $1 and o.attempt_id = $2
			or (o.performance_id, o.id) in (select performance_id, order_id from order_funds where attempt_id = $2)
		order by o.created_at, o.id for no key update`, performance, attempt)
	if err != nil {
		return nil, err
	}
	paid, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (l locked, err error) {
		return l, r.Scan(&l.Performance, &l.ID, &l.attempt, &l.Place, &l.State, &l.Total.Amount, &l.Fee, &l.Total.Currency)
	})
	of := map[ropeline.PerformanceID][]string{}
	for _, l := range paid {
		of[l.Performance] = append(of[l.Performance], l.ID)
	}
	for performance, orders := range of {
		if err == nil {
			err = keepTickets(ctx, tx, performance, orders...)
		}
	}
	return paid, err
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// block sets what the tickets of an order are that disputes of its payments are about:
// blocked while one is open, void once one is lost, and valid if all were won.
func block(ctx context.Context, tx pgx.Tx, o locked) error {
	_, err := tx.Exec(ctx, `
		with d as (
			select case when bool_or(state = 'lost') then 'void' when bool_or(state in ('asked', 'open')) then 'blocked' else 'valid' end state
			from order_disputes where attempt_id = $3 or attempt_id in (select attempt_id from order_funds where performance_id = $1 and order_id = $2)
		)
		update tickets t set state = d.state, updated_at = now() from d
		where performance_id = $1 and order_id = $2 and t.state in ('valid', 'blocked') and t.state <> d.state`, o.Performance, o.ID, o.attempt)
	return err
}

// write appends entries to the ledger of an order.
func write(ctx context.Context, tx pgx.Tx, o Order, who string, entries []entry) error {
	_, err := tx.Exec(ctx, `insert into order_ledger (performance_id, order_id, entry, ticket_id, amount, currency, who, tender)
		select $1, $2, e.entry, nullif(e.ticket, '')::uuid, e.amount, coalesce(nullif(e.currency, ''), $3), $4, e.tender
		from unnest($5::text[], $6::text[], $7::bigint[], $8::text[], $9::text[]) with ordinality as e (entry, ticket, amount, tender, currency, n) order by e.n`,
		o.Performance, o.ID, o.Total.Currency, who,
		column(entries, func(e entry) string { return e.name }),
		column(entries, func(e entry) string { return e.ticket }),
		column(entries, func(e entry) int64 { return e.amount }),
		column(entries, func(e entry) Tender { return e.tender }),
		column(entries, func(e entry) string { return e.currency }))
	return err
}

// ofDispute finds the attempt of a dispute that is in our books.
func (s *Store) ofDispute(ctx context.Context, ref string) (Attempt, bool, error) {
	return s.attempt(ctx, `(performance_id, id) = (
		select performance_id, attempt_id from order_disputes where provider_ref = $1 limit 1)`, ref)
}

// Disputes lists those that are not decided, then the others, the newest first.
func (s *Store) Disputes(ctx context.Context, p booking.Page) (page []Dispute, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	before, err := p.After()
	if err != nil {
		return nil, "", err
	}
	const decided = `d.state not in ('asked', 'open')`
	list, err := disputes(ctx, s.db, `$1::uuid is null or (not (`+decided+`), d.created_at, d.id) < (select not (`+decided+`), d.created_at, d.id from order_disputes d where d.id = $1)
		order by `+decided+`, d.created_at desc, d.id desc limit $2`, before, size+1)
	page, next = booking.Cut(list, size, func(d Dispute) string { return d.ID })
	return page, next, err
}

func disputes(ctx context.Context, db querier, where string, args ...any) ([]Dispute, error) {
	rows, err := db.Query(ctx, `
		select d.id, d.performance_id, o.sale_id, d.order_id, d.attempt_id, d.account, d.provider_ref, d.payment_ref, d.state, d.amount, d.currency,
			d.withdrawn, d.reinstated, d.fee, d.fee_returned, d.fee_currency, d.reason, d.evidence_due, d.opened_at, d.created_at, d.updated_at,
			(select count(*) from tickets t where t.state = 'void' and (t.performance_id = d.performance_id and t.order_id = d.order_id
				or (t.performance_id, t.order_id) in (select performance_id, order_id from order_funds f where f.attempt_id = d.attempt_id)))
		from order_disputes d join orders o on o.performance_id = d.performance_id and o.id = d.order_id
		where `+where, args...)
	if err != nil {
		return nil, away("listing", "disputes", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d Dispute, err error) {
		var due *time.Time
		p := &d.Dispute
		err = row.Scan(&d.ID, &d.Performance, &d.Sale, &d.Order, &d.Attempt, &d.Account, &p.Ref, &p.Payment, &p.State, &p.Amount.Amount, &p.Amount.Currency,
			&p.Withdrawn, &p.Reinstated, &p.Fee.Taken, &p.Fee.Returned, &p.Fee.Currency, &p.Reason, &due, &p.OpenedAt, &d.At, &d.Changed, &d.Void)
		if due != nil {
			p.EvidenceDue = due.UTC()
		}
		p.Attempt, p.OpenedAt, d.At, d.Changed = d.Attempt, p.OpenedAt.UTC(), d.At.UTC(), d.Changed.UTC()
		return d, err
	})
	if err != nil {
		return nil, away("listing", "disputes", err)
	}
	return found, nil
}

// Release puts the places of an order on sale again whose dispute was lost. That
// happens by nobody's hand but staff's: a dispute tells of fraud as often as not, and
// who looks at it may have to know who sat there. The same again changes nothing.
func (d *Desk) Release(ctx context.Context, id, who, reason string) (Dispute, error) {
	found, err := disputes(ctx, d.store.db, `d.id = $1`, id)
	if err == nil && len(found) == 0 {
		err = ErrDisputeUnknown
	}
	if err != nil {
		return Dispute{}, err
	}
	if found[0].State != payment.DisputeLost {
		return Dispute{}, ErrDisputeOpen
	}
	done, err := d.store.release(ctx, found[0], who, reason)
	if err != nil {
		return Dispute{}, err
	}
	d.followAll(ctx, done)
	if found, err = disputes(ctx, d.store.db, `d.id = $1`, id); err != nil {
		return Dispute{}, err
	}
	return found[0], nil
}

// release writes a cancellation of the void tickets, of nothing: their money is gone.
// There is one for each order that the payment paid for.
func (s *Store) release(ctx context.Context, of Dispute, who, reason string) (done []Cancellation, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		done = nil
		paid, err := paidBy(ctx, tx, of.Performance, of.Attempt)
		if err != nil {
			return err
		}
		for _, o := range paid {
			if o.Tickets, err = ticketsOf(ctx, tx, `performance_id = $1 and order_id = $2`, o.Performance, o.ID); err != nil {
				return err
			}
			id, err := booking.NewID()
			if err != nil {
				return err
			}
			plan := canceling{Cancellation: Cancellation{ID: id, Performance: o.Performance, Order: o.ID, Attempt: o.attempt, Place: o.Place,
				Amount: booking.Money{Currency: of.Amount.Currency}, Who: who, Reason: reason, State: RefundDone, Refund: id}}
			for _, k := range o.Tickets {
				if k.State == ticket.Void {
					plan.tickets, plan.Units = append(plan.tickets, k.ID), append(plan.Units, k.Unit)
					plan.entries = append(plan.entries, entry{name: "canceled", ticket: k.ID})
				}
			}
			if len(plan.tickets) == 0 {
				continue
			}
			plan.last = len(plan.tickets) == o.living()
			if err := plan.write(ctx, tx); err != nil {
				return err
			}
			done = append(done, plan.Cancellation)
		}
		return nil
	})
	if err != nil {
		return nil, away("releasing the places of", of.Order, err)
	}
	return done, nil
}
