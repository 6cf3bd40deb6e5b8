// Package readiness says whether a sale is ready to be opened: what is well, what is
// worth a second look, and what would go wrong. It is a law of facts, which others
// gather: it reads nothing, and what it says can be tried without a sale.
package readiness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
)

// State is how one thing stands.
type State string

// The states of an item, from good to bad.
const (
	OK   State = "ok"
	Warn State = "warn" // it may be meant so
	Stop State = "stop" // the sale would go wrong
)

// Item is a line of the checklist.
type Item struct {
	Name   string `json:"name" enum:"clock,keys,paths,payment,crowd,pace,times,stock,terms,codes,published"`
	State  State  `json:"state" enum:"ok,warn,stop"`
	Reason string `json:"reason" doc:"what was found"`
	Do     string `json:"do,omitempty" doc:"what to do about it; left out where nothing is to be done"`
}

// Facts are what the checklist is made of.
type Facts struct {
	Now   time.Time
	Sale  ropeline.Sale
	Crowd int64 // how many people are expected; 0: nobody said

	Clocks map[string]time.Duration // how far those of others are ahead of ours
	Keys   int                      // with which admission tokens are signed, and that we trust
	Open   []string                 // routes on which something is taken, and that need no admission token

	Accounts  []string // that are paid, and take no payments now
	Sandbox   bool     // nobody pays: the provider is the sandbox
	Edges     int      // that live
	Sockets   int64    // that they carry in all
	Stock     int64    // units on sale, now or later
	FirstShow time.Time

	Terms   int             // newest version that is kept; 0: none
	Pending bool            // they would say something else now
	Codes   map[string]bool // lanes for which there are codes that are good when the sale opens

	Published int64 // version that edges know; 0: none
}

// A person who waits without a socket polls; an edge carries some twenty of them for each
// socket that it has no room for (docs/limits-of-a-node.md).
const pollers = 20

const (
	skewWorthALook = 500 * time.Millisecond
	lobbyShort     = 10 * time.Minute
	waitLong       = 3 * time.Hour
	manyForAUnit   = 20 // people for each unit
)

// Check makes the checklist: every item, in one order.
func Check(f Facts) []Item {
	return []Item{clock(f), keys(f), paths(f), payment(f), crowd(f), pace(f), times(f), stock(f), terms(f), codes(f), published(f)}
}

// Worst is how the whole stands.
func Worst(items []Item) State {
	worst := OK
	for _, i := range items {
		if i.State == Stop || i.State == Warn && worst == OK {
			worst = i.State
		}
	}
	return worst
}

func clock(f Facts) Item {
	name, most := "", time.Duration(0)
	for _, other := range sorted(f.Clocks) {
		if ahead := f.Clocks[other].Abs(); ahead >= most {
			name, most = other, ahead
		}
	}
	said := fmt.Sprintf("The clock of %s and ours are %d ms apart.", name, most.Milliseconds())
	const do = "Have all machines set their clocks by one source (NTP), and see that it runs."
	switch {
	case name == "":
		return Item{"clock", Stop, "No clock could be read.", do}
	case most > ropeline.ClockSkew:
		return Item{"clock", Stop, said + fmt.Sprintf(" Beyond %d ms a token may be refused that is good, or taken that is over.", ropeline.ClockSkew.Milliseconds()), do}
	case most > skewWorthALook:
		return Item{"clock", Warn, said, do}
	}
	return Item{Name: "clock", State: OK, Reason: said}
}

func keys(f Facts) Item {
	if f.Keys == 0 {
		return Item{"keys", Stop, "The booking core trusts no key: nobody who is let in could hold anything.", "Give it the public half of admission.key, of ropeline keygen init."}
	}
	return Item{Name: "keys", State: OK, Reason: fmt.Sprintf("The booking core trusts %s that admission tokens are signed with.", many(int64(f.Keys), "key", "keys"))}
}

func paths(f Facts) Item {
	if len(f.Open) > 0 {
		return Item{"paths", Stop, "Without an admission token one gets at " + strings.Join(f.Open, ", ") + ".", "Put them behind the gate: whoever knows their address goes past the line."}
	}
	return Item{Name: "paths", State: OK, Reason: "Whatever takes units in this shop needs an admission token. What a shop of your own behind the gate needs is said by ropeline check routes."}
}

func payment(f Facts) Item {
	switch {
	case len(f.Accounts) > 0:
		return Item{"payment", Stop, "Takes no payments now: " + strings.Join(f.Accounts, ", ") + ".", "See to it at the payment provider, then ask anew with ropeline account connect."}
	case f.Sandbox:
		return Item{"payment", Warn, "Payments go to the sandbox: nobody pays anything.", "For a sale in earnest start the core and the worker with --stripe-key."}
	}
	return Item{Name: "payment", State: OK, Reason: "Payments can be taken."}
}

func crowd(f Facts) Item {
	carried := f.Sockets * pollers
	said := fmt.Sprintf("%s: %s at once by WebSocket, about %s with those who poll.", many(int64(f.Edges), "edge lives", "edges live"), many(f.Sockets, "person", "people"), count(carried))
	switch {
	case f.Edges == 0:
		return Item{"crowd", Stop, "No edge lives: nobody could open the room.", "Start one: ropeline edge."}
	case f.Crowd == 0:
		return Item{"crowd", Warn, said, "Say how many people you expect, and this compares."}
	case f.Crowd > carried:
		return Item{"crowd", Stop, fmt.Sprintf("You expect %s. %s", count(f.Crowd), said), fmt.Sprintf("Start edges: %d of this kind in all.", (f.Crowd*int64(f.Edges)+carried-1)/max(1, carried))}
	case f.Crowd > f.Sockets:
		return Item{"crowd", Warn, fmt.Sprintf("You expect %s. %s", count(f.Crowd), said), "Those beyond see their place a few seconds later than the others. More edges, or more descriptors for each, change that."}
	case f.Edges == 1:
		return Item{"crowd", Warn, said, "If the one edge dies, everybody waits until it is back. Start a second one."}
	}
	return Item{Name: "crowd", State: OK, Reason: said}
}

// pace looks at how fast people are let in: rate and time against crowd and stock.
func pace(f Facts) Item {
	s := f.Sale
	if s.Cap == 0 || s.Rate == 0 {
		return Item{"pace", Stop, fmt.Sprintf("Cap is %d and rate is %d: nobody is let in.", s.Cap, s.Rate), "Set both above 0."}
	}
	open := s.EndsAt.Sub(s.OpensAt)
	through := int64(open.Minutes() * float64(s.Rate))
	if f.Stock > 0 && through*int64(max(1, s.UnitsPerHold)) < f.Stock {
		return Item{"pace", Stop, fmt.Sprintf("At %s a minute only %s can come in before the sale ends: too few to buy %s.", count(s.Rate), many(through, "person", "people"), many(f.Stock, "unit", "units")),
			"Raise the rate, or let the sale be open for longer."}
	}
	if f.Crowd == 0 {
		return Item{"pace", OK, fmt.Sprintf("%s a minute are let in, %s at once.", count(s.Rate), count(s.Cap)), ""}
	}
	wait := time.Duration(float64(f.Crowd) / float64(s.Rate) * float64(time.Minute)).Round(time.Minute)
	said := fmt.Sprintf("At %s a minute the last of %s waits %s.", count(s.Rate), count(f.Crowd), span(wait))
	// A turn that nobody takes keeps its slot as long as the claim window.
	if idle := s.Rate * int64(s.ClaimWindow) / 60; idle > 2*s.Cap {
		return Item{"pace", Warn, said + fmt.Sprintf(" In a claim window %s could be offered, and the cap is %s: the cap, not the rate, says how fast it goes.", count(idle), count(s.Cap)),
			"Raise the cap if the shop can bear it, or lower the rate: estimates begin with it."}
	}
	switch {
	case wait > open:
		return Item{"pace", Stop, said + " The sale is over before.", "Raise the rate, or let the sale be open for longer."}
	case wait > waitLong:
		return Item{"pace", Warn, said, "Raise the rate if the shop can bear it."}
	}
	return Item{Name: "pace", State: OK, Reason: said}
}

func times(f Facts) Item {
	s := f.Sale
	switch {
	case !f.Now.Before(s.EndsAt):
		return Item{"times", Stop, "The sale has ended.", "Put the program with other times."}
	case !f.FirstShow.IsZero() && f.FirstShow.Before(s.OpensAt):
		return Item{"times", Stop, "A performance begins before the sale opens.", "Put the program with other times."}
	case !f.Now.Before(s.OpensAt):
		return Item{"times", Warn, "The sale is open.", "What is changed now meets people who wait."}
	case !f.FirstShow.IsZero() && f.FirstShow.Before(s.EndsAt):
		return Item{"times", Warn, "The sale goes on when the first performance has begun.", "Let it end before, unless that is meant."}
	case s.SafetyNet:
		return Item{Name: "times", State: OK, Reason: "It is a safety net: there is no lobby, and it opens at its time."}
	case !f.Now.Before(s.LobbyClosesAt):
		return Item{"times", Warn, "The lobby has closed: the order is drawn.", ""}
	case s.LobbyClosesAt.Sub(f.Now) < lobbyShort:
		return Item{"times", Warn, "The lobby closes in " + span(s.LobbyClosesAt.Sub(f.Now)) + ".", "Whoever comes later stands behind those who were drawn. Give people the time to come."}
	}
	return Item{Name: "times", State: OK, Reason: fmt.Sprintf("The lobby closes %s, %s before it opens.", s.LobbyClosesAt.UTC().Format("2 January 2006 15:04:05 UTC"), span(s.OpensAt.Sub(s.LobbyClosesAt)))}
}

func stock(f Facts) Item {
	said := many(f.Stock, "unit is", "units are") + " on sale"
	switch {
	case f.Stock == 0:
		return Item{"stock", Stop, "Nothing is on sale.", "Release reserves, or see whether all is sold."}
	case f.Crowd > f.Stock*manyForAUnit:
		return Item{"stock", Warn, fmt.Sprintf("%s, and you expect %s people: most wait for nothing.", said, count(f.Crowd)), "Say so in the message. The room says who has hardly a chance, as far as it is known."}
	}
	return Item{Name: "stock", State: OK, Reason: said + "."}
}

func terms(f Facts) Item {
	switch {
	case f.Terms == 0:
		return Item{"terms", Stop, "The sale has no terms: nobody has published them.", "ropeline publish " + string(f.Sale.ID)}
	case f.Pending:
		return Item{"terms", Warn, fmt.Sprintf("Version %d is not what the sale says now.", f.Terms), "Publish the next version, with a reason for the fans."}
	}
	return Item{Name: "terms", State: OK, Reason: fmt.Sprintf("Version %d says what the sale says.", f.Terms)}
}

func codes(f Facts) Item {
	var without []string
	with := 0
	for _, l := range f.Sale.Lanes {
		if !slices.Contains(l.Entry, ropeline.EntryCode) {
			continue
		}
		if f.Codes[l.Name] {
			with++
		} else {
			without = append(without, l.Title)
		}
	}
	switch {
	case len(without) > 0:
		return Item{"codes", Stop, "No code is good at the opening for: " + strings.Join(without, ", ") + ". Nobody could come in there, and its share goes to the others.", "Open the room, and make some: at the last step of the set-up, or by ropeline codes."}
	case with == 0:
		return Item{Name: "codes", State: OK, Reason: "No lane asks for a code."}
	}
	return Item{Name: "codes", State: OK, Reason: fmt.Sprintf("There are codes for %s.", many(int64(with), "lane", "lanes"))}
}

func published(f Facts) Item {
	switch {
	case f.Published == 0:
		return Item{"published", Stop, "The line does not know the sale: its room cannot be opened.", "ropeline publish " + string(f.Sale.ID)}
	case f.Published != f.Sale.Version:
		return Item{"published", Warn, fmt.Sprintf("The line has version %d of the sale, the program is version %d.", f.Published, f.Sale.Version), "ropeline publish " + string(f.Sale.ID)}
	}
	return Item{Name: "published", State: OK, Reason: fmt.Sprintf("The line has version %d of the sale.", f.Published)}
}
