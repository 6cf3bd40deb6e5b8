package edge

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

func TestProxyPassesWhatIsTheUpstreamsBusiness(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	f := g.browser()
	r := wantStatus(t, f.do("PATCH", "/api/v1/performances/x/availability?a=1&b=%2f", `{"q":1}`,
		"Authorization", "Bearer tok", "Idempotency-Key", "k", wire.AppHeader, "1", "Ropeline-Sale", "demo", "If-None-Match", `"e"`), http.StatusTeapot)
	if r.Header.Get("X-Upstream") != "/api/v1/performances/x/availability" {
		t.Errorf("the upstream's header was lost: %v", r.Header)
	}
	up := g.upstream.last()
	if up.Method != "PATCH" || up.URL.RequestURI() != "/api/v1/performances/x/availability?a=1&b=%2f" || up.Host != strings.TrimPrefix(g.url, "http://") {
		t.Errorf("upstream saw %s %s of %s", up.Method, up.URL.RequestURI(), up.Host)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer tok", "Idempotency-Key": "k", "Ropeline-App": "1", "Ropeline-Sale": "demo", "If-None-Match": `"e"`,
	} {
		if got := up.Header.Get(name); got != want {
			t.Errorf("%s reached the upstream as %q", name, got)
		}
	}
	for _, path := range []string{"/api/v1/events", "/api/v1/holds", "/api/v1/holds/x", "/api/v1/orders", "/api/v1/orders/x", "/api/v1/tickets/x", "/api/v1/ops/sales", "/api/v1/ops/sign-in"} {
		wantStatus(t, f.do("GET", path, ""), http.StatusTeapot)
		if got := g.upstream.last().URL.Path; got != path {
			t.Errorf("%s reached the upstream as %s", path, got)
		}
	}
}

func TestProxyRemovesWhatOnlyWeMaySay(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	r := g.browser().do("GET", "/api/v1/events", "",
		"X-Ropeline-Place", "forged", "x-ropeline-anything", "forged", "Ropeline-Session", "end", "Forwarded", "for=1.2.3.4",
		"X-Forwarded-For", "1.2.3.4", "X-Forwarded-Host", "evil", "X-Forwarded-Proto", "https", "X-Forwarded-Port", "1",
		"X-Real-Ip", "1.2.3.4", "X-Request-Id", "forged", "Te", "trailers")
	wantStatus(t, r, http.StatusTeapot)
	up := g.upstream.last()
	for _, name := range []string{"X-Ropeline-Place", "X-Ropeline-Anything", "Ropeline-Session", "Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Real-Ip"} {
		if got := up.Header.Values(name); len(got) > 0 {
			t.Errorf("%s reached the upstream: %q", name, got)
		}
	}
	if got := up.Header.Values("X-Forwarded-For"); len(got) != 1 || got[0] != "127.0.0.1" {
		t.Errorf("X-Forwarded-For %q, want the client alone", got)
	}
	if id := r.Header.Values("X-Request-Id"); len(id) != 1 || id[0] == "forged" || up.Header.Get("X-Request-Id") != id[0] {
		t.Errorf("request id %q here, %q at the upstream: want one, and ours", id, up.Header.Get("X-Request-Id"))
	}
	if r.Header.Get("Ropeline-Session") != "" {
		t.Error("Ropeline-Session left the edge")
	}
}

func TestCookiesGoOnlyWhereTheyBelong(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	const all = "ropeline_place_demo=ticket; ropeline_admission_demo=token; ropeline_admission_other=token2; other=1; ropeline_staff=key; ropeline_badge=sre; __Host-ropeline_account=who; __Host-ropeline_flow=kept"
	g.browser().do("GET", "/api/v1/holds", "", "Cookie", all, "Ropeline-Sale", "demo")
	if got := g.upstream.last().Header.Values("Cookie"); len(got) != 1 || got[0] != "ropeline_admission_demo=token; __Host-ropeline_account=who; __Host-ropeline_flow=kept" {
		t.Errorf("cookies at booking: %q", got)
	}
	g.browser().do("GET", "/api/v1/ops/sales", "", "Cookie", all)
	if got := g.upstream.last().Header.Values("Cookie"); len(got) != 1 || got[0] != "ropeline_staff=key; ropeline_badge=sre" {
		t.Errorf("cookies at ops: %q", got)
	}
	for _, desk := range []string{"performances/x/counter", "venues", "pictures/x"} {
		g.browser().do("GET", "/api/v1/organizer/"+desk, "", "Cookie", all, "Ropeline-Sale", "demo")
		if got := g.upstream.last().Header.Values("Cookie"); len(got) != 1 || got[0] != "ropeline_staff=key; __Host-ropeline_account=who" {
			t.Errorf("cookies at %s: %q", desk, got)
		}
	}
	g.browser().do("GET", "/api/v1/holds", "", "Cookie", all) // no sale is named
	if got := g.upstream.last().Header.Values("Cookie"); len(got) != 1 || got[0] != "__Host-ropeline_account=who; __Host-ropeline_flow=kept" {
		t.Errorf("cookies at booking: %q", got)
	}
}

func TestPathTricksNeverReachAnUpstream(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	for _, target := range []string{
		"/api/v1/holds/..%2fops/sales", "/api/v1/holds/%2e%2e/ops/sales", "/api/v1/holds/../ops/sales", "/api/v1/holds/./x", "/api/v1/holds/..",
		"/api/v1/holds/a%5cb", `/api/v1/holds/a\b`, "/api/v1/holds/a%00b", "/api/v1//holds", "//api/v1/holds", "/api/v1/holds//x",
		"/api/v1/holds/%252e%252e/x", "/api/v1/holds/%2E%2E/x", "/api/v1/holds/a%2Fb", "/api/v1/holds/a;b", "/api/v1/holds/a%3bb",
		"http://x//api/v1/holds", "*",
	} {
		status, body := rawRequest(t, g, "GET "+target+" HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n")
		if status != 400 || !strings.Contains(body, "path-invalid") {
			t.Errorf("%s: %d %s, want 400 path-invalid", target, status, body)
		}
	}
	for _, path := range []string{"/api/v1/holdsx", "/api/v1/Holds", "/api/v1", "/api/v1/", "/api/v2/holds", "/api", "/metrics", "/debug/pprof/", "/ropeline/../index.html", "/nothing", "/ops/", "/sales", "/sales/x/y"} {
		r := g.browser().do("GET", path, "")
		if path == "/ropeline/../index.html" {
			continue // the client cleans it itself
		}
		wantProblem(t, r, http.StatusNotFound, "route-unknown")
	}
	if up := g.upstream.last(); up != nil {
		t.Errorf("%s %s reached an upstream", up.Method, up.URL)
	}
}

func TestSmugglersAreRefused(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	for name, raw := range map[string]string{
		"two lengths":                     "POST /api/v1/holds HTTP/1.1\r\nHost: edge\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
		"two hosts":                       "GET /api/v1/holds HTTP/1.1\r\nHost: edge\r\nHost: evil\r\n\r\n",
		"length and chunks, bad encoding": "POST /api/v1/holds HTTP/1.1\r\nHost: edge\r\nTransfer-Encoding: xchunked\r\nContent-Length: 4\r\n\r\nabcd",
	} {
		if status, body := rawRequest(t, g, raw); status != 400 && status != 501 {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if g.upstream.last() != nil {
		t.Fatal("a smuggler reached the upstream")
	}
	for _, protocol := range []string{"h2c", "websocket"} {
		status, body := rawRequest(t, g, "GET /api/v1/holds HTTP/1.1\r\nHost: edge\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: "+protocol+"\r\nHTTP2-Settings: AAMAAABk\r\n\r\n")
		if status != http.StatusTeapot {
			t.Errorf("%s: %d %s", protocol, status, body)
		}
		if up := g.upstream.last(); up == nil || up.Header.Get("Upgrade") != "" || up.Header.Get("Http2-Settings") != "" {
			t.Errorf("%s reached the upstream: %v", protocol, up.Header)
		}
	}
}

// rawRequest sends bytes as they are.
func rawRequest(t *testing.T, g *rig, request string) (status int, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, request)
	must(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(content)
}

func TestProxiedBodiesAreBounded(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	f := g.browser()
	wantProblem(t, f.do("POST", "/api/v1/holds", strings.Repeat("a", ropeline.MaxBody+1)), http.StatusRequestEntityTooLarge, "body-too-large")
	wantStatus(t, f.do("POST", "/api/v1/holds", strings.Repeat("a", ropeline.MaxBody)), http.StatusTeapot)
	chunks := strings.Repeat(fmt.Sprintf("%x\r\n%s\r\n", 4096, strings.Repeat("a", 4096)), 17) + "0\r\n\r\n"
	status, body := rawRequest(t, g, "POST /api/v1/holds HTTP/1.1\r\nHost: edge\r\nTransfer-Encoding: chunked\r\n\r\n"+chunks)
	if status != http.StatusRequestEntityTooLarge || !strings.Contains(body, "body-too-large") {
		t.Errorf("a long body of unknown length: %d %s", status, body)
	}
}

// A body that is cut or malformed was blamed on the upstream: 502, an error in
// the log, and no token needed for it.
func TestABrokenBodyIsTheClientsFault(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	for name, request := range map[string]string{
		"a chunk of no length":   "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
		"a negative chunk":       "Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
		"a chunk longer than is": "Transfer-Encoding: chunked\r\n\r\n3\r\n{}\r\n0\r\n\r\n",
	} {
		status, body := rawRequest(t, g, "POST /api/v1/holds HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\n"+request)
		if status != http.StatusBadRequest || !strings.Contains(body, "body-malformed") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	// 465 bytes of gzip in gzip were 150 MB at the booking core.
	packed := g.browser().do("POST", "/api/v1/holds", "x", "Content-Encoding", "gzip, gzip")
	wantProblem(t, packed, http.StatusUnsupportedMediaType, "body-encoded")
	if status, body := rawRequest(t, g, "FOO /api/v1/holds HTTP/1.1\r\nHost: edge\r\n\r\n"); status != 405 || !strings.Contains(body, "method-unknown") {
		t.Errorf("a method of nobody's: %d %s", status, body)
	}
	wantProblem(t, g.browser().do("GET", "/ropeline", ""), http.StatusNotFound, "route-unknown")
	if up := g.upstream.last(); up != nil {
		t.Errorf("%s %s reached the upstream", up.Method, up.URL)
	}
}

func TestACoreThatNeverAnswersIsAProblemAndTheLineGoesOn(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	must(t, err)
	t.Cleanup(func() { ln.Close() })
	silent, err := url.Parse("http://" + ln.Addr().String())
	must(t, err)
	g := newRig(t, func(c *Config, _ *ropeline.Sale) { c.BookingURL, c.OpsURL = silent, silent })
	for _, transport := range g.server.transports {
		transport.ResponseHeaderTimeout = 100 * time.Millisecond
	}
	f := g.browser()
	for _, path := range []string{"/api/v1/events", "/api/v1/ops/sales"} {
		r := f.do("GET", path, "")
		wantProblem(t, r, http.StatusBadGateway, "core-away")
		if r.Header.Get("Retry-After") == "" || strings.Contains(string(r.body), "timeout") {
			t.Errorf("%s: Retry-After %q, %s", path, r.Header.Get("Retry-After"), r.body)
		}
	}
	f.join()
}

func TestUpstreamAwayIsAProblemAndTheLineGoesOn(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	away, err := url.Parse("http://" + ln.Addr().String())
	must(t, err)
	must(t, ln.Close()) // nobody listens there now
	g := newRig(t, func(c *Config, _ *ropeline.Sale) { c.BookingURL = away })
	f := g.browser()
	r := f.do("GET", "/api/v1/events", "")
	wantProblem(t, r, http.StatusBadGateway, "core-away")
	if r.Header.Get("Retry-After") != "2" || strings.Contains(string(r.body), "refused") {
		t.Errorf("Retry-After %q, %s", r.Header.Get("Retry-After"), r.body)
	}
	if !strings.Contains(g.logged.String(), "refused") || !strings.Contains(g.logged.String(), r.Header.Get("X-Request-Id")) {
		t.Errorf("the cause is not in the log: %s", g.logged)
	}
	f.join()
}
