package edge

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// Who waits leaves an address; the letter's link opens the place on another device, once; the
// one that left it is told nothing more, and neither is who holds it since.
func TestALetterCarriesAPlace(t *testing.T) {
	t.Parallel()
	rdb := devtest.PrivateRedis(t).Client
	// One a minute goes in.
	g := newRigOn(t, rdb, opened, func(_ *Config, s *ropeline.Sale) { s.Rate, s.TurnNotice = 1, 1170 })
	g.draw()
	desk, phone, second := g.phone(), g.phone(), g.phone()
	g.phone().join() // whose turn is first
	desk.join()
	ask := func(f *fan, email string) reply {
		return f.do("POST", "place/letter", `{"email":"`+email+`"}`, "Origin", g.url, "Accept-Language", "de-AT,de")
	}
	wantProblem(t, ask(desk, "ada@example.org"), http.StatusServiceUnavailable, "turn-unavailable") // nobody writes
	turns := func() []queue.Near {
		t.Helper()
		all, err := g.store.NearTurns(t.Context(), 10)
		must(t, err)
		return all
	}
	turns()
	for _, bad := range []string{"", "ada", "ada@example", "Ada <ada@example.org>", `ada@example.org\r\nBcc: eve@example.org`, "ada@example.org,eve@example.org", strings.Repeat("a", 250) + "@example.org"} {
		wantProblem(t, ask(desk, bad), http.StatusUnprocessableEntity, "email-invalid")
	}
	wantProblem(t, phone.do("POST", "place/letter", `{"email":"ada@example.org"}`), http.StatusUnauthorized, "place-ticket-missing")
	wantProblem(t, desk.do("POST", "place/letter", `{"email":"ada@example.org","name":"Ada"}`), http.StatusBadRequest, "body-malformed")
	if said := read[wire.LetterAsked](t, wantStatus(t, ask(desk, "ada@example.org"), http.StatusCreated)); said.Minutes != 20 {
		t.Errorf("it comes %d minutes before", said.Minutes)
	}
	if text := g.logged.String(); strings.Contains(text, "ada@example.org") {
		t.Errorf("the address is in the log: %s", text)
	}
	g.until("it is near", func() bool {
		g.tick()
		must(t, g.store.FindNear(t.Context(), g.sale.ID))
		return len(turns()) == 1
	})
	near := turns()[0]
	before, code, _ := strings.Cut(near.Link, "#handover=")
	if near.Email != "ada@example.org" || near.Language != "de-AT,de" || before != g.url+"/sales/"+string(g.sale.ID) || len(code) != 20 {
		t.Errorf("near is %+v", near)
	}
	must(t, g.store.NearTold(t.Context(), near))
	wantProblem(t, ask(desk, "ada@example.org"), http.StatusConflict, "turn-told")
	if s := phone.take(code); s.Elsewhere || s.State != ropeline.PlaceWaiting && s.State != ropeline.PlaceOffered {
		t.Errorf("by the link: %+v", s)
	}
	wantProblem(t, second.exchange(code, ""), http.StatusGone, "handover-used")
	wantProblem(t, ask(desk, "ada@example.org"), http.StatusConflict, "place-moved")

	// Another place: its address goes when it moves, and when its fan says so.
	other := g.phone()
	other.join()
	kept := func() int64 { return rdb.HLen(t.Context(), "ropeline:{"+string(g.sale.ID)+"}:asked").Val() }
	wantStatus(t, ask(other, "bert@example.org"), http.StatusCreated)
	if n := kept(); n != 1 {
		t.Fatalf("%d addresses are kept", n)
	}
	wantStatus(t, other.do("DELETE", "place/letter", ""), http.StatusNoContent)
	if n := kept(); n != 0 {
		t.Errorf("%d addresses are kept of who wants no letter any more", n)
	}
	wantStatus(t, ask(other, "bert@example.org"), http.StatusCreated)
	second.take(other.code().Code)
	if n := kept(); n != 0 {
		t.Errorf("%d addresses are kept of who has given the place away", n)
	}
	wantStatus(t, ask(second, "carl@example.org"), http.StatusCreated)
	wantStatus(t, second.do("DELETE", "place", ""), http.StatusNoContent)
	if n := kept(); n != 0 {
		t.Errorf("%d addresses are kept of who has left", n)
	}
}

// Without scripts it is a form, and what is wrong with it is said on a page.
func TestAPlainPageAsksForALetter(t *testing.T) {
	t.Parallel()
	g := newRigOn(t, devtest.PrivateRedis(t).Client)
	_, err := g.store.NearTurns(t.Context(), 1)
	must(t, err)
	f := g.browser().still()
	wantStatus(t, f.submit("join"), http.StatusSeeOther)
	if text := f.page("lobby"); !strings.Contains(text, "E-mail me when it is nearly my turn") {
		t.Errorf("nobody is asked: %s", text)
	}
	r := f.do("GET", "plain?ask=letter", "")
	wantScene(t, r, "letter")
	if r.Header.Get("Refresh") != "" {
		t.Error("the page forgets what is typed")
	}
	wantScene(t, wantStatus(t, f.submit("letter", "email", "nobody"), http.StatusUnprocessableEntity), "problem")
	wantScene(t, wantStatus(t, f.submit("letter", "email", "ada@example.org"), http.StatusOK), "told")
}
