package catalogue

import (
	"fmt"
	"math"
	"strconv"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/venue"
)

// chart makes the map of a new performance from its venue's: units, tiers and rows
// are those of the venue's layout, and categories get their prices.
func chart(v venue.Map, prices map[string]booking.Money) (*Map, error) {
	id, err := booking.NewID()
	if err != nil {
		return nil, err
	}
	layout := v.Layout()
	m := &Map{ID: ropeline.PerformanceID(id), Venue: v.Name, Units: layout.Units}
	for _, t := range layout.Tiers {
		if id, err = booking.NewID(); err != nil {
			return nil, err
		}
		price, ok := prices[t.Category]
		if !ok {
			return nil, fmt.Errorf("category %q of %s has no price", t.Category, v.Name)
		}
		kind := Seated
		if t.General {
			kind = General
		}
		m.Tiers = append(m.Tiers, Tier{ID: id, Name: t.Name, Kind: kind, Price: price, First: t.First, Count: t.Count})
	}
	for _, r := range layout.Runs {
		m.Rows = append(m.Rows, rowOf(r, m.Tiers[r.Tier].ID))
	}
	return m, nil
}

// straight is how far a seat may be beside the line of its row, in seat widths, for
// the row to be told as a line.
const straight = 1e-6

func rowOf(run venue.Run, tier string) Row {
	n := len(run.Seats)
	first, last := run.Seats[0], run.Seats[n-1]
	r := Row{Section: run.Section, Name: run.Row, Tier: tier, First: run.First, Count: n, X: first.X, Y: first.Y, rank: run.Rank}
	if n > 1 {
		r.DX, r.DY = (last.X-first.X)/float64(n-1), (last.Y-first.Y)/float64(n-1)
	}
	names, places, named, bent := make([]string, n), make([]float64, 0, 2*n), false, false
	for i, seat := range run.Seats {
		names[i], places = seat.Name, append(places, seat.X, seat.Y)
		named = named || seat.Name != strconv.Itoa(i+1)
		bent = bent || math.Abs(r.X+float64(i)*r.DX-seat.X) > straight || math.Abs(r.Y+float64(i)*r.DY-seat.Y) > straight
		for _, mark := range []struct {
			has bool
			in  *[]int
		}{{seat.Accessible, &r.Accessible}, {seat.Companion, &r.Companion}, {seat.Restricted, &r.Restricted}} {
			if mark.has {
				*mark.in = append(*mark.in, i)
			}
		}
	}
	if named {
		r.Seats = names
	}
	if bent { // a step of it, by which pages size their seats: a row may end where it begins
		r.Places, r.DX, r.DY = places, run.Seats[1].X-first.X, run.Seats[1].Y-first.Y
	}
	return r
}
