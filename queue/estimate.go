package queue

import (
	"math"
	"slices"
	"sort"
	"time"

	"github.com/ropeline/ropeline"
)

// How long a fan still waits.
//
// What an SRE sets is known (rate, cap); what people do is measured (how soon a
// slot becomes free, how many of those ahead take an offer, how many leave). A
// change of rate or a pause therefore shows at once and spoils no measurement.
//
// The estimate never rises without a reason that is told. That is kept for the
// sale, not for each fan, so that it holds for whoever polls, changes edges or
// comes to one that has just started: the controller that ticks the sale moves
// the pace of the line once a second by as much as lets nobody's estimate rise;
// time passes, and so there is always some room. Only when the truth is far
// worse is it shown at once, and why.

// Pace is what an estimate is made from.
type Pace struct {
	Rate      float64 `json:"rate"`      // people a second at most, as set
	Cap       float64 `json:"cap"`       // slots, as set
	Turnover  float64 `json:"turnover"`  // share of the slots in use that becomes free in a second; 0 not known yet
	Share     float64 `json:"share"`     // people offered for each place of the line that is reached
	Leaving   float64 `json:"leaving"`   // share of those who wait that leaves in a second
	Comebacks float64 `json:"comebacks"` // who goes before everybody, in every other turn

	Waiting byLane[float64] `json:"waiting,omitzero"` // places of each lane, where there are several
	Shares  byLane[int64]   `json:"shares,omitzero"`  // of the lanes, as set
}

// The share is bounded: at most half of those ahead are believed not to come.
// Comebacks take at most every other turn, and a party is several people.
const (
	leastShare = 0.5
	mostShare  = 2 * ropeline.MaxParty
)

// wait returns the seconds until the turn of a place with so many ahead, while
// so many slots are in use.
func (p Pace) wait(ahead, inUse float64) (seconds float64, known bool) {
	if p.Rate <= 0 || p.Cap <= 0 {
		return 0, false
	}
	turns := ahead*p.Share + 1
	turns += min(p.Comebacks, turns)
	places := turns / p.Share
	free := max(0, p.Cap-inUse)
	reaching := p.Rate / p.Share // places a second
	through := p.Turnover * p.Cap
	switch {
	case p.Turnover > 0 && p.Rate <= through || turns <= free:
		seconds, _ = p.walk(places, reaching, math.Inf(1))
	case p.Turnover == 0:
		return 0, false // how soon slots become free has not been seen
	default: // first the free slots fill, at the rate; then one must become free for each
		filling := free / (p.Rate - p.Turnover*(inUse+p.Cap)/2)
		var rest, more float64
		seconds, rest = p.walk(places, reaching, max(0, filling))
		if rest > 0 {
			more, _ = p.walk(rest, through/p.Share, math.Inf(1))
		}
		seconds += more
	}
	// However many leave, half of those ahead are believed to stay.
	return max(seconds, leastShare*ahead/p.Rate), true
}

// walk returns how long it takes until so many places have gone, at most for
// most seconds, and how many are left then. They go by being reached, so many a
// second, and by leaving: dn/dt = -speed - leaving n.
func (p Pace) walk(places, speed, most float64) (seconds, left float64) {
	if p.Leaving < 1e-9 {
		seconds = min(places/speed, most)
		return seconds, places - seconds*speed
	}
	seconds = math.Log1p(p.Leaving*places/speed) / p.Leaving
	if seconds <= most {
		return seconds, 0
	}
	base := speed / p.Leaving
	return most, (places+base)*math.Exp(-p.Leaving*most) - base
}

// Longer says why everybody waits longer than was said before.
type Longer string

// The reasons.
const (
	LongerLimits   Longer = "limits"   // fewer are let in than before, or fewer of a lane
	LongerReturns  Longer = "returns"  // people who were away, or put back after a loss, go first
	LongerParties  Longer = "parties"  // a group went in, which takes several slots
	LongerLanes    Longer = "lanes"    // people came into another lane, which has its share
	LongerSlower   Longer = "slower"   // those inside take longer, or fewer of those ahead are away
	LongerRestored Longer = "restored" // the line was put together again
)

// longerShown is how long a reason is told after the rise: longer than the
// slowest poller stays away.
const longerShown = time.Minute

// Gauge is the pace of a line with what it was measured from. The controller
// that leads moves it on once a second and keeps it in Redis.
type Gauge struct {
	Pace
	Longer Longer    `json:"longer,omitempty"` // of the last rise
	RoseAt time.Time `json:"rose_at,omitzero"`

	// What was seen, the older the less it counts.
	Freed   float64 `json:"freed"`   // slots that became free
	Busy    float64 `json:"busy"`    // seconds that slots were in use
	Taken   float64 `json:"taken"`   // people offered
	Reached float64 `json:"reached"` // living places that the cursor came to
	Gone    float64 `json:"left"`    // places that left while they waited
	Waited  float64 `json:"waited"`  // seconds that places waited

	Settled bool      `json:"settled"`        // the first who came in have gone
	Since   time.Time `json:"since,omitzero"` // Freed and Busy are of after it
	Here    float64   `json:"here"`           // share of those next in line that is here; 0 not known

	// The line when it was measured last.
	At      time.Time `json:"at,omitzero"`
	Epoch   string    `json:"epoch"`
	Run     string    `json:"run"`
	Offers  int64     `json:"offers"` // people
	Friends int64     `json:"friends"`
	Brought int64     `json:"brought"`
	InUse   int64     `json:"in_use"`
	Passed  int64     `json:"passed"` // by the cursor, or departed behind it
	Departs int64     `json:"departs"`
	LateSeq int64     `json:"late_seq"`

	// Of each lane, where there are several.
	Came byLane[int64] `json:"came,omitzero"` // places that were reached
	Idle byLane[bool]  `json:"idle,omitzero"` // nobody of those next is here: its turns go to the others
}

// gaugeInterval is how often a gauge moves on.
const gaugeInterval = time.Second

// due reports whether the gauge is to move on: limits count at once.
func (g Gauge) due(s State) bool {
	slots, rate := s.inForce()
	limitsChanged := g.Rate != perSecond(rate) || g.Cap != float64(slots) || g.Shares != s.shares()
	return s.Drawn && !s.Settling && (s.Now.Sub(g.At) >= gaugeInterval || s.Now.Before(g.At) || g.Epoch != s.Epoch ||
		g.Friends != s.Friends || limitsChanged)
}

func perSecond(rate int64) float64 { return float64(rate) / 60 }

// inForce are the limits by which people are offered: none where all pass.
func (s State) inForce() (slots, rate int64) {
	if s.Mode == ropeline.ModePass {
		return ropeline.MaxCap, ropeline.MaxRate
	}
	return s.Cap, s.Rate
}

// inUse is how many slots count against the cap.
func (s State) inUse() int64 { return s.Offered + s.Active + s.Ghosts }

// moved is the gauge on a clock that was set so far ahead, or back: an hour that
// was none would count as one in which no slot became free.
func (g Gauge) moved(by time.Duration) Gauge {
	for _, at := range []*time.Time{&g.At, &g.Since, &g.RoseAt} {
		if !at.IsZero() {
			*at = at.Add(by)
		}
	}
	return g
}

// next is the gauge at s.
func (g Gauge) next(s State) Gauge {
	n := g
	n.At, n.Epoch, n.Run, n.LateSeq = s.Now, s.Epoch, s.Run, s.LateSeq
	n.Offers, n.Friends, n.Brought = s.LastOffer+s.Friends, s.Friends, s.Brought
	n.InUse, n.Passed, n.Departs = s.inUse(), s.Cursor+s.Gone, s.Departures
	lanes := s.sights()
	for i := range lanes {
		if len(lanes) > 1 {
			n.Came[i] = int64(lanes[i].reached)
		}
		lanes[i].reached = max(0, lanes[i].reached-float64(g.Came[i]))
	}
	if s.still() && s.Now.Sub(n.RoseAt) < longerShown+s.Now.Sub(g.At) { // nobody is told now: it is told for as long afterwards
		n.RoseAt = n.RoseAt.Add(s.Now.Sub(g.At))
	}
	same := g.Epoch == s.Epoch && g.Run == s.Run
	if same {
		n.see(g, s)
	}
	measured := n.measure(g.Pace, s)
	if len(lanes) == 1 {
		lanes[0].reached = float64(max(0, n.Passed-g.Passed-(n.Departs-g.Departs)))
	}
	switch {
	case g.Epoch == "":
		n.Pace = measured
		return n
	case !same:
		return n.rise(measured, LongerRestored)
	case g.LateSeq != s.LateSeq && s.Late > 0:
		return n.rise(measured, LongerReturns)
	}
	now := float64(n.InUse)
	if measured.Rate < g.Rate || measured.Cap < g.Cap || measured.Shares != g.Shares {
		worse := (moment{g.Pace, now}).worst(moment{measured, now}, still(lanes))
		// Nobody would have an estimate with as many inside as now; but in between there
		// were fewer.
		if worse > unnoticed || math.IsInf(worse, -1) {
			return n.rise(measured, LongerLimits) // and not first for as much as hides behind who moved on
		}
	}
	before, rise := moment{g.Pace, float64(g.InUse)}, 0.0
	for _, weight := range []float64{1, 0.5, 0.2, 0.1, 0.05, 0} {
		n.Pace = g.Pace.toward(measured, weight)
		after := moment{n.Pace, now}
		if rise = before.worst(after, lanes); s.Comebacks > 0 {
			rise = max(rise, before.worstInFront(after, lanes))
		}
		if rise <= 0 {
			break
		}
	}
	// What could not be told yet without a rise.
	hidden := (moment{n.Pace, now}).worst(moment{measured, now}, still(lanes))
	vanishes := math.IsInf(rise, 1) // there is no estimate any more, and no rise to be told
	if hidden < farWorse && (rise <= 0 || (rise < unnoticed || vanishes) && n.Friends == g.Friends) {
		return n
	}
	return n.rise(measured, n.cause(g, measured))
}

// cause says why estimates rise from what g tells to what was measured, a
// moment after another gauge.
func (g Gauge) cause(before Gauge, measured Pace) Longer {
	switch {
	case g.Rate > measured.Rate || g.Cap > measured.Cap || before.Rate > measured.Rate || before.Cap > measured.Cap,
		g.Shares != measured.Shares || before.Shares != measured.Shares:
		return LongerLimits
	case measured.Comebacks > 2*g.Comebacks+10:
		return LongerReturns
	case g.Friends > before.Friends || g.Brought > before.Brought:
		return LongerParties
	case slices.ContainsFunc(lanesOf(measured.Waiting, g.Waiting), func(n [2]float64) bool { return n[0] > 1.1*n[1] }):
		return LongerLanes
	}
	return LongerSlower
}

// farWorse is by how much estimates are too low before they rise with a reason,
// and unnoticed what may remain where not even the pace before keeps them from
// rising: slots were taken, but nobody moved on. Less than that no fan is sent.
const (
	farWorse  = 0.12
	unnoticed = 0.05
)

func (g Gauge) rise(to Pace, why Longer) Gauge {
	g.Pace, g.Longer, g.RoseAt = to, why, g.At
	return g
}

// seen is for how long what was seen counts, and how many events at least.
const (
	seenFor    = 60 * time.Second
	seenEvents = 200
)

// see adds what happened since the gauge before.
func (g *Gauge) see(before Gauge, s State) {
	dt := s.Now.Sub(before.At).Seconds()
	if dt <= 0 {
		return
	}
	if g.Since.IsZero() || s.Now.Before(s.OpensAt) {
		g.Since = s.Now
	}
	offers := max(0, g.Offers-before.Offers)
	freed := float64(max(0, offers-(g.InUse-before.InUse)))
	g.Freed, g.Busy = forget(dt, freed, g.Freed, g.Busy)
	g.Freed += freed
	g.Busy += float64(before.InUse+g.InUse) / 2 * dt
	if !g.Settled && g.Freed >= fewFreed && g.stays(s) >= 1 {
		// While the first are inside the hasty among them stand for all, so what
		// was seen of them does not count.
		g.Settled, g.Since, g.Freed, g.Busy = true, s.Now, 0, 0
	}

	departed := float64(max(0, g.Departs-before.Departs))
	reached := max(0, float64(g.Passed-before.Passed)-departed)
	g.Taken, g.Reached = forget(dt, reached, g.Taken, g.Reached)
	g.Taken += float64(offers)
	g.Reached += reached

	g.Gone, g.Waited = forget(dt, departed, g.Gone, g.Waited)
	g.Gone += departed
	g.Waited += float64(s.ahead()) * dt
}

// forget lets two sums fade with time, but not faster than new events come.
func forget(dt, events, a, b float64) (float64, float64) {
	keep := math.Exp(-min(dt/seenFor.Seconds(), events/seenEvents))
	return a * keep, b * keep
}

// fewFreed is how many slots must have become free before it is believed how
// soon they do.
const fewFreed = 10

// doubt is how many events must have been seen to be believed as much as what
// was taken for granted before.
const doubt = 40

// measure is the pace as it was seen. The pace before says what was believed.
func (g Gauge) measure(before Pace, s State) Pace {
	slots, rate := s.inForce()
	p := Pace{Rate: perSecond(rate), Cap: float64(slots), Turnover: before.Turnover, Comebacks: float64(s.Comebacks)}
	if g.known(before, p, s) {
		p.Turnover = g.Freed / g.Busy
	}
	// Who is here now, and how many share a place, says how many will come until
	// it has been seen.
	people := s.people()
	if g.Here > 0 {
		people *= g.Here
	}
	p.Share = min(max((g.Taken+doubt*people)/(g.Reached+doubt), leastShare), mostShare)
	p.Waiting, p.Shares = s.waitingByLane(g.Idle), s.shares()
	if g.Waited > 0 {
		p.Leaving = g.Gone / g.Waited * g.Gone / (g.Gone + doubt)
	}
	return p
}

// known reports whether the turnover can be believed: once as many stays as
// began when it was measured have had the time to end, or where even what was
// seen so far says that the cap holds nobody back.
func (g Gauge) known(before, p Pace, s State) bool {
	if g.Freed < fewFreed || g.Busy <= 0 {
		return false
	}
	turnover := g.Freed / g.Busy
	return before.Turnover > 0 || turnover*p.Cap >= p.Rate || g.Settled && g.stays(s) >= 1
}

// stays is how many times as long as somebody stays the turnover was measured.
func (g Gauge) stays(s State) float64 {
	return s.Now.Sub(g.Since).Seconds() * g.Freed / g.Busy
}

// toward is a pace part of the way to another one. Limits are as set, but a
// lower one is not between.
func (p Pace) toward(q Pace, weight float64) Pace {
	mix := func(a, b float64) float64 { return a + weight*(b-a) }
	r := Pace{Rate: p.Rate, Cap: p.Cap, Shares: p.Shares, Turnover: mix(p.Turnover, q.Turnover), Share: mix(p.Share, q.Share),
		Leaving: mix(p.Leaving, q.Leaving), Comebacks: mix(p.Comebacks, q.Comebacks)}
	for i := range p.Waiting {
		r.Waiting[i] = mix(p.Waiting[i], q.Waiting[i])
	}
	if p.Turnover == 0 { // unknown is not nothing
		r.Turnover = q.Turnover
	}
	if weight > 0 {
		r.Rate, r.Cap, r.Shares = q.Rate, q.Cap, q.Shares
	}
	return r
}

// moment is what the estimates of one moment are made from.
type moment struct {
	pace  Pace
	inUse float64
}

// wait returns the seconds until the turn of a place of a lane.
func (m moment) wait(lane int, ahead float64) (seconds float64, known bool) {
	return m.pace.wait(m.pace.turns(lane, ahead), m.inUse)
}

// last is the last place of a lane of this length that has an estimate, -1 if none
// has: those far behind may have none when those in front have one.
func (m moment) last(lane int, line float64) float64 {
	return float64(sort.Search(int(line)+1, func(ahead int) bool {
		_, known := m.wait(lane, float64(ahead))
		return !known
	}) - 1)
}

// worst returns by what share the estimate of anybody in any lane is higher at a
// later moment, when those who were reached are not ahead any more; a few seconds
// count as nothing.
func (m moment) worst(later moment, lanes []sight) float64 {
	worst := math.Inf(-1)
	for lane, at := range lanes {
		last := min(m.last(lane, at.line+at.reached)-at.reached, later.last(lane, at.line))
		for _, ahead := range append(slices.Clone(lookedAt), at.line, last) {
			if ahead < 0 || ahead > at.line {
				continue
			}
			was, ok := m.wait(lane, ahead+at.reached)
			if !ok {
				continue
			}
			is, ok := later.wait(lane, ahead)
			if !ok {
				return math.Inf(1)
			}
			worst = max(worst, (is-was)/(was+1))
		}
	}
	return worst
}

// worstInFront is the same for whoever goes before everybody: no others who are
// reached bring them nearer. What is less than a tick is none.
func (m moment) worstInFront(later moment, lanes []sight) float64 {
	worst := math.Inf(-1)
	for lane := range lanes {
		was, ok := m.wait(lane, 0)
		if !ok {
			continue
		}
		is, ok := later.wait(lane, 0)
		if !ok {
			return math.Inf(1)
		}
		if is-was <= TickInterval.Seconds() {
			worst = max(worst, 0)
			continue
		}
		worst = max(worst, (is-was)/(was+1))
	}
	return worst
}

// lookedAt are the places whose estimates are compared, with the last of the
// line and the last of those that have one: between them an estimate moves evenly.
var lookedAt = []float64{0, 30, 100, 300, 1000, 3000, 10_000, 100_000}

// ahead is how many stand in the line.
func (s Stand) ahead() float64 { return float64(s.Size - s.Cursor - s.Gone + s.Late) }

// people is how many share a place of the line, on average.
func (s State) people() float64 {
	return 1 + float64(s.Brought)/float64(max(1, s.Size-s.Departures))
}

// The range that is shown about the middle. It is checked in the load test: at
// least four fifths of the true waits lie in it.
const (
	rangeLow  = 0.77
	rangeHigh = 1.27
)

// Wait estimates how long a fan at this position of a lane still waits, as a range, and
// says why it rose if it did of late. There is none while the line stands still,
// or nothing was seen that it could be made from.
func (v *View) Wait(lane int, position int64) (w Wait, ok bool) {
	if v.still() || v.Settling || v.Away || !v.Drawn || !v.Now.Before(v.EndsAt) {
		return Wait{}, false
	}
	middle, ok := v.Gauge.wait(v.Gauge.turns(lane, float64(position)), float64(v.inUse()))
	if !ok {
		return Wait{}, false
	}
	until := max(0, v.OpensAt.Sub(v.Now))
	w = Wait{Low: until + seconds(middle*rangeLow), High: until + seconds(middle*rangeHigh)}
	if v.Now.Sub(v.Gauge.RoseAt) < longerShown {
		w.Longer = v.Gauge.Longer
	}
	return w, true
}

// Wait is an estimated waiting time.
type Wait struct {
	Low, High time.Duration
	Longer    Longer // why it rose of late; "" if it did not
}

func seconds(s float64) time.Duration {
	return time.Duration(math.Min(s, 7*24*3600) * float64(time.Second))
}
