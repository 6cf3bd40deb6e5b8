package edge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/visitor"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// forBrowsers is a sale that gives one place to each browser.
func forBrowsers(_ *Config, s *ropeline.Sale) {
	s.Visitor = ropeline.VisitorRule{Kind: ropeline.VisitorBrowser, Work: 4, PerNetwork: ropeline.MaxPlacesPerNetwork}
}

// proof fetches a challenge and solves it.
func (f *fan) proof() string {
	f.Helper()
	text, err := visitor.Solve(read[visitor.Challenge](f.TB, wantStatus(f.TB, f.do("GET", "challenge", ""), http.StatusOK)))
	must(f.TB, err)
	return `{"proof":"` + text + `"}`
}

// placeIn returns the place of the ticket that an answer gave.
func (f *fan) placeIn(r reply) ropeline.PlaceID {
	f.Helper()
	if f.app {
		f.ticket = read[wire.Status](f.TB, r).Ticket
	}
	t, err := f.store.ReadTicket(f.sale.ID, f.raw())
	must(f.TB, err)
	if t.Visitor == "" {
		f.Errorf("the ticket of %s names no visitor", t.Place)
	}
	return t.Place
}

// forget drops everything but the cookie that a browser is known by.
func (f *fan) forget() {
	f.client.Jar.SetCookies(mustURL(f.TB, f.url+placePath(f.sale.ID)), []*http.Cookie{
		{Name: wire.PlaceCookie(f.sale.ID), Path: placePath(f.sale.ID), MaxAge: -1, Secure: true},
	})
}

func TestABrowserHasOnePlaceHoweverOftenItJoins(t *testing.T) {
	t.Parallel()
	g := newRig(t, forBrowsers)
	f := g.browser()
	wantProblem(t, f.do("POST", "place", ""), http.StatusUnauthorized, "proof-needed")
	wantProblem(t, f.do("POST", "place", `{"proof":"e30="}`), http.StatusUnprocessableEntity, "proof-invalid")
	proof := f.proof()
	first := f.placeIn(wantStatus(t, f.do("POST", "place", proof), http.StatusCreated))
	if again := f.placeIn(wantStatus(t, f.do("POST", "place", "{}"), http.StatusOK)); again != first {
		t.Error("who holds a place is asked for a proof")
	}
	for range 3 { // answers that were lost, and fresh proofs
		f.forget()
		if again := f.placeIn(wantStatus(t, f.do("POST", "place", proof), http.StatusCreated)); again != first {
			t.Errorf("the proof again brings %s, not %s", again, first)
		}
		f.forget()
		if again := f.placeIn(wantStatus(t, f.do("POST", "place", f.proof()), http.StatusCreated)); again != first {
			t.Errorf("another proof of the same browser brings %s, not %s", again, first)
		}
	}
	if s := g.snapshot(); s.Collected != 1 {
		t.Errorf("%d places", s.Collected)
	}
	wantStatus(t, f.do("DELETE", "place", ""), http.StatusNoContent)
	wantProblem(t, f.do("POST", "place", proof), http.StatusConflict, "attempt-spent")
	if second := f.placeIn(wantStatus(t, f.do("POST", "place", f.proof()), http.StatusCreated)); second == first {
		t.Error("a place that was given up is back")
	}
	app := g.phone()
	if other := app.placeIn(wantStatus(t, app.do("POST", "place", app.proof()), http.StatusCreated)); other == first {
		t.Error("two browsers have one place")
	}
}

// A browser without scripts is a visitor by its cookie, as often as the sale lets
// such in; with scripts later, it is the same one.
func TestABrowserWithoutScriptsIsLetInWhereTheSaleSaysSo(t *testing.T) {
	t.Parallel()
	strict := newRig(t, forBrowsers)
	if r := strict.browser().submit("join"); r.StatusCode != http.StatusUnauthorized || !strings.Contains(string(r.body), "JavaScript") {
		t.Errorf("a sale that lets none in: %d %s", r.StatusCode, r.body)
	}
	const most = 3
	g := newRig(t, forBrowsers, func(_ *Config, s *ropeline.Sale) { s.Visitor.WithoutProof = most })
	f := g.browser()
	wantStatus(t, f.submit("join"), http.StatusOK) // after a redirect to the page
	first, err := g.store.ReadTicket(g.sale.ID, f.raw())
	must(t, err)
	f.forget()
	if again := f.placeIn(wantStatus(t, f.do("POST", "place", f.proof()), http.StatusCreated)); again != first.Place {
		t.Errorf("with scripts it has the place %s, not %s", again, first.Place)
	}
	refused := 0
	for range 2*most + 1 { // the minute may turn meanwhile
		if r := g.browser().submit("join"); r.StatusCode == http.StatusTooManyRequests {
			refused++
		}
	}
	if s := g.snapshot(); refused == 0 || s.Collected > 2*most {
		t.Errorf("%d were refused, %d have places", refused, s.Collected)
	}
}

func TestTheSameProofSentFiveTimesAtOnceIsOnePlace(t *testing.T) {
	t.Parallel()
	g := newRig(t, forBrowsers)
	body := g.browser().proof()
	var places sync.Map
	var sending sync.WaitGroup
	for range 5 {
		f := g.phone()
		sending.Go(func() {
			r := f.do("POST", "place", body)
			if r.StatusCode != http.StatusCreated {
				t.Errorf("%d %s", r.StatusCode, r.body)
				return
			}
			places.Store(f.placeIn(r), true)
		})
	}
	sending.Wait()
	n := 0
	places.Range(func(any, any) bool { n++; return true })
	if s := g.snapshot(); n != 1 || s.Collected != 1 {
		t.Errorf("%d places were given, %d are in the lobby", n, s.Collected)
	}
}

// A crowd behind one address, or one machine gone wild: most are refused and told
// when to come back, and others are served meanwhile. TENTHOUSAND=1 sends as many.
func TestJoinsOfOneNetworkAreLimited(t *testing.T) {
	t.Parallel()
	joins := 150
	if os.Getenv("TENTHOUSAND") != "" {
		joins = 10_000
	}
	const most = 20
	g := newRig(t, forBrowsers, func(c *Config, s *ropeline.Sale) { s.Visitor.Work, s.Visitor.PerNetwork = 1, most })
	handler := g.server.Handler()
	kind := visitor.NewBrowsers("secret", strings.NewReader(strings.Repeat("some random bytes", 10*joins)), time.Now)
	join := func(address string, browser int) *httptest.ResponseRecorder {
		c, err := kind.Challenge(g.sale, fmt.Sprint("browser ", address, browser))
		must(t, err)
		proof, err := visitor.Solve(c.(visitor.Challenge))
		must(t, err)
		r := httptest.NewRequestWithContext(t.Context(), "POST", placePath(g.sale.ID)+"/place", strings.NewReader(`{"proof":"`+proof+`"}`))
		r.RemoteAddr = address
		r.Header.Set(wire.AppHeader, "1")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	answers := map[int]int{}
	for i := range joins { // neighbors: addresses of one /24
		w := join(fmt.Sprintf("203.0.113.%d:%d", i%250, 1024+i%60000), i)
		answers[w.Code]++
		if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
			t.Fatal("nobody says when to come back")
		}
	}
	if answers[http.StatusCreated] < most || answers[http.StatusCreated] > 3*most || // a test may see the turn of two minutes
		answers[http.StatusCreated]+answers[http.StatusTooManyRequests] != joins {
		t.Errorf("%d joins of one network were answered %v, want %d places a minute and refusals", joins, answers, most)
	}
	for i, address := range []string{"203.0.114.1:1", "[2001:db8::1]:1", "[2001:db8:0:1::1]:1"} {
		if w := join(address, i); w.Code != http.StatusCreated {
			t.Errorf("%s is refused: %d %s", address, w.Code, w.Body)
		}
	}
	for i := range most + 1 { // one /64 is one network, whatever the rest of the address
		w := join(fmt.Sprintf("[2001:db8:9::%x]:1", i), i)
		if limited := w.Code == http.StatusTooManyRequests; i < most && limited {
			t.Errorf("join %d of a /64: %d", i, w.Code)
		}
	}
}

// invited is a sale for invited people; the inviter is the organizer.
func invited(t *testing.T) (option, *visitor.Inviter) {
	t.Helper()
	private, public, err := visitor.GenerateInviter()
	must(t, err)
	folder := t.TempDir()
	must(t, os.WriteFile(filepath.Join(folder, "key"), []byte(private), 0o600))
	must(t, os.WriteFile(filepath.Join(folder, "pub"), []byte(public), 0o600))
	inviter, err := visitor.LoadInviter(filepath.Join(folder, "key"))
	must(t, err)
	guests, err := visitor.LoadInvitations(filepath.Join(folder, "pub"), time.Now)
	must(t, err)
	return func(c *Config, s *ropeline.Sale) {
		c.Visitors[ropeline.VisitorInvitation] = guests
		s.Visitor.Kind = ropeline.VisitorInvitation
	}, inviter
}

func TestAnInvitationIsOnePlace(t *testing.T) {
	t.Parallel()
	byInvitation, inviter := invited(t)
	g := newRig(t, byInvitation)
	invite := func(sale ropeline.SaleID, expires time.Duration) string {
		text, err := inviter.Invite(visitor.Invitation{Sale: sale, Invitee: "guest-1", Expires: time.Now().Add(expires).Unix()})
		must(t, err)
		return text
	}
	with := func(invitation, attempt string) string {
		text, err := json.Marshal(wire.Join{Invitation: invitation, Attempt: attempt})
		must(t, err)
		return string(text)
	}
	valid := invite(g.sale.ID, time.Hour)
	f := g.browser()
	wantProblem(t, f.do("POST", "place", ""), http.StatusUnauthorized, "invitation-needed")
	wantProblem(t, f.do("POST", "place", with(valid[:90], "")), http.StatusUnprocessableEntity, "invitation-invalid")
	wantProblem(t, f.do("POST", "place", with(invite("other", time.Hour), "")), http.StatusForbidden, "invitation-foreign")
	wantProblem(t, f.do("POST", "place", with(invite(g.sale.ID, -time.Hour), "")), http.StatusGone, "invitation-expired")
	wantProblem(t, f.do("GET", "challenge", ""), http.StatusConflict, "no-challenge")
	if s := g.snapshot(); s.Collected != 0 {
		t.Fatalf("wrong invitations brought %d places", s.Collected)
	}
	const attempt = "an attempt of guest 1"
	first := f.placeIn(wantStatus(t, f.do("POST", "place", with(valid, attempt)), http.StatusCreated))
	f.forget()
	if again := f.placeIn(wantStatus(t, f.do("POST", "place", with(valid, attempt)), http.StatusCreated)); again != first {
		t.Errorf("the attempt repeated brings %s, not %s", again, first)
	}
	other := g.browser()
	wantProblem(t, other.do("POST", "place", with(valid, "")), http.StatusConflict, "place-elsewhere")
	wantProblem(t, other.do("POST", "place", with(valid, "another's attempt")), http.StatusConflict, "place-elsewhere")
	wantStatus(t, f.do("DELETE", "place", ""), http.StatusNoContent)
	wantProblem(t, f.do("POST", "place", with(valid, attempt)), http.StatusConflict, "attempt-spent")
	if second := other.placeIn(wantStatus(t, other.do("POST", "place", with(valid, "")), http.StatusCreated)); second == first {
		t.Error("a place that was given up is back")
	}
}

func TestASaleOfAnUnknownKindTakesNobody(t *testing.T) {
	t.Parallel()
	// On a server of its own: others list the sales, and hold each against the document.
	g := newRigOn(t, devtest.PrivateRedis(t).Client, func(_ *Config, s *ropeline.Sale) { s.Visitor.Kind = "moon-dweller" })
	wantProblem(t, g.browser().do("POST", "place", ""), http.StatusInternalServerError, "visitor-kind-unknown")
}

func mustURL(tb testing.TB, raw string) *url.URL {
	tb.Helper()
	u, err := url.Parse(raw)
	must(tb, err)
	return u
}
