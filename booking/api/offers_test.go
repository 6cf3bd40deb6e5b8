package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/ropeline/ropeline/booking/coupon"
)

// An organizer looks after the coupons of their organization's shops, on a page of ours, and
// has them lower the tickets of their own events alone.
func TestAnOrganizerLooksAfterCoupons(t *testing.T) {
	t.Parallel()
	c := start(t)
	rival := c.founded("rival")
	theirs := c.hired("organizer@example.org", rival, roleOrganizer)
	shops := func(bearer string, want ...string) {
		t.Helper()
		var list OwnShopList
		c.get(organizer+"/shops", bearer, "Sec-Fetch-Site", "same-origin").is(http.StatusOK, &list)
		var ids []string
		for _, s := range list.Shops {
			ids = append(ids, s.ID)
		}
		if c.json(ids) != c.json(want) {
			t.Errorf("%s looks after %v, want %v", bearer, ids, want)
		}
	}
	var event string
	if err := c.db.QueryRow(t.Context(), `select event_id::text from performances where id = $1`, c.show.ID).Scan(&event); err != nil {
		t.Fatal(err)
	}
	c.organize(http.MethodPut, organizer+"/shops/ours", c.json(m{"name": "Ours"})).is(http.StatusOK, nil)
	c.do(http.MethodPut, organizer+"/shops/rivals", theirs, c.json(m{"name": "Theirs"})).is(http.StatusOK, nil)
	c.do(http.MethodPut, organizer+"/shops/opera", "key-rosa", c.json(m{"name": "Opera"})).is(http.StatusOK, nil)
	shops("key-olga", "opera", "ours")
	shops("key-sre", "opera", "ours", "rivals")
	shops("key-rosa", "opera")
	shops(theirs, "rivals")
	c.get(organizer+"/shops", "key-counter").refused(http.StatusForbidden, "vendor-required")

	product := func(shop, bearer, event string) answer {
		return c.do(http.MethodPut, organizer+"/shops/"+shop+"/products/tickets", bearer, c.json(m{"name": "Tickets", "category": "tickets", "event": event}))
	}
	product("ours", theirs, event).refused(http.StatusNotFound, "shop-unknown")
	product("rivals", theirs, event).refused(http.StatusNotFound, "event-unknown")
	product("opera", "key-rosa", event).refused(http.StatusForbidden, "event-not-given")
	product("ours", "key-olga", event).is(http.StatusOK, nil)
	product("opera", "key-olga", event).is(http.StatusOK, nil)
	product("opera", "key-rosa", event).is(http.StatusOK, nil) // its organizer has said so

	now := time.Now().UTC()
	terms := m{"product": "tickets", "title": "A fifth off", "percent": 20, "currency": "EUR", "stock": 5, "per_person": 1,
		"publish_from": now, "publish_until": now.Add(time.Hour), "expires_at": now.Add(2 * time.Hour)}
	var made coupon.Coupon
	c.do(http.MethodPost, organizer+"/shops/ours/coupons", "key-olga", c.json(terms), "Idempotency-Key", "k").is(http.StatusCreated, &made)
	c.do(http.MethodPost, organizer+"/shops/ours/coupons/"+made.ID+"/publish", "", "{}", "Cookie", "ropeline_staff=key-olga", "Sec-Fetch-Site", "cross-site").refused(http.StatusForbidden, "origin-mismatch")
	c.do(http.MethodPost, organizer+"/shops/ours/coupons/"+made.ID+"/publish", theirs, "{}").refused(http.StatusNotFound, "shop-unknown")
	c.do(http.MethodPost, organizer+"/shops/ours/coupons/"+made.ID+"/publish", "", "{}", "Cookie", "ropeline_staff=key-olga", "Sec-Fetch-Site", "same-origin").is(http.StatusOK, &made)
	if made.State != coupon.Published {
		t.Errorf("it is %s", made.State)
	}
}
