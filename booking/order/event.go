package order

import (
	"context"
	"errors"
	"time"

	"github.com/ropeline/ropeline/booking/payment"
)

// Heard says what an event of a provider came to.
type Heard string

// What events come to. None of them is to be sent again.
const (
	HeardNow   Heard = "done"    // it was new, and what it asks for was done
	HeardAgain Heard = "again"   // it came before
	HeardNot   Heard = "unknown" // nothing that we know is meant
	HeardLate  Heard = "late"    // it is older than EventLife: the comparison has seen to it
)

// EventLife is how long an event may take to come. Stripe sends one again for three
// days, and lets people do so for thirty. An older one changes nothing, so that what
// was heard need not be known for ever (forget): whatever is not refused for its age is
// still written down.
const EventLife = 35 * 24 * time.Hour

// forgetMost is how many events one statement forgets.
const forgetMost = 5000

// forget drops what was heard of events that would be refused for their age. A day
// more is for clocks that differ.
func (s *Store) forget(ctx context.Context) (int64, error) {
	if err := s.forgetPayers(ctx); err != nil {
		return 0, err
	}
	var forgotten int64
	for {
		tag, err := s.db.Exec(ctx, `
			delete from payment_events where (performance_id, id) in (
				select performance_id, id from payment_events
				where heard_at < now() - make_interval(secs => $1) and at < now() - make_interval(secs => $1) limit $2)`,
			(EventLife + 24*time.Hour).Seconds(), forgetMost)
		if err != nil {
			return forgotten, away("forgetting", "events", err)
		}
		if forgotten += tag.RowsAffected(); tag.RowsAffected() < forgetMost {
			return forgotten, nil
		}
	}
}

// forgetPayers forgets who paid, or tried to, where nobody wrote to them: a letter forgets it,
// too, a minute after a payment has failed.
func (s *Store) forgetPayers(ctx context.Context) error {
	_, err := s.db.Exec(ctx, `update attempts set email = '', language = '', person_id = null
		where email <> '' and state in ('voiding', 'closed') and updated_at < now() - interval '1 hour'`)
	if err != nil {
		return away("forgetting", "who paid", err)
	}
	return nil
}

// Hear takes in what a provider tells by webhook. It is a hint where to look: what
// is so is asked of the provider (Find), and the attempt moves only from where it
// stands, never back. The event is written in the transaction of its effect; what
// follows from that is a settler's, if we die before it is done. The attempt, if
// there is one, is returned as it is then.
//
// An error means that the event has to be sent again.
func (d *Desk) Hear(ctx context.Context, e payment.Event) (Attempt, Heard, error) {
	if d.now().Sub(e.At) > EventLife {
		return Attempt{}, HeardLate, nil
	}
	switch {
	case e.About == payment.AboutRefund && e.Refund == "":
		return d.hearByHand(ctx, e)
	case e.About == payment.AboutRefund:
		return d.hearRefund(ctx, e)
	case e.About == payment.AboutDispute:
		return d.hearDispute(ctx, e)
	case e.About == payment.AboutAccount:
		return d.hearAccount(ctx, e)
	}
	a, found, err := d.store.byID(ctx, e.Attempt)
	if err != nil || !found || e.About != payment.AboutPayment {
		return Attempt{}, HeardNot, err
	}
	a, err = d.hearPayment(ctx, a, e)
	if errors.Is(err, errHeard) { // by another core, at the same time
		return a, HeardAgain, nil
	}
	return a, HeardNow, err
}

// hearPayment has an event about a payment do what it can do. A request that is
// under way (Started) learns more from its own answer, one that is recorded knows that the
// amount is reserved and is taking it, and an attempt that is over only stirs if there is
// money.
func (d *Desk) hearPayment(ctx context.Context, a Attempt, e payment.Event) (Attempt, error) {
	over := e.State == payment.Declined || e.State == payment.Voided
	switch {
	case a.Step == Acting && e.State == payment.NeedsAction,
		(a.Step == Voiding || a.Step == Closed) && over,
		a.Step == Recorded && e.State == payment.Authorized,
		a.Step == Started, a.Step == Captured, a.Step == Done:
		return a, d.store.heardOf(ctx, a, &e)
	}
	known, err := d.store.heard(ctx, a, e) // before the provider is asked in vain
	if err != nil {
		return a, err
	}
	if known {
		return a, errHeard
	}
	switch a.Step {
	case Acting:
		return d.attend(ctx, a, &e, false)
	case Recorded:
		if a, err = d.capture(ctx, a, &e); err != nil {
			return a, err
		}
		return d.forward(ctx, a)
	default:
		return d.hearLate(ctx, a, e)
	}
}

// hearLate opens a failed attempt again, so that a settler goes on with it if we
// do not, and lets its money go, or its order come back.
func (d *Desk) hearLate(ctx context.Context, a Attempt, e payment.Event) (Attempt, error) {
	err := d.store.change(ctx, a, &e, func(db querier) error {
		_, err := move(ctx, db, a, Closed, Voiding, "")
		return err
	})
	if err != nil {
		return a, err
	}
	a.Step = Voiding
	if a, err = d.backward(ctx, a); err == nil && a.Step == Recorded {
		a, err = d.forward(ctx, a)
	}
	if err != nil { // the event has had its effect
		d.log.Warn("late money is left to the settler", "attempt", a.ID, "err", err)
	}
	return a, nil
}

// hearRefund asks how far a refund of ours got.
func (d *Desk) hearRefund(ctx context.Context, e payment.Event) (Attempt, Heard, error) {
	found, err := troubles(ctx, d.store.db, `refund_id::text = $1`, e.Refund)
	if err != nil {
		return Attempt{}, HeardNot, err
	}
	if len(found) == 0 {
		return d.hearCancellation(ctx, e)
	}
	a, ours, err := d.store.byID(ctx, found[0].Attempt)
	if err != nil || !ours {
		return Attempt{}, HeardNot, err
	}
	known, err := d.store.heard(ctx, a, e)
	if err != nil || known {
		return a, HeardAgain, err
	}
	a.Ref = found[0].Ref
	if err := d.refund(ctx, a, found[0], &e); !errors.Is(err, errHeard) {
		return a, HeardNow, err
	}
	return a, HeardAgain, nil
}

// heard reports whether an event was written down.
func (s *Store) heard(ctx context.Context, a Attempt, e payment.Event) (known bool, err error) {
	err = s.db.QueryRow(ctx, `select exists (select 1 from payment_events where performance_id = $1 and id = $2)`,
		a.Performance, e.ID).Scan(&known)
	if err != nil {
		return false, away("looking for an event about", a.ID, err)
	}
	return known, nil
}
