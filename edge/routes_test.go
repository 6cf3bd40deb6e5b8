package edge

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/edge/hub"
	"github.com/ropeline/ropeline/edge/wire"
)

// TestEveryRouteIsServedToThoseItIsFor walks the table: each route answers
// what a caller without any credential must get.
func TestEveryRouteIsServedToThoseItIsFor(t *testing.T) {
	t.Parallel()
	g := newRig(t, withPages, opened)
	g.draw()
	f := g.browser()
	for _, rt := range g.server.routes() {
		method := rt.method
		if method == "" {
			method = "GET"
		}
		path := strings.NewReplacer("{sale}", string(g.sale.ID), "{id}", "x", "{path...}", "app-x1.js", "{$}", "").Replace(rt.pattern)
		r := f.do(method, path, "", "Cookie", "")
		switch rt.who {
		case public:
			if strings.HasSuffix(path, "/exchange") {
				wantProblem(t, r, http.StatusNotFound, "handover-unknown") // it wants a code
				break
			}
			if strings.HasSuffix(path, "/party/join") {
				wantProblem(t, r, http.StatusUnprocessableEntity, "party-code-invalid") // it wants an invitation
				break
			}
			if strings.HasSuffix(path, "/stock") { // nobody counts it
				wantProblem(t, r, http.StatusNotFound, "stock-unknown")
				break
			}
			if strings.HasSuffix(path, "/logo") { // it has none
				wantProblem(t, r, http.StatusNotFound, "logo-unknown")
				break
			}
			if path == domainPath {
				wantProblem(t, r, http.StatusNotFound, "domain-unknown")
				break
			}
			if strings.HasSuffix(path, "/live") {
				wantProblem(t, r, http.StatusUpgradeRequired, "upgrade-required")
				break
			}
			if strings.HasSuffix(path, "/terms") { // none were published
				wantProblem(t, r, http.StatusNotFound, "terms-unknown")
				break
			}
			if strings.HasSuffix(path, "/challenge") { // a sale for anybody has none
				wantProblem(t, r, http.StatusConflict, "no-challenge")
				break
			}
			if method == "POST" && strings.HasSuffix(path, "/plain") {
				wantScene(t, wantStatus(t, r, http.StatusBadRequest), "problem") // it wants a form
				break
			}
			if r.StatusCode != http.StatusOK && r.StatusCode != http.StatusCreated {
				t.Errorf("%s %s: %d %s", method, path, r.StatusCode, r.body)
			}
		case placeTicket:
			if strings.HasSuffix(path, "/live") {
				wantProblem(t, r, http.StatusUpgradeRequired, "upgrade-required")
				break
			}
			f.client.Jar = g.browser().client.Jar
			wantProblem(t, f.do(method, path, ""), http.StatusUnauthorized, "place-ticket-missing")
		case proxy:
			wantProblem(t, r, http.StatusNotFound, "route-unknown") // it has no routes
		case staff, proxied:
			if r.StatusCode != http.StatusTeapot || r.Header.Get("X-Upstream") != path {
				t.Errorf("%s %s was not forwarded: %d %s", method, path, r.StatusCode, r.body)
			}
		default:
			t.Errorf("%s %s: nobody said who may call it", method, path)
		}
	}
}

// No other site makes a browser change anything here, on any route: the table is
// walked with the cookies that the browser would send.
func TestOtherSitesChangeNothing(t *testing.T) {
	t.Parallel()
	g := newRig(t, forFriends)
	f := g.browser()
	f.join()
	cookies := wire.PlaceCookie(g.sale.ID) + "=" + f.raw() + "; ropeline_staff=key; " + ropeline.AccountCookie + "=key; " + token.Cookie(g.sale.ID) + "=token"
	changing := 0
	for _, rt := range g.server.routes() {
		methods := []string{rt.method}
		if rt.method == "" {
			methods = []string{"POST", "PUT", "PATCH", "DELETE"}
		}
		path := strings.NewReplacer("{sale}", string(g.sale.ID), "{id}", "x", "{path...}", "x", "{$}", "").Replace(rt.pattern)
		for _, method := range methods {
			if method == "GET" || strings.HasPrefix(rt.pattern, "/gate/verify") { // a balancer's question about any request; it changes nothing
				continue
			}
			changing++
			for _, from := range [][]string{
				{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
				{"Sec-Fetch-Site", "", "Origin", "null"}, {"Sec-Fetch-Site", ""},
			} {
				r := f.do(method, path, "", append([]string{"Cookie", cookies, "Content-Type", "text/plain"}, from...)...)
				if strings.HasSuffix(path, "/plain") {
					wantStatus(t, r, http.StatusForbidden)
					continue
				}
				wantProblem(t, r, http.StatusForbidden, "origin-mismatch")
			}
		}
	}
	if changing < 20 {
		t.Errorf("only %d routes change something: is the table walked?", changing)
	}
	if up := g.upstream.last(); up != nil {
		t.Errorf("%s %s of another site reached an upstream", up.Method, up.URL)
	}
	for _, rt := range g.server.routes() {
		if !strings.HasSuffix(rt.pattern, "/live") {
			continue
		}
		path := strings.NewReplacer("{sale}", string(g.sale.ID), "{id}", "x").Replace(rt.pattern)
		if conn, resp, err := f.dialPath(path, "Origin", "https://evil.example"); err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("a socket from another site: %v, %v", resp, err)
			if conn != nil {
				_ = conn.CloseNow()
			}
		}
	}
	if s := f.poll(); s.State != ropeline.PlaceCollected {
		t.Errorf("the place is %s afterwards", s.State)
	}
}

func TestWrongMethodsAreToldTheRightOnes(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	for path, allow := range map[string]string{
		"place": "GET, POST, DELETE", "session": "POST, DELETE", "place/claim": "POST", "/healthz": "GET", "": "GET",
	} {
		r := g.browser().do("PUT", path, "")
		wantProblem(t, r, http.StatusMethodNotAllowed, "method-unknown")
		if got := r.Header.Get("Allow"); got != allow {
			t.Errorf("%s: Allow %q, want %q", path, got, allow)
		}
	}
}

func TestInternalsAreLoggedAndNeverSent(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.server.signer = brokenSigner{}
	g.draw()
	f := g.browser()
	f.join()
	g.admit(1)
	r := f.do("POST", "place/claim", "")
	wantProblem(t, r, http.StatusInternalServerError, "internal")
	if strings.Contains(string(r.body), "the key melted") {
		t.Errorf("a cause was sent: %s", r.body)
	}
	if logged := g.logged.String(); !strings.Contains(logged, "the key melted") || !strings.Contains(logged, r.Header.Get("X-Request-Id")) {
		t.Errorf("the cause or the request id is not in the log: %s", logged)
	}
}

// brokenSigner is what a damaged key file would be: no Signer of ours fails.
type brokenSigner struct{}

func (brokenSigner) Sign(token.Claims) (string, error) { return "", errors.New("the key melted") }

func TestSalesAreListedAndDescribed(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.browser().join()
	g.tick()
	var doc wire.Sale
	g.until("the entrant is counted", func() bool {
		doc = read[wire.Sale](t, wantStatus(t, g.browser().do("GET", "", ""), http.StatusOK))
		return doc.Status.Entrants == 1
	})
	if doc.Title != g.sale.Title || doc.Status.ID != g.sale.ID || doc.Status.Phase != ropeline.PhaseLobby || doc.Status.Now.IsZero() ||
		!doc.LobbyClosesAt.Equal(g.sale.LobbyClosesAt) || !doc.EndsAt.Equal(g.sale.EndsAt) || len(doc.Performances) != 1 ||
		doc.ClaimWindow != 60 || doc.SessionMax != 1800 || doc.Hold != 600 || doc.HoldExtensions != 1 || doc.UnitsPerHold != 6 {
		t.Errorf("sale %+v", doc)
	}
	list := read[struct{ Sales []wire.Sale }](t, wantStatus(t, g.browser().do("GET", "/api/v1/sales", ""), http.StatusOK))
	if !slices.ContainsFunc(list.Sales, func(s wire.Sale) bool { return s.Status.ID == g.sale.ID }) {
		t.Errorf("the sale is not among %d", len(list.Sales))
	}
	g.sale.Version, g.sale.Title = 2, "The Lanterns, moved"
	must(t, g.store.PublishSale(t.Context(), g.sale))
	g.until("a new version is shown", func() bool {
		return read[wire.Sale](t, g.browser().do("GET", "", "")).Title == g.sale.Title
	})
}

func TestRoomsMakeWayOnlyWhenNobodyNeedsThem(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	rooms := newRooms(g.store, 1, g.server.log)
	now := time.Now()
	if _, err := rooms.get(t.Context(), g.sale.ID, now); !errors.Is(err, errStarting) {
		t.Errorf("before Run: %v, want %v", err, errStarting)
	}
	ctx, cancel := context.WithCancel(t.Context())
	must(t, rooms.open(ctx))
	if rooms.open(ctx) == nil {
		t.Error("Run could be called twice")
	}
	first, err := rooms.get(t.Context(), g.sale.ID, now)
	must(t, err)
	other := g.sale
	other.ID += "-2"
	must(t, g.store.PublishSale(t.Context(), other))
	if _, err := rooms.get(t.Context(), other.ID, now.Add(roomIdle/2)); !errors.Is(err, errRoomsFull) {
		t.Errorf("a room in use: %v, want %v", err, errRoomsFull)
	}
	client, conn := net.Pipe()
	g.server.hub.Socket(silent{}).Open(conn, nil, &first.sockets)
	if _, err := rooms.get(t.Context(), other.ID, now.Add(2*roomIdle)); !errors.Is(err, errRoomsFull) {
		t.Errorf("a room with a socket: %v, want %v", err, errRoomsFull)
	}
	must(t, client.Close())
	g.until("the socket has ended", func() bool { return first.sockets.Len() == 0 })
	if _, err := rooms.get(t.Context(), other.ID, now.Add(2*roomIdle)); err != nil {
		t.Errorf("an idle room did not make way: %v", err)
	}
	select {
	case <-first.over:
	case <-time.After(patience):
		t.Error("the room that made way goes on")
	}
	cancel()
	rooms.wait()
	if _, err := rooms.get(context.WithoutCancel(ctx), other.ID, now); !errors.Is(err, errStarting) {
		t.Errorf("after the end: %v, want %v", err, errStarting)
	}
}

// silent is a socket's teller that has nothing to tell.
type silent struct{}

func (silent) Tell([]byte) ([]byte, time.Duration, *hub.Ending) { return nil, time.Hour, nil }
func (silent) Gone()                                            {}
