// Package odds says how likely it is that something is left when somebody's
// turn comes: what can still be sold against those who come before.
//
// The one hard idea is that the chance only falls with the position. So a sale
// has, for each tier, two positions at which the word for it changes; everybody
// who waits is told by comparing their own with them, and nothing is computed a
// fan.
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

// Chance is how likely it is that a unit can be had, in a word.
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

// Chances are those of one fan.
type Chances struct {
	Chance Chance   // to get anything
	Tiers  []Chance // of each tier, in the order of the stock
}

// Equal reports whether both say the same.
func (c *Chances) Equal(other *Chances) bool {
	if c == nil || other == nil || c == other {
		return c == other
	}
	return c.Chance == other.Chance && slices.Equal(c.Tiers, other.Tiers)
}

// Ahead is who comes before the first in line.
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

// New makes the table of a stock. UnitsPerHold is the most that one buyer takes.
func New(stock ropeline.Stock, ahead Ahead, unitsPerHold int) *Table {
	all := total(stock)
	reaches := append([]reach{reachOf(all, 1, stock, ahead, unitsPerHold)}, tierReaches(stock, ahead, unitsPerHold)...)
	t := &Table{from: []int64{0}}
	for i, r := range reaches {
		if i > 0 { // when everything is gone, so is each tier
			reaches[i].good, reaches[i].even = min(r.good, reaches[0].good), min(r.even, reaches[0].even)
		}
		t.from = append(t.from, reaches[i].good, reaches[i].even)
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

func total(stock ropeline.Stock) ropeline.TierStock {
	var all ropeline.TierStock
	for _, t := range stock.Tiers {
		all.Units, all.Free, all.Held, all.Sold = all.Units+t.Units, all.Free+t.Free, all.Held+t.Held, all.Sold+t.Sold
		all.Together = max(all.Together, t.Together)
	}
	if slices.ContainsFunc(stock.Tiers, func(t ropeline.TierStock) bool { return t.Free > 0 && t.Together == 0 }) {
		all.Together = 0 // of one there is no such bound
	}
	return all
}

// tierReaches divides the demand among the tiers that have something left as it
// went so far. A twentieth of each tier's size keeps one that nobody has asked
// for yet from looking safe.
func tierReaches(stock ropeline.Stock, ahead Ahead, unitsPerHold int) []reach {
	weights, sum := make([]float64, len(stock.Tiers)), 0.0
	for i, t := range stock.Tiers {
		if t.Free+t.Held > 0 {
			weights[i] = float64(t.Sold+t.Held) + float64(t.Units)/20
			sum += weights[i]
		}
	}
	reaches := make([]reach, len(stock.Tiers))
	for i, t := range stock.Tiers {
		reaches[i] = reachOf(t, weights[i]/math.Max(sum, 1e-9), stock, ahead, unitsPerHold)
	}
	return reaches
}

// Before anything was measured, what people buy lies between these: nearly all
// buy as much as they may, and three of ten buy one.
var leastConversion, leastBasket = 0.3, 1.0

func reachOf(t ropeline.TierStock, share float64, stock ropeline.Stock, ahead Ahead, unitsPerHold int) reach {
	switch {
	case t.Free+t.Held == 0:
		return reach{none: SoldOut}
	case t.Free == 0:
		return reach{none: Returns}
	}
	d := demand{tier: t, share: share, ahead: ahead, conversion: stock.Conversion, basket: stock.Basket}
	if stock.Conversion > 0 && stock.Basket > 0 {
		r := reach{good: d.last(goodFrom), even: d.last(evenFrom), known: true}
		if apart := d; t.Together > 0 && float64(t.Together) < d.basket {
			apart.basket = float64(t.Together)
			r.even = max(r.even, apart.last(evenFrom))
		}
		return r
	}
	most, least := d, d
	most.conversion, most.basket = 1, float64(max(unitsPerHold, 1))
	least.conversion, least.basket = leastConversion, leastBasket
	return reach{good: most.last(goodFrom), even: least.last(evenFrom)}
}

// demand is what is wanted of a tier by those ahead.
type demand struct {
	tier       ropeline.TierStock
	share      float64 // of those who buy want this tier
	ahead      Ahead
	conversion float64 // of those who come in buy
	basket     float64 // units
}

// heldSold is how much of what is held gets sold, at least: whoever has chosen
// seats mostly takes them. doubt is how far, relatively, what was measured may be
// from what comes.
const (
	heldSold = 0.8
	doubt    = 0.1
)

// chance is how likely it is that at least one unit is left after so many of the
// line: those inside and each of the line buy a basket with the same probability,
// so what they take together is near a normal distribution.
func (d demand) chance(position int64) float64 {
	each, inside, line := d.conversion*d.share, float64(d.ahead.Inside), float64(d.ahead.First+position)
	if d.ahead.Shows > 0 {
		line *= d.ahead.Shows
	}
	spread := d.basket * (d.basket - 1) / 2 // of baskets: between all alike and geometric
	within := math.Max(inside*each*d.basket, heldSold*float64(d.tier.Held))
	taken := within + line*each*d.basket
	variance := (inside+line)*(each*(spread+d.basket*d.basket)-each*each*d.basket*d.basket) + doubt*doubt*taken*taken
	left := float64(d.tier.Free+d.tier.Held) - 0.5 - taken
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
func (d demand) last(chance float64) int64 {
	return int64(sort.Search(positionsMost, func(n int) bool { return d.chance(int64(n)) < chance }))
}
