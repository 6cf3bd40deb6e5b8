// Package tariff says which part of what a buyer pays is the platform's fee, which
// is tax, and what goes back when a ticket is canceled.
//
// Prices are all-in: fee and tax are parts of what the buyer is shown from the
// first page on, nothing is added later. Amounts are minor units of one currency,
// and rates basis points (hundredths of a percent).
//
// Two rules of rounding, and no others. A rate of an amount is rounded to the
// nearest unit, a half up. An amount that is split is split by running totals that
// are rounded down, so that the parts always add up to it.
//
// The package reads nothing and writes nothing.
package tariff

import (
	"cmp"
	"math"
	"math/bits"
	"time"

	"github.com/ropeline/ropeline"
)

// Tariff is what holds for the orders of a performance.
type Tariff struct {
	FeeRate  int      `json:"fee_rate,omitempty" doc:"the platform's fee, part of the price, in basis points (250 is 2.5 %)"`
	FeeFixed int64    `json:"fee_fixed,omitempty" doc:"added to that for each order, in minor units; never more than the order in all"`
	TaxRate  int      `json:"tax_rate,omitempty" doc:"tax that is included in the price, in basis points"`
	Refund   Refund   `json:"refund"`
	Exchange Exchange `json:"exchange"`
	Transfer Transfer `json:"transfer,omitzero"`
	Names    Names    `json:"names,omitzero"`
}

// Refund are the rules of canceling.
type Refund struct {
	Before   int  `json:"before,omitempty" doc:"buyers may cancel until so many seconds before the start; 0: they may not"`
	KeepRate int  `json:"keep_rate,omitempty" doc:"of what was paid for a ticket the organizer keeps this, in basis points"`
	KeepFee  bool `json:"keep_fee,omitempty" doc:"the platform's fee is kept as well; otherwise it goes back"`
}

// Exchange are the rules of exchanging tickets for others.
type Exchange struct {
	Before int   `json:"before,omitempty" doc:"buyers may exchange until so many seconds before the start; 0: they may not"`
	Fee    int64 `json:"fee,omitempty" doc:"what the organizer keeps for each ticket, in minor units; never more than was paid for it"`
}

// Transfer are the rules of giving tickets to other people. No money passes with that: who
// has one cannot ask for more than it cost, since they cannot ask for anything.
type Transfer struct {
	Before int `json:"before,omitempty" doc:"tickets may be given to others until so many seconds before the start; 0: they may not"`
	Times  int `json:"times,omitempty" doc:"so often a ticket may change hands, up to 100; 0: as often as its holders like"`
	Days   int `json:"days,omitempty" doc:"so many days, up to 60, who is asked may take to accept; 0: 7"`
}

// Names are the rules of the names that tickets bear. Changing one costs nothing.
type Names struct {
	On     bool `json:"on,omitempty" doc:"tickets bear the names of their holders"`
	Before int  `json:"before,omitempty" doc:"a name may be changed until so many seconds before the start; 0: once it was said it stays, but for another holder"`
}

const (
	whole     = 10_000 // all of an amount, in basis points
	maxBefore = 5 * 366 * 24 * 60 * 60
	maxTimes  = 100
	maxDays   = 60
	someDays  = 7 // to accept a ticket, where nothing is said
)

// MaxAmount bounds fixed fees, as it bounds prices.
const MaxAmount = 1_000_000_000_000

// ErrInvalid refuses a tariff.
var ErrInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "tariff-invalid",
	Detail: "Rates are basis points from 0 to 10000, fee_fixed and exchange.fee lie between 0 and 1000000000000, and refund.before, exchange.before, transfer.before and names.before between 0 and five years, in seconds; transfer.times is 100 at most and transfer.days 60."}

// ErrOverflow refuses amounts that cannot be added up.
var ErrOverflow = &ropeline.Error{Kind: ropeline.Invalid, Code: "amount-too-large", Detail: "These amounts are too large to be added up."}

// Validate says what is wrong with a tariff.
func (t Tariff) Validate() error {
	rate := func(r int) bool { return r >= 0 && r <= whole }
	fixed := func(a int64) bool { return a >= 0 && a <= MaxAmount }
	before := func(s int) bool { return s >= 0 && s <= maxBefore }
	if !rate(t.FeeRate) || !rate(t.TaxRate) || !rate(t.Refund.KeepRate) || !fixed(t.FeeFixed) || !fixed(t.Exchange.Fee) ||
		!before(t.Refund.Before) || !before(t.Exchange.Before) || !before(t.Transfer.Before) || !before(t.Names.Before) ||
		t.Transfer.Times < 0 || t.Transfer.Times > maxTimes || t.Transfer.Days < 0 || t.Transfer.Days > maxDays {
		return ErrInvalid
	}
	return nil
}

// Closes is when buyers may not cancel any more; zero if they never may.
func (t Tariff) Closes(starts time.Time) time.Time { return closes(t.Refund.Before, starts) }

// ExchangeCloses is when buyers may not exchange any more; zero if they never may.
func (t Tariff) ExchangeCloses(starts time.Time) time.Time { return closes(t.Exchange.Before, starts) }

// TransferCloses is when tickets may not be given to others any more; zero if they never may.
func (t Tariff) TransferCloses(starts time.Time) time.Time { return closes(t.Transfer.Before, starts) }

// NamesClose is when a name may not be changed any more; zero if it never may.
func (t Tariff) NamesClose(starts time.Time) time.Time { return closes(t.Names.Before, starts) }

// Patience is how long who is asked may take to accept a ticket.
func (x Transfer) Patience() time.Duration {
	return time.Duration(cmp.Or(x.Days, someDays)) * 24 * time.Hour
}

func closes(before int, starts time.Time) time.Time {
	if before == 0 {
		return time.Time{}
	}
	return starts.Add(-time.Duration(before) * time.Second)
}

// Fee is the platform's part of what an order costs.
func (t Tariff) Fee(total int64) int64 {
	fee := rounded(total, int64(t.FeeRate), whole)
	if fee > total-t.FeeFixed {
		return total
	}
	return fee + t.FeeFixed
}

// Tax is the tax in an amount that includes it.
func (t Tariff) Tax(amount int64) int64 {
	return rounded(amount, int64(t.TaxRate), whole+int64(t.TaxRate))
}

// Part is what belongs to one ticket of an order.
type Part struct {
	Paid int64 // its part of what the order cost
	Fee  int64 // of that, the platform's
	Tax  int64 // of that, included tax
}

// Split says what of an order belongs to each of its tickets, whose prices are
// given in their order. Paid adds up to total, Fee to fee, and no ticket has more
// fee than was paid for it.
func (t Tariff) Split(total, fee int64, prices []int64) ([]Part, error) {
	paid, err := share(total, prices)
	if err != nil {
		return nil, err
	}
	fees, err := share(fee, paid)
	if err != nil {
		return nil, err
	}
	parts := make([]Part, len(prices))
	for i := range parts {
		parts[i] = Part{Paid: paid[i], Fee: fees[i], Tax: t.Tax(paid[i])}
	}
	return parts, nil
}

// Back is what canceling a ticket comes to: Refund + Kept is what was paid.
type Back struct {
	Refund int64 // to the buyer
	Kept   int64
	Fee    int64 // to the organizer, from the platform
}

// Cancel applies the rules to a ticket.
func (r Refund) Cancel(p Part) Back {
	if r.KeepFee {
		kept := p.Fee + rounded(p.Paid-p.Fee, int64(r.KeepRate), whole)
		return Back{Refund: p.Paid - kept, Kept: kept}
	}
	kept := rounded(p.Paid, int64(r.KeepRate), whole)
	return Back{Refund: p.Paid - kept, Kept: kept, Fee: p.Fee}
}

// Swap applies the rules to a ticket that is exchanged: Refund is what it is worth
// for another one. The platform's fee is that of the new one, so this one's goes
// back.
func (x Exchange) Swap(p Part) Back {
	kept := min(x.Fee, p.Paid)
	return Back{Refund: p.Paid - kept, Kept: kept, Fee: p.Fee}
}

// Sum adds amounts up, none of which may be negative.
func Sum(amounts ...int64) (int64, error) {
	var sum int64
	for _, a := range amounts {
		if a < 0 || a > math.MaxInt64-sum {
			return 0, ErrOverflow
		}
		sum += a
	}
	return sum, nil
}

// share splits a total by weights. It is not more than they are in all, or they
// are all nothing.
func share(total int64, weights []int64) ([]int64, error) {
	all, err := Sum(weights...)
	if err != nil {
		return nil, err
	}
	if total < 0 || total > all {
		return nil, ErrOverflow
	}
	shares := make([]int64, len(weights))
	var weight, given int64
	for i, w := range weights {
		weight += w
		if all == 0 {
			break
		}
		hi, lo := bits.Mul64(uint64(total), uint64(weight))
		until, _ := bits.Div64(hi, lo, uint64(all)) // at most total
		shares[i] = int64(until) - given
		given = int64(until)
	}
	return shares, nil
}

// rounded is amount*num/den, to the nearest, a half up. num is not more than den.
func rounded(amount, num, den int64) int64 {
	hi, lo := bits.Mul64(uint64(amount), uint64(num))
	quo, rem := bits.Div64(hi, lo, uint64(den))
	if rem >= uint64(den)-rem {
		quo++
	}
	return int64(quo)
}
