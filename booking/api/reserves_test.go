package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/inventory"
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
	if _, err := shows.Reserve(t.Context(), c.show.ID, catalogue.ReservePlan{Name: "Later", Kind: catalogue.Batch, Area: floor.Name, Places: 40}, catalogue.Change{Who: catalogue.Command, Blind: true}); err != nil {
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
	if _, err := shows.Release(t.Context(), c.show.ID, "Later", time.Now().Add(50*time.Millisecond), catalogue.Change{Who: catalogue.Command, Blind: true}); err != nil {
		t.Fatal(err)
	}
	await("the release", func(l TierLeft) bool { return l.Free == 99 && l.Held == 1 && l.Closed == 0 && a.Closed == nil })
	take(last-1).is(http.StatusCreated, nil)
}
