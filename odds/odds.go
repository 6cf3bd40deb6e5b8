// Package odds says how likely it is that something is left when somebody's
// turn comes: what can still be sold against those who come before.
//
// The one hard idea is that the chance only falls with the position. So a sale
// has, for each tier, two positions at which the word for it changes; everybody
// who waits is told by comparing their own with them, and nothing is computed a
// fan. Friends who share a place want a unit each: for each size of a party there
// is a table of its own.
//
// It is an estimate and is said in words, which promise nothing: that somebody
// else's basket is like the ones before is all that is known of it. At the end of
// a show with seats not even that is: what is left are single seats here and there,
// and whoever wants more side by side takes one, some apart, or none. Then a chance
// is good if it is with baskets as before, slim if it is with baskets of what is
// left side by side, and even in between.
package odds

import (
	"math"
	"slices"
	"sort"

	"github.com/ropeline/ropeline"
)

// Chance is how likely it is that units can be had, in a word.
type Chance string

// The chances. The load test compares them with what came of it.
const (
	Good    Chance = "good"     // three times of four, or more often
	Even    Chance = "even"     // about as often as not
	Slim    Chance = "slim"     // less often than once in three times
	Returns Chance = "returns"  // none is left now; those in holds and payments may come back
	SoldOut Chance = "sold-out" // none is left, and none is held
	Unknown Chance = ""         // too little is known of what people buy
)

// From these on a chance is good, or even.
const (
	goodFrom = 0.75
	evenFrom = 0.35
)

// Chances are those of one place: that there is a unit for each who shares it.
type Chances struct {
	Chance Chance   // of any tier; for several people, of one performance
	Tiers  []Chance // of each tier, in the order of the stock
}

// Equal reports whether both say the same.
func (c *Chances) Equal(other *Chances) bool {
	if c == nil || other == nil || c == other {
		return c == other
	}
	return c.Chance == other.Chance && slices.Equal(c.Tiers, other.Tiers)
}

// Ahead is who comes before the first in line. Places are counted, as everywhere
// here: friends who share one have one basket.
type Ahead struct {
	Inside int64 // who is in, or has been offered a turn
	First  int64 // who goes before everybody in line
	// Shows is the share of those offered a turn who take it; 0 counts as all.
	Shows float64
}

// Table holds the chances of everybody in a line at one moment.
type Table struct {
	from    []int64 // positions at which something changes, rising
	chances []*Chances
}

// New makes the table of a stock for places that so many people share.
// UnitsPerHold is the most that one buyer takes.
func New(stock ropeline.Stock, ahead Ahead, unitsPerHold, people int) *Table {
	d := demand{need: int64(max(people, 1)), ahead: ahead, conversion: stock.Conversion, basket: stock.Basket, most: max(unitsPerHold, 1)}
	shares := sharesOf(stock.Tiers)
	reaches := []reach{d.overall(stock.Tiers, shares)}
	for i, t := range stock.Tiers { // when everything is gone, so is each tier
		reaches = append(reaches, d.reach(t, shares[i]).within(reaches[0]))
	}
	t := &Table{from: []int64{0}}
	for _, r := range reaches {
		t.from = append(t.from, r.good, r.even)
	}
	slices.Sort(t.from)
	t.from = slices.Compact(t.from)
	for _, position := range t.from {
		c := &Chances{Chance: reaches[0].at(position)}
		for _, r := range reaches[1:] {
			c.Tiers = append(c.Tiers, r.at(position))
		}
		t.chances = append(t.chances, c)
	}
	return t
}

// At returns the chances of whoever has so many ahead. They are shared.
func (t *Table) At(position int64) *Chances {
	i := sort.Search(len(t.from), func(i int) bool { return t.from[i] > position }) - 1
	return t.chances[max(i, 0)]
}

// All are the chances that At returns.
func (t *Table) All() []*Chances { return t.chances }

// InLobby returns the chances of somebody whose place among so many is not drawn
// yet: those of the middle, for better and worse are as likely.
func (t *Table) InLobby(entrants int64) *Chances { return t.At(entrants / 2) }

// reach is how far down the line a chance goes.
type reach struct {
	good, even int64 // positions below them have it
	known      bool  // else what is between them is not
	none       Chance
}

func (r reach) at(position int64) Chance {
	switch {
	case r.none != "":
		return r.none
	case position < r.good:
		return Good
	case position >= r.even:
		return Slim
	case r.known:
		return Even
	}
	return Unknown
}

// within is a reach that goes no further than another one.
func (r reach) within(other reach) reach {
	r.good, r.even = min(r.good, other.good), min(r.even, other.even)
	return r
}

func total(tiers []ropeline.TierStock) ropeline.TierStock {
	var all ropeline.TierStock
	for _, t := range tiers {
		all.Units, all.Free, all.Held, all.Sold = all.Units+t.Units, all.Free+t.Free, all.Held+t.Held, all.Sold+t.Sold
		all.Later, all.Together = all.Later+t.Later, max(all.Together, t.Together)
	}
	if slices.ContainsFunc(tiers, func(t ropeline.TierStock) bool { return t.Free > 0 && t.Together == 0 }) {
		all.Together = 0 // of one there is no such bound
	}
	return all
}

// sharesOf divides the demand among the tiers that have something left as it
// went so far. A twentieth of each tier's size keeps one that nobody has asked
// for yet from looking safe.
func sharesOf(tiers []ropeline.TierStock) []float64 {
	shares, sum := make([]float64, len(tiers)), 0.0
	for i, t := range tiers {
		if t.Free+t.Held > 0 {
			shares[i] = float64(t.Sold+t.Held) + float64(t.Units)/20
			sum += shares[i]
		}
	}
	for i := range shares {
		shares[i] /= math.Max(sum, 1e-9)
	}
	return shares
}

// demand is what those ahead want, and what the place needs that is told of it.
type demand struct {
	need       int64 // units
	ahead      Ahead
	conversion float64 // of those who come in buy; 0 not known
	basket     float64 // units; 0 not known
	most       int     // that a basket may have
}

// overall is the reach of everything. Several people want to be at the same
// performance: for them it is that of the best one.
func (d demand) overall(tiers []ropeline.TierStock, shares []float64) reach {
	all := d.reach(total(tiers), 1)
	if d.need == 1 {
		return all
	}
	var best reach
	byShow := map[ropeline.PerformanceID][]ropeline.TierStock{}
	wanted := map[ropeline.PerformanceID]float64{}
	for i, t := range tiers {
		byShow[t.Performance] = append(byShow[t.Performance], t)
		wanted[t.Performance] += shares[i]
	}
	if len(byShow) == 1 {
		return all
	}
	for show, of := range byShow {
		r := d.reach(total(of), wanted[show])
		best.good, best.even = max(best.good, r.good), max(best.even, r.even)
	}
	return all.within(best)
}

// Before anything was measured, what people buy lies between these: nearly all
// buy as much as they may, and three of ten buy one.
var leastConversion, leastBasket = 0.3, 1.0

// reach is that of a stock that so much of the demand is for.
func (d demand) reach(t ropeline.TierStock, share float64) reach {
	switch {
	case t.Free+t.Held+t.Later == 0:
		return reach{none: SoldOut}
	case t.Free == 0:
		return reach{none: Returns}
	case d.conversion > 0 && d.basket > 0:
		r := reach{good: d.last(t, share, goodFrom), even: d.last(t, share, evenFrom), known: true}
		if apart := d; t.Together > 0 && float64(t.Together) < d.basket {
			apart.basket = float64(t.Together)
			r.even = max(r.even, apart.last(t, share, evenFrom))
		}
		return r
	}
	most, least := d, d
	most.conversion, most.basket = 1, float64(d.most)
	least.conversion, least.basket = leastConversion, leastBasket
	return reach{good: most.last(t, share, goodFrom), even: least.last(t, share, evenFrom)}
}

// heldSold is how much of what is held gets sold, at least: whoever has chosen
// seats mostly takes them. doubt is how far, relatively, what was measured may be
// from what comes.
const (
	heldSold = 0.8
	doubt    = 0.1
)

// chance is how likely it is that what is needed is left of a stock after so many
// of the line: those inside and each of the line buy a basket with the same
// probability, so what they take together is near a normal distribution.
func (d demand) chance(t ropeline.TierStock, share float64, position int64) float64 {
	if t.Free+t.Held < d.need {
		return 0 // a distribution that is only near would leave some
	}
	each, inside, line := d.conversion*share, float64(d.ahead.Inside), float64(d.ahead.First+position)
	if d.ahead.Shows > 0 {
		line *= d.ahead.Shows
	}
	spread := d.basket * (d.basket - 1) / 2 // of baskets: between all alike and geometric
	within := math.Max(inside*each*d.basket, heldSold*float64(t.Held))
	taken := within + line*each*d.basket
	variance := (inside+line)*(each*(spread+d.basket*d.basket)-each*each*d.basket*d.basket) + doubt*doubt*taken*taken
	left := float64(t.Free+t.Held-d.need) + 0.5 - taken
	if variance <= 0 {
		if left > 0 {
			return 1
		}
		return 0
	}
	return math.Erfc(-left/math.Sqrt(2*variance)) / 2
}

// positionsMost is beyond every line.
const positionsMost = 1 << 30

// last returns how many positions, from the first, have at least this chance. It
// is taken to fall: where the spread of a long line outweighs how much it takes,
// the chance may only look better, by little.
func (d demand) last(t ropeline.TierStock, share, chance float64) int64 {
	return int64(sort.Search(positionsMost, func(n int) bool { return d.chance(t, share, int64(n)) < chance }))
}
