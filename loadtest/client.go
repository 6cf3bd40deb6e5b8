package loadtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

// Address is where a sale is served. It may change during a run, when the
// servers are killed and start again.
type Address struct {
	Edge string   // base URL
	Core string   // base URL of the booking core itself; "" if only the edge is known
	More []string // base URLs of further edges
}

// edge is one of the edges, for a fan who counts on.
func (a *Address) edge(n int) string {
	if n %= 1 + len(a.More); n > 0 {
		return a.More[n-1]
	}
	return a.Edge
}

// target holds the current Address.
type target struct{ now atomic.Pointer[Address] }

func newTarget(a Address) *target {
	t := new(target)
	t.now.Store(&a)
	return t
}

// client is one fan's connection to the world: an address of its own, because
// the edge limits requests by address, and few descriptors, because thousands
// of fans share 20,000.
type client struct {
	http   *http.Client
	target *target
	clock  *clock
	meter  *meter

	edge  int  // which one it goes to
	phone bool // what it says it is
}

// clock tells a run's moments. Only since is monotonic; at converts what
// servers state in wall time.
type clock struct{ start time.Time }

func (c *clock) since() Moment         { return time.Since(c.start) }
func (c *clock) at(t time.Time) Moment { return t.Sub(c.start.Round(0)) }

// phoneAgent is how a phone's browser names itself.
const phoneAgent = "Mozilla/5.0 (Linux; Android 15) Mobile Safari/537.36"

// admissionCookie and a sale's id are the name of its admission cookie.
const admissionCookie = "ropeline_admission_"

// patience is how long one request may take before its fan calls it lost.
const patience = 10 * time.Second

func newClient(source net.IP, t *target, c *clock, m *meter) *client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: source}, Timeout: patience}
	return &client{target: t, clock: c, meter: m, http: &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, MaxConnsPerHost: 2, MaxIdleConnsPerHost: 1,
			IdleConnTimeout: 5 * time.Second, ReadBufferSize: 2 << 10, WriteBufferSize: 2 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// source is fan n's own loopback address, from 127.1.0.1 on.
func source(n int) net.IP {
	n++
	return net.IPv4(127, byte(1+n/62500%250), byte(n/250%250), byte(1+n%250))
}

// request is one question to the servers.
type request struct {
	method, path string
	bearer       string // place ticket or admission token
	key          string // Idempotency-Key
	body         any
	core         bool   // ask the booking core itself
	page         bool   // as a browser that opens it, not as an app
	cookie       string // name and value
}

// answer is what came back. Status 0: nothing did.
type answer struct {
	Call
	Code       string // of a problem document
	token      string // admission token that came as a cookie
	RetryAfter time.Duration
	body       []byte
}

// ok reports success.
func (a answer) ok() bool { return a.Status >= 200 && a.Status < 300 }

// decode reads the body into out.
func (a answer) decode(out any) error {
	if err := json.Unmarshal(a.body, out); err != nil {
		return fmt.Errorf("reading answer %.200q: %w", a.body, err)
	}
	return nil
}

// unavailable reports an answer that says nothing about the request itself:
// lost, limited, or a server that is away. It is asked again.
func (a answer) unavailable() bool {
	switch a.Status {
	case 0, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// do asks once. A lost answer is an answer with Status 0.
func (c *client) do(ctx context.Context, r request) answer {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a := answer{Call: Call{Sent: c.clock.since()}}
	req, err := c.compose(ctx, r)
	if err != nil {
		return a
	}
	res, err := c.http.Do(req)
	if err != nil {
		c.edge++ // another one may live
		return a
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		return a
	}
	a.Answered, a.Status, a.body = c.clock.since(), res.StatusCode, body
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
		a.RetryAfter = time.Duration(s) * time.Second
	}
	for _, c := range res.Cookies() {
		if strings.HasPrefix(c.Name, admissionCookie) {
			a.token = c.Value
		}
	}
	if a.Status >= 400 {
		var p ropeline.Problem
		if json.Unmarshal(body, &p) == nil {
			a.Code = strings.TrimPrefix(p.Type, ropeline.ProblemType)
		}
	}
	c.meter.answered(r, a)
	return a
}

func (c *client) compose(ctx context.Context, r request) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", r.path, err)
		}
		body = bytes.NewReader(text)
	}
	base := c.target.now.Load().edge(c.edge)
	if r.core {
		base = c.target.now.Load().Core
	}
	req, err := http.NewRequestWithContext(ctx, r.method, base+r.path, body)
	if err != nil {
		return nil, fmt.Errorf("asking for %s: %w", r.path, err)
	}
	if r.page {
		req.Header.Set("Accept", "text/html")
	} else {
		req.Header.Set(wire.AppHeader, "1")
	}
	if r.cookie != "" {
		req.Header.Set("Cookie", r.cookie)
	}
	if c.phone {
		req.Header.Set("User-Agent", phoneAgent)
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+r.bearer)
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	return req, nil
}

// insist asks until the answer says something about the request, waiting as
// long as Retry-After says or a growing, jittered pause. After the tries it
// returns the last answer, which says if an earlier try may have been done.
// Only for requests that may be repeated.
func (c *client) insist(ctx context.Context, rng *rand.Rand, tries int, r request) answer {
	pause := 200 * time.Millisecond
	var lost Moment
	for try := 1; ; try++ {
		a := c.do(ctx, r)
		a.Lost = lost
		if lost == 0 && a.unavailable() && a.Status != http.StatusTooManyRequests {
			lost = a.Sent
		}
		if !a.unavailable() || try >= tries || ctx.Err() != nil {
			return a
		}
		wait := max(a.RetryAfter, pause/2+time.Duration(rng.Int64N(int64(pause))))
		if !sleep(ctx, wait) {
			return a
		}
		pause = min(2*pause, 3*time.Second)
	}
}

// rest closes idle connections, for a fan that will only listen for a while.
func (c *client) rest() { c.http.CloseIdleConnections() }

// sleep waits and reports whether the time passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
