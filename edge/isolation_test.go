package edge

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/edge/wire"
)

// everybodys are the routes that anybody may call, whoever the sale is of, and why. A page
// is the same for all: what it shows comes from the other routes.
var everybodys = map[string]string{
	"/api/v1/sales": "what is on sale", "/api/v1/sales/{sale}": "what the sale tells everybody", "/api/v1/sales/{sale}/button": "the same, for a button on another site",
	"/api/v1/sales/{sale}/stock": "what is left, as the sale tells it", "/api/v1/sales/{sale}/terms": "what was promised", "/api/v1/sales/{sale}/draw/file": "who checks a draw needs no place",
	"/api/v1/sales/{sale}/ledger": "who checks a ledger neither", "/api/v1/sales/{sale}/ledger/file": "the same", "/api/v1/sales/{sale}/challenge": "a riddle of before anybody has a place",
	"/api/v1/performances/{id}/availability/live": "which seats are free", domainPath: "asked by a proxy that wants a certificate",
	"/.well-known/jwks.json": "public keys", "/.well-known/terms-jwks.json": "public keys", "/openapi.json": "the document", "/healthz": "of the process", "/readyz": "of the process",
}

// bring are public routes that look at what somebody brings: they are tried.
var bring = map[string]bool{
	"POST /api/v1/sales/{sale}/place": true, "POST /api/v1/sales/{sale}/place/party/join": true, "POST /api/v1/sales/{sale}/place/handover/exchange": true,
	"GET /api/v1/sales/{sale}/plain": true, "POST /api/v1/sales/{sale}/plain": true,
}

// What lets somebody in at one sale opens nothing at another on the same edge: every route is
// called with the place ticket, the admission token, the codes and the cookies of a fan of
// another organization's sale. A route that is new fails here until it is known what it takes.
func TestWhatIsOfAnotherSaleOpensNothing(t *testing.T) {
	t.Parallel()
	g := newRig(t, withPages, opened, forFriends)
	g.draw()
	mine := g.phone()
	mine.join()
	other := *g
	other.sale.ID = ropeline.SaleID("rival-" + random(t))
	must(t, g.store.PublishSale(t.Context(), other.sale))
	other.draw()
	rival := other.phone()
	rival.join()
	other.admit(1)
	admitted := rival.claim()
	wantStatus(t, rival.do("POST", "session", "{}"), http.StatusOK)
	late := other.phone()
	late.join()
	invitation, moving := late.invite().Code, late.code().Code
	before := g.snapshot()

	path := func(rt route) string {
		return strings.NewReplacer("{sale}", string(g.sale.ID), "{id}", "x", "{path...}", "x", "{$}", "").Replace(rt.pattern)
	}
	theirs, ours := wire.PlaceCookie(other.sale.ID), wire.PlaceCookie(g.sale.ID)
	shown := map[string][]string{
		"the ticket":                      {"Authorization", "Bearer " + rival.ticket},
		"the token as a ticket":           {"Authorization", "Bearer " + admitted.Token},
		"the ticket by our cookie's name": {"Cookie", ours + "=" + rival.ticket},
		"its own cookies":                 {"Cookie", theirs + "=" + rival.ticket + "; " + token.Cookie(other.sale.ID) + "=" + admitted.Token, token.SaleHeader, string(other.sale.ID)},
	}
	tried := 0
	for _, rt := range g.server.routes() {
		name := rt.method + " " + rt.pattern
		page := slices.ContainsFunc(pagePaths, func(path string) bool { return rt.pattern == path || strings.HasPrefix(rt.pattern, path+"/") })
		switch {
		case rt.who == staff, rt.who == proxied: // the admission part's tests and the booking core's walk theirs
		case rt.who == proxy: // TestTheGateSaysWhy
		case rt.who == public && (page || everybodys[rt.pattern] != ""):
		case rt.who == public && !bring[name]:
			t.Errorf("%s: nobody says why it is everybody's", name)
		default:
			for what, header := range shown {
				tried++
				stranger := g.browser()
				what += ", " + name
				noTicket := what[:3] == "its" // it is not seen at all
				if strings.HasSuffix(rt.pattern, "/place/live") {
					conn, resp, err := stranger.dialPath(path(rt), header...)
					if err == nil {
						_ = conn.CloseNow()
					}
					if err == nil || resp == nil || resp.StatusCode != http.StatusUnauthorized {
						t.Errorf("%s: %v, %v", what, resp, err)
					}
					continue
				}
				body := ""
				switch {
				case strings.HasSuffix(rt.pattern, "/exchange"):
					body = fmt.Sprintf(`{"code":%q}`, moving)
				case strings.HasSuffix(rt.pattern, "/party/join"):
					body = fmt.Sprintf(`{"code":%q}`, invitation)
				case noTicket && name == "POST /api/v1/sales/{sale}/place":
					continue // who has no place here gets one: there is nothing to refuse
				}
				r := stranger.do(rt.method, path(rt), body, header...)
				if strings.HasSuffix(rt.pattern, "/plain") {
					if rt.method == "GET" {
						wantScene(t, wantStatus(t, r, http.StatusOK), "none")
					} else if r.StatusCode < 400 {
						t.Errorf("%s: %d", what, r.StatusCode)
					}
				} else if bring[name] && body != "" {
					if r.StatusCode != http.StatusNotFound && r.StatusCode != http.StatusUnprocessableEntity && r.StatusCode != http.StatusUnauthorized {
						t.Errorf("%s: %d %s", what, r.StatusCode, r.body)
					}
				} else if r.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s: %d %s", what, r.StatusCode, r.body)
				}
				for _, secret := range []string{string(other.sale.ID), rival.ticket, mine.ticket, string(admitted.Session.ID)} {
					if strings.Contains(string(r.body), secret) {
						t.Errorf("%s: tells %s", what, secret)
					}
				}
			}
		}
	}
	if tried < 40 {
		t.Errorf("only %d were tried: is the table walked?", tried)
	}
	after := g.snapshot()
	if after.Size != before.Size || after.Offered != before.Offered || after.Active != before.Active || after.Collected != before.Collected {
		t.Errorf("the line was %+v and is %+v", before, after)
	}
	mine.poll() // and what was tried is good where it is from
	other.phone().take(moving)
	other.phone().becomes(invitation)
	if s := rival.poll(); s.State != ropeline.PlaceActive {
		t.Errorf("the rival's own place is %+v", s)
	}
}
