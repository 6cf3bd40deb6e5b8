package loadtest

import (
	"fmt"
	"time"

	"github.com/ropeline/ropeline/edge/wire"
)

// Told is what a fan was told of the chances, from then on.
type Told struct {
	At     Moment
	Chance wire.Chance
}

const (
	// soldOutWithin is how soon everybody with a socket must know that everything
	// is sold, and nobody is offered any more.
	soldOutWithin = 2 * time.Second

	// What is wanted of odds: of one sample a fan in five seconds.
	oddsEvery = 5 * time.Second
	oddsFew   = 20  // samples that prove something
	oddsGood  = 0.6 // of those told of a good chance must have got something
	oddsSlim  = 0.5 // of those told of a slim one may have
)

// tell remembers what the fan is told unless nothing changed.
func (h *History) tell(t Told) {
	if n := len(h.Chances); n > 0 && h.Chances[n-1].Chance == t.Chance || len(h.Chances) >= maxShown {
		return
	}
	h.Chances = append(h.Chances, t)
}

// chanceAt is what the fan was told last at a moment.
func (h *History) chanceAt(at Moment) (c wire.Chance) {
	for _, t := range h.Chances {
		if t.At <= at {
			c = t.Chance
		}
	}
	return c
}

// soldOut reports whether the last that the fan heard was that nothing is left.
func (h *History) soldOut() bool {
	n := len(h.Chances)
	return n > 0 && (h.Chances[n-1].Chance == wire.ChanceSoldOut || h.Chances[n-1].Chance == wire.ChanceReturns)
}

// soldOutAt is when the last unit of all was sold, as its buyer was told; 0 if
// some are left.
func soldOutAt(units int, fans []History) (last Moment) {
	sold := map[int]bool{}
	for _, h := range fans {
		for _, a := range h.Attempts {
			if a.Outcome != Confirmed {
				continue
			}
			last = max(last, a.ConfirmedAt)
			for _, u := range a.Units {
				sold[u] = true
			}
		}
	}
	if len(sold) < units {
		return 0
	}
	return last
}

// judgeSoldOut looks at the seconds after the last unit was sold: everybody who
// waits at a socket hears of it, and nobody is offered.
func judgeSoldOut(e Evidence) finding {
	if e.SoldOutAt == 0 {
		return unjudged("not everything was sold")
	}
	var f finding
	by := e.SoldOutAt + soldOutWithin
	var latest Moment
	for _, h := range e.Fans {
		if h.Offer != 0 && h.MadeAt > by {
			f.breach("fan %d was offered at %v, and everything was sold at %v", h.Fan, h.MadeAt, e.SoldOutAt)
		}
		here := h.Join.Answered != 0 && h.Join.Answered < e.SoldOutAt && !h.offered() && (h.Leave.Sent == 0 || h.Leave.Sent > by)
		if !here || !h.Steady || h.Gone {
			continue
		}
		f.facts++
		if h.chanceAt(by) != wire.ChanceSoldOut {
			f.breach("fan %d was told %q at %v, when everything had been sold at %v", h.Fan, h.chanceAt(by), by, e.SoldOutAt)
			continue
		}
		for _, t := range h.Chances {
			if t.Chance == wire.ChanceSoldOut && t.At <= by {
				latest = max(latest, t.At-e.SoldOutAt)
			}
		}
	}
	f.seen = fmt.Sprintf("the last of them heard of it after %v", max(latest, 0).Round(time.Millisecond))
	return f
}

// got reports whether something was left when the fan's turn came, for each of the
// friends who came along. A fan whose turn never came, though it stayed, got nothing.
func (h *History) got() bool {
	return h.Offer != 0 && h.End != "sold out" && (h.Party == 0 || h.Left >= int64(h.Size))
}

// judgeOdds compares what was said of the chances with what came of them.
func judgeOdds(e Evidence) finding {
	told, got := map[wire.Chance]int{}, map[wire.Chance]int{}
	samples, bought := 0, 0
	for _, h := range e.Fans {
		bought += len(h.Attempts)
		if h.left() || h.Gone || !h.offered() && !h.Stayed {
			continue
		}
		end := h.OfferedAt
		if h.Offer == 0 {
			end = e.SoldOutAt
		}
		if len(h.Chances) == 0 {
			continue
		}
		for at := h.Chances[0].At; at < end; at += oddsEvery {
			c := h.chanceAt(at)
			told[c]++
			if h.got() {
				got[c]++
			}
			if c == wire.ChanceGood || c == wire.ChanceSlim {
				samples++
			}
		}
	}
	if bought == 0 {
		return unjudged("nobody bought anything, and the odds are of a shop that sells")
	}
	if samples < oddsFew {
		return unjudged("only %d times somebody was told of good or slim chances", samples)
	}
	f := finding{facts: samples}
	share := func(c wire.Chance) float64 { return float64(got[c]) / max(1, float64(told[c])) }
	for _, c := range []wire.Chance{wire.ChanceGood, wire.ChanceEven, wire.ChanceSlim} {
		f.seen += fmt.Sprintf("%s: %d of %d; ", c, got[c], told[c])
	}
	if told[wire.ChanceGood] > 0 && share(wire.ChanceGood) < oddsGood {
		f.breach("of %d told of a good chance, %d got something", told[wire.ChanceGood], got[wire.ChanceGood])
	}
	if told[wire.ChanceSlim] > 0 && share(wire.ChanceSlim) > oddsSlim {
		f.breach("of %d told of a slim chance, %d got something", told[wire.ChanceSlim], got[wire.ChanceSlim])
	}
	return f
}
