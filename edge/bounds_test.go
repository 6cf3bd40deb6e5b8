package edge

import (
	"errors"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// bounded sets limits, and lets a test come from any address.
func bounded(change func(*Limits)) option {
	return func(c *Config, s *ropeline.Sale) {
		behindProxy(-1, -1)(c, s)
		change(&c.Limits)
	}
}

// wantLimited checks a refusal of one limit.
func wantLimited(t *testing.T, r reply, limit string) {
	t.Helper()
	wantProblem(t, r, http.StatusTooManyRequests, "rate-limited")
	if wait, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || wait < 1 || wait > 60 {
		t.Errorf("Retry-After %q, want the rest of a minute", r.Header.Get("Retry-After"))
	}
	if got := r.Header.Get("RateLimit"); !strings.HasPrefix(got, strconv.Quote(limit)+";r=0;t=") {
		t.Errorf("RateLimit %s, want that of %s", got, limit)
	}
	whose := map[string]string{"visitor": "of yours, in all your tabs", "key": "with this key", "joins": "from your address"}[limit]
	if told := read[ropeline.Problem](t, r).Detail; whose == "" || !strings.Contains(told, whose) {
		t.Errorf("whoever reached the limit %s is told %q", limit, told)
	}
}

// A visitor is limited from whatever address they come, and nobody else is for it.
func TestOneVisitorIsLimitedWhateverTheirAddress(t *testing.T) {
	t.Parallel()
	g := newRig(t, bounded(func(l *Limits) { l.Visitor = 3 }))
	f, other := g.browser(), g.browser()
	f.join() // not counted: nobody was here before
	other.join()
	for range 3 {
		wantProblem(t, f.do("POST", "place/claim", "", "X-Forwarded-For", someAddress(t)), http.StatusConflict, "no-offer")
	}
	wantLimited(t, f.do("POST", "place/claim", "", "X-Forwarded-For", someAddress(t)), "visitor")
	f.poll() // is not counted: early ones cost nothing
	wantProblem(t, other.do("POST", "place/claim", ""), http.StatusConflict, "no-offer")

	// A ticket that is not genuine is nobody's: it uses up no visitor's rate, and
	// is refused for what it is.
	forged := other.raw()[:len(other.raw())-4] + "AAAA"
	for range 4 {
		wantProblem(t, g.phone().do("POST", "place/claim", "", "Authorization", "Bearer "+forged), http.StatusUnauthorized, "place-ticket-invalid")
	}
	wantProblem(t, other.do("POST", "place/claim", ""), http.StatusConflict, "no-offer")

	// Inside, the admission is the visitor.
	for range 3 {
		wantStatus(t, g.phone().do("POST", "/api/v1/holds", "", "Authorization", "Bearer one", "X-Forwarded-For", someAddress(t)), http.StatusTeapot)
	}
	wantLimited(t, g.phone().do("POST", "/api/v1/holds", "", "Authorization", "Bearer one"), "visitor")
	wantStatus(t, g.phone().do("POST", "/api/v1/holds", "", "Authorization", "Bearer two"), http.StatusTeapot)
}

// A client that floods one key of the staff's API does so from everywhere.
func TestOneKeyIsLimitedWhateverItsAddress(t *testing.T) {
	t.Parallel()
	g := newRig(t, bounded(func(l *Limits) { l.Key, l.Visitor = 2, 1 }))
	key, other := "Bearer "+random(t), "Bearer "+random(t)
	for range 2 {
		wantStatus(t, g.phone().do("GET", "/api/v1/ops/sales", "", "Authorization", key, "X-Forwarded-For", someAddress(t)), http.StatusTeapot)
	}
	wantLimited(t, g.phone().do("GET", "/api/v1/ops/sales", "", "Authorization", key, "X-Forwarded-For", someAddress(t)), "key")
	wantStatus(t, g.phone().do("GET", "/api/v1/ops/sales", "", "Authorization", other), http.StatusTeapot)
	wantLimited(t, g.browser().do("GET", "/api/v1/ops/sales", "", "Cookie", "ropeline_staff="+key[len("Bearer "):]), "key")
}

// The page without scripts does nothing that its routes would not be counted for.
func TestFormsAreCountedAsWhatTheyStandFor(t *testing.T) {
	t.Parallel()
	g := newRig(t, bounded(func(l *Limits) { l.Joins, l.Handovers = 1, 1 }))
	here := []string{"Content-Type", "application/x-www-form-urlencoded", "X-Forwarded-For", someAddress(t)}
	f := g.browser()
	wantStatus(t, f.do("POST", "place", "", here...), http.StatusCreated)
	for do, limit := range map[string]string{"join": "joins", "befriend": "joins"} {
		if r := g.browser().do("POST", "plain", "do="+do, here...); r.StatusCode != http.StatusTooManyRequests || !strings.Contains(r.Header.Get("RateLimit"), limit) {
			t.Errorf("%s: %d %v", do, r.StatusCode, r.Header)
		}
	}
	wantProblem(t, f.do("POST", "place/handover/exchange", "{}", here...), http.StatusNotFound, "handover-unknown")
	for _, do := range []string{"handover", "exchange"} {
		if r := f.do("POST", "plain", "do="+do, here...); r.StatusCode != http.StatusTooManyRequests || !strings.Contains(r.Header.Get("RateLimit"), "handovers") {
			t.Errorf("%s: %d %v", do, r.StatusCode, r.Header)
		}
	}
	routes := g.server.routes()
	for do, name := range formRoutes {
		if !slices.ContainsFunc(routes, func(rt route) bool { return rt.method+" "+rt.pattern == name }) {
			t.Errorf("the form %s stands for %s, which is no route", do, name)
		}
	}
}

// While Redis cannot count, codes are not tried, and all else is not held up by it.
func TestLimitsAreOpenOrClosedWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	private := devtest.PrivateRedis(t)
	g := newRigOn(t, private.Client, bounded(func(l *Limits) { l.Requests, l.Joins, l.Handovers = 100, 100, 100 }))
	private.Kill()
	counted := map[string]bool{}
	for _, b := range g.server.bounds {
		err := g.server.limits.take(t.Context(), http.Header{}, b.rule, "somebody")
		if b.closed && !errors.Is(err, ropeline.ErrStoreAway) || !b.closed && err != nil {
			t.Errorf("%s, closed %v: %v", b.name, b.closed, err)
		}
		counted[b.name] = b.closed
	}
	if !counted["handovers"] || counted["joins"] {
		t.Errorf("closed are %v, want handovers and not joins", counted)
	}
	if err := (Limits{Closed: []string{"joyns"}}).checkClosed(); err == nil || !strings.Contains(err.Error(), "joyns") {
		t.Errorf("a limit that there is not: %v", err)
	}
}

// The page for SREs tells every limit with its default.
func TestThePageForSREsTellsEveryLimit(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/sre.md")
	must(t, err)
	told := map[string][2]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\w+) \| [^|]* \| ([\d,]+) \| [^|]* \| (open|closed) \|`).FindAllStringSubmatch(string(text), -1) {
		told[row[1]] = [2]string{strings.ReplaceAll(row[2], ",", ""), row[3]}
	}
	for _, b := range (Config{}).withDefaults().Limits.bounds() {
		away := "open"
		if b.closed {
			away = "closed"
		}
		if want := [2]string{strconv.FormatInt(b.rate.Limit, 10), away}; told[b.name] != want {
			t.Errorf("docs/sre.md tells %v of the limit %s, want %v", told[b.name], b.name, want)
		}
		delete(told, b.name)
	}
	if len(told) > 0 {
		t.Errorf("docs/sre.md tells of limits that there are not: %v", told)
	}
}
