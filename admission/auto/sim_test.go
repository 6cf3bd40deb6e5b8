package auto

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"time"
)

// A shop in discrete events, seeded: people are let in at a rate, each asks for a
// handful of things one after the other with a moment of thought in between, and
// few servers (connections of a database, say) answer, first come first served, in
// times of a heavy tail. Times are seconds.
type shop struct {
	rng      *rand.Rand
	servers  int
	slowness func(at float64) float64 // of the database: 1 as usual
	down     func(at float64) bool    // the core restarts: everything fails, and nobody says how it is
	demand   func(at float64) float64 // people a second who want in

	now    float64
	events events
	busy   int
	queue  []request
	rate   float64 // a minute
	credit float64 // people who may come in now

	current second
	seconds []second
}

// second is what came out in a second of the simulation.
type second struct {
	at, rate, offered, requests, slow, failed, served float64
}

// request is of a session that will ask so many times more.
type request struct {
	came float64
	left int
}

type event struct {
	at   float64
	what func()
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

const (
	simTarget   = 0.3
	simRequests = 6     // of a session
	simThought  = 1.0   // seconds between them, on average
	simClaim    = 1.5   // seconds from the offer to the first request, on average
	simService  = 0.050 // seconds of a request, on average
	simTick     = 0.2
)

func newShop(seed uint64) *shop {
	return &shop{rng: rand.New(rand.NewPCG(seed, 7)), servers: 6, rate: 600,
		slowness: func(float64) float64 { return 1 }, down: func(float64) bool { return false },
		demand: func(float64) float64 { return math.Inf(1) }}
}

// bearable is how many people a minute could be served at most, if nobody had to
// wait for anything.
func (s *shop) bearable(slowness float64) float64 {
	return 60 * float64(s.servers) / (simService * slowness * simRequests)
}

func (s *shop) after(seconds float64, what func()) {
	heap.Push(&s.events, event{s.now + seconds, what})
}

func (s *shop) about(mean float64) float64 { return s.rng.ExpFloat64() * mean }

// ask is a request that comes.
func (s *shop) ask(left int) {
	if s.down(s.now) {
		s.current.failed++
		s.after(1+s.about(1), func() { s.ask(left) }) // it is tried again
		return
	}
	s.queue = append(s.queue, request{s.now, left})
	s.serve()
}

// serve lets servers that are free take what waits.
func (s *shop) serve() {
	for s.busy < s.servers && len(s.queue) > 0 {
		r := s.queue[0]
		s.queue = s.queue[1:]
		s.busy++
		// A lognormal time: some requests take ten times as long as others.
		s.after(simService*s.slowness(s.now)*math.Exp(0.6*s.rng.NormFloat64()-0.18), func() { s.answer(r) })
	}
}

func (s *shop) answer(r request) {
	s.busy--
	s.current.requests++
	if s.now-r.came > simTarget {
		s.current.slow++
	}
	if r.left > 0 {
		s.after(s.about(simThought), func() { s.ask(r.left - 1) })
	} else {
		s.current.served++
	}
	s.serve()
}

// tick lets people in.
func (s *shop) tick() {
	rate := s.rate / 60
	s.credit = min(s.credit+rate*simTick, 1+2*rate*simTick)
	for wanted := s.demand(s.now) * simTick; s.credit >= 1 && wanted > 0; wanted-- {
		if wanted < 1 && s.rng.Float64() > wanted {
			break
		}
		s.credit--
		s.current.offered++
		s.after(s.about(simClaim), func() { s.ask(simRequests - 1) })
	}
	s.after(simTick, s.tick)
}

// run goes on until then and calls steer each second with what was seen.
func (s *shop) run(until float64, steer func(second) (rate float64)) {
	if len(s.events) == 0 {
		s.tick()
	}
	for next := math.Floor(s.now) + 1; next <= until; next++ {
		for len(s.events) > 0 && s.events[0].at < next {
			e := heap.Pop(&s.events).(event)
			s.now = e.at
			e.what()
		}
		s.now = next
		s.current.at, s.current.rate = next, s.rate
		s.seconds = append(s.seconds, s.current)
		last := s.current
		s.current = second{}
		if steer != nil {
			s.rate = steer(last)
		}
	}
}

// byLaw steers by the law of a sale with such bounds.
func (s *shop) byLaw(l *Law, b Bounds, disturb func(*Reading)) func(second) float64 {
	return func(last second) float64 {
		r := Reading{Took: time.Second, Known: !s.down(s.now), Requests: last.requests, Slow: last.slow, Failed: last.failed,
			InFlight: float64(s.busy + len(s.queue)), Offered: last.offered}
		if disturb != nil {
			disturb(&r)
		}
		settings := fallback
		settings.On = true
		next, _ := l.Step(settings, b, s.rate, r)
		return next
	}
}

// total adds up what came out between two times.
func total(seconds []second, from, to float64) (sum second) {
	for _, s := range seconds {
		if s.at > from && s.at <= to {
			sum.requests, sum.slow, sum.served, sum.offered = sum.requests+s.requests, sum.slow+s.slow, sum.served+s.served, sum.offered+s.offered
		}
	}
	return sum
}

// slowShare is the share of slow requests between two times.
func slowShare(seconds []second, from, to float64) float64 {
	sum := total(seconds, from, to)
	return sum.slow / max(1, sum.requests)
}
