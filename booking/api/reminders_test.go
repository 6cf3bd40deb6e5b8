package api

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/tidings"
)

// Who has the key of an order says when they are reminded of it, and an account of all that it
// buys; what is said of an order counts for that.
func TestPeopleSayWhenTheyAreReminded(t *testing.T) {
	t.Parallel()
	c := startAfter(t, slog.New(slog.DiscardHandler), `update performances set starts_at = now() + interval '30 days', doors_at = null, ends_at = null`)
	ada := c.member("ada@example.org")
	var o Order
	fan := c.fan()
	c.pay(fan, "k", c.hold(fan, 2).ID, sandbox.OK).is(http.StatusCreated, &o)
	at := "/api/v1/orders/" + o.ID + "/reminder"
	set := func(path, key string, days int, want int) {
		t.Helper()
		var now tidings.Setting
		if days >= 0 {
			c.do(http.MethodPut, path, key, c.json(m{"days": days})).is(http.StatusOK, &now)
		}
		if c.get(path, key).is(http.StatusOK, &now); now.Days != want {
			t.Errorf("%s: %+v, want %d days", path, now, want)
		}
		if path == at && (now.At != nil) != (want > 0) || now.At != nil && now.At.Before(time.Now()) {
			t.Errorf("%s: it comes at %v", path, now.At)
		}
	}
	set(at, o.Key, -1, 2)
	set(at, o.Key, 0, 0)
	set(at, o.Key, 14, 14)
	set(mePath+"/reminders", ada, -1, 2)
	set(mePath+"/reminders", ada, 7, 7)
	c.do(http.MethodPut, at, o.Key, c.json(m{"days": 15})).refused(http.StatusUnprocessableEntity, "request-invalid")
	c.do(http.MethodPut, mePath+"/reminders", ada, c.json(m{"days": -1})).refused(http.StatusUnprocessableEntity, "request-invalid")
	c.do(http.MethodPut, at, "of another order", c.json(m{"days": 1})).refused(http.StatusUnauthorized, "order-key-invalid")
	var export Export
	if c.get(mePath+"/export", ada).is(http.StatusOK, &export); export.Reminders != 7 {
		t.Errorf("the export has %d", export.Reminders)
	}
}

// Who is signed in says of which events they are told when a sale opens.
func TestPeopleSayOfWhichSalesTheyAreTold(t *testing.T) {
	t.Parallel()
	c := start(t)
	ada := c.member("ada@example.org")
	var list struct{ Events []struct{ ID string } }
	c.get("/api/v1/events", "").is(http.StatusOK, &list)
	at := mePath + "/events/" + list.Events[0].ID
	is := func(want bool) {
		t.Helper()
		var now IsWatched
		if c.get(at, ada).is(http.StatusOK, &now); now.Watched != want {
			t.Errorf("watched: %v", now.Watched)
		}
		var export Export
		if c.get(mePath+"/export", ada).is(http.StatusOK, &export); (len(export.Events) == 1 && export.Events[0].Title != "") != want {
			t.Errorf("the export has %+v", export.Events)
		}
	}
	is(false)
	for range 2 {
		c.do(http.MethodPut, at, ada, "").is(http.StatusNoContent, nil)
		is(true)
	}
	for range 2 {
		c.do(http.MethodDelete, at, ada, "").is(http.StatusNoContent, nil)
		is(false)
	}
	c.do(http.MethodPut, mePath+"/events/01939f4e-7a00-7000-8000-000000000001", ada, "").refused(http.StatusNotFound, "event-unknown")
	c.do(http.MethodPut, at, "", "").refused(http.StatusUnauthorized, "signed-out")
}
