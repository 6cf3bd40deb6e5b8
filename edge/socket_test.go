package edge

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// tab is one open WebSocket of a fan.
type tab struct {
	*fan
	conn *websocket.Conn
}

// open opens a socket with the fan's ticket in a cookie or a header.
func (f *fan) open(header ...string) *tab {
	f.Helper()
	conn, resp, err := f.dial(header...)
	if err != nil {
		f.Fatalf("opening a socket: %v (%v)", err, resp)
	}
	f.Cleanup(func() { _ = conn.CloseNow() })
	return &tab{f, conn}
}

func (f *fan) dial(header ...string) (*websocket.Conn, *http.Response, error) {
	return f.dialPath(placePath(f.sale.ID)+"/place/live", header...)
}

func (f *fan) dialPath(path string, header ...string) (*websocket.Conn, *http.Response, error) {
	h := http.Header{"Origin": {f.url}}
	if f.app {
		h.Set("Authorization", "Bearer "+f.ticket)
	} else {
		h.Set("Cookie", wire.PlaceCookie(f.sale.ID)+"="+f.raw())
	}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	return websocket.Dial(ctx, f.url+path, &websocket.DialOptions{
		HTTPHeader: h, HTTPClient: &http.Client{Transport: f.client.Transport},
	})
}

// next reads one frame.
func (b *tab) next() wire.Status {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	kind, frame, err := b.conn.Read(ctx)
	must(b.TB, err)
	var s wire.Status
	if err := json.Unmarshal(frame, &s); err != nil || kind != websocket.MessageText || s.NextContact != 0 || s.Ticket != "" {
		b.Fatalf("frame %q: %v", frame, err)
	}
	return s
}

// await reads frames until one is as wanted.
func (b *tab) await(what string, wanted func(wire.Status) bool) wire.Status {
	b.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if s := b.next(); wanted(s) {
			return s
		}
	}
	b.Fatalf("no frame came: %s", what)
	return wire.Status{}
}

// closed reads to the end and returns the code the edge closed with, -1 if it
// just cut the connection.
func (b *tab) closed() websocket.StatusCode {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	for {
		if _, _, err := b.conn.Read(ctx); err != nil {
			if ctx.Err() != nil {
				b.Fatal("the socket was not closed")
			}
			return websocket.CloseStatus(err)
		}
	}
}

func in(state ropeline.PlaceState) func(wire.Status) bool {
	return func(s wire.Status) bool { return s.State == state }
}

func TestSocketFollowsAPlaceFromLobbyToTheEnd(t *testing.T) {
	t.Parallel()
	g := newRig(t, func(_ *Config, s *ropeline.Sale) { s.Cap = 1 })
	f, later := g.browser(), g.browser()
	f.join()
	b := f.open()
	if s := b.next(); s.State != ropeline.PlaceCollected || s.Sale.Phase != ropeline.PhaseLobby {
		t.Fatalf("first frame %+v", s)
	}
	g.draw()
	later.join() // behind the lobby
	c := later.open()
	s := b.await("the draw gives a position", func(s wire.Status) bool { return s.Position != nil })
	if s.State != ropeline.PlaceWaiting || *s.Position != 0 || s.Epoch == "" {
		t.Errorf("after the draw %+v", s)
	}
	g.admit(1)
	offered := b.await("the offer", in(ropeline.PlaceOffered))
	if offered.Offer == nil || offered.Offer.Number != 1 || !offered.Offer.ClaimBy.After(offered.Sale.Now) {
		t.Errorf("offer frame %+v", offered)
	}
	waiting := c.await("the fan behind moves up", func(s wire.Status) bool { return s.Position != nil && *s.Position == 0 && *s.Served == 1 })
	if waiting.State != ropeline.PlaceWaiting || waiting.Sale.Entrants != 1 {
		t.Errorf("the fan behind %+v", waiting)
	}
	admission := f.claim()
	active := b.await("the session", in(ropeline.PlaceActive))
	if active.Session == nil || active.Session.ID != admission.Session.ID {
		t.Errorf("active frame %+v, claimed %+v", active, admission)
	}
	wantStatus(t, f.do("DELETE", "session", ""), http.StatusNoContent)
	b.await("the end", in(ropeline.PlaceDone))
	if code := b.closed(); code != wire.CloseFinal {
		t.Errorf("closed with %d, want %d", code, wire.CloseFinal)
	}
	g.admit(2)
	c.await("the next offer", in(ropeline.PlaceOffered))
}

func TestManyTabsOfOnePlaceShowTheSame(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened)
	g.draw()
	f := g.browser()
	f.join()
	tabs := []*tab{f.open(), f.open(), f.open()}
	g.admit(1)
	for _, b := range tabs {
		b.await("the offer in every tab", in(ropeline.PlaceOffered))
	}
	wantStatus(t, f.do("DELETE", "place", ""), http.StatusNoContent)
	for _, b := range tabs {
		b.await("the leave in every tab", in(ropeline.PlaceLeft))
		if code := b.closed(); code != wire.CloseFinal {
			t.Errorf("closed with %d, want %d", code, wire.CloseFinal)
		}
	}
}

func TestOfferThatIsNotClaimedIsShownExpired(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened, func(_ *Config, s *ropeline.Sale) { s.ClaimWindow = 1 })
	g.draw()
	f := g.browser()
	f.join()
	b := f.open()
	g.admit(1)
	b.await("the offer", in(ropeline.PlaceOffered))
	b.await("its end, without anybody saying so", in(ropeline.PlaceExpired))
	if code := b.closed(); code != wire.CloseFinal {
		t.Errorf("closed with %d, want %d", code, wire.CloseFinal)
	}
	wantProblem(t, f.do("POST", "place/claim", ""), http.StatusGone, "offer-expired")
}

func TestLeavingTheLobbyReachesTheOtherTab(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	f := g.browser()
	f.join()
	b := f.open()
	b.next()
	wantStatus(t, f.do("DELETE", "place", ""), http.StatusNoContent)
	b.await("the leave", in(ropeline.PlaceLeft))
}

func TestPauseIsPushedAtOnce(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened, shut, paced(func(p *pace) { p.near, p.far = time.Hour, time.Hour })) // nothing but what may not wait
	g.draw()
	f := g.browser()
	f.join()
	b := f.open()
	b.next()
	g.steer(t, ropeline.ModePause, "The band asked for ten minutes.")
	g.tick()
	if s := b.next(); !s.Sale.Paused || s.Sale.Reason != "The band asked for ten minutes." {
		t.Errorf("frame %+v, want the pause", s)
	}
	g.steer(t, ropeline.ModeRun, "")
	g.tick()
	if s := b.next(); s.Sale.Paused || s.Sale.Reason != "" {
		t.Errorf("frame %+v, want the end of the pause", s)
	}
}

func TestFramesAreAtMostOneAPace(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened, shut, paced(func(p *pace) { p.near, p.far = 300*time.Millisecond, 300*time.Millisecond }))
	g.draw()
	f := g.browser()
	f.join()
	b := f.open()
	b.next()
	for last := time.Now(); ; { // everything that joins changes what is shown
		g.browser().join()
		g.tick()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, frame, err := b.conn.Read(ctx)
		cancel()
		must(t, err)
		now := time.Now()
		if gap := now.Sub(last); gap < 200*time.Millisecond { // what is read has been under way: some slack
			t.Fatalf("two frames within %s: %s", gap, frame)
		}
		last = now
		var s wire.Status
		must(t, json.Unmarshal(frame, &s))
		if s.Sale.Entrants >= 4 {
			return
		}
	}
}

func TestAWakeIsNoReasonToExceedThePace(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	g := newRigOn(t, rdb, opened, shut, paced(func(p *pace) { p.near, p.far = time.Hour, time.Hour }))
	g.draw()
	f := g.browser()
	f.join()
	b := f.open()
	b.next()
	ticket, err := g.store.ReadTicket(g.sale.ID, f.raw())
	must(t, err)
	for range 5 { // each differs from what was shown, none is urgent
		g.browser().join()
		g.tick()
		must(t, rdb.Publish(t.Context(), "ropeline:{"+string(g.sale.ID)+"}:changed", string(ticket.Place)).Err())
	}
	g.steer(t, ropeline.ModePause, "a break")
	g.tick()
	if s := b.next(); !s.Sale.Paused {
		t.Errorf("frame %+v came before its time", s)
	}
}

func TestUnchangedStatusIsNotSentAgain(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened, shut, paced(func(p *pace) { p.near, p.far = time.Millisecond, time.Millisecond }))
	g.draw()
	f := g.browser()
	f.join()
	b := f.open()
	g.tick()
	b.await("the fan sees itself", func(s wire.Status) bool { return s.Sale.Entrants == 1 })
	for range 20 {
		g.tick() // moves now and seq, nothing that is shown
	}
	g.browser().join()
	g.tick()
	if s := b.next(); s.Sale.Entrants != 2 {
		t.Errorf("next frame %+v, want the one with a difference", s)
	}
}

func TestClientFramesEndTheSocket(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	f := g.browser()
	f.join()
	for name, send := range map[string]func(*tab) error{
		"text":   func(b *tab) error { return b.conn.Write(t.Context(), websocket.MessageText, []byte("hello")) },
		"binary": func(b *tab) error { return b.conn.Write(t.Context(), websocket.MessageBinary, make([]byte, 100_000)) },
		"empty":  func(b *tab) error { return b.conn.Write(t.Context(), websocket.MessageText, nil) },
		"fragments without end": func(b *tab) error {
			w, err := b.conn.Writer(t.Context(), websocket.MessageText)
			if err == nil {
				_, err = w.Write(make([]byte, 8192)) // more than the client buffers
			}
			return err
		},
	} {
		b := f.open()
		b.next()
		must(t, send(b))
		if code := b.closed(); code != wire.CloseInvalid {
			t.Errorf("%s frame: closed with %d, want %d", name, code, wire.CloseInvalid)
		}
	}
	if s := f.poll(); s.State != ropeline.PlaceCollected {
		t.Errorf("the place suffered: %+v", s)
	}
}

func TestSocketHandshakesAreChecked(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	f := g.browser()
	f.join()
	refused := func(status int, code string, header ...string) {
		t.Helper()
		conn, resp, err := f.dial(header...)
		if err == nil {
			_ = conn.CloseNow()
			t.Fatalf("the handshake with %v was taken", header)
		}
		if resp == nil || resp.StatusCode != status {
			t.Fatalf("%v: %v, want %d", header, err, status)
		}
		body, err := io.ReadAll(resp.Body)
		must(t, err)
		resp.Request, err = http.NewRequest("GET", g.url, nil)
		must(t, err)
		wantProblem(t, reply{resp, body}, status, code)
	}
	refused(http.StatusForbidden, "origin-mismatch", "Origin", "https://evil.example")
	refused(http.StatusForbidden, "origin-mismatch", "Origin", "null")
	refused(http.StatusUnauthorized, "place-ticket-missing", "Cookie", "")
	refused(http.StatusUnauthorized, "place-ticket-invalid", "Cookie", wire.PlaceCookie(g.sale.ID)+"=x")
	wantProblem(t, f.do("GET", "place/live", ""), http.StatusUpgradeRequired, "upgrade-required")
	wantProblem(t, f.do("GET", "place/live?ticket="+f.raw(), "", "Cookie", ""), http.StatusUpgradeRequired, "upgrade-required")
	for name, handshake := range map[string]string{
		"no Connection":  "GET %s HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
		"two keys":       "GET %s HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
		"HTTP/1.0":       "GET %s HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
		"an odd version": "GET %s HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
	} {
		request := fmt.Sprintf(handshake, placePath(g.sale.ID)+"/place/live") + "Host: edge\r\nCookie: " + wire.PlaceCookie(g.sale.ID) + "=" + f.raw() + "\r\n\r\n"
		if status, body := rawRequest(t, g, request); status != http.StatusUpgradeRequired || !strings.Contains(body, "upgrade-required") {
			t.Errorf("a handshake with %s: %d %s", name, status, body)
		}
	}
	conn, _, err := websocket.Dial(t.Context(), g.url+placePath(g.sale.ID)+"/place/live?ticket="+f.raw(), nil)
	if err == nil {
		_ = conn.CloseNow()
		t.Error("a ticket in the address was taken: it would stand in every log")
	}
}

func TestShutdownTellsSocketsToComeBack(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	f := g.browser()
	f.join()
	b := f.open()
	b.next()
	stopped := make(chan struct{})
	go func() { g.stop(); close(stopped) }()
	if code := b.closed(); code != wire.CloseRestart {
		t.Errorf("closed with %d, want %d", code, wire.CloseRestart)
	}
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Fatal("the edge did not stop")
	}
}

func TestSocketsAreBounded(t *testing.T) {
	t.Parallel()
	g := newRig(t, func(c *Config, _ *ropeline.Sale) { c.Limits.Sockets = 2 })
	f := g.browser()
	f.join()
	first, second := f.open(), f.open()
	first.next()
	second.next()
	third := f.open() // a page can only read a close code, not why a handshake failed
	if code := third.closed(); code != wire.CloseOverload {
		t.Errorf("closed with %d, want %d", code, wire.CloseOverload)
	}
	g.until("the room that the third took is free", func() bool {
		g.server.sockets.mu.Lock()
		defer g.server.sockets.mu.Unlock()
		return g.server.sockets.used == 2
	})
	must(t, first.conn.Close(websocket.StatusNormalClosure, ""))
	g.until("a closed socket makes room", func() bool {
		conn, _, err := f.dial()
		if err != nil { // the one of the try before is not gone yet
			return false
		}
		defer func() { _ = conn.CloseNow() }()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, _, err = conn.Read(ctx)
		return err == nil
	})
	g.server.sockets.mu.Lock()
	g.server.sockets.most = 0 // and one is still told politely, which is taken:
	g.server.sockets.used++
	g.server.sockets.mu.Unlock()
	_, resp, err := f.dial()
	if err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") != "10" {
		t.Errorf("beyond the bound: %v, %v, want 503 with Retry-After", err, resp)
	}
	g.server.sockets.mu.Lock()
	g.server.sockets.used--
	g.server.sockets.mu.Unlock()
}

// pipes is a listener of connections without any buffer: what the client does
// not read stops the writer at once.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// slowReader opens a socket over a pipe and reads nothing after the handshake.
func slowReader(g *rig, f *fan, p *pipes) (net.Conn, *bufio.Reader) {
	g.Helper()
	client, server := net.Pipe()
	g.Cleanup(func() { _ = client.Close() })
	p.conns <- server
	must(g.TB, client.SetDeadline(time.Now().Add(patience)))
	_, err := fmt.Fprintf(client, "GET %s/place/live HTTP/1.1\r\nHost: edge\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer %s\r\n\r\n", placePath(g.sale.ID), f.raw())
	must(g.TB, err)
	br := bufio.NewReaderSize(client, 16)
	for {
		line, err := br.ReadString('\n')
		must(g.TB, err)
		if line == "\r\n" {
			return client, br
		}
	}
}

func TestSlowReadersAreToldToComeBackOrCut(t *testing.T) {
	t.Parallel()
	g := newRig(t, paced(func(p *pace) { p.Slow, p.Cut = 50*time.Millisecond, time.Second }))
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	hs := &http.Server{Handler: g.server.Handler()}
	served := make(chan error, 1)
	go func() { served <- hs.Serve(p) }()
	t.Cleanup(func() { _ = hs.Close(); <-served })
	f := g.browser()
	f.join()

	late, br := slowReader(g, f, p)
	<-time.After(4 * g.server.pace.Slow) // being slow is the point
	must(t, late.SetDeadline(time.Now().Add(patience)))
	if frame, err := io.ReadAll(br); !strings.Contains(string(frame), string([]byte{4001 >> 8, 4001 & 0xff})) {
		t.Errorf("a late reader was sent %q (%v), want close code 4001", frame, err)
	}

	dead, _ := slowReader(g, f, p)
	g.until("a reader that never reads is cut", func() bool {
		_, err := dead.Write([]byte{0x8a, 0x80, 0, 0, 0, 0}) // an empty pong, which is always read
		return errors.Is(err, io.ErrClosedPipe)
	})
}

func TestSilentPeersAreFoundByPings(t *testing.T) {
	t.Parallel()
	g := newRig(t, paced(func(p *pace) { p.Ping = 100 * time.Millisecond }))
	f := g.browser()
	f.join()
	b := f.open() // and never reads, so that no pong is sent
	g.until("the silent socket is gone", func() bool {
		g.server.sockets.mu.Lock()
		defer g.server.sockets.mu.Unlock()
		return g.server.sockets.used == 0
	})
	if code := b.closed(); code != -1 {
		t.Errorf("closed with %d, want a cut", code)
	}
}

func TestSocketsLiveThroughARedisRestart(t *testing.T) {
	t.Parallel()
	private := devtest.PrivateRedis(t)
	g := newRigOn(t, private.Client, opened, shut)
	g.draw()
	f := g.browser()
	f.join()
	b := f.open()
	b.next()
	private.Kill()
	b.await("the socket says what is wrong", func(s wire.Status) bool { return s.Sale.Trouble == wire.TroubleAway })
	for _, method := range []string{"GET", "POST"} { // who has a place is answered from memory
		if s := read[wire.Status](t, wantStatus(t, f.do(method, "place", ""), http.StatusOK)); s.Sale.Trouble != wire.TroubleAway {
			t.Errorf("%s place says trouble %q while the store is away", method, s.Sale.Trouble)
		}
	}
	wantProblem(t, g.browser().do("POST", "place", ""), http.StatusServiceUnavailable, "store-away")
	wantProblem(t, f.do("GET", "/readyz", ""), http.StatusServiceUnavailable, "store-away")
	wantStatus(t, f.do("GET", "/healthz", ""), http.StatusOK)
	wantStatus(t, f.do("GET", "", ""), http.StatusOK) // from the last view
	private.Start()
	g.until("Redis is back", func() bool { return f.do("GET", "/readyz", "").StatusCode == http.StatusOK })
	// Its last second may be lost: the line is put together again first.
	g.until("the line has settled", func() bool {
		ticked, err := g.store.Tick(t.Context(), g.sale.ID, "controller", time.Minute)
		return err == nil && !ticked.Settling
	})
	g.until("somebody can join", func() bool { return g.browser().do("POST", "place", "").StatusCode == http.StatusCreated })
	g.tick()
	b.await("the socket shows the newcomer", func(s wire.Status) bool { return s.State == ropeline.PlaceWaiting && s.Sale.Entrants == 2 })
}
