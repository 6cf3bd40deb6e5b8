package api

import (
	"log/slog"
	"math"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// A buyer exchanges one ticket for a place on the floor and gets the difference back,
// and another one for a dearer place and pays it; staff exchange without the fee.
func TestTicketsAreExchanged(t *testing.T) {
	t.Parallel()
	c := startAfter(t, slog.New(slog.DiscardHandler), `update performances set tariff = '{"fee_rate": 250, "refund": {}, "exchange": {"before": 60, "fee": 200}}'`)
	fan := c.fan()
	var o Order
	c.pay(fan, "k", c.hold(fan, 3, 4).ID, sandbox.OK).is(http.StatusCreated, &o)
	price := o.Total.Amount / 2
	floor := c.show.Tiers[len(c.show.Tiers)-1]
	at := "/api/v1/orders/" + o.ID
	wish := func(ticket int, units ...int) string {
		return c.json(m{"tickets": []string{o.Tickets[ticket].ID}, "for": m{"performance": c.show.ID, "units": units}})
	}
	var q ExchangeQuote
	c.do(http.MethodPut, at+"/exchange/hold", o.Key, c.json(m{"tickets": []string{o.Tickets[0].ID},
		"for": m{"performance": c.show.ID, "tier": floor.ID, "quantity": 1}})).is(http.StatusOK, &q)
	back := price - 200 - floor.Price.Amount
	if q.Price != floor.Price.Amount || q.Fee != 200 || q.Worth != price-200 || q.ToPay != 0 || q.Refund != back || len(q.Lines) != 1 || q.Digits != 2 {
		t.Fatalf("quote %+v", q)
	}
	// Another wish takes its place; given back, nothing is left of it.
	c.do(http.MethodPut, at+"/exchange/hold", o.Key, wish(0, floor.First+7)).is(http.StatusOK, &q)
	c.do(http.MethodDelete, at+"/exchange/hold", o.Key, "").is(http.StatusNoContent, nil)
	body := func(q ExchangeQuote, ticket int, more m) string {
		b := m{"hold": q.Hold, "tickets": []string{o.Tickets[ticket].ID}}
		for k, v := range more {
			b[k] = v
		}
		return c.json(b)
	}
	swap := func(key, body string) answer {
		return c.do(http.MethodPost, at+"/exchange", o.Key, body, "Idempotency-Key", key)
	}
	swap("x1", body(q, 0, nil)).refused(http.StatusGone, "hold-released")
	c.do(http.MethodPut, at+"/exchange/hold", o.Key, wish(0, floor.First+7)).is(http.StatusOK, &q)
	swap("", body(q, 0, nil)).refused(http.StatusUnprocessableEntity, "idempotency-key-missing")
	swap("x2", body(q, 0, m{"total": m{"amount": 1, "currency": "EUR"}})).refused(http.StatusConflict, "price-changed")
	swap("x2", body(q, 0, m{"refund": back + 1})).refused(http.StatusConflict, "refund-changed")
	swap("x2", body(q, 0, m{"refund": math.MinInt64})).names(http.StatusUnprocessableEntity, "request-invalid", "refund")
	var n, again Order
	swap("x2", body(q, 0, m{"total": m{"amount": 0, "currency": "EUR"}, "refund": back})).is(http.StatusCreated, &n)
	swap("x2", body(q, 0, m{"total": m{"amount": 0, "currency": "EUR"}})).is(http.StatusCreated, &again)
	if n.ID == o.ID || again.ID != n.ID || n.State != "paid" || n.Email != o.Email || len(n.Tickets) != 1 || n.Tickets[0].Code == "" || n.Tickets[0].Unit != floor.First+7 {
		t.Fatalf("the new order %+v, again %+v", n, again)
	}
	swap("x2", body(q, 1, nil)).refused(http.StatusUnprocessableEntity, "idempotency-key-reused")
	c.do(http.MethodPut, at+"/exchange/hold", o.Key, wish(0, 9)).refused(http.StatusConflict, "tickets-not-valid")
	c.do(http.MethodPut, at+"/exchange/hold", o.Key, wish(1, 9, 10)).refused(http.StatusUnprocessableEntity, "exchange-count")
	c.do(http.MethodPut, at+"/exchange/hold", o.Key, wish(1, -1)).refused(http.StatusUnprocessableEntity, "units-unknown")
	c.do(http.MethodPut, at+"/exchange/hold", n.Key, wish(1, 9)).refused(http.StatusNotFound, "order-unknown")

	var r Receipt
	c.get(at+"/receipt", o.Key).is(http.StatusOK, &r)
	if len(r.ExchangedTo) != 1 || r.ExchangedTo[0].Order != n.ID || r.ExchangedTo[0].Key != n.Key || r.ExchangedTo[0].Amount != floor.Price.Amount ||
		len(r.Refunds) != 1 || r.Refunds[0].Amount != back || r.Refunds[0].Kept != 200 || r.ExchangeUntil == nil || len(r.ExchangedFrom) != 0 {
		t.Errorf("receipt %+v", r)
	}
	c.get("/api/v1/orders/"+n.ID+"/receipt", n.Key).is(http.StatusOK, &r)
	if len(r.ExchangedFrom) != 1 || r.ExchangedFrom[0].Order != o.ID || r.ExchangedFrom[0].Key != o.Key || r.Total != floor.Price.Amount || r.Fee == 0 {
		t.Errorf("receipt of the new one %+v", r)
	}

	// Staff, who get no code of a ticket.
	staff := func(path string, body m) answer {
		method := http.MethodPost
		if path == "/exchange/hold" {
			method = http.MethodPut
		}
		return c.do(method, organizerAPI+"/orders/"+o.ID+path, "key-sre", c.json(body), "Idempotency-Key", "s1")
	}
	ask := m{"tickets": []string{o.Tickets[1].ID}, "for": m{"performance": c.show.ID, "units": []int{9}}, "no_fee": true}
	staff("/exchange/hold", ask).is(http.StatusOK, &q)
	if q.Fee != 0 || q.ToPay != 0 || q.Refund != 0 {
		t.Errorf("quote of staff %+v", q)
	}
	do := m{"tickets": ask["tickets"], "hold": q.Hold, "no_fee": true, "reason": " "}
	staff("/exchange", do).refused(http.StatusUnprocessableEntity, "reason-invalid")
	do["reason"] = "the seat is broken"
	again = Order{}
	staff("/exchange", do).is(http.StatusCreated, &again)
	if again.State != "paid" || again.Tickets[0].Code != "" || again.Key != "" || again.Email != "" || again.Total != (booking.Money{Amount: price, Currency: "EUR"}) {
		t.Errorf("exchanged by staff: %+v", again)
	}
	c.do(http.MethodPost, organizerAPI+"/orders/"+uuid.NewString()+"/exchange", "key-sre", c.json(do), "Idempotency-Key", "s1").refused(http.StatusNotFound, "order-unknown")
	c.get(at, o.Key).is(http.StatusOK, &o)
	if o.State != "canceled" {
		t.Errorf("nothing is left of the old order: %+v", o)
	}
	var sum PerformanceSettlement
	c.get(organizerAPI+"/performances/"+string(c.show.ID)+"/settlement", "key-sre").is(http.StatusOK, &sum)
	if s := sum.Currencies[0]; s.Exchanged != 0 || s.Taken != 2*price || s.Refunded != back || s.ToRefund != 0 || s.Owed != s.Taken-s.Refunded-s.Fee {
		t.Errorf("settlement %+v", s)
	}
}

// No total that a buyer may have been shown is taken for another one.
func TestAmountsThatOverflowAreRefused(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()
	h := c.hold(fan, 3)
	for _, amount := range []string{"9223372036854775808", "-9223372036854775809", "1e300", "1.5", `"1"`} {
		a := c.do(http.MethodPost, "/api/v1/orders", fan, `{"hold":"`+h.ID+`","email":"a@b.example","payment_method":"sandbox_ok","total":{"amount":`+amount+`,"currency":"EUR"}}`, "Idempotency-Key", uuid.NewString())
		if a.Status != http.StatusUnprocessableEntity && a.Status != http.StatusBadRequest {
			t.Errorf("a total of %s: %d %s", amount, a.Status, a.Body)
		}
	}
	for _, amount := range []string{"9223372036854775807", "-9223372036854775808", "-1"} {
		c.do(http.MethodPost, "/api/v1/orders", fan, `{"hold":"`+h.ID+`","email":"a@b.example","payment_method":"sandbox_ok","total":{"amount":`+amount+`,"currency":"EUR"}}`, "Idempotency-Key", uuid.NewString()).
			refused(http.StatusConflict, "price-changed")
	}
	var o Order
	c.pay(fan, "k", h.ID, sandbox.OK).is(http.StatusCreated, &o) // nothing was charged, and the hold is there
}
