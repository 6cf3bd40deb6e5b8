package edge

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

// Frames made by hand are those that encoding/json makes, byte for byte,
// whatever is set and whichever view was encoded before.
func TestFramesAreWhatJSONMakesOfThem(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	maybe := func() bool { return r.IntN(2) == 0 }
	number := func() *int64 {
		n := r.Int64N(5) * r.Int64N(1e6)
		return &n
	}
	m, views := &room{}, []*queue.View{{}, {}}
	at := time.Date(2026, 11, 25, 20, 0, 0, 123e6, time.UTC)
	for i := range 20_000 {
		s := wire.Status{State: ropeline.PlaceWaiting, Position: number(), Served: number(), Epoch: "x<&\"é" + string(rune('a'+r.IntN(3)))}
		s.Sale = wire.SaleStatus{ID: "lanterns", Phase: ropeline.PhaseOpen, OpensAt: at, Now: at.Add(time.Duration(r.IntN(3)) * time.Second)}
		if maybe() {
			s.Wait = &wire.Wait{Low: *number(), High: *number(), Longer: []wire.Longer{"", wire.LongerLimits, wire.LongerSlower}[r.IntN(3)]}
		}
		if maybe() {
			s.NextContact = r.IntN(3)
		}
		if maybe() {
			s.Sale.Paused, s.Sale.Reason, s.Sale.Entrants = true, `"a <break>"`, *number()
		}
		if maybe() {
			s.Terms, s.Sale.Terms = r.IntN(3), r.IntN(3)
		}
		if maybe() {
			words := []wire.Chance{"", wire.ChanceGood, wire.ChanceSoldOut}
			s.Odds = &wire.Odds{Chance: words[r.IntN(3)], Tiers: words[:r.IntN(4)]}
			if len(s.Odds.Tiers) > 0 {
				s.Odds.Together = [][]int64{nil, {1}, {0, 12}}[r.IntN(3)]
			}
			s.Sale.Stock = wire.Stock{Units: *number(), Free: 3}
		}
		if r.IntN(8) == 0 {
			s.Message = &wire.Message{Number: *number(), Lang: "de", Text: "a <b>\n\u2028", Until: []*time.Time{nil, &at}[r.IntN(2)]}
		}
		switch r.IntN(12) { // what is less plain
		case 0:
			s.State = ropeline.PlaceOffered
		case 1:
			s.Back = true
		case 2:
			s.ReturnBy = &at
		case 3:
			s.Offer = &wire.Offer{Number: 7, ClaimBy: at}
		case 4:
			s.Position = nil
		case 5:
			s.Served = nil
		case 6:
			s.Sale.Trouble = wire.TroubleAway
		case 7:
			s.Ticket = "1.a.b.c"
		}
		want, err := json.Marshal(s)
		must(t, err)
		// One view has one sale status, one served and one epoch.
		view := views[i%2]
		if c := m.shared[0].Load(); c != nil && c.view == view {
			m.shared[0].Store(nil)
		}
		for range 2 {
			if got := string(m.encode([]byte("before"), view, s)); got != "before"+string(want) {
				t.Fatalf("frame\n%s\nwant\n%s", got, want)
			}
		}
	}
}

// The cookie of a place made from its parts is the one that net/http writes, also
// when the sale's end has been moved.
func TestAPlaceCookieIsWhatNetHTTPMakesOfIt(t *testing.T) {
	t.Parallel()
	m := &room{id: "lanterns"}
	for _, ends := range []time.Time{time.Date(2026, 11, 25, 20, 0, 0, 5, time.UTC), time.Date(2027, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))} {
		for _, ticket := range []string{"1.a.b.c", "1.ticket.=ticket"} {
			want := cookie("ropeline_place_lanterns", ticket, "/api/v1/sales/lanterns", ends.Add(ticketKept)).String()
			if got := m.placeCookie(ends, ticket); got != want || want == "" {
				t.Errorf("cookie\n%s\nwant\n%s", got, want)
			}
		}
	}
}
