package api

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// civil checks that an answer is a good one or a problem document, never our
// own fault.
func civil(t *testing.T, a answer) {
	t.Helper()
	if a.Status < http.StatusBadRequest {
		return
	}
	var p ropeline.Problem
	if err := json.Unmarshal(a.Body, &p); err != nil || p.Status != a.Status || !strings.HasPrefix(p.Type, ropeline.ProblemType) {
		t.Fatalf("answered %d %s", a.Status, a.Body)
	}
	if a.Status >= http.StatusInternalServerError && p.Type != ropeline.ProblemType+"payment-unavailable" {
		t.Fatalf("answered %d %s", a.Status, a.Body)
	}
}

// Whatever comes as a hold's body is answered, and never with a server error.
func FuzzHoldRequest(f *testing.F) {
	c := start(f)
	id, tier := string(c.show.ID), c.show.Tiers[0].ID
	for _, body := range []string{
		``, `{}`, `null`, `[]`, `"`, `{"performance":"` + id + `","units":[1,2]}`, `{"performance":"` + id + `","tier":"` + tier + `","quantity":2}`,
		`{"performance":"` + id + `","units":[-1]}`, `{"performance":"` + id + `","units":[1e99]}`, `{"performance":"` + id + `","units":null}`,
		`{"performance":"` + id + `","tier":"` + tier + `","quantity":9223372036854775808}`, `{"performance":"\u0000","units":[0]}`,
		`{"performance":1,"units":{"a":[]}}`, "{\"performance\":\"\xff\"}",
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		c := *c
		c.t = t
		fan := c.fan()
		a := c.do(http.MethodPost, "/api/v1/holds", fan, body)
		civil(t, a)
		if a.Status == http.StatusCreated {
			var h Hold
			a.is(http.StatusCreated, &h)
			if n := len(h.Units); n < 1 || n > c.sale.UnitsPerHold {
				t.Fatalf("%s held %d units", body, n)
			}
			c.do(http.MethodDelete, "/api/v1/holds/"+h.ID, fan, "").is(http.StatusNoContent, nil)
		}
	})
}

// The same for the body and the idempotency key of an order.
func FuzzOrderRequest(f *testing.F) {
	c := start(f)
	fan := c.fan()
	h := c.hold(fan, 1)
	for _, body := range []string{
		``, `{}`, `null`, `{"hold":"` + h.ID + `","email":"a@b.c","payment_method":"` + sandbox.Declined + `"}`,
		`{"hold":"` + h.ID + `","email":"a\u0000@b.c","payment_method":"` + sandbox.Declined + `"}`,
		`{"hold":"` + h.ID + `","email":"\"a b\"@b.c","payment_method":"x"}`, `{"hold":"*","email":"ü@b.c","payment_method":"` + sandbox.Error + `"}`,
		`{"hold":[],"email":{},"payment_method":1}`,
	} {
		f.Add(body, "key")
	}
	f.Add(`{"hold":"`+h.ID+`","email":"a@b.c","payment_method":"sandbox_declined"}`, "k\xff")
	f.Fuzz(func(t *testing.T, body, key string) {
		c := *c
		c.t = t
		for _, r := range key { // what net/http would not send
			if r < ' ' || r == 0x7f {
				t.Skip()
			}
		}
		if strings.Contains(strings.NewReplacer(sandbox.Declined, "", sandbox.Error, "").Replace(body), "sandbox_") {
			t.Skip("would sell the only hold")
		}
		civil(t, c.do(http.MethodPost, "/api/v1/orders", fan, body, "Idempotency-Key", key))
	})
}

// Only the one text that Key made opens an order.
func FuzzOrderKey(f *testing.F) {
	links := order.Links(make([]byte, 32))
	id := uuid.NewString()
	good := links.Key(id)
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		f.Fatal(err)
	}
	for _, key := range []string{"", good, good + "=", good + "\n", base64.StdEncoding.EncodeToString(raw), good[:42], good[:42] + "_", links.Key("")} {
		f.Add(id, key)
	}
	f.Fuzz(func(t *testing.T, order, key string) {
		if links.Opens(order, key) != (key == links.Key(order)) {
			t.Fatalf("order %q with key %q: opens %v", order, key, links.Opens(order, key))
		}
	})
}
