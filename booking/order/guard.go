package order

import (
	"context"

	"github.com/ropeline/ropeline/booking/abuse"
)

// Guard says whether somebody may pay, before the provider is asked. abuse.Guard is
// one.
type Guard interface {
	Begin(ctx context.Context, p abuse.Payment) (*abuse.Trial, error)
	Resume(ctx context.Context, p abuse.Payment) (*abuse.Trial, error)
}

// watched is an attempt as a guard sees it.
func (r Request) watched(a Attempt) abuse.Payment {
	tickets := len(a.Units)
	if a.From != "" { // as many are given up
		tickets = 0
	}
	return abuse.Payment{Who: abuse.Who{Sale: a.Sale, Place: a.Place, Address: r.From}, Method: a.Method, Amount: a.Amount, Tickets: tickets}
}

func (d *Desk) begin(ctx context.Context, r Request, a Attempt) (*abuse.Trial, error) {
	if d.guard == nil {
		return nil, nil // nobody watches it
	}
	return d.guard.Begin(ctx, r.watched(a))
}

// lost tells the guard that a payment which waited for its fan at the bank was refused
// there, or given up. What a webhook tells of first is not counted: nobody's request
// is under way, and the next card counts as another one.
func (d *Desk) lost(ctx context.Context, a Attempt, r Request) {
	if d.guard == nil {
		return
	}
	trial, err := d.guard.Resume(ctx, r.watched(a))
	if err != nil {
		d.log.Warn("a payment that was refused at the bank is not counted", "attempt", a.ID, "err", err)
		return
	}
	trial.End(ctx, abuse.Declined)
}
