package gate

import (
	"errors"
	"hash/maphash"
	"strconv"
	"sync"
	"time"

	"github.com/ropeline/ropeline"
)

// DefaultRate is how many requests a minute of one session a gate lets through
// unless it is told otherwise. Somebody in a hurry, on a page of 60 parts every
// 5 s, makes 720; fifty browsers that share a token make a few thousand.
const DefaultRate = 1200

// rates counts the requests of each session, in fixed windows of a minute, in
// memory: a call to Redis would cost each request more than all else that a gate
// does. So each gate lets through as many. Only genuine sessions that go on are
// counted, so no more than the caps of the sales are remembered.
type rates struct {
	most   int64
	now    func() time.Time
	seed   maphash.Seed
	shards [16]rateShard
}

type rateShard struct {
	mu     sync.Mutex // guards the rest
	ends   time.Time
	counts map[string]*int64
}

const window = time.Minute

func newRates(most int64, now func() time.Time) *rates {
	return &rates{most: most, now: now, seed: maphash.MakeSeed()}
}

// take counts a request of a session, and fails with ropeline.ErrRateLimited if it
// is one too many.
func (r *rates) take(session string) error {
	s := &r.shards[maphash.String(r.seed, session)%uint64(len(r.shards))]
	now := r.now() // not under the lock, for which it may wait: a second is forgiven
	s.mu.Lock()
	defer s.mu.Unlock()
	if left := s.ends.Sub(now); left <= 0 || left > window+time.Second || s.counts == nil {
		s.ends, s.counts = now.Add(window), map[string]*int64{}
	}
	count := s.counts[session]
	if count == nil {
		count = new(int64)
		s.counts[session] = count
	}
	if *count < r.most {
		*count++
		return nil
	}
	limited := *ropeline.ErrRateLimited
	limited.Detail = "Too many requests in your session, with all its tabs and browsers together. Please wait a moment."
	limited.RetryAfter = s.ends.Sub(now)
	return &limited
}

// Allowance is how many requests more a gate lets through of a session.
type Allowance struct {
	Most, Left int64         // in this minute
	Reset      time.Duration // until the next
}

// Policy and String are what the RateLimit-Policy and RateLimit headers say of it.
func (a Allowance) Policy() string {
	return "\"session\";q=" + strconv.FormatInt(a.Most, 10) + ";w=60"
}

func (a Allowance) String() string {
	return "\"session\";r=" + strconv.FormatInt(a.Left, 10) + ";t=" + ropeline.RetryAfter(a.Reset)
}

// left is what take would say without counting.
func (r *rates) left(session string) Allowance {
	s := &r.shards[maphash.String(r.seed, session)%uint64(len(r.shards))]
	now := r.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	a := Allowance{Most: r.most, Left: r.most, Reset: window}
	if left := s.ends.Sub(now); left > 0 && left <= window+time.Second {
		a.Reset = left
		if count := s.counts[session]; count != nil {
			a.Left -= *count
		}
	}
	return a
}

// Allowance says how much a session is still let through; false where there is no
// limit. It counts nothing.
func (g *Gate) Allowance(session string) (Allowance, bool) {
	if g.rates == nil {
		return Allowance{}, false
	}
	return g.rates.left(session), true
}

// Refused is the allowance of whoever was refused for asking too often; false for
// any other refusal.
func (g *Gate) Refused(err error) (Allowance, bool) {
	limited, ok := errors.AsType[*ropeline.Error](err)
	if g.rates == nil || !ok || !errors.Is(limited, ropeline.ErrRateLimited) {
		return Allowance{}, false
	}
	return Allowance{Most: g.rates.most, Reset: limited.RetryAfter}, true
}

// WithRate makes the gate let through so many requests a minute of one session,
// however many browsers share its token: 0 for DefaultRate, negative for no limit.
// What is beyond gets ropeline.ErrRateLimited. A gate of New has no limit.
func (g *Gate) WithRate(perMinute int64, now func() time.Time) *Gate {
	if perMinute == 0 {
		perMinute = DefaultRate
	}
	if perMinute > 0 {
		g.rates = newRates(perMinute, now)
	}
	return g
}
