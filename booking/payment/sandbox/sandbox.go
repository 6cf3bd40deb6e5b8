// Package sandbox is a payment provider without money, for development and
// tests. What it does is chosen by the payment method, as with a real
// provider's test cards.
//
// It keeps its own books in Postgres, in transactions of its own, and behaves
// like a foreign system: it shares no transaction with an order, it may know of
// a payment whose answer never arrived, and audits compare it with our orders.
// It has no webhooks, no fees and no refunds.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
)

// The payment methods.
const (
	OK       = "sandbox_ok"       // authorized at once
	Declined = "sandbox_declined" // refused
	Slow     = "sandbox_slow"     // authorized after two seconds
	Error    = "sandbox_error"    // fails before anything is recorded
	Lost     = "sandbox_lost"     // authorized, but the answer is an error
)

// slow is how long Slow takes.
const slow = 2 * time.Second

// ErrBroken is what Error and Lost answer.
var ErrBroken = errors.New("sandbox: the connection broke, as the method asks")

// Provider is the sandbox.
type Provider struct {
	db *pgxpool.Pool
}

var _ payment.Provider = (*Provider)(nil)

// New returns a Provider whose books are in db.
func New(db *pgxpool.Pool) *Provider { return &Provider{db: db} }

// Authorize does what the method says. An attempt that is known already is
// answered as it stands.
func (p *Provider) Authorize(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	state := payment.Authorized
	switch c.Method {
	case OK, Lost:
	case Declined:
		state = payment.Declined
	case Slow:
		select {
		case <-ctx.Done():
			return payment.Payment{}, ctx.Err()
		case <-time.After(slow):
		}
	case Error:
		return payment.Payment{}, ErrBroken
	default:
		return payment.Payment{}, payment.ErrMethodUnknown
	}
	id, err := booking.NewID()
	if err != nil {
		return payment.Payment{}, err
	}
	_, err = p.db.Exec(ctx, `
		insert into sandbox_payments (id, attempt_id, amount, currency, state) values ($1, $2, $3, $4, $5)
		on conflict (attempt_id) do nothing`, id, c.Attempt, c.Amount.Amount, c.Amount.Currency, state)
	if err != nil {
		return payment.Payment{}, fmt.Errorf("sandbox: authorizing %s: %w", c.Attempt, err)
	}
	if c.Method == Lost {
		return payment.Payment{}, ErrBroken
	}
	return p.Find(ctx, c.Attempt)
}

// Capture takes an authorized payment.
func (p *Provider) Capture(ctx context.Context, attempt string) (payment.Payment, error) {
	return p.move(ctx, attempt, payment.Captured)
}

// Void lets an authorized payment go.
func (p *Provider) Void(ctx context.Context, attempt string) (payment.Payment, error) {
	return p.move(ctx, attempt, payment.Voided)
}

func (p *Provider) move(ctx context.Context, attempt string, to payment.State) (payment.Payment, error) {
	_, err := p.db.Exec(ctx, `
		update sandbox_payments set state = $2, updated_at = now()
		where attempt_id = $1 and state = 'authorized'`, attempt, to)
	if err != nil {
		return payment.Payment{}, fmt.Errorf("sandbox: %s: to be %s: %w", attempt, to, err)
	}
	return p.Find(ctx, attempt)
}

// Find reads an attempt's payment.
func (p *Provider) Find(ctx context.Context, attempt string) (payment.Payment, error) {
	var f payment.Payment
	err := p.db.QueryRow(ctx, `
		select id, state, amount, currency from sandbox_payments where attempt_id = $1`, attempt,
	).Scan(&f.Ref, &f.State, &f.Amount.Amount, &f.Amount.Currency)
	if errors.Is(err, pgx.ErrNoRows) {
		return payment.Payment{}, payment.ErrNone
	}
	if err != nil {
		return payment.Payment{}, fmt.Errorf("sandbox: finding %s: %w", attempt, err)
	}
	return f, nil
}
