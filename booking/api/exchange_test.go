package api

import (
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/order"
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

// nights is a program of the organizer's whose sale is open: two performances whose
// tickets may be exchanged until an hour before, for 2.00 each.
type nights struct {
	*core
	shows   []*catalogue.Map
	program catalogue.Program
	version int
}

func startNights(t *testing.T) *nights {
	t.Helper()
	n := &nights{core: start(t)}
	row := func(name string, y int) m {
		seats := make([]m, 8)
		for i := range seats {
			seats[i] = m{"name": fmt.Sprint(i + 1), "x": i, "y": y}
		}
		return m{"name": name, "category": name, "rows": []m{{"name": "A", "seats": seats}}}
	}
	var v KeptVenue
	n.organize(http.MethodPost, venuesPath, n.json(m{"format": "ropeline-venue/1", "name": "Small House", "categories": []string{"Stalls", "Circle"},
		"sections": []m{row("Stalls", 0), row("Circle", 1)}, "areas": []m{}}), "Idempotency-Key", "k").is(http.StatusCreated, &v)
	soon := time.Now().UTC().Truncate(time.Second)
	opens := m{"id": "nights", "title": "Nights", "lobby_closes_at": soon.Add(-2 * time.Hour), "opens_at": soon.Add(-time.Hour), "ends_at": soon.Add(24 * time.Hour),
		"cap": 500, "rate": 1200, "claim_window": 60, "token_life": 60, "session_max": 1800, "hold": 600, "hold_extensions": 1, "units_per_hold": 6}
	prices := m{"Stalls": 7500, "Circle": 5500}
	n.organize(http.MethodPut, programsPath+"/nights?reason=New", n.json(m{"event": "Nights", "currency": "EUR",
		"tariff":       m{"fee_rate": 250, "refund": m{"before": 60}, "exchange": m{"before": 3600, "fee": 200}},
		"performances": []m{{"venue": v.ID, "starts_at": soon.Add(48 * time.Hour), "prices": prices}, {"venue": v.ID, "starts_at": soon.Add(72 * time.Hour), "prices": prices}},
		"sale":         opens}), "If-None-Match", "*").is(http.StatusCreated, &n.program)
	n.version, n.sale = 1, n.program.Sale
	for _, id := range n.sale.Performances {
		p, err := catalogue.New(n.db, time.Now).Performance(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		n.shows = append(n.shows, p.Map)
		n.built(id)
	}
	n.show = n.shows[0]
	return n
}

// revised changes the program as its organizer does, and asks a core that goes by it.
func (n *nights) revised(change func(*catalogue.Program)) {
	n.t.Helper()
	change(&n.program)
	n.organize(http.MethodPut, programsPath+"/nights?reason=Changed", n.json(n.program), "If-Match", fmt.Sprintf("\"%d\"", n.version)).is(http.StatusOK, &n.program)
	n.version++
	n.core = n.another()
}

// of are the units of a tier: both nights have the same ones.
func (n *nights) of(name string) (units []int) {
	for _, tier := range n.show.Tiers {
		for i := range tier.Count {
			if tier.Name == name {
				units = append(units, tier.First+i)
			}
		}
	}
	return units
}

func (n *nights) buys(units ...int) (o Order) {
	n.t.Helper()
	fan := n.fan()
	n.pay(fan, "k", n.hold(fan, units...).ID, sandbox.OK).is(http.StatusCreated, &o)
	return o
}

// asks holds units instead of a ticket of an order.
func (n *nights) asks(o Order, ticket, night int, unit int) answer {
	n.t.Helper()
	return n.do(http.MethodPut, "/api/v1/orders/"+o.ID+"/exchange/hold", o.Key,
		n.json(m{"tickets": []string{o.Tickets[ticket].ID}, "for": m{"performance": n.sale.Performances[night], "units": []int{unit}}}))
}

// quoted is what comes to pay, what the ticket is worth, and what comes back.
func (n *nights) quoted(o Order, ticket, night int, unit int, toPay, worth, back int64) (q ExchangeQuote) {
	n.t.Helper()
	n.asks(o, ticket, night, unit).is(http.StatusOK, &q)
	if q.ToPay != toPay || q.Worth != worth || q.Refund != back {
		n.t.Errorf("it comes to %+v, want %d to pay, worth %d, %d back", q, toPay, worth, back)
	}
	return q
}

// says yes to a quote.
func (n *nights) says(o Order, ticket int, q ExchangeQuote, key string) answer {
	n.t.Helper()
	return n.do(http.MethodPost, "/api/v1/orders/"+o.ID+"/exchange", o.Key, n.json(m{"hold": q.Hold, "tickets": []string{o.Tickets[ticket].ID},
		"total": m{"amount": q.ToPay, "currency": "EUR"}, "refund": q.Refund, "payment_method": "sandbox_ok"}), "Idempotency-Key", key)
}

// unchanged runs something that is refused: books and stock are as before.
func (n *nights) unchanged(what func()) {
	n.t.Helper()
	before := n.books()
	what()
	if after := n.books(); after != before {
		n.t.Errorf("before\n%s\nand then\n%s", before, after)
	}
}

// adds checks ledgers and stock of both nights, that the sandbox has as much as they
// say, and what it has in all.
func (n *nights) adds(money int64) {
	n.t.Helper()
	defer func() { n.show = n.shows[0] }()
	var taken int64
	store := order.NewStore(n.db, catalogue.New(n.db, time.Now))
	for _, n.show = range n.shows {
		if bad, _, err := store.Audit(n.t.Context(), n.show.ID); err != nil || len(bad) > 0 {
			n.t.Errorf("ledger: %v, %v", bad, err)
		}
		n.inventory()
		sums, err := store.Settle(n.t.Context(), n.show.ID)
		if err != nil {
			n.t.Fatal(err)
		}
		for _, s := range sums {
			taken += s.Taken - s.Refunded
		}
	}
	var has int64
	if err := n.db.QueryRow(n.t.Context(), `select coalesce(sum(amount - refunded), 0)::bigint from sandbox_payments where state = 'captured'`).Scan(&has); err != nil {
		n.t.Fatal(err)
	}
	if taken != money || has != money {
		n.t.Errorf("the ledgers have %d and the provider %d, want %d", taken, has, money)
	}
}

// The organizer changes prices between what a buyer is told and their yes. Nobody pays
// more, or gets less back, than they saw: the places stay held, the ticket valid, and what
// it comes to now is asked for again. What was paid for the ticket stays its worth.
func TestAPriceThatChangesBeforeTheYesIsToldFirst(t *testing.T) {
	t.Parallel()
	n := startNights(t)
	stalls, circle := n.of("Stalls"), n.of("Circle")
	low, high := n.buys(circle[0]), n.buys(stalls[0])
	up := n.quoted(low, 0, 1, stalls[1], 7500-5300, 5300, 0)
	down := n.quoted(high, 0, 1, circle[1], 0, 7300, 7300-5500)
	n.revised(func(p *catalogue.Program) {
		p.Performances[1].Prices = map[string]int64{"Stalls": 7901, "Circle": 5801}
	})
	n.unchanged(func() {
		n.says(low, 0, up, "k").refused(http.StatusConflict, "price-changed")
		n.says(high, 0, down, "k").refused(http.StatusConflict, "refund-changed")
		n.says(low, 0, up, "k").refused(http.StatusConflict, "price-changed")
	})
	n.adds(5500 + 7500)
	up = n.quoted(low, 0, 1, stalls[1], 7901-5300, 5300, 0)
	down = n.quoted(high, 0, 1, circle[1], 0, 7300, 7300-5801)
	var dearer, cheaper Order
	n.says(low, 0, up, "k").is(http.StatusCreated, &dearer) // the key that was refused is free
	n.says(high, 0, down, "k").is(http.StatusCreated, &cheaper)
	if dearer.Total.Amount != 7901 || cheaper.Total.Amount != 5801 {
		t.Errorf("bought for %v and %v", dearer.Total, cheaper.Total)
	}
	n.adds(5500 + (7901 - 5300) + 7500 - (7300 - 5801))

	// It gets cheaper: who would pay is asked again, who gets money back gets more of it.
	third, fourth := n.buys(circle[2]), n.buys(stalls[2])
	up, down = n.quoted(third, 0, 1, stalls[3], 7901-5300, 5300, 0), n.quoted(fourth, 0, 1, circle[3], 0, 7300, 7300-5801)
	n.revised(func(p *catalogue.Program) { p.Performances[1].Prices = map[string]int64{"Stalls": 5000, "Circle": 1} })
	n.unchanged(func() { n.says(third, 0, up, "k").refused(http.StatusConflict, "price-changed") })
	n.says(fourth, 0, down, "k").is(http.StatusCreated, nil)
	up = n.quoted(third, 0, 1, stalls[3], 0, 5300, 300)
	n.says(third, 0, up, "k").is(http.StatusCreated, nil)
	n.adds(5500 + (7901 - 5300) + 7500 - (7300 - 5801) + 5500 - 300 + 7500 - (7300 - 1))
}

// The performance is put forward while a buyer thinks about an offer: by the rules it is
// too late then. The ticket stays valid, what was held goes back at the buyer's word, and
// staff can still help.
func TestAnExchangeWhoseTimeIsOverBeforeTheYesIsRefused(t *testing.T) {
	t.Parallel()
	n := startNights(t)
	stalls := n.of("Stalls")
	o := n.buys(stalls[0])
	q := n.quoted(o, 0, 1, stalls[1], 200, 7300, 0)
	n.revised(func(p *catalogue.Program) {
		p.Performances[0].StartsAt = time.Now().UTC().Truncate(time.Second).Add(59 * time.Minute)
	})
	n.unchanged(func() {
		n.says(o, 0, q, "k").refused(http.StatusConflict, "exchange-closed")
		n.asks(o, 0, 1, stalls[2]).refused(http.StatusConflict, "exchange-closed")
	})
	var r Receipt
	if n.get("/api/v1/orders/"+o.ID+"/receipt", o.Key).is(http.StatusOK, &r); r.ExchangeUntil == nil || r.ExchangeUntil.After(time.Now()) || r.Lines[0].State != "valid" {
		t.Errorf("the receipt says %+v", r)
	}
	stranger := n.fan()
	taken := n.json(m{"performance": n.sale.Performances[1], "units": []int{stalls[1]}})
	n.do(http.MethodPost, "/api/v1/holds", stranger, taken).refused(http.StatusConflict, "units-taken")
	n.do(http.MethodDelete, "/api/v1/orders/"+o.ID+"/exchange/hold", o.Key, "").is(http.StatusNoContent, nil)
	n.do(http.MethodPost, "/api/v1/holds", stranger, taken).is(http.StatusCreated, nil)
	n.adds(7500)

	at := organizerAPI + "/orders/" + o.ID + "/exchange"
	n.do(http.MethodPut, at+"/hold", "key-sre", n.json(m{"tickets": []string{o.Tickets[0].ID}, "for": m{"performance": n.sale.Performances[1], "units": []int{stalls[2]}}, "no_fee": true})).is(http.StatusOK, &q)
	n.do(http.MethodPost, at, "key-sre", n.json(m{"hold": q.Hold, "tickets": []string{o.Tickets[0].ID}, "no_fee": true, "reason": "it was put forward"}), "Idempotency-Key", "k").is(http.StatusCreated, nil)
	n.adds(7500)
}

// A ticket that a coupon made cheaper is worth what was paid for it. The coupon stays
// used, and lowers nothing else.
func TestATicketOfACouponIsExchangedForWhatWasPaid(t *testing.T) {
	t.Parallel()
	n := startNights(t)
	stalls, circle := n.of("Stalls"), n.of("Circle")
	buys := func(offer string, units ...int) (o Order, bag string) {
		t.Helper()
		var copied BagCoupon
		bag = n.bag()
		n.do(http.MethodPost, "/api/v1/coupons/"+offer+"/claim", bag, "", "Idempotency-Key", "k").is(http.StatusCreated, &copied)
		fan := n.fan()
		h := n.hold(fan, units...)
		n.do(http.MethodPut, "/api/v1/holds/"+h.ID+"/coupon", fan, n.json(m{"code": copied.Code})).is(http.StatusOK, nil)
		n.pay(fan, "k", h.ID, sandbox.OK).is(http.StatusCreated, &o)
		return o, bag
	}
	third := n.offer(m{"percent": 33}).ID
	o, bag := buys(third, stalls[0], circle[0]) // 130.00 less 42.90: 50.25 and 36.85
	if o.Total.Amount != 8710 {
		t.Fatalf("bought %+v", o)
	}
	seat := slices.IndexFunc(o.Tickets, func(k Ticket) bool { return k.Unit == stalls[0] })
	q := n.quoted(o, seat, 1, stalls[1], 7500-4825, 4825, 0)
	n.says(o, seat, q, "k").is(http.StatusCreated, nil)
	n.adds(8710 + 7500 - 4825)
	var used BagCoupon
	n.get("/api/v1/bag/coupons/"+third+"/1", bag).is(http.StatusOK, &used)
	if used.State != "redeemed" || used.History[len(used.History)-1].Detail != o.ID {
		t.Errorf("the coupon is %+v", used)
	}
	n.do(http.MethodPost, "/api/v1/orders/"+o.ID+"/cancel", o.Key, `{}`).is(http.StatusOK, nil) // what is left of it
	n.adds(8710 + 7500 - 4825 - 3685)

	// What cost nothing is worth nothing: the fee is not asked for either.
	o, _ = buys(n.offer(m{"percent": 100}).ID, circle[1])
	q = n.quoted(o, 0, 1, circle[2], 5500, 0, 0)
	n.says(o, 0, q, "k").is(http.StatusCreated, nil)
	n.adds(8710 + 7500 - 4825 - 3685 + 5500)
}

// Somebody else is quicker, before the buyer holds anything or after it ran out: the
// ticket stays, and the next wish is answered.
func TestAnExchangeForWhatIsSoldMeanwhileIsRefused(t *testing.T) {
	t.Parallel()
	n := startNights(t)
	stalls := n.of("Stalls")
	o := n.buys(stalls[0])
	sells := func(units ...int) {
		t.Helper()
		fan := n.fan()
		var h Hold
		n.do(http.MethodPost, "/api/v1/holds", fan, n.json(m{"performance": n.sale.Performances[1], "units": units})).is(http.StatusCreated, &h)
		n.pay(fan, "k", h.ID, sandbox.OK).is(http.StatusCreated, nil)
	}
	best := func() answer {
		return n.do(http.MethodPut, "/api/v1/orders/"+o.ID+"/exchange/hold", o.Key, n.json(m{"tickets": []string{o.Tickets[0].ID},
			"for": m{"performance": n.sale.Performances[1], "tier": n.shows[1].Tiers[0].ID, "quantity": 1}}))
	}
	sells(stalls[:4]...)
	sells(stalls[4:7]...)
	n.unchanged(func() { n.asks(o, 0, 1, stalls[2]).refused(http.StatusConflict, "units-taken") })
	var q ExchangeQuote
	best().is(http.StatusOK, &q)
	if q.Lines[0].Unit != stalls[7] {
		t.Errorf("held %+v", q)
	}
	n.do(http.MethodDelete, "/api/v1/orders/"+o.ID+"/exchange/hold", o.Key, "").is(http.StatusNoContent, nil)
	sells(stalls[7])
	n.unchanged(func() {
		best().refused(http.StatusConflict, "sold-out")
		n.says(o, 0, q, "k").refused(http.StatusGone, "hold-released")
	})
	n.adds(9 * 7500)
	n.says(o, 0, n.quoted(o, 0, 0, stalls[1], 200, 7300, 0), "k").is(http.StatusCreated, nil)
	n.adds(9*7500 + 200)
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
