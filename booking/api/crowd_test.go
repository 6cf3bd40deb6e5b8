package api

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"testing"

	"github.com/ropeline/ropeline/booking/insight"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// An organizer learns of an audience what ten people or more have in common, of those who
// want to be counted.
func TestAnOrganizerLearnsOfItsAudience(t *testing.T) {
	t.Parallel()
	c := start(t)
	ada := c.member(ada)
	var account MyAccount
	got := c.get(mePath, ada)
	got.is(http.StatusOK, &account)
	c.do(http.MethodPut, mePath, ada, c.json(m{"country": "PT", "born": 1990, "counted": true}), "If-Match", got.Header.Get("ETag")).is(http.StatusOK, &account)
	if !account.Profile.Counted {
		t.Errorf("the profile is %+v", account.Profile)
	}
	buyer := c.fan()
	c.payAs(buyer, ada, "k", c.hold(buyer, 1).ID).is(http.StatusCreated, nil)
	at := organizer + "/audience?performance=" + string(c.show.ID)
	var crowd insight.Crowd
	c.get(at, "key-olga").is(http.StatusOK, &crowd)
	if crowd.People != 0 || len(crowd.Ages) != 0 || len(crowd.Countries) != 0 {
		t.Errorf("of one: %+v", crowd)
	}
	for i := range 11 {
		fan := c.fan()
		c.do(http.MethodPost, "/api/v1/orders", fan, c.json(m{"hold": c.hold(fan, 2+i).ID, "email": fmt.Sprintf("fan%d@example.org", i), "payment_method": sandbox.OK}), "Idempotency-Key", "k").is(http.StatusCreated, nil)
	}
	c.get(at, "key-olga").is(http.StatusOK, &crowd)
	if want := "{10 [{others 10}] [{others 10}]}"; fmt.Sprint(crowd) != want { // of twelve, one of whom is from Portugal
		t.Errorf("of twelve: %+v, want %s", crowd, want)
	}
	// Two of the guests were her: she is one, whatever she has bought.
	if _, err := c.db.Exec(t.Context(), `update buyers set person_id = (select id from people) where email in ('fan0@example.org', 'fan1@example.org')`); err != nil {
		t.Fatal(err)
	}
	c.get(at, "key-olga").is(http.StatusOK, &crowd)
	if want := "{10 [{others 10}] [{others 10}]}"; fmt.Sprint(crowd) != want {
		t.Errorf("of ten: %+v", crowd)
	}
	file := c.get(organizer+"/exports/audience.csv?performance="+string(c.show.ID), "key-olga")
	if rows, err := csv.NewReader(bytes.NewReader(file.Body)).ReadAll(); err != nil || len(rows) != 4 || fmt.Sprint(rows[1]) != "[all  10]" {
		t.Errorf("%q, %v", file.Body, err)
	}
	c.get(organizer+"/audience", "key-olga").refused(http.StatusUnprocessableEntity, "scope-invalid")
	c.get(organizer+"/audience?event=x", "key-olga").refused(http.StatusNotFound, "event-unknown")
	c.get(at, "key-rosa").refused(http.StatusForbidden, "organizer-required")
}
