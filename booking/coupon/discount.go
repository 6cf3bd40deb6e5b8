package coupon

import (
	"math/bits"

	"github.com/ropeline/ropeline/booking"
)

// Discount is how much a coupon takes off a total. A percentage is rounded down
// to a whole minor unit, so that nobody is promised more than the percentage and
// every till that divides whole numbers comes to the same. It is never more than
// at_most and never more than the total: nobody is paid for buying.
//
// No total overflows: the product has 128 bits.
func (t Terms) Discount(total booking.Money) (booking.Money, error) {
	switch {
	case total.Currency != t.Currency:
		return booking.Money{}, ErrElsewhere
	case total.Amount < 0:
		return booking.Money{}, invalid("an order cannot cost less than nothing")
	case total.Amount < t.MinSpend:
		return booking.Money{}, ErrMinimum
	}
	off := t.Amount
	if t.Percent > 0 {
		high, low := bits.Mul64(uint64(total.Amount), uint64(t.Percent))
		quotient, _ := bits.Div64(high, low, 100) // percent is at most 100, so it is at most total
		off = int64(quotient)
	}
	if off = min(off, t.most(), total.Amount); off == 0 { // nobody uses a coupon up for nothing
		return booking.Money{}, ErrMinimum
	}
	return booking.Money{Amount: off, Currency: t.Currency}, nil
}

// most bounds the discount; every coupon has a bound.
func (t Terms) most() int64 {
	if t.AtMost == 0 {
		return MaxAmount
	}
	return t.AtMost
}
