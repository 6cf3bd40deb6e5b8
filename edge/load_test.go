package edge

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// wantLater checks that an answer says when to come back, and spreads that.
func wantLater(tb testing.TB, r reply) {
	tb.Helper()
	seconds, err := strconv.Atoi(r.Header.Get("Retry-After"))
	if err != nil || seconds < 10 || seconds > 20 {
		tb.Errorf("Retry-After %q, want 10 to 20 seconds", r.Header.Get("Retry-After"))
	}
}

// Each stage of an overload, in order: sockets to polls, polls to later, pages
// to short ones; and back.
func TestAnOverloadedEdgeShedsInOrder(t *testing.T) {
	t.Parallel()
	private := devtest.PrivateRedis(t)
	var past atomic.Int64
	g := newRigOn(t, private.Client, func(c *Config, _ *ropeline.Sale) {
		c.Limits.Sockets, c.Limits.Polls = 1, 2
		c.Now = func() time.Time { return time.Now().Add(time.Duration(past.Load())) }
		c.Pages = fstest.MapFS{"index.html": {Data: []byte("all sales")}, "waiting.html": {Data: []byte("the whole page")}}
	})
	f := g.browser()
	f.join()
	f.open().next()

	// One socket too many is told to poll, which works.
	if code := f.open().closed(); code != wire.CloseOverload {
		t.Errorf("a socket too many: closed with %d, want %d", code, wire.CloseOverload)
	}
	f.poll()
	if r := wantStatus(t, f.do("GET", "/sales/"+string(g.sale.ID), ""), http.StatusOK); string(r.body) != "the whole page" {
		t.Errorf("the page is %q although polls are answered", r.body)
	}

	// As many polls as can be answered are under way: another one is put off.
	must(t, g.server.load.enter(g.sale.ID, 1))
	must(t, g.server.load.enter(g.sale.ID, 1))
	private.Kill() // and Redis is not asked
	r := f.do("GET", "place", "")
	wantProblem(t, r, http.StatusServiceUnavailable, "edge-busy")
	wantLater(t, r)

	// From now on pages are a few lines.
	for _, path := range []string{"/", "/sales/" + string(g.sale.ID), placePath(g.sale.ID) + "/plain"} {
		r := wantStatus(t, f.do("GET", path, ""), http.StatusServiceUnavailable)
		wantLater(t, r)
		if r.Header.Get("Refresh") != r.Header.Get("Retry-After") || !strings.Contains(string(r.body), "it is safe") || len(r.body) > 1000 ||
			strings.Contains(string(r.body), "src=") || r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s while busy: %v %s", path, r.Header, r.body)
		}
	}
	wantStatus(t, f.do("GET", "/healthz", ""), http.StatusOK)

	// And back, when no poll was put off for some time.
	g.server.load.polls.leave(g.sale.ID)
	g.server.load.polls.leave(g.sale.ID)
	private.Start()
	past.Store(int64(2 * busyFor))
	if r := wantStatus(t, f.do("GET", "/sales/"+string(g.sale.ID), ""), http.StatusOK); string(r.body) != "the whole page" {
		t.Errorf("the page afterwards is %q", r.body)
	}
}

func TestDescriptorsAreDivided(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ descriptors, sockets, wantSockets, wantConnections int64 }{
		{20_000, 0, 18_000, 1_139}, // the usual limit
		{1_024, 0, 921, 100},
		{1_000_000, 0, 100_000, 20_000},
		{20_000, 10_000, 10_000, 9_299}, // as configured
	} {
		l := Limits{Sockets: c.sockets}
		l.divide(c.descriptors)
		if l.Sockets != c.wantSockets || l.connections != c.wantConnections {
			t.Errorf("%d descriptors: %d sockets and %d connections, want %d and %d", c.descriptors, l.Sockets, l.connections, c.wantSockets, c.wantConnections)
		}
	}
	if d := descriptors(); d < 256 {
		t.Errorf("this process may have %d descriptors", d)
	}
}

// Connections beyond those that there are descriptors for wait at the door;
// those inside are not kept for another request, so that the others come in. A
// socket takes none of these places.
func TestConnectionsBeyondTheDescriptorsWait(t *testing.T) {
	t.Parallel()
	g := newRig(t, func(c *Config, _ *ropeline.Sale) { c.Limits.connections = 4 })
	f := g.browser()
	f.join()
	for range 8 {
		f.open().next()
	}
	f.client.CloseIdleConnections()
	address := strings.TrimPrefix(g.url, "http://")
	var idle []net.Conn
	for range 3 { // and the rig's own
		c, err := net.Dial("tcp", address)
		must(t, err)
		t.Cleanup(func() { _ = c.Close() })
		idle = append(idle, c)
	}
	ask := func(c net.Conn) *http.Response {
		_, err := fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: edge\r\n\r\n")
		must(t, err)
		must(t, c.SetReadDeadline(time.Now().Add(patience)))
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		must(t, err)
		must(t, r.Body.Close())
		return r
	}
	late, err := net.Dial("tcp", address)
	must(t, err)
	t.Cleanup(func() { _ = late.Close() })
	_, err = fmt.Fprint(late, "GET /healthz HTTP/1.1\r\nHost: edge\r\n\r\n")
	must(t, err)
	answered := make(chan error, 1)
	go func() {
		_ = late.SetReadDeadline(time.Now().Add(patience))
		_, err := http.ReadResponse(bufio.NewReader(late), nil)
		answered <- err
	}()
	if r := ask(idle[2]); !r.Close {
		t.Error("a connection is kept although it is crowded")
	}
	must(t, <-answered)
}

func TestNeverMoreConnectionsAreInsideThanThereIsRoomFor(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	d := newDoors(ln, Limits{connections: 2}, nil, nil)
	for range 3 {
		c, err := net.Dial("tcp", ln.Addr().String())
		must(t, err)
		t.Cleanup(func() { _ = c.Close() })
	}
	entered := make(chan net.Conn, 3) // the door alone holds the third back
	go func() {
		defer close(entered)
		for {
			c, err := d.Accept()
			if err != nil {
				return
			}
			d.mu.Lock()
			if n := len(d.inside); n > 2 {
				t.Errorf("%d are inside", n)
			}
			d.mu.Unlock()
			entered <- c
		}
	}()
	first, second := <-entered, <-entered
	for range 1000 {
		runtime.Gosched() // a door that lets all in has done so by now
	}
	d.state(first, http.StateActive) // is no end
	d.state(second, http.StateHijacked)
	third := <-entered
	must(t, d.Close()) // also while somebody waits
	if c, ok := <-entered; ok {
		t.Errorf("%v came in after the end", c.RemoteAddr())
	}
	for _, c := range []net.Conn{first, second, third} {
		must(t, c.Close())
	}
}
