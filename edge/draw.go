package edge

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
	"github.com/ropeline/ropeline/queue/draw"
)

// published is a sale's draw as fans ask for it: the same for everybody. A
// million places are 25 MB packed, and 45 MB to prove them from.
type published struct {
	file   draw.File // without its places
	packed []byte
	sorted []ropeline.PlaceID
	ranks  []int32 // of the sorted ones in their lanes, from 0
	tree   *draw.Tree
}

// drawCache keeps the draws that were asked for last. One request makes one
// while the others are told to come back.
type drawCache struct {
	making sync.Mutex // held by whoever makes one

	mu    sync.Mutex // guards the rest
	sales []ropeline.SaleID
	draws map[ropeline.SaleID]*published
}

// drawsKept is how many draws an edge keeps.
const drawsKept = 4

var (
	errDrawBusy = &ropeline.Error{
		Kind: ropeline.Unavailable, Code: "draw-busy", RetryAfter: 3 * time.Second,
		Detail: "The draw is being put together for somebody else. Please try again in a moment.",
	}
	errNotInDraw = &ropeline.Error{Kind: ropeline.NotFound, Code: "not-in-draw",
		Detail: "This place came after the lobby had closed, so it took no part in the draw and stands behind it."}
)

// drawFile serves the whole draw of a sale for verify-draw.
func (s *Server) drawFile(w http.ResponseWriter, r *http.Request) error {
	room, err := s.room(r)
	if err != nil {
		return err
	}
	d, err := s.published(r, room.id)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/gzip")
	h.Set("Content-Disposition", `attachment; filename="draw-`+string(room.id)+`.txt.gz"`)
	h.Set("Cache-Control", "public, max-age=60")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(d.packed))
	return nil
}

// drawProof shows the caller's own place in the draw.
func (s *Server) drawProof(w http.ResponseWriter, r *http.Request) error {
	room, ticket, err := s.caller(w, r)
	if err != nil {
		return err
	}
	d, err := s.published(r, room.id)
	if err != nil {
		return err
	}
	proof, ok := d.tree.Prove(ticket.Place)
	if !ok {
		return errNotInDraw
	}
	text := func(h draw.Hash) string { return fmt.Sprintf("%x", h) }
	doc := wire.DrawProof{
		Place: ticket.Place, Index: proof.Index, Count: proof.Count, Path: make([]string, len(proof.Path)),
		Score: draw.Score(draw.Key(d.file.Seed, d.file.Root, d.file.Value), ticket.Place), Rank: int(d.ranks[proof.Index]) + 1,
		Root: text(d.file.Root), Seed: text(d.file.Seed), Beacon: text(d.file.Value),
		Sale: d.file.Sale, Close: d.file.Close, BeaconRule: d.file.Beacon, Commitment: text(d.file.Commitment),
	}
	for i, h := range proof.Path {
		doc.Path[i] = text(h)
	}
	return ropeline.WriteJSON(w, http.StatusOK, doc)
}

func (s *Server) published(r *http.Request, sale ropeline.SaleID) (*published, error) {
	if d := s.draws.get(sale); d != nil {
		return d, nil
	}
	if !s.draws.making.TryLock() {
		return nil, errDrawBusy
	}
	defer s.draws.making.Unlock()
	if d := s.draws.get(sale); d != nil {
		return d, nil
	}
	file, err := s.store.DrawFile(r.Context(), sale)
	if err != nil {
		return nil, err
	}
	d, err := publish(file)
	if err != nil {
		return nil, err
	}
	s.draws.put(sale, d)
	return d, nil
}

func publish(file draw.File) (*published, error) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if err := file.Write(z); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	d := &published{file: file, packed: packed.Bytes(), sorted: slices.Clone(file.Places), ranks: make([]int32, len(file.Places))}
	d.file.Places = nil
	slices.Sort(d.sorted)
	ranks := map[string]int32{} // of each lane
	for _, id := range file.Places {
		at, _ := slices.BinarySearch(d.sorted, id)
		d.ranks[at] = ranks[id.Lane()]
		ranks[id.Lane()]++
	}
	d.tree = draw.NewTree(d.sorted)
	return d, nil
}

func (c *drawCache) get(sale ropeline.SaleID) *published {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.draws[sale]
}

// put keeps a draw in the place of the one that was made first.
func (c *drawCache) put(sale ropeline.SaleID, d *published) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draws == nil {
		c.draws = map[ropeline.SaleID]*published{}
	}
	if len(c.sales) == drawsKept {
		delete(c.draws, c.sales[0])
		c.sales = c.sales[1:]
	}
	c.draws[sale], c.sales = d, append(c.sales, sale)
}

// drawOf is what a sale's document says of its draw.
func drawOf(d queue.Drawing) wire.Draw {
	doc := wire.Draw{Commitment: d.Commitment, Root: d.Root, Entrants: d.Count, Seed: d.Seed}
	if d.Rule != draw.NoBeacon && d.Rule != "" {
		doc.BeaconRule, doc.Beacon = d.Rule, d.Beacon
		if d.Root != "" {
			at := d.RootAt.UTC()
			doc.RootAt = &at
		}
	}
	return doc
}
