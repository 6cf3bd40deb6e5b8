package loadtest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/ropeline/ropeline"
)

// judgeCap counts sessions: from the receipt of the first token, which is after
// its issue, so nobody is counted too early, to the expiry of the last or the
// answer of the request that ended the session.
func judgeCap(e Evidence) finding {
	var stays []stay
	over := overs(e.Fans)
	for _, h := range e.Fans {
		for _, s := range h.Sessions {
			stays = append(stays, stay{h.Fan, s.First, min(s.ends(), over[s.ID])})
		}
	}
	return atOnce(e.Cap, stays)
}

// judgeCapOffered counts an offer, too, from when its fan saw it until it was
// claimed, given up or ran out: the slot is taken from then on.
func judgeCapOffered(e Evidence) finding {
	var stays []stay
	over := overs(e.Fans)
	for _, h := range e.Fans {
		for i, s := range h.Sessions {
			from := s.First
			if i == 0 && h.Offer != 0 {
				from = h.OfferedAt
			}
			stays = append(stays, stay{h.Fan, from, min(s.ends(), over[s.ID])})
		}
		if h.Offer != 0 && len(h.Sessions) == 0 {
			stays = append(stays, stay{h.Fan, h.OfferedAt, h.Leave.ends(h.ClaimBy)})
		}
	}
	return atOnce(e.Cap, stays)
}

// stay is a time for which a fan took a slot.
type stay struct {
	fan      int
	from, to Moment
}

// atOnce sweeps over stays and looks for moments with more than limit. Of an
// end and a beginning at the same moment the end comes first.
func atOnce(limit int64, stays []stay) finding {
	if limit == 0 {
		return unjudged("the cap is not known: pass it with --cap")
	}
	type step struct {
		at     Moment
		change int
		fan    int
	}
	var steps []step
	for _, s := range stays {
		steps = append(steps, step{s.from, 1, s.fan}, step{max(s.from, s.to), -1, s.fan})
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.change, b.change)) })
	f := finding{facts: len(stays)}
	inside, most := 0, 0
	for _, s := range steps {
		inside += s.change
		most = max(most, inside)
		if s.change > 0 && int64(inside) > limit {
			f.breach("at %v fan %d became number %d of at most %d", s.at, s.fan, inside, limit)
		}
	}
	f.seen = fmt.Sprintf("%d of %d at most", most, limit)
	return f
}

// overs is when each session had been ended for good: a friend who goes gives
// up one slot, the last one those of all.
func overs(fans []History) map[string]Moment {
	over := map[string]Moment{}
	for _, h := range fans {
		for _, s := range h.Sessions {
			end, known := over[s.ID]
			if !known {
				end = math.MaxInt64
			}
			over[s.ID] = s.End.ends(end)
		}
	}
	return over
}

// ends is when nobody may count the session any more.
func (s Session) ends() Moment { return s.End.ends(s.Expires) }

// ends is when something is over that would have lasted until then, had the
// request not asked for its end. One whose answer was lost may have been done
// at once.
func (c Call) ends(until Moment) Moment {
	switch {
	case c.Lost != 0:
		return min(until, c.Lost)
	case c.Status == 204:
		return min(until, c.Answered)
	case c.Sent != 0 && c.Answered == 0:
		return min(until, c.Sent)
	}
	return until
}

// judgeOrder compares fans who joined after the close: with A's answer read
// before B's request was sent, A must be offered first. Pairs are compared one
// by one; 4 million of them take 20 ms.
func judgeOrder(e Evidence) finding {
	return inversions(e, func(a, b History) bool { return a.Lane == b.Lane && a.Late && b.Late })
}

// judgeLobby is the same for A of the lobby and B who came later.
func judgeLobby(e Evidence) finding {
	return inversions(e, func(a, b History) bool { return a.Lane == b.Lane && !a.Late && b.Late })
}

func inversions(e Evidence, comparable func(a, b History) bool) finding {
	var f finding
	for _, b := range e.Fans {
		if b.Offer == 0 || b.Join.Sent == 0 {
			continue
		}
		for _, a := range e.Fans {
			// Whoever left, missed the offer's number, joined friends or had to ask twice proves nothing.
			if !comparable(a, b) || a.Beside || b.Beside || a.Guest || b.Guest || a.Join.Lost != 0 || b.Join.Lost != 0 || a.Join.Answered == 0 || a.Join.Answered >= b.Join.Sent || a.left() || a.Passed {
				continue
			}
			if a.Offer == 0 && !(a.Stayed && e.Emptied) {
				continue
			}
			f.facts++
			if a.Offer > b.Offer {
				f.breach("fan %d had joined at %v and got offer %d; fan %d asked at %v and got offer %d",
					a.Fan, a.Join.Answered, a.Offer, b.Fan, b.Join.Sent, b.Offer)
			} else if a.Offer == 0 {
				f.breach("fan %d had joined at %v and was never offered; fan %d asked at %v and got offer %d",
					a.Fan, a.Join.Answered, b.Fan, b.Join.Sent, b.Offer)
			}
		}
	}
	f.seen = fmt.Sprintf("%d inversions", f.broken)
	return f
}

// judgePosition counts, for every position that was shown, the places that were
// really seen being offered after it and before the fan's. Friends have one.
func judgePosition(e Evidence) finding {
	byLane := map[string][]int64{}
	for _, h := range e.Fans {
		if h.Offer != 0 && !h.Beside {
			byLane[h.Lane] = append(byLane[h.Lane], h.Offer)
		}
	}
	for lane, numbers := range byLane {
		slices.Sort(numbers)
		byLane[lane] = slices.Compact(numbers)
	}
	upTo := func(lane string, n int64) int64 { // offers of a lane seen with a number <= n
		numbers := byLane[lane]
		return int64(sort.Search(len(numbers), func(i int) bool { return numbers[i] > n }))
	}
	var f finding
	for _, h := range e.Fans {
		if h.Beside && (len(h.Naps) > 0 || h.Party != 0) {
			continue // the turn came while the fan was away, or did not fit, and was had again later
		}
		own := h.Offer
		if own == 0 && h.Stayed && e.Emptied {
			own = 1<<62 - 1 // everybody else was offered before
		}
		if own == 0 {
			continue
		}
		for _, s := range h.Shown {
			f.facts++
			if before := upTo(h.Lane, own-1) - upTo(h.Lane, s.Served); before > s.Position {
				f.breach("fan %d was shown position %d at %v (served %d), but %d were offered before %s",
					h.Fan, s.Position, s.At, s.Served, before, h.turn())
			}
		}
	}
	return f
}

// judgeFalling compares each shown position with the one before it.
func judgeFalling(e Evidence) finding {
	var f finding
	for _, h := range e.Fans {
		for i := 1; i < len(h.Shown); i++ {
			a, b := h.Shown[i-1], h.Shown[i]
			if a.Epoch != b.Epoch {
				continue
			}
			f.facts++
			if b.Position > a.Position {
				f.breach("fan %d was shown %d at %v and %d at %v", h.Fan, a.Position, a.At, b.Position, b.At)
			}
		}
	}
	return f
}

// judgeForgotten looks at everybody who did not leave by themselves. Who was told
// that the turn was over, without having seen it, is believed to have had one
// only as far as there were offers that nobody saw: but for a loss their numbers
// have no gaps.
func judgeForgotten(e Evidence) finding {
	if !e.Emptied {
		return unjudged("the run was cut off while the line still moved")
	}
	var f finding
	missed := 0
	for _, h := range e.Fans {
		if h.Join.Answered == 0 || h.left() {
			continue
		}
		f.facts++
		switch {
		case h.Gone:
			f.breach("fan %d lost the place: %s", h.Fan, h.End)
		case h.Stayed && !h.offered() && e.SoldOutAt != 0 && h.soldOut(): // the line is the list of returns, and none came
		case h.Stayed && !h.offered():
			f.breach("fan %d joined at %v, stayed, and was never offered", h.Fan, h.Join.Answered)
		case h.Passed && h.Offer == 0 && h.Party == 0 && len(h.Naps) == 0:
			missed++
		}
	}
	if offers := unseenOffers(e.Fans); missed > offers {
		f.breach("%d fans were told that their turn was over, and %d offers were made that nobody saw", missed, offers)
	}
	return f
}

// unseenOffers is how many numbers were given to offers that no fan saw.
func unseenOffers(fans []History) int {
	seen, last := map[int64]bool{}, int64(0)
	for _, h := range fans {
		if h.Offer > 0 {
			seen[h.Offer] = true
			last = max(last, h.Offer)
		}
		for _, s := range h.Shown {
			last = max(last, s.Served)
		}
	}
	return int(last) - len(seen)
}

// judgeLeavers asks the places of those who left what has become of them.
func judgeLeavers(e Evidence) finding {
	var f finding
	for _, h := range e.Fans {
		if h.Leave.Status != 204 {
			continue
		}
		if h.Offer != 0 && h.OfferedAt > h.Leave.Answered {
			f.breach("fan %d left at %v and was offered at %v", h.Fan, h.Leave.Answered, h.OfferedAt)
		}
		for _, state := range h.AfterLeaving {
			f.facts++
			if friends := h.Party != 0 && state == ropeline.PlaceDone; state != ropeline.PlaceLeft && !friends {
				f.breach("fan %d left at %v, and the place said %q later", h.Fan, h.Leave.Answered, state)
			}
		}
	}
	return f
}

func judgeNumbers(e Evidence) finding {
	var f finding
	first := map[int64]*History{}
	for _, h := range e.Fans {
		if h.Offer == 0 {
			continue
		}
		f.facts++
		if other, twice := first[h.Offer]; twice && other.lot() != h.lot() {
			f.breach("fans %d and %d both got offer %d", other.Fan, h.Fan, h.Offer)
		}
		first[h.Offer] = &h
	}
	return f
}

// judgeGate wants every probe refused, and one of every kind at every place to
// have been tried: a gate that nobody knocked at is not judged. Answers that
// say "not now" prove nothing.
func judgeGate(e Evidence) finding {
	var f finding
	tried := map[string]int{}
	probe := func(p Probe) {
		switch p.Status {
		case 0, 429, 502, 503, 504:
			return
		case 401, 403:
		default:
			f.breach("%s at the %s with a token that was %s: %d", p.What, p.Where, p.Kind, p.Status)
		}
		f.facts++
		tried[p.Where+" "+p.Kind]++
	}
	for _, p := range e.Probes {
		probe(p)
	}
	for _, h := range e.Fans {
		for _, p := range h.Probes {
			probe(p)
		}
	}
	places := []string{"edge"}
	if e.Core {
		places = append(places, "core")
	}
	for _, where := range places {
		for _, kind := range probeKinds {
			if f.broken == 0 && tried[where+" "+kind] == 0 {
				return unjudged("no token that was %s was tried at the %s", kind, where)
			}
		}
	}
	return f
}

func judgeNoInternal(e Evidence) finding {
	return finding{facts: e.Faults.Answers, broken: e.Faults.Internal, examples: e.Faults.Examples}
}
