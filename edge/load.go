package edge

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ropeline/ropeline"
)

// load is how an edge refuses what it cannot carry, in this order: new sockets
// are asked to poll (sockets.enter), polls beyond those that can be answered at
// once are put off, without a call to Redis, and then whoever opens a page gets
// one that is a few lines long and loads nothing. Claims, joins and what stands
// behind them are not refused: their rates are bounded elsewhere.
type load struct {
	polls shares // that are answered at once
	now   func() time.Time
	shed  atomic.Int64 // when a poll was put off last, in ns
	off   prometheus.Counter
}

// busyFor is how long after a poll was put off pages are short. Those polls
// come back from then on.
const busyFor = 10 * time.Second

var errBusy = &ropeline.Error{
	Kind: ropeline.Unavailable, Code: "edge-busy", RetryAfter: busyFor,
	Detail: "This server is answering as many people as it can. Your place is safe. Please ask again later.",
}

// enter counts a poll in, or says when it should come back: spread over as long
// again.
func (l *load) enter(sale ropeline.SaleID, sales int) error {
	if l.polls.take(sale, sales) {
		return nil
	}
	l.off.Inc()
	l.shed.Store(l.now().UnixNano())
	later := *errBusy
	later.RetryAfter += rand.N(busyFor)
	return &later
}

func (l *load) busy() bool {
	at := l.shed.Load()
	return at != 0 && l.now().UnixNano()-at < int64(busyFor)
}

// bounded is a route's handler behind what refuses a crowd, before anything
// that asks Redis.
func (s *Server) bounded(rt route, next http.Handler) http.Handler {
	get := rt.method == http.MethodGet
	plain := get && strings.HasSuffix(rt.pattern, "/plain") // a poll of somebody without scripts
	poll := plain || get && strings.HasSuffix(rt.pattern, "/place")
	page := plain || get && (rt.pattern == "/{$}" || rt.pattern == "/sales/{sale}")
	if !poll && !page {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if poll {
			sale := ropeline.SaleID(r.PathValue("sale"))
			err := s.load.enter(sale, s.rooms.len())
			if err == nil {
				defer s.load.polls.leave(sale)
			} else if !plain {
				s.fail(w, r, err)
				return
			}
		}
		if page && s.load.busy() {
			serveBusy(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// busyPage is what a page is while the edge is busy. It asks again by itself:
// the header Refresh works without a script.
const busyPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>One moment</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"></head>
<body><main><h1>One moment</h1>
<p>Very many people are here right now. If you have a place in the line, it is safe.</p>
<p>This page tries again by itself in %d seconds.</p></main></body></html>
`

func serveBusy(w http.ResponseWriter) {
	seconds := int((busyFor + rand.N(busyFor)) / time.Second)
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Retry-After", strconv.Itoa(seconds))
	h.Set("Refresh", strconv.Itoa(seconds))
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprintf(w, busyPage, seconds)
}

// doors lets in as many connections as there are descriptors for, besides those
// of sockets. The others wait in the system's queue: an edge without
// descriptors could not even ask Redis. Of one address only so many are inside at
// once, whatever they do there; the others are closed. A trusted proxy has
// everybody's and is not counted so.
type doors struct {
	net.Listener
	most       int
	perAddress int // 0: no limit
	trusted    []netip.Prefix
	turned     prometheus.Counter

	mu     sync.Mutex          // guards the rest
	inside map[net.Conn]string // by address, "" for a proxy's
	of     map[string]int
	closed bool
	room   *sync.Cond
}

func newDoors(ln net.Listener, l Limits, trusted []netip.Prefix, turned prometheus.Counter) *doors {
	d := &doors{
		Listener: ln, most: int(l.connections), perAddress: l.doorsPerAddress(), trusted: trusted, turned: turned,
		inside: map[net.Conn]string{}, of: map[string]int{},
	}
	d.room = sync.NewCond(&d.mu)
	return d
}

// Accept waits until there is room.
func (d *doors) Accept() (net.Conn, error) {
	for {
		d.mu.Lock()
		for len(d.inside) >= d.most && !d.closed {
			d.room.Wait()
		}
		d.mu.Unlock()
		c, err := d.Listener.Accept()
		if err != nil || d.enter(c) {
			return c, err
		}
		d.turned.Inc()
		_ = c.Close()
	}
}

// enter counts a connection in unless its address has as many as it may.
func (d *doors) enter(c net.Conn) bool {
	address := ""
	if a, ok := parseAddress(c.RemoteAddr().String()); ok && d.perAddress > 0 && !within(a, d.trusted) {
		address = limitKey(a)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if address != "" {
		if d.of[address] >= d.perAddress {
			return false
		}
		d.of[address]++
	}
	d.inside[c] = address
	return true
}

func (d *doors) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.room.Broadcast()
	return d.Listener.Close()
}

// state follows a connection; one that became a socket is counted there.
func (d *doors) state(c net.Conn, s http.ConnState) {
	if s != http.StateClosed && s != http.StateHijacked {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if address := d.inside[c]; address != "" {
		if d.of[address]--; d.of[address] == 0 {
			delete(d.of, address)
		}
	}
	delete(d.inside, c)
	d.room.Signal()
}

// crowded reports whether connections should not be kept for another request.
func (d *doors) crowded() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.inside) > d.most/2
}

// doorsPerAddress leaves three quarters of the connections to others, whatever
// one address may have: those of a slow-loris are never given back by themselves.
func (l Limits) doorsPerAddress() int {
	if l.PerAddress < 0 {
		return 0
	}
	return int(min(l.PerAddress, max(l.connections/4, 10)))
}
