package loadtest

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

const (
	// paymentGrace is how long a fan keeps a hold after a payment that failed,
	// however little of the hold was left: time to find another card.
	paymentGrace = 2 * time.Minute
	// settling is how long a payment may stay open that nobody works on any
	// more: the settler takes those that have not moved for 30 s.
	settling = time.Minute
	// noticing is how long it may take until a unit that is due is seen on sale
	// on a busy machine: the sweeper comes by every 250 ms.
	noticing = 10 * time.Second
)

// returns says of every unit when it must be on sale again at the latest,
// unless it is sold. Only the last known hold of a unit counts. By over, holds
// have run out that no fan knows of, because the answer was lost.
func returns(units int, fans []History, over Moment) []Moment {
	due := make([]Moment, units)
	last := lastHolds(fans)
	for u := range due {
		due[u] = max(over, last[u].due) + noticing
	}
	return due
}

// letGo is the last hold of a unit that a fan knows of.
type letGo struct {
	Hold
	fan int
	due Moment
}

func (l letGo) String() string {
	if l.ID == "" {
		return "no fan knows of a hold of it"
	}
	return fmt.Sprintf("it was in hold %s of fan %d, %s, and due at %v", l.ID, l.fan, l.Fate, l.due)
}

// lastHolds finds the last hold of every unit.
func lastHolds(fans []History) map[int]letGo {
	last := map[int]letGo{}
	for _, h := range fans {
		for _, hold := range h.Holds {
			for _, u := range hold.Units {
				if l, known := last[u]; !known || l.Granted < hold.Granted {
					last[u] = letGo{hold, h.Fan, h.due(hold)}
				}
			}
		}
	}
	return last
}

// due is when a hold must have ended: when it was given back, when it ran out,
// or when its fan's time after the last payment was over. Of a payment that
// the fan knows nothing of, that time begins when it is settled.
func (h *History) due(hold Hold) Moment {
	if hold.Released != 0 {
		return hold.Released
	}
	end := hold.Expires
	for _, a := range h.Attempts {
		switch {
		case a.Hold != hold.ID:
		case a.Outcome == Refused:
			end = max(end, a.Last+paymentGrace)
		case a.Outcome == Confirmed: // sold; the settler may have to say so
			end = max(end, a.Last+settling)
		default:
			end = max(end, a.Last+settling+paymentGrace)
		}
	}
	return end
}

// bought reports whether the fan paid for the hold.
func (h *History) bought(hold Hold) bool {
	for _, a := range h.Attempts {
		if a.Hold == hold.ID && a.Outcome == Confirmed {
			return true
		}
	}
	return false
}

// watchShelf looks at the availability until every unit is free or sold, or
// those that are not are overdue, or it is late enough. It returns what it saw
// last.
func watchShelf(ctx context.Context, c *client, plan *seating, due []Moment, enough Moment) (*Shelf, error) {
	for {
		a := c.do(ctx, request{method: http.MethodGet, path: "/api/v1/performances/" + plan.ID + "/availability"})
		var now availability
		if a.ok() {
			if err := a.decode(&now); err != nil {
				return nil, err
			}
			shelf, err := now.shelf(plan.units())
			if err != nil {
				return nil, err
			}
			shelf.At = a.Sent - viewAge
			if shelf.settled(due) || shelf.At > enough {
				return shelf, nil
			}
		} else if c.clock.since() > enough {
			return nil, fmt.Errorf("looking at the availability: status %d", a.Status)
		}
		if !sleep(ctx, 500*time.Millisecond) {
			return nil, ctx.Err()
		}
	}
}

// viewAge is how old what any visitor is shown may be.
const viewAge = Moment(time.Second)

// settled reports whether every unit is free, sold or overdue.
func (s *Shelf) settled(due []Moment) bool {
	for u, taken := range s.Taken {
		if taken && !s.Sold[u] && s.At <= due[u] {
			return false
		}
	}
	return true
}
