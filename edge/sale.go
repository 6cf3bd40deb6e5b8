package edge

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

// room returns the room of the sale that the path names.
func (s *Server) room(r *http.Request) (*room, error) {
	return s.rooms.get(r.Context(), ropeline.SaleID(r.PathValue("sale")), s.now())
}

func (s *Server) showSale(w http.ResponseWriter, r *http.Request) error {
	room, err := s.room(r)
	if err != nil {
		return err
	}
	doc, err := s.describe(r, room)
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusOK, doc)
}

func (s *Server) listSales(w http.ResponseWriter, r *http.Request) error {
	ids, err := s.sales.list(r.Context(), s)
	if err != nil {
		return err
	}
	list := struct {
		Sales []wire.Sale `json:"sales"`
	}{Sales: make([]wire.Sale, 0, len(ids))}
	shown := s.domain(r)
	for _, id := range ids {
		if shown != nil && !slices.Contains(shown, id) {
			continue
		}
		room, err := s.rooms.get(r.Context(), id, s.now())
		if errors.Is(err, ropeline.ErrSaleUnknown) {
			continue // listed, and gone since
		}
		if err != nil {
			return err
		}
		doc, err := s.describe(r, room)
		if err != nil {
			return err
		}
		list.Sales = append(list.Sales, doc)
	}
	return ropeline.WriteJSON(w, http.StatusOK, list)
}

func (s *Server) describe(r *http.Request, m *room) (wire.Sale, error) {
	ctx := r.Context()
	view, err := m.view(ctx)
	if err != nil {
		return wire.Sale{}, err
	}
	sale := m.settings(ctx, s.store, s.now())
	status := m.explain(view, r.Header.Get("Accept-Language"), saleStatus(m.id, view))
	status.Stock = m.chances(view).stock
	return wire.Sale{
		Draw:   drawOf(m.drawing(ctx, s.store)),
		Status: status, Title: sale.Title,
		LobbyClosesAt: sale.LobbyClosesAt, EndsAt: sale.EndsAt, Performances: sale.Performances,
		ClaimWindow: view.Claim, SessionMax: view.Session,
		Hold: sale.Hold, HoldExtensions: sale.HoldExtensions, UnitsPerHold: sale.UnitsPerHold, UnitsPerPlace: sale.UnitsPerPlace, PartyMax: sale.PartyMax,
		SafetyNet: sale.SafetyNet, Visitor: sale.Visitor.Kind, Lanes: lanesOf(sale, view), Bypass: bypassOf(sale, view),
	}, nil
}

// lanesOf are the lanes of a sale as the public sees them.
func lanesOf(sale ropeline.Sale, v *queue.View) []wire.Lane {
	if len(sale.Lanes) == 0 || len(v.Lanes) != len(sale.Lanes)+1 { // not published yet
		return nil
	}
	lanes := []wire.Lane{{Name: ropeline.MainLane}}
	for _, l := range sale.Lanes {
		lanes = append(lanes, wire.Lane{Name: l.Name, Title: l.Title, Entry: l.Entry})
	}
	for i, l := range v.Lanes { // as it is in force: the settings may be a moment old
		lanes[i].Share, lanes[i].People, lanes[i].Waiting = int(l.Share), l.People, v.LaneStand(i).Waiting()
	}
	return lanes
}

// salesCache keeps the list of sales for a moment: the front page asks for it
// and everybody sees the front page.
type salesCache struct {
	mu    sync.Mutex
	ids   []ropeline.SaleID
	until time.Time
}

const salesKept = time.Second

func (c *salesCache) list(ctx context.Context, s *Server) ([]ropeline.SaleID, error) {
	c.mu.Lock()
	known, due := c.ids, !s.now().Before(c.until)
	if due && known != nil {
		c.until = s.now().Add(salesKept) // one asks, the others use what is known
	}
	c.mu.Unlock()
	if !due {
		return known, nil
	}
	ids, err := s.store.Sales(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids, c.until = ids, s.now().Add(salesKept)
	return ids, nil
}
