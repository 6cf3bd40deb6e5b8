package sandbox_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

func charge(method string) payment.Charge {
	return payment.Charge{Attempt: uuid.NewString(), Amount: booking.Money{Amount: 4500, Currency: "EUR"}, Method: method}
}

// Whatever is asked twice is answered the second time as the first time, and a
// final state stays.
func TestProviderIsIdempotentByAttempt(t *testing.T) {
	t.Parallel()
	p, ctx := sandbox.New(devtest.Postgres(t)), t.Context()
	c := charge(sandbox.OK)
	if _, err := p.Find(ctx, c.Attempt); !errors.Is(err, payment.ErrNone) {
		t.Fatalf("before: %v, want no payment", err)
	}
	first, err := p.Authorize(ctx, c)
	if err != nil || first.State != payment.Authorized || first.Amount != c.Amount || first.Ref == "" {
		t.Fatalf("authorized %+v, %v", first, err)
	}
	c.Method = sandbox.Declined // a repeat does not get a second opinion
	for name, step := range map[string]func(context.Context, string) (payment.Payment, error){
		"find":      p.Find,
		"authorize": func(ctx context.Context, _ string) (payment.Payment, error) { return p.Authorize(ctx, c) },
	} {
		if again, err := step(ctx, c.Attempt); err != nil || again != first {
			t.Errorf("%s again: %+v, %v", name, again, err)
		}
	}
	for _, step := range []func(context.Context, string) (payment.Payment, error){p.Capture, p.Capture, p.Void, p.Find} {
		if now, err := step(ctx, c.Attempt); err != nil || now.State != payment.Captured || now.Ref != first.Ref {
			t.Errorf("after the capture: %+v, %v", now, err)
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	p := sandbox.New(devtest.Postgres(t))
	for _, c := range []struct {
		method string
		err    error
		found  payment.State // "" for none
		took   time.Duration
	}{
		{sandbox.OK, nil, payment.Authorized, 0},
		{sandbox.Declined, nil, payment.Declined, 0},
		{sandbox.Slow, nil, payment.Authorized, 2 * time.Second},
		{sandbox.Error, sandbox.ErrBroken, "", 0},
		{sandbox.Lost, sandbox.ErrBroken, payment.Authorized, 0},
		{"visa", payment.ErrMethodUnknown, "", 0},
	} {
		t.Run(c.method, func(t *testing.T) {
			t.Parallel()
			charge, start := charge(c.method), time.Now()
			if _, err := p.Authorize(t.Context(), charge); !errors.Is(err, c.err) {
				t.Errorf("answered %v, want %v", err, c.err)
			}
			if took := time.Since(start); took < c.took {
				t.Errorf("took %v, want at least %v", took, c.took)
			}
			if got, err := p.Find(t.Context(), charge.Attempt); got.State != c.found || (err != nil) != (c.found == "") {
				t.Errorf("found %+v, %v; want %q", got, err, c.found)
			}
		})
	}
}

func TestVoidedOrDeclinedIsNeverCaptured(t *testing.T) {
	t.Parallel()
	p, ctx := sandbox.New(devtest.Postgres(t)), t.Context()
	for _, c := range []struct {
		method string
		want   payment.State
	}{{sandbox.OK, payment.Voided}, {sandbox.Declined, payment.Declined}} {
		charge := charge(c.method)
		if _, err := p.Authorize(ctx, charge); err != nil {
			t.Fatal(err)
		}
		for _, step := range []func(context.Context, string) (payment.Payment, error){p.Void, p.Capture, p.Find} {
			if now, err := step(ctx, charge.Attempt); err != nil || now.State != c.want {
				t.Errorf("%s: %+v, %v; want %s", c.method, now, err, c.want)
			}
		}
	}
	if _, err := p.Capture(ctx, uuid.NewString()); !errors.Is(err, payment.ErrNone) {
		t.Errorf("capture of nothing: %v", err)
	}
}

func TestSlowEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p := sandbox.New(devtest.Postgres(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Authorize(ctx, charge(sandbox.Slow)); !errors.Is(err, context.Canceled) {
		t.Errorf("answered %v, want canceled", err)
	}
}
