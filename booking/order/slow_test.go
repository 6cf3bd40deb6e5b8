package order_test

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// A settler takes a request for dead that is only slow, and closes its attempt
// before the provider has authorized. The request notices and lets the money
// go; nothing is sold.
func TestSlowRequestIsOvertakenBySettler(t *testing.T) {
	t.Parallel()
	d := open(t)
	once := sync.OnceFunc(func() { d.settle(1) })
	d.provider.before = func(call string) error {
		if call == "authorize" {
			once()
		}
		return nil
	}
	h := d.hold("s1", 3, 4)
	if _, err := d.Checkout(t.Context(), d.request(h, sandbox.OK)); !errors.Is(err, order.ErrFailed) {
		t.Fatalf("overtaken: %v, want payment-failed", err)
	}
	d.want(released + " held")
	d.provider.before = nil
	if _, err := d.Checkout(t.Context(), d.request(h, sandbox.OK)); err != nil {
		t.Fatalf("the fan tries again: %v", err)
	}
}

// As above, and the provider does not let go either: the attempt is open again
// until a settler has seen to it, and its outcome stays what it was.
func TestMoneyOfAnOvertakenRequestIsLetGoLater(t *testing.T) {
	t.Parallel()
	d := open(t)
	once := sync.OnceFunc(func() { d.settle(1) })
	d.provider.before = func(call string) error {
		switch call {
		case "authorize":
			once()
		case "void":
			return errors.New("the provider is on fire")
		}
		return nil
	}
	r := d.request(d.hold("s1", 3, 4), sandbox.OK)
	if _, err := d.Checkout(t.Context(), r); !errors.Is(err, order.ErrFailed) {
		t.Fatalf("overtaken: %v, want payment-failed", err)
	}
	d.want("attempts voiding; orders -; tickets -; payments authorized; ledger -; redis sold 0 held")
	d.provider.before = nil
	d.settle(1)
	d.want(released + " held")
	if _, err := d.Checkout(t.Context(), r); !errors.Is(err, order.ErrFailed) {
		t.Errorf("the same key later: %v, want payment-failed", err)
	}
}

// timed notes how long each call may take, and loses the answer to Authorize.
type timed struct {
	payment.Provider
	left map[string]time.Duration
	ends map[string]time.Time
}

func (p *timed) note(ctx context.Context, call string) {
	p.ends[call], _ = ctx.Deadline()
	p.left[call] = time.Until(p.ends[call])
}

func (p *timed) Authorize(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	p.note(ctx, "authorize")
	_, err := p.Provider.Authorize(ctx, c)
	return payment.Payment{}, errors.Join(err, context.DeadlineExceeded)
}

func (p *timed) Find(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	p.note(ctx, "find")
	return p.Provider.Find(ctx, c)
}

// The call of the provider has taken all of its time: the question what became
// of it has a time of its own, and both end before a settler takes over.
func TestSecondLookHasATimeOfItsOwn(t *testing.T) {
	t.Parallel()
	d := open(t)
	p := &timed{d.provider, map[string]time.Duration{}, map[string]time.Time{}}
	desk := order.NewDesk(order.Config{Store: d.store, Catalogue: d.shows, Holds: d.holds, Provider: p,
		Key: make([]byte, 32), Random: rand.Reader, Log: d.log()})
	if _, err := desk.Checkout(t.Context(), d.request(d.hold("s1", 3, 4), sandbox.OK)); err != nil {
		t.Fatalf("authorized, answer late: %v", err)
	}
	if p.left["find"] <= 0 || p.ends["find"].Equal(p.ends["authorize"]) {
		t.Errorf("the second look has %v left, of the time of the first", p.left["find"])
	}
	if sum := p.left["authorize"] + p.left["find"]; sum >= order.Idle {
		t.Errorf("both may take %v, a settler comes after %v", sum, order.Idle)
	}
	d.want(sold)
}
