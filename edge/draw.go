package edge

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"sync"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

// drawCache keeps one sale's published draw, packed: the same for everybody,
// and 25 MB for a million places. One request makes it while the others are
// told to come back.
type drawCache struct {
	making sync.Mutex // held by whoever makes one

	mu     sync.Mutex // guards the rest
	sale   ropeline.SaleID
	packed []byte
}

var errDrawBusy = &ropeline.Error{
	Kind: ropeline.Unavailable, Code: "draw-busy", RetryAfter: 3 * time.Second,
	Detail: "The draw is being put together for somebody else. Please try again in a moment.",
}

// drawFile serves the whole draw of a sale for verify-draw.
func (s *Server) drawFile(w http.ResponseWriter, r *http.Request) error {
	room, err := s.room(r)
	if err != nil {
		return err
	}
	packed, err := s.packedDraw(r, room.id)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/gzip")
	h.Set("Content-Disposition", `attachment; filename="draw-`+string(room.id)+`.txt.gz"`)
	h.Set("Cache-Control", "public, max-age=60")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(packed))
	return nil
}

func (s *Server) packedDraw(r *http.Request, sale ropeline.SaleID) ([]byte, error) {
	if packed := s.draws.get(sale); packed != nil {
		return packed, nil
	}
	if !s.draws.making.TryLock() {
		return nil, errDrawBusy
	}
	defer s.draws.making.Unlock()
	if packed := s.draws.get(sale); packed != nil {
		return packed, nil
	}
	file, err := s.store.DrawFile(r.Context(), sale)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if err := file.Write(z); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	s.draws.put(sale, packed.Bytes())
	return packed.Bytes(), nil
}

func (c *drawCache) get(sale ropeline.SaleID) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sale != sale {
		return nil
	}
	return c.packed
}

func (c *drawCache) put(sale ropeline.SaleID, packed []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sale, c.packed = sale, packed
}

// drawOf is what a sale's document says of its draw.
func drawOf(d queue.Drawing) wire.Draw {
	return wire.Draw{Commitment: d.Commitment, Root: d.Root, Entrants: d.Count, Seed: d.Seed}
}
