package edge

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"testing"

	"github.com/ropeline/ropeline/edge/wire"
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
