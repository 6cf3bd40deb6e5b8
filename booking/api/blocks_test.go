package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/abuse"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// place is a new fan's token and place.
func (c *core) place() (string, ropeline.PlaceID) {
	claims := c.claims()
	return c.sign(claims, jwt.SigningMethodEdDSA, c.key), claims.Place
}

// counted waits until what was held has been counted.
func (c *core) counted() {
	c.t.Helper()
	if err := c.api.server.abuse.Flush(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
}

// slowed checks for a problem document that says when to try again.
func (a answer) later(status int, code string) {
	a.t.Helper()
	a.refused(status, code)
	if s := a.Header.Get("Retry-After"); s == "" || s == "0" {
		a.t.Errorf("%s says to try again after %q", a.Body, s)
	}
}

func (c *core) tryHold(fan string, unit int, headers ...string) answer {
	c.t.Helper()
	return c.do(http.MethodPost, "/api/v1/holds", fan, c.json(map[string]any{"performance": c.show.ID, "units": []int{unit}}), headers...)
}

// asked is how often the provider was asked for money.
func (c *core) asked() (n int) {
	c.t.Helper()
	if err := c.db.QueryRow(c.t.Context(), `select count(*) from sandbox_payments`).Scan(&n); err != nil {
		c.t.Fatal(err)
	}
	return n
}

func TestWhoTakesAndGivesBackAgainAndAgainWaits(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()
	for range 8 {
		h := c.hold(fan, 5)
		c.do(http.MethodDelete, "/api/v1/holds/"+h.ID, fan, "").is(http.StatusNoContent, nil)
		c.counted()
	}
	c.tryHold(fan, 5).later(http.StatusTooManyRequests, "slowed-holds")
	other := c.fan()
	h := c.hold(other, 5) // nobody else is slowed down
	c.pay(other, "key", h.ID, sandbox.OK).is(http.StatusCreated, nil)
}

func TestCardsAreNotTriedOutHere(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()
	h := c.hold(fan, 5)
	for i := range 5 {
		c.pay(fan, fmt.Sprint("key", i), h.ID, fmt.Sprint(sandbox.Declined, "_card", i/2)).refused(http.StatusPaymentRequired, "payment-declined")
	}
	c.pay(fan, "key5", h.ID, sandbox.OK).later(http.StatusTooManyRequests, "slowed-payments")
	if n := c.asked(); n != 5 {
		t.Errorf("the provider was asked %d times, want 5", n)
	}
	// The same request has the same answer, whatever came since; and the hold is the fan's.
	c.pay(fan, "key4", h.ID, sandbox.Declined+"_card2").refused(http.StatusPaymentRequired, "payment-declined")
	c.get("/api/v1/holds/"+h.ID, fan).is(http.StatusOK, nil)

	// A card that others were declined with is refused to a newcomer.
	fan = c.fan()
	h = c.hold(fan, 6)
	c.pay(fan, "key", h.ID, sandbox.Declined+"_card0").refused(http.StatusPaymentRequired, "payment-declined")
	fan = c.fan()
	h = c.hold(fan, 7)
	c.pay(fan, "key", h.ID, sandbox.Declined+"_card0").later(http.StatusTooManyRequests, "slowed-card")
	// It is known by another token, too, once the provider has said which it is: the money is let go.
	c.pay(fan, "again", h.ID, sandbox.OK+"_card0").later(http.StatusTooManyRequests, "slowed-card")
	var state string
	if err := c.db.QueryRow(t.Context(), `select state from sandbox_payments where method = 'sandbox_ok_card0'`).Scan(&state); err != nil || state == "captured" {
		t.Errorf("a payment with a card that is slowed down is %s, %v", state, err)
	}
	c.pay(fan, "other", h.ID, sandbox.OK+"_card9").is(http.StatusCreated, nil)
	c.inventory()
}

// What is paid and what is being paid for stays, whoever is blocked meanwhile.
func TestABlockTouchesNoOrderAndNoPaymentThatIsUnderWay(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan, place := c.place()
	var paid, pending Order
	c.pay(fan, "one", c.hold(fan, 5).ID, sandbox.OK).is(http.StatusCreated, &paid)
	h := c.hold(fan, 6)
	buy := func() answer {
		return c.do(http.MethodPost, "/api/v1/orders", fan, c.json(map[string]any{"hold": h.ID, "email": "fan@example.org", "payment_method": sandbox.Action,
			"return_url": "https://shop.example/back"}), "Idempotency-Key", "two")
	}
	buy().is(http.StatusAccepted, &pending)

	var b abuse.Block
	body := c.json(map[string]any{"place": place, "for": 3600, "reason": "sells at the door"})
	c.do(http.MethodPost, blocks, "key-sre", body, "Idempotency-Key", "block").is(http.StatusCreated, &b)
	c.tryHold(fan, 7).later(http.StatusForbidden, "blocked-staff")
	var p ropeline.Problem
	c.tryHold(fan, 7).is(http.StatusForbidden, &p)
	if p.Reference != b.ID || !strings.Contains(p.Detail, "reference") {
		t.Errorf("the problem is %+v, the block %s", p, b.ID)
	}
	c.get("/api/v1/orders/"+paid.ID, paid.Key).is(http.StatusOK, &paid)
	c.pay(fan, "one", "01939f4e-7a00-7000-8000-000000000001", sandbox.OK).refused(http.StatusUnprocessableEntity, "idempotency-key-reused")
	if paid.State != order.Paid || paid.Tickets[0].Code == "" {
		t.Errorf("the order of somebody blocked is %+v", paid)
	}
	buy().is(http.StatusAccepted, nil)
	id := strings.TrimPrefix(pending.Action[:strings.IndexByte(pending.Action+"?", '?')], sandbox.PagePath)
	id = id[strings.LastIndexByte(id, '/')+1:]
	noFollow := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	c.read(noFollow.Post(c.url+sandbox.PagePath+id, "application/x-www-form-urlencoded", strings.NewReader("confirm=yes"))).is(http.StatusSeeOther, nil)
	buy().is(http.StatusCreated, &pending)
	if pending.State != order.Paid {
		t.Errorf("the payment that was under way came to %+v", pending)
	}

	c.do(http.MethodPost, blocks+"/"+b.ID+"/lift", "key-sre", `{"reason": "a mistake"}`).is(http.StatusOK, &b)
	c.hold(fan, 7)
	c.inventory()
}

func TestStaffSeeAndLiftBlocks(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan, _ := c.place()
	body := `{"address": "203.0.113.7", "for": 600, "reason": "a bot"}`
	var b, again abuse.Block
	c.do(http.MethodPost, blocks, "key-sre", body, "Idempotency-Key", "block").is(http.StatusCreated, &b)
	c.do(http.MethodPost, blocks, "key-sre", body, "Idempotency-Key", "block").is(http.StatusCreated, &again)
	if again != b {
		t.Errorf("the same request made %+v and %+v", b, again)
	}
	c.tryHold(fan, 1, "X-Forwarded-For", "203.0.113.7").later(http.StatusForbidden, "blocked-network")
	h := Hold{}
	c.tryHold(fan, 1, "X-Forwarded-For", "203.0.113.8").is(http.StatusCreated, &h)
	c.do(http.MethodPost, "/api/v1/orders", fan, c.json(map[string]any{"hold": h.ID, "email": "fan@example.org", "payment_method": sandbox.OK}),
		"Idempotency-Key", "key", "X-Forwarded-For", "203.0.113.7").later(http.StatusForbidden, "blocked-network")

	var list BlockList
	c.get(blocks+"?state=active&address=203.0.113.7", "key-sre").is(http.StatusOK, &list)
	if len(list.Blocks) != 1 || list.Blocks[0] != b || strings.Contains(fmt.Sprint(b), "203.0.113") {
		t.Errorf("the list is %+v", list)
	}
	var detail BlockDetail
	c.do(http.MethodPost, blocks+"/"+b.ID+"/lift", "key-sre", `{"reason": "a school", "erase": true}`).is(http.StatusOK, &b)
	c.get(blocks+"/"+b.ID, "key-sre").is(http.StatusOK, &detail)
	if detail.State != abuse.Lifted || detail.Subject != "" || len(detail.History) != 3 || detail.History[1].Who != "staff:ada" || detail.History[1].Reason != "a school" {
		t.Errorf("the block is %+v", detail)
	}
	c.pay(fan, "key", h.ID, sandbox.OK).is(http.StatusCreated, nil)

	for _, key := range []string{"", "key-rosa", "nobody", fan} {
		for _, r := range Routes {
			if strings.HasPrefix(r.Path, blocks) {
				if a := c.do(r.Method, strings.Replace(r.Path, "{id}", b.ID, 1), key, `{"reason": "why"}`); a.Status != http.StatusUnauthorized && a.Status != http.StatusForbidden {
					t.Errorf("%s with %q: %d", r.ID, key, a.Status)
				}
			}
		}
	}
	c.do(http.MethodPost, blocks, "key-sre", body).refused(http.StatusUnprocessableEntity, "idempotency-key-missing")
	c.do(http.MethodPost, blocks, "key-sre", `{"address": "::1", "for": 1, "reason": "x"}`, "Idempotency-Key", "x").refused(http.StatusUnprocessableEntity, "block-invalid")
	c.do(http.MethodPost, blocks+"/"+b.ID+"/lift", "key-sre", `{"reason": ""}`).refused(http.StatusUnprocessableEntity, "block-invalid")
	c.do(http.MethodPost, blocks+"/01939f4e-7a00-7000-8000-000000000001/lift", "key-sre", `{"reason": "x"}`).refused(http.StatusNotFound, "block-unknown")
	c.get(blocks+"/x", "key-sre").refused(http.StatusNotFound, "block-unknown")
	c.get(blocks+"?limit=201", "key-sre").refused(http.StatusUnprocessableEntity, "page-invalid")
}

// A thousand tabs of one session that pay at once, each in its own name, make one order,
// and each of the others has an answer that says why. (As many holds: see
// TestLimitsOfOnePlaceAndOneSession.)
func TestAThousandTabsPayOnce(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()
	h := c.hold(fan, 5)
	came := map[string]int{}
	var mu sync.Mutex
	var tabs sync.WaitGroup
	for n := range 50 {
		tabs.Go(func() {
			for i := range 20 {
				a := c.pay(fan, fmt.Sprint("tab", n, "-", i), h.ID, sandbox.OK)
				what := fmt.Sprint(a.Status)
				if a.Status >= 300 {
					_, what, _ = strings.Cut(string(a.Body), ropeline.ProblemType)
					what, _, _ = strings.Cut(what, `"`)
				}
				mu.Lock()
				came[what]++
				mu.Unlock()
			}
		})
	}
	tabs.Wait()
	if came["201"] != 1 || came["201"]+came["payment-running"]+came["hold-sold"] != 1000 {
		t.Errorf("a thousand payments came to %v", came)
	}
	if n := c.asked(); n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}
	c.inventory()
}

func TestOnlyAnEdgeSaysWhoseRequestItIs(t *testing.T) {
	t.Parallel()
	edges := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, one := range []struct{ peer, said, want string }{
		{"10.0.0.1:4000", "203.0.113.7", "203.0.113.7"},
		{"10.0.0.1:4000", " 2001:db8::1%eth0 ", "2001:db8::1"},
		{"[::ffff:10.0.0.1]:4000", "::ffff:203.0.113.7", "203.0.113.7"},
		{"[fd00::1]:4000", "203.0.113.7", "203.0.113.7"},
		{"10.0.0.1:4000", "", ""},
		{"10.0.0.1:4000", "203.0.113.7, 10.0.0.2", ""}, // another proxy was in between: nobody is everybody
		{"10.0.0.1:4000", "203.0.113.7:80", ""},
		{"192.0.2.1:4000", "203.0.113.7", ""}, // no edge of ours
		{"192.0.2.1:4000", "", ""},
		{"@", "203.0.113.7", ""},
	} {
		got := clientOf(one.peer, one.said, edges)
		if text := got.String(); text != one.want && (got.IsValid() || one.want != "") {
			t.Errorf("%s says %q: %s, want %q", one.peer, one.said, text, one.want)
		}
	}
	if got := clientOf("127.0.0.1:1", "203.0.113.7", nil); got.IsValid() {
		t.Errorf("without edges somebody is believed: %s", got)
	}
}

// FuzzClientOf holds that nobody but an edge is believed, and that what is believed is one
// plain address.
func FuzzClientOf(f *testing.F) {
	f.Add("10.0.0.1:80", "203.0.113.7")
	f.Add("[::1%lo]:80", "2001:db8::1%25")
	f.Add("@", "\x00")
	edges := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, peer, said string) {
		got := clientOf(peer, said, edges)
		if !got.IsValid() {
			return
		}
		from, err := netip.ParseAddrPort(peer)
		if err != nil || !edges[0].Contains(from.Addr().Unmap().WithZone("")) {
			t.Errorf("%q is believed that it is for %q", peer, said)
		}
		if got.Zone() != "" || got.Is4In6() || abuse.Keys("k").Address(got).Name == "" {
			t.Errorf("%q became %s", said, got)
		}
	})
}
