package api

import (
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/notice"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// An organizer writes to everybody who holds a ticket, and sees how far that is.
func TestAnOrganizerWritesToHolders(t *testing.T) {
	t.Parallel()
	c := start(t)
	var event string
	if err := c.db.QueryRow(t.Context(), `select event_id::text from performances where id = $1`, c.show.ID).Scan(&event); err != nil {
		t.Fatal(err)
	}
	at, body := eventsPath+"/"+event, m{"subject": "Another hall", "text": "We play\nnext door."}
	post := func(path string, body m, headers ...string) answer {
		return c.do(http.MethodPost, path+"/notices", "key-olga", c.json(body), headers...)
	}
	post(at, body, "Idempotency-Key", "k").refused(http.StatusConflict, "holders-none")
	fan := c.fan()
	c.pay(fan, "k", c.hold(fan, 1, 2).ID, sandbox.OK).is(http.StatusCreated, nil)
	var who notice.Audience
	c.get(at+"/holders?performance="+string(c.show.ID), "key-olga").is(http.StatusOK, &who)
	if who != (notice.Audience{Holders: 1}) {
		t.Errorf("there are %+v", who)
	}
	post(at, body).refused(http.StatusUnprocessableEntity, "idempotency-key-missing")
	post(at, m{"subject": "S\r\nBcc: all@example.org", "text": "x"}, "Idempotency-Key", "b").refused(http.StatusUnprocessableEntity, "notice-invalid")
	post(at, m{"subject": "S", "text": "x", "performance": uuid.NewString()}, "Idempotency-Key", "b").refused(http.StatusUnprocessableEntity, "notice-invalid")
	c.get(at+"/holders?performance=x", "key-olga").refused(http.StatusUnprocessableEntity, "notice-invalid")
	for _, unknown := range []string{uuid.NewString(), "x"} {
		post(eventsPath+"/"+unknown, body, "Idempotency-Key", "b").refused(http.StatusNotFound, "event-unknown")
		c.do(http.MethodPost, eventsPath+"/"+unknown+"/notices", "key-sre", c.json(body), "Idempotency-Key", "b").refused(http.StatusNotFound, "event-unknown")
		c.get(eventsPath+"/"+unknown+"/holders", "key-sre").refused(http.StatusNotFound, "event-unknown")
		c.get(at+"/notices/"+unknown, "key-olga").refused(http.StatusNotFound, "notice-unknown")
		c.get(at+"/notices/"+unknown+"/failures", "key-olga").refused(http.StatusNotFound, "notice-unknown")
	}
	var sent, now notice.Notice
	post(at, body, "Idempotency-Key", "k").is(http.StatusCreated, &sent)
	c.get(at+"/notices/"+sent.ID, "key-olga").is(http.StatusOK, &now)
	if sent != now || sent.Who != "staff:olga" || sent.Holders != 1 || sent.Waiting != 1 || sent.Subject != "Another hall" || sent.Text != "We play\nnext door." {
		t.Errorf("sent %+v, read %+v", sent, now)
	}
	var changes ChangeList
	c.get(organizer+"/changes?subject="+event, "key-olga").is(http.StatusOK, &changes)
	if len(changes.Changes) != 1 || changes.Changes[0].What != audit.OfNotice || changes.Changes[0].Name != sent.ID || changes.Changes[0].Who != "staff:olga" {
		t.Errorf("written down is %+v", changes.Changes)
	}
	for _, other := range []string{"key-counter", "key-rosa"} {
		c.do(http.MethodPost, at+"/notices", other, c.json(body), "Idempotency-Key", "o").refused(http.StatusForbidden, "organizer-required")
	}
}
