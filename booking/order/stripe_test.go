package order_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/stripe"
	"github.com/ropeline/ropeline/booking/payment/stripe/stripetest"
)

// openStripe is a desk whose payments go to a fake of Stripe.
func openStripe(t *testing.T) (*desk, *stripetest.Server) {
	t.Helper()
	d := open(t)
	var p *stripe.Provider
	fake := stripetest.New(func(ctx context.Context, header http.Header, body []byte) error {
		e, err := p.Event(header, body)
		if err == nil {
			_, _, err = d.Hear(ctx, e)
		}
		return err
	})
	srv := httptest.NewServer(fake)
	t.Cleanup(srv.Close)
	key, secret := filepath.Join(t.TempDir(), "stripe.key"), filepath.Join(t.TempDir(), "webhook.secrets")
	if err := errors.Join(os.WriteFile(key, []byte(stripetest.Key), 0o600), os.WriteFile(secret, []byte("whsec_old\n"+stripetest.Secret+"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	var err error
	p, err = stripe.Open(stripe.Config{KeyFile: key, SecretFile: secret, URL: srv.URL, Now: fake.Now, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	d.provider.Provider = p
	return d, fake
}

// paid checks what Stripe has reserved and taken.
func (d *desk) paid(fake *stripetest.Server, reserved, taken int64) {
	d.t.Helper()
	if r, k := fake.Paid(); r != reserved || k != taken {
		d.t.Errorf("Stripe has %d reserved and %d taken, want %d and %d", r, k, reserved, taken)
	}
}

const (
	price        = 2 * 7500
	soldByStripe = "attempts done; orders paid; tickets 3:valid,4:valid; payments -; ledger placed,authorized,captured; redis sold 2"
)

// A declined card costs nothing but the try, and a lost answer not even that.
func TestCheckoutWithStripe(t *testing.T) {
	t.Parallel()
	for _, method := range []string{stripetest.Visa, stripetest.Lost} {
		d, fake := openStripe(t)
		h := d.hold("s1", 3, 4)
		for bad, want := range map[string]error{stripetest.Declined: order.ErrDeclined, stripetest.Action: order.ErrDeclined, "pm_of_nobody": order.ErrMethod, "4242424242424242": order.ErrMethod} {
			if _, err := d.Checkout(t.Context(), d.request(h, bad)); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", bad, err, want)
			}
			d.paid(fake, 0, 0)
		}
		if _, err := d.Checkout(t.Context(), d.request(h, method)); err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		d.paid(fake, 0, price)
		if _, err := d.db.Exec(t.Context(), `delete from attempts where state = 'closed'`); err != nil {
			t.Fatal(err)
		}
		d.want(soldByStripe)
	}
}

// Stripe tells that the amount is reserved while we take it, as it does of each payment, and
// that it is taken before we have its answer: one call takes it, and the books say it once.
func TestWhatStripeTellsDuringACapture(t *testing.T) {
	t.Parallel()
	d, fake := openStripe(t)
	deliver := func(call string) error {
		if call != "capture" {
			return nil
		}
		return fake.Deliver(t.Context())
	}
	d.provider.before = deliver
	d.buysBy(stripetest.Visa, "s1", 3, 4)
	if n := d.asks("capture"); n != 1 {
		t.Errorf("told of what is reserved, the provider was asked %d times to take it, want once", n)
	}
	d.paid(fake, 0, price)
	d.want(soldByStripe)
	d.consistent()

	d.provider.before, d.provider.after = nil, deliver
	d.buysBy(stripetest.Visa, "s2", 5, 6)
	d.paid(fake, 0, 2*price)
	d.count(`select count(*) from order_ledger where entry = 'captured'`, 2)
	d.count(`select count(*) from payment_events`, 4)
	d.consistent()
}

// Stripe has captured and its answer is lost: the settler finds that out.
func TestCaptureThatStripeAnsweredToNobody(t *testing.T) {
	t.Parallel()
	d, fake := openStripe(t)
	o, err := d.Checkout(t.Context(), d.request(d.hold("s1", 3, 4), stripetest.CaptureLost))
	if err != nil || o.State != order.Pending {
		t.Fatalf("%+v, %v; want pending", o, err)
	}
	d.settle(1)
	d.paid(fake, 0, price)
	d.want(soldByStripe)
}

// Stripe has reserved, keeps an error as its answer, and cannot be searched for
// it yet: the attempt stays open until the money is let go.
func TestMoneyThatStripeCannotFindYetIsLetGoLater(t *testing.T) {
	t.Parallel()
	d, fake := openStripe(t)
	h := d.hold("s1", 3, 4)
	if _, err := d.Checkout(t.Context(), d.request(h, stripetest.SavedFailure)); !errors.Is(err, order.ErrUnavailable) {
		t.Fatalf("%v, want payment-unavailable", err)
	}
	d.settle(1)
	d.want("attempts voiding; orders -; tickets -; payments -; ledger -; redis sold 0 held")
	d.paid(fake, price, 0)
	fake.Later(2 * time.Minute)
	d.settle(1)
	d.want("attempts closed; orders -; tickets -; payments -; ledger -; redis sold 0 held")
	d.paid(fake, 0, 0)
	if _, err := d.Checkout(t.Context(), d.request(h, stripetest.Visa)); err != nil {
		t.Errorf("the fan tries again: %v", err)
	}
}
