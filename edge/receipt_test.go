package edge

import (
	"net/http"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// A place's receipt follows it to its end, and tells nobody else; asking changes nothing.
func TestAFanReadsWhatBecameOfTheirPlace(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	g := newRigOn(t, rdb, func(_ *Config, s *ropeline.Sale) { s.Cap = 1 })
	redisTime := func() time.Time {
		t.Helper()
		at, err := rdb.Time(t.Context()).Result()
		must(t, err)
		return at
	}
	f, behind := g.phone(), g.phone()
	f.join()
	behind.join()
	told := func(of *fan) wire.PlaceReceipt {
		t.Helper()
		r := wantStatus(t, of.do("GET", "place/receipt", ""), http.StatusOK)
		if got := r.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("with Cache-Control %q", got)
		}
		return read[wire.PlaceReceipt](t, r)
	}
	if r := told(f); r.State != ropeline.PlaceCollected || !r.Lobby || r.Rank != nil || r.Offer != 0 || r.Claimed || r.Members != 1 {
		t.Errorf("in the lobby: %+v", r)
	}
	g.draw()
	late := g.phone()
	before := redisTime()
	late.join()
	if r := told(late); r.State != ropeline.PlaceWaiting || r.Lobby || r.Rank == nil || *r.Rank != 3 || r.JoinedAt == nil || r.JoinedAt.Before(before) || r.JoinedAt.After(redisTime()) {
		t.Errorf("behind the lobby, between %s and now: %+v", before, r)
	}
	if r := told(f); r.JoinedAt != nil {
		t.Errorf("of who was in the lobby it is said when they came: %s", r.JoinedAt)
	}
	if first := told(f); *first.Rank == 2 { // the draw has turned them round
		f, behind = behind, f
	}
	g.admit(1)
	if r := told(f); r.State != ropeline.PlaceOffered || r.Offer != 1 || r.Claimed || *r.Rank != 1 {
		t.Errorf("offered: %+v", r)
	}
	f.claim()
	ticket, err := g.store.ReadTicket(g.sale.ID, f.ticket)
	must(t, err)
	must(t, g.store.Bought(t.Context(), g.sale.ID, ticket.Place))
	if r := told(f); r.State != ropeline.PlaceActive || !r.Claimed || !r.Bought || r.Place != ticket.Place {
		t.Errorf("in the shop: %+v", r)
	}
	wantStatus(t, f.do("DELETE", "session", ""), http.StatusNoContent)
	if r := told(f); r.State != ropeline.PlaceDone || !r.Claimed || !r.Bought || r.Offer != 1 {
		t.Errorf("afterwards: %+v", r)
	}
	if r := told(behind); r.Claimed || r.Bought || r.State == ropeline.PlaceDone {
		t.Errorf("of the next: %+v", r)
	}
	wantStatus(t, late.do("DELETE", "place", ""), http.StatusNoContent)
	if r := told(late); r.State != ropeline.PlaceLeft || r.Claimed {
		t.Errorf("of who left: %+v", r)
	}
	// What Redis has lost is said to be lost: nothing is made up from the ticket.
	for _, key := range []string{"order", "collected", "left", "comebacks", "late"} {
		must(t, rdb.Del(t.Context(), "ropeline:{"+string(g.sale.ID)+".0}:"+key).Err())
	}
	wantProblem(t, behind.do("GET", "place/receipt", ""), http.StatusGone, "place-forgotten")
	wantProblem(t, g.phone().do("GET", "place/receipt", ""), http.StatusUnauthorized, "place-ticket-missing")
}
