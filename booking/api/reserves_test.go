package api

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/returns"
)

// The core takes a reserve off sale while it runs, tells it apart from what is
// held, and puts it on sale when its time comes.
func TestReservesAreNotForSaleUntilTheyAreReleased(t *testing.T) {
	t.Parallel()
	c := start(t)
	floor, path := c.show.Tiers[3], "/api/v1/performances/"+string(c.show.ID)+"/availability"
	shows := catalogue.New(c.db, time.Now)
	var a Availability
	await := func(what string, ok func(TierLeft) bool) {
		t.Helper()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(20 * time.Second); ; <-tick.C {
			a = Availability{}
			c.get(path, "").is(http.StatusOK, &a)
			if ok(a.Tiers[3]) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s did not come about: %+v", what, a.Tiers[3])
			}
		}
	}
	take := func(unit int) answer {
		return c.do(http.MethodPost, "/api/v1/holds", c.fan(), c.json(m{"performance": c.show.ID, "units": []int{unit}}))
	}
	last := floor.First + floor.Count - 1
	take(last).is(http.StatusCreated, nil)
	await("a hold", func(l TierLeft) bool { return l.Free == 99 && l.Held == 1 && a.Closed == nil })
	if _, err := shows.Reserve(t.Context(), c.show.ID, catalogue.ReservePlan{Name: "Later", Kind: catalogue.Batch, Area: floor.Name, Places: 40}, audit.Change{Who: audit.Command, Blind: true}); err != nil {
		t.Fatal(err)
	}
	await("the reserve", func(l TierLeft) bool { return l.Free == 60 && l.Held == 0 && l.Closed == 40 })
	if closed := inventory.Bitmap(a.Closed); closed.Count(0, last+1) != 40 || closed.Count(last-39, 40) != 40 {
		t.Errorf("closed are %v", a.Closed)
	}
	take(last-1).refused(409, "units-taken")
	if r := c.inventory(); r.Withheld != 39 || r.Held != 1 || !r.OK() { // one is held still
		t.Errorf("inventory %+v", r)
	}
	if _, err := shows.Release(t.Context(), c.show.ID, "Later", time.Now().Add(50*time.Millisecond), audit.Change{Who: audit.Command, Blind: true}); err != nil {
		t.Fatal(err)
	}
	await("the release", func(l TierLeft) bool { return l.Free == 99 && l.Held == 1 && l.Closed == 0 && a.Closed == nil })
	take(last-1).is(http.StatusCreated, nil)
}

// What is kept for the counter is none of the returns list's, whether it is held, sold or
// given back there; nor is what the list has the counter's. Once the reserve is released,
// what of it is free comes to the list, and what the counter still has when it comes back.
func TestTheCounterAndTheReturnsListTakeNothingFromEachOther(t *testing.T) {
	t.Parallel()
	c := start(t)
	floor, shows := c.show.Tiers[3], catalogue.New(c.db, time.Now)
	last, by := floor.First+floor.Count-1, audit.Change{Who: audit.Command, Blind: true}
	reserve := func(name string) {
		t.Helper()
		if _, err := shows.Reserve(t.Context(), c.show.ID, catalogue.ReservePlan{Name: name, Kind: catalogue.BoxOffice, Area: floor.Name, Places: 4}, by); err != nil {
			t.Fatal(err)
		}
	}
	stands := func(when string, want inventory.Report) {
		t.Helper()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(20 * time.Second); ; <-tick.C {
			r := c.inventory()
			if r.Withheld == want.Withheld && r.Pooled == want.Pooled && r.Held == want.Held {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s the inventory is %+v, want %+v", when, r, want)
			}
		}
	}
	waits := func(who string, quantity int) (p Return) {
		t.Helper()
		c.wait(floor, who, quantity).is(http.StatusCreated, &p)
		return p
	}
	offered := func(p Return, units ...int) {
		t.Helper()
		c.tend()
		now := c.placeOf(p)
		if len(units) == 0 && now.State == returns.Waiting {
			return
		}
		if now.State != returns.Offered || !slices.Equal(now.Offer.Units, units) {
			t.Errorf("a place is %s with %+v, want %v", now.State, now.Offer, units)
		}
	}
	n := 0
	counter := func(path string, body m) answer {
		t.Helper()
		n++
		return c.do(http.MethodPost, c.counter(path), "key-counter", c.json(body), "Idempotency-Key", fmt.Sprint("k", n))
	}
	takes := func(quantity int) (h Hold) {
		t.Helper()
		counter("/holds", m{"tiers": []m{{"tier": floor.ID, "quantity": quantity}}, "reserve": "Counter"}).is(http.StatusCreated, &h)
		return h
	}
	gives := func(h Hold) {
		t.Helper()
		c.do(http.MethodDelete, c.counter("/holds/"+h.ID), "key-counter", "").is(http.StatusNoContent, nil)
	}
	sells := func(h Hold) (o Order) {
		t.Helper()
		counter("/orders", m{"hold": h.ID, "tender": "cash"}).is(http.StatusCreated, &o)
		return o
	}
	cancels := func(o Order) {
		t.Helper()
		c.do(http.MethodPost, organizerAPI+"/counter/orders/"+o.ID+"/cancel", "key-counter", `{"reason":"a test"}`).is(http.StatusOK, nil)
	}

	reserve("Counter")
	stands("kept for the counter,", inventory.Report{Withheld: 4})
	open := floor
	open.Count -= 4
	orders := c.sellOut(open)
	ada := waits("ada", 1)
	c.listed()
	bob := waits("bob", 2)

	h := takes(2)
	offered(ada)
	gives(h)
	offered(ada)
	cancels(sells(takes(2)))
	offered(ada)
	stands("given back,", inventory.Report{Withheld: 4})

	c.do(http.MethodPost, "/api/v1/organizer/orders/"+orders[0].ID+"/cancel", "key-sre", c.json(m{"reason": "a test", "tickets": []string{orders[0].Tickets[0].ID}})).is(http.StatusOK, nil)
	freed := orders[0].Tickets[0].Unit
	counter("/holds", m{"units": []int{freed}}).refused(http.StatusConflict, "units-taken")
	counter("/holds", m{"units": []int{freed}, "reserve": "Counter"}).refused(http.StatusConflict, "units-taken")
	counter("/holds", m{"tiers": []m{{"tier": floor.ID, "quantity": 1}}}).refused(http.StatusConflict, "sold-out")
	offered(ada, freed)

	held := takes(2) // the lowest of the four: last - 3 and last - 2
	o := sells(takes(1))
	stands("held and sold,", inventory.Report{Withheld: 1, Held: 3})
	if _, err := shows.Release(t.Context(), c.show.ID, "Counter", time.Now(), by); err != nil {
		t.Fatal(err)
	}
	stands("released,", inventory.Report{Pooled: 1, Held: 3})
	counter("/holds", m{"tiers": []m{{"tier": floor.ID, "quantity": 1}}, "reserve": "Counter"}).refused(http.StatusNotFound, "reserve-unknown")
	carl := waits("carl", 1)
	offered(carl, last)
	offered(bob)
	gives(held)
	offered(bob, last-3, last-2)
	dora := waits("dora", 1)
	cancels(o)
	offered(dora, last-1)

	reserve("Later") // the same four, which are offered
	stands("kept again,", inventory.Report{Held: 5})
	counter("/holds", m{"units": []int{last}, "reserve": "Later"}).refused(http.StatusConflict, "units-taken")
	eve := waits("eve", 1)
	for _, p := range []Return{carl, bob} {
		c.do(http.MethodDelete, "/api/v1/returns/"+p.ID, p.Key, "").is(http.StatusNoContent, nil)
	}
	offered(eve)
	stands("left,", inventory.Report{Withheld: 3, Held: 2})
	counter("/holds", m{"units": []int{last}, "reserve": "Later"}).is(http.StatusCreated, nil)
}
