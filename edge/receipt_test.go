package edge

import (
	"net/http"
	"testing"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

// A place's receipt follows it to its end, and tells nobody else; asking changes nothing.
func TestAFanReadsWhatBecameOfTheirPlace(t *testing.T) {
	t.Parallel()
	g := newRig(t, func(_ *Config, s *ropeline.Sale) { s.Cap = 1 })
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
	late.join()
	if r := told(late); r.State != ropeline.PlaceWaiting || r.Lobby || r.Rank == nil || *r.Rank != 3 {
		t.Errorf("behind the lobby: %+v", r)
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
	wantProblem(t, g.phone().do("GET", "place/receipt", ""), http.StatusUnauthorized, "place-ticket-missing")
}
