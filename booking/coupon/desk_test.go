package coupon_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/coupon"
)

// The vendor sees each queue in its order, page by page; whose bag it is stays
// unknown to them.
func queuesAreInOrder(t *testing.T, r *rig) {
	ctx := t.Context()
	c := r.published(nil)
	for range 3 {
		r.pass(time.Second)
		r.claim(c)
	}
	var numbers []int
	page := booking.Page{Limit: 2}
	for {
		list, next, err := r.Queue(ctx, r.shop, c.ID, coupon.Claimed, page)
		r.must(err)
		for _, k := range list {
			numbers = append(numbers, k.Number)
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	if !slices.Equal(numbers, []int{1, 2, 3}) {
		t.Errorf("claimed in the order %v", numbers)
	}
	entries, _, err := r.History(ctx, r.shop, c.ID, 0, booking.Page{})
	r.must(err)
	for _, e := range entries {
		if e.Number > 0 && e.Who != "" {
			t.Errorf("the vendor sees who claimed: %+v", e)
		}
	}
	if _, _, err := r.Queue(ctx, r.other, c.ID, coupon.Claimed, booking.Page{}); !errors.Is(err, coupon.ErrUnknown) {
		t.Errorf("another shop's queue: %v", err)
	}
}

func browseByShopCategoryAndProduct(t *testing.T, r *rig) {
	ctx := t.Context()
	r.must(r.PutShop(ctx, coupon.Shop{ID: r.other, Name: "Cinema"}))
	r.must(r.PutProduct(ctx, r.other, coupon.Product{ID: "coffee", Name: "Coffee", Category: "drinks"}))
	drink := r.published(func(t *coupon.Terms) { t.Product = "coffee" })
	seat := r.published(nil)
	soon := r.published(func(t *coupon.Terms) { t.PublishFrom = t.PublishFrom.Add(time.Hour) })
	film, err := r.Make(ctx, r.other, "cinema.tom", "k", r.terms(func(t *coupon.Terms) { t.Product = "coffee" }))
	r.must(err)
	film, err = r.Publish(ctx, r.other, film.ID, "cinema.tom", nil)
	r.must(err)
	browse := func(f coupon.Filter, want ...coupon.Coupon) {
		t.Helper()
		var got []string
		page := booking.Page{Limit: 1} // and so every list is read by its cursor, too
		for {
			list, next, err := r.Browse(ctx, f, page)
			r.must(err)
			for _, c := range list {
				got = append(got, c.ID)
			}
			if page.Cursor = next; next == "" {
				break
			}
		}
		var ids []string
		for _, c := range want {
			ids = append(ids, c.ID)
		}
		if !slices.Equal(got, ids) {
			t.Errorf("%+v: %v, want %v", f, got, ids)
		}
	}
	browse(coupon.Filter{}, film, seat, drink)
	browse(coupon.Filter{Shop: r.shop}, seat, drink)
	browse(coupon.Filter{Category: "drinks"}, film, drink)
	browse(coupon.Filter{Shop: r.shop, Product: "coffee"}, drink)
	browse(coupon.Filter{Shop: "nobody"})
	browse(coupon.Filter{Shop: `'; drop table coupons; --`})
	r.pass(time.Hour)
	browse(coupon.Filter{Product: "tickets"}, soon, seat)
	_, err = r.Withdraw(ctx, r.shop, seat.ID, "opera.rosa", "a mistake")
	r.must(err)
	r.pass(24 * time.Hour)
	browse(coupon.Filter{}) // the window of all of them is over
	if list, _, err := r.Catalog(ctx, coupon.Filter{Shop: r.shop, State: coupon.Withdrawn}, booking.Page{}); err != nil || len(list) != 1 || list[0].ID != seat.ID {
		t.Errorf("withdrawn: %+v, %v", list, err)
	}
	shops, next, err := r.Shops(ctx, booking.Page{Limit: 1})
	if err != nil || next != r.other || len(shops) != 1 {
		t.Errorf("shops %v %q %v", shops, next, err)
	}
	products, _, err := r.Products(ctx, r.shop, booking.Page{})
	if err != nil || len(products) != 2 || products[1].ID != "tickets" || products[1].Coupons != 2 {
		t.Errorf("products %+v, %v", products, err)
	}
}

// The database is the last guard: history is not changed, and no copy goes where
// there is no way.
func theDatabaseRefuses(t *testing.T, r *rig) {
	ctx := t.Context()
	c := r.published(nil)
	_, got := r.claim(c)
	for _, sql := range []string{
		`update coupon_history set who = 'nobody'`, `delete from coupon_history`, `truncate coupon_history`,
		`update coupon_copies set state = 'published' where state = 'claimed'`, `update coupon_copies set state = 'redeemed' where state = 'published'`,
		`update coupon_copies set state = 'created'`, `update coupon_copies set state = 'reserved' where state = 'claimed'`,
		`update coupon_copies set state = 'lost'`, `update coupon_copies set bag = null where state = 'claimed'`,
		`update coupons set percent = 101`, `update coupons set amount = 5`, `update coupons set price = -1`, `update coupons set stock = 0`,
	} {
		if _, err := r.db.Exec(ctx, sql); err == nil {
			t.Errorf("done: %s", sql)
		}
	}
	r.story(c, got.Number, "claimed")
}

func makeIsCheckedAndDoneOnce(t *testing.T, r *rig) {
	ctx := t.Context()
	for name, change := range map[string]func(*coupon.Terms){
		"no title":         func(t *coupon.Terms) { t.Title = "" },
		"a title's tab":    func(t *coupon.Terms) { t.Title = "a\tb" },
		"a long title":     func(t *coupon.Terms) { t.Title = strings.Repeat("a", 201) },
		"not UTF-8":        func(t *coupon.Terms) { t.Title = "\xff" },
		"both":             func(t *coupon.Terms) { t.Amount = 1 },
		"neither":          func(t *coupon.Terms) { t.Percent = 0 },
		"101 percent":      func(t *coupon.Terms) { t.Percent = 101 },
		"minus a percent":  func(t *coupon.Terms) { t.Percent = -1 },
		"an overflow":      func(t *coupon.Terms) { t.Percent, t.Amount = 0, 1<<63-1 },
		"minus an amount":  func(t *coupon.Terms) { t.Percent, t.Amount = 0, -1 },
		"a price too high": func(t *coupon.Terms) { t.Price = coupon.MaxAmount + 1 },
		"a minimum too":    func(t *coupon.Terms) { t.MinSpend = 1<<63 - 1 },
		"a bound too":      func(t *coupon.Terms) { t.AtMost = 1<<63 - 1 },
		"a currency":       func(t *coupon.Terms) { t.Currency = "eur" },
		"no stock":         func(t *coupon.Terms) { t.Stock = 0 },
		"too much stock":   func(t *coupon.Terms) { t.Stock = coupon.MaxStock + 1 },
		"nobody":           func(t *coupon.Terms) { t.PerPerson = 0 },
		"a window":         func(t *coupon.Terms) { t.PublishUntil = t.PublishFrom },
		"an end":           func(t *coupon.Terms) { t.ExpiresAt = t.PublishUntil.Add(-time.Second) },
		"the year 9999":    func(t *coupon.Terms) { t.ExpiresAt = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) },
		"no time":          func(t *coupon.Terms) { t.PublishFrom = time.Time{} },
		"a negative life":  func(t *coupon.Terms) { t.UseWithin = -1 },
		"too long a life":  func(t *coupon.Terms) { t.UseWithin = 1 << 60 },
	} {
		if _, err := r.Make(ctx, r.shop, "rosa", "k", r.terms(change)); !errors.Is(err, coupon.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, product := range []string{"", "nothing", "Tickets", "'; drop table coupons; --"} {
		_, err := r.Make(ctx, r.shop, "rosa", "k", r.terms(func(t *coupon.Terms) { t.Product = product }))
		r.refused(err, coupon.ErrProduct)
	}
	_, err := r.Make(ctx, "nobody", "rosa", "k", r.terms(nil))
	r.refused(err, coupon.ErrProduct)
	_, err = r.Make(ctx, r.shop, "rosa", "", r.terms(nil))
	r.refused(err, booking.ErrKey)

	var ids sync.Map
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			c, err := r.Make(ctx, r.shop, "rosa", "once", r.terms(nil))
			if err != nil {
				t.Error(err)
			}
			ids.Store(c.ID, true)
		})
	}
	all.Wait()
	n := 0
	ids.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("one key made %d coupons", n)
	}
	_, err = r.Make(ctx, r.shop, "rosa", "once", r.terms(func(t *coupon.Terms) { t.Percent = 21 }))
	r.refused(err, booking.ErrKeyReused)
	_, err = r.Publish(ctx, r.shop, r.make(func(t *coupon.Terms) { t.Price = 100 }).ID, "rosa", nil)
	r.refused(err, coupon.ErrTier)

	r.refused(r.PutShop(ctx, coupon.Shop{ID: "O'Hara", Name: "x"}), coupon.ErrShop)
	r.refused(r.PutShop(ctx, coupon.Shop{ID: "ohara", Name: ""}), coupon.ErrInvalid)
	r.refused(r.PutProduct(ctx, "nobody", coupon.Product{ID: "x", Name: "x", Category: "x"}), coupon.ErrShop)
	r.refused(r.PutProduct(ctx, r.shop, coupon.Product{ID: "x", Name: "x", Category: "Über"}), coupon.ErrInvalid)
	r.refused(r.PutProduct(ctx, r.shop, coupon.Product{ID: "x", Name: "x", Category: "x", Event: uuid.NewString()}), coupon.ErrInvalid)
	r.refused(r.PutProduct(ctx, r.shop, coupon.Product{ID: "x", Name: "x", Category: "x", Event: "'"}), coupon.ErrInvalid)
}

// What looks like SQL, Lua or a key of Redis is text and nothing else, in every
// field that anybody fills.
func metacharactersAreText(t *testing.T, r *rig) {
	ctx := t.Context()
	for _, evil := range []string{`'; drop table coupons; --`, `" or 1=1`, `%_\`, `{}:taken`, `]] redis.call('FLUSHALL') --`, `$1 @now`, "*", "\x00", "\x1b[2J"} {
		_, err := r.Publish(ctx, evil, evil, evil, nil)
		r.refused(err, coupon.ErrUnknown)
		for _, call := range []func() error{
			func() error { _, _, err := r.Browse(ctx, coupon.Filter{}, booking.Page{Cursor: evil}); return err },
			func() error { _, _, err := r.Shops(ctx, booking.Page{Cursor: evil}); return err },
			func() error { _, _, err := r.Products(ctx, evil, booking.Page{}); return err },
			func() error { _, _, err := r.Claim(ctx, evil, uuid.NewString(), "k"); return err },
			func() error { _, err := r.Take(ctx, uuid.NewString(), "k", evil); return err },
			func() error { _, err := r.Verify(ctx, r.shop, evil, evil); return err },
			func() error { _, err := r.Report(ctx, r.shop, evil); return err },
			func() error {
				_, _, err := r.Queue(ctx, r.shop, evil, coupon.State(evil), booking.Page{Cursor: evil})
				return err
			},
			func() error { _, _, err := r.History(ctx, r.shop, evil, 0, booking.Page{Cursor: evil}); return err },
			func() error { _, _, err := r.Bag(ctx, uuid.NewString(), booking.Page{Cursor: evil}); return err },
		} {
			var e *ropeline.Error
			if err := call(); !errors.As(err, &e) || e.Kind == ropeline.Unavailable || e.Kind == ropeline.Internal {
				t.Errorf("%q: %v", evil, err)
			}
		}
		// As a name, a title, a key or a reason it is kept as it is, if it can be printed.
		c, err := r.Make(ctx, r.shop, "rosa", "k"+strings.Map(printable, evil), r.terms(func(t *coupon.Terms) { t.Title = "T" + strings.Map(shown, evil) }))
		r.must(err)
		read, err := r.OfShop(ctx, r.shop, c.ID)
		if r.must(err); read.Title != "T"+strings.Map(shown, evil) {
			t.Errorf("%q became %q", evil, read.Title)
		}
	}
	if list, _, err := r.Catalog(ctx, coupon.Filter{Shop: r.shop}, booking.Page{}); err != nil || len(list) != 9 {
		t.Errorf("%d coupons, %v", len(list), err)
	}
}

func printable(c rune) rune {
	if c > ' ' && c < 0x7f {
		return c
	}
	return '~'
}

func shown(c rune) rune {
	if c < ' ' {
		return '~'
	}
	return c
}
