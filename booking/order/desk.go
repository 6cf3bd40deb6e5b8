package order

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/abuse"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/ticket"
)

// Desk is where fans pay.
type Desk struct {
	steps
	catalogue *catalogue.Store
	coupons   Coupons
	key       []byte
	random    io.Reader
}

// Config is what a Desk needs.
type Config struct {
	Store     *Store
	Catalogue *catalogue.Store
	Holds     *hold.Store
	Provider  payment.Provider
	Coupons   Coupons   // nil: there are none
	Guard     Guard     // nil: anybody may pay as often as they like
	Key       []byte    // of order links
	Random    io.Reader // ticket codes come from it
	Log       *slog.Logger
}

// NewDesk returns a Desk.
func NewDesk(c Config) *Desk {
	return &Desk{
		steps:     steps{store: c.Store, holds: c.Holds, provider: free{c.Provider}, guard: c.Guard, now: time.Now, log: c.Log},
		catalogue: c.Catalogue, coupons: c.Coupons, key: c.Key, random: c.Random,
	}
}

// Checkout pays for a hold. The same request with the same key gets the same
// answer, however often it is sent; a new key after a failed payment works for
// as long as the hold lives. A pending order is one whose money is being
// captured still.
func (d *Desk) Checkout(ctx context.Context, r Request) (Order, error) {
	if err := r.validate(); err != nil {
		return Order{}, err
	}
	ids, err := d.catalogue.OnSale(ctx, r.Sale)
	if err != nil {
		return Order{}, err
	}
	h, err := d.holds.Find(ctx, ids, r.Hold, r.Session)
	if err == nil {
		err = h.Over()
	}
	// A key that was used in this performance cannot be used to start anything, which
	// shows below: so one that is new need not be looked for. If the hold is being
	// paid for, it may be by this very request.
	if err != nil || len(ids) > 1 || h.State == hold.Paying {
		if a, found, err := d.store.byKey(ctx, ids, r.Session, r.Key, r.mac(d.key)); err != nil || found {
			return d.repeat(ctx, a, r, r.mac(d.key), err)
		}
	}
	if err != nil {
		return Order{}, err
	}
	if h.State == hold.Paying {
		if a, found, err := d.store.open(ctx, h.Performance, h.ID); err != nil || found && a.Key == r.Key {
			return d.repeat(ctx, a, r, r.mac(d.key), err)
		} else if err := d.giveUp(ctx, a, r); err != nil {
			return Order{}, err
		}
	}
	a, o, err := d.plan(ctx, h, r)
	if err != nil {
		return Order{}, err
	}
	if r.Total != (booking.Money{}) && r.Total != a.Amount {
		return Order{}, ErrPrice
	}
	trial, err := d.begin(ctx, r, a)
	if err != nil || trial.Again() { // what was asked before is answered as it was
		if same, found, readErr := d.store.byKey(ctx, ids, r.Session, r.Key, r.mac(d.key)); found || readErr != nil {
			trial.End(ctx, abuse.Undone)
			return d.repeat(ctx, same, r, r.mac(d.key), readErr)
		}
	}
	if err != nil {
		return Order{}, err
	}
	started, err := d.store.Start(ctx, a)
	if err != nil || !started {
		trial.End(ctx, abuse.Undone)
	}
	if err != nil {
		return Order{}, err
	}
	if !started { // the same request came twice at once, or the hold is being paid for, or it is too much for one place
		same, found, err := d.store.byKey(ctx, ids, r.Session, r.Key, r.mac(d.key))
		if err == nil && !found {
			err = d.store.refusal(ctx, a)
		}
		return d.repeat(ctx, same, r, r.mac(d.key), err)
	}
	return d.pay(ctx, a, o, trial)
}

// giveUp makes way for another payment of a hold, if it is not being paid for already: in
// another tab, it may be. A payment that waits for its fan at the bank is ended: the fan
// pays in another way. What made its order cheaper is the hold's again before the next one
// is drawn up.
func (d *Desk) giveUp(ctx context.Context, a Attempt, r Request) error {
	switch a.Step {
	case "": // it has ended meanwhile
		return nil
	case Acting:
	default:
		return hold.ErrPaying
	}
	now, err := d.attend(ctx, a, nil, true)
	if err != nil {
		return ErrUnavailable.Because(err)
	}
	if now.Step != Voiding && now.Step != Closed { // the fan has confirmed it
		return hold.ErrPaying
	}
	d.lost(ctx, now, r)
	return nil
}

// repeat answers a request whose key is known as it was answered before.
func (d *Desk) repeat(ctx context.Context, a Attempt, r Request, mac []byte, err error) (Order, error) {
	if err != nil {
		return Order{}, err
	}
	if !bytes.Equal(a.MAC, mac) {
		return Order{}, ErrKeyReused
	}
	if a.Step == Acting { // the fan is back
		now, err := d.attend(ctx, a, nil, false)
		if err != nil {
			d.log.Warn("cannot tell whether a payment was confirmed", "attempt", a.ID, "err", err)
			now = a
		}
		d.lost(ctx, now, r)
		a = now
	}
	return d.answer(ctx, a)
}

// answer says what became of an attempt. One whose order was given up before the bank has
// let go of the money is not said to have failed: it comes back if the money is there (late).
func (d *Desk) answer(ctx context.Context, a Attempt) (Order, error) {
	switch a.Step {
	case Started:
		return Order{}, hold.ErrPaying
	case Voiding, Closed:
		if a.Step == Voiding && a.Outcome == ErrFailed.Code { // its fan may say yes at the bank in this moment
			if promised, _, err := d.store.hasOrder(ctx, a); err != nil || promised {
				return Order{}, cmp.Or[error](err, hold.ErrPaying)
			}
		}
		if e, ok := outcomes[a.Outcome]; ok {
			return Order{}, e
		}
		return Order{}, ErrFailed
	}
	o, err := d.store.Of(ctx, a)
	o.Action = a.Action
	return o, err
}

// plan draws up attempt and order for a hold; nothing is written yet.
func (d *Desk) plan(ctx context.Context, h hold.Hold, r Request) (Attempt, Order, error) {
	p, err := d.catalogue.Performance(ctx, h.Performance)
	if err != nil {
		return Attempt{}, Order{}, err
	}
	lines, total, err := p.Map.Lines(h.Units)
	if err != nil {
		return Attempt{}, Order{}, err
	}
	total, off, err := d.lower(ctx, h, total)
	if err != nil {
		return Attempt{}, Order{}, err
	}
	if total.Amount > 0 && r.Method == "" {
		return Attempt{}, Order{}, ErrMethod
	}
	var ids [2]string
	for i := range ids {
		if ids[i], err = booking.NewID(); err != nil {
			return Attempt{}, Order{}, err
		}
	}
	a := Attempt{
		ID: ids[0], Performance: h.Performance, Hold: h.ID, Sale: r.Sale, Session: r.Session, Place: r.Place,
		Key: r.Key, MAC: r.mac(d.key), Units: h.Units, Amount: total, Method: r.Method, Return: r.Return, Step: Started,
		PerPlace: p.Sale.UnitsPerPlace, Sold: p.Sale.Performances, Payer: Payer{r.Email, r.Language, r.Person},
	}
	o := Order{ID: ids[1], Performance: h.Performance, Sale: r.Sale, Place: r.Place, State: Pending, Total: total, Discount: off,
		Fee: p.Map.Tariff.Fee(total.Amount), Email: r.Email, Language: r.Language, Person: r.Person}
	if p.Map.Account != "" && total.Amount > 0 {
		payee, err := d.catalogue.Account(ctx, p.Map.Account)
		if err == nil && !payee.Charges {
			err = catalogue.ErrAccountClosed
		}
		if err != nil {
			return Attempt{}, Order{}, err
		}
		a.Account, a.AccountFee = payee.Provider, o.Fee
	}
	o.Tickets, err = d.tickets(o.ID, lines)
	return a, o, err
}

// tickets draws up the tickets of an order, in the order of their units, as those of
// a hold are. They are unpaid.
func (d *Desk) tickets(order string, lines []catalogue.Line) (tickets []Ticket, err error) {
	for _, l := range lines {
		t := Ticket{Order: order, Unit: l.Unit, Label: l.Label, Tier: l.Tier, Price: l.Price, State: ticket.Unpaid, Issue: 1}
		if t.ID, err = booking.NewID(); err != nil {
			return nil, err
		}
		if t.Code, err = ticket.DrawPrinted(d.random); err != nil {
			return nil, err
		}
		tickets = append(tickets, t)
	}
	return tickets, nil
}

// pay takes a started attempt to its end, or to where the fan has to act. The hold
// is checked last before the provider is first called: if it ran out since it was
// looked at, the provider hears of nothing.
func (d *Desk) pay(ctx context.Context, a Attempt, o Order, trial *abuse.Trial) (Order, error) {
	end := abuse.Undone
	defer func() { trial.End(ctx, end) }()
	holds := d.holds
	if a.From != "" { // no session of the shop waits for it
		holds = holds.Keeping(nil)
	}
	if _, err := holds.Pay(ctx, a.Performance, a.Hold, a.Session, a.ID); err != nil {
		return d.fail(ctx, a, err, notAsked)
	}
	end = abuse.Failed
	p, err := d.authorize(ctx, a)
	a.Ref = p.Ref
	refused := trial.Card(ctx, p.Card) // as soon as it is known which one it is; nothing is taken yet
	switch {
	case errors.Is(err, payment.ErrMethodUnknown):
		return d.fail(ctx, a, ErrMethod, finished)
	case errors.Is(err, payment.ErrAccountClosed): // it was closed since we heard of it; nothing was recorded
		return d.fail(ctx, a, catalogue.ErrAccountClosed.Because(err), notAsked)
	case err != nil:
		return d.fail(ctx, a, ErrUnavailable.Because(err), underWay)
	case refused != nil && (p.State == payment.NeedsAction || p.State == payment.Authorized):
		return d.fail(ctx, a, refused, finished)
	case p.State == payment.NeedsAction && p.Action != "" && p.Amount == a.Amount:
		a.Action = p.Action
	case p.State != payment.Authorized || p.Amount != a.Amount:
		end = abuse.Declined
		return d.fail(ctx, a, ErrDeclined, finished)
	}
	a.Card = trial.Allowance()
	if err := d.record(ctx, a, &o); err != nil {
		// The error may be of a commit that took place: fail finds out.
		return d.fail(ctx, a, unwritten(err), finished)
	}
	end = abuse.Paid // or it is about to be
	if a.Action != "" {
		a.Step, end = Acting, abuse.Waiting
		return d.answer(ctx, a)
	}
	a.Step = Recorded
	return d.conclude(ctx, a, &o)
}

// unwritten is why an order was not written, as its buyer is told.
func unwritten(err error) error {
	if e, ok := errors.AsType[*ropeline.Error](err); ok && outcomes[e.Code] != nil { // its coupon's, or its card's
		return e
	}
	if isUniqueViolation(err) {
		return hold.ErrUnitsTaken.Because(err)
	}
	return ropeline.ErrStoreAway.Because(err)
}

// conclude goes forward as far as it can and answers with the order, which is read
// if it is not known or not paid.
func (d *Desk) conclude(ctx context.Context, a Attempt, o *Order) (Order, error) {
	now, err := d.forward(ctx, a)
	if err != nil {
		d.log.Warn("order left to the settler", "attempt", a.ID, "err", err)
		if now, err = d.store.read(ctx, a); err != nil {
			return Order{}, err
		}
		return d.answer(ctx, now) // somebody else may have gone on, and further
	}
	if o != nil && (now.Step == Captured || now.Step == Done) {
		return o.paid(), nil
	}
	return d.answer(ctx, now)
}

// authorize asks the provider for the money, and asks again what happened if
// the answer was lost.
func (d *Desk) authorize(ctx context.Context, a Attempt) (payment.Payment, error) {
	call, cancel := context.WithTimeout(ctx, patience)
	p, err := d.provider.Authorize(call, a.charge())
	cancel()
	if err == nil || errors.Is(err, payment.ErrMethodUnknown) || errors.Is(err, payment.ErrAccountClosed) {
		return p, err
	}
	call, cancel = context.WithTimeout(ctx, secondLook) // a time of its own: the call may have used up all of its
	defer cancel()
	found, findErr := d.provider.Find(call, a.charge())
	if findErr == nil {
		return found, nil
	}
	return payment.Payment{}, fmt.Errorf("authorizing attempt %s: %w", a.ID, err)
}

// progress is how far the provider got with an attempt that fails.
type progress int

const (
	notAsked progress = iota // it was never called, so there is nothing to let go
	finished                 // it has nothing under way
	underWay                 // the call may reach it yet: the settler looks again later
)

// fail ends a started attempt with an error, unless it turns out to be recorded
// after all. If nothing is under way it is closed at once.
func (d *Desk) fail(ctx context.Context, a Attempt, cause error, at progress) (Order, error) {
	outcome := ErrFailed.Code
	if e, ok := errors.AsType[*ropeline.Error](cause); ok {
		outcome = e.Code
	}
	abandoned, err := d.abandon(ctx, a, outcome)
	if err != nil {
		d.log.Warn("failed attempt left to the settler", "attempt", a.ID, "err", err)
		return Order{}, cause
	}
	if !abandoned {
		return d.overtaken(ctx, a, cause)
	}
	a.Step = Voiding
	switch at {
	case notAsked:
		_, err = d.store.move(ctx, a, Voiding, Closed, "")
	case finished:
		_, err = d.backward(ctx, a)
	case underWay:
	}
	if err != nil {
		d.log.Warn("failed attempt left to the settler", "attempt", a.ID, "err", err)
	}
	return Order{}, cause
}

// overtaken finds out why an attempt is not started any more: its own commit
// took place although the answer was lost, or a settler took this request for
// dead while it was only slow. The settler may have asked the provider before
// it authorized, so the money is let go once more: the attempt is opened again
// first, so that the settler goes on if that fails now.
func (d *Desk) overtaken(ctx context.Context, a Attempt, cause error) (Order, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), secondLook) // the slow request's own time may be up
	defer cancel()
	now, err := d.store.read(ctx, a)
	if err != nil {
		return Order{}, cause
	}
	switch now.Step {
	case Recorded, Acting:
		d.store.written.Add(1) // the group that wrote it did not hear of it
		if now.Step == Recorded {
			return d.conclude(ctx, now, nil)
		}
	case Voiding, Closed:
		if now, err = d.reopen(ctx, now); err != nil {
			d.log.Error("money of an abandoned attempt may still be reserved", "attempt", a.ID, "err", err)
			break
		}
		if now, err = d.backward(ctx, now); err != nil {
			d.log.Warn("abandoned attempt left to the settler", "attempt", a.ID, "err", err)
		}
	}
	return d.answer(ctx, now)
}
