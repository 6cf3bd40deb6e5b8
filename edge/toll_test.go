package edge

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/edge/passage"
)

// Every request at a gate is counted once, under its route and what came of it.
func TestTheGateCountsByRouteAndOutcome(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1)
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/static/broken":
			w.WriteHeader(http.StatusInternalServerError)
		case "/static/slow":
			asked <- struct{}{}
			<-r.Context().Done() // whoever asked has left
		}
	}))
	t.Cleanup(shop.Close)
	reg := prometheus.NewRegistry()
	g := newGated(t, func(c *Config, s *ropeline.Sale) {
		c.Metrics, c.Routes = reg, docRoutes(t, s.ID, shop.Listener.Addr().String())
	})
	f := g.at(strings.TrimPrefix(g.url, "http://"))
	with := []string{"Cookie", token.Cookie(g.sale.ID) + "=" + g.tokenOf(t, g.sale.ID)}
	wantStatus(t, f.do("GET", "/static/a.css", ""), http.StatusOK)
	wantStatus(t, f.do("HEAD", "/static/a.css", ""), http.StatusOK)
	wantStatus(t, f.do("GET", "/static/broken", ""), http.StatusInternalServerError)
	wantStatus(t, f.do("GET", "/buy", "", page...), http.StatusSeeOther)
	wantStatus(t, f.do("POST", "/buy", "{}"), http.StatusUnauthorized)
	wantStatus(t, f.do("GET", "/buy", "", with...), http.StatusOK)
	wantStatus(t, f.do("POST", "/webhooks/paid", strings.Repeat("x", 2<<20)), http.StatusRequestEntityTooLarge)
	wantStatus(t, f.do("GET", "/buy%2f", ""), http.StatusBadRequest)
	wantStatus(t, f.do("TRACE", "/buy", ""), http.StatusForbidden)
	verify := func(path string, want int, more ...string) {
		wantStatus(t, g.browser().do("GET", passage.Verify, "", append(more, "X-Original-Method", "GET", "X-Original-Uri", path, "X-Original-Host", shopHost)...), want)
	}
	verify("/shows/1", http.StatusOK, with...)
	verify("/shows/1", http.StatusUnauthorized)
	verify("/shows//1", http.StatusBadRequest)

	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+shopHost+"/static/slow", nil)
		if err != nil {
			left <- err
			return
		}
		resp, err := f.client.Do(r)
		if err == nil {
			resp.Body.Close()
		}
		left <- err
	}()
	<-asked
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("whoever leaves gets %v", err)
	}
	g.until("the client is gone", func() bool { return len(tollsOf(t, reg, "gone\"")) > 0 })
	shop.CloseClientConnections()
	shop.Close()
	wantStatus(t, f.do("GET", "/favicon.ico", ""), http.StatusBadGateway)

	sale := string(g.sale.ID)
	requests := func(route, outcome string) string {
		return `ropeline_edge_gate_requests_total{host="shop.example",outcome="` + outcome + `",route="` + route + `",sale="` + sale + `"}`
	}
	answers := func(route string) string {
		return `ropeline_edge_gate_upstream_seconds_count{host="shop.example",route="` + route + `",sale="` + sale + `"}`
	}
	const static, hook, looks, rest = "GET,HEAD /static/**", "POST /webhooks/**", "GET,HEAD /shows/**", "/**"
	want := map[string]string{
		requests(static, "passed"): "2", requests(static, "failed"): "2", requests(static, "gone"): "1",
		requests(hook, "refused"): "1",
		requests(looks, "passed"): "1", requests(looks, "wait"): "1",
		requests(rest, "passed"): "1", requests(rest, "wait"): "2",
		requests("none", "refused"): "3",
		answers(static):             "3", answers(rest): "1",
	}
	got := tollsOf(t, reg, "ropeline_edge_gate_requests_total", "ropeline_edge_gate_upstream_seconds_count")
	if !maps.Equal(got, want) {
		t.Errorf("told %v\nwant %v", got, want)
	}
}

// tollsOf reads what is told at /metrics and is not 0, of the lines with one of some words.
func tollsOf(t *testing.T, reg *prometheus.Registry, words ...string) map[string]string {
	t.Helper()
	told := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(told, httptest.NewRequest("GET", "/metrics", nil))
	found := map[string]string{}
	for line := range strings.Lines(told.Body.String()) {
		at := strings.LastIndexByte(line, ' ')
		for _, word := range words {
			if value := strings.TrimSpace(line[at+1:]); line[0] != '#' && strings.Contains(line[:at], word) && value != "0" {
				found[line[:at]] = value
			}
		}
	}
	return found
}
