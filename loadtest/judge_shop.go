package loadtest

import (
	"cmp"
	"fmt"
	"slices"
)

// Books is what Postgres holds of the sale at the end, read by the audit.
type Books struct {
	Orders  []BookOrder
	Tickets int          // living ones, of any order
	Twice   []SoldTwice  // units with more than one living ticket
	Orphans []string     // living tickets without a living order
	Strays  []StrayMoney // captured payments without a paid order
	Open    int          // attempts that were not settled when the audit gave up waiting
}

// BookOrder is an order with what belongs to it.
type BookOrder struct {
	ID, Session, State, Currency, Key string
	Amount                            int64
	Units                             []int // of its valid tickets, ascending
	Captures                          int   // captured payments of its attempt
	Captured                          int64 // their sum in the order's currency
}

// SoldTwice is a unit with more than one living ticket.
type SoldTwice struct {
	Performance string
	Unit, Times int
}

// StrayMoney is a captured payment that no paid order explains.
type StrayMoney struct {
	Payment, Attempt string
	Amount           int64
}

// Inventory is the answer of `ropeline check inventory`.
type Inventory struct {
	Agrees bool
	Units  int // compared
	Detail []string
}

const noAudit = "Postgres was not audited"

// judgeUnits asks Postgres by query, and compares what the fans hold in hand:
// two of them must not have a ticket for the same unit.
func judgeUnits(e Evidence) finding {
	if e.Books == nil {
		return unjudged(noAudit)
	}
	f := finding{facts: e.Books.Tickets}
	for _, t := range e.Books.Twice {
		f.breach("unit %d of performance %s has %d living tickets", t.Unit, t.Performance, t.Times)
	}
	owner := map[int]int{}
	for _, h := range e.Fans {
		for _, a := range h.Attempts {
			if a.Outcome != Confirmed {
				continue
			}
			for _, u := range a.Units {
				if other, twice := owner[u]; twice {
					f.breach("unit %d was confirmed to fan %d and to fan %d", u, other, h.Fan)
				}
				owner[u] = h.Fan
			}
		}
	}
	return f
}

func judgeConfirmed(e Evidence) finding {
	if e.Books == nil {
		return unjudged(noAudit)
	}
	byID := map[string]BookOrder{}
	for _, o := range e.Books.Orders {
		byID[o.ID] = o
	}
	var f finding
	for _, h := range e.Fans {
		for _, a := range h.Attempts {
			if a.Outcome != Confirmed {
				continue
			}
			f.facts++
			id := a.Orders[0]
			if why := mismatch(a, byID[id]); why != "" {
				f.breach("fan %d's order %s: %s", h.Fan, id, why)
			}
		}
	}
	return f
}

// mismatch says how an order in the books differs from what its fan was told.
func mismatch(a Attempt, o BookOrder) string {
	units := slices.Sorted(slices.Values(a.Units))
	switch {
	case o.ID == "":
		return "it is not in Postgres"
	case o.State != "paid":
		return "it is " + o.State
	case !slices.Equal(units, o.Units):
		return fmt.Sprintf("valid tickets for units %v, confirmed were %v", o.Units, units)
	case o.Amount != a.Amount || o.Currency != a.Currency:
		return fmt.Sprintf("%d %s, confirmed were %d %s", o.Amount, o.Currency, a.Amount, a.Currency)
	case o.Captures != 1 || o.Captured != o.Amount:
		return fmt.Sprintf("%d captured payments of %d in all, for an amount of %d", o.Captures, o.Captured, o.Amount)
	}
	return ""
}

// judgeAccounted is the reverse: what is in the books was asked for by a fan
// who does not know better than that it may exist.
func judgeAccounted(e Evidence) finding {
	if e.Books == nil {
		return unjudged(noAudit)
	}
	asked := map[string]Attempt{}
	for _, h := range e.Fans {
		for _, a := range h.Attempts {
			asked[a.Session+" "+a.Key] = a
		}
	}
	var f finding
	for _, o := range e.Books.Orders {
		f.facts++
		a, known := asked[o.Session+" "+o.Key]
		switch {
		case o.State == "canceled":
		case !known:
			f.breach("order %s (%s): no fan of session %s asked with key %s", o.ID, o.State, o.Session, o.Key)
		case a.Outcome == Refused:
			f.breach("order %s (%s): its fan was told that it was refused: %s", o.ID, o.State, cmp.Or(a.Told, "by an answer that was not kept"))
		case a.Outcome == Confirmed && a.Orders[0] != o.ID:
			f.breach("order %s: its fan was told that it is order %s", o.ID, a.Orders[0])
		case o.State != "paid":
			f.breach("order %s is still %s", o.ID, o.State)
		case o.Captures != 1 || o.Captured != o.Amount:
			f.breach("order %s: %d captured payments of %d in all, for an amount of %d", o.ID, o.Captures, o.Captured, o.Amount)
		}
	}
	for _, s := range e.Books.Strays {
		f.breach("payment %s of attempt %s: %d captured and no paid order", s.Payment, s.Attempt, s.Amount)
	}
	if e.Books.Open > 0 {
		f.breach("%d attempts to pay were never settled", e.Books.Open)
	}
	return f
}

func judgeTickets(e Evidence) finding {
	if e.Books == nil {
		return unjudged(noAudit)
	}
	f := finding{facts: e.Books.Tickets}
	for _, t := range e.Books.Orphans {
		f.breach("ticket %s", t)
	}
	return f
}

// judgeHolds looks at the shelf after every hold must have run out: a unit
// that is taken and not sold was lost, unless it may still be with its fan after
// a payment that failed. The facts are the units of holds that were let go; a
// unit lost otherwise is a breach too.
func judgeHolds(e Evidence) finding {
	if e.Shelf == nil {
		return unjudged("nobody looked at the availability after the holds had run out")
	}
	var f finding
	last := lastHolds(e.Fans)
	due := returns(len(e.Shelf.Taken), e.Fans, e.HoldsOver)
	early := map[int]bool{}
	for u, taken := range e.Shelf.Taken {
		switch {
		case !taken || e.Shelf.Sold[u]:
		case e.Shelf.At <= due[u]:
			early[u] = true
		default:
			f.breach("unit %d is neither sold nor on sale; %s", u, last[u])
		}
	}
	for _, h := range e.Fans {
		for _, hold := range h.Holds {
			for _, u := range hold.Units {
				if !h.bought(hold) && !early[u] {
					f.facts++
				}
			}
		}
	}
	if len(early) > 0 {
		f.seen = fmt.Sprintf("%d units are not due yet, their fans' payments failed", len(early))
	}
	return f
}

func judgeInventory(e Evidence) finding {
	if e.Stock == nil {
		return unjudged("the inventory check was not run")
	}
	f := finding{facts: e.Stock.Units}
	if !e.Stock.Agrees {
		f.breach("the inventories differ")
		for _, d := range e.Stock.Detail {
			f.breach("%s", d)
		}
	}
	return f
}

// judgeRepeats looks at attempts that were confirmed more than once.
func judgeRepeats(e Evidence) finding {
	var f finding
	for _, h := range e.Fans {
		for _, a := range h.Attempts {
			if len(a.Orders) < 2 {
				continue
			}
			f.facts++
			for _, id := range a.Orders[1:] {
				if id != a.Orders[0] {
					f.breach("fan %d repeated key %s and got order %s after order %s", h.Fan, a.Key, id, a.Orders[0])
				}
			}
		}
	}
	return f
}
