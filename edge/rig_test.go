package edge

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/edge/visitor"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// patience is how long a test waits for something that must happen.
const patience = 10 * time.Second

// rig is one edge on a free port, with a sale of its own on real Redis and two
// upstreams that record what reaches them.
type rig struct {
	testing.TB
	store    *queue.Store
	signer   *admission.Signer
	server   *Server
	url      string
	sale     ropeline.Sale
	stop     func() // and wait
	upstream *upstream
	logged   *devtest.Logbook
	accepted *atomic.Int64 // connections
}

type countingListener struct {
	net.Listener
	accepted atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	l.accepted.Add(1)
	return conn, err
}

// option changes what a rig is built from.
type option func(*Config, *ropeline.Sale)

// opened is a sale whose lobby has closed; it still must be drawn.
func opened(_ *Config, s *ropeline.Sale) {
	s.LobbyClosesAt, s.OpensAt = time.Now().Add(-2*time.Second), time.Now().Add(-time.Second)
}

// paced changes the times of sockets.
func paced(change func(*pace)) option { return func(c *Config, _ *ropeline.Sale) { change(&c.pace) } }

// shut is a sale that admits nobody.
func shut(_ *Config, s *ropeline.Sale) { s.Cap = 0 }

func newRig(tb testing.TB, options ...option) *rig {
	tb.Helper()
	return newRigOn(tb, devtest.Redis(tb), options...)
}

func newRigOn(tb testing.TB, rdb redis.UniversalClient, options ...option) *rig {
	tb.Helper()
	key := bytes.Repeat([]byte{7}, 32)
	text, err := admission.GenerateKey()
	must(tb, err)
	signer, err := admission.ParseSigner(text)
	must(tb, err)
	jwks, err := signer.KeySet().JWKS()
	must(tb, err)
	up := newUpstream(tb)
	g := &rig{TB: tb, store: queue.New(rdb, queue.Keys{Place: key, Seed: key, Code: key}), signer: signer, upstream: up, logged: &devtest.Logbook{}}
	g.sale = ropeline.Sale{
		ID: ropeline.SaleID("edge-" + random(tb)), Version: 1, Title: "The Lanterns",
		LobbyClosesAt: time.Now().Add(time.Hour), OpensAt: time.Now().Add(time.Hour + time.Minute), EndsAt: time.Now().Add(24 * time.Hour),
		Performances: []ropeline.PerformanceID{"01939f4e-7a00-7000-8000-00000000aaaa"},
		Cap:          1000, Rate: ropeline.MaxRate, ClaimWindow: 60, TokenLife: 60, SessionMax: 1800,
		Hold: 600, HoldExtensions: 1, UnitsPerHold: 6,
	}
	config := Config{
		Store: g.store, Redis: rdb, Signer: signer, JWKS: func() []byte { return jwks }, TermsJWKS: jwks, BookingURL: up.url, OpsURL: up.url,
		Visitors: map[ropeline.VisitorKind]Visitors{
			ropeline.VisitorBrowser: visitor.NewBrowsers("secret", rand.Reader, time.Now),
		},
		Limits: Limits{Joins: -1, Requests: -1, Handovers: -1}, Log: slog.New(slog.NewTextHandler(g.logged, nil)), pace: usualPace,
	}
	config.pace.near, config.pace.far = 50*time.Millisecond, 100*time.Millisecond
	for _, o := range options {
		o(&config, &g.sale)
	}
	must(tb, g.store.PublishSale(tb.Context(), g.sale))
	g.server, err = New(config)
	must(tb, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(tb, err)
	door := &countingListener{Listener: ln}
	g.accepted = &door.accepted
	g.serve(door)
	g.url = "http://" + ln.Addr().String()
	wantStatus(tb, g.browser().do("GET", "/healthz", ""), http.StatusOK) // it runs
	return g
}

// serve runs the edge until the test ends or stop is called.
func (g *rig) serve(ln net.Listener) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.server.Serve(ctx, ln) }()
	g.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			g.Errorf("serving: %v", err)
		}
		g.store.Close()
	})
	g.Cleanup(g.stop)
}

// draw closes the lobby, if it is open still, and opens the line.
func (g *rig) draw() {
	g.Helper()
	if g.sale.LobbyClosesAt.After(time.Now()) {
		g.sale.Version++
		opened(nil, &g.sale)
		must(g.TB, g.store.PublishSale(g.Context(), g.sale))
	}
	must(g.TB, g.store.Draw(g.Context(), g.sale.ID))
	g.tick()
}

// steer changes how the sale admits.
func (g *rig) steer(t *testing.T, mode ropeline.Mode, reason string) {
	t.Helper()
	g.explain(t, mode, reason, nil)
}

func (g *rig) explain(t *testing.T, mode ropeline.Mode, reason string, public map[string]string) {
	t.Helper()
	_, err := g.store.Steer(t.Context(), g.sale.ID, queue.Change{Set: queue.Settings{Mode: &mode}, By: "sre", Reason: reason, Public: public})
	must(t, err)
}

func (g *rig) tick() queue.State {
	g.Helper()
	ticked, err := g.store.Tick(g.Context(), g.sale.ID, "controller", time.Minute)
	must(g.TB, err)
	return ticked.State
}

// snapshot is the line as it is in the store.
func (g *rig) snapshot() queue.State {
	g.Helper()
	state, err := g.store.State(g.Context(), g.sale.ID)
	must(g.TB, err)
	return state
}

// admit ticks until as many offers were made in all.
func (g *rig) admit(offers int64) {
	g.Helper()
	g.until("offers are made", func() bool { return g.tick().LastOffer >= offers })
}

// until waits for a condition, and asks as often as a controller ticks.
func (g *rig) until(what string, holds func() bool) {
	g.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.After(patience); !holds(); {
		select {
		case <-ticker.C:
		case <-deadline:
			g.Fatalf("waited in vain: %s", what)
		}
	}
}

// fan is a client: a browser with cookies, or an app with a ticket.
type fan struct {
	*rig
	client *http.Client
	app    bool
	ticket string
}

// browser returns a fan whose requests look like those of our own pages.
func (g *rig) browser() *fan {
	g.Helper()
	jar, err := cookiejar.New(nil)
	must(g.TB, err)
	transport := &http.Transport{}
	g.Cleanup(transport.CloseIdleConnections)
	return &fan{rig: g, client: &http.Client{Jar: secureJar{jar}, Transport: transport}}
}

// secureJar gives Secure cookies back over plain HTTP too, as browsers do on
// loopback.
type secureJar struct{ http.CookieJar }

func (j secureJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.CookieJar.SetCookies(secure(u), cookies)
}
func (j secureJar) Cookies(u *url.URL) []*http.Cookie { return j.CookieJar.Cookies(secure(u)) }

func secure(u *url.URL) *url.URL {
	c := *u
	c.Scheme = "https"
	return &c
}

// phone returns a fan without cookies.
func (g *rig) phone() *fan {
	f := g.browser()
	f.client.Jar, f.app = nil, true
	return f
}

// reply is an answer read to its end.
type reply struct {
	*http.Response
	body []byte
}

// do sends a request below the fan's sale; header is name, value, name, …
func (f *fan) do(method, path, body string, header ...string) reply {
	f.Helper()
	if !strings.HasPrefix(path, "/") {
		path = strings.TrimSuffix("/api/v1/sales/"+string(f.sale.ID)+"/"+path, "/")
	}
	r, err := http.NewRequestWithContext(f.Context(), method, f.url+path, strings.NewReader(body))
	must(f.TB, err)
	if f.app {
		r.Header.Set(wire.AppHeader, "1")
		if f.ticket != "" {
			r.Header.Set("Authorization", "Bearer "+f.ticket)
		}
	} else {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i < len(header); i += 2 {
		if r.Header.Del(header[i]); header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := f.client.Do(r)
	must(f.TB, err)
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	must(f.TB, err)
	return reply{resp, content}
}

// join joins and returns the status.
func (f *fan) join() wire.Status {
	f.Helper()
	r := f.do("POST", "place", "")
	if r.StatusCode != http.StatusCreated && r.StatusCode != http.StatusOK {
		f.Fatalf("join: %d %s", r.StatusCode, r.body)
	}
	s := read[wire.Status](f.TB, r)
	f.ticket = s.Ticket
	return s
}

func (f *fan) poll() wire.Status {
	f.Helper()
	return read[wire.Status](f.TB, wantStatus(f.TB, f.do("GET", "place", ""), http.StatusOK))
}

func (f *fan) claim() wire.Admission {
	f.Helper()
	return read[wire.Admission](f.TB, wantStatus(f.TB, f.do("POST", "place/claim", "{}"), http.StatusOK))
}

// cookie returns the value of a cookie that the fan would send for a path.
func (f *fan) cookie(name, path string) string {
	u, err := url.Parse(f.url + path)
	must(f.TB, err)
	for _, c := range f.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// raw returns the place ticket that the fan holds.
func (f *fan) raw() string {
	if f.app {
		return f.ticket
	}
	return f.cookie(wire.PlaceCookie(f.sale.ID), placePath(f.sale.ID)+"/place")
}

func (g *rig) verifier() *token.Verifier { return token.NewVerifier(g.signer.KeySet(), time.Now) }

func wantStatus(tb testing.TB, r reply, status int) reply {
	tb.Helper()
	if r.StatusCode != status {
		tb.Fatalf("%s %s: %d, want %d: %s", r.Request.Method, r.Request.URL.Path, r.StatusCode, status, r.body)
	}
	return r
}

// wantProblem checks that an answer is the problem document of this code.
func wantProblem(tb testing.TB, r reply, status int, code string) {
	tb.Helper()
	wantStatus(tb, r, status)
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		tb.Errorf("content type %q, want a problem document", got)
	}
	p := read[ropeline.Problem](tb, r)
	if p.Type != ropeline.ProblemType+code || p.Status != status || p.Title == "" || p.Detail == "" {
		tb.Errorf("%s %s: problem %+v, want %s", r.Request.Method, r.Request.URL.Path, p, code)
	}
}

func read[T any](tb testing.TB, r reply) T {
	tb.Helper()
	var doc T
	if err := json.Unmarshal(r.body, &doc); err != nil {
		tb.Fatalf("%s %s: %d: %v: %q", r.Request.Method, r.Request.URL.Path, r.StatusCode, err, r.body)
	}
	return doc
}

// upstream answers every request and keeps the last ones.
type upstream struct {
	url *url.URL

	mu   sync.Mutex
	seen []*http.Request
}

func newUpstream(tb testing.TB) *upstream {
	up := &upstream{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		up.mu.Lock()
		up.seen = append(up.seen, r)
		up.mu.Unlock()
		if err != nil {
			return // cut on the way
		}
		w.Header().Set("Ropeline-Session", "end")
		w.Header().Set("X-Upstream", r.URL.Path)
		w.WriteHeader(http.StatusTeapot)
	}))
	tb.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	must(tb, err)
	up.url = u
	return up
}

// last returns the newest request that came, nil if none did.
func (u *upstream) last() *http.Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.seen) == 0 {
		return nil
	}
	return u.seen[len(u.seen)-1]
}

func random(tb testing.TB) string {
	b := make([]byte, 6)
	_, err := rand.Read(b)
	must(tb, err)
	return hex.EncodeToString(b)
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
