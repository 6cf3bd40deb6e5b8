package stock

import (
	"math"

	"github.com/ropeline/ropeline"
)

// Measured is what is known of a sale at one moment.
type Measured struct {
	Free, Held int64   // units
	Basket     float64 // units a buyer takes; 0 not known yet
	Conversion float64 // share of the sessions that buy; 0 not known yet
	Return     float64 // share of the held units that come back; negative: not known yet
	Turnover   float64 // share of the holds that end before whoever is offered now could choose
}

const (
	// spare is how many more people are let in than should be enough: what was
	// measured is an average, and a unit that nobody sees stays unsold.
	spare = 1.25
	// The share of sessions that buy is taken as no less and, as long as it is not
	// known, as this: a shop in which one of ten buys is let fill no further.
	leastConversion, likelyConversion = 0.1, 0.5
	// likelyReturn is the share of the held units that come back as long as it is
	// not known.
	likelyReturn = 0.25
)

// Supports is how many people without a basket there is something for. It is 0
// while nothing can be sold, and at least 1 while a unit is free. Held units count
// as far as they come back before a newcomer has chosen: those of later
// are offered to somebody when they do.
func Supports(m Measured) int64 {
	if m.Free <= 0 {
		return 0
	}
	basket := within(m.Basket, 1, 1, ropeline.MaxUnitsPerHold)
	conversion := within(m.Conversion, likelyConversion, leastConversion, 1)
	back := likelyReturn
	if m.Return >= 0 {
		back = min(m.Return, 1)
	}
	soon := float64(max(0, m.Held)) * back * within(m.Turnover, 0, 0, 1)
	return int64(math.Ceil(spare * (float64(m.Free) + soon) / (basket * conversion)))
}

// within is a measured value between its bounds, or the likely one if there is
// none.
func within(value, likely, least, most float64) float64 {
	if !(value > 0) { // NaN, too
		return likely
	}
	return min(max(value, least), most)
}
