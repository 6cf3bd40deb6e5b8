package queue

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ropeline/ropeline"
)

//go:embed lua/stock.lua
var stockSource string
var stockScript = newScript("stock", stockSource)

//go:embed lua/buyers.lua
var buyersSource string
var buyersScript = newScript("buyers", buyersSource)

// SetStock keeps what a sale has left, as it was counted at stock.At, with the
// number of baskets there are and of people without one that it supports: no more
// are offered or let in. An older count than the one that is kept is dropped.
func (s *Store) SetStock(ctx context.Context, sale ropeline.SaleID, stock ropeline.Stock, baskets, supports int64) error {
	doc, err := json.Marshal(stock)
	if err != nil {
		return fmt.Errorf("writing the stock of %s: %w", sale, err)
	}
	_, err = s.run(ctx, stockScript, keysOf(sale, "stock", "state", "active", "bought"), doc, stock.At.UnixMicro(),
		stock.Free(), stock.Held(), stock.Basket, stock.Conversion, baskets, supports)
	return err
}

// conversionOf is of how many sessions a conversion is told at least.
const conversionOf = 20

// Conversion returns the share of the sessions that bought, 0 while too few are
// over, and how old the stock is that is kept, negative if none is.
func (s *Store) Conversion(ctx context.Context, sale ropeline.SaleID) (share float64, age time.Duration, err error) {
	reply, err := s.run(ctx, buyersScript, keysOf(sale, "stock", "state", "active", "bought"))
	if err != nil {
		return 0, 0, err
	}
	fields, _ := reply.([]any)
	r := reader{fields: fields}
	micros, over, bought := r.integer(), r.integer(), r.integer()
	if over >= conversionOf {
		share = float64(bought) / float64(over)
	}
	return share, time.Duration(micros) * time.Microsecond, r.failed("buyers")
}

// Bought notes that a place's session has bought. It may be said again.
func (s *Store) Bought(ctx context.Context, sale ropeline.SaleID, place ropeline.PlaceID) error {
	return storeError("noting a buyer", s.rdb.SAdd(ctx, key(sale, "bought"), string(place)).Err())
}

// SoldOut reports whether nothing can be sold now, as far as is known: nobody is
// offered, and who waits waits for units that come back.
func (s State) SoldOut() bool { return s.Stock != nil && s.Stock.Free() == 0 }

// still reports whether nobody is let in, however long it will be.
func (s State) still() bool { return s.Paused() || s.SoldOut() }

// stocks knows the stock of each sale as it was read last, so that it is not read
// again five times a second, and what was told of it.
type stocks struct {
	mu     sync.Mutex // guards what follows
	bySale map[ropeline.SaleID]*knownStock
}

type knownStock struct {
	text  string
	stock *ropeline.Stock
	told  *ropeline.Stock
}

// read reads a stock document; nil of none.
func (k *stocks) read(sale ropeline.SaleID, text string) (*ropeline.Stock, error) {
	if text == "" {
		return nil, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.bySale[sale]
	if known == nil {
		known = &knownStock{}
		k.bySale[sale] = known
	}
	if known.text != text {
		stock := &ropeline.Stock{}
		if err := json.Unmarshal([]byte(text), stock); err != nil {
			return nil, fmt.Errorf("reading the stock of %s: %w", sale, err)
		}
		known.text, known.stock = text, stock
	}
	return known.stock, nil
}

// stockToldEvery is how often a stock is told that does not change: whoever
// follows sees that somebody still counts it.
const stockToldEvery = 5 * time.Second

// news is the stock if a tick is to tell it, else nil. The document is larger than
// the rest of a tick, and each edge reads each.
func (k *stocks) news(sale ropeline.SaleID, stock *ropeline.Stock) *ropeline.Stock {
	if stock == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.bySale[sale]
	if known == nil { // read by another Store
		return stock
	}
	if told := known.told; told != nil && slices.Equal(told.Tiers, stock.Tiers) &&
		told.Basket == stock.Basket && told.Conversion == stock.Conversion &&
		stock.At.Sub(told.At).Abs() < stockToldEvery {
		return nil
	}
	known.told = stock
	return stock
}
