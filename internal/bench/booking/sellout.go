package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/internal/bench/caller"
)

// buyers is how many are in the shop at once, of few units fewer.
const buyers = 128

// patience is how long a sell-out may take.
const patience = 10 * time.Minute

// sellOutRows sells all units of a performance, once, to fans who come one after
// another to so many places in the shop, while others only look: the first half as
// fast as it goes, the second at half of that pace, as a line lets people in.
func sellOutRows(ctx context.Context, p bench.Plan, out io.Writer) (_ []bench.Row, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	sells := hall{seats: p.Of(20_000), general: p.Of(80_000)}
	o, err := openSellOut(ctx, sells, out)
	if err != nil {
		return nil, err
	}
	defer closing(&err, o)
	idle, err := o.watched(ctx, func(ctx context.Context) error {
		return pass(ctx, time.Duration(p.Of(int(10*time.Second))))
	})
	if err != nil {
		return nil, fmt.Errorf("browsing an idle shop: %w", err)
	}
	fast, err := o.phase(ctx, o.units/2, 0)
	if err != nil {
		return nil, fmt.Errorf("selling the first half: %w", err)
	}
	slow, err := o.phase(ctx, o.units, 2*fast.took/time.Duration(fast.fans))
	if err != nil {
		return nil, fmt.Errorf("selling the second half: %w", err)
	}
	for _, f := range []phase{fast, slow} {
		fmt.Fprintf(out, "%d units in %.1f s to %d orders: %.0f units/s, %.0f orders/s, half of them in %.0f ms, 99 of 100 in %.0f ms; browsing p99 %.2f ms (%d requests); CPU an order: core and fans %.0f µs, Redis %.0f µs, Postgres %.0f µs\n",
			f.units, f.took.Seconds(), len(f.orders), f.unitRate(), f.orderRate(), percentile(f.orders, 50), p99(f.orders), p99(f.looks), len(f.looks), f.each(f.own), f.each(f.redis), f.each(f.postgres))
	}
	violations, err := o.judge(ctx, out)
	if err != nil {
		return nil, fmt.Errorf("judging: %w", err)
	}
	fmt.Fprintf(out, "%d holds refused, %d given back, %d cards declined, %d violations; browsing p99 %.2f ms idle (%d requests)\n",
		o.refused.Load(), o.returned.Load(), o.declined.Load(), violations, p99(idle), len(idle))
	what := fmt.Sprintf("sell-out of %d units, %d of them numbered seats, %d buyers at once (hold, pay, order, capture over HTTP)", o.units, sells.seats, buyers)
	return []bench.Row{
		bench.Alone(what, "units/s", []float64{fast.unitRate()}).Promised("0 violations", violations == 0),
		bench.Alone("orders in it", "orders/s", []float64{fast.orderRate()}).Untargeted(),
		bench.Alone("p99 from the wish to the order that is paid, same", "ms", []float64{p99(fast.orders)}).Untargeted(),
		bench.Compare("p99 of browsing during that", "ms", []float64{p99(fast.looks)}, "the same shop idle", []float64{p99(idle)}).RatioAtMost(3),
		bench.Compare("p99 of browsing at half of that pace", "ms", []float64{p99(slow.looks)}, "the same shop idle", []float64{p99(idle)}).Untargeted(),
	}, nil
}

// phase is a part of a sell-out.
type phase struct {
	fans, units   int
	took          time.Duration
	orders, looks []time.Duration // how long each took

	own, redis, postgres time.Duration // processor time
}

// each is what an order had of that, in µs.
func (f phase) each(cpu time.Duration) float64 {
	return float64(cpu.Microseconds()) / float64(len(f.orders))
}

func (f phase) unitRate() float64  { return float64(f.units) / f.took.Seconds() }
func (f phase) orderRate() float64 { return float64(len(f.orders)) / f.took.Seconds() }

// phase sells until so many units are sold, to a fan every so often, 0 for as fast as
// it goes, and lets browsers look meanwhile.
func (o *sellOut) phase(ctx context.Context, until int, every time.Duration) (f phase, err error) {
	fans, units, orders := int(o.next.Load()), int(o.sold.Load()), len(o.bought())
	if err := o.used(ctx, &f, -1); err != nil {
		return f, err
	}
	f.looks, err = o.watched(ctx, func(ctx context.Context) error {
		began := time.Now()
		err := o.sell(ctx, until, every)
		f.took = time.Since(began)
		return err
	})
	f.fans, f.units = int(o.next.Load())-fans, int(o.sold.Load())-units
	if err == nil {
		err = o.used(ctx, &f, 1)
	}
	for _, b := range o.bought() {
		if b.phase == until {
			f.orders = append(f.orders, b.took)
		}
	}
	if err == nil && len(o.bought()) == orders {
		err = errors.New("nothing was bought")
	}
	return f, err
}

// used adds what processor time was used until now, so many times.
func (o *sellOut) used(ctx context.Context, f *phase, times time.Duration) error {
	own, err := ownCPU()
	redis, redisErr := o.redis.CPU(ctx)
	postgres, postgresErr := o.server.CPU()
	f.own += times * own
	f.redis += times * redis
	f.postgres += times * postgres
	return errors.Join(err, redisErr, postgresErr)
}

// openSellOut opens the shop, with fans enough who have a session.
func openSellOut(ctx context.Context, sells hall, out io.Writer) (o *sellOut, err error) {
	o = &sellOut{units: sells.seats + sells.general}
	if o.shop, err = openShop(ctx, sells, out); err != nil {
		return nil, err
	}
	o.stall = stall{Address: o.address, Show: o.show}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Close())
		}
	}()
	if o.guests, err = o.admit(ctx, o.units/2+1000, 0); err != nil {
		return o, err
	}
	show, err := o.shows.Performance(ctx, o.show)
	if err != nil {
		return o, err
	}
	o.tiers = show.Map.Tiers
	opened, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for o.view.Load() == nil { // until the core says what is free
		b := o.browser()
		err = errors.Join(o.refresh(opened, b), b.Close())
		if waited := pass(opened, 20*time.Millisecond); waited != nil {
			return o, fmt.Errorf("waiting for the core: %w", errors.Join(waited, err))
		}
	}
	return o, nil
}

// sellOut is one.
type sellOut struct {
	*shop
	stall
	units  int
	tiers  []catalogue.Tier
	guests []fan
	view   atomic.Pointer[availability] // that somebody saw last

	next, sold                  atomic.Int64 // fans who came, units sold
	refused, returned, declined atomic.Int64
	purchases                   [buyers][]purchase
}

// purchase is what a buyer was told: an order that is paid.
type purchase struct {
	order string
	units []int
	total int64
	took  time.Duration // since the buyer came
	phase int
}

func (o *sellOut) bought() []purchase { return slices.Concat(o.purchases[:]...) }

// availability is what of it a buyer looks at.
type availability struct {
	Taken []byte `json:"taken"`
	Tiers []struct {
		ID   string `json:"id"`
		Free int    `json:"free"`
	} `json:"tiers"`
}

func (a *availability) free(unit int) bool { return a.Taken[unit/8]&(0x80>>(unit%8)) == 0 }

// viewEvery is how old a picture is by which buyers choose, at most.
const viewEvery = time.Second / browseRate

// refresh asks for the picture by which buyers choose.
func (o *sellOut) refresh(ctx context.Context, b *browser) error {
	text, err := b.see(ctx, o.paths()[0])
	if err != nil || text == nil {
		return err
	}
	var view availability
	if err := json.Unmarshal(text, &view); err != nil {
		return err
	}
	o.view.Store(&view)
	return nil
}

// refreshed keeps that picture new until ctx ends.
func (o *sellOut) refreshed(ctx context.Context) (err error) {
	b := o.browser()
	defer closing(&err, b)
	for pass(ctx, viewEvery) == nil {
		if err := o.refresh(ctx, b); err != nil {
			return fmt.Errorf("looking at what is free: %w", err)
		}
	}
	return nil
}

// sell lets buyers in until so many units are sold.
func (o *sellOut) sell(ctx context.Context, until int, every time.Duration) (err error) {
	looking, stop := context.WithCancel(ctx)
	looked := make(chan error, 1)
	go func() { looked <- o.refreshed(looking) }()
	defer func() {
		stop()
		err = errors.Join(err, <-looked)
	}()
	g, ctx := errgroup.WithContext(ctx)
	began, before := time.Now(), o.next.Load()
	for i := range min(buyers, max(1, o.units/20)) {
		g.Go(func() (err error) {
			c, err := caller.Dial(ctx, o.address)
			if err != nil {
				return err
			}
			defer closing(&err, c)
			b := buyer{sellOut: o, Conn: c, phase: until, rng: rand.New(rand.NewPCG(uint64(until), uint64(i))), bought: &o.purchases[i]}
			for int(o.sold.Load()) < until {
				n := o.next.Add(1) - 1
				if n >= int64(len(o.guests)) {
					return fmt.Errorf("%d fans came and %d units are sold", n, o.sold.Load())
				}
				if err := pass(ctx, time.Until(began.Add(time.Duration(n-before)*every))); err != nil {
					return err
				}
				if err := b.visit(ctx, int(n), o.guests[n]); err != nil {
					return fmt.Errorf("fan %d: %w", n, err)
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// buyer is a place in the shop, which one fan after another has.
type buyer struct {
	*sellOut
	*caller.Conn
	phase  int
	rng    *rand.Rand
	bought *[]purchase
}

// visit is all that a fan does. Of twenty one gives the units back, of thirty one
// has a card that is declined first.
func (b *buyer) visit(ctx context.Context, n int, f fan) error {
	came := time.Now()
	h, err := b.pick(ctx, f)
	if err != nil || h.ID == "" {
		return err
	}
	if n%20 == 7 {
		b.returned.Add(1)
		return b.expect(http.StatusNoContent, b.request(f, "DELETE", "/api/v1/holds/"+h.ID, "", nil))
	}
	if n%30 == 11 {
		b.declined.Add(1)
		if err := b.expect(http.StatusPaymentRequired, b.pay(f, h, fmt.Sprint("sandbox_declined_", n))); err != nil {
			return err
		}
	}
	request := b.pay(f, h, fmt.Sprint("sandbox_ok_", n))
	a, err := b.Ask(request)
	for err == nil && a.Status == http.StatusAccepted { // its payment is being settled
		if err = pass(ctx, 50*time.Millisecond); err == nil {
			a, err = b.Ask(request)
		}
	}
	if err != nil {
		return err
	}
	var order struct {
		ID, State string
		Total     struct{ Amount int64 }
		Tickets   []struct{ Unit int }
	}
	if err := json.Unmarshal(a.Body, &order); err != nil || a.Status != http.StatusCreated || order.State != "paid" {
		return fmt.Errorf("paying: answered %d %s: %w", a.Status, a.Body, err)
	}
	p := purchase{order: order.ID, total: order.Total.Amount, took: time.Since(came), phase: b.phase}
	for _, t := range order.Tickets {
		p.units = append(p.units, t.Unit)
	}
	*b.bought = append(*b.bought, p)
	b.sold.Add(int64(len(p.units)))
	return nil
}

// held is a hold as its fan reads it.
type held struct {
	ID    string     `json:"id"`
	State hold.State `json:"state"`
}

// pick asks for units until some are had or all are sold. Whoever is refused wants
// less.
func (b *buyer) pick(ctx context.Context, f fan) (h held, err error) {
	for most := 6; int(b.sold.Load()) < b.units; most = max(1, most/2) {
		a, err := b.Ask(b.request(f, "POST", "/api/v1/holds", "", b.wish(1+b.rng.IntN(most))))
		if err != nil {
			return h, err
		}
		switch a.Status {
		case http.StatusCreated:
			return h, json.Unmarshal(a.Body, &h)
		case http.StatusConflict: // somebody was faster
			b.refused.Add(1)
			if err := pass(ctx, 5*time.Millisecond); err != nil {
				return h, err
			}
		default:
			return h, fmt.Errorf("holding: answered %d %s", a.Status, a.Body)
		}
	}
	return h, nil
}

// wish is for a tier by what is free in it: of a seated one half of the fans choose
// seats in the picture, which is a moment old, and half take the best.
func (b *buyer) wish(n int) any {
	view := b.view.Load()
	free := 0
	for _, t := range view.Tiers {
		free += t.Free
	}
	at := b.rng.IntN(max(1, free))
	tier := b.tiers[b.rng.IntN(len(b.tiers))]
	for i, t := range view.Tiers {
		if at -= t.Free; at < 0 {
			tier = b.tiers[i]
			break
		}
	}
	w := struct {
		Performance string `json:"performance"`
		Units       []int  `json:"units,omitempty"`
		Tier        string `json:"tier,omitempty"`
		Quantity    int    `json:"quantity,omitempty"`
	}{Performance: string(b.show)}
	if tier.Kind == catalogue.Seated && b.rng.IntN(2) == 0 {
		from := b.rng.IntN(tier.Count)
		for i := 0; i < tier.Count && len(w.Units) < n; i++ {
			if unit := tier.First + (from+i)%tier.Count; view.free(unit) {
				w.Units = append(w.Units, unit)
			} else if len(w.Units) > 0 {
				break
			}
		}
	}
	if w.Units == nil {
		w.Tier, w.Quantity = tier.ID, n
	}
	return w
}

func (b *buyer) pay(f fan, h held, method string) []byte {
	return b.request(f, "POST", "/api/v1/orders", h.ID+method, map[string]string{"hold": h.ID, "email": "fan@example.org", "payment_method": method})
}

// expect asks for what has to be answered so.
func (b *buyer) expect(status int, request []byte) error {
	a, err := b.Ask(request)
	if err == nil && a.Status != status {
		err = fmt.Errorf("answered %d %s, want %d", a.Status, a.Body, status)
	}
	return err
}

// request is one of a fan's, with a body and a key if there are any.
func (o *sellOut) request(f fan, method, path, key string, body any) []byte {
	r := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Bearer %s\r\n", method, path, f.token)
	if key != "" {
		r = fmt.Appendf(r, "Idempotency-Key: %s\r\n", key)
	}
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body) // of our own types
		r = fmt.Appendf(r, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(text))
	}
	return append(append(r, "\r\n"...), text...)
}

// pass waits, unless ctx ends before.
func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
