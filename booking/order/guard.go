package order

import (
	"context"
	"errors"

	"github.com/ropeline/ropeline/booking/abuse"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/payment"
)

// Guard says whether somebody may pay, before the provider is asked. abuse.Guard is
// one.
type Guard interface {
	Begin(ctx context.Context, p abuse.Payment) (*abuse.Trial, error)
	Resume(ctx context.Context, p abuse.Payment) (*abuse.Trial, error)
	Allowance(p abuse.Payment, fingerprint string) abuse.Allowance
}

// watched is an attempt as a guard sees it.
func (r Request) watched(a Attempt) abuse.Payment {
	tickets := len(a.Units)
	if a.From != "" { // as many are given up
		tickets = 0
	}
	return abuse.Payment{Who: abuse.Who{Sale: a.Sale, Place: a.Place, Address: r.From}, Hold: a.Hold, Request: a.Key + string(a.MAC), Method: a.Method, Amount: a.Amount, Tickets: tickets}
}

func (d *Desk) begin(ctx context.Context, r Request, a Attempt) (*abuse.Trial, error) {
	if d.guard == nil {
		return nil, nil // nobody watches it
	}
	trial, err := d.guard.Begin(ctx, r.watched(a))
	switch {
	case errors.Is(err, abuse.ErrBegun):
		return nil, hold.ErrPaying
	case err != nil:
		return nil, err
	}
	a.Card = trial.Allowance()
	if err := d.store.allows(ctx, a); err != nil {
		trial.End(ctx, abuse.Undone)
		return nil, err
	}
	return trial, nil
}

// allowance is that of a payment that its fan has confirmed: some providers say only
// now which card it is. A settler has nobody to ask, and lets it pass.
func (s *steps) allowance(a Attempt, p payment.Payment) abuse.Allowance {
	if s.guard == nil {
		return abuse.Allowance{}
	}
	return s.guard.Allowance(Request{}.watched(a), p.Card)
}

// lost tells the guard that a payment which waited for its fan at the bank was refused
// there, or given up. What a webhook tells of first is not counted: nobody's request
// is under way, and the next card counts as another one. Of many tabs that learn of it at
// once, one tells. A card at its limit is not declined.
func (d *Desk) lost(ctx context.Context, a Attempt, r Request) {
	if d.guard == nil || !a.Moved || a.Step != Voiding && a.Step != Closed {
		return
	}
	trial, err := d.guard.Resume(ctx, r.watched(a))
	if err != nil {
		d.log.Warn("a payment that was refused at the bank is not counted", "attempt", a.ID, "err", err)
		return
	}
	if a.Outcome == abuse.ErrCardLimit.Code {
		trial.End(ctx, abuse.Failed)
		return
	}
	trial.End(ctx, abuse.Declined)
}
