package edge

import (
	"fmt"
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
	wantLimited(t, r, "joins")
	if got := r.Header.Get("RateLimit-Policy"); got != `"joins";q=3;w=60` {
		t.Errorf("RateLimit-Policy %s", got)
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

// Only what a trusted proxy wrote says where somebody comes from.
func TestForgedAddressesDoNotHelp(t *testing.T) {
	t.Parallel()
	g := newRig(t, behindProxy(-1, 2))
	mine := someAddress(t)
	ask := func(header ...string) reply { return g.browser().do("GET", "", "", header...) }
	for range 2 {
		wantStatus(t, ask("X-Forwarded-For", mine), http.StatusOK)
	}
	for name, value := range map[string]string{
		"Forwarded": "for=" + someAddress(t), "X-Real-Ip": someAddress(t), "X-Client-Ip": someAddress(t), "True-Client-Ip": someAddress(t),
		"Cf-Connecting-Ip": someAddress(t), "X-Forwarded": someAddress(t), "Via": "1.1 " + someAddress(t),
	} {
		wantProblem(t, ask("X-Forwarded-For", mine, name, value), http.StatusTooManyRequests, "rate-limited")
	}
	for _, hops := range []string{someAddress(t) + ", " + mine, "garbage, " + mine, mine + ", 127.0.0.9", "[::ffff:" + mine + "]:4711"} {
		wantProblem(t, ask("X-Forwarded-For", hops), http.StatusTooManyRequests, "rate-limited")
	}

	// An edge that trusts nobody hears of no other address than the connection's.
	alone := newRig(t, func(c *Config, _ *ropeline.Sale) { c.Limits.Requests = 2_000 })
	r := wantStatus(t, alone.browser().do("GET", "", "", "X-Forwarded-For", someAddress(t)), http.StatusOK)
	again := wantStatus(t, alone.browser().do("GET", "", "", "X-Forwarded-For", someAddress(t)), http.StatusOK)
	if left(t, again) >= left(t, r) {
		t.Errorf("RateLimit %s, then %s: a forged address is another one", r.Header.Get("RateLimit"), again.Header.Get("RateLimit"))
	}
}

// left is how many requests a RateLimit header leaves.
func left(t *testing.T, r reply) int {
	t.Helper()
	var n, wait int
	if _, err := fmt.Sscanf(r.Header.Get("RateLimit"), `"requests";r=%d;t=%d`, &n, &wait); err != nil {
		t.Fatalf("RateLimit %q: %v", r.Header.Get("RateLimit"), err)
	}
	return n
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
