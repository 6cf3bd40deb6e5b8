package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/returns"
	"github.com/ropeline/ropeline/booking/webhook"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// What people and programs do at a booking core, for the matrix of
// TestNoStepOfABookingIsLostWhenItsProcessIsKilled.

func (s *shop) operations() []operation {
	return slices.Concat(s.holdOperations(), s.payOperations(), s.couponOperations(), s.cancelOperations(), s.exchangeOperations(), s.transferOperations(), s.counterOperations(), s.doorOperations(),
		s.webhookOperations(), s.noticeOperations(), s.newsletterOperations(), s.reviewOperations(), s.postOperations(), s.letterOperations(), s.phoneOperations(), s.tidingOperations(), s.elsewhereOperations(), s.blockOperations(), s.organizerOperations(), s.guideOperations(), s.returnsOperations(), s.workerOperations())
}

func (s *shop) holdOperations() []operation {
	hold := func(b *buyer) int {
		status, answer := s.do(b, http.MethodPost, "/api/v1/holds", map[string]any{"performance": s.sale.Performances[0], "units": b.units}, "")
		b.hold, _ = answer["id"].(string)
		return status
	}
	held := func(b *buyer) string { // what a page does that is loaded again
		status, answer := s.do(b, http.MethodGet, "/api/v1/holds", nil, "")
		list, _ := answer["holds"].([]any)
		if status != http.StatusOK || len(list) > 1 {
			s.t.Fatalf("listing holds: %d %v", status, answer)
		}
		if len(list) == 1 {
			return "held"
		}
		if status := hold(b); status != http.StatusCreated {
			s.t.Errorf("holding once more: %d", status)
		}
		return "held anew"
	}
	prepare := func(b *buyer) {
		if status := hold(b); status != http.StatusCreated {
			s.t.Fatalf("holding: %d", status)
		}
	}
	change := func(method, path string) func(*buyer) int {
		return func(b *buyer) int {
			status, _ := s.do(b, method, "/api/v1/holds/"+b.hold+path, struct{}{}, "")
			return status
		}
	}
	again := func(act func(*buyer) int, good ...int) func(*buyer) string {
		return func(b *buyer) string {
			status := act(b)
			if !slices.Contains(good, status) {
				s.t.Errorf("asked again: %d, want one of %v", status, good)
			}
			return fmt.Sprint("asked again: ", status)
		}
	}
	extend, release := change(http.MethodPost, "/extend"), change(http.MethodDelete, "")
	return []operation{
		{always: true, name: "hold", routes: []string{"create-hold"}, prepare: func(*buyer) {}, act: hold, want: http.StatusCreated, finish: held},
		{name: "extend", routes: []string{"extend-hold"}, prepare: prepare, act: extend, want: http.StatusOK, finish: again(extend, http.StatusOK, http.StatusConflict)},
		{name: "release", routes: []string{"release-hold"}, prepare: prepare, act: release, want: http.StatusNoContent, finish: again(release, http.StatusNoContent, http.StatusGone, http.StatusNotFound)},
	}
}

// pay asks for an order. Who pays asks with the same key until there is an answer.
func (s *shop) pay(b *buyer, method string) (int, map[string]any) {
	return s.do(b, http.MethodPost, "/api/v1/orders", map[string]any{"hold": b.hold, "email": "fan@example.org", "payment_method": method, "return_url": "http://127.0.0.1/back"}, b.key)
}

func (s *shop) payOperations() []operation {
	prepare := s.holdOperations()[1].prepare
	with := func(method string) func(*buyer) int {
		return func(b *buyer) int {
			status, _ := s.pay(b, method)
			return status
		}
	}
	confirming := func(b *buyer) {
		prepare(b)
		if status, answer := s.pay(b, sandbox.Action); status != http.StatusAccepted || answer["action"] == "" {
			s.t.Fatalf("paying with what has to be confirmed: %d %v", status, answer)
		}
	}
	confirm := func(b *buyer) { // it is the beginning of what is disturbed: the webhook comes when it comes
		if err := s.money.Confirm(s.t.Context(), s.charge(b), true); err != nil {
			s.t.Fatal(err)
		}
	}
	back := func(b *buyer) int {
		confirm(b)
		return with(sandbox.Action)(b)
	}
	page := func(b *buyer) int {
		req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.core.address+sandbox.PagePath+s.charge(b).Attempt, strings.NewReader("confirm=yes"))
		if err != nil {
			s.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Close = true
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return 0
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	spent := func(b *buyer) { // by another token of the same card
		other := s.buyer()
		prepare(other)
		if status, answer := s.pay(other, sandbox.Action+"_"+b.session[:8]); status != http.StatusAccepted {
			s.t.Fatalf("paying with a card that has bought nothing: %d %v", status, answer)
		}
		if err := s.money.Confirm(s.t.Context(), s.charge(other), true); err != nil {
			s.t.Fatal(err)
		}
		if status, answer := s.pay(other, sandbox.Action+"_"+b.session[:8]); status != http.StatusCreated {
			s.t.Fatalf("paying with a card that has bought nothing: %d %v", status, answer)
		}
		prepare(b)
	}
	tooMuch := func(b *buyer) int {
		status, _ := s.pay(b, sandbox.OK+"_"+b.session[:8])
		return status
	}
	told := func(b *buyer) int { // by the sandbox, which tells within a second
		confirm(b)
		s.await("the webhook was taken in", func() bool { return s.attempt(b) == order.Done || s.dead.Load() })
		if s.dead.Load() {
			return 0
		}
		return http.StatusOK
	}
	first := func(b *buyer, is string) int {
		return s.count(`select count(*) from (select * from attempts where session_id = $1 order by created_at limit 1) a where `+is, b.session)
	}
	givenUp := func(b *buyer) { // in another tab, for a card that is declined
		confirming(b)
		tab := *b
		tab.key = uuid.NewString()
		if status, answer := s.pay(&tab, sandbox.Declined); status != http.StatusPaymentRequired || first(b, `state = 'closed'`) != 1 {
			s.t.Fatalf("paying in another way: %d %v", status, answer)
		}
	}
	late := func(b *buyer) int { // the bank has taken the money all the same
		_, err := s.db.Exec(s.t.Context(), `update sandbox_payments set state = 'captured', updated_at = now()
			where attempt_id = (select id from attempts where session_id = $1 order by created_at limit 1)`, b.session)
		if err != nil {
			s.t.Fatal(err)
		}
		s.await("the order is back", func() bool { return first(b, `state = 'done'`) == 1 || s.dead.Load() })
		if s.dead.Load() {
			return 0
		}
		return http.StatusOK
	}
	return []operation{
		{always: true, name: "pay", routes: []string{"create-order"}, prepare: prepare, act: with(sandbox.OK), want: http.StatusCreated, finish: s.sold(sandbox.OK)},
		{name: "pay with a declined card", prepare: prepare, act: with(sandbox.Declined), want: http.StatusPaymentRequired, finish: s.sold(sandbox.Declined)},
		{name: "pay with a card at its limit", prepare: spent, act: tooMuch, want: http.StatusConflict, finish: func(b *buyer) string { return s.sold(sandbox.OK + "_" + b.session[:8])(b) }},
		{name: "pay what is to be confirmed", prepare: prepare, act: with(sandbox.Action), want: http.StatusAccepted, finish: s.confirmed},
		{name: "confirm at the bank", routes: []string{"confirm-sandbox-payment"}, prepare: confirming, act: page, want: http.StatusSeeOther, finish: s.confirmed},
		{name: "come back from the bank", prepare: confirming, act: back, want: http.StatusCreated, finish: s.sold(sandbox.Action)},
		{always: true, name: "webhook", routes: []string{"hear-sandbox", "hear-stripe"}, prepare: confirming, act: told, want: http.StatusOK, finish: s.sold(sandbox.Action)},
		{name: "webhook of late money", prepare: givenUp, act: late, want: http.StatusOK, finish: func(b *buyer) string {
			s.await("the order is back", func() bool { return first(b, `state = 'done'`) == 1 })
			return s.sold(sandbox.Action)(b)
		}},
	}
}

// inTurn asks with a new key until no payment is under way: one that a core has begun, and
// not written before it died, keeps other keys from beginning for as long as they are told.
func (s *shop) inTurn(ask func() (int, map[string]any)) (status int, answer map[string]any) {
	var over time.Time
	s.await("a payment may begin", func() bool {
		asked := time.Now()
		status, answer = ask()
		running := answer["type"] == ropeline.ProblemType+hold.ErrPaying.Code
		if running && over.IsZero() {
			over = time.Now().Add(hold.ErrPaying.RetryAfter)
		} else if running && asked.After(over) {
			s.t.Errorf("%s after it was told to come again, it is told so again: %v", asked.Sub(over)+hold.ErrPaying.RetryAfter, answer)
			return true
		}
		return !running
	})
	return status, answer
}

// sold asks again with the same key, which is answered at once whatever a core had begun,
// and, if that attempt has failed, pays with a new one.
func (s *shop) sold(method string) func(*buyer) string {
	return func(b *buyer) string {
		status, answer := s.pay(b, method)
		end := "the order is there"
		if status != http.StatusCreated {
			if end = "to be confirmed"; status != http.StatusAccepted {
				end = strings.TrimPrefix(fmt.Sprint(answer["type"]), ropeline.ProblemType)
			}
			end += ", then paid anew"
			b.key = uuid.NewString()
			if status, answer = s.inTurn(func() (int, map[string]any) { return s.pay(b, sandbox.OK) }); status != http.StatusCreated {
				s.t.Errorf("paying anew: %d %v", status, answer)
			}
		}
		var orders, units int
		err := s.db.QueryRow(s.t.Context(), `select count(distinct o.id), count(t.id) from orders o join tickets t on t.performance_id = o.performance_id and t.order_id = o.id
			where o.session_id = $1 and o.state = 'paid' and t.state = 'valid' and t.unit = any($2)`, b.session, b.units).Scan(&orders, &units)
		if err != nil || orders != 1 || units != len(b.units) {
			s.t.Errorf("in the end there are %d orders with %d of %d units, %v", orders, units, len(b.units), err)
		}
		return end
	}
}

// confirmed confirms a payment, if there is one to confirm, and pays otherwise.
func (s *shop) confirmed(b *buyer) string {
	if c := s.charge(b); c.Attempt != "" {
		_ = s.money.Confirm(s.t.Context(), c, true) // it may be confirmed, or have failed: the order says so
	}
	return s.sold(sandbox.Action)(b)
}

// charge is the last attempt of a buyer, none if there is none.
func (s *shop) charge(b *buyer) (c payment.Charge) {
	s.t.Helper()
	rows, err := s.db.Query(s.t.Context(), `select id::text from attempts where session_id = $1 order by created_at desc limit 1`, b.session)
	if err != nil {
		s.t.Fatal(err)
	}
	for rows.Next() {
		err = rows.Scan(&c.Attempt)
	}
	if err != nil || rows.Err() != nil {
		s.t.Fatal(err, rows.Err())
	}
	return c
}

func (s *shop) attempt(b *buyer) (step order.Step) {
	s.t.Helper()
	err := s.db.QueryRow(s.t.Context(), `select coalesce((select state from attempts where session_id = $1 order by created_at desc limit 1), '')`, b.session).Scan(&step)
	if err != nil {
		s.t.Fatal(err)
	}
	return step
}

// offerCoupons publishes a coupon of ten percent.
func (s *shop) offerCoupons(rdb redis.UniversalClient) {
	s.t.Helper()
	ctx := s.t.Context()
	key, err := s.keys.secret(orderKey)
	if err != nil {
		s.t.Fatal(err)
	}
	s.copies = coupon.New(s.db, rdb, s.holds, coupon.Keys(key))
	var event string
	if err := s.db.QueryRow(ctx, `select event_id::text from performances`).Scan(&event); err != nil {
		s.t.Fatal(err)
	}
	now := time.Now()
	err = errors.Join(s.copies.PutShop(ctx, coupon.Shop{ID: "opera", Name: "Opera"}),
		s.copies.PutProduct(ctx, "opera", coupon.Product{ID: "gala", Name: "Gala", Category: "opera", Event: event}))
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := s.copies.Make(ctx, "opera", "staff", "key", coupon.Terms{Product: "gala", Title: "Ten percent", Percent: 10, Currency: "EUR", Shareable: true, Stock: 1000, PerPerson: 1,
		PublishFrom: now.Add(-time.Minute), PublishUntil: now.Add(time.Hour), ExpiresAt: now.Add(2 * time.Hour)})
	if err == nil {
		c, err = s.copies.Publish(ctx, "opera", c.ID, "staff", nil)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.offer = c.ID
}

// claims puts a coupon into a bag of a buyer's.
func (s *shop) claims(b *buyer) {
	bag, _, err := s.copies.NewBag()
	if err == nil {
		var copy coupon.Copy
		copy, _, err = s.copies.Claim(s.t.Context(), s.offer, bag, "key")
		b.coupon, b.copy = copy.Code, copy.Number
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// couponOperations lower what a hold costs.
func (s *shop) couponOperations() []operation {
	claimed := func(b *buyer) {
		s.holdOperations()[1].prepare(b)
		s.claims(b)
	}
	set := func(b *buyer) int {
		status, _ := s.do(b, http.MethodPut, "/api/v1/holds/"+b.hold+"/coupon", map[string]any{"code": b.coupon}, "")
		return status
	}
	lowered := func(b *buyer) {
		claimed(b)
		if status := set(b); status != http.StatusOK {
			s.t.Fatalf("setting a coupon: %d", status)
		}
	}
	remove := func(b *buyer) int {
		status, _ := s.do(b, http.MethodDelete, "/api/v1/holds/"+b.hold+"/coupon", struct{}{}, "")
		return status
	}
	pay := func(b *buyer) int {
		status, _ := s.pay(b, sandbox.OK)
		return status
	}
	used := func(b *buyer) string {
		end := s.sold(sandbox.OK)(b)
		var paid, discount int64
		err := s.db.QueryRow(s.t.Context(), `select o.amount, coalesce(c.discount, 0) from orders o left join coupon_copies c on c.order_id = o.id and c.state = 'redeemed' where o.session_id = $1 and o.state = 'paid'`, b.session).Scan(&paid, &discount)
		if err != nil || discount != 900 || paid != 9000-discount {
			s.t.Errorf("%d are paid, with %d off, %v", paid, discount, err)
		}
		return end
	}
	again := func(act func(*buyer) int) func(*buyer) string {
		return func(b *buyer) string {
			if status := act(b); status != http.StatusOK {
				s.t.Errorf("asked again: %d", status)
			}
			return "as asked"
		}
	}
	over := func(b *buyer) { // its hold, and nobody has said so
		lowered(b)
		if err := s.holds.Release(s.t.Context(), s.sale.Performances[0], b.hold, b.session); err != nil {
			s.t.Fatal(err)
		}
		s.exec(`update coupon_copies set until = now() - interval '1 second' where coupon_id = $1 and number = $2`, s.offer, b.copy)
	}
	theirs := func(b *buyer) bool {
		return s.count(`select count(*) from coupon_copies where coupon_id = $1 and number = $2 and state = 'claimed' and hold_id is null`, s.offer, b.copy) == 1
	}
	lapses := func(b *buyer) int {
		s.await("the coupon is taken back", func() bool { return s.dead.Load() || theirs(b) })
		if s.dead.Load() {
			return 0
		}
		return http.StatusOK
	}
	lapsed := func(b *buyer) string {
		pid := s.work()
		s.await("the coupon is taken back after all", func() bool { return theirs(b) })
		_ = syscall.Kill(pid, syscall.SIGKILL)
		return "it is theirs"
	}
	return []operation{
		{name: "worker takes a coupon back", worker: true, prepare: over, act: lapses, want: http.StatusOK, finish: lapsed},
		{name: "set coupon", routes: []string{"set-hold-coupon"}, prepare: claimed, act: set, want: http.StatusOK, finish: func(b *buyer) string { return again(set)(b) + ", " + used(b) }},
		{name: "take coupon off", routes: []string{"remove-hold-coupon"}, prepare: lowered, act: remove, want: http.StatusOK, finish: again(remove)},
		{name: "pay with a coupon", prepare: lowered, act: pay, want: http.StatusCreated, finish: used},
	}
}

// bought has a buyer buy.
func (s *shop) bought(b *buyer) {
	s.holdOperations()[1].prepare(b)
	status, answer := s.pay(b, sandbox.OK)
	if status != http.StatusCreated {
		s.t.Fatalf("paying: %d %v", status, answer)
	}
	b.order, _ = answer["id"].(string)
	b.link, _ = answer["key"].(string)
	tickets, _ := answer["tickets"].([]any)
	for _, each := range tickets {
		ticket, _ := each.(map[string]any)
		b.tickets = append(b.tickets, ticket["id"])
	}
}

// exchangeOperations exchange an order's tickets for others, which costs 5.00 each.
func (s *shop) exchangeOperations() []operation {
	ask := func(b *buyer, staff bool, method, path string, body map[string]any) (int, map[string]any) {
		as, at := &buyer{token: b.link}, "/api/v1/orders/"
		if staff {
			as, at = &buyer{token: s.staff}, "/api/v1/organizer/orders/"
			body["no_fee"] = true
		}
		return s.do(as, method, at+b.order+path, body, b.key)
	}
	hold := func(staff bool) func(*buyer) int {
		return func(b *buyer) int {
			status, answer := ask(b, staff, http.MethodPut, "/exchange/hold", map[string]any{"tickets": b.tickets, "for": map[string]any{"performance": s.sale.Performances[0], "units": b.wants}})
			b.hold, _ = answer["hold"].(string)
			return status
		}
	}
	bought := func(b *buyer) {
		s.bought(b)
		b.key, b.wants = uuid.NewString(), []int{s.next, s.next + 1}
		s.next += 2
	}
	held := func(staff bool) func(*buyer) {
		return func(b *buyer) {
			bought(b)
			if status := hold(staff)(b); status != http.StatusOK {
				s.t.Fatalf("holding for an exchange: %d", status)
			}
		}
	}
	trade := func(b *buyer, staff bool) (int, map[string]any) {
		body := map[string]any{"tickets": b.tickets, "hold": b.hold, "payment_method": sandbox.OK}
		if staff {
			body["reason"] = "the seat is broken"
		}
		return ask(b, staff, http.MethodPost, "/exchange", body)
	}
	swap := func(staff bool) func(*buyer) int {
		return func(b *buyer) int {
			status, _ := trade(b, staff)
			return status
		}
	}
	drop := func(b *buyer) int {
		status, _ := ask(b, false, http.MethodDelete, "/exchange/hold", map[string]any{})
		return status
	}
	swapped := func(staff bool) func(*buyer) string {
		return func(b *buyer) string {
			end := "exchanged"
			if status := swap(staff)(b); status != http.StatusCreated {
				end = fmt.Sprint(status, ", then exchanged anew")
				b.key = uuid.NewString()
				if status := hold(staff)(b); status != http.StatusOK {
					s.t.Errorf("holding for an exchange once more: %d", status)
				}
				if status, answer := s.inTurn(func() (int, map[string]any) { return trade(b, staff) }); status != http.StatusCreated {
					s.t.Errorf("exchanging anew: %d %v", status, answer)
				}
			}
			var old, new int
			err := s.db.QueryRow(s.t.Context(), `select count(*) filter (where unit = any($1)), count(*) filter (where unit = any($2)) from tickets where state = 'valid'`, b.units, b.wants).Scan(&old, &new)
			if err != nil || old != 0 || new != len(b.wants) {
				s.t.Errorf("in the end %d of the old and %d of the new tickets are good, %v", old, new, err)
			}
			other := s.buyer()
			other.units = b.units
			s.holdOperations()[1].prepare(other) // they are for sale again
			return end
		}
	}
	return []operation{
		{always: true, name: "exchange", routes: []string{"exchange-tickets"}, prepare: held(false), act: swap(false), want: http.StatusCreated, finish: swapped(false)},
		{name: "exchange by staff", routes: []string{"staff-exchange-tickets"}, prepare: held(true), act: swap(true), want: http.StatusCreated, finish: swapped(true)},
		{name: "hold for an exchange", routes: []string{"hold-exchange", "staff-hold-exchange"}, prepare: bought, act: hold(false), want: http.StatusOK, finish: swapped(false)},
		{name: "give that hold back", routes: []string{"drop-exchange"}, prepare: held(false), act: drop, want: http.StatusNoContent, finish: func(b *buyer) string {
			if status := drop(b); status != http.StatusNoContent {
				s.t.Errorf("given back again: %d", status)
			}
			return swapped(false)(b)
		}},
	}
}

// refusedAtFirst is the reason of cancellations whose refund may wait for somebody who
// asks for it again.
const refusedAtFirst = "refused at first"

// cancelOperations give an order back.
func (s *shop) cancelOperations() []operation {
	cancel := func(b *buyer) int {
		status, _ := s.do(&buyer{token: b.link}, http.MethodPost, "/api/v1/orders/"+b.order+"/cancel", struct{}{}, "")
		return status
	}
	byStaff := func(b *buyer) int {
		status, _ := s.do(&buyer{token: s.staff}, http.MethodPost, "/api/v1/organizer/orders/"+b.order+"/cancel", map[string]any{"reason": "the band is ill"}, "")
		return status
	}
	again := func(act func(*buyer) int) func(*buyer) string {
		return func(b *buyer) string {
			if status := act(b); status != http.StatusOK {
				s.t.Errorf("asked again: %d", status)
			}
			var back int64
			err := s.db.QueryRow(s.t.Context(), `select coalesce(sum(r.amount), 0) from sandbox_refunds r join attempts a on a.id = r.attempt_id where a.session_id = $1`, b.session).Scan(&back)
			if err != nil || back != 9000 {
				s.t.Errorf("%d came back of 9000, %v", back, err)
			}
			other := s.buyer()
			other.units = b.units
			s.holdOperations()[1].prepare(other) // they are for sale again
			return "the money is back"
		}
	}
	retry := func(b *buyer) int {
		var id string
		if err := s.db.QueryRow(s.t.Context(), `select id::text from cancellations where order_id = $1`, b.order).Scan(&id); err != nil {
			s.t.Fatal(err)
		}
		status, _ := s.do(&buyer{token: s.staff}, http.MethodPost, "/api/v1/organizer/refunds/"+id+"/retry", struct{}{}, "")
		return status
	}
	begun := func(b *buyer) {
		s.bought(b)
		s.dies("script return", devtest.Before, func() int { return cancel(b) })
		s.exec(`update cancellations set updated_at = now() - interval '1 hour' where order_id = $1`, b.order)
	}
	refunded := func(b *buyer) int {
		s.await("the worker has refunded", func() bool {
			return s.dead.Load() || s.count(`select count(*) from cancellations where order_id = $1 and state = 'refunded' and freed`, b.order) == 1
		})
		if s.dead.Load() {
			return 0
		}
		return http.StatusOK
	}
	show := map[*buyer]ropeline.PerformanceID{} // that is canceled, and nobody else's
	canceled := func(b *buyer) {
		show[b] = s.buysOf(b, 10)
		if _, err := s.db.Exec(s.t.Context(), `update performances set state = 'canceled' where id = $1`, show[b]); err != nil {
			s.t.Fatal(err)
		}
		s.await("a search knows of it", func() bool { return s.count(`select count(*) from find_stale`) == 0 }) // which is no step of this
	}
	ask := func(b *buyer) int {
		status, _ := s.do(&buyer{token: s.staff}, http.MethodPut, "/api/v1/organizer/performances/"+string(show[b])+"/refund", map[string]any{"reason": "the roof leaks"}, "")
		return status
	}
	gone := func(b *buyer) bool {
		return s.count(`select count(*) from cancellations where order_id = $1 and state = 'refunded' and freed`, b.order) == 1
	}
	all := func(b *buyer) int {
		status := ask(b)
		if status == http.StatusOK {
			s.await("the money is back", func() bool { return s.dead.Load() || gone(b) })
		}
		if s.dead.Load() {
			return 0
		}
		return status
	}
	allBack := func(b *buyer) string {
		if status := ask(b); status != http.StatusOK {
			s.t.Errorf("asked again: %d", status)
		}
		s.await("the order is canceled", func() bool {
			return s.count(`select count(*) from orders where id = $1 and state = 'canceled'`, b.order) == 1
		})
		s.settle()
		if n := s.count(`select count(*) from sandbox_refunds r join attempts a on a.id = r.attempt_id where a.session_id = $1 and r.amount = 9000`, b.session); n != 1 {
			s.t.Errorf("the money came back %d times", n)
		}
		return "the money is back"
	}
	return []operation{
		{name: "refund all", routes: []string{"put-bulk-refund"}, prepare: canceled, act: all, want: http.StatusOK, finish: allBack},
		{always: true, name: "cancel", routes: []string{"cancel-order"}, prepare: s.bought, act: cancel, want: http.StatusOK, finish: again(cancel)},
		{name: "cancel by staff", routes: []string{"staff-cancel-order"}, prepare: s.bought, act: byStaff, want: http.StatusOK, finish: again(byStaff)},
		{name: "worker refunds", worker: true, prepare: begun, act: refunded, want: http.StatusOK, finish: again(cancel)},
		{name: "ask for a refund again", routes: []string{"retry-refund"}, prepare: s.refused, act: retry, want: http.StatusOK, finish: again(retry)},
	}
}

// refused has an order canceled whose refund is refused: since nothing is left of the payment,
// says the sandbox for as long as it takes.
func (s *shop) refused(b *buyer) {
	s.t.Helper()
	s.bought(b)
	left := func(refunded string) {
		if _, err := s.db.Exec(s.t.Context(), `update sandbox_payments set refunded = `+refunded+` where attempt_id = $1`, s.charge(b).Attempt); err != nil {
			s.t.Fatal(err)
		}
	}
	left("amount")
	status, answer := s.do(&buyer{token: s.staff}, http.MethodPost, "/api/v1/organizer/orders/"+b.order+"/cancel", map[string]any{"reason": refusedAtFirst}, "")
	left("0")
	if n := s.count(`select count(*) from cancellations where order_id = $1 and state = 'failed'`, b.order); status != http.StatusOK || n != 1 {
		s.t.Fatalf("%d refunds are refused: %d %v", n, status, answer)
	}
}

// buysOf has a buyer buy two of so many places of a performance that is nobody else's.
func (s *shop) buysOf(b *buyer, places int) ropeline.PerformanceID {
	s.t.Helper()
	own := s.sale
	own.ID, own.Performances = ropeline.SaleID("own-"+b.key), nil
	sale, err := s.shows.Seed(s.t.Context(), catalogue.Plan{Sale: own, General: places, Venue: "Hall", StartsAt: time.Now().Add(time.Hour)})
	if err != nil {
		s.t.Fatal(err)
	}
	show := sale.Performances[0]
	s.built(string(show), 1)
	s.enter(b, sale.ID)
	status, answer := s.do(b, http.MethodPost, "/api/v1/holds", map[string]any{"performance": show, "units": []int{0, 1}}, "")
	b.hold, _ = answer["id"].(string)
	if status == http.StatusCreated {
		status, answer = s.pay(b, sandbox.OK)
	}
	if b.order, _ = answer["id"].(string); status != http.StatusCreated {
		s.t.Fatalf("buying of %d places: %d %v", places, status, answer)
	}
	b.units = nil // they are of another performance than those that are looked at
	return show
}

// counterOperations sell at the box office.
func (s *shop) counterOperations() []operation {
	at := "/api/v1/organizer/performances/" + string(s.sale.Performances[0]) + "/counter"
	staff := &buyer{token: s.staff}
	hold := func(b *buyer) int {
		status, answer := s.do(staff, http.MethodPost, at+"/holds", map[string]any{"units": b.units}, b.key)
		if status == http.StatusCreated {
			b.hold, _ = answer["id"].(string)
			b.session = order.CounterSession(b.hold)
		}
		return status
	}
	held := func(b *buyer) {
		if status := hold(b); status != http.StatusCreated {
			s.t.Fatalf("holding at the counter: %d", status)
		}
	}
	again := func(b *buyer) string { // the same key is the same hold
		held(b)
		return "held"
	}
	release := func(b *buyer) int {
		status, _ := s.do(staff, http.MethodDelete, at+"/holds/"+b.hold, struct{}{}, "")
		return status
	}
	released := func(b *buyer) string {
		if status := release(b); status != http.StatusNoContent {
			s.t.Errorf("released again: %d", status)
		}
		return "released"
	}
	sell := func(b *buyer) int {
		status, answer := s.do(staff, http.MethodPost, at+"/orders", map[string]any{"hold": b.hold, "tender": "cash"}, b.key)
		b.order, _ = answer["id"].(string)
		return status
	}
	sold := func(b *buyer) string {
		end := "the order is there"
		if status := sell(b); status != http.StatusCreated {
			end = fmt.Sprint("asked again: ", status, ", then sold anew")
			b.key = uuid.NewString()
			if status := sell(b); status != http.StatusCreated {
				s.t.Errorf("selling anew: %d", status)
			}
		}
		var orders, units, payments int
		err := s.db.QueryRow(s.t.Context(), `select count(distinct o.id), count(t.id), (select count(*) from sandbox_payments p where p.attempt_id = any(array_agg(o.attempt_id)))
			from orders o join tickets t on t.performance_id = o.performance_id and t.order_id = o.id
			where o.tender = 'cash' and o.state = 'paid' and t.state = 'valid' and t.unit = any($1)`, b.units).Scan(&orders, &units, &payments)
		if err != nil || orders != 1 || units != len(b.units) || payments != 0 {
			s.t.Errorf("in the end there are %d orders with %d of %d units and %d payments, %v", orders, units, len(b.units), payments, err)
		}
		return end
	}
	bought := func(b *buyer) {
		held(b)
		if status := sell(b); status != http.StatusCreated {
			s.t.Fatalf("selling at the counter: %d", status)
		}
	}
	cancel := func(b *buyer) int {
		status, _ := s.do(staff, http.MethodPost, "/api/v1/organizer/counter/orders/"+b.order+"/cancel", map[string]any{"reason": "the band is ill"}, "")
		return status
	}
	claimed := func(b *buyer) {
		held(b)
		s.claims(b)
	}
	ask := func(method string) func(b *buyer) int {
		return func(b *buyer) int {
			status, _ := s.do(staff, method, at+"/holds/"+b.hold+"/coupon", map[string]any{"code": b.coupon}, "")
			return status
		}
	}
	set, remove := ask(http.MethodPut), ask(http.MethodDelete)
	lowered := func(b *buyer) {
		claimed(b)
		if status := set(b); status != http.StatusOK {
			s.t.Fatalf("setting a coupon at the counter: %d", status)
		}
	}
	asked := func(act func(*buyer) int) func(*buyer) string {
		return func(b *buyer) string {
			if status := act(b); status != http.StatusOK {
				s.t.Errorf("asked again: %d", status)
			}
			return "as asked"
		}
	}
	used := func(b *buyer) string {
		end := sold(b)
		if n := s.count(`select count(*) from orders o join coupon_copies c on c.order_id = o.id and c.state = 'redeemed' where o.session_id = $1 and o.state = 'paid' and o.amount = 8100 and c.discount = 900`, b.session); n != 1 {
			s.t.Errorf("%d orders are sold with the coupon", n)
		}
		return end
	}
	canceled := func(b *buyer) string {
		if status := cancel(b); status != http.StatusOK {
			s.t.Errorf("canceled again: %d", status)
		}
		var back int64
		err := s.db.QueryRow(s.t.Context(), `select coalesce(sum(amount), 0) from order_ledger where order_id = $1 and entry = 'refunded' and tender = 'cash'`, b.order).Scan(&back)
		if err != nil || back != 9000 {
			s.t.Errorf("%d went back of 9000, %v", back, err)
		}
		other := s.buyer()
		other.units = b.units
		s.holdOperations()[1].prepare(other) // they are for sale again
		return "the money is back"
	}
	return []operation{
		{name: "hold at the counter", routes: []string{"create-counter-hold"}, prepare: func(*buyer) {}, act: hold, want: http.StatusCreated, finish: again},
		{name: "release at the counter", routes: []string{"release-counter-hold"}, prepare: held, act: release, want: http.StatusNoContent, finish: released},
		{always: true, name: "sell at the counter", routes: []string{"sell-at-counter"}, prepare: held, act: sell, want: http.StatusCreated, finish: sold},
		{name: "set coupon at the counter", routes: []string{"set-counter-hold-coupon"}, prepare: claimed, act: set, want: http.StatusOK, finish: func(b *buyer) string { return asked(set)(b) + ", " + used(b) }},
		{name: "take coupon off at the counter", routes: []string{"remove-counter-hold-coupon"}, prepare: lowered, act: remove, want: http.StatusOK, finish: asked(remove)},
		{name: "sell at the counter with a coupon", prepare: lowered, act: sell, want: http.StatusCreated, finish: used},
		{name: "cancel at the counter", routes: []string{"cancel-at-counter"}, prepare: bought, act: cancel, want: http.StatusOK, finish: canceled},
	}
}

// told waits until the sandbox has told of what is done with a dispute.
func (s *shop) told(b *buyer, do func(*buyer) error) {
	s.t.Helper()
	if err := do(b); err != nil {
		s.t.Fatal(err)
	}
	s.await("the sandbox has told of it", func() bool {
		return s.count(`select count(*) from sandbox_disputes where attempt_id = $1 and told = state`, s.charge(b).Attempt) == 1
	})
}

// elsewhereOperations are what banks do, and people at the provider, and what staff do
// about it.
func (s *shop) elsewhereOperations() []operation {
	tickets := func(b *buyer) (state string) {
		err := s.db.QueryRow(s.t.Context(), `select string_agg(distinct state, ',') from tickets where order_id = $1`, b.order).Scan(&state)
		if err != nil {
			s.t.Fatal(err)
		}
		return state
	}
	// until does what the sandbox tells of within a second: it is the beginning of what is
	// disturbed, or the webhook would often be over before that.
	until := func(want string, do func(*buyer) error) func(*buyer) int {
		return func(b *buyer) int {
			if err := do(b); err != nil {
				s.t.Fatal(err)
			}
			s.await("the tickets are "+want, func() bool { return tickets(b) == want || s.dead.Load() })
			if s.dead.Load() {
				return 0
			}
			return http.StatusOK
		}
	}
	byHand := func(b *buyer) error { return s.money.RefundByHand(s.t.Context(), s.charge(b), 9000) }
	freed := func(b *buyer) int { // which comes after the tickets are canceled
		if status := until("canceled", byHand)(b); status != http.StatusOK {
			return status
		}
		s.await("the units are freed", func() bool {
			return s.count(`select count(*) from cancellations where order_id = $1 and freed`, b.order) == 1 || s.dead.Load()
		})
		if s.dead.Load() {
			return 0
		}
		return http.StatusOK
	}
	are := func(b *buyer, want string) {
		s.await("the tickets are "+want, func() bool { return tickets(b) == want })
	}
	finally := func(want string, entries int) func(*buyer) string {
		return func(b *buyer) string {
			are(b, want)
			var n, due int
			err := s.db.QueryRow(s.t.Context(), `select count(*) from order_ledger where order_id = $1`, b.order).Scan(&n)
			if err == nil {
				err = s.db.QueryRow(s.t.Context(), `select count(*) from sandbox_disputes d join orders o using (attempt_id) left join order_disputes b on b.attempt_id = o.attempt_id
					where o.id = $1 and (d.state, d.withdrawn, d.reinstated, d.fee) is distinct from (b.state, b.withdrawn, b.reinstated, b.fee)`, b.order).Scan(&due)
			}
			if err != nil || n != entries || due != 0 {
				s.t.Errorf("the ledger has %d entries, want %d, and %d disputes are not as the bank says, %v", n, entries, due, err)
			}
			return "tickets " + want
		}
	}
	contest := func(b *buyer) error { return s.money.Contest(s.t.Context(), s.charge(b)) }
	judge := func(won bool) func(*buyer) error {
		return func(b *buyer) error { return s.money.Judge(s.t.Context(), s.charge(b).Attempt, won) }
	}
	disputed := func(b *buyer) {
		s.bought(b)
		s.told(b, contest)
	}
	lost := func(b *buyer) {
		disputed(b)
		s.told(b, judge(false))
	}
	release := func(b *buyer) int {
		var id string
		if err := s.db.QueryRow(s.t.Context(), `select id::text from order_disputes where order_id = $1`, b.order).Scan(&id); err != nil {
			s.t.Fatal(err)
		}
		status, _ := s.do(&buyer{token: s.staff}, http.MethodPost, "/api/v1/organizer/disputes/"+id+"/release", map[string]any{"reason": "the door knows"}, "")
		return status
	}
	released := func(b *buyer) string {
		if status := release(b); status != http.StatusOK {
			s.t.Errorf("released again: %d", status)
		}
		other := s.buyer()
		other.units = b.units
		s.holdOperations()[1].prepare(other)
		return finally("canceled", 9)(b)
	}
	return []operation{
		{always: true, name: "webhook of a dispute", prepare: s.bought, act: until("blocked", contest), want: http.StatusOK, finish: finally("blocked", 6)},
		{name: "webhook of one that is won", prepare: disputed, act: until("valid", judge(true)), want: http.StatusOK, finish: finally("valid", 8)},
		{name: "webhook of one that is lost", prepare: disputed, act: until("void", judge(false)), want: http.StatusOK, finish: finally("void", 7)},
		{always: true, name: "release what is lost", routes: []string{"release-dispute"}, prepare: lost, act: release, want: http.StatusOK, finish: released},
		{name: "webhook of a refund by hand", prepare: s.bought, act: freed, want: http.StatusOK, finish: finally("canceled", 7)},
	}
}

// blockOperations are what staff do about somebody who should not buy.
func (s *shop) blockOperations() []operation {
	staff := &buyer{token: s.staff}
	block := func(b *buyer) int {
		status, answer := s.do(staff, http.MethodPost, "/api/v1/organizer/blocks", map[string]any{"place": b.place, "for": 3600, "reason": "a bot"}, b.key)
		b.block, _ = answer["id"].(string)
		return status
	}
	blocked := func(b *buyer) {
		if status := block(b); status != http.StatusCreated {
			s.t.Fatalf("blocking: %d", status)
		}
	}
	lift := func(b *buyer) int {
		status, _ := s.do(staff, http.MethodPost, "/api/v1/organizer/blocks/"+b.block+"/lift", map[string]any{"reason": "a mistake"}, "")
		return status
	}
	// once looks how often it is told of: with who, and why, and no more than once.
	once := func(b *buyer, entry string) {
		var n int
		err := s.db.QueryRow(s.t.Context(), `select count(*) from abuse_history h join abuse_blocks b on b.id = h.block_id where b.subject = $1 and h.entry = $2 and h.who like 'staff:%'`, b.place, entry).Scan(&n)
		if err != nil || n != 1 {
			s.t.Errorf("%s is told %d times, %v", entry, n, err)
		}
	}
	holds := func(b *buyer) int {
		status, _ := s.do(b, http.MethodPost, "/api/v1/holds", map[string]any{"performance": s.sale.Performances[0], "units": b.units}, "")
		return status
	}
	return []operation{
		{always: true, name: "block by staff", routes: []string{"create-block"}, prepare: func(*buyer) {}, act: block, want: http.StatusCreated, finish: func(b *buyer) string {
			blocked(b) // the same request again
			once(b, "blocked")
			s.await("the core knows of the block", func() bool { return holds(b) == http.StatusForbidden })
			return "blocked"
		}},
		{name: "lift a block", routes: []string{"lift-block"}, prepare: blocked, act: lift, want: http.StatusOK, finish: func(b *buyer) string {
			if status := lift(b); status != http.StatusOK {
				s.t.Errorf("lifting again: %d", status)
			}
			once(b, "lifted")
			if status := holds(b); status != http.StatusCreated {
				s.t.Errorf("holding after the block was lifted: %d", status)
			}
			return "lifted"
		}},
	}
}

// ears take webhooks.
type ears struct {
	url   string
	mu    sync.Mutex
	heard map[string]int // by webhook-id
}

func listens(t *testing.T) *ears {
	e := &ears{heard: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.heard[r.Header.Get("webhook-id")]++
	}))
	t.Cleanup(server.Close)
	e.url = server.URL
	return e
}

func (e *ears) has(event string) bool { return e.times(event) > 0 }

func (e *ears) times(event string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard[event]
}

// webhookOperations tell integrators.
func (s *shop) webhookOperations() []operation {
	staff, at := &buyer{token: s.staff}, "/api/v1/organizer/webhooks"
	plan := map[string]any{"url": s.ears.url, "kinds": []string{"order.paid"}}
	add := func(b *buyer) int {
		status, answer := s.do(staff, http.MethodPost, at, plan, b.key)
		b.endpoint, _ = answer["id"].(string)
		return status
	}
	added := func(b *buyer) {
		if status := add(b); status != http.StatusCreated {
			s.t.Fatalf("adding an endpoint: %d", status)
		}
	}
	bought := func(b *buyer) {
		added(b)
		s.holdOperations()[1].prepare(b)
		status, answer := s.pay(b, sandbox.OK)
		if status != http.StatusCreated {
			s.t.Fatalf("paying: %d %v", status, answer)
		}
		if err := s.db.QueryRow(s.t.Context(), `select id::text from webhook_events where subject = $1`, answer["id"]).Scan(&b.event); err != nil {
			s.t.Fatal("the one event of an order: ", err)
		}
	}
	ask := func(method, path string, body any) func(*buyer) int {
		return func(b *buyer) int {
			status, _ := s.do(staff, method, at+"/"+b.endpoint+strings.ReplaceAll(path, "{event}", b.event), body, "")
			return status
		}
	}
	again := func(act func(*buyer) int, want int) func(*buyer) string {
		return func(b *buyer) string {
			if status := act(b); status != want {
				s.t.Errorf("asked again: %d, want %d", status, want)
			}
			return "as asked"
		}
	}
	sent := func(b *buyer) int {
		s.await("the webhook is sent", func() bool { return s.delivered(b.event) || s.dead.Load() })
		if s.dead.Load() {
			return 0
		}
		return http.StatusOK
	}
	resent := func(b *buyer) string {
		if s.delivered(b.event) {
			return "it was delivered"
		}
		if _, err := s.db.Exec(s.t.Context(), `update webhook_deliveries set next_at = now()`); err != nil { // its lease is over
			s.t.Fatal(err)
		}
		end := "it was not sent, and is"
		if s.ears.has(b.event) {
			end = "it is sent twice"
		}
		pid := s.work()
		s.await("the webhook is sent after all", func() bool { return s.delivered(b.event) && s.ears.has(b.event) })
		_ = syscall.Kill(pid, syscall.SIGKILL)
		return end
	}
	show := map[*buyer]ropeline.PerformanceID{} // that is sold out
	soldOut := func(b *buyer) {
		status, _ := s.do(staff, http.MethodPost, at, map[string]any{"url": s.ears.url, "kinds": []string{webhook.SoldOut}}, b.key)
		if status != http.StatusCreated {
			s.t.Fatalf("adding an endpoint: %d", status)
		}
		show[b] = s.buysOf(b, 2)
	}
	events := func(b *buyer) int {
		return s.count(`select count(*) from webhook_events where kind = $1 and subject = $2`, webhook.SoldOut, show[b])
	}
	told := func(b *buyer) int {
		s.await("it is told that a performance is sold out", func() bool { return events(b) > 0 || s.dead.Load() })
		if s.dead.Load() {
			return 0
		}
		return http.StatusOK
	}
	once := func(b *buyer) string {
		s.exec(`update webhook_deliveries set next_at = now()`) // its lease is over
		pid := s.work()
		s.await("it is heard that a performance is sold out", func() bool {
			return s.count(`select count(*) from webhook_deliveries d join webhook_events e on e.id = d.event_id where e.subject = $1 and d.state = 'delivered'`, show[b]) > 0
		})
		_ = syscall.Kill(pid, syscall.SIGKILL)
		if n := events(b); n != 1 {
			s.t.Errorf("it is told %d times", n)
		}
		return "told once"
	}
	change, rotate, test := ask(http.MethodPut, "", plan), ask(http.MethodPost, "/rotate", map[string]any{"generation": 1}), ask(http.MethodPost, "/test", struct{}{})
	one, all, remove := ask(http.MethodPost, "/deliveries/{event}/redeliver", struct{}{}), ask(http.MethodPost, "/redeliver", map[string]any{"since": time.Now()}), ask(http.MethodDelete, "", struct{}{})
	return []operation{
		{name: "add webhook", routes: []string{"create-webhook"}, prepare: func(*buyer) {}, act: add, want: http.StatusCreated, finish: again(add, http.StatusCreated)},
		{name: "change webhook", routes: []string{"change-webhook"}, prepare: added, act: change, want: http.StatusOK, finish: again(change, http.StatusOK)},
		{name: "rotate webhook", routes: []string{"rotate-webhook"}, prepare: added, act: rotate, want: http.StatusOK, finish: again(rotate, http.StatusOK)},
		{name: "test webhook", routes: []string{"test-webhook"}, prepare: added, act: test, want: http.StatusOK, finish: again(test, http.StatusOK)},
		{name: "redeliver webhook", routes: []string{"redeliver-webhook"}, prepare: bought, act: one, want: http.StatusNoContent, finish: again(one, http.StatusNoContent)},
		{name: "redeliver webhooks", routes: []string{"redeliver-webhooks"}, prepare: bought, act: all, want: http.StatusOK, finish: again(all, http.StatusOK)},
		{name: "remove webhook", routes: []string{"delete-webhook"}, prepare: added, act: remove, want: http.StatusNoContent, finish: again(remove, http.StatusNoContent)},
		{name: "worker tells that it is sold out", worker: true, prepare: soldOut, act: told, want: http.StatusOK, finish: once},
		{always: true, name: "worker sends webhook", worker: true, prepare: bought, act: sent, want: http.StatusOK, finish: resent},
	}
}

// delivered says whether a webhook was taken, as the books have it.
func (s *shop) delivered(event string) (is bool) {
	s.t.Helper()
	if err := s.db.QueryRow(s.t.Context(), `select exists (select from webhook_deliveries where event_id = $1 and state = 'delivered')`, event).Scan(&is); err != nil {
		s.t.Fatal(err)
	}
	return is
}

// returnsOperations are about what comes back of eight seats that were sold out.
func (s *shop) returnsOperations() []operation {
	show, p := s.sale.Performances[0], s.program()
	tier := p.Map.Tiers[2]
	soldOut := func() { // each to somebody else: what is canceled is an order
		for u := tier.First; u < tier.First+tier.Count; u++ {
			if s.count(`select count(*) from tickets where state = 'valid' and unit = $1`, u) == 1 {
				continue
			}
			b := s.buyer()
			b.units = []int{u}
			s.holdOperations()[1].prepare(b)
			if status, answer := s.pay(b, sandbox.OK); status != http.StatusCreated {
				s.t.Fatalf("selling out: %d %v", status, answer)
			}
		}
	}
	join := func(b *buyer) int {
		status, answer := s.do(b, http.MethodPost, "/api/v1/performances/"+string(show)+"/returns",
			map[string]any{"tier": tier.ID, "quantity": 1, "email": "fan" + b.key + "@example.org"}, b.key)
		b.entry, _ = answer["id"].(string)
		b.link, _ = answer["key"].(string)
		return status
	}
	joined := func(b *buyer) {
		soldOut()
		if status := join(b); status != http.StatusCreated {
			s.t.Fatalf("joining: %d", status)
		}
	}
	leave := func(b *buyer) int {
		status, _ := s.do(&buyer{token: b.link}, http.MethodDelete, "/api/v1/returns/"+b.entry, struct{}{}, "")
		return status
	}
	freed := func(b *buyer) {
		joined(b)
		s.await("the list is in force", func() bool {
			snap, err := s.stock.Snapshot(s.t.Context(), show)
			return err == nil && len(snap.Listed) > 0
		})
		var order string
		if err := s.db.QueryRow(s.t.Context(), `select order_id::text from tickets where state = 'valid' and tier_id = $1 limit 1`, tier.ID).Scan(&order); err != nil {
			s.t.Fatal(err)
		}
		if status, answer := s.do(&buyer{token: s.staff}, http.MethodPost, "/api/v1/organizer/orders/"+order+"/cancel", map[string]any{"reason": "a test"}, ""); status != http.StatusOK {
			s.t.Fatalf("canceling: %d %v", status, answer)
		}
	}
	state := func(b *buyer) (state returns.State) {
		e, err := s.lists.Entry(s.t.Context(), b.entry)
		if err != nil {
			s.t.Fatal(err)
		}
		b.hold, b.token = e.Hold, s.lists.Keys().Pass(e.Hold)
		return e.State
	}
	offered := func(b *buyer) {
		freed(b)
		s.settle()
		if now := state(b); now != returns.Offered {
			s.t.Fatalf("the place is %s", now)
		}
	}
	claim := func(b *buyer) int {
		status, _ := s.do(b, http.MethodPost, "/api/v1/returns/"+b.entry+"/claim", struct{}{}, "")
		return status
	}
	bought := func(b *buyer) string {
		if now := state(b); now != returns.Offered && now != returns.Claimed {
			s.t.Errorf("whoever is offered something is %s", now)
		}
		if status := claim(b); status != http.StatusCreated {
			s.t.Errorf("claiming: %d", status)
		}
		if status, answer := s.pay(b, sandbox.OK); status != http.StatusCreated {
			s.t.Errorf("paying for an offer: %d %v", status, answer)
		}
		s.settle()
		if now := state(b); now != returns.Bought || s.count(`select count(*) from tickets where state = 'valid' and tier_id = $1`, tier.ID) != tier.Count {
			s.t.Errorf("in the end the place is %s", now)
		}
		return "it is bought"
	}
	worker := func(b *buyer) int {
		s.await("the worker offers it", func() bool { return state(b) == returns.Offered || s.dead.Load() })
		if s.dead.Load() {
			return 0
		}
		return http.StatusOK
	}
	return []operation{
		{name: "join the returns list", routes: []string{"join-returns"}, prepare: func(*buyer) { soldOut() }, act: join, want: http.StatusCreated, finish: func(b *buyer) string {
			if first, status := b.entry, join(b); status != http.StatusCreated || first != "" && first != b.entry {
				s.t.Errorf("joining again: %d, the place %s instead of %s", status, b.entry, first)
			}
			if n := s.count(`select count(*) from returns_entries where state = 'waiting'`); n != 1 || leave(b) != http.StatusNoContent {
				s.t.Errorf("%d places wait", n)
			}
			return "one place"
		}},
		{name: "leave it", routes: []string{"leave-returns"}, prepare: joined, act: leave, want: http.StatusNoContent, finish: func(b *buyer) string {
			if status := leave(b); status != http.StatusNoContent || state(b) != returns.Left {
				s.t.Errorf("leaving again: %d", status)
			}
			return "no place"
		}},
		{name: "claim an offer", routes: []string{"claim-return"}, prepare: offered, act: claim, want: http.StatusCreated, finish: bought},
		{always: true, name: "worker offers", worker: true, prepare: freed, act: worker, want: http.StatusOK, finish: bought},
	}
}

func (s *shop) program() catalogue.Performance {
	s.t.Helper()
	p, err := s.shows.Performance(s.t.Context(), s.sale.Performances[0])
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s *shop) count(query string, args ...any) (n int) {
	s.t.Helper()
	if err := s.db.QueryRow(s.t.Context(), query, args...).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// dies has the core die at a step of what it is asked. It stays away: the sandbox in it would
// tell it of what happened.
func (s *shop) dies(at string, cut devtest.Cut, ask func() int) {
	s.t.Helper()
	core := new(atomic.Int64)
	core.Store(int64(s.core.pid))
	s.cut(core, func(name string) devtest.Cut {
		if strings.HasPrefix(name, at) {
			return cut
		}
		return devtest.Let
	})
	if status := ask(); status != 0 {
		s.t.Fatalf("the core did not come to %q: %d", at, status)
	}
}

// workerOperations settle what a core has left behind.
func (s *shop) workerOperations() []operation {
	prepare := s.holdOperations()[1].prepare
	dies := func(at string, cut devtest.Cut) func(*buyer) {
		return func(b *buyer) {
			prepare(b)
			s.dies(at, cut, func() int {
				status, _ := s.pay(b, sandbox.OK)
				return status
			})
			if _, err := s.db.Exec(s.t.Context(), `update attempts set updated_at = now() - interval '1 hour' where session_id = $1`, b.session); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	settle := func(b *buyer) int {
		s.await("the worker has settled", func() bool {
			step := s.attempt(b)
			return step == order.Done || step == order.Closed || s.dead.Load()
		})
		if s.dead.Load() {
			return 0
		}
		return http.StatusOK
	}
	return []operation{
		{name: "worker goes back", worker: true, prepare: dies("insert into sandbox_payments", devtest.After), act: settle, want: http.StatusOK, finish: s.sold(sandbox.OK)},
		{always: true, name: "worker goes forward", worker: true, prepare: dies("update sandbox_payments set state", devtest.Before), act: settle, want: http.StatusOK, finish: s.sold(sandbox.OK)},
	}
}
