// Package batch gathers calls that arrive together into one call of the store
// behind them: sixty-four joins in one script cost Redis 2 µs each, one by one
// 15 to 30.
//
// It gathers without waiting: while one batch is under way the next one
// collects, and before one begins the processor is left to all who are ready.
// So a lone call is not delayed, and batches grow with the load. A second batch
// goes beside the first once it is half full: with one at a time the store stood
// idle while answers were read and callers woken, and small ones beside each
// other would cost it more than they save. Each caller gets its own result, and
// one caller's canceled context cancels nobody else's work. Where a batch costs much
// whatever its size, callers who come in company may be let wait a little for more
// (see Paced).
//
// It does not repeat anything. What a lost answer means is the caller's
// knowledge.
package batch

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/ropeline/ropeline"
)

// ErrFull is returned when more calls wait than the Gatherer may hold.
var ErrFull = &ropeline.Error{Kind: ropeline.Unavailable, Code: "overloaded",
	Detail: "Too many requests are waiting right now. Nothing is lost; please try again.", RetryAfter: time.Second}

// ErrClosed is returned after Close.
var ErrClosed = &ropeline.Error{Kind: ropeline.Unavailable, Code: "closing",
	Detail: "This server is shutting down. Please try again.", RetryAfter: time.Second}

// Result is what one request of a batch came to.
type Result[Res any] struct {
	Value Res
	Err   error
}

// Func does one batch. It must return one result for each request, in order.
type Func[Req, Res any] func(ctx context.Context, requests []Req) []Result[Res]

// abreast is how many batches are under way at most. One kept Redis busy half
// of the time; with two it never waits, and more have nothing to gain.
const abreast = 2

// Gatherer runs a Func on batches of calls, two at a time under load.
type Gatherer[Req, Res any] struct {
	// Static after New.
	run     Func[Req, Res]
	size    int           // most requests in one batch
	backlog int           // most requests that wait
	timeout time.Duration // of one batch
	pace    time.Duration // between the beginnings of two batches of several
	within  time.Duration // of one batch, by the last one; 0: however long

	mu      sync.Mutex // guards what follows
	waiting []*call[Req, Res]
	running int       // drains under way
	began   time.Time // of the last batch
	company bool      // it had several requests
	most    int       // requests in the next one, at most size
	closed  bool

	drains sync.WaitGroup
	calls  sync.Pool // of *call, done and read
}

type call[Req, Res any] struct {
	request Req
	result  Result[Res]
	lost    bool          // nobody worked it out: see do
	done    chan struct{} // holds one: whoever sends must not wait for a caller that gave up
}

// New returns a Gatherer whose batches hold at most size requests and take at
// most timeout; at most backlog requests wait, the next ones get ErrFull.
func New[Req, Res any](size, backlog int, timeout time.Duration, run Func[Req, Res]) *Gatherer[Req, Res] {
	return &Gatherer[Req, Res]{run: run, size: size, most: size, backlog: backlog, timeout: timeout}
}

// Paced lets a batch begin so long after the last one, if that had several
// requests, unless it is half full sooner. A lone caller never waits for others.
// Call it before Do.
func (g *Gatherer[Req, Res]) Paced(pace time.Duration) *Gatherer[Req, Res] {
	g.pace = pace
	return g
}

// Within lets a batch have as many requests as are done in about so long, by what each
// of the last one took, and one at least: where each takes long by itself, batches
// save nothing, and all of a batch wait for the last of it. Call it before Do.
func (g *Gatherer[Req, Res]) Within(span time.Duration) *Gatherer[Req, Res] {
	g.within = span
	return g
}

// Do hands in one request and waits for its result, or until ctx ends; then
// the request may still be carried out.
func (g *Gatherer[Req, Res]) Do(ctx context.Context, request Req) (Res, error) {
	c, ok := g.calls.Get().(*call[Req, Res])
	if !ok {
		c = &call[Req, Res]{done: make(chan struct{}, 1)}
	}
	c.request = request
	if err := g.enter(c); err != nil {
		var none Res
		return none, err
	}
	select {
	case <-c.done:
		if c.lost {
			runtime.Goexit()
		}
		result := c.result
		*c = call[Req, Res]{done: c.done}
		g.calls.Put(c)
		return result.Value, result.Err
	case <-ctx.Done():
		var none Res
		return none, ctx.Err()
	}
}

func (g *Gatherer[Req, Res]) enter(c *call[Req, Res]) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	if len(g.waiting) >= g.backlog {
		return ErrFull
	}
	g.waiting = append(g.waiting, c)
	if g.running == 0 || g.running < abreast && g.halfFull() {
		g.running++
		g.drains.Go(g.drain)
	}
	return nil
}

// halfFull reports whether a batch of those who wait is worth its own costs
// beside another one. mu is held.
func (g *Gatherer[Req, Res]) halfFull() bool { return 2*len(g.waiting) >= g.most }

// drain runs batches until nobody waits, or so few that they may as well wait
// for the drain beside it.
func (g *Gatherer[Req, Res]) drain() {
	for {
		// Whoever is ready to run, and so may be about to call, comes along; where
		// nobody is, nobody is waited for.
		runtime.Gosched()
		for wait := g.early(); wait > 0; wait = g.early() {
			time.Sleep(wait)
		}
		calls := g.take()
		if len(calls) == 0 {
			return
		}
		g.do(calls)
	}
}

// do runs one batch. If that ends its goroutine, as what fails a test does, those
// of its callers end as well, instead of waiting for good.
func (g *Gatherer[Req, Res]) do(calls []*call[Req, Res]) {
	ctx, cancel := context.WithTimeout(context.Background(), g.timeout)
	lost := true
	defer func() {
		cancel()
		for _, c := range calls {
			c.lost = lost
			c.done <- struct{}{}
		}
		if lost {
			g.drains.Go(g.drain) // in place of the one that ends here
		}
	}()
	requests := make([]Req, len(calls))
	for i, c := range calls {
		requests[i] = c.request
	}
	began := time.Now()
	for i, r := range g.run(ctx, requests) {
		calls[i].result = r
	}
	g.took(time.Since(began), len(calls))
	lost = false
}

// took says how long a batch of so many took.
func (g *Gatherer[Req, Res]) took(span time.Duration, n int) {
	if g.within == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.most = min(g.size, max(1, int(g.within*time.Duration(n)/max(1, span))))
}

// early is how long the next batch has to wait. If it is half full before that,
// another drain takes it.
func (g *Gatherer[Req, Res]) early() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pace == 0 || !g.company || g.closed || g.halfFull() {
		return 0
	}
	return g.pace - time.Since(g.began)
}

func (g *Gatherer[Req, Res]) take() []*call[Req, Res] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 || g.running > 1 && !g.halfFull() {
		g.running--
		return nil
	}
	n := min(g.most, len(g.waiting))
	g.company = n > 1
	if g.pace > 0 {
		g.began = time.Now()
	}
	calls := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	return calls
}

// Waiting is how many calls wait for the next batch.
func (g *Gatherer[Req, Res]) Waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting)
}

// Close refuses further calls and waits until those that wait are done.
func (g *Gatherer[Req, Res]) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.drains.Wait()
}
