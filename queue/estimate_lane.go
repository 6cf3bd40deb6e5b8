package queue

import "github.com/ropeline/ropeline"

// Lanes in estimates: who waits in a lane waits for the turns of the others, too,
// that come before. While people wait in all of them that is so many as their
// shares say, but never more than wait there.

// byLane is one of something for each lane, comparable as a Gauge is.
type byLane[T any] [ropeline.MaxLanes]T

// IsZero lets JSON leave out what nothing is known of.
func (l byLane[T]) IsZero() bool {
	for _, each := range l {
		if any(each) != any(*new(T)) {
			return false
		}
	}
	return true
}

// sight is what estimates look at of a lane.
type sight struct {
	line    float64 // places in it
	reached float64 // places that were reached, ever or since
}

// sights are those of all lanes, of one where a sale has no others.
func (s State) sights() []sight {
	if len(s.Lanes) == 0 {
		return []sight{{line: s.ahead(), reached: s.came()}}
	}
	sh, stands := s.shape(), s.stands()
	all := make([]sight, len(s.Lanes))
	for i := range s.Lanes {
		stand := combined(of(sh, stands, i))
		all[i] = sight{line: stand.ahead(), reached: stand.came()}
	}
	return all
}

// came is how many places were reached, ever.
func (s Stand) came() float64 { return float64(s.Cursor + s.Gone - s.Departures) }

// still are the same lanes, of which nobody was reached.
func still(lanes []sight) []sight {
	all := make([]sight, len(lanes))
	for i, l := range lanes {
		all[i] = sight{line: l.line}
	}
	return all
}

// waitingByLane is how many wait in each lane whose turns do not go to the others.
func (s State) waitingByLane(idle byLane[bool]) (waiting byLane[float64]) {
	if len(s.Lanes) == 0 {
		return waiting
	}
	for i, l := range s.sights() {
		if !idle[i] {
			waiting[i] = l.line
		}
	}
	return waiting
}

// turns is how many places of all lanes go before one with so many ahead in its
// own. Half of what comes between it and the one before it is yet to come.
func (p Pace) turns(lane int, ahead float64) float64 {
	all := ahead
	for i, share := range p.Shares {
		if i != lane && share > 0 {
			all += min(p.Waiting[i], (ahead+0.5)*float64(share)/float64(p.Shares[lane]))
		}
	}
	return all
}

// shares are those of the lanes, none where a sale has no others.
func (s State) shares() (shares byLane[int64]) {
	for i, l := range s.Lanes {
		shares[i] = l.Share
	}
	return shares
}

// lanesOf are two values of each lane side by side.
func lanesOf[T any](a, b byLane[T]) [][2]T {
	pairs := make([][2]T, len(a))
	for i := range pairs {
		pairs[i] = [2]T{a[i], b[i]}
	}
	return pairs
}
