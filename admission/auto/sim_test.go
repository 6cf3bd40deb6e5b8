package auto

import (
	"math"
	"math/rand/v2"
	"time"
)

// A shop in discrete events, seeded: people are let in at a rate, some of them do
// not come, each of the others asks for some things one after the other with a
// moment of thought in between, and few servers (connections of a database, say)
// answer, first come first served, in times of a heavy tail. What was seen, and the
// rate that follows from it, arrive late. Times are seconds.
type shop struct {
	rng      *rand.Rand
	servers  int
	service  float64 // of a request, on average
	asks     float64 // requests of a session, on average: from one to several times as many
	claims   float64 // from the offer to the first request, on average
	target   float64
	spread   float64                  // of the service's lognormal times
	rowless  float64                  // share of the requests that do not need the one row; 0: there is no such row
	quickly  float64                  // what those take
	together bool                     // who waits for the row is served in a group, and answered when all of it are
	slowness func(at float64) float64 // of the database: 1 as usual
	fails    func(at float64) float64 // share of the requests that are answered with an error
	down     func(at float64) bool    // the core restarts: everything fails, and nobody says how it is
	demand   func(at float64) float64 // people a second who want in

	now    float64
	events events
	busy   int
	queue  []request
	row    []request // who has a server and waits for the row; the first of them have it
	having int       // how many
	rate   float64   // a minute
	credit float64   // people who may come in now

	current second
	seconds []second
}

// second is what came out in a second of the simulation.
type second struct {
	at, rate, offered, requests, slow, failed, served, spent, written float64

	underWay, older float64 // at its end: not answered, and of those over the target already
}

// request is of a session that will ask so many times more.
type request struct {
	came float64
	left int
}

// event is what comes next: people are let in (tick), a request comes (ask) or is
// answered, or the rate changes.
type event struct {
	at   float64
	kind kind
	request
	rate float64
}

type kind int

const (
	tick kind = iota
	ask
	answer
	turn
	steer
)

// events are a heap, the earliest first. That of the standard library takes twice
// as long.
type events []event

func (e *events) push(x event) {
	*e = append(*e, x)
	h := *e
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if h[up].at <= h[i].at {
			break
		}
		h[up], h[i] = h[i], h[up]
		i = up
	}
}

func (e *events) pop() event {
	h := *e
	first, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	*e = h
	for i := 0; ; {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < last && h[child].at < h[least].at {
				least = child
			}
		}
		if least == i {
			return first
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

const (
	simThought = 1.0  // seconds between two requests, on average
	simNoShow  = 0.05 // share of those who were offered and never come
	simTick    = 0.2
	simLag     = 0.5 // until what a core says is looked at and the rate holds
)

func newShop(seed uint64) *shop {
	return &shop{rng: rand.New(rand.NewPCG(seed, 7)), servers: 16, service: 0.05, asks: 6, claims: 1.5, target: 0.3, spread: 0.6, rate: 600,
		slowness: func(float64) float64 { return 1 }, fails: func(float64) float64 { return 0 },
		down: func(float64) bool { return false }, demand: func(float64) float64 { return math.Inf(1) }}
}

// bearable is how many people a minute could be served at most, if nobody had to
// wait for anything.
func (s *shop) bearable(slowness float64) float64 {
	if s.rowless > 0 {
		return 60 / (s.service * slowness * s.asks * (1 - s.rowless)) / (1 - simNoShow)
	}
	return 60 * float64(s.servers) / (s.service * slowness * s.asks) / (1 - simNoShow)
}

func (s *shop) after(seconds float64, e event) {
	e.at = s.now + seconds
	s.events.push(e)
}

// asksIn lets a request come that is followed by so many more.
func (s *shop) asksIn(seconds float64, left int) {
	s.after(seconds, event{kind: ask, request: request{left: left}})
}

func (s *shop) about(mean float64) float64 { return s.rng.ExpFloat64() * mean }

// ask is a request that comes.
func (s *shop) ask(left int) {
	if s.down(s.now) {
		s.current.failed++
		s.asksIn(1+s.about(1), left) // it is tried again
		return
	}
	if s.rng.Float64() < s.fails(s.now) {
		s.current.requests++
		s.current.failed++
		s.asksIn(1+s.about(1), left)
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
		if s.rowless > 0 {
			if s.rng.Float64() < s.rowless {
				s.after(s.quickly, event{kind: answer, request: r})
			} else if s.row = append(s.row, r); s.having == 0 {
				s.takeRow()
			}
			continue
		}
		// A lognormal time: some requests take ten times as long as others.
		s.after(s.service*s.slowness(s.now)*math.Exp(s.spread*s.rng.NormFloat64()-s.spread*s.spread/2), event{kind: answer, request: r})
	}
}

// takeRow lets the first who wait for the row have it.
func (s *shop) takeRow() {
	if s.having = min(1, len(s.row)); s.together {
		s.having = len(s.row)
	}
	if s.having > 0 {
		s.after(s.service*s.slowness(s.now)*float64(s.having), event{kind: turn})
	}
}

// turn is the end of somebody's time with the row, or of a group's.
func (s *shop) turn() {
	done := s.row[:s.having]
	s.row = s.row[s.having:]
	s.takeRow()
	s.current.written += float64(len(done))
	for _, r := range done {
		s.answer(r)
	}
}

func (s *shop) answer(r request) {
	s.busy--
	s.current.requests++
	s.current.spent += s.now - r.came
	if s.now-r.came > s.target {
		s.current.slow++
	}
	if r.left > 0 {
		s.asksIn(s.about(simThought), r.left-1)
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
		if s.rng.Float64() >= simNoShow {
			s.asksIn(s.about(s.claims), int(s.about(s.asks-1)+0.5))
		}
	}
	s.after(simTick, event{kind: tick})
}

// run goes on until then and asks for the rate each second, with what was seen.
func (s *shop) run(until float64, by func(second) (rate float64)) {
	if len(s.events) == 0 {
		s.tick()
	}
	for next := math.Floor(s.now) + 1; next <= until; next++ {
		for len(s.events) > 0 && s.events[0].at < next {
			s.happens(s.events.pop())
		}
		s.now = next
		s.current.at, s.current.rate = next, s.rate
		s.current.underWay, s.current.older = s.waiting()
		s.seconds = append(s.seconds, s.current)
		last := s.current
		s.current = second{}
		if by != nil {
			s.after(simLag, event{kind: steer, rate: by(last)})
		}
	}
}

// waiting is what is not answered, and of that what is over the target already.
func (s *shop) waiting() (n, older float64) {
	count := func(r request) {
		if n++; s.now-r.came > s.target {
			older++
		}
	}
	for _, r := range s.queue {
		count(r)
	}
	for _, e := range s.events {
		if e.kind == answer {
			count(e.request)
		}
	}
	for _, r := range s.row {
		count(r)
	}
	return n, older
}

func (s *shop) happens(e event) {
	s.now = e.at
	switch e.kind {
	case tick:
		s.tick()
	case ask:
		s.ask(e.left)
	case answer:
		s.answer(e.request)
	case turn:
		s.turn()
	case steer:
		s.rate = e.rate
	}
}

// byLaw steers by the law of a sale with such bounds.
func (s *shop) byLaw(l *Law, b Bounds, disturb func(*Reading)) func(second) float64 {
	before := 0.0
	return func(last second) float64 {
		r := Reading{Took: time.Second, Known: !s.down(s.now), Offered: last.offered,
			Kind: Kind{Requests: last.requests, Slow: max(0, last.slow+last.older-before), Failed: last.failed, Spent: last.spent, InFlight: last.underWay}}
		if last.written > 0 || s.rowless > 0 {
			r.Orders, r.Written = r.Kind, last.written
			r.Requests *= 2 // pages, as quick as ever
		}
		before = last.older
		if disturb != nil {
			disturb(&r)
		}
		settings := fallback
		settings.On, settings.TargetMS = true, int64(1000*s.target)
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
