package edge

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// failingShop answers what a request asks for: a status, "hang up", or a word for
// the session.
func failingShop(t *testing.T) string {
	t.Helper()
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r.URL.Query().Get("answer")
		status, err := strconv.Atoi(asked)
		switch {
		case asked == "hang up":
			panic(http.ErrAbortHandler)
		case err == nil:
			w.WriteHeader(status)
		default:
			w.Header().Set("Ropeline-Session", asked)
		}
	}))
	t.Cleanup(shop.Close)
	return shop.URL
}

func withCore(t *testing.T, address string) option {
	u, err := url.Parse(address)
	must(t, err)
	return func(c *Config, s *ropeline.Sale) { c.BookingURL, s.Cap = u, 1 }
}

// expire ends a fan's session as time does.
func (f *fan) expire(rdb redis.UniversalClient) {
	f.Helper()
	ticket, err := f.store.ReadTicket(f.sale.ID, f.raw())
	must(f.TB, err)
	must(f.TB, rdb.ZAdd(f.Context(), "ropeline:{"+string(f.sale.ID)+"}:active", redis.Z{Score: 1, Member: string(ticket.Place)}).Err())
	room, err := f.server.rooms.known(f.sale.ID, time.Now())
	must(f.TB, err)
	room.line.Changed(ticket.Place)
	f.until("the session is over", func() bool { return f.poll().State == ropeline.PlaceDone })
}

// buy asks the core for something that it answers as is said.
func (f *fan) buy(answer string, header ...string) reply {
	f.Helper()
	return f.do("POST", "/api/v1/holds?answer="+url.QueryEscape(answer), "{}", append([]string{"Content-Type", "application/json", token.SaleHeader, string(f.sale.ID)}, header...)...)
}

// hasPass reports whether a fan is told of a pass.
func (f *fan) hasPass() bool { f.Helper(); return f.poll().Reentry }

func TestWhomTheCoreFailedComesInAgainAtOnce(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	g := newRigOn(t, rdb, opened, withCore(t, failingShop(t)))
	f, first := admitted(g)
	next := g.browser()
	next.join()
	wantStatus(t, f.buy("500"), http.StatusInternalServerError)
	g.until("the fan has a pass", f.hasPass)
	if s := f.join(); s.State != ropeline.PlaceActive { // not while the session goes on
		t.Errorf("joining inside: %+v", s)
	}
	f.expire(rdb)
	s := f.join()
	if s.State != ropeline.PlaceWaiting || !s.Back || !s.Reentry {
		t.Fatalf("coming in again: %+v", s)
	}
	if again := f.join(); again.State != ropeline.PlaceWaiting || !again.Back {
		t.Errorf("asking twice: %+v", again)
	}
	g.admit(2)
	g.until("it is the fan's turn", func() bool { return f.poll().State == ropeline.PlaceOffered })
	if state := next.poll(); state.State != ropeline.PlaceWaiting {
		t.Errorf("the next in line: %+v", state)
	}
	second := f.claim()
	if state := g.tick(); second.Session.ID == first.Session.ID || state.MaxInUse != 1 {
		t.Errorf("session %s after %s; %d were in use of 1", second.Session.ID, first.Session.ID, state.MaxInUse)
	}
	if f.hasPass() {
		t.Error("the pass is used and shown all the same")
	}

	// A second time, by a core that hangs up; not a third time.
	wantStatus(t, f.buy("hang up"), http.StatusBadGateway)
	g.until("the fan has a second pass", f.hasPass)
	f.expire(rdb)
	f.join()
	g.admit(3)
	g.until("it is the fan's turn", func() bool { return f.poll().State == ropeline.PlaceOffered })
	third := f.claim()
	wantStatus(t, f.buy("503"), http.StatusServiceUnavailable)
	if err := g.store.Grant(t.Context(), g.sale.ID, third.Session.ID, false); err != queue.ErrPassMost {
		t.Errorf("a third pass: %v", err)
	}
	f.expire(rdb)
	if s := f.join(); s.Back || s.Reentry {
		t.Errorf("joining after two passes: %+v, want the end of the line", s)
	}
	counts, err := rdb.HGetAll(t.Context(), "ropeline:{"+string(g.sale.ID)+"}:counts").Result()
	if err != nil || counts["passes"] != "2" || counts["reentries"] != "2" {
		t.Errorf("counted %v, %v", counts, err)
	}
	told, err := rdb.XRange(t.Context(), "ropeline:{"+string(g.sale.ID)+"}:events", "-", "+").Result()
	must(t, err)
	for _, e := range told {
		if e.Values["kind"] == "reentry" {
			return
		}
	}
	t.Errorf("the public does not hear of it: %v", told)
}

// Whatever a fan can cause alone brings no pass.
func TestNobodyMakesAPassForThemselves(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	g := newRigOn(t, rdb, opened, withCore(t, failingShop(t)), func(_ *Config, s *ropeline.Sale) { s.Cap = 10 })
	f, _ := admitted(g)
	others := [2]*fan{g.browser(), g.browser()}
	for i, o := range others {
		o.join()
		g.admit(int64(2 + i))
		o.claim()
	}
	for _, answer := range []string{"200", "400", "409", "429", "499"} {
		f.buy(answer)
	}
	f.do("GET", "/api/v1/holds/x?answer=500", "", token.SaleHeader, string(g.sale.ID))
	f.do("DELETE", "/api/v1/holds/x?answer=500", "", token.SaleHeader, string(g.sale.ID))
	f.do("POST", "/api/v1/events?answer=500", "{}", token.SaleHeader, string(g.sale.ID))
	f.buy("500", token.SaleHeader, "another-sale")
	f.buy("500", "Cookie", "", "Authorization", "Bearer "+g.tokenOf(t, "another-sale"))
	f.buy("500", "Cookie", "", "Authorization", "Bearer "+g.tokenOf(t, g.sale.ID)[:90]+"forged")
	stranger := g.browser()
	stranger.buy("500")
	for _, o := range others { // what was owed before is written when the second has its pass
		o.buy("500")
		g.until("a fan whom the core failed has a pass", o.hasPass)
	}
	if n, err := rdb.HLen(t.Context(), "ropeline:{"+string(g.sale.ID)+"}:passes").Result(); n != 2 || err != nil {
		t.Errorf("%d places have passes, %v; want the two that the core failed", n, err)
	}

	// Who gives the session up, or is put out, or has bought, comes in by none.
	wantStatus(t, others[0].do("DELETE", "session", ""), http.StatusNoContent)
	ticket, err := g.store.ReadTicket(g.sale.ID, others[1].raw())
	must(t, err)
	must(t, g.store.Bought(t.Context(), g.sale.ID, ticket.Place))
	others[1].expire(rdb)
	for i, o := range others {
		if s := o.join(); s.Back || s.Reentry {
			t.Errorf("fan %d came in again: %+v", i, s)
		}
	}
}

// A core fails most when the store does: the pass is written when that is back.
func TestAPassOutlastsTheStoreThatIsAway(t *testing.T) {
	t.Parallel()
	server := devtest.PrivateRedis(t)
	g := newRigOn(t, server.Client, opened, withCore(t, failingShop(t)))
	f, _ := admitted(g)
	server.Stop()
	wantStatus(t, f.buy("500"), http.StatusInternalServerError)
	server.Start()
	g.until("the line is there again", func() bool {
		ticked, err := g.store.Tick(t.Context(), g.sale.ID, "controller", time.Minute)
		return err == nil && !ticked.Settling
	})
	g.until("the fan has a pass", func() bool {
		r := f.do("GET", "place", "")
		return r.StatusCode == http.StatusOK && read[wire.Status](t, r).Reentry
	})
}

// A shop behind the gate fails its fans as the core does; or it says so.
func TestAForeignShopGivesPasses(t *testing.T) {
	t.Parallel()
	shop := failingShop(t)
	g := newGated(t, func(c *Config, s *ropeline.Sale) { c.Routes = docRoutes(t, s.ID, strings.TrimPrefix(shop, "http://")) })
	for _, c := range []struct {
		what, method, answer string
		pass                 bool
	}{
		{"an error of the shop", "POST", "500", true},
		{"a shop that hangs up", "POST", "hang up", true},
		{"its word", "GET", "reentry", true},
		{"an error while looking", "GET", "500", false},
		{"a refusal", "POST", "409", false},
		{"the end", "POST", "end", false},
	} {
		f := g.at(strings.TrimPrefix(g.url, "http://"))
		f.enter()
		claims, err := g.verifier().Verify(f.cookie(token.Cookie(g.sale.ID), "/"))
		must(t, err)
		r := f.do(c.method, "/buy?answer="+url.QueryEscape(c.answer), "{}")
		if r.Header.Get("Ropeline-Session") != "" {
			t.Errorf("%s: the header left the edge", c.what)
		}
		if c.pass {
			g.until("a pass after "+c.what, f.hasPass)
			continue
		}
		err = g.store.Grant(t.Context(), g.sale.ID, claims.Session, true) // is not there yet
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}
