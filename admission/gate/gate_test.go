package gate_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"go.uber.org/goleak"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/gate/fibergate"
	"github.com/ropeline/ropeline/admission/token"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"), // it keeps a clock for good
		goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))                 // half a second, as long as goleak waits
}

// world is what a gate is told by others.
type world struct {
	mu    sync.Mutex
	ended map[string]bool
	blind error
	mode  ropeline.Mode
}

func (w *world) Ended(session string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended[session], w.blind
}

func (w *world) Mode(sale ropeline.SaleID) ropeline.Mode {
	w.mu.Lock()
	defer w.mu.Unlock()
	if sale != "demo" {
		return ropeline.ModeRun
	}
	return cmp.Or(w.mode, ropeline.ModeRun)
}

func (w *world) become(f func(*world)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(w)
}

func newSigner(t testing.TB) *admission.Signer {
	t.Helper()
	text, err := admission.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	s, err := admission.ParseSigner(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sign(t testing.TB, s *admission.Signer, sale ropeline.SaleID, session string) string {
	t.Helper()
	now := time.Now()
	raw, err := s.Sign(token.Claims{Sale: sale, Place: "cGxhY2U", Session: session, IssuedAt: now,
		Expires: now.Add(time.Minute), SessionEnds: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// shops are the same shop behind each of the two middlewares.
func shops(g *gate.Gate, rule gate.Rule) map[string]func(*http.Request) (*http.Response, error) {
	say := func(c token.Claims, ok bool) string {
		if !ok {
			return "nobody in particular"
		}
		return c.Session
	}
	std := g.Middleware(rule)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, say(gate.Claims(r.Context())))
	}))
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(fibergate.New(g, rule))
	app.All("/*", func(c *fiber.Ctx) error { return c.SendString(say(fibergate.Claims(c.Context()))) })
	return map[string]func(*http.Request) (*http.Response, error){
		"net/http": func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			std.ServeHTTP(w, r)
			return w.Result(), nil
		},
		"fiber": func(r *http.Request) (*http.Response, error) { return app.Test(r) },
	}
}

// What one middleware answers the other answers, too.
func TestWhoPassesAShopsGate(t *testing.T) {
	t.Parallel()
	signer := newSigner(t)
	good, over, other := sign(t, signer, "demo", "s1"), sign(t, signer, "demo", "over"), sign(t, signer, "other", "s1")
	forged := sign(t, newSigner(t), "demo", "s1")
	const room = "https://tickets.example/sales/demo"
	one := gate.Rule{Sale: "demo"}
	open := gate.Rule{Sale: "demo", Pass: true}
	led := gate.Rule{Sale: "demo", Room: room}
	h := func(pairs ...string) http.Header {
		header := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			header.Set(pairs[i], pairs[i+1])
		}
		return header
	}
	bearer := func(raw string) http.Header { return h("Authorization", "Bearer "+raw) }
	cookie := func(sale, raw string) http.Header {
		return h("Cookie", "a=b; "+token.Cookie(ropeline.SaleID(sale))+"="+raw)
	}
	page := h("Accept", "text/html,*/*")
	cases := []struct {
		name   string
		rule   gate.Rule
		mode   ropeline.Mode
		blind  bool
		method string
		header http.Header
		status int
		says   string // the handler's text, or the problem's code, or where the browser is sent
	}{
		{"bearer", one, "", false, "", bearer(good), 200, "s1"},
		{"cookie", one, "", false, "POST", cookie("demo", good), 200, "s1"},
		{"cookies in several lines", one, "", false, "", http.Header{"Cookie": {"a=b", token.Cookie("demo") + "=" + good}}, 200, "s1"},
		{"nothing", one, "", false, "", nil, 401, "token-missing"},
		{"a forged token", one, "", false, "", bearer(forged), 401, "token-invalid"},
		{"an ended session", one, "", false, "", bearer(over), 401, "token-revoked"},
		{"a blind gate", one, "", true, "", bearer(good), 503, "gate-blind"},
		{"a token of another sale", one, "", false, "", bearer(other), 401, "token-other-sale"},
		{"another sale's token in our cookie", one, "", false, "", cookie("demo", other), 401, "token-other-sale"},
		{"another sale's cookie", one, "", false, "", cookie("other", other), 401, "token-missing"},
		{"any sale: the header names the cookie", gate.Rule{}, "", false, "", merge(cookie("other", other), h(token.SaleHeader, "other")), 200, "s1"},
		{"any sale: no name, no cookie", gate.Rule{}, "", false, "", cookie("other", other), 401, "token-missing"},

		{"stopped", one, ropeline.ModeStop, false, "", bearer(good), 503, "sale-stopped"},
		{"stopped, without a token", one, ropeline.ModeStop, false, "", nil, 503, "sale-stopped"},
		{"stopped, a page", led, ropeline.ModeStop, false, "", page, 503, "sale-stopped"},
		{"stopped, any sale", gate.Rule{}, ropeline.ModeStop, false, "", bearer(good), 503, "sale-stopped"},
		{"another sale is stopped", gate.Rule{}, ropeline.ModeStop, false, "", bearer(other), 200, "s1"},
		{"passing, where the shop does not allow it", one, ropeline.ModePass, false, "", nil, 401, "token-missing"},
		{"passing, nothing", open, ropeline.ModePass, false, "", nil, 200, "nobody in particular"},
		{"passing, a token", open, ropeline.ModePass, false, "", bearer(good), 200, "s1"},
		{"passing, an ended session", open, ropeline.ModePass, false, "", bearer(over), 200, "nobody in particular"},
		{"passing allowed but not the mode", open, ropeline.ModeRun, false, "", nil, 401, "token-missing"},
		{"paused", one, ropeline.ModePause, false, "", bearer(good), 200, "s1"},

		{"a page without a token", led, "", false, "", page, 303, room},
		{"a page with a bad token", led, "", false, "", merge(page, cookie("demo", forged)), 303, room},
		{"a page of a browser that says what it does", led, "", false, "", h("Sec-Fetch-Mode", "navigate"), 303, room},
		{"an image in a page", led, "", false, "", h("Sec-Fetch-Mode", "no-cors", "Accept", "text/html,*/*"), 401, "token-missing"},
		{"a form", led, "", false, "POST", page, 401, "token-missing"},
		{"an app", led, "", false, "", h("Accept", "application/json"), 401, "token-missing"},
		{"a page at a blind gate", led, "", true, "", merge(page, bearer(good)), 503, "gate-blind"},
	}
	for _, c := range cases {
		w := &world{ended: map[string]bool{"over": true}, mode: c.mode}
		if c.blind {
			w.blind = &ropeline.Error{Kind: ropeline.Unavailable, Code: "gate-blind", RetryAfter: time.Second}
		}
		g := gate.New(token.NewCache(token.NewVerifier(signer.KeySet(), time.Now), 0), w, w)
		for name, ask := range shops(g, c.rule) {
			for range 2 { // the second time the token is known
				r := httptest.NewRequest(cmp.Or(c.method, "GET"), "http://shop.example/x", nil)
				r.Header = merge(c.header)
				resp, err := ask(r)
				if err != nil {
					t.Fatal(err)
				}
				if status, says := resp.StatusCode, answer(t, resp); status != c.status || says != c.says {
					t.Errorf("%s (%s): %d %q, want %d %q", c.name, name, status, says, c.status, c.says)
				}
				if resp.StatusCode == 503 && resp.Header.Get("Retry-After") == "" || resp.StatusCode != 200 && resp.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s (%s): headers are %v", c.name, name, resp.Header)
				}
			}
		}
	}
}

func merge(headers ...http.Header) http.Header {
	all := http.Header{}
	for _, h := range headers {
		for name, values := range h {
			all[name] = values
		}
	}
	return all
}

func answer(t *testing.T, resp *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	if to := resp.Header.Get("Location"); to != "" {
		return to
	}
	if resp.Header.Get("Content-Type") != "application/problem+json" {
		return string(body)
	}
	var p ropeline.Problem
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatal(err)
	}
	return p.Type[len(ropeline.ProblemType):]
}

// A session that ends, a sale that is stopped, and what becomes of either later
// count from the next request on, though the token was verified long ago.
func TestWhatBecameOfASessionIsAskedOnEachRequest(t *testing.T) {
	t.Parallel()
	signer := newSigner(t)
	raw := sign(t, signer, "demo", "s1")
	w := &world{ended: map[string]bool{}}
	g := gate.New(token.NewCache(token.NewVerifier(signer.KeySet(), time.Now), 0), w, w)
	for _, step := range []struct {
		does func(*world)
		want error
	}{
		{func(*world) {}, nil},
		{func(w *world) { w.mode = ropeline.ModeStop }, gate.ErrStopped},
		{func(w *world) { w.mode = ropeline.ModeRun }, nil},
		{func(w *world) { w.ended["s1"] = true }, token.ErrRevoked},
		{func(w *world) { w.blind = errBlind }, errBlind},
	} {
		w.become(step.does)
		if _, err := g.Check(raw); !errors.Is(err, step.want) {
			t.Errorf("%v, want %v", err, step.want)
		}
	}
}

var errBlind = errors.New("blind")

func BenchmarkCheck(b *testing.B) {
	signer := newSigner(b)
	w := &world{}
	g := gate.New(token.NewCache(token.NewVerifier(signer.KeySet(), time.Now), 0), w, w)
	raw := sign(b, signer, "demo", "s1")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Check(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// Fifty browsers that share a token share its rate, whichever tokens of the
// session they have; another session does not.
func TestOneSessionHasOneRateInAllItsBrowsers(t *testing.T) {
	t.Parallel()
	signer, clock := newSigner(t), &hands{now: time.Now()}
	for name := range shops(gate.New(nil, nil, nil), gate.Rule{}) {
		g := gate.New(token.NewCache(token.NewVerifier(signer.KeySet(), time.Now), 0), nil, nil).WithRate(120, clock.time)
		shop := shops(g, gate.Rule{Sale: "demo"})[name]
		ask := func(raw string) *http.Response {
			r := httptest.NewRequest("GET", "/buy", nil)
			r.Header.Set("Authorization", "Bearer "+raw)
			resp, err := shop(r)
			if err != nil {
				t.Error(err)
				return nil
			}
			resp.Body.Close()
			return resp
		}
		renewed, err := signer.Sign(token.Claims{Sale: "demo", Place: "cGxhY2U", Session: "shared", IssuedAt: time.Now(),
			Expires: time.Now().Add(30 * time.Second), SessionEnds: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		tokens := []string{sign(t, signer, "demo", "shared"), renewed}
		var browsers sync.WaitGroup
		var passed, limited atomic.Int64
		for i := range 50 {
			browsers.Go(func() {
				for range 4 {
					switch resp := ask(tokens[i%2]); resp.StatusCode {
					case http.StatusOK:
						passed.Add(1)
					case http.StatusTooManyRequests:
						if limited.Add(1); resp.Header.Get("Retry-After") != "60" {
							t.Errorf("%s: Retry-After %q, want the rest of the minute", name, resp.Header.Get("Retry-After"))
						}
					default:
						t.Errorf("%s: %d", name, resp.StatusCode)
					}
				}
			})
		}
		browsers.Wait()
		if passed.Load() != 120 || limited.Load() != 80 {
			t.Errorf("%s: %d passed and %d were too many, want 120 and 80", name, passed.Load(), limited.Load())
		}
		if resp := ask(sign(t, signer, "demo", "another")); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: another session: %d", name, resp.StatusCode)
		}
		clock.turn(time.Minute)
		if resp := ask(tokens[0]); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: a minute later: %d", name, resp.StatusCode)
		}
		clock.turn(-time.Hour) // a clock that is set back stops nobody for an hour
		if resp := ask(tokens[0]); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: after the clock was set: %d", name, resp.StatusCode)
		}
	}
}

// hands are those of a clock.
type hands struct {
	mu  sync.Mutex
	now time.Time
}

func (h *hands) time() time.Time { h.mu.Lock(); defer h.mu.Unlock(); return h.now }

func (h *hands) turn(by time.Duration) { h.mu.Lock(); defer h.mu.Unlock(); h.now = h.now.Add(by) }
