package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/booking/guide"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

const opera = "/api/v1/organizer/shops/opera"

// desk calls a route of the opera's desk.
func (c *core) desk(method, path string, body any, headers ...string) answer {
	c.t.Helper()
	text := ""
	if body != nil {
		text = c.json(body)
	}
	return c.do(method, opera+path, "key-rosa", text, headers...)
}

// made makes a coupon of the opera, 20 percent off its tickets if nothing else is
// said.
func (c *core) made(change m) coupon.Coupon {
	c.t.Helper()
	var event string
	if err := c.db.QueryRow(c.t.Context(), `select event_id from performances where id = $1`, c.show.ID).Scan(&event); err != nil {
		c.t.Fatal(err)
	}
	c.desk(http.MethodPut, "", m{"name": "Opera"}).is(http.StatusOK, nil)
	c.do(http.MethodPut, opera+"/products/tickets", "key-sre", c.json(m{"name": "Tickets", "category": "shows", "event": event})).is(http.StatusOK, nil)
	c.desk(http.MethodPut, "/products/coffee", m{"name": "Coffee", "category": "drinks"}).is(http.StatusOK, nil)
	now := time.Now().UTC()
	body := m{"product": "tickets", "title": "A fifth off", "percent": 20, "currency": "EUR", "stock": 5, "per_person": 1, "shareable": true,
		"publish_from": now.Add(-time.Hour), "publish_until": now.Add(time.Hour), "expires_at": now.Add(2 * time.Hour)}
	for name, value := range change {
		body[name] = value
	}
	var made coupon.Coupon
	c.desk(http.MethodPost, "/coupons", body, "Idempotency-Key", uuid.NewString()).is(http.StatusCreated, &made)
	return made
}

// offer makes a coupon and publishes it.
func (c *core) offer(change m) coupon.Coupon {
	c.t.Helper()
	var offered coupon.Coupon
	c.desk(http.MethodPost, "/coupons/"+c.made(change).ID+"/publish", m{}).is(http.StatusOK, &offered)
	return offered
}

func (c *core) bag() string {
	c.t.Helper()
	var bag BagKey
	c.do(http.MethodPost, "/api/v1/bags", "", "").is(http.StatusCreated, &bag)
	return bag.Key
}

// A fan finds a coupon, claims it, buys with it and sees what became of it; the
// vendor sees it, too.
func TestFromTheShelfToTheOrder(t *testing.T) {
	t.Parallel()
	c := start(t)
	offer := c.offer(m{})
	other := c.offer(m{"product": "coffee", "percent": 0, "amount": 100})

	var list CouponList
	a := c.get("/api/v1/coupons?shop=opera&category=shows", "")
	a.is(http.StatusOK, &list)
	if len(list.Coupons) != 1 || list.Coupons[0].ID != offer.ID || *list.Coupons[0].Left != 5 || list.Coupons[0].ShopName != "Opera" {
		t.Fatalf("on the shelf: %s", a.Body)
	}
	if again := c.get("/api/v1/coupons?shop=opera&category=shows", "", "If-None-Match", a.Header.Get("ETag")); again.Status != http.StatusNotModified || len(again.Body) > 0 ||
		again.Header.Get("Cache-Control") != soon {
		t.Errorf("again: %d %s", again.Status, again.Body)
	}
	c.get("/api/v1/coupons?limit=1", "").is(http.StatusOK, &list)
	c.get("/api/v1/coupons?limit=1&cursor="+list.Next, "").is(http.StatusOK, &list)
	if len(list.Coupons) != 1 || list.Coupons[0].ID != offer.ID {
		t.Errorf("the second page: %+v", list)
	}
	c.get("/api/v1/coupons?limit=1000", "").refused(422, "page-invalid")
	c.get("/api/v1/coupons?cursor=x", "").refused(422, "page-invalid")
	var shops ShopList
	c.get("/api/v1/shops", "").is(http.StatusOK, &shops)
	var products ProductList
	c.get("/api/v1/shops/opera/products", "").is(http.StatusOK, &products)
	if len(shops.Shops) != 1 || len(products.Products) != 2 {
		t.Errorf("shops %+v, products %+v", shops, products)
	}
	c.made(m{"product": "coffee", "percent": 0, "amount": 100}) // not given out: nobody hears of it
	c.desk(http.MethodPut, "/products/books", m{"name": "Books", "category": "books"}).is(http.StatusOK, nil)
	for query, want := range map[string]string{"": "drinks 1 shows 1 ", "?shop=opera": "drinks 1 shows 1 ", "?shop=cinema": "", "?shop=%27--": "", "?cursor=drinks": "shows 1 "} {
		var kinds CategoryList
		c.get("/api/v1/categories"+query, "").is(http.StatusOK, &kinds)
		got := ""
		for _, k := range kinds.Categories {
			got += fmt.Sprint(k.Category, " ", k.Coupons, " ")
		}
		if got != want {
			t.Errorf("categories%s: %q, want %q", query, got, want)
		}
	}
	var event guide.Shown
	if c.get("/api/v1/events/"+offer.Event, "").is(http.StatusOK, &event); event.ID != offer.Event || len(event.Performances) != 1 || event.Performances[0].ID != c.show.ID {
		t.Errorf("the event of the tickets: %+v", event)
	}
	c.get("/api/v1/events/"+uuid.NewString(), "").refused(404, "event-unknown")
	c.get("/api/v1/events/%27--", "").refused(404, "event-unknown")

	bag := c.bag()
	claim := func(bag, key string) answer {
		return c.do(http.MethodPost, "/api/v1/coupons/"+offer.ID+"/claim", bag, "", "Idempotency-Key", key)
	}
	var mine BagCoupon
	claim(bag, "k").is(http.StatusCreated, &mine)
	claim(bag, "k").is(http.StatusOK, &mine)
	claim(bag, "k2").refused(409, "coupon-limit")
	claim(bag, "").refused(422, "idempotency-key-missing")
	if mine.State != coupon.Claimed || mine.Code == "" || !strings.HasPrefix(mine.QR, "<svg ") || !strings.HasPrefix(mine.Bars, "<svg ") {
		t.Fatalf("claimed %+v", mine)
	}

	fan := c.fan()
	h := c.hold(fan, 0, 1)
	lower := func(code string, headers ...string) answer {
		return c.do(http.MethodPut, "/api/v1/holds/"+h.ID+"/coupon", fan, c.json(m{"code": code}), headers...)
	}
	lower("x").refused(404, "coupon-unknown")
	lower(strings.Repeat("x", 65)).refused(422, "request-invalid")
	lower(mine.Code, "Ropeline-Bag", "x").refused(401, "bag-key-invalid")
	c.do(http.MethodPut, "/api/v1/holds/"+h.ID+"/coupon", c.fan(), c.json(m{"code": mine.Code})).refused(404, "hold-unknown")
	var low Hold
	for range 2 {
		lower(mine.Code).is(http.StatusOK, &low)
		if low.Total.Amount != 12000 || low.Coupon == nil || low.Coupon.Discount.Amount != 3000 || low.Coupon.Title != offer.Title {
			t.Fatalf("lowered %s", c.json(low))
		}
	}
	var found struct{ Holds []Hold }
	if c.get("/api/v1/holds", fan).is(http.StatusOK, &found); c.json(found.Holds[0]) != c.json(low) {
		t.Errorf("a reload finds %s, want %s", c.json(found), c.json(low))
	}
	var plain Hold
	c.do(http.MethodDelete, "/api/v1/holds/"+h.ID+"/coupon", fan, "").is(http.StatusOK, &plain)
	if plain.Coupon != nil || plain.Total.Amount != 15000 {
		t.Errorf("taken off: %+v", plain)
	}
	lower(mine.Code).is(http.StatusOK, &low)
	var o, read Order
	c.pay(fan, "pay", h.ID, sandbox.OK).is(http.StatusCreated, &o)
	c.get("/api/v1/orders/"+o.ID, o.Key).is(http.StatusOK, &read)
	if o.Total.Amount != 12000 || o.Discount == nil || *o.Discount != (booking.Money{Amount: 3000, Currency: "EUR"}) || read.Total != o.Total || *read.Discount != *o.Discount {
		t.Errorf("bought %s, read %s", c.json(o), c.json(read))
	}

	var gone BagCoupon
	c.get("/api/v1/bag/coupons/"+offer.ID+"/1", bag).is(http.StatusOK, &gone)
	if gone.State != coupon.Redeemed || gone.Code != "" || gone.QR != "" || gone.Bars != "" || len(gone.History) != 5 || gone.History[4].Detail != o.ID {
		t.Errorf("afterwards: %s", c.json(gone))
	}
	c.get("/api/v1/bag/coupons/"+offer.ID+"/1", c.bag()).refused(404, "coupon-unknown") // of another person
	c.get("/api/v1/bag/coupons/"+offer.ID+"/x", bag).refused(422, "request-invalid")
	var report coupon.Report
	c.desk(http.MethodGet, "/coupons/"+offer.ID+"/report", nil).is(http.StatusOK, &report)
	if report.Queues[coupon.Redeemed] != 1 || report.Queues[coupon.Published] != 4 || report.Discount.Amount != 3000 {
		t.Errorf("report %s", c.json(report))
	}
	var queue QueueList
	c.desk(http.MethodGet, "/coupons/"+offer.ID+"/queues/published?limit=3", nil).is(http.StatusOK, &queue)
	if len(queue.Copies) != 3 || queue.Copies[0].Number != 2 || queue.Next == "" {
		t.Errorf("queue %s", c.json(queue))
	}
	c.desk(http.MethodGet, "/coupons/"+offer.ID+"/history?number=2147483648", nil).is(http.StatusOK, nil) // was once a store that is away
	var past HistoryList
	c.desk(http.MethodGet, "/coupons/"+offer.ID+"/history?number=1", nil).is(http.StatusOK, &past)
	if len(past.History) != 5 || strings.Contains(c.json(past), o.ID) {
		t.Errorf("history %s", c.json(past))
	}
	c.desk(http.MethodPost, "/coupons/"+offer.ID+"/withdraw", m{"reason": "enough"}).is(http.StatusOK, nil)
	claim(c.bag(), "k").refused(410, "coupon-withdrawn")
	c.desk(http.MethodGet, "/coupons?state=withdrawn", nil).is(http.StatusOK, &list)
	if len(list.Coupons) != 1 || list.Coupons[0].ID != offer.ID {
		t.Errorf("withdrawn: %+v", list)
	}
	c.do(http.MethodPost, organizerAPI+"/orders/"+o.ID+"/cancel", "key-sre", c.json(m{"reason": "rain"})).is(http.StatusOK, nil)
	c.get("/api/v1/bag/coupons/"+offer.ID+"/1", bag).is(http.StatusOK, &gone)
	if last := gone.History[len(gone.History)-1]; gone.State != coupon.Withdrawn || gone.Code != "" || last.Entry != "withdrawn" {
		t.Errorf("back from an order when it was withdrawn: %s", c.json(gone))
	}
	c.atTheTill(other)
}

// atTheTill passes a coupon on and uses it at the till.
func (c *core) atTheTill(offer coupon.Coupon) {
	c.t.Helper()
	var given, got BagCoupon
	c.do(http.MethodPost, "/api/v1/coupons/"+offer.ID+"/claim", c.bag(), "", "Idempotency-Key", "k").is(http.StatusCreated, &given)
	friend := c.bag()
	for range 2 {
		c.do(http.MethodPost, "/api/v1/bag/coupons", friend, c.json(m{"code": given.Code}), "Idempotency-Key", "k").is(http.StatusCreated, &got)
	}
	var seen coupon.Copy
	c.desk(http.MethodPost, "/verify", m{"code": got.Code}).is(http.StatusOK, &seen)
	c.desk(http.MethodPost, "/verify", m{"code": given.Code}).refused(404, "coupon-unknown")
	c.do(http.MethodPost, "/api/v1/organizer/shops/cinema/verify", "key-tom", c.json(m{"code": got.Code})).refused(404, "coupon-unknown")
	total := m{"amount": 350, "currency": "EUR"}
	var spent Spent
	for range 2 {
		c.desk(http.MethodPost, "/redeem", m{"code": got.Code, "total": total}, "Idempotency-Key", "till").is(http.StatusOK, &spent)
		if spent.Discount.Amount != 100 || spent.ToPay.Amount != 250 || spent.Coupon.State != coupon.Redeemed {
			c.t.Errorf("spent %s", c.json(spent))
		}
	}
	c.desk(http.MethodPost, "/redeem", m{"code": got.Code, "total": total}, "Idempotency-Key", "till-2").refused(409, "coupon-used")
	c.desk(http.MethodPost, "/redeem", m{"code": got.Code, "total": m{"amount": 1e30, "currency": "EUR"}}, "Idempotency-Key", "till-2").refused(422, "request-invalid")
	c.desk(http.MethodPost, "/redeem", m{"code": got.Code, "total": m{"amount": -1, "currency": "EUR"}}, "Idempotency-Key", "till-2").refused(409, "coupon-used")
}

// A vendor has no hand in the money of an event that nobody gave to their shop: neither by
// coupons for its tickets, nor by a tier that sells them. Once a key of a cinema was enough
// to give the opera's tickets away, and to tie them to coupons so that none could be canceled.
func TestAVendorLowersTheTicketsOfTheShopsEventsOnly(t *testing.T) {
	t.Parallel()
	c := start(t)
	offer := c.made(m{})
	const cinema = "/api/v1/organizer/shops/cinema"
	floor := c.show.Tiers[3]
	put := func(path, key string, body m) answer { return c.do(http.MethodPut, cinema+path, key, c.json(body)) }
	post := func(path string, body m) answer {
		return c.do(http.MethodPost, cinema+path, "key-tom", c.json(body), "Idempotency-Key", uuid.NewString())
	}
	put("", "key-tom", m{"name": "Cinema"}).is(http.StatusOK, nil)
	seats := m{"name": "Seats", "category": "shows", "event": offer.Event}
	put("/products/seats", "key-tom", seats).refused(403, "event-not-given")
	put("/products/seats", "key-tom", m{"name": "Seats", "category": "shows", "event": uuid.NewString()}).refused(403, "event-not-given") // or which there is not
	put("/products/popcorn", "key-tom", m{"name": "Popcorn", "category": "snacks"}).is(http.StatusOK, nil)
	now := time.Now().UTC()
	drop := func(product string) (made coupon.Coupon) {
		post("/coupons", m{"product": product, "title": "Mine", "percent": 100, "currency": "EUR", "stock": floor.Count, "per_person": 1, "price": floor.Price.Amount,
			"publish_from": now.Add(-time.Hour), "publish_until": now.Add(time.Hour), "expires_at": now.Add(2 * time.Hour)}).is(http.StatusCreated, &made)
		return made
	}
	publish := func(made coupon.Coupon) answer {
		return post("/coupons/"+made.ID+"/publish", m{"performance": c.show.ID, "tier": floor.ID})
	}
	mine := drop("popcorn")
	publish(mine).refused(403, "event-not-given")

	put("/products/seats", "key-sre", seats).is(http.StatusOK, nil)
	put("/products/places", "key-tom", m{"name": "Places", "category": "shows", "event": offer.Event}).is(http.StatusOK, nil)
	put("/products/seats", "key-tom", m{"name": "Good seats", "category": "shows", "event": offer.Event}).is(http.StatusOK, nil)
	publish(mine).is(http.StatusOK, nil)
}

// A drop is a sale of its own: only who was let in holds a copy, pays for it, and
// has it in a bag then; the ticket is what makes it good.
func TestADropIsASale(t *testing.T) {
	t.Parallel()
	c := start(t)
	floor := c.show.Tiers[3]
	terms := m{"product": "coffee", "title": "A hundred coffees", "percent": 100, "price": floor.Price.Amount, "stock": floor.Count, "shareable": false}
	made := c.made(terms)
	publish := func(id string, body m) answer { return c.desk(http.MethodPost, "/coupons/"+id+"/publish", body) }
	show := string(c.show.ID)
	publish(made.ID, m{}).refused(422, "coupon-tier")
	publish(made.ID, m{"performance": show, "tier": c.show.Tiers[0].ID}).refused(422, "coupon-tier")
	publish(made.ID, m{"performance": show, "tier": uuid.NewString()}).refused(422, "units-unknown")
	publish(made.ID, m{"performance": uuid.NewString(), "tier": floor.ID}).refused(404, "performance-unknown")
	var offer coupon.Coupon
	publish(made.ID, m{"performance": show, "tier": floor.ID}).is(http.StatusOK, &offer)
	publish(made.ID, m{"performance": show, "tier": floor.ID}).is(http.StatusOK, &offer)
	if offer.Drop == nil || offer.Drop.Tier != floor.ID || offer.State != coupon.Published {
		t.Fatalf("published %s", c.json(offer))
	}
	publish(c.made(terms).ID, m{"performance": show, "tier": floor.ID}).refused(422, "coupon-tier") // sold already
	c.offer(m{})
	for query, want := range map[string]int{"": 2, "?performance=" + show: 1, "?performance=" + show + "&shop=cinema": 0, "?performance=" + uuid.NewString(): 0, "?performance=%27--": 0} {
		var list CouponList
		if c.get("/api/v1/coupons"+query, "").is(http.StatusOK, &list); len(list.Coupons) != want || want == 1 && list.Coupons[0].ID != offer.ID {
			t.Errorf("coupons%s: %s, want %d", query, c.json(list), want)
		}
	}
	bag := c.bag()
	c.do(http.MethodPost, "/api/v1/coupons/"+offer.ID+"/claim", bag, "", "Idempotency-Key", "k").refused(409, "coupon-sold")

	fan := c.fan()
	wish := c.json(m{"performance": show, "tier": floor.ID, "quantity": 2})
	c.do(http.MethodPost, "/api/v1/holds", "", wish).refused(401, "token-missing")
	c.do(http.MethodPost, "/api/v1/holds", bag, wish).refused(401, "token-invalid")
	var h Hold
	c.do(http.MethodPost, "/api/v1/holds", fan, wish).is(http.StatusCreated, &h)
	var o Order
	c.pay(fan, "k", h.ID, sandbox.OK).is(http.StatusCreated, &o)

	collect := func(bag, order, key string) answer {
		return c.do(http.MethodPost, "/api/v1/bag/orders", bag, c.json(m{"order": order, "key": key}))
	}
	collect(bag, o.ID, "x").refused(404, "order-unknown")
	collect(bag, uuid.NewString(), o.Key).refused(404, "order-unknown")
	collect(bag, "'; drop table orders; --", o.Key).refused(404, "order-unknown")
	var got BagList
	for range 2 {
		collect(bag, o.ID, o.Key).is(http.StatusOK, &got)
		if len(got.Coupons) != 2 || got.Coupons[0].Number != o.Tickets[0].Unit-floor.First+1 || got.Coupons[0].Code == "" {
			t.Fatalf("collected %s", c.json(got))
		}
	}
	collect(c.bag(), o.ID, o.Key).refused(409, "coupon-collected")
	var report coupon.Report
	c.desk(http.MethodGet, "/coupons/"+offer.ID+"/report", nil).is(http.StatusOK, &report)
	if report.Sold.Amount != 2*floor.Price.Amount || report.Queues[coupon.Claimed] != 2 || report.Queues[coupon.Published] != 98 {
		t.Errorf("report %s", c.json(report))
	}
	c.desk(http.MethodPost, "/coupons/"+offer.ID+"/withdraw", m{"reason": "too good"}).is(http.StatusOK, nil)
	spend := func(code string) answer {
		return c.desk(http.MethodPost, "/redeem", m{"code": code, "total": m{"amount": 350, "currency": "EUR"}}, "Idempotency-Key", "t")
	}
	var spent Spent
	spend(got.Coupons[0].Code).is(http.StatusOK, &spent) // what was paid for stays good
	if spent.ToPay.Amount != 0 {
		t.Errorf("spent %s", c.json(spent))
	}
	if _, err := c.db.Exec(t.Context(), `update tickets set state = 'canceled' where unit = $1`, floor.First+got.Coupons[1].Number-1); err != nil {
		t.Fatal(err)
	}
	spend(got.Coupons[1].Code).refused(409, "coupon-no-ticket") // the money went back
}

// Whoever opens an order to have its coupons hears why there are none.
func TestWhyAnOrderHasNoCoupons(t *testing.T) {
	t.Parallel()
	c := startAfter(t, slog.New(slog.DiscardHandler), `update performances set tariff = '{"refund": {"before": 60}}'`)
	floor, show := c.show.Tiers[3], string(c.show.ID)
	offer := c.made(m{"product": "coffee", "title": "A hundred coffees", "percent": 100, "price": floor.Price.Amount, "stock": floor.Count, "shareable": false, "use_within": 60})
	c.desk(http.MethodPost, "/coupons/"+offer.ID+"/publish", m{"performance": show, "tier": floor.ID}).is(http.StatusOK, nil)
	buy := func(unit int) (o Order) {
		fan := c.fan()
		c.pay(fan, "k", c.hold(fan, unit).ID, sandbox.OK).is(http.StatusCreated, &o)
		return o
	}
	collect := func(bag string, o Order) answer {
		return c.do(http.MethodPost, "/api/v1/bag/orders", bag, c.json(m{"order": o.ID, "key": o.Key}))
	}
	cancel := func(o Order) {
		c.do(http.MethodPost, "/api/v1/orders/"+o.ID+"/cancel", o.Key, `{}`).is(http.StatusOK, nil)
	}
	exec := func(sql string, args ...any) {
		if _, err := c.db.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	bag := c.bag()
	collect(bag, buy(3)).refused(409, "coupon-no-order") // a seat

	unpaid := buy(floor.First)
	exec(`update tickets set state = 'unpaid' where order_id = $1`, unpaid.ID)
	collect(bag, unpaid).refused(409, "coupon-no-order")
	exec(`update tickets set state = 'valid' where order_id = $1`, unpaid.ID)

	o := buy(floor.First + 1)
	cancel(o)
	collect(bag, o).refused(409, "coupon-no-ticket")

	// In the first bag it came to its end, and the ticket was canceled. Who buys the place
	// has paid for a coupon that is good; it was once nobody's.
	first := buy(floor.First + 2)
	collect(bag, first).is(http.StatusOK, nil)
	exec(`update coupon_copies set state = 'expired', expires_at = now(), mover = 'clock' where bag is not null and number = 3`)
	collect(c.bag(), first).refused(409, "coupon-collected")
	cancel(first)
	var got BagList
	next := c.bag()
	collect(next, buy(floor.First+2)).is(http.StatusOK, &got)
	if len(got.Coupons) != 1 || got.Coupons[0].State != coupon.Claimed || got.Coupons[0].Code == "" {
		t.Errorf("who bought it again has %s", c.json(got))
	}
	var list BagList
	if c.get("/api/v1/bag", bag).is(http.StatusOK, &list); len(list.Coupons) != 0 {
		t.Errorf("who had it before still has %s", c.json(list))
	}

	// It is not given out any more: still it is known what the order bought.
	late := buy(floor.First + 3)
	exec(`update coupons set publish_until = now() where id = $1`, offer.ID)
	for query, want := range map[string]int{"": 0, "?performance=" + show: 1} {
		var shelf CouponList
		if c.get("/api/v1/coupons"+query, "").is(http.StatusOK, &shelf); len(shelf.Coupons) != want {
			t.Errorf("coupons%s: %s, want %d", query, c.json(shelf), want)
		}
	}
	exec(`update coupons set expires_at = now() where id = $1`, offer.ID)
	collect(bag, late).refused(410, "coupon-expired")
	exec(`update coupon_copies set state = 'expired', mover = 'clock' where state = 'published'`)
	collect(bag, late).refused(410, "coupon-expired")
	c.inventory()
}

// Of two coupons that were bought in a drop one is used. Its money does not go back: it
// once did, so that whoever was quick had it for nothing. That of the other one does, and
// takes the coupon along, which is the next buyer's.
func TestACouponOfADropThatWasUsedIsNotCanceled(t *testing.T) {
	t.Parallel()
	c := startAfter(t, slog.New(slog.DiscardHandler), `update performances set tariff = '{"refund": {"before": 60}, "exchange": {"before": 60, "fee": 0}}'`)
	floor := c.show.Tiers[3]
	offer := c.made(m{"product": "coffee", "title": "A hundred coffees", "percent": 100, "price": floor.Price.Amount, "stock": floor.Count, "shareable": false})
	c.desk(http.MethodPost, "/coupons/"+offer.ID+"/publish", m{"performance": c.show.ID, "tier": floor.ID}).is(http.StatusOK, nil)
	buy := func(units ...int) (o Order, got BagList) {
		fan := c.fan()
		c.pay(fan, "k", c.hold(fan, units...).ID, sandbox.OK).is(http.StatusCreated, &o)
		c.do(http.MethodPost, "/api/v1/bag/orders", c.bag(), c.json(m{"order": o.ID, "key": o.Key})).is(http.StatusOK, &got)
		return o, got
	}
	o, got := buy(floor.First, floor.First+1)
	spend := func(code string) answer {
		return c.desk(http.MethodPost, "/redeem", m{"code": code, "total": m{"amount": 350, "currency": "EUR"}}, "Idempotency-Key", uuid.NewString())
	}
	spend(got.Coupons[0].Code).is(http.StatusOK, nil)
	used, other := o.Tickets[got.Coupons[0].Number-1], o.Tickets[got.Coupons[1].Number-1]
	cancel := func(tickets ...string) answer {
		return c.do(http.MethodPost, "/api/v1/orders/"+o.ID+"/cancel", o.Key, c.json(m{"tickets": tickets}))
	}
	before := c.books()
	cancel().refused(409, "coupon-used")
	cancel(used.ID).refused(409, "coupon-used")
	c.do(http.MethodPost, "/api/v1/organizer/orders/"+o.ID+"/cancel", "key-sre", c.json(m{"reason": "rain"})).refused(409, "coupon-used")
	for _, k := range o.Tickets {
		c.do(http.MethodPut, "/api/v1/orders/"+o.ID+"/exchange/hold", o.Key, c.json(m{"tickets": []string{k.ID},
			"for": m{"performance": c.show.ID, "units": []int{3}}})).refused(409, "exchange-coupon")
	}
	if after := c.books(); after != before {
		t.Errorf("before\n%s\nand then\n%s", before, after)
	}
	// What was sold is what they cost when they were bought, and not what went back: the
	// report once counted both at the coupon's own price.
	sold := func(want int64) {
		t.Helper()
		var report coupon.Report
		if c.desk(http.MethodGet, "/coupons/"+offer.ID+"/report", nil).is(http.StatusOK, &report); report.Sold.Amount != want {
			t.Errorf("sold for %d, want %d", report.Sold.Amount, want)
		}
	}
	sold(2 * floor.Price.Amount)
	cancel(other.ID).is(http.StatusOK, nil)
	sold(floor.Price.Amount)
	spend(got.Coupons[1].Code).refused(409, "coupon-no-ticket")
	if _, err := c.db.Exec(t.Context(), `update tickets set amount = amount + 100 where id = $1`, used.ID); err != nil {
		t.Fatal(err)
	}
	sold(floor.Price.Amount + 100)
	_, next := buy(other.Unit)
	spend(next.Coupons[0].Code).is(http.StatusOK, nil)
	for i := range 8 { // used and canceled in one moment: one of the two
		o, got := buy(floor.First + 10 + i)
		var till, back answer
		var both sync.WaitGroup
		both.Go(func() { till = spend(got.Coupons[0].Code) })
		both.Go(func() {
			back = c.do(http.MethodPost, "/api/v1/orders/"+o.ID+"/cancel", o.Key, `{}`)
		})
		both.Wait()
		if used, canceled := till.Status == http.StatusOK, back.Status == http.StatusOK; used == canceled {
			t.Errorf("the till was told %s, and the buyer %s", till.Body, back.Body)
		}
	}
	c.inventory()
}
