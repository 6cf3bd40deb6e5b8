package auto

import (
	"fmt"
	"math"
	"time"
)

// Reading is what was seen of a shop in a stretch of time, about a second.
type Reading struct {
	Took    time.Duration // how long the stretch was
	Known   bool          // else nobody said how the shop is: unknown is not healthy
	Kind                  // all requests
	Orders  Kind          // of those, orders: a shop is as slow as these are
	Written float64       // orders that were written in it; 0 all the time: nobody says
	Offered float64       // people who were offered in it

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

// What follows was found by trying settings on the shapes of the simulation, with
// seeds 1 to 16, 5001 to 5060 and 6001 to 6030; the tests use others. Times of memory
// are seconds.
const (
	// window is what is looked at: a share of a second's requests swings by itself.
	// Only an alarm is of the last reading alone.
	window = 5 * time.Second
	// sparse is of how many requests a share is made at least; with fewer the shop
	// has little to do. few is that of a kind of requests.
	sparse, few = 20.0, 5.0

	// At this slow share there is more inside than can be served, and it must drain:
	// so much is let in that, with what those who are inside will still ask, no more
	// waits drainsIn seconds after the alarm than is answered in a part (drained) of the
	// target; it is looked ahead by drainsLast at least, and what is said now acts after
	// deaf. It ends when no more waits than in the part gone. With drained at the time
	// that a request takes alone it would never end. No less than drainsTo of what the
	// shop bears is let in, and half of that whenever the alarm lasts for stubborn.
	alarm      = 0.3
	drained    = 0.5
	gone       = 0.4
	drainsIn   = 8.0
	drainsLast = 2.5
	drainsTo   = 0.05
	deaf       = 1.0
	stubborn   = 8 * time.Second
	// A moment's alarm is no reason to let in next to nobody, if no more waits than
	// is answered in half a second; and a short one in which the shop never had too much
	// to do says little of what it bears, nor does a measure within the noise of the rate.
	drainsFirst = 0.8
	first       = 2 * time.Second
	short       = 3 * time.Second
	noise       = 0.8
	// over is what share of what was measured is taken as borne. A rate that is well so
	// far above that has outgrown the measure.
	over     = 0.89
	outgrown = 1.4

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
	// Until a request takes the part aim of the target on average (one of twenty takes
	// twice the average or longer) the rate rises by up to pull a second; swift times as
	// fast below the knee and creep times above it, unless a request takes less than the
	// part light of aim: the shop waits for people then, whatever was measured. Above
	// the part much it falls by up to lower a second. It does not rise while requests
	// take so much longer (grad) than they did.
	aim   = 0.42
	pull  = 0.006
	swift = 2.5
	creep = 0.7
	light = 0.5
	much  = 0.5
	lower = 0.02
	grad  = 1.08
	// Of a shop that does not say how long requests take (probes only) the rate rises
	// as a cubic of time: slowly around the knee, which it reaches after flat seconds,
	// and ever faster beyond.
	slope = 0.05
	flat  = 30.0
	// used is what share of the rate must have come in before it is raised: nothing
	// is learned of a rate that is not used, and a crowd would meet it.
	used = 0.6
	// idle is the part of the target in which the requests of a shop that has next to
	// nothing to do are answered. It is given more whatever was measured before, since a
	// few ms more or less are noise there; and again a second, up to the rate that it had
	// before it last was in trouble.
	idle  = 0.1
	again = 0.08
	// lowest keeps a little light on: with nobody inside nothing would be measured.
	lowest = 6.0
	// settled is after how many seconds a mean is one.
	settled = 5.0

	// Over how long it is measured how much a person asks for (long, since those who
	// ask now came a while ago), how much comes, how much is answered while there is too
	// much to do, how long a request takes, now and of late, and the strain.
	askedMemory, comesMemory, fullMemory, takesMemory, lateMemory, strainMemory = 60.0, 2.0, 6.0, 6.0, 20.0, 15.0
)

// delays are how long after the offer people may ask, on average, in seconds; the first
// is taken as long as nothing says which fits.
var delays = [...]float64{6, 1.5}

// Law is the automatic mode of one sale. The zero Law has seen nothing. What it has
// learned can be kept as JSON, about 2 KB, for another one to go on with: its fields
// are public for that alone.
type Law struct {
	Seen   []Reading // the newest last
	Strain decaying  // how the shop stood to what it may be, by seconds
	All    flow
	Orders flow

	Knee     float64       // the rate that the shop bears, as far as it was seen to be slow; 0 not known
	Curve    float64       // how many seconds on the cubic
	Well     time.Duration // for how long
	SinceCut time.Duration
	Draining time.Duration // 0: it does not
	Was      float64       // the rate when it began
	ByOrders bool          // orders are what is slow
	Full     bool          // the shop was seen to have more to do than it can
	Unseen   time.Duration // for how long nobody has said how the shop is
}

// Step says what the rate should be after what was seen, and why if it changes.
// The rate it is told is the one that holds now.
func (l *Law) Step(s Settings, b Bounds, rate float64, r Reading) (next float64, why string) {
	b.Least = max(finite(b.Least), min(lowest, finite(b.Most)))
	rate = b.hold(rate)
	if r.Took = min(max(r.Took, 0), window); r.Took == 0 {
		return rate, ""
	}
	l.SinceCut = min(l.SinceCut+r.Took, time.Hour)
	if !r.Known {
		return l.grope(b, rate, r.Took)
	}
	l.Unseen = 0
	r = l.see(r)
	sum := l.sum()
	pressure, _, cause := sum.pressure(s)
	now, share, urgent := r.pressure(s)
	l.Strain.add(min(now, 5)*r.Took.Seconds(), r.Took.Seconds(), r.Took.Seconds(), strainMemory)
	strain := l.Strain.mean(enough)
	switch {
	case share >= alarm || l.Draining > 0 && (now > 1 || l.slow().waits(gone*s.target())):
		next, cause = l.drain(s, rate, r, share >= alarm), urgent
	case l.Draining > 0: // what was seen before says nothing any more
		next, cause = l.resume(rate), "the shop is well again"
	case strain > tight:
		next = l.cut(rate, strain)
	default:
		if l.Well = min(l.Well+r.Took, time.Hour); pressure > easy || now > 1 {
			l.Well = 0
		}
		next, cause = l.raise(s, rate, r.Took.Seconds(), sum), "the shop is well"
		if l.Well < calm {
			next = min(next, rate)
		}
	}
	return b.hold(next), cause
}

// grope goes slower when nobody has said for a while how the shop is.
func (l *Law) grope(b Bounds, rate float64, took time.Duration) (next float64, why string) {
	before := l.Unseen
	l.Well, l.Seen, l.Unseen = 0, nil, min(l.Unseen+took, time.Hour)
	if before >= blind || l.Unseen < blind || l.Draining > 0 {
		return rate, ""
	}
	l.Was, l.Knee, l.Draining = rate/over, rate, took
	return b.hold(rate / 2), "nobody says how the shop is"
}

// slow is the kind of requests by which it drains.
func (l *Law) slow() *flow {
	if l.ByOrders {
		return &l.Orders
	}
	return &l.All
}

// drain lets few in until there is not more inside than can be served. What is
// answered meanwhile is all that the shop can answer, and so says what rate it
// bears.
func (l *Law) drain(s Settings, rate float64, r Reading, alarmed bool) float64 {
	seconds := r.Took.Seconds()
	if l.Draining == 0 {
		l.Was, l.Knee, l.Full = rate, over*rate, false
		l.All.Full, l.Orders.Full = decaying{}, decaying{}
	}
	l.Well, l.SinceCut = 0, 0
	l.Draining += r.Took
	for _, f := range [2]*flow{&l.All, &l.Orders} {
		f.bears(seconds, drained*s.target())
	}
	f, more := l.slow(), 1.0
	if alarmed {
		more = math.Pow(0.5, float64(l.Draining/stubborn))
	}
	answered := f.Full.mean(seconds)
	if answered < 1 || !(f.people(1) > 0) { // nobody says how many requests there are
		l.Knee = min(l.Knee, 0.7*l.Was)
		return min(l.Was, l.Knee*more)
	}
	l.Full = l.Full || f.waits(drained*s.target())
	if l.Draining > first {
		bears := f.people(answered)
		if bears > noise*l.Was {
			bears = (bears + l.Was) / 2
		}
		l.Knee = over * min(l.Was, bears)
	}
	least, mayWait := drainsTo, answered*drained*s.target()
	if l.Draining <= first && f.InFlight-mayWait < answered/2 {
		least = drainsFirst
	}
	fits := f.fits(answered, mayWait, max(drainsLast, drainsIn-l.Draining.Seconds()))
	return min(l.Was, more*min(l.Knee, max(least*l.Knee, f.people(fits))))
}

// resume comes back to what the shop bears. If it was never full, that was not
// measured, and there is no knee.
func (l *Law) resume(rate float64) float64 {
	if l.Draining <= short && !l.Full {
		l.Knee = (l.Knee + over*l.Was) / 2
	}
	rate = max(rate, l.Knee)
	if !l.Full {
		l.Knee = 0
	}
	// What was seen before says nothing any more.
	*l = Law{All: l.All.fresh(), Orders: l.Orders.fresh(), Knee: l.Knee, Was: l.Was}
	l.turn(rate)
	return rate
}

// cut lets a little fewer in, unless an earlier cut has not shown yet.
func (l *Law) cut(rate, strain float64) float64 {
	l.Well = 0
	if l.SinceCut < patience {
		return rate
	}
	l.Knee, l.SinceCut, l.Strain = rate, 0, decaying{}
	rate *= 1 - min(mildCut*strain, mildMost)
	l.turn(rate)
	return rate
}

// raise lets more in, if the rate is what keeps people out, or fewer, if requests take
// long already.
func (l *Law) raise(s Settings, rate, seconds float64, sum Reading) float64 {
	if sum.Offered < used*rate/60*sum.Took.Seconds() {
		return rate
	}
	f := &l.All
	if l.Orders.Takes.mean(1) > f.Takes.mean(1) {
		f = &l.Orders
	}
	takes, late := f.Takes.mean(1), f.Late.mean(1)
	if long := takes / (much * s.target()); long > 1 {
		return rate * (1 - lower*min(1, long-1)*seconds)
	}
	if rate > outgrown*l.Knee {
		l.Knee = 0
	}
	up := most
	switch {
	case f.Quick > 0:
		up = l.rise(f, rate, takes/(aim*s.target()))
	case l.Knee > 0:
		l.Curve += seconds
		up = min(most, max(0, l.Knee*(1+slope*cube(l.Curve/flat-1))/rate-1)/seconds)
	}
	if late > 0 {
		up *= min(1, max(0, (grad-takes/late)/(grad-1)))
	}
	if takes > 0 && takes < idle*s.target() {
		if up = most; rate < l.Was {
			up = again
		}
	}
	up *= max(0, 1-l.Strain.mean(enough)/content)
	return rate * (1 + up*seconds)
}

// rise is by what part of it the rate may rise in a second. Requests of the kind take
// so much of what they may take.
func (l *Law) rise(f *flow, rate, part float64) (up float64) {
	if up = pull * max(0, 1-part); l.Knee > 0 && rate < l.Knee {
		up *= swift
	} else if l.Knee > 0 {
		up *= creep
	}
	up = max(up, most*max(0, 1-part/light))
	if asks := f.people(f.Takes.By / f.Takes.Seconds); rate < ahead*asks {
		ease := min(1, max(0, (busy-f.Takes.mean(1)/f.Quick)/(busy-1)))
		up = max(up, most*ease*ease)
	}
	return up
}

// turn finds a rate on the cubic.
func (l *Law) turn(rate float64) {
	if l.Knee > 0 {
		l.Curve = flat * (1 + math.Cbrt((rate/l.Knee-1)/slope))
	}
}

func cube(x float64) float64 { return x * x * x }

// see keeps a reading for as long as it is looked at. It returns it with numbers
// that can be reckoned with, all requests as bad as orders are.
func (l *Law) see(r Reading) Reading {
	r.Kind, r.Orders = r.Kind.finite(), r.Orders.finite()
	r.Written, r.Offered, r.Probes = finite(r.Written), finite(r.Offered), finite(r.Probes)
	seconds := r.Took.Seconds()
	l.All.see(r.Kind, r.Offered, seconds)
	l.Orders.see(r.Orders, r.Offered, seconds)
	l.Orders.wrote(r.Written, seconds)
	bad := r.AsBad(r.Orders)
	l.ByOrders = bad != r.Kind || l.Draining > 0 && l.ByOrders
	r.Kind = bad
	l.Seen = append(l.Seen, r)
	for took := l.sum().Took; took-l.Seen[0].Took >= window; took -= l.Seen[0].Took {
		l.Seen = l.Seen[1:]
	}
	return r
}

// sum is the window as one reading.
func (l *Law) sum() (sum Reading) {
	for _, r := range l.Seen {
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
	of := max(r.Requests, r.Slow, sparse)
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
	Slow     float64 // have just taken as long as the target, answered or not
	Failed   float64 // of those answered, errors of the server
	Spent    float64 // seconds that those answered took together; 0 not known
	InFlight float64 // not answered, at the end
}

func (k Kind) finite() Kind {
	return Kind{finite(k.Requests), finite(k.Slow), finite(k.Failed), finite(k.Spent), finite(k.InFlight)}
}

// AsBad is of all requests that a shop answered, as if they were as bad as those of
// the kind that matters, if it is worse: a shop is as slow as its orders are, however
// many pages it shows.
func (k Kind) AsBad(kind Kind) Kind {
	of := max(kind.Requests, kind.Slow, few)
	k.Slow = max(k.Slow, k.Requests*kind.Slow/of)
	k.Failed = max(k.Failed, k.Requests*kind.Failed/of)
	return k
}
