package edge

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/edge/wire"
)

// newNet returns a rig in front of a safety net of so many slots, at which a
// controller has looked.
func newNet(t *testing.T, slots int64, options ...option) *rig {
	t.Helper()
	g := newRig(t, append([]option{withPages, func(c *Config, s *ropeline.Sale) {
		s.SafetyNet, s.LobbyClosesAt, s.OpensAt, s.Cap = true, time.Time{}, time.Now().Add(-time.Second), slots
		gated(t, c, s)
	}}, options...)...)
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

// A newcomer whose first request the shop does not answer is in all the same.
func TestANewcomerOfAShopThatIsAwayHasAToken(t *testing.T) {
	t.Parallel()
	g := newNet(t, 3, func(c *Config, s *ropeline.Sale) { c.Routes = docRoutes(t, s.ID, "127.0.0.1:2") })
	r := wantStatus(t, g.atShop().do("GET", "/seats", ""), http.StatusBadGateway)
	if len(r.Cookies()) != 1 {
		t.Fatalf("it got no token: %v", r.Header)
	}
	if _, err := g.verifier().Verify(r.Cookies()[0].Value); err != nil {
		t.Error(err)
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

// untilMode waits until the edge knows how the sale admits.
func (g *rig) untilMode(t *testing.T, mode ropeline.Mode) {
	t.Helper()
	g.until("the edge hears of it", func() bool {
		g.tick()
		m, err := g.server.rooms.get(t.Context(), g.sale.ID, time.Now())
		must(t, err)
		v, err := m.view(t.Context())
		return err == nil && v.Mode == mode
	})
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
		g.untilMode(t, c.mode)
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

// What is no token of this sale opens nothing: where the net is quiet the request
// goes on with a token of its own, where it is full it waits as everybody does.
func TestASafetyNetTrustsNoBadToken(t *testing.T) {
	t.Parallel()
	g := newNet(t, 3)
	other, err := admission.GenerateKey()
	must(t, err)
	stranger, err := admission.ParseSigner(other)
	must(t, err)
	now := time.Now().Truncate(time.Second)
	claims := token.Claims{Sale: g.sale.ID, Place: "AAAAAAAAAAAAAAAAAAAAAA", Session: "01939f4e-7a00-7000-8000-00000000dead",
		IssuedAt: now, Expires: now.Add(time.Minute), SessionEnds: now.Add(time.Hour)}
	foreign, err := stranger.Sign(claims)
	must(t, err)
	expired := claims
	expired.IssuedAt, expired.Expires = now.Add(-2*time.Minute), now.Add(-time.Minute)
	good := g.tokenOf(t, g.sale.ID)
	bad := map[string]struct{ raw, code string }{
		"garbage":             {"garbage", "token-invalid"},
		"a cut signature":     {good[:len(good)-4], "token-invalid"},
		"signed by another":   {foreign, "token-invalid"},
		"of another sale":     {g.tokenOf(t, "other"), "token-other-sale"},
		"expired":             {mustSign(t, g, expired), "token-expired"},
		"no algorithm at all": {"eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + ".", "token-invalid"},
	}
	cookie := token.Cookie(g.sale.ID) + "="
	let := map[string]bool{claims.Session: true, "": true}
	for name, b := range bad {
		r := g.browser().asks("Cookie", cookie+b.raw)
		if len(let) == 5 { // three are in
			wantProblem(t, r, http.StatusUnauthorized, b.code)
			continue
		}
		session := wantStatus(t, r, http.StatusOK).Header.Get(headerSession)
		if let[session] || len(r.Cookies()) != 1 {
			t.Errorf("%s: let in as %q with the cookies %v", name, session, r.Cookies())
		}
		let[session] = true
	}
	for name, b := range bad { // it is full
		r := g.browser().asks("Cookie", cookie+b.raw)
		if wantProblem(t, r, http.StatusUnauthorized, b.code); len(r.Cookies()) != 0 {
			t.Errorf("%s: at a full net it gets %v", name, r.Cookies())
		}
	}
	if s := g.tick(); s.Active != 3 || s.MaxInUse > 3 {
		t.Errorf("%d are in, %d at most, of 3", s.Active, s.MaxInUse)
	}
}

// Nobody else's page makes a browser take a slot.
func TestOtherSitesTakeNoSlotOfASafetyNet(t *testing.T) {
	t.Parallel()
	g := newNet(t, 3)
	f, at := g.browser(), g.atShop()
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
		{"Sec-Fetch-Site", "", "Origin", "https://evil.example"}, {"Sec-Fetch-Site", "", "Origin", "null"},
	} {
		wantProblem(t, at.do("POST", "place", "", header...), http.StatusForbidden, "origin-mismatch")
	}
	for _, dest := range []string{"image", "script", "iframe", "empty", ""} {
		r := f.asks("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", dest, "Sec-Fetch-Mode", "no-cors")
		if wantProblem(t, r, http.StatusUnauthorized, "token-missing"); len(r.Cookies()) != 0 {
			t.Errorf("%s: got %v", dest, r.Cookies())
		}
	}
	if s := g.tick(); s.Active != 0 || s.Waiting() != 0 {
		t.Errorf("%d are in and %d wait, though nobody came", s.Active, s.Waiting())
	}
	// A link on another site is a way in, as everywhere.
	wantStatus(t, f.asks("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "document"), http.StatusOK)
}

// A token that many share is one session in one slot; when it is over, it opens
// nothing, and its place comes in anew like anybody.
func TestASharedTokenIsOneSlotOfASafetyNet(t *testing.T) {
	t.Parallel()
	g := newNet(t, 2)
	owner := g.atShop()
	owner.join()
	shared := token.Cookie(g.sale.ID) + "=" + owner.cookie(token.Cookie(g.sale.ID), admissionPath+"/holds")
	session := ""
	for range 50 {
		r := wantStatus(t, g.browser().asks("Cookie", shared), http.StatusOK)
		if is := r.Header.Get(headerSession); session != "" && is != session || len(r.Cookies()) != 0 {
			t.Fatalf("one of those who share the token is let in as %s, not %s, with %v", is, session, r.Cookies())
		} else {
			session = is
		}
	}
	if s := g.tick(); s.Active != 1 {
		t.Fatalf("%d slots are taken by one token", s.Active)
	}
	wantStatus(t, owner.do("DELETE", "session", ""), http.StatusNoContent)
	if s := owner.poll(); s.State != ropeline.PlaceDone {
		t.Errorf("its place is %s, want done", s.State)
	}
	g.tick()
	again := wantStatus(t, g.browser().asks("Cookie", shared), http.StatusOK)
	if is := again.Header.Get(headerSession); is == session || len(again.Cookies()) != 1 {
		t.Errorf("the ended session opens: %s, %v", is, again.Cookies())
	}
	before := owner.raw()
	if s := owner.join(); s.State != ropeline.PlaceActive || owner.raw() == before {
		t.Errorf("whose place is over joins as %s, with a new place: %t", s.State, owner.raw() != before)
	}
	if s := g.tick(); s.Active != 2 {
		t.Errorf("%d are in, want 2", s.Active)
	}
	wantProblem(t, g.browser().asks("Cookie", shared), http.StatusUnauthorized, "token-revoked")
}

// Without scripts one is in with the one button; where it is full the page says
// that it is, and that nothing is drawn.
func TestASafetyNetWithoutScripts(t *testing.T) {
	t.Parallel()
	g := newNet(t, 1)
	quiet := func(f *fan) bool {
		text := f.page("none")
		return strings.Contains(text, "Nobody waits") && !strings.Contains(text, "in line") && !strings.Contains(text, "turn")
	}
	f := g.atShop().still()
	if !quiet(f) {
		t.Errorf("a quiet room promises a line: %s", f.page("none"))
	}
	if to := wantStatus(t, f.submit("join"), http.StatusSeeOther).Header.Get("Location"); to != shopPath(g.sale.ID) {
		t.Errorf("joining leads to %s", to)
	}
	late := g.atShop().still()
	if to := wantStatus(t, late.submit("join"), http.StatusSeeOther).Header.Get("Location"); to != plainPath(g.sale.ID) {
		t.Errorf("joining where it is full leads to %s", to)
	}
	g.tick()
	g.until("the line is known", func() bool { return !quiet(g.atShop()) })
	if text := g.atShop().page("none"); !strings.Contains(text, "The shop is busy") || !strings.Contains(text, "first come, first served") || !strings.Contains(text, "1 person is in line") {
		t.Errorf("a busy room does not say so: %s", text)
	}
	if text := late.page("waiting"); !strings.Contains(text, "The shop is busy") || !strings.Contains(text, "nothing is drawn") || strings.Contains(text, "lot") {
		t.Errorf("whoever waits is not told how: %s", text)
	}
	sale := read[wire.Sale](t, f.do("GET", "", ""))
	if !sale.SafetyNet || sale.Status.Phase != ropeline.PhaseOpen || sale.Status.Entrants != 1 {
		t.Errorf("the sale is shown as %+v", sale)
	}
}
