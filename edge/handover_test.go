package edge

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// code asks for a code that moves the fan's place.
func (f *fan) code() wire.Handover {
	f.Helper()
	return read[wire.Handover](f.TB, wantStatus(f.TB, f.do("POST", "place/handover", "{}"), http.StatusCreated))
}

func (f *fan) exchange(code, device string) reply {
	f.Helper()
	return f.do("POST", "place/handover/exchange", fmt.Sprintf(`{"code":%q,"device":%q}`, code, device))
}

// take exchanges a code and keeps the ticket.
func (f *fan) take(code string) wire.Status {
	f.Helper()
	s := read[wire.Status](f.TB, wantStatus(f.TB, f.exchange(code, ""), http.StatusCreated))
	f.ticket = s.Ticket
	return s
}

func TestAPlaceMovesToAnotherDeviceAndTheOldOneWatches(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened)
	g.draw()
	desk, phone := g.browser(), g.phone()
	before := desk.join()
	watching := desk.open()
	watching.await("the place", in(ropeline.PlaceWaiting))

	s := phone.take(desk.code().Code)
	if s.State != before.State || *s.Position != *before.Position || s.Elsewhere || s.Ticket == "" || g.snapshot().Size != 1 {
		t.Errorf("on the phone: %+v; %d places in line", s, g.snapshot().Size)
	}
	if s := watching.await("the place is elsewhere", func(s wire.Status) bool { return s.Elsewhere }); s.Position == nil || *s.Position != 0 {
		t.Errorf("the desk cannot watch any more: %+v", s)
	}
	live := phone.open()
	refused := func(when string) {
		t.Helper()
		if s := desk.poll(); !s.Elsewhere || phone.poll().Elsewhere {
			t.Errorf("%s: the desk polls %+v", when, s)
		}
		for _, call := range [][2]string{
			{"POST", "place/claim"}, {"DELETE", "place"}, {"POST", "session"}, {"DELETE", "session"}, {"POST", "place/handover"},
		} {
			wantProblem(t, desk.do(call[0], call[1], ""), http.StatusConflict, "place-moved")
		}
		r := wantStatus(t, desk.do("POST", "place", ""), http.StatusOK) // a reload joins nothing
		if !read[wire.Status](t, r).Elsewhere || g.snapshot().Size != 1 {
			t.Errorf("%s: joining on the desk gives %s", when, r.body)
		}
	}
	refused("waiting")
	g.admit(1)
	live.await("the offer", in(ropeline.PlaceOffered))
	watching.await("the offer is seen on the desk, too", in(ropeline.PlaceOffered))
	refused("offered")
	wantProblem(t, phone.do("POST", "place/handover", ""), http.StatusConflict, "handover-closed")
	admitted := phone.claim()
	if claims, err := g.verifier().Verify(admitted.Token); err != nil || claims.Session != admitted.Session.ID {
		t.Errorf("the token of the phone: %+v, %v", claims, err)
	}
	refused("active")
	wantStatus(t, phone.do("POST", "session", ""), http.StatusOK)
	wantStatus(t, phone.do("DELETE", "session", ""), http.StatusNoContent)
	if state := g.snapshot(); state.LastOffer != 1 || state.Active != 0 {
		t.Errorf("in the end: %+v, want one offer and nobody in", state)
	}
}

func TestAPlaceMovesBetweenBrowsersByLink(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	desk, tablet, third := g.browser(), g.browser(), g.browser()
	desk.join()
	origin := []string{"Origin", g.url}
	h := read[wire.Handover](t, wantStatus(t, desk.do("POST", "place/handover", "", origin...), http.StatusCreated))
	link := g.url + "/sales/" + string(g.sale.ID) + "#handover=" + h.Code
	if h.URL != link || !strings.HasPrefix(h.QR, "<svg") || len(h.Code) != 11 || h.ExpiresAt.IsZero() {
		t.Errorf("hand-over %+v, want the link %s", h, link)
	}
	secure := desk.code()
	if want := strings.Replace(link, "http:", "https:", 1); secure.URL != strings.Replace(want, h.Code, secure.Code, 1) {
		t.Errorf("without an Origin the link is %s, want https", secure.URL)
	}
	wantProblem(t, tablet.exchange(h.Code, ""), http.StatusNotFound, "handover-unknown") // replaced by the second

	tablet.join()
	wantProblem(t, tablet.exchange(secure.Code, ""), http.StatusConflict, "place-held")
	if s := tablet.poll(); s.State != ropeline.PlaceCollected || s.Elsewhere {
		t.Errorf("the tablet's own place suffered: %+v", s)
	}
	wantStatus(t, tablet.do("DELETE", "place", ""), http.StatusNoContent)
	const device = "tablet-0123456789"
	r := wantStatus(t, tablet.exchange(strings.ToLower(secure.Code), device), http.StatusCreated)
	if c := r.Cookies(); len(c) != 1 || !c[0].HttpOnly || c[0].Path != placePath(g.sale.ID) || strings.Contains(string(r.body), "ticket") {
		t.Errorf("the tablet got the cookies %v and %s", c, r.body)
	}
	wantStatus(t, tablet.exchange(secure.Code, device), http.StatusCreated) // the answer was lost
	wantProblem(t, third.exchange(secure.Code, "third-0123456789"), http.StatusGone, "handover-used")
	wantProblem(t, third.exchange(secure.Code, ""), http.StatusGone, "handover-used")
	mine, err := g.store.ReadTicket(g.sale.ID, tablet.raw())
	must(t, err)
	theirs, err := g.store.ReadTicket(g.sale.ID, desk.raw())
	must(t, err)
	if mine.Place != theirs.Place || mine.Generation != 1 || theirs.Generation != 0 || g.snapshot().Collected != 1 {
		t.Errorf("tickets %+v and %+v, %d in the lobby", mine, theirs, g.snapshot().Collected)
	}

	// Back to the desk, which has a copy of that place already.
	wantStatus(t, desk.exchange(tablet.code().Code, ""), http.StatusCreated)
	if desk.poll().Elsewhere || !tablet.poll().Elsewhere {
		t.Error("the place did not come back to the desk")
	}
}

func TestBadCodesMoveNothing(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	g := newRigOn(t, rdb, behindProxy(-1, -1), func(c *Config, _ *ropeline.Sale) { c.Limits.Handovers = 12 })
	other := newRigOn(t, rdb)
	f, thief := g.browser(), g.browser()
	f.join()
	good := f.code()
	for _, body := range []string{`{`, `{"code":1}`, `{"code":"` + good.Code + `","more":1}`, `{"code":"` + good.Code + `","device":"short"}`} {
		wantProblem(t, thief.do("POST", "place/handover/exchange", body), http.StatusBadRequest, "body-malformed")
	}
	wantProblem(t, thief.do("POST", "place/handover/exchange", `{}`, "Sec-Fetch-Site", "cross-site"), http.StatusForbidden, "origin-mismatch")
	wantProblem(t, other.browser().exchange(good.Code, ""), http.StatusNotFound, "handover-unknown") // another sale's

	parsed, err := queue.ParseCode(good.Code)
	must(t, err)
	record := "ropeline:{" + string(g.sale.ID) + "}:handover:" + string(parsed)
	must(t, rdb.HSet(t.Context(), record, "until", 1).Err()) // two minutes later
	wantProblem(t, thief.exchange(good.Code, ""), http.StatusGone, "handover-late")

	limited, from := false, someAddress(t)
	for i := range 20 {
		r := thief.do("POST", "place/handover/exchange", fmt.Sprintf(`{"code":"00000-%05d"}`, i), "X-Forwarded-For", from)
		if limited = r.StatusCode == http.StatusTooManyRequests; limited {
			wantProblem(t, r, http.StatusTooManyRequests, "rate-limited")
			if r.Header.Get("Retry-After") == "" {
				t.Error("no advice when to try again")
			}
			break
		}
		wantProblem(t, r, http.StatusNotFound, "handover-unknown")
	}
	if !limited {
		t.Error("20 codes could be guessed with a limit of 12")
	}
	if s := f.poll(); s.Elsewhere || s.State != ropeline.PlaceCollected {
		t.Errorf("the place suffered: %+v", s)
	}
	wantStatus(t, f.do("DELETE", "place", ""), http.StatusNoContent)
}

// FuzzExchange sends anything as the body of an exchange: nobody's place
// moves, and the answer is a problem document.
func FuzzExchange(f *testing.F) {
	g := newRig(f)
	holder := g.browser()
	holder.join()
	code := holder.code().Code
	for _, seed := range []string{"", "{}", `{"code":"ABCDE-FGHJK"}`, `{"code":"` + code[:10] + `"}`, `{"code":"\u0000"}`, `{"code":null,"device":"x"}`, `[{"code":"ABCDE-FGHJK"}]`} {
		f.Add(seed)
	}
	handler := g.server.Handler()
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequestWithContext(t.Context(), "POST", placePath(g.sale.ID)+"/place/handover/exchange", strings.NewReader(body))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Header().Get("Content-Type") != "application/problem+json" || w.Code >= 500 {
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
	})
}
