package edge

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/edge/wire"
)

// What a join and a poll allocate is most of what they cost, at the collector
// too: go test -run '^$' -bench . ./edge. Times say little here: Redis and the
// callers are on the same processors.

func BenchmarkJoin(b *testing.B) {
	g := newRig(b, opened)
	g.draw()
	benchmark(b, g, http.StatusCreated, func() *http.Request {
		r := httptest.NewRequest("POST", placePath(g.sale.ID)+"/place", strings.NewReader("{}"))
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		return r
	})
}

func BenchmarkPoll(b *testing.B) {
	g := newRig(b, opened)
	g.draw()
	fan := g.browser()
	fan.join()
	ticket := fan.raw()
	benchmark(b, g, http.StatusOK, func() *http.Request {
		r := httptest.NewRequest("GET", placePath(g.sale.ID)+"/place", nil)
		r.Header.Set("Cookie", wire.PlaceCookie(g.sale.ID)+"="+ticket)
		return r
	})
}

func BenchmarkVerify(b *testing.B) {
	g := newGated(b)
	raw := g.tokenOf(b, g.sale.ID)
	benchmark(b, g, http.StatusOK, func() *http.Request {
		r := httptest.NewRequest("GET", "/gate/verify", nil)
		r.Host, r.RemoteAddr = shopHost, "127.0.0.1:40000"
		for name, value := range map[string]string{"X-Original-Uri": "/buy/4", "X-Original-Method": "GET", "X-Original-Host": shopHost, "X-Forwarded-For": "10.1.2.3",
			"User-Agent": "x", "Accept": "text/html", "Cookie": "a=b; " + token.Cookie(g.sale.ID) + "=" + raw} {
			r.Header.Set(name, value)
		}
		return r
	})
}

// benchmark lets 128 callers make the same request again and again. What a
// request itself is made of is not counted: each caller has one, whose body is
// rewound.
func benchmark(b *testing.B, g *rig, status int, request func() *http.Request) {
	b.ReportAllocs()
	b.SetParallelism(64)
	answer := g.server.Handler()
	b.RunParallel(func(pb *testing.PB) {
		w, r := &sink{header: http.Header{}}, request()
		body, _ := io.ReadAll(r.Body)
		text := strings.NewReader(string(body))
		r.Body = io.NopCloser(text)
		for pb.Next() {
			clear(w.header)
			text.Reset(string(body))
			answer.ServeHTTP(w, r)
			if w.status != status {
				b.Errorf("answered %d, want %d", w.status, status)
				return
			}
		}
	})
}

// sink is an answer that nobody reads.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
