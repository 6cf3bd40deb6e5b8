package edge

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

// hurried gives clients little time.
func hurried(c *Config, _ *ropeline.Sale) {
	c.Times = Times{Header: 300 * time.Millisecond, Body: 500 * time.Millisecond, Idle: 300 * time.Millisecond}
}

// dialFrom connects from an address of this machine.
func dialFrom(t *testing.T, g *rig, from string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0)), Timeout: patience}
	c, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(g.url, "http://"))
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetDeadline(time.Now().Add(patience)))
	return c
}

// dribble sends a byte every few milliseconds until the other side has had
// enough, and returns what it was told.
func dribble(c net.Conn, head string) string {
	told := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(c)
		told <- string(text)
	}()
	if _, err := io.WriteString(c, head); err != nil {
		return err.Error()
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case text := <-told:
			return text
		case <-tick.C:
			_, _ = io.WriteString(c, "a") // the answer may be there, and the end come after it
		}
	}
}

// Clients that send as slowly as they can are let go, and hold nobody up.
func TestASlowLorisIsLetGo(t *testing.T) {
	t.Parallel()
	g := newRig(t, hurried)
	for what, head := range map[string]string{
		"a header without end": "GET /healthz HTTP/1.1\r\nHost: edge\r\nX-Slow: ",
		"a body without end":   "POST " + placePath(g.sale.ID) + "/place HTTP/1.1\r\nHost: edge\r\nContent-Length: 60000\r\n\r\n{\"",
		"a proxied body":       "POST /api/v1/holds HTTP/1.1\r\nHost: edge\r\nContent-Length: 60000\r\n\r\n{\"",
	} {
		c := dialFrom(t, g, "127.0.0.1")
		began := time.Now()
		if said := dribble(c, head); strings.Contains(said, " 200 ") || strings.Contains(said, " 201 ") {
			t.Errorf("%s: answered with %.80s", what, said)
		}
		if took := time.Since(began); took > patience/2 {
			t.Errorf("%s: held for %v", what, took)
		}
		wantStatus(t, g.browser().do("GET", "/healthz", ""), http.StatusOK)
	}
	if g.upstream.last() != nil {
		t.Error("a body that never came whole reached the upstream")
	}
	silent := dialFrom(t, g, "127.0.0.1")
	if text, err := io.ReadAll(silent); err != nil || len(text) > 0 && !strings.Contains(string(text), " 408 ") {
		t.Errorf("a connection without a request: %q, %v", text, err)
	}
	// A waiting socket says nothing for minutes, and stays.
	f := g.browser()
	f.join()
	socket := f.open()
	socket.next()
	idle := dialFrom(t, g, "127.0.0.1")
	_, _ = io.ReadAll(idle) // an idle connection has had its time meanwhile
	g.draw()
	socket.next()
}

// Between two requests of a connection there is a time of its own: neither that of a
// header nor that of a body ends it here.
func TestAnIdleConnectionIsClosed(t *testing.T) {
	t.Parallel()
	g := newRig(t, func(c *Config, _ *ropeline.Sale) {
		c.Times = Times{Header: time.Hour, Body: time.Hour, Idle: 300 * time.Millisecond}
	})
	c := dialFrom(t, g, "127.0.0.1")
	in := bufio.NewReader(c)
	for range 2 { // it may be used again in time
		_, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: edge\r\n\r\n")
		must(t, err)
		r, err := http.ReadResponse(in, nil)
		must(t, err)
		_, err = io.Copy(io.Discard, r.Body)
		must(t, errors.Join(err, r.Body.Close()))
	}
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
		t.Errorf("an idle connection: %q, %v, want it closed", rest, err)
	}
}

// A header is bounded, by its bytes and by nothing that depends on its form.
func TestHeaderBombsAreRefused(t *testing.T) {
	t.Parallel()
	g := newRig(t, func(c *Config, _ *ropeline.Sale) { c.Limits.Header = 8 << 10 })
	for what, bomb := range map[string]string{
		"one long value": "X-Long: " + strings.Repeat("a", 20<<10) + "\r\n",
		"many names":     strings.Repeat("X-A: b\r\n", 3000),
		"cookies":        "Cookie: " + strings.Repeat("ropeline_place_x=y; ", 1000) + "\r\n",
	} {
		status, _ := rawRequest(t, g, "GET "+placePath(g.sale.ID)+" HTTP/1.1\r\nHost: edge\r\n"+bomb+"\r\n")
		if status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: %d, want 431", what, status)
		}
	}
	if status, _ := rawRequest(t, g, "GET /"+strings.Repeat("a", 20<<10)+" HTTP/1.1\r\nHost: edge\r\n\r\n"); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long address: %d, want 431", status)
	}
	wantStatus(t, g.browser().do("GET", "", "", "X-Usual", strings.Repeat("a", 4<<10)), http.StatusOK)
}

// One address may fill its share of the doors and no more.
func TestConnectionsOfOneAddressAreLimited(t *testing.T) {
	t.Parallel()
	g := newRig(t, func(c *Config, _ *ropeline.Sale) { c.Limits.PerAddress = 3 })
	alive := func(c net.Conn) bool {
		_, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: edge\r\n\r\n")
		if err == nil {
			var r *http.Response
			if r, err = http.ReadResponse(bufio.NewReader(c), nil); err == nil {
				return r.StatusCode == http.StatusOK
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("neither let in nor turned away")
		}
		return false
	}
	for range 3 {
		if !alive(dialFrom(t, g, "127.0.0.7")) {
			t.Fatal("a connection within the limit was turned away")
		}
	}
	if alive(dialFrom(t, g, "127.0.0.7")) {
		t.Error("a fourth connection of one address was let in")
	}
	if !alive(dialFrom(t, g, "127.0.0.8")) {
		t.Error("another address was turned away")
	}
}

// So are its sockets: those beyond are told to poll, which works. Behind a
// trusted proxy the client counts, in IPv6 its /64.
func TestSocketsOfOneAddressAreLimited(t *testing.T) {
	t.Parallel()
	g := newRig(t, bounded(func(l *Limits) { l.PerAddress = 2 }))
	prefix := "2001:db8:" + random(t)[:4] + ":7"
	for i := range 2 {
		f := g.browser()
		f.join()
		f.open("X-Forwarded-For", fmt.Sprintf("%s::%d", prefix, i+1)).next()
	}
	late := g.browser()
	late.join()
	if code := late.open("X-Forwarded-For", prefix+":9::9").closed(); code != wire.CloseOverload {
		t.Errorf("a third socket of a /64: closed with %d, want %d", code, wire.CloseOverload)
	}
	late.poll()
	late.open("X-Forwarded-For", "2001:db8:ffff:8::1").next()
}
