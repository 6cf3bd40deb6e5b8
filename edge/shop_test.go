package edge

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestTheEdgeIsAProxyItself(t *testing.T) {
	t.Parallel()
	g := newGated(t, func(c *Config, _ *ropeline.Sale) { c.TrustedProxies = nil })
	at := strings.TrimPrefix(g.url, "http://")
	frontedBy(t, g, at, 2)
	before := g.upstream.count()
	for _, raw := range []string{
		"CONNECT shop.example:80 HTTP/1.1\r\nHost: shop.example:80\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		if resp, body := send(t, at, raw); resp.StatusCode < 400 || resp.StatusCode == http.StatusTeapot {
			t.Errorf("%q: %d %s", raw, resp.StatusCode, body)
		}
	}
	if n := g.upstream.count(); n != before {
		t.Errorf("%d requests reached the shop", n-before)
	}
}

// A path is forwarded in the form that was matched, and cookies of ours stay.
func TestTheShopGetsWhatIsItsOwn(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	f := g.at(strings.TrimPrefix(g.url, "http://"))
	cookie := token.Cookie(g.sale.ID) + "=" + g.tokenOf(t, g.sale.ID)
	wantStatus(t, f.do("GET", "//%42uy///x%20y?a=%2e%2e", "", "Cookie", "a=1; "+cookie+"; b=2; ropeline_place_x=y; __Host-ropeline_account=who",
		"X_Ropeline_Session", "forged", "X_Forwarded_For", "forged", "Forwarded", "for=x", "X-Real-Ip", "x"), http.StatusTeapot)
	up := g.upstream.last()
	if got := up.URL.RequestURI(); got != "/Buy/x%20y?a=%2e%2e" {
		t.Errorf("forwarded as %s", got)
	}
	if got := up.Header.Get("Cookie"); got != "a=1; b=2" {
		t.Errorf("cookies %q", got)
	}
	for name := range up.Header {
		if strings.Contains(name, "_") || strings.EqualFold(name, "forwarded") || name == "X-Real-Ip" {
			t.Errorf("%s reached the shop", name)
		}
	}
	if up.Header.Get("X-Forwarded-Host") != shopHost || up.Header.Get("X-Forwarded-Proto") != "http" || up.Header.Get("X-Request-Id") == "" {
		t.Errorf("headers %v", up.Header)
	}
}

// A shop frees the slot with a header: at once, for its own session, and nobody
// else sees it.
func TestAShopEndsTheSessionItself(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	at := strings.TrimPrefix(g.url, "http://")
	f, other := g.at(at), g.at(at)
	f.enter()
	other.enter()
	claims, err := g.verifier().Verify(f.cookie(token.Cookie(g.sale.ID), "/"))
	must(t, err)
	r := wantStatus(t, f.do("POST", "/buy/done", "{}"), http.StatusTeapot)
	if r.Header.Get("Ropeline-Session") != "" {
		t.Error("the header left the edge")
	}
	if c := f.cookie(token.Cookie(g.sale.ID), "/"); c != "" {
		t.Errorf("the cookie stays: %s", c)
	}
	g.until("the slot is free", func() bool { return g.tick().Active == 1 })
	if over, err := g.server.config.Sight.Ended(claims.Session); !over || err != nil {
		t.Errorf("the gate does not know: %v", err)
	}
	wantStatus(t, f.do("GET", "/buy/again", "", page...), http.StatusSeeOther)
}

// echo is a shop that says back what it is told over a WebSocket, until the other end
// is gone.
func echo(over func(*http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		defer over(r)
		for {
			kind, data, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, data) != nil {
				return
			}
		}
	})
}

func TestWebSocketsPassTheGateAndEndWithTheSession(t *testing.T) {
	t.Parallel()
	shop := httptest.NewServer(echo(func(*http.Request) {}))
	t.Cleanup(shop.Close)
	g := newGated(t, func(c *Config, s *ropeline.Sale) { c.Routes = docRoutes(t, s.ID, shop.Listener.Addr().String()) })
	at := strings.TrimPrefix(g.url, "http://")
	f := g.at(at)
	f.enter()
	dial := func(cookie string) (*websocket.Conn, *http.Response, error) {
		return websocket.Dial(t.Context(), "http://"+shopHost+"/live", &websocket.DialOptions{
			HTTPClient: &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, at)
			}}},
			HTTPHeader: http.Header{"Cookie": {cookie}},
		})
	}
	for what, cookie := range map[string]string{"no token": "", "another sale's": token.Cookie(g.sale.ID) + "=" + g.tokenOf(t, "another-sale")} {
		if _, resp, err := dial(cookie); err == nil || resp.StatusCode != http.StatusUnauthorized {
			t.Fatalf("with %s: %v", what, err)
		}
	}
	c, _, err := dial(token.Cookie(g.sale.ID) + "=" + f.cookie(token.Cookie(g.sale.ID), "/"))
	must(t, err)
	defer c.CloseNow()
	must(t, c.Write(t.Context(), websocket.MessageText, []byte("hello")))
	_, data, err := c.Read(t.Context())
	must(t, err)
	if string(data) != "hello" {
		t.Errorf("%q", data)
	}
	wantStatus(t, f.do("DELETE", "session", ""), http.StatusNoContent)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, _, err := c.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the tunnel outlives the session: %v", err)
	}
}

// Somebody who opens a page is told what goes on, in words, and the page tries
// again by itself; a program gets a problem document.
func TestThePageSaysWhatIsHappening(t *testing.T) {
	t.Parallel()
	server := devtest.PrivateRedis(t)
	g := newRigOn(t, server.Client, opened, withPages, func(c *Config, s *ropeline.Sale) { gated(t, c, s) })
	sees := func() bool { _, err := g.server.config.Sight.Ended(""); return err == nil }
	g.until("the gate sees", sees)
	server.Stop()
	g.until("the gate is blind", func() bool { return !sees() })
	f := g.at(strings.TrimPrefix(g.url, "http://"))
	r := wantStatus(t, f.do("GET", "/buy", "", page...), http.StatusServiceUnavailable)
	if !strings.Contains(string(r.body), "We cannot check your admission") || r.Header.Get("Refresh") == "" || r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%v %s", r.Header, r.body)
	}
	wantProblem(t, f.do("GET", "/buy", ""), http.StatusServiceUnavailable, "gate-blind")
	wantStatus(t, f.do("GET", "/shows/1", "", page...), http.StatusTeapot)
	if up := g.upstream.last(); up.Header.Get("X-Ropeline-Gate") != "blind" {
		t.Errorf("the shop is not told: %v", up.Header)
	}
}

func TestASlowShopIsToldOf(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	must(t, err)
	t.Cleanup(func() { ln.Close() })
	g := newGated(t, func(c *Config, s *ropeline.Sale) {
		c.Routes = docRoutes(t, s.ID, ln.Addr().String())
		for _, rt := range c.Routes.Hosts[0].Routes {
			rt.Timeout = 100 * time.Millisecond
		}
	})
	f := g.at(strings.TrimPrefix(g.url, "http://"))
	wantProblem(t, f.do("GET", "/static/x", ""), http.StatusGatewayTimeout, "upstream-silent")
	r := wantStatus(t, f.do("GET", "/static/x", "", page...), http.StatusGatewayTimeout)
	if !strings.Contains(string(r.body), "did not answer in time") {
		t.Errorf("%s", r.body)
	}
}

// The room's own shop is not on another's host.
func TestTheRoomLeadsToTheShopOfItsHost(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	f := g.at(strings.TrimPrefix(g.url, "http://"))
	r := wantStatus(t, f.do("GET", "/sales/"+string(g.sale.ID)+"/shop", "", page...), http.StatusSeeOther)
	if r.Header.Get("Location") != "/" {
		t.Errorf("to %q", r.Header.Get("Location"))
	}
}

// One token that fifty browsers share has the rate of one session, through the
// edge's own proxy and through each that asks it.
func TestFiftyBrowsersWithOneTokenHaveOneRate(t *testing.T) {
	t.Parallel()
	for name, front := range map[string]func(*rig, *testing.T) string{
		"the edge": func(g *rig, _ *testing.T) string { return strings.TrimPrefix(g.url, "http://") },
		"nginx":    (*rig).nginx, "Caddy": (*rig).caddy, "HAProxy": (*rig).haproxy,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reg, now := prometheus.NewRegistry(), time.Now()
			g := newGated(t, func(c *Config, _ *ropeline.Sale) {
				c.Metrics = reg
				// A second more would let one more pass.
				c.Gate = c.Gate.(*gate.Gate).WithRate(60, func() time.Time { return now })
			})
			at := front(g, t)
			raw := g.tokenOf(t, g.sale.ID)
			var browsers sync.WaitGroup
			var passed, limited atomic.Int64
			for range 50 {
				f := g.at(at)
				browsers.Go(func() {
					for range 2 {
						r := f.do("GET", "/buy/4", "", "Cookie", token.Cookie(g.sale.ID)+"="+raw, "Authorization", "Bearer the-shops-own")
						switch wait, err := strconv.Atoi(r.Header.Get("Retry-After")); {
						case r.StatusCode == http.StatusTeapot:
							passed.Add(1)
						case r.StatusCode == http.StatusTooManyRequests && err == nil && wait > 0 && wait <= 60:
							limited.Add(1)
						default:
							t.Errorf("%d, Retry-After %q: %s", r.StatusCode, r.Header.Get("Retry-After"), r.body)
						}
					}
				})
			}
			browsers.Wait()
			if passed.Load() != 60 || limited.Load() != 40 {
				t.Errorf("%d passed and %d were too many, want 60 and 40; the shop saw %d", passed.Load(), limited.Load(), g.upstream.count())
				g.upstream.mu.Lock()
				for _, r := range g.upstream.seen {
					if r.Header.Get("X-Ropeline-Session") == "" {
						t.Errorf("the shop saw one that nobody let pass: %s %s %v", r.Method, r.URL, r.Header)
					}
				}
				g.upstream.mu.Unlock()
			}
			told := httptest.NewRecorder()
			promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(told, httptest.NewRequest("GET", "/metrics", nil))
			if want := `ropeline_edge_limited_total{limit="session"} 40`; !strings.Contains(told.Body.String(), want) {
				t.Errorf("%s is not told: %s", want, told.Body)
			}
			wantStatus(t, g.at(at).do("GET", "/static/a.css", ""), http.StatusTeapot) // what needs no token is not counted
		})
	}
}

// Somebody whose connection seems to end while a shop thinks gets no answer: the
// server would say 200 for a handler that said nothing.
func TestNobodyIsToldThatAllIsWellWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	in := make(chan struct{}, 1)
	shop := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		in <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(shop.Close)
	g := newGated(t, func(c *Config, s *ropeline.Sale) { c.Routes = docRoutes(t, s.ID, shop.Listener.Addr().String()) })
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, "GET /static/a.css HTTP/1.1\r\nHost: "+shopHost+"\r\n\r\n")
	must(t, err)
	select {
	case <-in:
	case <-time.After(patience):
		t.Fatal("the request does not reach the shop")
	}
	must(t, conn.(*net.TCPConn).CloseWrite())
	if answer, err := io.ReadAll(conn); len(answer) > 0 || err != nil {
		t.Errorf("%q, %v", answer, err)
	}
}
