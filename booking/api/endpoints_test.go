package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/webhook"
)

// Staff say who is told, and see what was delivered; what is delivered is package
// webhook's business.
func TestStaffManageWebhooks(t *testing.T) {
	t.Parallel()
	c := start(t)
	const at = organizerAPI + "/webhooks"
	plan := m{"url": "https://integrator.example/hook", "kinds": []string{"order.paid"}, "description": "CRM"}
	add := func(key string, body m) answer {
		c.t.Helper()
		return c.do(http.MethodPost, at, "key-sre", c.json(body), "Idempotency-Key", key)
	}
	var made, same NewEndpoint
	add("k", plan).is(http.StatusCreated, &made)
	add("k", plan).is(http.StatusCreated, &same)
	if made.Secret == "" || made.Secret != same.Secret || made.ID != same.ID || made.State != webhook.On || made.Who != "staff:ada" {
		t.Fatalf("made %+v, and again %+v", made, same)
	}
	add("", plan).refused(http.StatusUnprocessableEntity, "idempotency-key-missing")
	add("k", m{"url": "https://other.example/", "kinds": []string{"order.paid"}}).refused(http.StatusUnprocessableEntity, "idempotency-key-reused")
	add("k2", m{"url": "http://integrator.example/hook", "kinds": []string{"order.paid"}}).refused(http.StatusUnprocessableEntity, "webhook-url-invalid")
	add("k2", m{"url": "https://127.0.0.1/", "kinds": []string{"order.paid"}}).refused(http.StatusUnprocessableEntity, "webhook-url-invalid")
	add("k2", m{"url": "https://integrator.example/", "kinds": []string{"order.lost"}}).refused(http.StatusUnprocessableEntity, "webhook-kind-unknown")

	one := at + "/" + made.ID
	if a := c.get(at, "key-sre"); a.Status != http.StatusOK || strings.Contains(string(a.Body), made.Secret) || !strings.Contains(string(a.Body), made.ID) {
		t.Errorf("listed %d %s", a.Status, a.Body)
	}
	var sent Order
	c.pay(c.fan(), "k", c.hold(c.fan(), 1).ID, sandbox.OK) // another's hold: nothing comes of it
	fan := c.fan()
	c.pay(fan, "k", c.hold(fan, 2).ID, sandbox.OK).is(http.StatusCreated, &sent)
	var e webhook.Endpoint
	c.get(one, "key-sre").is(http.StatusOK, &e)
	if e.Due != 1 {
		t.Errorf("%d are due: %+v", e.Due, e)
	}
	var list deliveryList
	c.get(one+"/deliveries?state=due", "key-sre").is(http.StatusOK, &list.Body)
	if len(list.Body.Deliveries) != 1 || list.Body.Deliveries[0].Kind != "order.paid" || list.Body.Deliveries[0].State != webhook.Due {
		t.Fatalf("deliveries %+v", list.Body)
	}
	event := list.Body.Deliveries[0].Event
	c.get(one+"/deliveries?state=lost", "key-sre").refused(http.StatusUnprocessableEntity, "request-invalid")
	c.get(one+"/deliveries?limit=201", "key-sre").refused(http.StatusUnprocessableEntity, "page-invalid")
	if a := c.do(http.MethodPost, one+"/deliveries/"+event+"/redeliver", "key-sre", "{}"); a.Status != http.StatusNoContent {
		t.Errorf("again: %d %s", a.Status, a.Body)
	}
	c.do(http.MethodPost, one+"/deliveries/"+uuid.NewString()+"/redeliver", "key-sre", "{}").refused(http.StatusNotFound, "webhook-delivery-unknown")

	var next NewEndpoint
	c.do(http.MethodPost, one+"/rotate", "key-sre", `{"generation":1}`).is(http.StatusOK, &next)
	c.do(http.MethodPost, one+"/rotate", "key-sre", `{"generation":1}`).is(http.StatusOK, &same)
	if next.Secret == made.Secret || same.Secret != next.Secret || next.Generation != 2 || next.OldUntil == nil || time.Until(*next.OldUntil) < 23*time.Hour {
		t.Errorf("rotated %+v, and again %+v", next, same)
	}
	c.do(http.MethodPost, one+"/rotate", "key-sre", `{"generation":9}`).refused(http.StatusConflict, "webhook-generation")
	c.do(http.MethodPost, one+"/rotate", "key-sre", `{"generation":2,"keep":604801}`).refused(http.StatusUnprocessableEntity, "request-invalid")
	plan["off"] = true
	c.do(http.MethodPut, one, "key-sre", c.json(plan)).is(http.StatusOK, &e)
	if e.State != webhook.Off {
		t.Errorf("switched off: %+v", e)
	}
	c.do(http.MethodPost, one+"/test", "key-sre", "{}").refused(http.StatusConflict, "webhook-off")
	c.do(http.MethodPost, one+"/redeliver", "key-sre", `{"since":"2026-01-01T00:00:00Z"}`).refused(http.StatusConflict, "webhook-off")
	plan["off"] = false
	c.do(http.MethodPut, one, "key-sre", c.json(plan)).is(http.StatusOK, &e)
	var again redelivered
	c.do(http.MethodPost, one+"/redeliver", "key-sre", `{"since":"2026-01-01T00:00:00Z"}`).is(http.StatusOK, &again.Body)
	if again.Body.Due != 0 {
		t.Errorf("%d again, although it is due still", again.Body.Due)
	}
	var test testedEndpoint
	c.do(http.MethodPost, one+"/test", "key-sre", "{}").is(http.StatusOK, &test.Body)
	for range 2 {
		if a := c.do(http.MethodDelete, one, "key-sre", ""); a.Status != http.StatusNoContent {
			t.Errorf("forgotten: %d %s", a.Status, a.Body)
		}
	}
	c.get(one, "key-sre").refused(http.StatusNotFound, "webhook-unknown")
	for path, body := range map[string]string{"/rotate": `{"generation":1}`, "/test": `{}`, "/redeliver": `{"since":"2026-01-01T00:00:00Z"}`} {
		c.do(http.MethodPost, one+path, "key-sre", body).refused(http.StatusNotFound, "webhook-unknown")
	}
}
