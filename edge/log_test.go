package edge

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// Whatever happens to a fan, and however much is logged: nobody who reads the
// log can act for them.
func TestTheLogHoldsNobodysSecrets(t *testing.T) {
	t.Parallel()
	book := &devtest.Logbook{}
	g := newRig(t, opened, func(c *Config, _ *ropeline.Sale) {
		c.Log = slog.New(slog.NewTextHandler(book, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	g.draw()
	f, app := g.browser(), g.phone()
	f.join()
	app.join()
	ticket, early := f.raw(), app.ticket
	moved := read[wire.Handover](t, wantStatus(t, app.do("POST", "place/handover", "{}"), http.StatusCreated))
	wantProblem(t, f.do("POST", "place/claim", ""), http.StatusConflict, "no-offer")
	g.admit(2)
	g.until("it is this fan's turn", func() bool { return f.poll().Offer != nil })
	token := f.claim().Token
	secrets := map[string]string{
		"a place ticket": ticket, "its newest": f.raw(), "an app's": early, "an admission": token, "a code": moved.Code,
		"a key": "staff-key-of-somebody", "a cookie": "cookie-of-somebody", "an order's key": "order-key-of-somebody", "a query": "secret-in-a-query",
	}
	wantProblem(t, f.do("POST", "place/handover/exchange", `{"code":"`+moved.Code+`x"}`), http.StatusNotFound, "handover-unknown")
	wantProblem(t, g.phone().do("GET", "place?ticket=secret-in-a-query", "", "Authorization", "Bearer "+ticket+"x"), http.StatusUnauthorized, "place-ticket-invalid")
	f.do("GET", "/api/v1/ops/sales", "", "Authorization", "Bearer staff-key-of-somebody")
	f.do("GET", "/api/v1/orders/x", "", "Authorization", "Bearer order-key-of-somebody", "Cookie", "ropeline_x=cookie-of-somebody")
	f.do("GET", "/api/v1/nothing", "", "Authorization", "Bearer "+token)
	f.do("DELETE", "session", "")
	g.stop()
	text := book.String()
	for what, secret := range secrets {
		if strings.Contains(text, secret) || strings.Contains(text, strings.ReplaceAll(secret, "-", "")) {
			t.Errorf("%s is in the log", what)
		}
	}
	for _, want := range []string{"request refused", "problem=urn:ropeline:problem:no-offer", "sale=" + string(g.sale.ID), "place="} {
		if !strings.Contains(text, want) {
			t.Errorf("the log does not tell %q:\n%s", want, text)
		}
	}
}

// Whoever asks for help with a shop behind the gate is found by place and session.
func TestTheGateLogsPlaceAndSession(t *testing.T) {
	t.Parallel()
	book := &devtest.Logbook{}
	g := newGated(t, func(c *Config, s *ropeline.Sale) {
		c.Log = slog.New(slog.NewTextHandler(book, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.Routes = docRoutes(t, s.ID, "127.0.0.1:2") // a shop that is away
	})
	f := g.at(strings.TrimPrefix(g.url, "http://"))
	f.enter()
	claims, err := g.verifier().Verify(f.cookie(token.Cookie(g.sale.ID), "/"))
	must(t, err)
	for path, line := range map[string]string{"/buy/%2f..": "request refused", "/buy/1": "request failed"} {
		r := f.do("GET", path, "")
		found := ""
		for said := range strings.Lines(book.String()) {
			if strings.Contains(said, "request="+r.Header.Get(requestID)+" ") && strings.Contains(said, line) {
				found = said
			}
		}
		for _, want := range []string{"sale=" + string(g.sale.ID), "place=" + string(claims.Place), "session=" + claims.Session} {
			if !strings.Contains(found, want) {
				t.Errorf("%s answers %d, and the log does not tell %q: %s", path, r.StatusCode, want, found)
			}
		}
	}
	if strings.Contains(book.String(), f.cookie(token.Cookie(g.sale.ID), "/")) {
		t.Error("a token is in the log")
	}
}
