package stock

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/inventory"
)

// Line is what hears of the stock.
type Line interface {
	// Sales are the sales that are published: nobody asks for the stock of others.
	Sales(ctx context.Context) ([]ropeline.SaleID, error)
	// Conversion is the share of the sessions that bought, 0 while too few are
	// over, and how old the last count is, negative if there is none.
	Conversion(ctx context.Context, sale ropeline.SaleID) (share float64, age time.Duration, err error)
	// SetStock tells the stock, how many baskets there are and how many people
	// without one it supports. A count older than the last is dropped.
	SetStock(ctx context.Context, sale ropeline.SaleID, s ropeline.Stock, baskets, supports int64) error
}

// Config is what a Counter needs.
type Config struct {
	Line      Line
	Catalogue *catalogue.Store
	Inventory *inventory.Store
	Every     time.Duration                      // 0: a second
	Left      func(ropeline.PerformanceID, bool) // told whether anything of a performance is; nil: nobody is
	Log       *slog.Logger
}

// Counter counts the stock of every published sale once a second, and at once
// when a tier is about to sell out. Any number of cores may run one: they leave
// the count to whoever was first in a second.
type Counter struct {
	Config
	now func() time.Time

	stirred chan struct{} // holds one: there are sales to be counted at once
	mu      sync.Mutex    // guards what follows
	known   map[ropeline.SaleID]*known
}

// known is what the last count of a sale says of how soon it is to be counted
// again.
type known struct {
	low     bool // little is left of some tier
	free    bool // something is
	stirred bool // it is to be counted at once
}

const (
	// listed is after how many rounds it is asked which sales there are.
	listed = 5
	// patience is how long the count of one sale may take.
	patience = 2 * time.Second
	// choosing is how long somebody takes from the offer to a basket, roughly: what
	// comes back until then is for them.
	choosing = 30 * time.Second
	// enough is of how many holds an average is told at least.
	enough = 20
	// breath is between two counts of what is stirred: at the end of a sale that is
	// each hold.
	breath = 20 * time.Millisecond
)

// NewCounter returns a Counter. Run it once.
func NewCounter(c Config) *Counter {
	if c.Every == 0 {
		c.Every = time.Second
	}
	return &Counter{Config: c, now: time.Now, stirred: make(chan struct{}, 1), known: map[ropeline.SaleID]*known{}}
}

// Run counts until ctx ends.
func (c *Counter) Run(ctx context.Context) error {
	tick := time.NewTicker(c.Every)
	defer tick.Stop()
	var sales []ropeline.SaleID
	complained := time.Time{}
	for round := 0; ; round++ {
		var err error
		if round%listed == 0 {
			var ids []ropeline.SaleID
			if ids, err = c.Line.Sales(ctx); err == nil {
				sales = ids
			}
		}
		for _, sale := range sales {
			err = errors.Join(err, c.count(ctx, sale, false))
		}
		if now := c.now(); err != nil && ctx.Err() == nil && now.Sub(complained) > 5*time.Second {
			complained = now
			c.Log.Warn("counting the stock", "err", err)
		}
		if !c.wait(ctx, tick.C) {
			return nil
		}
	}
}

// wait counts what is stirred until it is time for a round; false at the end.
func (c *Counter) wait(ctx context.Context, tick <-chan time.Time) bool {
	stirred, rested := c.stirred, (<-chan time.Time)(nil)
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick:
			return true
		case <-rested:
			stirred = c.stirred
		case <-stirred:
			for _, sale := range c.takeStirred() {
				if err := c.count(ctx, sale, true); err != nil && ctx.Err() == nil {
					c.Log.Warn("counting the stock", "sale", sale, "err", err)
				}
			}
			stirred, rested = nil, time.After(breath)
		}
	}
}

// Stir says that somebody took units of a sale, or was refused some because they
// are sold out. If little was left of a tier, or that is news, the sale is counted
// at once: everybody who waits is to learn it.
func (c *Counter) Stir(sale ropeline.SaleID, refused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.known[sale]
	if k == nil || k.stirred || !k.low && !(refused && k.free) {
		return
	}
	k.stirred = true
	select {
	case c.stirred <- struct{}{}:
	default: // it will be looked at anyway
	}
}

func (c *Counter) takeStirred() (sales []ropeline.SaleID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for sale, k := range c.known {
		if k.stirred {
			k.stirred = false
			sales = append(sales, sale)
		}
	}
	return sales
}

// count counts a sale and tells the line. Unless at once, it leaves out what
// another core has just counted.
func (c *Counter) count(ctx context.Context, sale ropeline.SaleID, atOnce bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ids, err := c.Catalogue.OnSale(ctx, sale)
	if err != nil || len(ids) == 0 {
		return err
	}
	conversion, age, err := c.Line.Conversion(ctx, sale)
	if err != nil {
		return err
	}
	if !atOnce && age >= 0 && age < c.Every*8/10 {
		return nil
	}
	n, err := c.add(ctx, ids)
	if err != nil || n.At.IsZero() {
		return err
	}
	n.Conversion = round(conversion)
	if n.ended.Sold >= enough {
		n.Basket = round(float64(n.ended.SoldUnits) / float64(n.ended.Sold))
	}
	back := -1.0
	if n.ended.Sold+n.ended.Back >= enough {
		back = float64(n.ended.BackUnits) / float64(n.ended.SoldUnits+n.ended.BackUnits)
	}
	supports := Supports(Measured{Free: n.Free(), Held: n.Held(), Basket: n.Basket, Conversion: n.Conversion,
		Return: back, Turnover: choosing.Seconds() / n.hold.Seconds()})
	c.watch(sale, n.Stock) // before anybody is told: what is taken then may end a tier
	return c.Line.SetStock(ctx, sale, n.Stock, n.baskets, supports)
}

// counted is what was counted of a sale's performances; At is zero if it is over,
// or something is not known yet.
type counted struct {
	ropeline.Stock
	ended   inventory.Ended
	baskets int64
	hold    time.Duration // how long units stay held
}

// add counts all of them: one call of Redis each.
func (c *Counter) add(ctx context.Context, ids []ropeline.PerformanceID) (all counted, err error) {
	for _, id := range ids {
		p, err := c.Catalogue.Performance(ctx, id)
		if err != nil {
			return counted{}, err
		}
		if c.now().After(p.Sale.EndsAt.Add(time.Minute)) {
			return counted{}, nil // nobody asks any more
		}
		n, err := c.Inventory.Count(ctx, id, spansOf(p.Map))
		if errors.Is(err, inventory.ErrNotReady) {
			return counted{}, nil // it is compared with Postgres first
		}
		if err != nil {
			return counted{}, err
		}
		if all.At.IsZero() {
			all.At, all.hold = n.At, p.Sale.Hold.Duration()
		}
		together, err := c.together(ctx, p.Map, n)
		if err != nil {
			return counted{}, err
		}
		later, err := c.Catalogue.Later(ctx, id)
		if err != nil {
			return counted{}, err
		}
		free := int64(0)
		for i, t := range p.Map.Tiers {
			free += int64(t.Count) - n.Taken[i]
			all.Tiers = append(all.Tiers, ropeline.TierStock{Performance: id, Tier: t.ID, Name: t.Name, Units: int64(t.Count),
				Free: int64(t.Count) - n.Taken[i], Held: n.Taken[i] - n.Sold[i] - n.Closed[i], Sold: n.Sold[i], Later: later[t.ID], Together: together[t.ID]})
		}
		if c.Left != nil {
			c.Left(id, free > 0)
		}
		all.baskets, all.ended = all.baskets+n.Holds, all.ended.Plus(n.Ended)
	}
	return all, nil
}

// togetherMost is as far as neighbors are counted.
const togetherMost = 10

// together is, of each tier with seats of which half or more are taken, the most
// free ones side by side. Before, there are neighbors in any order of buying.
func (c *Counter) together(ctx context.Context, m *catalogue.Map, n inventory.Counts) (map[string]int64, error) {
	var maps inventory.Bitmaps
	most := map[string]int64{}
	for i, t := range m.Tiers {
		if free := int64(t.Count) - n.Taken[i]; t.Kind != catalogue.Seated || free == 0 || 2*free > int64(t.Count) {
			continue
		}
		if maps.Taken == nil {
			var err error
			if maps, err = c.Inventory.Bitmaps(ctx, m.ID); errors.Is(err, inventory.ErrNotReady) {
				return nil, nil //nolint:nilnil // as for a sale that has plenty
			} else if err != nil {
				return nil, err
			}
		}
		most[t.ID] = sideBySide(maps.Taken, m.BestRows(t.ID))
	}
	return most, nil
}

func sideBySide(taken inventory.Bitmap, rows []catalogue.Stretch) (most int64) {
	for _, row := range rows {
		run := int64(0)
		for unit := row.First; unit < row.First+row.Count && most < togetherMost; unit++ {
			if run++; taken.Has(unit) {
				run = 0
			}
			most = max(most, run)
		}
	}
	return most
}

// watch remembers whether a tier is about to sell out.
func (c *Counter) watch(sale ropeline.SaleID, s ropeline.Stock) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.known[sale]
	if k == nil {
		k = &known{}
		c.known[sale] = k
	}
	k.low, k.free = false, s.Free() > 0
	for _, t := range s.Tiers {
		k.low = k.low || t.Free > 0 && t.Free <= max(20, t.Units/20)
	}
}

func spansOf(m *catalogue.Map) []inventory.Span {
	spans := make([]inventory.Span, len(m.Tiers))
	for i, t := range m.Tiers {
		spans[i] = inventory.Span{First: t.First, Count: t.Count}
	}
	return spans
}

// round keeps two digits: more are noise, and would be news to every edge each
// second.
func round(x float64) float64 { return math.Round(x*100) / 100 }
