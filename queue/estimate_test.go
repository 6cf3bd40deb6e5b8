package queue

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
)

// synthetic is a sale that is played through in memory, to compare estimates
// with the waits that followed.
type synthetic struct {
	rate, cap int64
	people    int
	absent    float64                        // share that is away when their turn comes
	return_   float64                        // share of those that comes back
	leaving   float64                        // share that leaves in a second
	parties   float64                        // share of the places that three people share
	stay      func(*rand.Rand) time.Duration // how long a slot is in use
	steps     []step
}

// step is something that an SRE does.
type step struct {
	at time.Duration
	do func(*State)
}

// shownWait is an estimate that somebody was shown.
type shownWait struct {
	person    int
	at        time.Duration
	low, high float64
	reason    Longer
}

// played is what came of a synthetic sale.
type played struct {
	shown   []shownWait // every second, of some people
	offered []time.Duration
	paused  []time.Duration // when, tick by tick
	changed []time.Duration // when a limit was
	missing int             // estimates that were not there while people waited
	reasons map[Longer]int
}

var opening = time.Date(2040, 1, 1, 20, 0, 0, 0, time.UTC)

// play runs a sale until nobody waits.
func (y synthetic) play(seed uint64) played {
	const before = 20 * time.Second
	rng := rand.New(rand.NewPCG(seed, 1))
	state := State{OpensAt: opening, EndsAt: opening.Add(24 * time.Hour), Limits: Limits{Cap: y.cap, Rate: y.rate}, Run: "r",
		Stand: Stand{Epoch: "e", Drawn: true, Size: int64(y.people)}}
	p := played{offered: make([]time.Duration, y.people), reasons: map[Longer]int{}}
	away, gone := make([]bool, y.people), make([]bool, y.people)
	sizes := slices.Repeat([]int{1}, y.people)
	for i := range away {
		away[i] = rng.Float64() < y.absent
		if y.parties > 0 && rng.Float64() < y.parties {
			sizes[i] = 3
			state.Brought += 2
		}
	}
	var inside, returning []time.Duration
	var bucket float64
	var told time.Time
	for t := -before; state.Cursor < state.Size && t < 3*time.Hour; t += TickInterval {
		state.Now = opening.Add(t)
		for len(y.steps) > 0 && y.steps[0].at <= t {
			cap, rate := state.Cap, state.Rate
			y.steps[0].do(&state)
			if state.Cap != cap || state.Rate != rate {
				p.changed = append(p.changed, t)
			}
			y.steps = y.steps[1:]
		}
		if state.Paused() {
			p.paused = append(p.paused, t)
		}
		inside = slices.DeleteFunc(inside, func(end time.Duration) bool { return end <= t })
		for i := state.Cursor; y.leaving > 0 && i < state.Size; i++ {
			if !gone[i] && rng.Float64() < y.leaving*TickInterval.Seconds() {
				gone[i] = true
				state.Gone++
				state.Departures++
			}
		}
		bucket = min(bucket+float64(state.Rate)/60*TickInterval.Seconds(), 1+2*TickInterval.Seconds()*float64(state.Rate)/60)
		state.Comebacks = 0
		for _, at := range returning {
			if at <= t {
				state.Comebacks++
			}
		}
		enter := func(size int) {
			bucket -= float64(size)
			state.LastOffer++
			state.Friends += int64(size - 1)
			inside = append(inside, slices.Repeat([]time.Duration{t + y.stay(rng)}, size)...)
		}
		fits := func(size int) bool {
			return t >= 0 && !state.Paused() && bucket >= 1 && len(inside)+size <= int(state.Cap)
		}
		room := func() bool { return fits(1) }
		for room() && state.Cursor < state.Size {
			if state.Comebacks > 0 {
				state.Comebacks--
				slices.Sort(returning)
				returning = returning[1:]
				enter(1)
			}
			blocked := false
			for state.Cursor < state.Size {
				i := state.Cursor
				if blocked = !gone[i] && !away[i] && !fits(sizes[i]); blocked {
					break
				}
				state.Cursor++
				if gone[i] {
					state.Gone--
					continue
				}
				if away[i] {
					if rng.Float64() < y.return_ {
						returning = append(returning, t+time.Duration(rng.Int64N(int64(20*time.Second))))
					}
					continue
				}
				p.offered[i] = t
				enter(sizes[i])
				break
			}
			if blocked {
				break
			}
		}
		state.Active = int64(len(inside))
		if state.Gauge.due(state) {
			here := 0.0
			living := 0.0
			for i := state.Cursor; i < state.Size; i++ {
				if !gone[i] {
					living++
					if !away[i] {
						here++
					}
				}
			}
			if living > 0 {
				state.Gauge.Here = here / living
			}
			next := state.Gauge.next(state)
			if !next.RoseAt.Equal(state.Gauge.RoseAt) {
				p.reasons[next.Longer]++
			}
			state.Gauge = next
		}
		if state.Now.Sub(told) >= time.Second {
			told = state.Now
			p.look(t, state, gone)
		}
	}
	return p
}

// look notes what every 20th of those who wait is shown.
func (p *played) look(t time.Duration, s State, gone []bool) {
	v := newView(s, nil, nil)
	ahead := int64(0)
	for i := s.Cursor; i < s.Size; i++ {
		if gone[i] {
			continue
		}
		if i%20 == 0 {
			if w, ok := v.Wait(0, ahead); ok {
				p.shown = append(p.shown, shownWait{int(i), t, math.Round(w.Low.Seconds()), math.Round(w.High.Seconds()), w.Longer})
			} else if !s.Paused() {
				p.missing++
			}
		}
		ahead++
	}
}

// judge compares estimates with what followed: one of each person in 10 s, at
// least 30 s before the offer, pauses subtracted.
func (p played) judge() (samples int, inside, width, median float64) {
	var errors []float64
	within := 0
	for _, w := range p.shown {
		wait := p.offered[w.person] - w.at
		if p.offered[w.person] == 0 || wait < 30*time.Second || w.at%(10*time.Second) != 0 || p.foreseen(w) {
			continue
		}
		for _, at := range p.paused {
			if at > w.at && at < p.offered[w.person] {
				wait -= TickInterval
			}
		}
		middle, real := (w.low+w.high)/2, wait.Seconds()
		errors = append(errors, math.Abs(middle-real)/real)
		width = max(width, (w.high-w.low)/middle)
		if w.low <= real && real <= w.high {
			within++
		}
	}
	if len(errors) == 0 {
		return 0, 0, 0, 0
	}
	slices.Sort(errors)
	return len(errors), float64(within) / float64(len(errors)), width, errors[len(errors)/2]
}

// foreseen reports whether somebody would have had to foresee a change of the
// limits.
func (p played) foreseen(w shownWait) bool {
	return slices.ContainsFunc(p.changed, func(at time.Duration) bool { return at > w.at && at < p.offered[w.person] })
}

// rises counts estimates that were higher than the one before without a reason.
func (p played) rises() (n int, worst shownWait, by float64) {
	last := map[int]shownWait{}
	for _, w := range p.shown {
		if old, ok := last[w.person]; ok && w.reason == "" {
			if rose := (w.low + w.high - old.low - old.high) / 2; rose > 1 { // of rounding
				n++
				if rose > by {
					worst, by = w, rose
				}
			}
		}
		last[w.person] = w
	}
	return n, worst, by
}

// about is a time that is mostly near the middle and sometimes much longer.
func about(middle time.Duration) func(*rand.Rand) time.Duration {
	return func(rng *rand.Rand) time.Duration {
		return time.Duration(float64(middle) * (0.3 + 0.35*rng.ExpFloat64() + 0.35*rng.ExpFloat64()))
	}
}

func pause(at, until time.Duration) []step {
	return []step{{at, func(s *State) { s.Mode = ropeline.ModePause }}, {until, func(s *State) { s.Mode = ropeline.ModeRun }}}
}

// The requirement: the true wait lies in the range for four fifths of samples,
// the range is at most 0.6 of its middle wide, the middle is off by a tenth in
// the median; and nothing rises without a reason.
func TestEstimatesAreRightAndRiseOnlyForAReason(t *testing.T) {
	t.Parallel()
	minutes := func(n float64) time.Duration { return time.Duration(n * float64(time.Minute)) }
	for _, c := range []struct {
		name    string
		sale    synthetic
		reasons []Longer // that must be told
		free    []Longer // that may be
	}{
		{"the rate holds people back", synthetic{rate: 300, cap: 10_000, people: 2000, stay: about(minutes(2))}, nil, nil},
		{"the cap does", synthetic{rate: 3000, cap: 150, people: 2000, stay: about(30 * time.Second)}, nil, nil},
		{"a cap and long stays", synthetic{rate: 600, cap: 400, people: 4000, stay: about(minutes(4))}, nil, []Longer{LongerSlower}},
		{"a small sale", synthetic{rate: 600, cap: 20, people: 300, stay: about(minutes(1))}, nil, []Longer{LongerSlower}},
		{"30 % do not show up", synthetic{rate: 300, cap: 10_000, people: 2000, absent: 0.3, stay: about(minutes(1))}, nil, nil},
		{"30 % do not show up, at the cap", synthetic{rate: 3000, cap: 150, people: 2000, absent: 0.3, stay: about(30 * time.Second)}, nil, nil},
		{"half of them come back", synthetic{rate: 300, cap: 10_000, people: 2000, absent: 0.3, return_: 0.5, stay: about(minutes(1))}, nil, []Longer{LongerReturns, LongerSlower}},
		{"many leave", synthetic{rate: 300, cap: 10_000, people: 2000, leaving: 0.002, stay: about(minutes(1))}, nil, nil},
		{"a third are parties", synthetic{rate: 300, cap: 10_000, people: 1500, parties: 0.33, stay: about(minutes(1))}, nil, []Longer{LongerParties}},
		{"a third are parties, at the cap", synthetic{rate: 3000, cap: 150, people: 2000, parties: 0.33, stay: about(30 * time.Second)}, nil, []Longer{LongerParties, LongerSlower}},
		{"the rate is halved", synthetic{rate: 400, cap: 10_000, people: 2000, stay: about(minutes(1)),
			steps: []step{{minutes(2), func(s *State) { s.Rate = 200 }}}}, []Longer{LongerLimits}, nil},
		{"the rate is doubled", synthetic{rate: 200, cap: 10_000, people: 2000, stay: about(minutes(1)),
			steps: []step{{minutes(2), func(s *State) { s.Rate = 400 }}}}, nil, nil},
		{"the cap is lowered", synthetic{rate: 3000, cap: 200, people: 2000, stay: about(30 * time.Second),
			steps: []step{{minutes(2), func(s *State) { s.Cap = 120 }}}}, []Longer{LongerLimits}, nil},
		{"the cap is raised", synthetic{rate: 3000, cap: 120, people: 2000, stay: about(30 * time.Second),
			steps: []step{{minutes(2), func(s *State) { s.Cap = 240 }}}}, nil, []Longer{LongerSlower}},
		{"a pause", synthetic{rate: 300, cap: 10_000, people: 2000, absent: 0.1, stay: about(minutes(1)), steps: pause(minutes(1), minutes(3))}, nil, nil},
		{"a pause, at the cap", synthetic{rate: 3000, cap: 150, people: 2000, stay: about(30 * time.Second), steps: pause(minutes(2), minutes(3))}, nil, []Longer{LongerSlower}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(4) {
				p := c.sale.play(seed)
				samples, inside, width, median := p.judge()
				rises, worst, by := p.rises()
				t.Logf("seed %d: %d samples, %.0f %% inside, width %.2f, median error %.1f %%, %d without estimate, reasons %v",
					seed, samples, 100*inside, width, 100*median, p.missing, p.reasons)
				if samples < 50 || inside < 0.8 || width > 0.6 || median > 0.1 {
					t.Errorf("seed %d: %d samples, %.0f %% inside, width %.2f, median error %.1f %%", seed, samples, 100*inside, width, 100*median)
				}
				if rises > 0 {
					t.Errorf("seed %d: %d rises without a reason, the worst by %.0f s: %+v", seed, rises, by, worst)
				}
				for reason := range p.reasons {
					if !slices.Contains(c.reasons, reason) && !slices.Contains(c.free, reason) {
						t.Errorf("seed %d: told %q, for which there was no cause", seed, reason)
					}
				}
				for _, reason := range c.reasons {
					if p.reasons[reason] == 0 {
						t.Errorf("seed %d: never told %q", seed, reason)
					}
				}
			}
		})
	}
}

// Whoever goes before everybody takes every other turn at most: an estimate
// knows of them before it has seen them go in.
func TestAnEstimateCountsWhoGoesFirst(t *testing.T) {
	t.Parallel()
	for comebacks, want := range map[float64]float64{0: 10, 50: 15, 100: 20, 5000: 20} {
		p := Pace{Rate: 10, Cap: 10_000, Turnover: 1, Share: 1, Comebacks: comebacks}
		if got, ok := p.wait(99, 0); !ok || math.Abs(got-want) > 1e-6 {
			t.Errorf("99 ahead and %.0f before everybody: %.2f s, %v; want %.0f s", comebacks, got, ok, want)
		}
	}
}

// A reason outlives a pause, in which nobody is told of it.
func TestAReasonIsToldForAMinuteThatIsNoPause(t *testing.T) {
	t.Parallel()
	s := State{Now: opening, OpensAt: opening, EndsAt: opening.Add(time.Hour), Limits: Limits{Cap: 100, Rate: 600}, Run: "r",
		Stand: Stand{Epoch: "e", Drawn: true, Size: 1000}}
	pass := func(d time.Duration) {
		for end := s.Now.Add(d); s.Now.Before(end); {
			s.Now = s.Now.Add(gaugeInterval)
			s.Gauge = s.Gauge.next(s)
		}
	}
	pass(10 * time.Second)
	s.Rate = 300
	pass(10 * time.Second)
	s.Mode = ropeline.ModePause
	pass(5 * time.Minute)
	s.Mode = ropeline.ModeRun
	told := func() Longer {
		w, _ := newView(s, nil, nil).Wait(0, 50)
		return w.Longer
	}
	if pass(45 * time.Second); told() != LongerLimits {
		t.Errorf("after a pause of five minutes %q is told, want %q", told(), LongerLimits)
	}
	if pass(10 * time.Second); told() != "" {
		t.Errorf("more than a minute after the rise, but for the pause, %q is told", told())
	}
}

// As long as nobody knows how soon slots become free, only the first have an estimate,
// and it rises for them, too, when more people come of each place than was believed.
// Only the first of all and every thirtieth were looked at: the second was told a
// longer wait, and not why.
func TestARiseIsSeenWhereOnlyTheFirstHaveAnEstimate(t *testing.T) {
	t.Parallel()
	pace := Pace{Rate: 0.5, Cap: 6, Share: 0.5}
	slower := pace
	slower.Share = 1.33
	before, after := moment{pace, 1}, moment{slower, 1}
	if last := before.last(0, 20); last != 8 {
		t.Errorf("the last that has an estimate is %v, want 8", last)
	}
	if last := before.last(0, 5); last != 5 {
		t.Errorf("of a shorter line it is %v, want 5", last)
	}
	if last := (moment{Pace{Cap: 6, Share: 1}, 0}).last(0, 20); last != -1 {
		t.Errorf("without a rate it is %v, want -1", last)
	}
	// Who is fourth pays for three people more, though one was reached meanwhile.
	if worst := before.worst(after, []sight{{line: 20, reached: 1}}); math.Abs(worst-(9.98-6)/7) > 0.01 {
		t.Errorf("the worst rise is %v", worst)
	}
}
