package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

func (c *core) counter(path string) string {
	return organizerAPI + "/performances/" + string(c.show.ID) + "/counter" + path
}

// The box office holds, sells, reads, and gives money back; fans see the units go and
// come, and what it took is in the settlement.
func TestTheBoxOfficeSellsFromTheSameUnits(t *testing.T) {
	t.Parallel()
	c := startAfter(t, slog.New(slog.DiscardHandler), `update performances set tariff = '{"fee_rate": 1000, "refund": {"keep_rate": 5000}}'`)
	seats, floor := c.show.Tiers[0], c.show.Tiers[len(c.show.Tiers)-1]
	post := func(path, key string, body m) answer {
		c.t.Helper()
		return c.do(http.MethodPost, c.counter(path), "key-counter", c.json(body), "Idempotency-Key", key)
	}
	wish := m{"units": []int{seats.First, seats.First + 1}, "tiers": []m{{"tier": floor.ID, "quantity": 8}}} // more than one fan may have
	var h, same Hold
	post("/holds", "k1", wish).is(http.StatusCreated, &h)
	post("/holds", "k1", wish).is(http.StatusCreated, &same)
	if h.ID == "" || same.ID != h.ID || len(h.Units) != 10 || h.Total.Amount == 0 {
		t.Fatalf("held %+v, and again %+v", h, same)
	}
	post("/holds", "k1", m{"units": []int{seats.First + 5}}).refused(http.StatusUnprocessableEntity, "idempotency-key-reused")
	post("/holds", "k2", m{"units": []int{seats.First}}).refused(http.StatusConflict, "units-taken")
	post("/holds", "k2", m{"tiers": []m{{"tier": floor.ID, "quantity": 101}}}).refused(http.StatusUnprocessableEntity, "too-many-units")
	post("/holds", "", wish).refused(http.StatusUnprocessableEntity, "idempotency-key-missing")
	fan := c.fan()
	c.do(http.MethodPost, "/api/v1/holds", fan, c.json(m{"performance": c.show.ID, "units": []int{seats.First}})).refused(http.StatusConflict, "units-taken")
	c.get("/api/v1/holds/"+h.ID, fan).refused(http.StatusNotFound, "hold-unknown")
	c.get(c.counter("/holds/"+h.ID), "key-counter").is(http.StatusOK, &same)
	theirs := c.hold(c.fan(), 20)
	for _, path := range []string{"/holds/" + theirs.ID, "/holds/x", "/holds/" + uuid.NewString()} { // a fan's is no business of the counter's
		c.get(c.counter(path), "key-counter").refused(http.StatusNotFound, "hold-unknown")
		c.do(http.MethodDelete, c.counter(path), "key-counter", "").refused(http.StatusNotFound, "hold-unknown")
	}

	sale := m{"hold": h.ID, "tender": "cash", "total": h.Total}
	post("/orders", "s1", m{"hold": h.ID, "tender": "gold"}).refused(http.StatusUnprocessableEntity, "request-invalid")
	post("/orders", "s1", m{"hold": theirs.ID, "tender": "cash"}).refused(http.StatusNotFound, "hold-unknown")
	var o, repeated Order
	post("/orders", "s1", sale).is(http.StatusCreated, &o)
	post("/orders", "s1", sale).is(http.StatusCreated, &repeated)
	if o.State != "paid" || o.Tender != "cash" || len(o.Tickets) != 10 || o.Tickets[0].QR == "" || repeated.ID != o.ID || o.Key == "" || o.Total != h.Total {
		t.Fatalf("sold %+v, and again %+v", o, repeated)
	}
	post("/orders", "s2", sale).refused(http.StatusConflict, "hold-sold")
	at := organizerAPI + "/counter/orders/" + o.ID
	c.get(at, "key-counter").is(http.StatusOK, &repeated)
	var r Receipt
	c.get(at+"/receipt", "key-counter").is(http.StatusOK, &r)
	if r.Tender != "cash" || r.Total != o.Total.Amount || r.Fee != o.Total.Amount/10 || len(r.Lines) != 10 {
		t.Errorf("receipt %+v", r)
	}
	c.get("/api/v1/orders/"+o.ID+"/receipt", o.Key).is(http.StatusOK, nil) // the buyer has a link, too
	c.do(http.MethodPost, "/api/v1/orders/"+o.ID+"/cancel", o.Key, `{}`).refused(http.StatusConflict, "sold-at-counter")
	c.do(http.MethodPost, organizerAPI+"/orders/"+o.ID+"/cancel", "key-sre", `{"reason":"ill"}`).refused(http.StatusConflict, "sold-at-counter")

	var bought Order
	c.pay(fan, "k", c.hold(fan, 30).ID, sandbox.OK).is(http.StatusCreated, &bought)
	for _, id := range []string{bought.ID, uuid.NewString(), "x"} {
		c.get(organizerAPI+"/counter/orders/"+id, "key-counter").refused(http.StatusNotFound, "order-unknown")
		c.get(organizerAPI+"/counter/orders/"+id+"/receipt", "key-counter").refused(http.StatusNotFound, "order-unknown")
	}
	c.do(http.MethodPost, organizerAPI+"/counter/orders/"+bought.ID+"/cancel", "key-counter", `{"reason":"ill"}`).refused(http.StatusConflict, "not-sold-at-counter")
	c.do(http.MethodPost, at+"/cancel", "key-counter", `{"reason":" "}`).refused(http.StatusUnprocessableEntity, "reason-invalid")
	one := c.json(m{"reason": "ill", "tickets": []string{o.Tickets[0].ID}})
	for range 2 {
		c.do(http.MethodPost, at+"/cancel", "key-counter", one).is(http.StatusOK, &r)
	}
	back := seats.Price.Amount - seats.Price.Amount/2
	if len(r.Refunds) != 1 || r.Refunds[0].Amount != back || r.Refunds[0].State != "refunded" || r.Lines[0].State != "canceled" {
		t.Errorf("canceled %+v", r)
	}

	var sum PerformanceSettlement
	c.get(organizerAPI+"/performances/"+string(c.show.ID)+"/settlement", "key-sre").is(http.StatusOK, &sum)
	if s := sum.Currencies; len(s) != 1 || s[0].Cash != o.Total.Amount-back || s[0].Taken != bought.Total.Amount || s[0].Orders != 2 ||
		s[0].Owed != s[0].Taken-s[0].Fee || s[0].Fee != (o.Total.Amount+bought.Total.Amount)/10-seats.Price.Amount/10 {
		t.Errorf("settlement %+v", sum)
	}
	var took gotTakings
	c.get(c.counter("/takings"), "key-counter").is(http.StatusOK, &took.Body)
	if len(took.Body.Takings) != 1 || took.Body.Takings[0].Who != "staff:kim" || took.Body.Takings[0].Till != o.Total.Amount-back {
		t.Errorf("takings %+v", took.Body)
	}
	from := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	c.get(c.counter("/takings?from="+from), "key-counter").is(http.StatusOK, &took.Body)
	if took.Body.Takings == nil || len(took.Body.Takings) != 0 {
		t.Errorf("takings later %+v", took.Body)
	}
	c.hold(c.fan(), seats.First) // it is for sale again

	var given Hold
	post("/holds", "k3", m{"tiers": []m{{"tier": seats.ID, "quantity": 2}}}).is(http.StatusCreated, &given) // the best ones
	for range 2 {
		if a := c.do(http.MethodDelete, c.counter("/holds/"+given.ID), "key-counter", ""); a.Status != http.StatusNoContent {
			t.Errorf("released: %d %s", a.Status, a.Body)
		}
	}
	c.get(c.counter("/holds/"+given.ID), "key-counter").refused(http.StatusGone, "hold-released")
	post("/holds", "k3", m{"tiers": []m{{"tier": seats.ID, "quantity": 2}}}).refused(http.StatusGone, "hold-released")
	nowhere := organizerAPI + "/performances/" + uuid.NewString() + "/counter"
	for path, body := range map[string]m{"/holds": {"units": []int{1}}, "/orders": {"hold": given.ID, "tender": "cash"}} {
		c.do(http.MethodPost, nowhere+path, "key-counter", c.json(body), "Idempotency-Key", "k").refused(http.StatusNotFound, "performance-unknown")
	}
	c.get(nowhere+"/takings", "key-counter").refused(http.StatusNotFound, "performance-unknown")
	c.inventory()
}

// The counter sells what is kept for the box office; fans do not, and what comes back
// is kept again.
func TestTheCounterSellsWhatIsKeptForIt(t *testing.T) {
	t.Parallel()
	c := start(t)
	shows, floor, seats := catalogue.New(c.db, time.Now), c.show.Tiers[len(c.show.Tiers)-1], c.show.Tiers[0]
	held := c.hold(c.fan(), seats.First+1) // before it is kept
	row := c.show.Rows[0].Section + "-" + c.show.Rows[0].Name
	for _, plan := range []catalogue.ReservePlan{
		{Name: "Counter", Kind: catalogue.BoxOffice, Area: floor.Name, Places: 4}, {Name: "Row", Kind: catalogue.Guests, Seats: []string{row}},
		{Name: "Camera", Kind: catalogue.Blocked, Seats: []string{row + "-3"}},
		{Name: "Zithers", Kind: catalogue.Production, Seats: []string{c.show.Rows[1].Section + "-" + c.show.Rows[1].Name + "-1"}},
	} {
		if _, err := shows.Reserve(t.Context(), c.show.ID, plan, audit.Change{Who: audit.Command, Blind: true}); err != nil {
			t.Fatal(err)
		}
	}
	last := floor.First + floor.Count - 1
	for deadline := time.Now().Add(20 * time.Second); c.inventory().Withheld < 4+c.show.Rows[0].Count-1+1; {
		if time.Now().After(deadline) {
			t.Fatal("nothing is withheld")
		}
	}
	var desk shownCounter
	left := func() (units []int) { // of each reserve
		t.Helper()
		desk = shownCounter{}
		c.get(c.counter(""), "key-counter").is(http.StatusOK, &desk.Body)
		for _, r := range desk.Body.Reserves {
			units = append(units, r.Tiers[0].Units)
		}
		return units
	}
	left()
	if r := desk.Body.Reserves; desk.Body.Who != "staff:kim" || len(r) != 3 || r[2].Name != "Zithers" || r[2].Kind != catalogue.Production || r[0].Name != "Counter" || r[0].Kind != catalogue.BoxOffice ||
		!slices.Equal(r[0].Tiers, []CounterKeeps{{floor.ID, 4}}) || r[1].Name != "Row" || len(r[1].Tiers) != 1 || r[1].Tiers[0].Units != c.show.Rows[0].Count-1 {
		t.Errorf("the counter is %+v", desk.Body)
	}
	n := 0
	post := func(body m) answer {
		c.t.Helper()
		n++
		return c.do(http.MethodPost, c.counter("/holds"), "key-counter", c.json(body), "Idempotency-Key", fmt.Sprint("k", n))
	}
	post(m{"units": []int{last}}).refused(http.StatusConflict, "units-taken")
	post(m{"units": []int{last}, "reserve": "None"}).refused(http.StatusNotFound, "reserve-unknown")
	post(m{"units": []int{last}, "reserve": "Camera"}).refused(http.StatusNotFound, "reserve-unknown")
	post(m{"units": []int{floor.First}, "reserve": "Counter"}).refused(http.StatusConflict, "units-taken")
	for _, u := range []int{seats.First + 1, seats.First + 2} { // held by a fan; blocked as well
		post(m{"units": []int{u}, "reserve": "Row"}).refused(http.StatusConflict, "units-taken")
	}
	post(m{"tiers": []m{{"tier": floor.ID, "quantity": 5}}, "reserve": "Counter"}).refused(http.StatusConflict, "sold-out")
	var h, all Hold
	post(m{"tiers": []m{{"tier": floor.ID, "quantity": 3}}, "reserve": "Counter"}).is(http.StatusCreated, &h)
	if !slices.Equal(h.Units, []int{last - 3, last - 2, last - 1}) {
		t.Fatalf("held %v", h.Units)
	}
	post(m{"units": []int{last - 1, last}, "reserve": "Counter"}).refused(http.StatusConflict, "units-taken")
	c.inventory()
	var o Order
	c.do(http.MethodPost, c.counter("/orders"), "key-counter", c.json(m{"hold": h.ID, "tender": "complimentary"}), "Idempotency-Key", "s").is(http.StatusCreated, &o)
	if r := c.inventory(); r.Sold != 3 {
		t.Errorf("inventory %+v", r)
	}
	row0 := c.show.Rows[0].Count - 1
	if got := left(); !slices.Equal(got, []int{1, row0, 1}) {
		t.Errorf("three are sold, and the counter has %v", got)
	}
	c.do(http.MethodPost, organizerAPI+"/counter/orders/"+o.ID+"/cancel", "key-counter", `{"reason":"no guest"}`).is(http.StatusOK, nil)
	if got := left(); !slices.Equal(got, []int{4, row0, 1}) {
		t.Errorf("they are given back, and the counter has %v", got)
	}
	c.do(http.MethodPost, "/api/v1/holds", c.fan(), c.json(m{"performance": c.show.ID, "units": []int{last - 1}})).refused(http.StatusConflict, "units-taken")
	post(m{"tiers": []m{{"tier": floor.ID, "quantity": 4}}, "reserve": "Counter"}).is(http.StatusCreated, &all)
	if a := c.do(http.MethodDelete, c.counter("/holds/"+all.ID), "key-counter", ""); a.Status != http.StatusNoContent {
		t.Errorf("released: %d %s", a.Status, a.Body)
	}
	post(m{"units": []int{seats.First, seats.First + 3}, "tiers": []m{}, "reserve": "Row"}).is(http.StatusCreated, &h)
	post(m{"tiers": []m{{"tier": c.show.Tiers[0].ID, "quantity": 1}}, "reserve": "Zithers"}).is(http.StatusCreated, nil)
	if r := c.inventory(); r.Held != 4 || held.ID == "" {
		t.Errorf("inventory %+v", r)
	}
}

// Who signed in on the counter's page has a cookie, which is good for the counter, from a
// page of our own, and for nothing else.
func TestTheCountersCookie(t *testing.T) {
	t.Parallel()
	c := start(t)
	kim, ada := ropeline.StaffCookie+"=key-counter", ropeline.StaffCookie+"=key-sre"
	wish := c.json(m{"units": []int{3}})
	hold := func(cookie string, headers ...string) answer {
		return c.do(http.MethodPost, c.counter("/holds"), "", wish, append([]string{"Cookie", cookie, "Idempotency-Key", "k"}, headers...)...)
	}
	for _, from := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
		hold(kim, from...).refused(http.StatusForbidden, "origin-mismatch")
	}
	hold(ropeline.StaffCookie+"=key-rosa", "Sec-Fetch-Site", "same-origin").refused(http.StatusForbidden, "box-office-required")
	hold(ropeline.StaffCookie+"=none", "Sec-Fetch-Site", "same-origin").refused(http.StatusUnauthorized, "staff-required")
	hold(kim, "Sec-Fetch-Site", "same-origin").is(http.StatusCreated, nil)
	c.get(c.counter(""), "", "Cookie", kim).is(http.StatusOK, nil)
	c.get(c.counter(""), "key-rosa", "Cookie", kim).refused(http.StatusForbidden, "box-office-required") // who says who they are is that
	for _, path := range []string{"/blocks", "/webhooks", "/refunds"} {
		c.get(organizerAPI+path, "", "Cookie", ada).refused(http.StatusUnauthorized, "staff-required")
	}
}

// Somebody shows a coupon at the counter, and pays less there; whoever brings wrong codes is
// not heard any more.
func TestACouponIsGoodAtTheCounter(t *testing.T) {
	t.Parallel()
	c := start(t)
	offer, other := c.offer(m{"shareable": false}), c.offer(m{"product": "coffee", "percent": 0, "amount": 100})
	bag := c.bag()
	var mine, coffee BagCoupon
	c.do(http.MethodPost, "/api/v1/coupons/"+offer.ID+"/claim", bag, "", "Idempotency-Key", "k").is(http.StatusCreated, &mine)
	c.do(http.MethodPost, "/api/v1/coupons/"+other.ID+"/claim", bag, "", "Idempotency-Key", "k").is(http.StatusCreated, &coffee)
	post := func(path, key string, body m) answer {
		c.t.Helper()
		return c.do(http.MethodPost, c.counter(path), "key-counter", c.json(body), "Idempotency-Key", key)
	}
	var h, second Hold
	post("/holds", "h1", m{"units": []int{0, 1}}).is(http.StatusCreated, &h)
	post("/holds", "h2", m{"units": []int{2}}).is(http.StatusCreated, &second)
	full := h.Total.Amount
	lower := func(hold, code string) answer {
		return c.do(http.MethodPut, c.counter("/holds/"+hold+"/coupon"), "key-counter", c.json(m{"code": code}))
	}
	lower(h.ID, "'; drop table coupons; --").refused(http.StatusNotFound, "coupon-unknown")
	lower(h.ID, coffee.Code).refused(http.StatusConflict, "coupon-elsewhere")
	lower(uuid.NewString(), mine.Code).refused(http.StatusNotFound, "hold-unknown")
	c.do(http.MethodPut, c.counter("/holds/"+h.ID+"/coupon"), "", c.json(m{"code": mine.Code})).refused(http.StatusUnauthorized, "staff-required")
	typed := strings.ToLower(mine.Code[:4] + " " + mine.Code[4:])
	for range 2 {
		lower(h.ID, typed).is(http.StatusOK, &h)
	}
	if h.Coupon == nil || h.Coupon.Title != "A fifth off" || h.Coupon.Discount.Amount != full/5 || h.Total.Amount != full-full/5 {
		t.Fatalf("lowered to %+v", h)
	}
	var again Hold
	post("/holds", "h1", m{"units": []int{0, 1}}).is(http.StatusCreated, &again)
	if again.Total != h.Total || again.Coupon == nil {
		t.Errorf("held again %+v", again)
	}
	lower(second.ID, mine.Code).refused(http.StatusConflict, "coupon-reserved")
	for range 2 {
		again = Hold{}
		c.do(http.MethodDelete, c.counter("/holds/"+h.ID+"/coupon"), "key-counter", "").is(http.StatusOK, &again)
	}
	if again.Coupon != nil || again.Total.Amount != full {
		t.Errorf("taken off: %+v", again)
	}
	lower(h.ID, mine.Code).is(http.StatusOK, &h)

	post("/orders", "s1", m{"hold": h.ID, "tender": "complimentary"}).refused(http.StatusConflict, "coupon-for-nothing")
	post("/orders", "s1", m{"hold": h.ID, "tender": "cash", "total": m{"amount": full, "currency": "EUR"}}).refused(http.StatusConflict, "price-changed")
	var o Order
	for range 2 {
		post("/orders", "s1", m{"hold": h.ID, "tender": "cash", "total": h.Total}).is(http.StatusCreated, &o)
	}
	lower(h.ID, mine.Code).refused(http.StatusConflict, "hold-sold")
	var r Receipt
	c.get(organizerAPI+"/counter/orders/"+o.ID+"/receipt", "key-counter").is(http.StatusOK, &r)
	if o.Total != h.Total || r.Total != h.Total.Amount || r.Discount != full/5 {
		t.Errorf("sold for %+v, receipt %+v", o.Total, r)
	}
	var left BagList
	c.get("/api/v1/bag", bag).is(http.StatusOK, &left)
	for _, k := range left.Coupons {
		if k.Coupon.ID == offer.ID && k.State != coupon.Redeemed {
			t.Errorf("in the bag it is %s", k.State)
		}
	}
	for range 10 {
		lower(second.ID, "x")
	}
	lower(second.ID, mine.Code).refused(http.StatusTooManyRequests, "coupon-guesses")
}
