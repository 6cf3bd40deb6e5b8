package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/returns"
)

// sellOut sells all of a tier, six at a time, and returns the orders.
func (c *core) sellOut(tier catalogue.Tier) (orders []Order) {
	c.t.Helper()
	for u := tier.First; u < tier.First+tier.Count; u += 6 {
		fan, units := c.fan(), []int{}
		for i := u; i < min(u+6, tier.First+tier.Count); i++ {
			units = append(units, i)
		}
		var o Order
		c.pay(fan, "k", c.hold(fan, units...).ID, sandbox.OK).is(http.StatusCreated, &o)
		orders = append(orders, o)
	}
	return orders
}

// wait joins the list of a tier.
func (c *core) wait(tier catalogue.Tier, who string, quantity int) answer {
	c.t.Helper()
	return c.do(http.MethodPost, "/api/v1/performances/"+string(c.show.ID)+"/returns", "",
		c.json(m{"tier": tier.ID, "quantity": quantity, "together": true, "email": who + "@example.org"}), "Idempotency-Key", strings.Fields(who)[0])
}

func (c *core) placeOf(p Return) (now Return) {
	c.t.Helper()
	c.get("/api/v1/returns/"+p.ID, p.Key).is(http.StatusOK, &now)
	return now
}

// tend does what the worker does each second.
func (c *core) tend() {
	c.t.Helper()
	tender := returns.NewTender(c.api.server.returns, time.Second, time.Hour, prometheus.NewRegistry(), c.api.server.log)
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	if _, err := tender.Tend(ctx, c.show.ID); err != nil {
		c.t.Fatal(err)
	}
}

// listed waits until the inventory knows of the list.
func (c *core) listed() {
	c.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); ; <-tick.C {
		snap, err := c.api.server.inventory.Snapshot(c.t.Context(), c.show.ID)
		if err != nil || time.Now().After(deadline) {
			c.t.Fatal("the list does not come into force", err)
		}
		if len(snap.Listed) > 0 {
			return
		}
	}
}

// What is canceled after the sell-out goes to who waits for no more than there is, and to
// nobody else; who claims pays as everybody does; and what nobody wants is on sale again.
func TestWhatComesBackIsOfferedToTheReturnsList(t *testing.T) {
	t.Parallel()
	c := start(t)
	floor := c.show.Tiers[3]
	c.wait(floor, "ada", 2).refused(http.StatusConflict, "returns-not-sold-out")
	orders := c.sellOut(floor)
	cancel := func(o Order, tickets ...string) {
		t.Helper()
		c.do(http.MethodPost, "/api/v1/organizer/orders/"+o.ID+"/cancel", "key-sre", c.json(m{"reason": "a test", "tickets": tickets})).is(http.StatusOK, nil)
	}
	var ada, bob, cleo Return
	c.wait(floor, "ada", 2).is(http.StatusCreated, &ada)
	c.wait(floor, "bob", 1).is(http.StatusCreated, &bob)
	c.wait(floor, "cleo", 2).is(http.StatusCreated, &cleo)
	c.refusals(floor, ada)
	if ada.State != returns.Waiting || *ada.Ahead != 0 || *cleo.Ahead != 2 || ada.Together { // a floor has no seats
		t.Errorf("joined %+v and %+v", ada, cleo)
	}
	c.listed()

	cancel(orders[0], orders[0].Tickets[0].ID)
	freed := orders[0].Tickets[0].Unit
	c.do(http.MethodPost, "/api/v1/holds", c.fan(), c.json(m{"performance": c.show.ID, "units": []int{freed}})).refused(http.StatusConflict, "units-taken")
	if r := c.inventory(); r.Pooled != 1 || !r.OK() {
		t.Errorf("the inventory is %+v", r)
	}
	c.tend()
	now := c.placeOf(bob)
	if now.State != returns.Offered || now.Offer == nil || !slices.Equal(now.Offer.Units, []int{freed}) || c.placeOf(ada).State != returns.Waiting {
		t.Fatalf("bob has %+v, ada %+v", now, c.placeOf(ada))
	}
	c.buyOffer(bob, now.Offer)
	c.tend()
	if now := c.placeOf(bob); now.State != returns.Bought || now.Offer != nil {
		t.Errorf("in the end bob has %+v", now)
	}

	c.do(http.MethodDelete, "/api/v1/returns/"+ada.ID, ada.Key, "").is(http.StatusNoContent, nil)
	c.do(http.MethodDelete, "/api/v1/returns/"+ada.ID, ada.Key, "").is(http.StatusNoContent, nil)
	cancel(orders[1], orders[1].Tickets[0].ID, orders[1].Tickets[1].ID)
	c.tend()
	offer := c.placeOf(cleo).Offer
	if offer == nil {
		t.Fatalf("cleo has %+v", c.placeOf(cleo))
	}
	c.do(http.MethodPost, "/api/v1/returns/"+cleo.ID+"/claim", offer.Pass, "").is(http.StatusCreated, nil)
	c.do(http.MethodDelete, "/api/v1/holds/"+offer.Hold, offer.Pass, "").is(http.StatusNoContent, nil)
	c.tend()
	if now := c.placeOf(cleo); now.State != returns.Left {
		t.Errorf("whoever gives an offer back is %s", now.State)
	}
	c.hold(c.fan(), offer.Units...) // for anybody
	if r := c.inventory(); r.Held != 3 || !r.OK() {
		t.Errorf("the inventory is %+v", r)
	}
	c.staffSees(ada, bob, cleo)
}

// refusals are what somebody with a place is told who wants another.
func (c *core) refusals(floor catalogue.Tier, ada Return) {
	c.t.Helper()
	var again Return
	c.wait(floor, "ada", 2).is(http.StatusCreated, &again)
	if again.ID != ada.ID || again.Key != ada.Key {
		c.t.Errorf("the same request has the place %+v, want %+v", again, ada)
	}
	c.wait(floor, "ada", 1).refused(http.StatusUnprocessableEntity, "idempotency-key-reused")
	c.wait(floor, "Ada", 1).refused(http.StatusConflict, "returns-joined")
	c.wait(floor, "dora", 7).refused(http.StatusUnprocessableEntity, "returns-quantity-invalid")
	c.wait(floor, "dora'; drop table returns_entries; --", 1).refused(http.StatusUnprocessableEntity, "email-invalid")
	c.wait(catalogue.Tier{ID: uuid.NewString()}, "dora", 1).refused(http.StatusUnprocessableEntity, "units-unknown")
	c.wait(c.show.Tiers[0], "dora", 1).refused(http.StatusConflict, "returns-not-sold-out")
	path := "/api/v1/performances/" + string(c.show.ID) + "/returns"
	c.do(http.MethodPost, path, "", c.json(m{"tier": floor.ID, "quantity": 1, "email": "dora@example.org"})).refused(http.StatusUnprocessableEntity, "idempotency-key-missing")
	var lists ReturnsLists
	c.get(path, "").is(http.StatusOK, &lists)
	if len(lists.Lists) != 1 || lists.Lists[0].Tier != floor.ID || lists.Lists[0].Waiting != 3 || lists.Window != 1800 || lists.Most != 6 {
		c.t.Errorf("the lists are %+v", lists)
	}
}

// buyOffer claims and pays, and tries what a pass is not good for.
func (c *core) buyOffer(p Return, o *ReturnsOffer) {
	c.t.Helper()
	claim := "/api/v1/returns/" + p.ID + "/claim"
	c.get("/api/v1/holds/"+o.Hold, o.Pass).refused(http.StatusConflict, "claim-first")
	c.pay(o.Pass, "early", o.Hold, sandbox.OK).refused(http.StatusConflict, "claim-first")
	c.do(http.MethodPost, "/api/v1/returns/"+uuid.NewString()+"/claim", o.Pass, "").refused(http.StatusUnauthorized, "pass-invalid")
	var first, again Hold
	c.do(http.MethodPost, claim, o.Pass, "").is(http.StatusCreated, &first)
	c.do(http.MethodPost, claim, o.Pass, "").is(http.StatusCreated, &again)
	if first.ID != o.Hold || fmt.Sprint(first) != fmt.Sprint(again) || !slices.Equal(first.Units, o.Units) {
		c.t.Errorf("claimed %+v, and again %+v", first, again)
	}
	c.do(http.MethodPost, "/api/v1/holds", o.Pass, c.json(m{"performance": c.show.ID, "units": []int{1}})).refused(http.StatusUnauthorized, "token-invalid")
	other := c.hold(c.fan(), 2)
	c.get("/api/v1/holds/"+other.ID, o.Pass).refused(http.StatusNotFound, "hold-unknown")
	c.pay(o.Pass, "k", other.ID, sandbox.OK).refused(http.StatusNotFound, "hold-unknown")
	c.pay(o.Pass, "bad", o.Hold, sandbox.Declined).refused(http.StatusPaymentRequired, "payment-declined")
	var bought, same Order
	c.pay(o.Pass, "good", o.Hold, sandbox.OK).is(http.StatusCreated, &bought)
	c.pay(o.Pass, "good", o.Hold, sandbox.OK).is(http.StatusCreated, &same)
	if bought.ID != same.ID || len(bought.Tickets) != 1 || bought.Tickets[0].Unit != o.Units[0] {
		c.t.Errorf("bought %+v, and again %+v", bought, same)
	}
	c.do(http.MethodPost, claim, o.Pass, "").refused(http.StatusConflict, "hold-sold")
	c.do(http.MethodDelete, "/api/v1/returns/"+p.ID, p.Key, "").refused(http.StatusConflict, "hold-sold")
}

func (c *core) staffSees(ada, bob, cleo Return) {
	c.t.Helper()
	path := "/api/v1/organizer/performances/" + string(c.show.ID) + "/returns"
	var first, rest ReturnsPage
	c.get(path+"?limit=2", "key-sre").is(http.StatusOK, &first)
	c.get(path+"?cursor="+first.Next, "key-sre").is(http.StatusOK, &rest)
	var seen []string
	for _, p := range slices.Concat(first.Places, rest.Places) {
		seen = append(seen, p.ID+" "+string(p.State))
	}
	if want := []string{ada.ID + " left", bob.ID + " bought", cleo.ID + " left"}; !slices.Equal(seen, want) || rest.Next != "" {
		c.t.Errorf("staff see %v, want %v", seen, want)
	}
	var history ReturnsHistory
	c.get(path+"/history", "key-sre").is(http.StatusOK, &history)
	seen = nil
	for _, e := range history.Events {
		seen = append(seen, map[string]string{ada.ID: "ada ", bob.ID: "bob ", cleo.ID: "cleo "}[e.Place]+e.Event)
	}
	want := []string{"ada waiting", "bob waiting", "cleo waiting", "bob offered", "bob claimed", "bob bought", "ada left", "cleo offered", "cleo claimed", "cleo left"}
	if !slices.Equal(seen, want) {
		c.t.Errorf("the history is %v, want %v", seen, want)
	}
	var addresses int
	if err := c.db.QueryRow(c.t.Context(), `select count(*) from returns_entries where email <> ''`).Scan(&addresses); err != nil || addresses != 0 {
		c.t.Errorf("%d addresses are kept of places that are over, %v", addresses, err)
	}
	if _, err := c.db.Exec(c.t.Context(), `delete from returns_history`); err == nil {
		c.t.Error("the history can be changed")
	}
}
