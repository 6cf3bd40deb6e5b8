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
	Kind                   // all requests
	Spent    float64       // seconds that all of them took together; 0 not known
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

// What follows was found by trying some hundred settings on the shapes of the
// simulation, with seeds 1 to 16. Times of memory are seconds.
const (
	// window is what is looked at: a share of a second's requests swings by itself.
	// Only an alarm is of the last reading alone.
	window = 5 * time.Second
	// sparse is of how many requests a share is made at least; with fewer the shop
	// has little to do. few is that of a kind of requests.
	sparse, few = 20.0, 5.0

	// At this slow share there is more inside than can be served, and it must drain:
	// less than the shop bears is let in, by so much that what waits for longer than
	// a part (drained) of the target has gone in drainsIn seconds, but for drainsTo,
	// and half of that whenever it takes as long as stubborn. People who were offered
	// in the last pipe seconds still come.
	alarm    = 0.3
	drained  = 0.3
	drainsIn = 5.0
	drainsTo = 0.05
	pipe     = 1.7
	stubborn = 8 * time.Second
	// A moment's alarm is no reason to let in next to nobody, if no more waits than
	// is answered in half a second; and a short one says little of what the shop
	// bears, nor does a measure that is within the noise of the rate.
	drainsFirst = 0.8
	first       = 2 * time.Second
	short       = 3 * time.Second
	noise       = 0.8
	// over is what share of what was measured is taken as borne, and near how close
	// to that the rate comes back at once.
	over = 0.95
	near = 0.94

	// A lasting strain (the mean of how the shop stood to what it may be) above tight
	// is answered by a small cut, the strain times mildCut but no more than mildMost,
	// which takes as long as patience to show. Below it, what is left until content
	// slows a rise down. It is made of enough seconds at least.
	tight    = 1.2
	content  = 1.4
	enough   = 5.0
	mildCut  = 0.02
	mildMost = 0.15
	patience = 6 * time.Second
	// Whoever cannot see goes slower after this time, to half, and no further: it may
	// be that only the news is lost.
	blind = 5 * time.Second

	// calm is how long the shop must be well before more are let in, and easy the
	// pressure that it may have then: between easy and 1 the rate stays.
	calm = time.Second
	easy = 0.5
	// A second raises the rate by most, as long as requests take no longer than they
	// ever took; by less the longer they take, and not for that any more at busy times
	// as long. No rate is raised that is further ahead of what is asked for than that:
	// what it does has not shown yet.
	most  = 0.03
	busy  = 1.5
	ahead = 1.15
	// Around the knee the rate is drawn to where a request takes this part of the
	// target on average (one of twenty takes twice the average or longer), by so much
	// a second; and it does not rise while requests take so much longer than they did.
	aim  = 0.45
	pull = 0.006
	grad = 1.08
	// Of a shop that does not say how long requests take (probes only) the rate rises
	// as a cubic of time: slowly around the knee, which it reaches after flat seconds,
	// and ever faster beyond.
	slope = 0.05
	flat  = 30.0
	// used is what share of the rate must have come in before it is raised: nothing
	// is learned of a rate that is not used, and a crowd would meet it.
	used = 0.6
	// lowest keeps a little light on: with nobody inside nothing would be measured.
	lowest = 6.0

	// Over how long it is measured how much a person asks for (long, since those who
	// ask now came a while ago), how much is answered while there is too much to do,
	// how long a request takes, now and of late, and the strain.
	askedMemory, fullMemory, takesMemory, lateMemory, strainMemory = 60.0, 3.0, 6.0, 20.0, 15.0
)

// Law is the automatic mode of one sale. The zero Law has seen nothing.
type Law struct {
	seen   []Reading // the newest last
	strain decaying  // how the shop stood to what it may be, by seconds
	asked  decaying  // requests by people
	full   decaying  // requests by seconds, while there is too much to do
	takes  decaying  // seconds of all requests together, by requests
	late   decaying  // the same of a longer time
	quick  float64   // the least that a request has ever taken; 0: nobody says

	knee     float64       // the rate that the shop bears, as far as it was seen to be slow; 0 not known
	curve    float64       // how many seconds on the cubic
	well     time.Duration // for how long
	sinceCut time.Duration
	draining time.Duration // 0: it does not
	was      float64       // the rate when it began
	unseen   time.Duration // for how long nobody has said how the shop is
}

// decaying are sums in which the older counts less.
type decaying struct{ of, by, seconds float64 }

// mean is of as many as that at least.
func (d decaying) mean(least float64) float64 { return d.of / max(least, d.by) }

func (d *decaying) add(of, by, seconds, memory float64) {
	keep := math.Exp(-seconds / memory)
	d.of, d.by, d.seconds = d.of*keep+of, d.by*keep+by, d.seconds*keep+seconds
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
	l.strain.add(min(now, 5)*r.Took.Seconds(), r.Took.Seconds(), r.Took.Seconds(), strainMemory)
	strain := l.strain.mean(enough)
	switch {
	case share >= alarm || l.draining > 0 && now > 1:
		next, cause = l.drain(s, rate, r), urgent
	case l.draining > 0: // what was seen before says nothing any more
		next, cause = l.resume(rate), "the shop is well again"
	case strain > tight:
		next = l.cut(rate, strain)
	case pressure > easy || now > 1:
		l.well = 0
		return rate, ""
	default:
		if l.well = min(l.well+r.Took, time.Hour); l.well < calm {
			return rate, ""
		}
		next, cause = l.raise(s, rate, r.Took.Seconds(), sum), "the shop is well"
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
	l.was, l.knee, l.draining = rate/over, rate/near, took
	return b.hold(rate / 2), "nobody says how the shop is"
}

// drain lets few in until there is not more inside than can be served. What is
// answered meanwhile is all that the shop can answer, and so says what rate it
// bears.
func (l *Law) drain(s Settings, rate float64, r Reading) float64 {
	seconds := r.Took.Seconds()
	if l.draining == 0 {
		l.was, l.knee, l.full = rate, over*rate, decaying{}
	}
	l.well, l.sinceCut = 0, 0
	l.draining += r.Took
	l.full.add(r.Requests, seconds, seconds, fullMemory)
	answered, excess, least := l.full.of/l.full.by, 0.0, drainsTo
	if answered < sparse || l.asked.of == 0 { // nobody says how many requests there are
		l.knee = min(l.knee, 0.7*l.was)
	} else {
		bears := 60 * answered * l.asked.by / l.asked.of
		excess = max(0, r.InFlight-answered*drained*float64(s.TargetMS)/1000)
		if l.draining <= first && excess < answered/2 {
			least = drainsFirst
		}
		if l.draining > r.Took {
			if bears > noise*l.was {
				bears = (bears + l.was) / 2
			}
			l.knee = over * min(l.was, bears)
		}
		excess += max(0, rate-bears) / 60 * pipe
	}
	part := max(least, 1-excess/(drainsIn*l.knee/60))
	return min(l.was, l.knee*part*math.Pow(0.5, float64(l.draining/stubborn)))
}

// resume comes back close to what the shop bears.
func (l *Law) resume(rate float64) float64 {
	if l.draining <= short {
		l.knee = (l.knee + over*l.was) / 2
	}
	// What was seen before says nothing any more.
	*l = Law{asked: l.asked, quick: l.quick, knee: l.knee}
	rate = max(rate, near*l.knee)
	l.turn(rate)
	return rate
}

// cut lets a little fewer in, unless an earlier cut has not shown yet.
func (l *Law) cut(rate, strain float64) float64 {
	l.well = 0
	if l.sinceCut < patience {
		return rate
	}
	l.knee, l.sinceCut, l.strain = rate, 0, decaying{}
	rate *= 1 - min(mildCut*strain, mildMost)
	l.turn(rate)
	return rate
}

// raise lets more in, if the rate is what keeps people out.
func (l *Law) raise(s Settings, rate, seconds float64, sum Reading) float64 {
	if sum.Offered < used*rate/60*sum.Took.Seconds() {
		return rate
	}
	up := most
	switch takes := l.takes.mean(1); {
	case l.quick > 0:
		up = pull * max(-0.5, 1-takes/(aim*float64(s.TargetMS)/1000))
		asks := 60 * l.takes.by / l.takes.seconds * l.asked.by / l.asked.of // as a rate
		if idle := min(1, max(0, (busy-takes/l.quick)/(busy-1))); rate < ahead*asks {
			up = max(up, most*idle*idle)
		}
	case l.knee > 0:
		l.curve += seconds
		up = min(most, max(0, l.knee*(1+slope*cube(l.curve/flat-1))/rate-1)/seconds)
	}
	if late := l.late.mean(1); up > 0 && late > 0 {
		up *= min(1, max(0, (grad-l.takes.mean(1)/late)/(grad-1)))
	}
	if up > 0 {
		up *= max(0, 1-l.strain.mean(enough)/content)
	}
	return rate * (1 + up*seconds)
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
	r.InFlight, r.Offered, r.Probes, r.Spent = finite(r.InFlight), finite(r.Offered), finite(r.Probes), finite(r.Spent)
	seconds := r.Took.Seconds()
	l.asked.add(r.Requests, r.Offered, seconds, askedMemory)
	l.takes.add(r.Spent, r.Requests, seconds, takesMemory)
	l.late.add(r.Spent, r.Requests, seconds, lateMemory)
	if l.takes.of > 0 && l.takes.by >= 5*sparse && r.Failed == 0 && (l.quick == 0 || l.takes.mean(1) < l.quick) {
		l.quick = l.takes.mean(1)
	}
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

// Kind are requests of a kind.
type Kind struct {
	Requests float64 // answered
	Slow     float64 // of those, slower than the target
	Failed   float64 // of those, errors of the server
}

// AsBad is of all requests that a shop answered, as if they were as bad as those of
// the kind that matters, if it is worse: a shop is as slow as its orders are, however
// many pages it shows.
func (k Kind) AsBad(kind Kind) Kind {
	of := max(kind.Requests, few)
	k.Slow = max(k.Slow, k.Requests*kind.Slow/of)
	k.Failed = max(k.Failed, k.Requests*kind.Failed/of)
	return k
}
