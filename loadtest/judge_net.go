package loadtest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/ropeline/ropeline"
)

// What is promised of a safety net, and how it counts, by its documentation.
const (
	netAtOnce   = time.Second            // where nobody waits, a request to be let in takes no longer
	netCounted  = 10 * time.Second       // whoever was told to wait counts as waiting for so long
	netTick     = 200 * time.Millisecond // rate that was not used is kept for two of them
	netPatience = time.Second            // some ticks: room for all who wait and one more is given to that one first
	netIdle     = 2 * time.Second        // room is given to who waits with the next tick; a busy machine takes longer
	netLook     = netTick / 2            // how often it is looked whether there was room
	netFew      = 5                      // that many must have come in at once, before the line and after it
)

// waited reports whether a safety net told the fan to wait.
func (h *History) waited() bool { return h.Came.Answered != 0 && h.In.Sent != h.Came.Sent }

// turnAt is when the fan was let in, or offered; 0: never.
func (h *History) turnAt() Moment {
	if h.let() {
		return h.In.Answered
	}
	return h.MadeAt
}

// judgeNetRoom looks at whoever came, or waited, when there was room for sure: as
// many slots taken as can be, and the rate used as much as can be, from what fans
// saw.
func judgeNetRoom(e Evidence) finding {
	switch {
	case !slices.ContainsFunc(e.Fans, func(h History) bool { return h.Came.Sent != 0 }):
		return unjudged("the sale is no safety net")
	case e.Cap == 0 || e.Rate == 0:
		return unjudged("cap and rate are not known")
	}
	var f finding
	first, last := lineOf(e.Fans)
	before, after, waited, slowest := 0, 0, 0, Moment(0)
	entries := entriesOf(e.Fans)
	for i, h := range e.Fans {
		if h.waited() {
			waited++
			if h.Join.Answered == 0 && !h.let() {
				f.breach("fan %d came at %v, was told to wait, and got no place to wait in", h.Fan, h.Came.Sent)
			}
		}
		if h.Came.Answered == 0 || !e.quietAround(i) || !e.room(entries, h.Came.Sent, h.Came.Answered, i) {
			continue
		}
		f.facts++
		took := h.Came.Answered - h.Came.Sent
		switch {
		case h.waited():
			f.breach("fan %d came at %v, when there was room and nobody waited, and was told to wait", h.Fan, h.Came.Sent)
		case took > netAtOnce:
			f.breach("fan %d came at %v, when there was room and nobody waited, and was in after %v", h.Fan, h.Came.Sent, took)
		case h.Came.Answered < first:
			before++
		case h.Came.Sent > last:
			after++
		}
		slowest = max(slowest, took)
	}
	e.judgeIdle(&f, entries)
	if f.broken == 0 && (before < netFew || after < netFew || waited == 0) {
		return unjudged("%d came in while it was quiet, %d when it was quiet again, %d had to wait meanwhile", before, after, waited)
	}
	f.seen = fmt.Sprintf("%d came in at once before there was a line, %d after it, the slowest in %v; %d had to wait meanwhile",
		before, after, slowest.Round(time.Millisecond), waited)
	return f
}

// judgeIdle wants nobody to stand in line while there is room.
func (e Evidence) judgeIdle(f *finding, entries []entry) {
	first, last := lineOf(e.Fans)
	var idle []Period
	for at := first; at < last; at += netLook {
		switch n := len(idle); {
		case !e.room(entries, at, at, -1):
		case n > 0 && idle[n-1].To == at-netLook:
			idle[n-1].To = at
		default:
			idle = append(idle, Period{at, at})
		}
	}
	for _, h := range e.Fans {
		if !h.waited() || h.Join.Answered == 0 || h.left() || h.Passed {
			continue
		}
		f.facts++
		until := cmp.Or(h.turnAt(), last)
		for _, p := range idle {
			if from, to := max(p.From, h.Join.Answered), min(p.To, until); to-from > netIdle {
				f.breach("fan %d stood in line from %v to %v, and there was room from %v to %v", h.Fan, h.Join.Answered, until, p.From, p.To)
				break
			}
		}
	}
}

// room reports whether one more could be let in, for sure, at each moment of a
// time, leaving fan i out.
func (e Evidence) room(entries []entry, from, to Moment, i int) bool {
	return e.freeSlot(from, to, i) && spareRate(entries, e.Rate, from, to, i) >= 1
}

// lineOf is when the first fan was told to wait, and the last one stood in line.
func lineOf(fans []History) (first, last Moment) {
	first = math.MaxInt64
	for _, h := range fans {
		if h.waited() {
			first, last = min(first, h.Came.Answered), max(last, h.Came.Answered, h.Stood)
		}
	}
	return first, last
}

// quietAround reports whether nobody else can have counted as waiting when fan i
// came. Where an answer was lost nobody knows.
func (e Evidence) quietAround(i int) bool {
	came := e.Fans[i].Came
	for k, h := range e.Fans {
		if k == i || h.Came.Sent == 0 {
			continue
		}
		from, to := h.Came.Sent, max(h.Stood, h.In.Answered)+netPatience
		switch {
		case h.Came.Answered == 0 || h.Came.Lost != 0 || h.Join.Lost != 0 || h.In.Lost != 0:
			to = math.MaxInt64
		case !h.waited():
			continue
		default:
			to = max(to, h.Came.Answered+netCounted, h.Join.Answered+netCounted)
		}
		if from < came.Answered && to > came.Sent {
			return false
		}
	}
	return true
}

// freeSlot reports whether all slots that were in use at any moment of that time
// are fewer than the cap.
func (e Evidence) freeSlot(from, to Moment, i int) bool {
	taken := int64(0)
	during := func(begin, end Moment) {
		if begin <= to && end >= from {
			taken++
		}
	}
	for k, h := range e.Fans {
		if k == i {
			continue
		}
		for n, s := range h.Sessions {
			begin, end := s.Asked, s.Expires+ropeline.TokenMargin
			if n == 0 {
				begin = cmp.Or(h.MadeAt, h.In.Sent)
			}
			if s.End.Status == 204 {
				end = min(end, s.End.Answered)
			}
			during(begin, end)
		}
		if len(h.Sessions) == 0 && h.turnAt() != 0 { // not taken, or let in and nothing heard of the session
			during(h.turnAt(), max(h.ClaimBy, h.Stood)+ropeline.TokenMargin)
		}
	}
	return taken < e.Cap
}

// entry is when somebody was let in or offered, as near as it is known.
type entry struct {
	fan      int // index
	from, to Moment
}

// entriesOf lists those that a safety net made, by when they were made at the
// latest.
func entriesOf(fans []History) (all []entry) {
	for i, h := range fans {
		switch {
		case h.Came.Sent == 0:
		case h.let():
			all = append(all, entry{i, h.In.Sent, h.In.Answered})
		case h.MadeAt != 0:
			all = append(all, entry{i, h.MadeAt, h.MadeAt})
		}
		for _, s := range h.Sessions[min(1, len(h.Sessions)):] { // came in anew
			all = append(all, entry{i, s.Asked, s.First})
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.to, b.to) })
	return all
}

// burst is how many may be let in at once: what two ticks bring, and one more.
func burst(rate int64) float64 { return 1 + 2*netTick.Minutes()*float64(rate) }

// spareRate is for how many the rate had room at least: the bucket was full at some
// moment, and those who were let in since then took of it.
func spareRate(entries []entry, rate int64, from, to Moment, i int) float64 {
	spare, used := burst(rate), 0.0
	for _, x := range slices.Backward(entries) {
		if x.fan == i || x.from > to {
			continue
		}
		used++
		spare = min(spare, burst(rate)+max(0, from-x.to).Minutes()*float64(rate)-used)
	}
	return spare
}

// judgeNetOrder looks at fans who stood in line and at who came meanwhile.
func judgeNetOrder(e Evidence) finding {
	var f finding
	for _, a := range e.Fans {
		if !a.waited() || a.Join.Answered == 0 || a.left() || a.Beside || a.Passed || a.MadeAt == 0 && !(a.Stayed && e.Emptied) {
			continue
		}
		turn, until := a.MadeAt, a.MadeAt.String()
		if turn == 0 {
			turn, until = math.MaxInt64, "the end"
		}
		for _, b := range e.Fans {
			if b.Came.Sent <= a.Join.Answered || b.Came.Sent >= turn {
				continue
			}
			f.facts++
			if b.let() && b.In.Answered < turn-netPatience {
				f.breach("fan %d stood in line from %v on, until %v; fan %d came at %v and was let in at %v",
					a.Fan, a.Join.Answered, until, b.Fan, b.Came.Sent, b.In.Answered)
			}
		}
	}
	f.seen = fmt.Sprintf("%d passed by", f.broken)
	return f
}

// judgeNetRate counts in each stretch of time who was let in in it for sure.
func judgeNetRate(e Evidence) finding {
	if e.Rate == 0 {
		return unjudged("the rate is not known")
	}
	var f finding
	entries := entriesOf(e.Fans)
	most := 0.0
	for _, first := range entries {
		n := 0.0
		for _, x := range entries {
			if x.from < first.from {
				continue
			}
			n++
			may := burst(e.Rate) + (x.to-first.from).Minutes()*float64(e.Rate)
			most = max(most, n/may)
			if n > may+1 { // clocks are compared
				f.breach("%.0f were let in from %v to %v, by the rate %.1f may", n, first.from, x.to, may)
			}
		}
		f.facts++
	}
	f.seen = fmt.Sprintf("%.0f %% of what it allows at most", 100*most)
	return f
}
