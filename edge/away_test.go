package edge

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// readAwayTable reads what docs/without-redis.md says of each route, by method and
// pattern.
func readAwayTable(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../docs/without-redis.md")
	must(t, err)
	table := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (GET|POST|DELETE|any) \\| (`.*) \\| (\\w+) \\|$").FindAllStringSubmatch(string(text), -1) {
		for _, pattern := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[2], -1) {
			if row[1] == "any" {
				if table[pattern[1]] = row[3]; row[3] == "forwarded" {
					table[pattern[1]+"/"] = row[3]
				}
				continue
			}
			table[row[1]+" "+pattern[1]] = row[3]
		}
	}
	return table
}

// servedElsewhere returns a fan whose place this edge has never heard of: it came
// from another one.
func (g *rig) servedElsewhere() *fan {
	g.Helper()
	place, err := g.store.Join(g.Context(), g.sale.ID, "came-from-another-edge", "")
	must(g.TB, err)
	ticket, err := g.store.SignTicket(queue.Ticket{Sale: g.sale.ID, Lane: queue.MainLane, Place: place.ID, Score: place.Score, Epoch: place.Epoch})
	must(g.TB, err)
	f := g.browser()
	u, err := url.Parse(g.url + placePath(g.sale.ID) + "/place")
	must(g.TB, err)
	f.client.Jar.SetCookies(u, []*http.Cookie{{Name: wire.PlaceCookie(g.sale.ID), Value: ticket, Path: placePath(g.sale.ID), Secure: true}})
	return f
}

// wantMemory is what a route answers that goes by what the edge, or the fan's
// ticket, remembers.
func wantMemory(t *testing.T, name string, r reply) {
	t.Helper()
	switch {
	case strings.Contains(name, "/live"): // TestSocketsLiveThroughARedisRestart looks at it
		wantProblem(t, r, http.StatusUpgradeRequired, "upgrade-required")
	case strings.Contains(name, "/terms") || strings.Contains(name, "/stock"):
		if r.StatusCode != http.StatusOK {
			t.Errorf("%s answers %d %s", name, r.StatusCode, r.body)
		}
	case strings.Contains(name, "/plain"):
		if r.StatusCode >= 400 {
			t.Errorf("%s answers %d %s", name, r.StatusCode, r.body)
		}
	case r.StatusCode != http.StatusOK || !bytes.Contains(r.body, []byte(`"trouble":"away"`)):
		t.Errorf("%s answers %d %s; want what was known, and the trouble", name, r.StatusCode, r.body)
	}
}

// Each route does what docs/without-redis.md says while Redis is away.
func TestEachRouteDoesWhatItsTableSaysWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	table := readAwayTable(t)
	private := devtest.PrivateRedis(t)
	g := newRigOn(t, private.Client, withPages, forFriends, opened, shut)
	g.draw()
	g.post(1, 6)
	g.left(time.Now().Add(time.Hour), [2]int64{10, 10}, [2]int64{})
	f, stranger := g.browser(), g.browser()
	f.join()
	moved := g.servedElsewhere()
	// What a route must be given so that it comes as far as the store.
	bodies := map[string]string{
		"/exchange": `{"code":"BCDFG-HJKMN"}`, "/plain": "do=join",
		"/party/join": fmt.Sprintf(`{"code":%q}`, g.store.Invite(g.sale.ID, "somebody-elses")),
	}
	ask := func(f *fan, rt route) reply {
		method, body, header := rt.method, "", []string(nil)
		if method == "" {
			method = "GET"
		}
		path := strings.NewReplacer("{sale}", string(g.sale.ID), "{id}", "x", "{path...}", "app-x1.js", "{$}", "").Replace(rt.pattern)
		for suffix, b := range bodies {
			if method == "POST" && strings.HasSuffix(path, suffix) {
				body = b
			}
		}
		if strings.HasPrefix(body, "do=") {
			header = []string{"Content-Type", "application/x-www-form-urlencoded", "Origin", g.url}
		}
		if strings.HasSuffix(path, "/party/join") { // for who has no place yet
			return stranger.do(method, path, body, header...)
		}
		return f.do(method, path, body, header...)
	}
	before := map[string]reply{}
	for _, rt := range g.server.routes() {
		if name := strings.TrimSpace(rt.method + " " + rt.pattern); table[name] == "same" || table[name] == "forwarded" {
			before[name] = ask(f, rt)
		}
	}
	private.Kill()
	g.until("the edge has noticed", func() bool {
		return read[wire.Sale](t, f.do("GET", "", "")).Status.Trouble == wire.TroubleAway
	})
	for _, rt := range g.server.routes() {
		name := strings.TrimSpace(rt.method + " " + rt.pattern)
		r, mode := ask(f, rt), table[name]
		delete(table, name)
		switch mode {
		case "same":
			if r.StatusCode != before[name].StatusCode || r.StatusCode >= 500 || !bytes.Equal(r.body, before[name].body) {
				t.Errorf("%s answers %d %s, and %d while Redis is there", name, r.StatusCode, r.body, before[name].StatusCode)
			}
		case "forwarded":
			if r.StatusCode != before[name].StatusCode || r.Header.Get("X-Upstream") == "" {
				t.Errorf("%s is not forwarded: %d %s", name, r.StatusCode, r.body)
			}
		case "closed":
			wantProblem(t, r, http.StatusServiceUnavailable, "store-away")
			if r.Header.Get("Retry-After") == "" {
				t.Errorf("%s does not say when to try again", name)
			}
		case "memory":
			wantMemory(t, name, r)
			wantMemory(t, name+" of a place that another edge served", ask(moved, rt))
		case "chosen": // TestRoutesFailAsTheyWereTold
		default:
			t.Errorf("%s is not in docs/without-redis.md: what does it do while Redis is away?", name)
		}
	}
	for name := range table {
		t.Errorf("docs/without-redis.md tells of %s, which is not a route", name)
	}
	wantProblem(t, g.browser().do("POST", "place", ""), http.StatusServiceUnavailable, "store-away") // nobody gets a new place
}
