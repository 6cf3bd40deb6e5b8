package stripe_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/paymenttest"
	"github.com/ropeline/ropeline/booking/payment/stripe"
	"github.com/ropeline/ropeline/booking/payment/stripe/stripetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// account is the adapter on a fake Stripe of its own, with stripe-mock looking
// at each request.
type account struct {
	*stripe.Provider
	fake  *stripetest.Server
	url   string
	shape *shape
}

func open(t *testing.T, hook stripetest.Hook) *account {
	t.Helper()
	a := &account{fake: stripetest.New(hook)}
	srv := httptest.NewServer(a.fake)
	t.Cleanup(srv.Close)
	a.url = srv.URL
	checker, err := mock()
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	a.shape = &shape{tb: t, next: transport, mock: checker, seen: map[string]int{}}
	a.Provider, err = stripe.Open(stripe.Config{
		KeyFile: file(t, stripetest.Key+"\n"), SecretFile: file(t, "whsec_old\n"+stripetest.Secret+"\n"),
		URL: srv.URL, Now: a.fake.Now, Transport: a.shape,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func deaf(context.Context, http.Header, []byte) error { return nil }

func charge(t *testing.T, method string) payment.Charge {
	t.Helper()
	id, err := booking.NewID()
	if err != nil {
		t.Fatal(err)
	}
	return payment.Charge{Attempt: id, Amount: booking.Money{Amount: 4500, Currency: "EUR"}, Method: method}
}

// paid checks what Stripe has reserved and taken.
func (a *account) paid(t *testing.T, reserved, taken int64) {
	t.Helper()
	if r, k := a.fake.Paid(); r != reserved || k != taken {
		t.Errorf("Stripe has %d reserved and %d taken, want %d and %d", r, k, reserved, taken)
	}
}

func is(t *testing.T, step string, want payment.State, got payment.Payment, err error) {
	t.Helper()
	if err != nil || got.State != want {
		t.Fatalf("%s: %+v, %v; want %s", step, got, err, want)
	}
}

// Each call of the adapter has passed stripe-mock when this is over.
func TestConformance(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	paymenttest.Run(t, func(t *testing.T, ear *paymenttest.Ear) paymenttest.Subject {
		a := open(t, ear.Hear)
		t.Cleanup(func() { maps.Copy(seen, a.shape.seen) })
		return paymenttest.Subject{
			Provider: a.Provider,
			Cards: paymenttest.Cards{
				OK: stripetest.Visa, Declined: stripetest.Declined, Action: stripetest.Action, Timeout: stripetest.Timeout,
				Error: stripetest.Error, Lost: stripetest.Lost, CaptureLost: stripetest.CaptureLost, Twice: stripetest.Twice,
				Early: stripetest.Early, Disputed: stripetest.Disputed, Inquiry: stripetest.Inquiry, Unknown: "pm_of_nobody",
			},
			Deliver: a.fake.Deliver,
			Confirm: func(_ context.Context, _ payment.Charge, p payment.Payment, yes bool) error {
				return a.fake.Confirm(p.Ref, yes)
			},
			Account:    stripetest.Organizer,
			SetCharges: func(_ context.Context, account string, can bool) error { a.fake.SetCharges(account, can); return nil },
			Earned:     func(context.Context) (int64, error) { return a.fake.Earned(), nil },
			RefundByHand: func(_ context.Context, p payment.Payment, amount int64) error {
				return a.fake.RefundByHand(p.Ref, amount)
			},
			SendBack: func(_ context.Context, r payment.Refunded) error { return a.fake.SendBack(r.Ref) },
			Judge:    func(_ context.Context, p payment.Payment, won bool) error { return a.fake.Judge(p.Ref, won) },
			Now:      a.fake.Now,
			Later:    a.fake.Later,
		}
	})
	if asked := slices.Sorted(maps.Keys(seen)); !slices.Equal(asked, calls) {
		t.Errorf("asked of Stripe:\n%s\nwant\n%s", strings.Join(asked, "\n"), strings.Join(calls, "\n"))
	}
}

// A purchase is two requests; a decline is two, the second of which makes sure
// that nobody pays later.
func TestWhatAPurchaseAsksOfStripe(t *testing.T) {
	t.Parallel()
	a := open(t, deaf)
	c := charge(t, stripetest.Visa)
	p, err := a.Authorize(t.Context(), c)
	is(t, "authorize", payment.Authorized, p, err)
	c.Ref = p.Ref
	p, err = a.Capture(t.Context(), c)
	is(t, "capture", payment.Captured, p, err)
	if n := a.shape.count(); n != 2 {
		t.Errorf("a purchase took %d requests", n)
	}
	a.paid(t, 0, 4500)
	p, err = a.Authorize(t.Context(), charge(t, stripetest.Declined))
	is(t, "a bad card", payment.Declined, p, err)
	if n := a.shape.count(); n != 4 {
		t.Errorf("a decline took %d requests", n-2)
	}
}

// Stripe keeps a 500 as the answer to the key although the payment went
// through: nothing may be concluded until search has it.
func TestTheAnswerThatIsKeptIsAnError(t *testing.T) {
	t.Parallel()
	a := open(t, deaf)
	c := charge(t, stripetest.SavedFailure)
	if p, err := a.Authorize(t.Context(), c); err == nil {
		t.Fatalf("answered %+v", p)
	}
	for _, call := range []func(context.Context, payment.Charge) (payment.Payment, error){a.Find, a.Void, a.Capture} {
		if p, err := call(t.Context(), c); err == nil || errors.Is(err, payment.ErrNone) {
			t.Errorf("before search has it: %+v, %v; want an error", p, err)
		}
	}
	a.paid(t, 4500, 0)
	a.fake.Later(2 * time.Minute)
	p, err := a.Void(t.Context(), c)
	is(t, "void", payment.Voided, p, err)
	a.paid(t, 0, 0)
}

// The fan's browser can pay with another card after the first was declined, if
// the bank had asked for an action. Not any more once we have said Declined.
func TestNobodyPaysWhatWasDeclined(t *testing.T) {
	t.Parallel()
	a := open(t, deaf)
	ask := func() (payment.Charge, string) {
		c := charge(t, stripetest.ActionBad)
		c.Return = "https://tickets.example.org/back"
		p, err := a.Authorize(t.Context(), c)
		is(t, "authorize", payment.NeedsAction, p, err)
		if err := a.fake.Confirm(p.Ref, true); err != nil {
			t.Fatal(err)
		}
		return c, p.Ref
	}
	c, id := ask()
	if err := a.fake.Retry(id); err != nil {
		t.Fatal(err)
	}
	p, err := a.Find(t.Context(), c)
	is(t, "the fan was quicker", payment.Authorized, p, err)
	p, err = a.Void(t.Context(), c)
	is(t, "let go", payment.Voided, p, err)

	c, id = ask()
	p, err = a.Find(t.Context(), c)
	is(t, "we were quicker", payment.Declined, p, err)
	if err := a.fake.Retry(id); err == nil {
		t.Error("paid after we said that it was declined")
	}
	a.paid(t, 0, 0)
}

// A call that was on its way while Find found nothing reserves nothing, however
// late it comes.
func TestALateCallReservesNothing(t *testing.T) {
	t.Parallel()
	a := open(t, deaf)
	c := charge(t, stripetest.Visa)
	for _, later := range []time.Duration{0, time.Hour, 25 * time.Hour, 25 * time.Hour} {
		a.fake.Later(later)
		if p, err := a.Find(t.Context(), c); !errors.Is(err, payment.ErrNone) {
			t.Errorf("%+v, %v; want none", p, err)
		}
		if p, err := a.Authorize(t.Context(), c); err == nil {
			t.Errorf("authorized late: %+v", p)
		}
	}
	a.paid(t, 0, 0)
	for p, err := range a.Since(t.Context(), "", time.Unix(0, 0)) {
		t.Errorf("the books say %+v, %v", p, err)
	}
}

// At each age one payment is found, by key or by search.
func TestAnAttemptIsFoundAtEachAge(t *testing.T) {
	t.Parallel()
	a := open(t, deaf)
	c := charge(t, stripetest.Lost)
	_, err := a.Authorize(t.Context(), c)
	if err == nil {
		t.Fatal("the answer was not lost")
	}
	for _, later := range []time.Duration{0, time.Minute, 11 * time.Hour, 2 * time.Hour, 11 * time.Hour, 26 * time.Hour} {
		a.fake.Later(later)
		p, err := a.Find(t.Context(), c)
		is(t, later.String()+" later", payment.Authorized, p, err)
		again, err := a.Authorize(t.Context(), c)
		is(t, later.String()+" later, again", payment.Authorized, again, err)
	}
	a.paid(t, 4500, 0)
}

// Whatever Stripe's trouble is, it is not taken for an answer.
func TestTroubleIsNoAnswer(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("somebody else was asked, with %s", r.Header.Get("Authorization"))
	}))
	t.Cleanup(elsewhere.Close)
	for name, trouble := range map[string]http.HandlerFunc{
		"500":           answering(500, `{"error":{"type":"api_error","message":"An error"}}`),
		"page":          answering(502, `<html>Bad gateway</html>`),
		"429":           answering(429, `{"error":{"type":"invalid_request_error","code":"rate_limit","message":"Slow down"}}`),
		"lock":          answering(429, `{"error":{"type":"invalid_request_error","code":"lock_timeout","message":"Busy"}}`),
		"wrong key":     answering(401, `{"error":{"type":"invalid_request_error","message":"Invalid API Key provided"}}`),
		"not allowed":   answering(403, `{"error":{"type":"invalid_request_error","message":"The provided key does not have access"}}`),
		"no such path":  answering(404, `{"error":{"type":"invalid_request_error","message":"Unrecognized request URL"}}`),
		"empty":         answering(200, ``),
		"no intent":     answering(200, `{}`),
		"half":          answering(200, `{"id":"pi_1","sta`),
		"new status":    answering(200, `{"id":"pi_1","object":"payment_intent","status":"requires_patience"}`),
		"processing":    answering(200, `{"id":"pi_1","object":"payment_intent","status":"processing"}`),
		"too many":      answering(200, strings.Repeat("[", 20_000)),
		"no connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(trouble)
			t.Cleanup(srv.Close)
			transport := &http.Transport{}
			t.Cleanup(transport.CloseIdleConnections)
			p, err := stripe.Open(stripe.Config{KeyFile: file(t, stripetest.Key), URL: srv.URL, Now: time.Now, Transport: transport})
			if err != nil {
				t.Fatal(err)
			}
			known := charge(t, stripetest.Visa)
			known.Ref = "pi_1"
			for call, do := range map[string]func() (payment.Payment, error){
				"authorize": func() (payment.Payment, error) { return p.Authorize(t.Context(), charge(t, stripetest.Visa)) },
				"find":      func() (payment.Payment, error) { return p.Find(t.Context(), known) },
				"capture":   func() (payment.Payment, error) { return p.Capture(t.Context(), known) },
				"void":      func() (payment.Payment, error) { return p.Void(t.Context(), known) },
				"refund": func() (payment.Payment, error) {
					return refunded(p.Refund(t.Context(), known, payment.Refund{ID: known.Attempt, Amount: known.Amount}))
				},
				"books":             func() (payment.Payment, error) { return first(t, p) },
				"authorize, by ref": func() (payment.Payment, error) { return p.Authorize(t.Context(), known) },
			} {
				got, err := do()
				quiet := call == "books" && (name == "no intent" || name == "new status" || name == "processing") // no list, so an empty one
				if err == nil && !quiet || errors.Is(err, payment.ErrNone) || errors.Is(err, payment.ErrMethodUnknown) || errors.Is(err, payment.ErrNotRefundable) {
					t.Errorf("%s: %+v, %v; want an error that says nothing", call, got, err)
				}
			}
		})
	}
}

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func refunded(r payment.Refunded, err error) (payment.Payment, error) {
	return payment.Payment{Ref: r.Ref}, err
}

func first(t *testing.T, p *stripe.Provider) (payment.Payment, error) {
	for got, err := range p.Since(t.Context(), "", time.Unix(0, 0)) {
		return got, err
	}
	return payment.Payment{}, nil
}

func TestOpenRefusesWhatIsNoSecret(t *testing.T) {
	t.Parallel()
	good := file(t, "rk_live_51\n")
	if _, err := stripe.Open(stripe.Config{KeyFile: good, SecretFile: file(t, "whsec_a\nwhsec_b\n"), Now: time.Now}); err != nil {
		t.Errorf("a restricted key, and two secrets: %v", err)
	}
	for what, c := range map[string]stripe.Config{
		"no file":             {KeyFile: filepath.Join(t.TempDir(), "gone")},
		"empty":               {KeyFile: file(t, "\n")},
		"the publishable key": {KeyFile: file(t, "pk_live_51")},
		"two keys":            {KeyFile: file(t, "sk_live_1\nsk_live_2\n")},
		"no file of secrets":  {KeyFile: good, SecretFile: filepath.Join(t.TempDir(), "gone")},
		"not a secret":        {KeyFile: good, SecretFile: file(t, "whsec_a\nsk_live_51\n")},
	} {
		if _, err := stripe.Open(c); err == nil {
			t.Errorf("%s: accepted", what)
		} else if strings.Contains(err.Error(), "_live_") {
			t.Errorf("%s: the error tells the secret: %v", what, err)
		}
	}
}

// Errors are for logs: neither key nor client secret is in them.
func TestErrorsTellNoSecret(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(answering(402, `{"error":{"type":"card_error","code":"card_declined","message":"Declined.",
		"payment_intent":{"id":"pi_1","client_secret":"pi_1_secret_x","status":"requires_capture"}}}`))
	t.Cleanup(srv.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	p, err := stripe.Open(stripe.Config{KeyFile: file(t, stripetest.Key), URL: srv.URL, Now: time.Now, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	c := charge(t, stripetest.Visa)
	c.Ref = "pi_1"
	_, err = p.Capture(t.Context(), c)
	if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), stripetest.Key) || !strings.Contains(err.Error(), "card_declined") {
		t.Errorf("the error says: %v", err)
	}
}

// What the fake answers has no field that Stripe's objects lack.
func TestFakeHasStripesFields(t *testing.T) {
	t.Parallel()
	a := open(t, deaf)
	c := charge(t, stripetest.Visa)
	if _, err := a.Authorize(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Capture(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Refund(t.Context(), c, payment.Refund{ID: charge(t, "").Attempt, Amount: booking.Money{Amount: 100, Currency: "EUR"}}); err != nil {
		t.Fatal(err)
	}
	for kind, path := range map[string]string{"payment_intent": "/v1/payment_intents?expand[0]=data.latest_charge", "refund": "/v1/refunds?payment_intent=pi_000000000000000000000001"} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+stripetest.Key)
		a.fake.ServeHTTP(w, r)
		var list struct {
			Data []map[string]any `json:"data"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list.Data) == 0 {
			t.Fatalf("%s: %s, %v", path, w.Body, err)
		}
		checkFields(t, kind, list.Data[0])
		if charge, ok := list.Data[0]["latest_charge"].(map[string]any); ok {
			checkFields(t, "charge", charge)
		}
	}
}
