package order

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/payment"
)

// Coupons tells what a coupon takes off a hold, and uses it up.
type Coupons interface {
	OfHold(ctx context.Context, performance ropeline.PerformanceID, hold string, total booking.Money) (coupon.Lowered, bool, error)
	// Redeem fails if the coupon is not that hold's any more or has come to its end.
	Redeem(ctx context.Context, tx pgx.Tx, performance ropeline.PerformanceID, hold, order string, off booking.Money) error
	// TakeBack fails if one of the tickets bought a coupon that was used.
	TakeBack(ctx context.Context, tx pgx.Tx, performance ropeline.PerformanceID, tickets []string) error
}

// lower takes what a hold's coupon is worth off its total. A coupon that has
// come to its end is an error: nobody pays more than they were told.
func (d *Desk) lower(ctx context.Context, h hold.Hold, total booking.Money) (toPay, off booking.Money, err error) {
	off = booking.Money{Currency: total.Currency}
	if d.coupons == nil {
		return total, off, nil
	}
	l, found, err := d.coupons.OfHold(ctx, h.Performance, h.ID, total)
	if err != nil || !found {
		return total, off, err
	}
	total.Amount -= l.Discount.Amount
	return total, l.Discount, nil
}

// record writes an order. One with a coupon is in no group: the coupon is
// redeemed in the same transaction, and either may be refused.
func (d *Desk) record(ctx context.Context, a Attempt, o *Order) error {
	if o.Discount.Amount == 0 {
		return d.store.Record(ctx, a, o)
	}
	buyer, err := booking.NewID()
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, d.store.db, func(tx pgx.Tx) error {
		ids, err := record(ctx, tx, a.Performance, []purchase{{a, buyer, o}})
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return errNotStarted
		}
		return d.coupons.Redeem(ctx, tx, a.Performance, a.Hold, o.ID, o.Discount)
	})
	if err == nil {
		d.store.written.Add(1)
	}
	return d.store.unrecorded(ctx, a, err)
}

// free pays what costs nothing itself: providers take no such payments. It keeps
// no books, for there is no money to find again.
type free struct{ payment.Provider }

func (f free) Authorize(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	return f.nothing(ctx, c, payment.Authorized, f.Provider.Authorize)
}

func (f free) Capture(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	return f.nothing(ctx, c, payment.Captured, f.Provider.Capture)
}

func (f free) Void(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	return f.nothing(ctx, c, payment.Voided, f.Provider.Void)
}

func (f free) Find(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	if c.Amount.Amount == 0 && c.Attempt != "" {
		return payment.Payment{}, payment.ErrNone
	}
	return f.Provider.Find(ctx, c)
}

func (free) nothing(ctx context.Context, c payment.Charge, state payment.State, ask func(context.Context, payment.Charge) (payment.Payment, error)) (payment.Payment, error) {
	if c.Amount.Amount == 0 {
		return payment.Payment{Attempt: c.Attempt, State: state, Amount: c.Amount}, nil
	}
	return ask(ctx, c)
}
