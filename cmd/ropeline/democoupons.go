package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/booking/guide"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/venue"
)

const (
	demoTheater  = "theater"
	demoCafe     = "lantern-cafe"
	demoDrop     = ropeline.SaleID("vouchers")
	demoVouchers = 40
	demoCurrency = "EUR"
)

// couponDemo makes two shops and their coupons, one of each kind that people can
// meet: for tickets of the demo and for the till, personal and shareable, one
// of which nothing is left, and one that is sold in a line of its own.
type couponDemo struct {
	demo   demo
	shows  *catalogue.Store
	guide  *guide.Store
	copies *coupon.Store
	now    time.Time
}

// seedCoupons makes the coupons unless an earlier start has made them, and tells
// the line of the sale of vouchers in either case.
func (d demo) seedCoupons(ctx context.Context, db *pgxpool.Pool, rdb redis.UniversalClient, keys keyFolder, sale ropeline.Sale) error {
	if !d.Coupons {
		return nil
	}
	secret, err := keys.secret(orderKey)
	if err != nil {
		return err
	}
	c := couponDemo{demo: d, shows: catalogue.New(db, time.Now), guide: guide.New(db), copies: coupon.New(db, rdb, hold.New(rdb), coupon.Keys(secret)), now: time.Now().UTC().Truncate(time.Second)}
	vouchers, err := c.sale(ctx)
	if err != nil {
		return err
	}
	if _, err := publish(ctx, c.shows, rdb, keys, vouchers, "The settings of the demo have changed."); err != nil {
		return err
	}
	made, _, err := c.copies.Catalog(ctx, coupon.Filter{Shop: demoTheater}, booking.Page{Limit: 1})
	if err != nil || len(made) > 0 {
		return err
	}
	return c.offer(ctx, sale, vouchers)
}

// sale is where vouchers are sold, one place for each, as the demo's tickets are.
func (c couponDemo) sale(ctx context.Context) (ropeline.Sale, error) {
	sale, err := c.shows.Sale(ctx, demoDrop)
	if !errors.Is(err, ropeline.ErrSaleUnknown) {
		return sale, err
	}
	shelf, err := c.shows.KeepVenue(ctx, "", venue.Map{Format: venue.Format, Name: "Ropeline Theater, online", Categories: []string{"Voucher"},
		Areas: []venue.Area{{Name: "Voucher", Category: "Voucher", Places: demoVouchers, Width: 10, Height: 10}}}, audit.Change{Who: audit.Command})
	if err != nil {
		return ropeline.Sale{}, err
	}
	plan := c.demo.plan(c.now).Sale
	plan.ID, plan.Title, plan.UnitsPerHold = demoDrop, "Vouchers of the Ropeline Theater", 2
	plan.Visitor, plan.Lanes, plan.Bypass = ropeline.VisitorRule{}, nil, nil
	return c.shows.Make(ctx, catalogue.Program{Sale: plan, Currency: demoCurrency,
		Performances: []catalogue.Showing{{Venue: shelf.ID, StartsAt: plan.EndsAt, Prices: map[string]int64{"Voucher": 4500}}}},
		audit.Change{Who: audit.Command, Blind: true})
}

func (c couponDemo) offer(ctx context.Context, sale, vouchers ropeline.Sale) error {
	event, err := c.event(ctx, sale)
	if err != nil {
		return err
	}
	err = errors.Join(c.copies.PutShop(ctx, coupon.Shop{ID: demoTheater, Name: "Ropeline Theater"}),
		c.copies.PutShop(ctx, coupon.Shop{ID: demoCafe, Name: "Lantern Café"}))
	if err != nil {
		return err
	}
	err = errors.Join(c.copies.PutProduct(ctx, demoTheater, coupon.Product{ID: "tickets", Name: "Tickets", Category: "shows", Event: event}),
		c.copies.PutProduct(ctx, demoTheater, coupon.Product{ID: "bar", Name: "Drinks at the bar", Category: "food-and-drink"}),
		c.copies.PutProduct(ctx, demoTheater, coupon.Product{ID: "programmes", Name: "Programmes", Category: "books"}),
		c.copies.PutProduct(ctx, demoCafe, coupon.Product{ID: "coffee", Name: "Coffee and cake", Category: "food-and-drink"}))
	if err != nil {
		return err
	}
	p, err := c.shows.Performance(ctx, vouchers.Performances[0])
	if err != nil {
		return err
	}
	drop := &coupon.Tier{Performance: p.Map.ID, Tier: p.Map.Tiers[0]}
	const day = 24 * time.Hour
	for i, o := range []struct {
		shop  string
		terms coupon.Terms
		until time.Duration // given out from now on for so long
		use   time.Duration // and of use for so long
		tier  *coupon.Tier
		taken bool // all of them
	}{
		{shop: demoCafe, terms: coupon.Terms{Product: "coffee", Title: "A coffee after the show", Amount: 350, Shareable: true, Stock: 300, PerPerson: 2, UseWithin: 7 * 24 * 3600}, until: 10 * day, use: 20 * day},
		{shop: demoTheater, terms: coupon.Terms{Product: "programmes", Title: "A programme on the house", Percent: 100, AtMost: 500, Stock: 80, PerPerson: 1}, until: 3 * time.Hour, use: day},
		{shop: demoTheater, terms: coupon.Terms{Product: "tickets", Title: "Half price for students", Percent: 50, Stock: 3, PerPerson: 3}, until: 5 * day, use: 20 * day, taken: true},
		{shop: demoTheater, terms: coupon.Terms{Product: "bar", Title: "A drink in the interval", Amount: 600, Shareable: true, Stock: 500, PerPerson: 2}, until: 15 * day, use: 40 * day},
		{shop: demoTheater, terms: coupon.Terms{Product: "tickets", Title: "Voucher worth sixty", Amount: 6000, Price: 4500, Shareable: true, Stock: demoVouchers, PerPerson: 6}, until: c.demo.EndsIn.Duration(), use: 300 * day, tier: drop},
		{shop: demoTheater, terms: coupon.Terms{Product: "tickets", Title: "Ten off from fifty", Amount: 1000, MinSpend: 5000, Shareable: true, Stock: 100, PerPerson: 2}, until: 10 * day, use: 25 * day},
		{shop: demoTheater, terms: coupon.Terms{Product: "tickets", Title: "A fifth off your tickets", Percent: 20, AtMost: 4000, Stock: 200, PerPerson: 1}, until: 10 * day, use: 25 * day},
	} {
		t := o.terms
		t.Currency, t.PublishFrom, t.PublishUntil, t.ExpiresAt = demoCurrency, c.now, c.now.Add(o.until), c.now.Add(o.use)
		made, err := c.copies.Make(ctx, o.shop, audit.Command, fmt.Sprint("demo-", i), t)
		if err != nil {
			return fmt.Errorf("making the coupon %s: %w", t.Title, err)
		}
		if _, err := c.copies.Publish(ctx, o.shop, made.ID, audit.Command, o.tier); err != nil {
			return fmt.Errorf("publishing the coupon %s: %w", t.Title, err)
		}
		if !o.taken {
			continue
		}
		if err := c.takeAll(ctx, made); err != nil {
			return err
		}
	}
	return nil
}

// takeAll puts all copies into the bag of somebody who is never seen again.
func (c couponDemo) takeAll(ctx context.Context, of coupon.Coupon) error {
	bag, _, err := c.copies.NewBag()
	for i := 0; i < of.Stock && err == nil; i++ {
		_, _, err = c.copies.Claim(ctx, of.ID, bag, fmt.Sprint(i))
	}
	return err
}

// event is what a sale sells tickets of.
func (c couponDemo) event(ctx context.Context, sale ropeline.Sale) (string, error) {
	return c.guide.EventOf(ctx, sale.Performances[0])
}
