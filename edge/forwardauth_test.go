package edge

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestNginxAsksTheGate(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	frontedBy(t, g, g.nginx(t), 2)
}

func TestCaddyAsksTheGate(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	frontedBy(t, g, g.caddy(t), 20)
}

// Caddy once put connections to the shop among those to the edge: the shop was asked
// who may enter it, and whoever it answered 200 was in.
func TestCaddyTakesNobodyElsesWord(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Ropeline-Sale", "another")
		_, _ = io.WriteString(w, "welcome")
	}))
	t.Cleanup(other.Close)
	asksAnother := *g
	asksAnother.url = other.URL
	r := wantStatus(t, g.at(asksAnother.caddy(t)).do("GET", "/buy/4", ""), http.StatusOK)
	if n := g.upstream.count(); n > 0 || string(r.body) != "welcome" {
		t.Errorf("%d requests reached the shop, and the answer is %q", n, r.body)
	}
}

func TestHAProxyAsksTheGate(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	frontedBy(t, g, g.haproxy(t), 2)
}

// frontedBy walks fans and intruders through a proxy that stands in front of the
// shop and asks the gate. For 20 questions it may open so many connections.
func frontedBy(t *testing.T, g *rig, address string, connections int64) {
	f := g.at(address)
	room := "/sales/" + string(g.sale.ID)

	// Without a token: a page leads to the room and back, anything else is told.
	r := wantStatus(t, f.do("GET", "/buy/4?seat=a/b", "", page...), http.StatusSeeOther)
	if got, want := leads(t, r), room+"?back="+url.QueryEscape("/buy/4?seat=a/b"); got != want {
		t.Errorf("led to %q, want %q", got, want)
	}
	r = wantStatus(t, f.do("POST", "/buy/4", "{}"), http.StatusUnauthorized)
	if got := leads(t, r); got != room+"?back=%2F" {
		t.Errorf("Location %q", got)
	}
	if got := g.upstream.last(); got != nil {
		t.Fatalf("%s %s reached the shop", got.Method, got.URL)
	}
	wantStatus(t, f.do("GET", "/static/a.css", ""), http.StatusTeapot)
	wantStatus(t, f.do("POST", "/webhooks/paid", "{}"), http.StatusTeapot)
	if s := g.upstream.last().Header.Get("X-Ropeline-Session"); s != "" {
		t.Errorf("a session %q of nobody", s)
	}

	before := g.accepted.Load()
	for range 20 {
		wantStatus(t, f.do("GET", "/static/a.css", ""), http.StatusTeapot)
	}
	if n := g.accepted.Load() - before; n > connections {
		t.Errorf("the proxy opened %d connections for 20 questions", n)
	}

	// The room is on the same host, and its cookie opens the shop.
	wantStatus(t, f.do("GET", room, "", page...), http.StatusOK)
	wantStatus(t, f.do("GET", "/ropeline/app-x1.js", ""), http.StatusOK)
	f.enter()
	claims, err := g.verifier().Verify(f.cookie(token.Cookie(g.sale.ID), "/"))
	must(t, err)
	wantStatus(t, f.do("POST", "/buy/4?x=%2f", "{}", "X-Ropeline-Session", "forged", "X-Ropeline-Place", "forged", "X-Forwarded-For", "1.2.3.4",
		"X-Rewrite-Url", "/admin", "X-Original-Url", "/admin", "X-Http-Method-Override", "DELETE"), http.StatusTeapot)
	up := g.upstream.last()
	if up.URL.RequestURI() != "/buy/4?x=%2f" || up.Host != shopHost {
		t.Errorf("the shop saw %s of %s", up.URL.RequestURI(), up.Host)
	}
	for name, want := range map[string]string{
		"X-Ropeline-Session": claims.Session, "X-Ropeline-Place": string(claims.Place), "X-Ropeline-Sale": string(g.sale.ID),
		"X-Forwarded-For": "127.0.0.1", "X-Rewrite-Url": "", "X-Original-Url": "", "X-Http-Method-Override": "",
	} {
		if got := strings.Join(up.Header.Values(name), "|"); got != want {
			t.Errorf("the shop saw %s as %q, want %q", name, got, want)
		}
	}
	intrude(t, g, address)

	// It ends: the next request is refused, though the token has not expired.
	if r := f.do("DELETE", "session", ""); r.StatusCode >= 300 { // the proxy may have ended it already
		t.Errorf("ending the session: %d %s", r.StatusCode, r.body)
	}
	old := &http.Cookie{Name: token.Cookie(g.sale.ID), Value: mustSign(t, g, *claims)}
	g.until("the gate knows", func() bool { // within a second; 202 says that it does not yet
		r = f.do("GET", "/buy/5", "", append([]string{"Cookie", old.String()}, page...)...)
		return r.StatusCode != http.StatusTeapot
	})
	wantStatus(t, r, http.StatusSeeOther)
}

// intrude tries what must not get through, with no token, and wants each refused.
func intrude(t *testing.T, g *rig, address string) {
	t.Helper()
	before := g.upstream.count()
	for _, line := range []string{
		"GET /buy", "GET //buy", "GET /static/../buy", "GET /static/%2e%2e/buy", "GET /static%2f..%2fbuy", "GET /static/..%5cbuy", "GET /buy%00.css",
		"GET /static/%252e%252e/buy", "GET /static/..;/buy", "GET /BUY", "GET /static/%c0%ae%c0%ae/buy", "GET /./buy", "GET /buy/.",
		"POST /static/x", "DELETE /webhooks/x", "TRACE /buy", "GET http://shop.example/buy", "GET http://u@shop.example/buy", "GET /buy#/static/x",
		"GET /static/x/../../buy",
	} {
		for _, more := range []string{
			"", "X-Original-URI: /static/x\r\n", "X-Forwarded-Uri: /static/x\r\n", "X-Forwarded-Uri: /static/x\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Host: shop.example\r\n",
			"X-Ropeline-Session: 1\r\nX-Ropeline-Sale: " + string(g.sale.ID) + "\r\n", "Authorization: Bearer x.y.z\r\n",
			"Cookie: ropeline_admission_" + string(g.sale.ID) + "=x.y.z\r\n", "Cookie: ropeline_admission_other=" + foreign(t, g) + "\r\n",
			"Cookie: ropeline_admission_" + string(g.sale.ID) + "=" + foreign(t, g) + "\r\n",
		} {
			resp, body := send(t, address, line+" HTTP/1.1\r\nHost: shop.example\r\n"+more+"Connection: close\r\n\r\n")
			if resp.StatusCode < 300 || resp.StatusCode == http.StatusTeapot {
				t.Errorf("%s %q: %d %s", line, more, resp.StatusCode, body)
			}
		}
	}
	for name, request := range map[string]string{
		"two hosts":          "GET /buy HTTP/1.1\r\nHost: shop.example\r\nHost: evil\r\n",
		"a foreign host":     "GET /buy HTTP/1.1\r\nHost: evil.example\r\n",
		"no host":            "GET /buy HTTP/1.1\r\n",
		"a user's host":      "GET /buy HTTP/1.1\r\nHost: x@shop.example\r\n",
		"h2c":                "GET /buy HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
		"two lengths":        "POST /buy HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
		"an odd encoding":    "POST /buy HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: xchunked\r\n",
		"a negative length":  "POST /buy HTTP/1.1\r\nHost: shop.example\r\nContent-Length: -1\r\n",
		"a space in a name":  "GET /buy HTTP/1.1\r\nHost : shop.example\r\n",
		"verify asked about": "GET /gate/verify HTTP/1.1\r\nHost: shop.example\r\n",
	} {
		resp, body := send(t, address, request+"Connection: close\r\n\r\n")
		if resp.StatusCode < 300 || resp.StatusCode == http.StatusTeapot {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
	if n := g.upstream.count(); n != before {
		t.Errorf("%d of the intruders' requests reached the shop: %s", n-before, g.upstream.last().URL)
	}
}

// foreign is a good token of another sale.
func foreign(t *testing.T, g *rig) string { return g.tokenOf(t, "another-sale") }

func mustSign(t testing.TB, g *rig, c token.Claims) string {
	t.Helper()
	raw, err := g.signer.Sign(c)
	must(t, err)
	return raw
}

// leads is where an answer leads, without scheme and host.
func leads(t *testing.T, r reply) string {
	t.Helper()
	u, err := url.Parse(r.Header.Get("Location"))
	must(t, err)
	return u.RequestURI()
}

// asks is a proxy that asks the gate about a request.
func (g *rig) asks(method, host, target string, header ...string) reply {
	g.Helper()
	return g.browser().do("GET", "/gate/verify", "", append([]string{
		"X-Original-Method", method, "X-Original-URI", target, "X-Original-Host", host,
	}, header...)...)
}

func TestOnlyProxiesThatAreTrustedMayAsk(t *testing.T) {
	t.Parallel()
	g := newGated(t, func(c *Config, _ *ropeline.Sale) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	wantProblem(t, g.asks("GET", shopHost, "/static/x"), http.StatusForbidden, "proxy-untrusted")
}

func TestTheGateSaysWhy(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	wantProblem(t, g.asks("GET", shopHost, "/buy"), http.StatusUnauthorized, "token-missing")
	wantProblem(t, g.asks("TRACE", shopHost, "/static/x"), http.StatusForbidden, "route-closed")
	wantProblem(t, g.asks("GET", shopHost, "//buy"), http.StatusBadRequest, "path-invalid")
	wantProblem(t, g.asks("GET", "evil.example", "/buy"), http.StatusBadRequest, "host-unknown")
	wantProblem(t, g.asks("GET", shopHost, "/buy", "X-Forwarded-Uri", "/static/x"), http.StatusBadRequest, "forward-unclear")
	wantStatus(t, g.asks("GET", shopHost, "/static/x"), http.StatusOK)
	cookie := "ropeline_admission_" + string(g.sale.ID) + "="
	wantStatus(t, g.asks("GET", shopHost, "/buy", "Cookie", cookie+g.tokenOf(t, g.sale.ID)), http.StatusOK)
	wantStatus(t, g.asks("GET", shopHost, "/buy", "Cookie", cookie+"old; "+cookie+g.tokenOf(t, g.sale.ID)), http.StatusOK)
	wantStatus(t, g.asks("GET", shopHost, "/buy", "Authorization", "Bearer "+g.tokenOf(t, g.sale.ID)), http.StatusOK)
	wantProblem(t, g.asks("GET", shopHost, "/buy", "Authorization", "Bearer "+g.tokenOf(t, "other")), http.StatusUnauthorized, "token-other-sale")

	// A page is led only where the proxy hands the answer on.
	for answer, status := range map[string]int{"": http.StatusUnauthorized, "?answer=page": http.StatusSeeOther} {
		f := g.browser()
		f.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		r := wantStatus(t, f.do("GET", "/gate/verify"+answer, "", append([]string{
			"X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/buy", "X-Forwarded-Host", shopHost}, page...)...), status)
		if r.Header.Get("Location") != "/sales/"+string(g.sale.ID)+"?back=%2Fbuy" || r.Header.Get("X-Ropeline-Room") == "" {
			t.Errorf("%q: %v", answer, r.Header)
		}
	}
	// The edge's own hosts are its own, others nobody's.
	for host, status := range map[string]int{"tickets.example": 200, "evil.example": 400, "": 400, shopHost: 403} {
		req := "GET /sales/demo HTTP/1.1\r\nConnection: close\r\nHost: " + host + "\r\n\r\n"
		if resp, body := send(t, strings.TrimPrefix(g.url, "http://"), req); resp.StatusCode != status && (host != shopHost || resp.StatusCode != 401) {
			t.Errorf("%s: %d %s", host, resp.StatusCode, body)
		}
	}
	// Staff stop the sale, or let everybody pass.
	for _, c := range []struct {
		mode   ropeline.Mode
		status int
	}{{ropeline.ModeStop, http.StatusServiceUnavailable}, {ropeline.ModePass, http.StatusOK}} {
		must(t, g.server.config.Redis.HSet(t.Context(), "ropeline:{gates}:modes", string(g.sale.ID), string(c.mode)).Err())
		g.until("the mode "+string(c.mode)+" is known", func() bool { return g.asks("GET", shopHost, "/buy").StatusCode == c.status })
		wantStatus(t, g.asks("GET", shopHost, "/static/x"), http.StatusOK)
	}
}

// What happens while Redis is away is each route's own choice.
func TestRoutesFailAsTheyWereTold(t *testing.T) {
	t.Parallel()
	server := devtest.PrivateRedis(t)
	g := newRigOn(t, server.Client, opened, func(c *Config, s *ropeline.Sale) { gated(t, c, s) })
	sees := func() bool { _, err := g.server.config.Sight.Ended(""); return err == nil }
	g.until("the gate sees", sees)
	cookie := "ropeline_admission_" + string(g.sale.ID) + "=" + g.tokenOf(t, g.sale.ID)
	wantProblem(t, g.asks("GET", shopHost, "/shows/1"), http.StatusUnauthorized, "token-missing")
	server.Stop()
	g.until("the gate is blind", func() bool { return !sees() })
	r := wantStatus(t, g.asks("GET", shopHost, "/shows/1"), http.StatusOK)
	if r.Header.Get("X-Ropeline-Gate") != "blind" || r.Header.Get("X-Ropeline-Session") != "" {
		t.Errorf("failing open: %v", r.Header)
	}
	wantStatus(t, g.asks("GET", shopHost, "/static/x"), http.StatusOK)
	r = g.asks("GET", shopHost, "/buy", "Cookie", cookie)
	wantProblem(t, r, http.StatusServiceUnavailable, "gate-blind")
	if r.Header.Get("Retry-After") == "" {
		t.Error("nobody is told when to try again")
	}
	wantProblem(t, g.asks("GET", shopHost, "//shows/1"), http.StatusBadRequest, "path-invalid")
	server.Start()
	g.until("the gate sees again", sees)
	wantProblem(t, g.asks("GET", shopHost, "/shows/1"), http.StatusUnauthorized, "token-missing")
	wantStatus(t, g.asks("GET", shopHost, "/buy", "Cookie", cookie), http.StatusOK)
}

// A shop that knows nothing of us does not renew tokens: the gate does, in passing.
func TestTokensAreRenewedInPassing(t *testing.T) {
	t.Parallel()
	g := newGated(t, func(_ *Config, s *ropeline.Sale) { s.TokenLife = 6 })
	f := g.at(strings.TrimPrefix(g.url, "http://"))
	f.enter()
	first := f.cookie(token.Cookie(g.sale.ID), "/")
	ask := func() reply {
		return wantStatus(t, g.asks("GET", shopHost, "/buy", "Cookie", token.Cookie(g.sale.ID)+"="+first), http.StatusOK)
	}
	if c := ask().Header.Get("Set-Cookie"); c != "" {
		t.Errorf("renewed at once: %s", c)
	}
	var cookie string
	g.until("the token is renewed", func() bool { cookie = ask().Header.Get("Set-Cookie"); return cookie != "" })
	next, err := http.ParseSetCookie(cookie)
	must(t, err)
	was, err := g.verifier().Verify(first)
	must(t, err)
	is, err := g.verifier().Verify(next.Value)
	must(t, err)
	if is.Session != was.Session || !is.Expires.After(was.Expires) || next.Path != "/" || !next.HttpOnly || !next.Secure {
		t.Errorf("renewed %+v to %+v in %s", was, is, cookie)
	}
}
