package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/paymenttest"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

func charge(method string) payment.Charge {
	return payment.Charge{Attempt: uuid.NewString(), Amount: booking.Money{Amount: 4500, Currency: "EUR"}, Method: method}
}

// clock runs ahead of Postgres's, which rules in the books: there the past
// moves back instead.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) later(t *testing.T, db *pgxpool.Pool, d time.Duration) {
	t.Helper()
	c.ahead.Add(int64(d))
	_, err := db.Exec(context.Background(), `update sandbox_payments set created_at = created_at - make_interval(secs => $1)`, d.Seconds())
	if err != nil {
		t.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	db := devtest.Postgres(t)
	paymenttest.Run(t, func(t *testing.T, ear *paymenttest.Ear) paymenttest.Subject {
		if _, err := db.Exec(t.Context(), `truncate sandbox_payments, sandbox_refunds, sandbox_disputes, sandbox_accounts`); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(t.Context(), `insert into sandbox_accounts (id) values ('acct_sandbox')`); err != nil {
			t.Fatal(err)
		}
		at := new(clock)
		p := sandbox.New(db).Hooked("whsec_of_the_test", at.now, ear.Hear)
		return paymenttest.Subject{
			Provider: p,
			Cards: paymenttest.Cards{
				OK: sandbox.OK, Declined: sandbox.Declined, Action: sandbox.Action, Timeout: sandbox.Timeout, Error: sandbox.Error,
				Lost: sandbox.Lost, CaptureLost: sandbox.CaptureLost, Twice: sandbox.Twice, Early: sandbox.Early,
				Disputed: sandbox.Disputed, Inquiry: sandbox.Inquiry, Unknown: "sandbox_nonsense",
			},
			Deliver: func(ctx context.Context) error {
				_, err := p.Deliver(ctx)
				return err
			},
			Confirm: func(ctx context.Context, c payment.Charge, _ payment.Payment, yes bool) error {
				return p.Confirm(ctx, c, yes)
			},
			Account:    "acct_sandbox",
			SetCharges: p.SetCharges,
			Earned: func(ctx context.Context) (earned int64, err error) {
				return earned, db.QueryRow(ctx, `select coalesce(sum(fee - (select coalesce(sum(r.fee), 0) from sandbox_refunds r where r.attempt_id = p.attempt_id)), 0)::bigint
					from sandbox_payments p where state = 'captured'`).Scan(&earned)
			},
			RefundByHand: func(ctx context.Context, pay payment.Payment, amount int64) error {
				return p.RefundByHand(ctx, payment.Charge{Ref: pay.Ref}, amount)
			},
			SendBack: func(ctx context.Context, r payment.Refunded) error { return p.SendBack(ctx, r.Ref) },
			Judge:    func(ctx context.Context, pay payment.Payment, won bool) error { return p.Judge(ctx, pay.Attempt, won) },
			Now:      time.Now,
			Later:    func(d time.Duration) { at.later(t, db, d) },
		}
	})
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

// A hook that is away hears everything when it is back, once more if need be.
func TestWebhooksAreSentUntilTheyArrive(t *testing.T) {
	t.Parallel()
	var ear paymenttest.Ear
	away := true
	hook := func(ctx context.Context, h http.Header, body []byte) error {
		if away {
			return errors.New("nobody there")
		}
		return ear.Hear(ctx, h, body)
	}
	p := sandbox.New(devtest.Postgres(t))
	if n, err := p.Deliver(t.Context()); n != 0 || err != nil {
		t.Errorf("without a hook: %d, %v", n, err)
	}
	p = p.Hooked("whsec_of_the_test", time.Now, hook)
	for i := range 3 {
		if _, err := p.Authorize(t.Context(), charge(sandbox.OK)); err != nil {
			t.Fatal(fmt.Sprint(i), err)
		}
	}
	if n, err := p.Deliver(t.Context()); n != 0 || err == nil {
		t.Errorf("nobody there: %d, %v", n, err)
	}
	away = false
	if n, err := p.Deliver(t.Context()); n != 3 || err != nil || len(ear.Take()) != 3 {
		t.Errorf("there again: %d, %v", n, err)
	}
}
