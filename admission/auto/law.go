package auto

import (
	"fmt"
	"math"
	"time"
)

// Reading is what was seen of a shop in a stretch of time, about a second.
type Reading struct {
	Took     time.Duration // how long the stretch was
	Known    bool          // else nobody said how the shop is: unknown is not healthy
	Requests float64       // answered
	Slow     float64       // of those, slower than the target
	Failed   float64       // of those, errors of the server
	InFlight float64       // at the end
	Offered  float64       // people who were offered in it

	// Probes is how the worst of the probes stands to its limit: 1 is at it, and
	// Probe says which that is.
	Probes float64
	Probe  string
}

// Bounds hold the rate: people a minute.
type Bounds struct{ Least, Most float64 }

func (b Bounds) hold(rate float64) float64 {
	least := min(finite(b.Least), finite(b.Most))
	if !(rate > least) { // NaN, too
		return least
	}
	return min(rate, finite(b.Most))
}

const (
	// window is what is looked at: a share of a second's requests swings by itself.
	// Only an alarm is of the last reading alone.
	window = 5 * time.Second
	// sparse is of how many requests a share is made at least; with fewer the shop
	// has little to do.
	sparse = 20.0
	// memory is over how many seconds it is measured how much a person asks for:
	// long, since those who ask now came a while ago.
	memory = 60.0
	// over is what share of the rate at which too many came in is borne at most,
	// whatever was measured.
	over = 0.94

	// At this slow share there is more inside than can be served, and it must drain:
	// less than the shop bears is let in, by so much that what is too much has gone
	// in drainsIn seconds, but for this part, which is halved whenever it takes as
	// long as stubborn. People who were offered in the last pipe seconds still come.
	alarm    = 0.5
	drainsIn = 5.0
	drainsTo = 0.25
	pipe     = 2.0
	// A moment's alarm is no reason to let in next to nobody.
	drainsFirst = 0.8
	first       = 2 * time.Second
	stubborn    = 8 * time.Second
	// Whoever cannot see goes slower after this time, to half, and no further: it may
	// be that only the news is lost.
	blind = 5 * time.Second
	// A smaller one is answered by a small cut, the pressure times this but no more
	// than mildMost, which takes so long to show: people who were offered before it
	// still come.
	mildCut  = 0.02
	mildMost = 0.15
	patience = 4 * time.Second

	// calm is how long the shop must be well before more are let in, and easy the
	// pressure that it may have then: between easy and 1 the rate stays.
	calm = time.Second
	easy = 0.4
	// near is how close to what the shop bears the rate comes back at once. From
	// there it goes on as a cubic of time: slowly around the knee, which it reaches
	// after flat seconds, and ever faster beyond: a shop that was slow for a minute is
	// not slow any more. No second raises it by more than most.
	near  = 0.94
	slope = 0.05
	flat  = 25.0
	most  = 0.03
	// used is what share of the rate must have come in before it is raised: nothing
	// is learned of a rate that is not used, and a crowd would meet it.
	used = 0.6
	// lowest keeps a little light on: with nobody inside nothing would be measured.
	lowest = 6.0
)

// Law is the automatic mode of one sale. The zero Law has seen nothing.
type Law struct {
	seen     []Reading // the newest last
	asked    decaying
	knee     float64       // the rate that the shop bears, as far as it was seen to be slow; 0 not known
	curve    float64       // how many seconds on the cubic
	well     time.Duration // for how long
	sinceCut time.Duration
	draining time.Duration // 0: it does not
	unseen   time.Duration // for how long nobody has said how the shop is
}

// decaying are sums in which the older counts less.
type decaying struct{ requests, people float64 }

func (d *decaying) add(requests, people, seconds float64) {
	keep := math.Exp(-seconds / memory)
	d.requests, d.people = d.requests*keep+requests, d.people*keep+people
}

// Step says what the rate should be after what was seen, and why if it changes.
// The rate it is told is the one that holds now.
func (l *Law) Step(s Settings, b Bounds, rate float64, r Reading) (next float64, why string) {
	b.Least = max(finite(b.Least), min(lowest, finite(b.Most)))
	rate = b.hold(rate)
	if r.Took = min(max(r.Took, 0), window); r.Took == 0 {
		return rate, ""
	}
	l.sinceCut = min(l.sinceCut+r.Took, time.Hour)
	if !r.Known {
		return l.grope(b, rate, r.Took)
	}
	l.unseen = 0
	r = l.see(r)
	sum := l.sum()
	pressure, _, cause := sum.pressure(s)
	now, share, urgent := r.pressure(s)
	switch {
	case share >= alarm:
		next, cause = l.drain(s, rate, r), urgent
	case l.draining > 0 && now > 1:
		next = rate
	case l.draining > 0: // what was seen before says nothing any more
		l.seen, l.draining, l.well, l.sinceCut = nil, 0, 0, 0
		next, cause = max(rate, near*l.knee), "the shop is well again"
		l.turn(next)
	case pressure > 1:
		next = l.cut(rate, pressure)
	case pressure > easy || now > 1:
		l.well = 0
		return rate, ""
	default:
		if l.well = min(l.well+r.Took, time.Hour); l.well < calm {
			return rate, ""
		}
		next, cause = l.raise(rate, r.Took.Seconds(), sum), "the shop is well"
	}
	return b.hold(next), cause
}

// grope goes slower when nobody has said for a while how the shop is.
func (l *Law) grope(b Bounds, rate float64, took time.Duration) (next float64, why string) {
	before := l.unseen
	l.well, l.seen, l.unseen = 0, nil, min(l.unseen+took, time.Hour)
	if before >= blind || l.unseen < blind || l.draining > 0 {
		return rate, ""
	}
	l.knee, l.draining = rate/near, took
	return b.hold(rate / 2), "nobody says how the shop is"
}

// drain lets few in until there is not more inside than can be served. What is
// answered meanwhile is all that the shop can answer, and so says what rate it
// bears.
func (l *Law) drain(s Settings, rate float64, r Reading) float64 {
	l.well, l.sinceCut = 0, 0
	bears, excess := 0.7*rate, 0.0 // where nobody says how many requests there are
	if r.Requests >= sparse*r.Took.Seconds() && l.asked.requests > 0 {
		answered := r.Requests / r.Took.Seconds()
		bears = 60 * answered * l.asked.people / l.asked.requests
		excess = max(0, r.InFlight-answered*float64(s.TargetMS)/1000)
	} else if l.draining > 0 {
		bears = l.knee
	}
	if l.draining == 0 {
		l.knee = min(over*rate, bears)
		excess += (rate - l.knee) / 60 * pipe
	} else {
		l.knee += (min(l.knee, bears) - l.knee) / 3
	}
	l.draining += r.Took
	least := drainsTo
	if l.draining <= first {
		least = drainsFirst
	}
	part := max(least, 1-excess/(drainsIn*l.knee/60))
	return min(rate, l.knee*part*math.Pow(0.5, float64(l.draining/stubborn)))
}

// cut lets a little fewer in, unless an earlier cut has not shown yet.
func (l *Law) cut(rate, pressure float64) float64 {
	l.well = 0
	if l.sinceCut < patience {
		return rate
	}
	l.knee, l.sinceCut = rate, 0
	rate *= 1 - min(mildCut*pressure, mildMost)
	l.turn(rate)
	return rate
}

// raise lets more in, if the rate is what keeps people out.
func (l *Law) raise(rate, seconds float64, sum Reading) float64 {
	if sum.Offered < used*rate/60*sum.Took.Seconds() {
		return rate
	}
	up := max(1, most*rate) * seconds
	if l.knee > 0 {
		l.curve += seconds
		up = min(up, max(0, l.knee*(1+slope*cube(l.curve/flat-1))-rate))
	}
	return rate + up
}

// turn finds a rate on the cubic.
func (l *Law) turn(rate float64) {
	if l.knee > 0 {
		l.curve = flat * (1 + math.Cbrt((rate/l.knee-1)/slope))
	}
}

func cube(x float64) float64 { return x * x * x }

// see keeps a reading for as long as it is looked at, and returns it with numbers
// that can be reckoned with.
func (l *Law) see(r Reading) Reading {
	r.Requests, r.Slow, r.Failed = finite(r.Requests), finite(r.Slow), finite(r.Failed)
	r.InFlight, r.Offered, r.Probes = finite(r.InFlight), finite(r.Offered), finite(r.Probes)
	l.asked.add(r.Requests, r.Offered, r.Took.Seconds())
	l.seen = append(l.seen, r)
	for took := l.sum().Took; took-l.seen[0].Took >= window; took -= l.seen[0].Took {
		l.seen = l.seen[1:]
	}
	return r
}

// sum is the window as one reading.
func (l *Law) sum() (sum Reading) {
	for _, r := range l.seen {
		sum.Took += r.Took
		sum.Requests, sum.Slow, sum.Failed, sum.Offered = sum.Requests+r.Requests, sum.Slow+r.Slow, sum.Failed+r.Failed, sum.Offered+r.Offered
		sum.InFlight, sum.Probes, sum.Probe = r.InFlight, r.Probes, r.Probe
	}
	return sum
}

// pressure is how the shop stands to what it may be: above 1 it has too much to
// do. The share is how many of the requests are slow, or fail, or as bad; the cause
// is for people.
func (r Reading) pressure(s Settings) (pressure, share float64, cause string) {
	of := max(r.Requests, sparse)
	slow, failed := r.Slow/of, r.Failed/of
	pressure, share, cause = slow/s.Slow, slow, fmt.Sprintf("core slow: %.0f %% over %d ms", 100*slow, s.TargetMS)
	worse := func(p, sh float64, why string) {
		if p > pressure {
			pressure, share, cause = p, max(share, sh), why
		}
	}
	worse(failed/s.Errors, failed, fmt.Sprintf("core fails: %.0f %% of the answers are errors", 100*failed))
	if s.InFlight > 0 {
		p := r.InFlight / float64(s.InFlight)
		worse(p, 1-1/max(1, p), fmt.Sprintf("core busy: %.0f requests under way, %d allowed", r.InFlight, s.InFlight))
	}
	worse(r.Probes, 1-1/max(1, r.Probes), fmt.Sprintf("probe %s is at %.0f %% of its limit", r.Probe, 100*r.Probes))
	return pressure, share, cause
}
