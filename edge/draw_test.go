package edge

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
	"github.com/ropeline/ropeline/queue/draw"
)

// A fan notes what is public early, and checks the whole draw with it later.
func TestADrawIsPublicAndHolds(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	f := g.browser()
	f.join()
	noted := read[wire.Sale](t, wantStatus(t, f.do("GET", "", ""), http.StatusOK)).Draw
	if len(noted.Commitment) != 64 || noted.Root != "" || noted.Seed != "" {
		t.Fatalf("in the lobby: %+v; want the commitment alone", noted)
	}
	wantProblem(t, f.do("GET", "draw/file", ""), http.StatusConflict, "not-drawn")
	g.sale.Version++
	g.draw()
	shown := read[wire.Sale](t, wantStatus(t, f.do("GET", "", ""), http.StatusOK)).Draw
	if shown.Root == "" || shown.Seed == "" {
		t.Fatalf("after the draw: %+v", shown)
	}
	r := wantStatus(t, f.do("GET", "draw/file", ""), http.StatusOK)
	z, err := gzip.NewReader(bytes.NewReader(r.body))
	must(t, err)
	published, err := draw.Read(z)
	must(t, err)
	for _, c := range published.Verify() {
		if c.Err != nil {
			t.Errorf("%s: %v", c.What, c.Err)
		}
	}
	if published.Sale != g.sale.ID || int64(len(published.Places)) != shown.Entrants {
		t.Errorf("the draw of %s has %d places, want %d", published.Sale, len(published.Places), shown.Entrants)
	}
	again := wantStatus(t, f.do("GET", "draw/file", ""), http.StatusOK)
	if !bytes.Equal(again.body, r.body) {
		t.Error("the published draw changed")
	}
}

// Each fan sees where the draw put them, and can compute it.
func TestAFanProvesTheirOwnPlace(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	fans := make([]*fan, 5)
	for i := range fans {
		fans[i] = g.phone()
		fans[i].join()
	}
	wantProblem(t, fans[0].do("GET", "draw/proof", ""), http.StatusConflict, "not-drawn")
	g.draw()
	late := g.phone()
	late.join()
	wantProblem(t, late.do("GET", "draw/proof", ""), http.StatusNotFound, "not-in-draw")
	wantProblem(t, g.phone().do("GET", "draw/proof", ""), http.StatusUnauthorized, "place-ticket-missing")
	shown := read[wire.Sale](t, wantStatus(t, late.do("GET", "", ""), http.StatusOK)).Draw
	hash := func(text string) (h draw.Hash) {
		raw, err := hex.DecodeString(text)
		must(t, err)
		return draw.Hash(raw)
	}
	ranks := map[int]bool{}
	for _, f := range fans {
		p := read[wire.DrawProof](t, wantStatus(t, f.do("GET", "draw/proof", ""), http.StatusOK))
		ticket, err := g.store.ReadTicket(g.sale.ID, f.ticket)
		must(t, err)
		proof := draw.Proof{Index: p.Index, Count: p.Count}
		for _, h := range p.Path {
			proof.Path = append(proof.Path, hash(h))
		}
		root, ok := proof.Root(ticket.Place)
		if !ok || root != hash(shown.Root) || p.Root != shown.Root || p.Place != ticket.Place {
			t.Errorf("%s is not proved to be in the root: %+v", ticket.Place, p)
		}
		if score := draw.Score(draw.Key(hash(shown.Seed), hash(shown.Root), hash(p.Beacon)), ticket.Place); score != p.Score {
			t.Errorf("the score is said to be %d and is %d", p.Score, score)
		}
		terms := draw.Terms{Sale: p.Sale, Close: p.Close, Beacon: p.BeaconRule}
		if draw.Commitment(terms, hash(p.Seed)) != hash(shown.Commitment) || p.Commitment != shown.Commitment {
			t.Errorf("the seed is not the one committed to: %+v", p)
		}
		if s := f.poll(); s.Position == nil || *s.Position != int64(p.Rank-1) {
			t.Errorf("rank %d stands at position %v", p.Rank, s.Position)
		}
		ranks[p.Rank] = true
	}
	if len(ranks) != 5 || ranks[0] || ranks[6] {
		t.Errorf("the ranks are %v", ranks)
	}
}

// What is public of a beacon, and when.
func TestABeaconIsAnnounced(t *testing.T) {
	t.Parallel()
	g := newRig(t, func(_ *Config, s *ropeline.Sale) { s.Beacon = &ropeline.Beacon{Name: "drand", After: 1, Wait: 9} })
	f := g.browser()
	f.join()
	public := func() wire.Draw {
		return read[wire.Sale](t, wantStatus(t, f.do("GET", "", ""), http.StatusOK)).Draw
	}
	noted := public()
	if noted.BeaconRule != g.sale.Beacon.Rule() || noted.RootAt != nil || noted.Beacon != "" {
		t.Errorf("in the lobby: %+v", noted)
	}
	g.sale.Version++
	g.sale.LobbyClosesAt = time.Now().Truncate(time.Millisecond)
	must(t, g.store.PublishSale(t.Context(), g.sale))
	var pending *queue.BeaconPendingError
	if err := g.store.Draw(t.Context(), g.sale.ID); !errors.As(err, &pending) {
		t.Fatalf("the draw: %v", err)
	}
	if waits := public(); waits.Root == "" || waits.RootAt == nil || waits.Beacon != "" || waits.Seed != "" || waits.RootAt.Add(time.Second).After(pending.At) {
		t.Errorf("while it waits: %+v until %v", waits, pending.At)
	}
	value := draw.Hash{1, 2, 3}
	g.until("the beacon's time", func() bool {
		decided, err := g.store.GiveBeacon(t.Context(), g.sale.ID, &value)
		return err == nil && decided
	})
	must(t, g.store.Draw(t.Context(), g.sale.ID))
	shown := public()
	p := read[wire.DrawProof](t, wantStatus(t, f.do("GET", "draw/proof", ""), http.StatusOK))
	if want := fmt.Sprintf("%x", value); shown.Beacon != want || p.Beacon != want || p.BeaconRule != noted.BeaconRule || p.Rank != 1 {
		t.Errorf("after the draw: %+v, and %+v", shown, p)
	}
}
