package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/payment/signature"
	"github.com/ropeline/ropeline/booking/payment/stripe"
)

// stripeEars believes Stripe's webhooks that are signed with one of two secrets.
func stripeEars(t testing.TB) *stripe.Provider {
	t.Helper()
	files := map[string]string{"key": "sk_test_x\n", "secrets": "whsec_new\nwhsec_old\n"}
	folder := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := stripe.Open(stripe.Config{KeyFile: filepath.Join(folder, "key"), SecretFile: filepath.Join(folder, "secrets"), Now: time.Now, Transport: http.DefaultTransport})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const back = "https://shop.example.org/sales/x/shop?a=1"

// act pays in a way that has to be confirmed.
func (c *core) act(fan string, h Hold) (o Order, pay func() answer) {
	c.t.Helper()
	body := c.json(map[string]any{"hold": h.ID, "email": "fan@example.org", "payment_method": sandbox.Action, "return_url": back})
	key := uuid.NewString()
	pay = func() answer { return c.do(http.MethodPost, "/api/v1/orders", fan, body, "Idempotency-Key", key) }
	pay().is(http.StatusAccepted, &o)
	if o.State != "pending" || o.Key == "" || !strings.HasPrefix(o.Action, "https://shop.example.org"+sandbox.PagePath) || o.Tickets[0].Code != "" {
		c.t.Fatalf("order %+v", o)
	}
	return o, pay
}

// bank answers on the page to which an order leads.
func (c *core) bank(o Order, say string) answer {
	c.t.Helper()
	page, err := url.Parse(o.Action)
	if err != nil {
		c.t.Fatal(err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if say == "" {
		return c.read(client.Get(c.url + page.Path))
	}
	return c.read(client.PostForm(c.url+page.Path, url.Values{"confirm": {say}}))
}

func (c *core) deliver() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := c.sandbox.Deliver(ctx); err != nil {
		c.t.Fatal(err)
	}
}

// An order that has to be confirmed leads to the bank's page and back, and is paid
// when the webhook comes, whether or not the fan does.
func TestConfirmedByWebhook(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan, place := c.place()
	o, pay := c.act(fan, c.hold(fan, 1))
	c.deliver() // that it needs an action
	page := c.bank(o, "")
	if page.Status != http.StatusOK || page.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(string(page.Body), "<b>75.00 EUR</b>") ||
		!strings.HasPrefix(page.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("the page is %d %v %s", page.Status, page.Header, page.Body)
	}
	if c.line.bought[place] != 0 {
		t.Error("bought before it was paid")
	}
	for _, again := range []string{"yes", "no", ""} { // what is said first counts
		if a := c.bank(o, again); a.Status != http.StatusSeeOther || a.Header.Get("Location") != back {
			t.Errorf("%q: %d to %s", again, a.Status, a.Header.Get("Location"))
		}
	}
	c.deliver()
	var now Order
	c.get("/api/v1/orders/"+o.ID, o.Key).is(http.StatusOK, &now)
	if now.State != "paid" || now.Action != "" || c.line.bought[place] != 1 {
		t.Errorf("order %+v, bought %d times", now, c.line.bought[place])
	}
	pay().is(http.StatusCreated, &now)
	if now.ID != o.ID || now.Key != o.Key {
		t.Errorf("back: %+v", now)
	}
	c.inventory()
}

// A page that is loaded again while its fan is at the bank shows the time that the bank
// gives. It once showed the quarter of an hour for which Redis keeps the hold, so that
// whoever came back in the last five minutes had lost the places all the same.
func TestAHoldAtTheBankHasTheTimeThatTheBankGives(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()
	h := c.hold(fan, 1)
	o, pay := c.act(fan, h)
	var at Hold
	c.get("/api/v1/holds/"+h.ID, fan).is(http.StatusOK, &at)
	if left := at.ExpiresAt.Sub(o.CreatedAt) - order.ActionLife; at.State != hold.Paying || left.Abs() > 5*time.Second {
		t.Errorf("the order is of %v; the hold is %s until %v", o.CreatedAt, at.State, at.ExpiresAt)
	}
	c.bank(o, "no")
	pay().refused(http.StatusPaymentRequired, "payment-declined")
	c.get("/api/v1/holds/"+h.ID, fan).is(http.StatusOK, &at)
	if at.State != hold.Held || at.ExpiresAt != h.ExpiresAt {
		t.Errorf("back from the bank it is %s until %v, and was until %v", at.State, at.ExpiresAt, h.ExpiresAt)
	}
}

// The fan is faster than the webhook.
func TestConfirmedByReturn(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()
	h := c.hold(fan, 1)
	o, pay := c.act(fan, h)
	pay().is(http.StatusAccepted, nil)
	c.bank(o, "no")
	pay().refused(http.StatusPaymentRequired, "payment-declined")
	o, pay = c.act(fan, h)
	c.bank(o, "yes")
	pay().is(http.StatusCreated, &o)
	c.deliver()
	c.get("/api/v1/orders/"+o.ID, o.Key).is(http.StatusOK, &o)
	if o.State != "paid" {
		t.Errorf("order %+v", o)
	}
	c.do(http.MethodPost, "/api/v1/orders", fan, c.json(map[string]any{"hold": h.ID, "email": "fan@example.org", "payment_method": sandbox.Action, "return_url": "//evil"}),
		"Idempotency-Key", "k").refused(http.StatusUnprocessableEntity, "return-url-invalid")
	c.inventory()
}

// Webhooks that come twice, and before the answer, sell once.
func TestWebhooksTwiceAndBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	c := start(t)
	for i, method := range []string{sandbox.Twice, sandbox.Early, sandbox.Disputed, sandbox.OK} {
		fan := c.fan()
		var o Order
		c.pay(fan, "k", c.hold(fan, 10*i, 10*i+1).ID, method).is(http.StatusCreated, &o)
		c.deliver()
		c.get("/api/v1/orders/"+o.ID, o.Key).is(http.StatusOK, &o)
		if o.State != "paid" {
			t.Errorf("%s: %+v", method, o)
		}
	}
	var events, orders int
	if err := c.db.QueryRow(t.Context(), `select (select count(*) from payment_events), (select count(*) from orders)`).Scan(&events, &orders); err != nil || orders != 4 {
		t.Errorf("%d events, %d orders, %v", events, orders, err)
	}
	c.deliver()
	var later int
	if err := c.db.QueryRow(t.Context(), `select count(*) from payment_events`).Scan(&later); err != nil || later != events {
		t.Errorf("%d events, then %d, %v", events, later, err)
	}
	c.inventory()
}

func TestStripesWebhook(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()
	o, _ := c.act(fan, c.hold(fan, 1))
	page, err := url.Parse(o.Action)
	if err != nil {
		t.Fatal(err)
	}
	attempt := strings.TrimPrefix(page.Path, sandbox.PagePath)
	event := func(id, attempt string) string {
		return fmt.Sprintf(`{"id":%q,"object":"event","created":%d,"data":{"object":{"object":"payment_intent","id":"pi_1","status":"requires_capture","metadata":{"ropeline_attempt":%q}}}}`,
			id, time.Now().Unix(), attempt)
	}
	send := func(secret string, at time.Time, body string, headers ...string) answer {
		t.Helper()
		return c.do(http.MethodPost, "/api/v1/webhooks/stripe", "", body, append([]string{"Stripe-Signature", signature.Make(secret, at, []byte(body))}, headers...)...)
	}
	result := func(a answer) string {
		t.Helper()
		var said struct{ Result string }
		if a.Status == http.StatusOK {
			a.is(http.StatusOK, &said)
		} else {
			var p ropeline.Problem
			if err := json.Unmarshal(a.Body, &p); err != nil || p.Status != a.Status {
				t.Errorf("answered %d %s", a.Status, a.Body)
			}
			said.Result = fmt.Sprint(p.Status, " ", strings.TrimPrefix(p.Type, ropeline.ProblemType))
		}
		return said.Result
	}
	now, good := time.Now(), event("evt_1", attempt)
	forged := "400 webhook-signature-invalid"
	for _, x := range []struct{ what, got, want string }{
		{"no signature", result(c.do(http.MethodPost, "/api/v1/webhooks/stripe", "", good)), forged},
		{"another secret", result(send("whsec_mallory", now, good)), forged},
		{"no secret", result(send("", now, good)), forged},
		{"an old one", result(send("whsec_new", now.Add(-time.Hour), good)), forged},
		{"the sandbox's", result(c.do(http.MethodPost, "/api/v1/webhooks/stripe", "", good, "Sandbox-Signature", signature.Make("whsec_sandbox", now, []byte(good)))), forged},
		{"another body", result(c.do(http.MethodPost, "/api/v1/webhooks/stripe", "", good+" ", "Stripe-Signature", signature.Make("whsec_new", now, []byte(good)))), forged},
		{"packed", result(send("whsec_new", now, good, "Content-Encoding", "gzip")), "415 body-encoded"},
		{"too large", result(c.announce(http.MethodPost, "/api/v1/webhooks/stripe", "", ropeline.MaxBody+1)), "413 body-too-large"},
		{"of no use", result(send("whsec_new", now, `{"id":"evt_0"`)), "400 webhook-unreadable"},
		{"of another kind", result(send("whsec_new", now, `{"id":"evt_0","data":{"object":{"object":"customer"}}}`)), "foreign"},
		{"of somebody else", result(send("whsec_new", now, event("evt_2", uuid.NewString()))), "unknown"},
		{"good", result(send("whsec_new", now, good)), "done"},
		{"again", result(send("whsec_new", now, good)), "again"},
		{"again, signed anew with the old secret", result(send("whsec_old", now, good)), "again"},
		{"good, with the old secret", result(send("whsec_old", now, event("evt_3", attempt), "Content-Type", "text/plain; charset=x")), "done"},
	} {
		if x.got != x.want {
			t.Errorf("%s: %s, want %s", x.what, x.got, x.want)
		}
	}
	// It said that the amount is reserved; the provider says that it is not.
	c.get("/api/v1/orders/"+o.ID, o.Key).is(http.StatusOK, &o)
	if o.State != "pending" {
		t.Errorf("order %+v", o)
	}
}

// A core that has no business with a provider has no path for it.
func TestNoWebhookOfAnotherProvider(t *testing.T) {
	t.Parallel()
	s := &server{}
	if _, err := s.hear(t.Context(), "stripe", &cry{}); err == nil || err.Error() != ropeline.ErrRouteUnknown.Error() {
		t.Errorf("%v, want route-unknown", err)
	}
	if _, err := s.showSandboxPayment(t.Context(), &attemptID{uuid.NewString()}); err == nil || err.Error() != ropeline.ErrRouteUnknown.Error() {
		t.Errorf("%v, want route-unknown", err)
	}
}
