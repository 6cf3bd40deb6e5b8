package edge

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// behindProxy believes the test's own address, so that a test can come from
// any address, and limits what one may do.
func behindProxy(joins, requests int64) option {
	return func(c *Config, _ *ropeline.Sale) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		c.Limits.Joins, c.Limits.Requests = joins, requests
	}
}

// someAddress is an IPv4 address that no other test uses.
func someAddress(t *testing.T) string {
	n, err := strconv.ParseUint(random(t)[:6], 16, 32)
	must(t, err)
	return netip.AddrFrom4([4]byte{100, byte(n >> 16), byte(n >> 8), byte(n)}).String()
}

func TestJoinsOfOneAddressAreLimited(t *testing.T) {
	t.Parallel()
	g := newRig(t, behindProxy(3, -1))
	mine, other := someAddress(t), someAddress(t)
	for range 3 {
		wantStatus(t, g.browser().do("POST", "place", "", "X-Forwarded-For", mine), http.StatusCreated)
	}
	r := g.browser().do("POST", "place", "", "X-Forwarded-For", mine)
	wantProblem(t, r, http.StatusTooManyRequests, "rate-limited")
	if wait, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || wait < 1 || wait > 60 {
		t.Errorf("Retry-After %q, want the rest of a minute", r.Header.Get("Retry-After"))
	}
	if got := r.Header.Get("RateLimit-Policy"); got != `"joins";q=3;w=60` {
		t.Errorf("RateLimit-Policy %s", got)
	}
	if got := r.Header.Get("RateLimit"); !strings.HasPrefix(got, `"joins";r=0;t=`) {
		t.Errorf("RateLimit %s", got)
	}
	// What the client itself wrote into the header does not make it another.
	wantProblem(t, g.browser().do("POST", "place", "", "X-Forwarded-For", "203.0.113.1, "+mine), http.StatusTooManyRequests, "rate-limited")
	wantStatus(t, g.browser().do("POST", "place", "", "X-Forwarded-For", other), http.StatusCreated)
	if n := g.snapshot().Collected; n != 4 {
		t.Errorf("%d entrants, want 4: a refused join joined", n)
	}
}

func TestRequestsOfOneSubscriberAreLimited(t *testing.T) {
	t.Parallel()
	g := newRig(t, behindProxy(-1, 4))
	prefix := "2001:db8:" + random(t)[:4] + ":" + random(t)[:4]
	f := g.browser()
	for i := range 4 {
		r := wantStatus(t, f.do("GET", "", "", "X-Forwarded-For", prefix+"::"+strconv.Itoa(i+1)), http.StatusOK)
		if want := `"requests";r=` + strconv.Itoa(3-i) + ";t="; !strings.HasPrefix(r.Header.Get("RateLimit"), want) {
			t.Errorf("RateLimit %s, want %s…", r.Header.Get("RateLimit"), want)
		}
	}
	wantProblem(t, f.do("GET", "", "", "X-Forwarded-For", prefix+":abcd::9"), http.StatusTooManyRequests, "rate-limited")
	wantProblem(t, f.do("GET", "/api/v1/events", "", "X-Forwarded-For", prefix+"::1"), http.StatusTooManyRequests, "rate-limited")
	if g.upstream.last() != nil {
		t.Error("a refused request reached the upstream")
	}
	wantStatus(t, f.do("GET", "/healthz", "", "X-Forwarded-For", prefix+"::1"), http.StatusOK) // not the API
}

func TestWithoutRedisRequestsPassUncounted(t *testing.T) {
	t.Parallel()
	private := devtest.PrivateRedis(t)
	g := newRigOn(t, private.Client, behindProxy(5, 5))
	private.Kill()
	f := g.browser()
	for range 10 { // twice the limit; the first finds out, the others do not wait for it
		began := time.Now()
		wantStatus(t, f.do("GET", "/api/v1/events", ""), http.StatusTeapot)
		if took := time.Since(began); took > 2*time.Second {
			t.Fatalf("a request took %s while the limits' store was away", took)
		}
	}
	wantProblem(t, f.do("POST", "place", ""), http.StatusServiceUnavailable, "store-away")
	if logged := g.logged.String(); !strings.Contains(logged, "requests are not counted") {
		t.Errorf("nobody was told: %s", logged)
	}
	private.Start()
	g.until("requests are counted again", func() bool {
		return f.do("GET", "/api/v1/events", "").StatusCode == http.StatusTooManyRequests
	})
}
