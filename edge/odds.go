package edge

import (
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/odds"
	"github.com/ropeline/ropeline/queue"
)

// chances are the odds of all who wait in a room while one view is the newest.
type chances struct {
	view         *queue.View
	stock        wire.Stock
	shares       [ropeline.MaxLanes]int64 // of the lanes; none of a sale that has no others
	unitsPerHold int
	bySize       [ropeline.MaxParty]atomic.Pointer[outlook] // of those alone first, then of parties; made when somebody asks
}

// outlook is what places are told that so many people share.
type outlook struct {
	table *odds.Table
	words map[*odds.Chances]*wire.Odds
}

// stockOld is when a count of the stock says nothing any more: the core that
// counts once a second is away.
const stockOld = 30 * time.Second

// stockOf is what is known to be left, nil if nobody says or said it long ago.
func stockOf(v *queue.View) *ropeline.Stock {
	if v.Stock == nil || len(v.Stock.Tiers) == 0 || v.Now.Sub(v.Stock.At) > stockOld {
		return nil
	}
	return v.Stock
}

// chances are made once for each view, whoever asks first.
func (m *room) chances(v *queue.View) *chances {
	if c := m.odds.Load(); c != nil && c.view == v {
		return c
	}
	c := &chances{view: v}
	if stock := stockOf(v); stock != nil {
		m.mu.Lock()
		sale := m.sale
		m.mu.Unlock()
		c.unitsPerHold = sale.UnitsPerHold
		if len(sale.Lanes) > 0 {
			for _, name := range sale.LaneNames() {
				lane, _ := sale.Lane(name)
				c.shares[v.LaneNumber(name)] = int64(lane.Share)
			}
		}
		for _, t := range stock.Tiers {
			c.stock.Units += t.Units
		}
		c.stock.Free, c.stock.Held = stock.Free(), stock.Held()
	}
	m.odds.Store(c)
	return c
}

// of is what places are told that so many people share, nil where no stock is
// known. Two who ask at once make the same.
func (c *chances) of(people int) *outlook {
	stock, at := stockOf(c.view), &c.bySize[min(people, len(c.bySize))-1]
	if made := at.Load(); made != nil || stock == nil {
		return made
	}
	ahead := odds.Ahead{Inside: c.view.PlacesInside(), First: c.view.Comebacks, Shows: shows(c.view)}
	made := &outlook{table: odds.New(*stock, ahead, c.unitsPerHold, people), words: map[*odds.Chances]*wire.Odds{}}
	together := togetherOf(stock, c.unitsPerHold)
	for _, each := range made.table.All() {
		o := &wire.Odds{Chance: wire.Chance(each.Chance), Together: together}
		for _, tier := range each.Tiers {
			o.Tiers = append(o.Tiers, wire.Chance(tier))
		}
		made.words[each] = o
	}
	at.Store(made)
	return made
}

// togetherOf tells of tiers in which one cannot sit with as many as one may
// bring; nil if there is none.
func togetherOf(stock *ropeline.Stock, unitsPerHold int) []int64 {
	together, some := make([]int64, len(stock.Tiers)), false
	for i, t := range stock.Tiers {
		if t.Together > 0 && t.Together < int64(unitsPerHold) {
			together[i], some = t.Together, true
		}
	}
	if !some {
		return nil
	}
	return together
}

// shows is the share of the offers that were claimed, 0 while too few were made.
func shows(v *queue.View) float64 {
	const enough = 20
	if v.Claimed+v.Missed < enough {
		return 0
	}
	return float64(v.Claimed) / float64(v.Claimed+v.Missed)
}

// ahead is how many come before a position of a lane, those of other lanes who
// have their turns meanwhile among them.
func (c *chances) ahead(v *queue.View, lane int, position int64) int64 {
	all := position
	for other, share := range c.shares {
		if other != lane && share > 0 && c.shares[lane] > 0 {
			all += min(v.LaneStand(other).Waiting(), position*share/c.shares[lane])
		}
	}
	return all
}

// weigh adds to a status what is left, and how the chances are of whoever waits:
// of all together who share the place.
func (m *room) weigh(v *queue.View, id ropeline.PlaceID, s wire.Status) wire.Status {
	c, people := m.chances(v), 1
	s.Sale.Stock = c.stock
	if s.Party != nil {
		people = s.Party.Size
	}
	if s.Position == nil && s.State != ropeline.PlaceCollected {
		return s
	}
	switch o := c.of(people); {
	case o == nil:
	case s.Position != nil:
		s.Odds = o.words[o.table.At(c.ahead(v, v.LaneOf(id), *s.Position))]
	default:
		s.Odds = o.words[o.table.InLobby(s.Sale.Entrants)]
	}
	return s
}

// gone reports whether nothing is to be had just now.
func gone(c wire.Chance) bool { return c == wire.ChanceReturns || c == wire.ChanceSoldOut }

// turned reports whether something sold out, or came back.
func turned(a, b *wire.Odds) bool {
	if a == nil || b == nil || a == b {
		return a != b
	}
	differ := func(a, b wire.Chance) bool { return a != b && (gone(a) || gone(b)) }
	if differ(a.Chance, b.Chance) || len(a.Tiers) != len(b.Tiers) {
		return true
	}
	for i := range a.Tiers {
		if differ(a.Tiers[i], b.Tiers[i]) {
			return true
		}
	}
	return false
}

// sameOdds reports whether two fans are told the same.
func sameOdds(a, b *wire.Odds) bool {
	if a == nil || b == nil || a == b {
		return a == b
	}
	return a.Chance == b.Chance && slices.Equal(a.Tiers, b.Tiers) && slices.Equal(a.Together, b.Together)
}

// soldOut is in a word whether anything is left, for all who wait.
func soldOut(v *queue.View) wire.Chance {
	stock := stockOf(v)
	switch {
	case stock == nil || stock.Free() > 0:
		return ""
	case stock.Held()+stock.Later() > 0:
		return wire.ChanceReturns
	}
	return wire.ChanceSoldOut
}

// wakeAgain is how soon after all sockets were told that everything is gone, or
// not, they are woken for the next such news: at the end of a sale each hold that
// ends is one.
const wakeAgain = time.Second

// appendOdds appends what encoding/json makes of odds, whose words are ours.
func appendOdds(b []byte, o *wire.Odds) []byte {
	word := func(c wire.Chance) { b = append(append(append(b, '"'), c...), '"') }
	b = append(b, '{')
	if o.Chance != "" {
		b = append(b, `"chance":`...)
		word(o.Chance)
	}
	for i, c := range o.Tiers {
		switch {
		case i > 0:
			b = append(b, ',')
		case o.Chance != "":
			b = append(b, `,"tiers":[`...)
		default:
			b = append(b, `"tiers":[`...)
		}
		word(c)
	}
	if len(o.Tiers) > 0 {
		b = append(b, ']')
	}
	if len(o.Together) > 0 { // never without tiers
		b = append(b, `,"together":[`...)
		for i, n := range o.Together {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, n, 10)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

var errStockUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "stock-unknown", Detail: "Nobody says what is left of this sale."}

// showStock answers with what is left of each tier.
func (s *Server) showStock(w http.ResponseWriter, r *http.Request) error {
	room, err := s.room(r)
	if err != nil {
		return err
	}
	view, err := room.view(r.Context())
	if err != nil {
		return err
	}
	stock := stockOf(view)
	if stock == nil {
		return errStockUnknown
	}
	w.Header().Set("Cache-Control", "public, max-age=1")
	return ropeline.WriteJSON(w, http.StatusOK, stock)
}
