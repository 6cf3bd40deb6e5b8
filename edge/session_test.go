package edge

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// admitted returns a browser that has claimed its offer, and its admission.
func admitted(g *rig) (*fan, wire.Admission) {
	g.Helper()
	g.draw()
	f := g.browser()
	f.join()
	g.admit(1)
	return f, f.claim()
}

func TestClaimGivesATokenThatOpensTheGate(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened)
	g.draw()
	f := g.browser()
	f.join()
	wantProblem(t, f.do("POST", "place/claim", ""), http.StatusConflict, "no-offer")
	g.admit(1)
	r := wantStatus(t, f.do("POST", "place/claim", ""), http.StatusOK)
	admission := read[wire.Admission](t, r)
	claims, err := g.verifier().Verify(admission.Token)
	must(t, err)
	place, err := g.store.ReadTicket(g.sale.ID, f.raw())
	must(t, err)
	if claims.Sale != g.sale.ID || claims.Place != place.Place || claims.Session != admission.Session.ID ||
		!claims.Expires.Equal(admission.ExpiresAt) || !claims.SessionEnds.Equal(admission.Session.EndsAt) {
		t.Errorf("token says %+v, the answer %+v", claims, admission)
	}
	c := r.Cookies()
	if len(c) != 1 || c[0].Name != token.Cookie(g.sale.ID) || c[0].Value != admission.Token || c[0].Path != "/api/v1" ||
		!c[0].HttpOnly || !c[0].Secure || c[0].SameSite != http.SameSiteLaxMode {
		t.Errorf("admission cookie %+v", c)
	}
}

func TestClaimIsIdempotentAlsoInParallel(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened)
	g.draw()
	f := g.browser()
	f.join()
	g.admit(1)
	var claims sync.WaitGroup
	tokens := make([]string, 5)
	for i := range tokens {
		claims.Go(func() {
			if r := f.do("POST", "place/claim", ""); r.StatusCode == http.StatusOK {
				tokens[i] = read[wire.Admission](t, r).Token
			}
		})
	}
	claims.Wait()
	for _, raw := range tokens {
		if raw == "" || raw != tokens[0] {
			t.Errorf("tokens of one offer differ: %q", tokens)
		}
	}
	second := time.Now().Unix()
	g.until("the time of a new token would differ", func() bool { return time.Now().Unix() > second })
	if again := f.claim().Token; again != tokens[0] {
		t.Errorf("a late repetition gave %q, first %q", again, tokens[0])
	}
	if s := f.poll(); s.State != ropeline.PlaceActive || s.Session == nil {
		t.Errorf("after the claim: %+v", s)
	}
	if active := g.tick().Active; active != 1 {
		t.Errorf("%d sessions, want 1", active)
	}
}

func TestRenewGivesALaterTokenOfTheSameSession(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened)
	f, first := admitted(g)
	var renewed wire.Admission
	g.until("a second has passed", func() bool { // tokens count whole seconds
		renewed = read[wire.Admission](t, wantStatus(t, f.do("POST", "session", "{}"), http.StatusOK))
		return renewed.ExpiresAt.After(first.ExpiresAt)
	})
	if renewed.Session != first.Session || renewed.Token == first.Token {
		t.Errorf("renewed %+v of %+v", renewed, first)
	}
	if got := f.cookie(token.Cookie(g.sale.ID), "/api/v1/holds"); got != renewed.Token {
		t.Error("the cookie is not the renewed token")
	}
}

func TestEndFreesTheSlotOnceTheGatesKnow(t *testing.T) {
	t.Parallel()
	private := devtest.PrivateRedis(t) // gates are known to a whole Redis
	g := newRigOn(t, private.Client, opened, func(_ *Config, s *ropeline.Sale) { s.Cap = 1 })
	gate := queue.NewRevocations(g.store, "gate-1", slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan error, 1)
	go func() { running <- gate.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-running })
	g.until("the gate sees", func() bool { _, err := gate.Ended("none"); return err == nil })

	f, admission := admitted(g)
	next := g.browser()
	next.join()
	r := wantStatus(t, f.do("DELETE", "session", ""), http.StatusNoContent)
	if over, err := gate.Ended(admission.Session.ID); !over || err != nil {
		t.Errorf("answered before the gate knew: %v, %v", over, err)
	}
	if c := r.Cookies(); len(c) != 1 || c[0].Name != token.Cookie(g.sale.ID) || c[0].MaxAge >= 0 {
		t.Errorf("cookies %+v, want the admission cookie removed", c)
	}
	g.admit(2) // the slot is free at once
	g.until("the next fan is offered the slot", func() bool { return next.poll().State == ropeline.PlaceOffered })
	wantProblem(t, f.do("POST", "session", ""), http.StatusGone, "session-over")
	wantProblem(t, f.do("POST", "place/claim", ""), http.StatusGone, "session-over")
	wantStatus(t, f.do("DELETE", "session", ""), http.StatusNoContent) // twice is no error
}

func TestEndWithoutAllGatesIsAcceptedAndKeepsTheSlot(t *testing.T) {
	t.Parallel()
	private := devtest.PrivateRedis(t)
	g := newRigOn(t, private.Client, opened, func(_ *Config, s *ropeline.Sale) { s.Cap = 1 })
	f, _ := admitted(g)
	// A gate that has just said that it lives and now hears nothing.
	gate := queue.NewRevocations(g.store, "gate-deaf", slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan error, 1)
	go func() { running <- gate.Run(ctx) }()
	g.until("the gate sees", func() bool { _, err := gate.Ended("none"); return err == nil })
	seen, err := private.Client.ZScore(t.Context(), "ropeline:{gates}:seen", "gate-deaf").Result()
	must(t, err)
	cancel()
	must(t, <-running) // it says farewell: put it back as if it had not
	must(t, private.Client.Do(t.Context(), "ZADD", "ropeline:{gates}:seen", seen+1000, "gate-deaf").Err())

	wantStatus(t, f.do("DELETE", "session", ""), http.StatusAccepted)
	if s := g.tick(); s.Active != 1 {
		t.Errorf("%d slots counted, want the one kept until its token has expired", s.Active)
	}
}

func TestLeavingEndsTheSession(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened)
	f, _ := admitted(g)
	app := g.phone()
	app.ticket = f.raw()
	wantStatus(t, f.do("DELETE", "place", ""), http.StatusNoContent)
	wantProblem(t, app.do("POST", "session", ""), http.StatusGone, "session-over")
	if f.cookie(token.Cookie(g.sale.ID), "/api/v1/holds") != "" || f.raw() != "" {
		t.Error("the cookies are still there")
	}
	if s := app.poll(); s.State != ropeline.PlaceDone && s.State != ropeline.PlaceLeft {
		t.Errorf("after leaving: %s", s.State)
	}
}

func TestKeysAreServedToVerifiers(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened)
	_, admission := admitted(g)
	resp, err := g.browser().client.Get(g.url + "/.well-known/jwks.json")
	must(t, err)
	defer resp.Body.Close()
	doc, err := io.ReadAll(resp.Body)
	must(t, err)
	keys, err := token.ParseKeySet(doc)
	must(t, err)
	if _, err := token.NewVerifier(keys, time.Now).Verify(admission.Token); err != nil {
		t.Errorf("the served keys do not verify our token: %v", err)
	}
	if got := resp.Header.Get("Cache-Control"); got != "public, max-age=60" {
		t.Errorf("Cache-Control %q", got)
	}
}
