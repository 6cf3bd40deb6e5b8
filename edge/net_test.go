package edge

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
)

// newNet returns a rig in front of a safety net of so many slots, at which a
// controller has looked.
func newNet(t *testing.T, slots int64) *rig {
	t.Helper()
	g := newRig(t, withPages, func(c *Config, s *ropeline.Sale) {
		s.SafetyNet, s.LobbyClosesAt, s.OpensAt, s.Cap = true, time.Time{}, time.Now().Add(-time.Second), slots
		gated(t, c, s)
	})
	g.until("the gate sees", func() bool {
		g.tick() // from the first on the bucket fills
		_, err := g.server.config.Sight.Ended("")
		return err == nil
	})
	return g
}

// atShop returns a browser at the shop's own host.
func (g *rig) atShop() *fan { return g.at(strings.TrimPrefix(g.url, "http://")) }

// asks is what a proxy asks for a browser that opens a page of the shop.
func (f *fan) asks(header ...string) reply {
	return f.do("GET", "/gate/verify", "", append([]string{
		"X-Original-Uri", "/seats", "X-Original-Method", "GET", "X-Original-Host", shopHost, "Sec-Fetch-Mode", "navigate"}, header...)...)
}

func TestNobodyWaitsInAQuietSafetyNet(t *testing.T) {
	t.Parallel()
	g := newNet(t, 3)

	browser := g.atShop()
	if s := browser.join(); s.State != ropeline.PlaceActive {
		t.Fatalf("a browser that joins is %s, want active", s.State)
	}
	claims, err := g.verifier().Verify(browser.cookie(token.Cookie(g.sale.ID), admissionPath+"/holds"))
	if err != nil {
		t.Fatal("the browser got no token with its place:", err)
	}
	if s := browser.poll(); s.State != ropeline.PlaceActive {
		t.Errorf("its page shows %s, want active", s.State)
	}
	wantStatus(t, browser.do("POST", "session", "{}"), http.StatusOK)

	app := g.atShop()
	app.client.Jar, app.app = nil, true
	if s := app.join(); s.State != ropeline.PlaceActive {
		t.Fatalf("an app that joins is %s, want active", s.State)
	}
	if a := app.claim(); a.Session.ID == claims.Session {
		t.Error("two fans share a session")
	}

	// At the gate the request itself goes on, and brings the token that the next has.
	visitor := g.browser()
	r := wantStatus(t, visitor.asks(), http.StatusOK)
	session := r.Header.Get(headerSession)
	if session == "" || len(r.Cookies()) != 1 {
		t.Fatalf("passed without a session or its cookie: %v", r.Header)
	}
	again := wantStatus(t, visitor.asks("Cookie", r.Cookies()[0].Name+"="+r.Cookies()[0].Value), http.StatusOK)
	if again.Header.Get(headerSession) != session {
		t.Error("the next request is of another session")
	}
	if s := g.tick(); s.Active != 3 || s.Offered != 0 || s.Waiting() != 0 {
		t.Errorf("%d are active, %d offered and %d wait, want 3, 0 and 0", s.Active, s.Offered, s.Waiting())
	}
}

func TestWhoMeetsAFullSafetyNetStandsInLine(t *testing.T) {
	t.Parallel()
	g := newNet(t, 1)
	first := g.atShop()
	first.join()

	late := g.browser().asks()
	wantProblem(t, late, http.StatusUnauthorized, "token-missing")
	if room := late.Header.Get(headerRoom); room == "" || len(late.Cookies()) != 0 {
		t.Errorf("whoever has to wait is sent to %q with %d cookies", room, len(late.Cookies()))
	}
	second := g.atShop()
	if s := second.join(); s.State != ropeline.PlaceWaiting || s.Position == nil || *s.Position != 0 {
		t.Fatalf("at a full net one joins as %+v, want first in line", s)
	}
	// The slot that becomes free is theirs, whoever comes meanwhile.
	g.tick()
	wantStatus(t, first.do("DELETE", "session", ""), http.StatusNoContent)
	wantProblem(t, g.browser().asks(), http.StatusUnauthorized, "token-missing")
	g.until("the second is offered", func() bool { g.tick(); return second.poll().State == ropeline.PlaceOffered })
	second.claim()
}

func TestASafetyNetFollowsItsMode(t *testing.T) {
	t.Parallel()
	g := newNet(t, 5)
	for _, c := range []struct {
		mode   ropeline.Mode
		status int
	}{
		{ropeline.ModePause, http.StatusUnauthorized}, {ropeline.ModeQueue, http.StatusUnauthorized},
		{ropeline.ModeDrain, http.StatusUnauthorized}, {ropeline.ModeRun, http.StatusOK},
	} {
		g.steer(t, c.mode, "because")
		g.until("the edge hears of it", func() bool {
			g.tick()
			m, err := g.server.rooms.get(t.Context(), g.sale.ID, time.Now())
			must(t, err)
			v, err := m.view(t.Context())
			return err == nil && v.Mode == c.mode
		})
		if r := g.browser().asks(); r.StatusCode != c.status {
			t.Errorf("in mode %s the gate answers %d, want %d", c.mode, r.StatusCode, c.status)
		}
	}
	g.steer(t, ropeline.ModeStop, "because")
	g.until("the gate stops", func() bool {
		return g.server.config.Sight.(interface {
			Mode(ropeline.SaleID) ropeline.Mode
		}).Mode(g.sale.ID) == ropeline.ModeStop
	})
	wantProblem(t, g.browser().asks(), http.StatusServiceUnavailable, "sale-stopped")
}

// One address does not fill a net by asking without a cookie again and again.
func TestAClientWithoutCookiesDoesNotFillASafetyNet(t *testing.T) {
	t.Parallel()
	g := newRig(t, withPages, func(c *Config, s *ropeline.Sale) {
		s.SafetyNet, s.LobbyClosesAt, s.OpensAt = true, time.Time{}, time.Now().Add(-time.Minute)
		gated(t, c, s)
		c.Limits.Joins = 3
	})
	g.tick()
	g.until("somebody passes", func() bool { g.tick(); return g.browser().asks().StatusCode == http.StatusOK })
	g.until("the limit is met", func() bool {
		r := g.browser().asks()
		return r.StatusCode == http.StatusTooManyRequests && r.Header.Get("Retry-After") != ""
	})
	if s := g.tick(); s.Active > 3 {
		t.Errorf("%d slots are taken by one address that may join 3 times", s.Active)
	}
}
