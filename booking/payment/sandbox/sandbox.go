// Package sandbox is a payment provider without money, for development and
// tests. What it does is chosen by the payment method, as with a real
// provider's test cards.
//
// It keeps its own books in Postgres, in transactions of its own, and behaves
// like a foreign system: it shares no transaction with an order, it may know of
// a payment whose answer never arrived, its webhooks are signed and come when
// they come, and audits compare it with our orders. Only disputes cost a fee.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
)

// The payment methods. Each is one card, the same for everybody who pays with it. OK,
// Declined and Action with _NAME behind them, letters and digits, are the card of that
// name, however it is paid with.
const (
	OK          = "sandbox_ok"           // authorized at once
	Declined    = "sandbox_declined"     // refused
	Action      = "sandbox_action"       // authorized when the fan has confirmed
	Slow        = "sandbox_slow"         // authorized after two seconds
	Timeout     = "sandbox_timeout"      // authorized, but no answer until the caller gives up
	Error       = "sandbox_error"        // fails before anything is recorded
	Lost        = "sandbox_lost"         // authorized, but the answer is an error
	CaptureLost = "sandbox_capture_lost" // captured, but the answer is an error
	Twice       = "sandbox_twice"        // each webhook comes twice
	Early       = "sandbox_early"        // the webhook comes before the answer
	Disputed    = "sandbox_disputed"     // the fan's bank wants it back once it is captured
	DisputeWon  = "sandbox_dispute_won"  // the same, and it does not get it
	DisputeLost = "sandbox_dispute_lost" // the same, and it gets it
	Inquiry     = "sandbox_inquiry"      // the fan's bank asks what it was, and takes nothing yet
	GivenBack   = "sandbox_refunded"     // somebody refunds all of it by hand once it is captured
)

const (
	// slow is how long Slow takes.
	slow = 2 * time.Second
	// lapse is how long an amount stays reserved, as with card networks.
	lapse = "7 days"
)

// ErrBroken is what Error, Lost and CaptureLost answer.
var ErrBroken = errors.New("sandbox: the connection broke, as the method asks")

// Provider is the sandbox.
type Provider struct {
	db     *pgxpool.Pool
	now    func() time.Time
	secret string // of webhooks, as is hook; empty: no event is authentic
	hook   Hook
}

var (
	_ payment.Provider = (*Provider)(nil)
	_ payment.Books    = (*Provider)(nil)
	_ payment.Crier    = (*Provider)(nil)
)

// methodOf takes the card's name off a method that may have one.
func methodOf(s string) string {
	for _, m := range []string{OK, Declined, Action} {
		if name, ok := strings.CutPrefix(s, m+"_"); ok && name != "" && !strings.Contains(name, "_") {
			return m
		}
	}
	return s
}

// cardOf is how a card is told from another one.
func cardOf(s string) string {
	if m := methodOf(s); m != s {
		return "card" + s[len(m):]
	}
	return s
}

// New returns a Provider whose books are in db. It sends no webhooks.
func New(db *pgxpool.Pool) *Provider { return &Provider{db: db, now: time.Now} }

// Authorize does what the method says, once an attempt. One that is known
// already is answered as it stands.
func (p *Provider) Authorize(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	state := payment.Authorized
	switch methodOf(c.Method) {
	case OK, Timeout, Lost, CaptureLost, Twice, Early, Disputed, DisputeWon, DisputeLost, Inquiry, GivenBack:
	case Declined:
		state = payment.Declined
	case Action:
		state = payment.NeedsAction
		if c.Return == "" {
			state = payment.Declined
		}
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
	if c.Account != "" {
		if account, err := p.Account(ctx, c.Account); err != nil || !account.Charges {
			return payment.Payment{}, errors.Join(err, payment.ErrAccountClosed)
		}
	}
	id, err := booking.NewID()
	if err != nil {
		return payment.Payment{}, err
	}
	made, err := p.payment(ctx, `
		insert into sandbox_payments (id, attempt_id, amount, currency, state, method, back, account, fee) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		on conflict (attempt_id) do nothing returning `+columns, id, c.Attempt, c.Amount.Amount, c.Amount.Currency, state, c.Method, c.Return, c.Account, c.Fee)
	if errors.Is(err, pgx.ErrNoRows) {
		return p.Find(ctx, c)
	}
	if err != nil {
		return payment.Payment{}, fmt.Errorf("sandbox: authorizing %s: %w", c.Attempt, err)
	}
	if err := p.mishap(ctx, c); err != nil {
		return payment.Payment{}, err
	}
	if c.Method == Early { // of which something may have come already
		return p.Find(ctx, c)
	}
	return made, nil
}

// mishap is what befalls a new payment on the way to its answer.
func (p *Provider) mishap(ctx context.Context, c payment.Charge) error {
	switch c.Method {
	case Lost:
		return ErrBroken
	case Timeout:
		<-ctx.Done()
		return ctx.Err()
	case Early:
		_, err := p.Deliver(ctx)
		return err
	}
	return nil
}

// Capture takes an authorized payment.
func (p *Provider) Capture(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	now, err := p.move(ctx, c, payment.Captured, payment.Authorized)
	if err != nil || now.State != payment.Captured {
		return now, err
	}
	switch now.Card { // which is the method, here
	case Disputed, DisputeWon, DisputeLost, Inquiry:
		if err := p.dispute(ctx, now); err != nil {
			return payment.Payment{}, err
		}
	case GivenBack:
		if err := p.RefundByHand(ctx, c, now.Amount.Amount); err != nil && !errors.Is(err, payment.ErrNotRefundable) {
			return payment.Payment{}, err
		}
		return p.Find(ctx, c)
	}
	return now, nil
}

// Void lets a payment go.
func (p *Provider) Void(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	return p.move(ctx, c, payment.Voided, payment.Authorized, payment.NeedsAction)
}

// Confirm is what a fan does on the page that Payment.Action names.
func (p *Provider) Confirm(ctx context.Context, c payment.Charge, yes bool) error {
	to := payment.Authorized
	if !yes {
		to = payment.Declined
	}
	now, err := p.move(ctx, c, to, payment.NeedsAction)
	if err == nil && now.State != to {
		err = fmt.Errorf("sandbox: confirming %s: it is %s", c.Attempt, now.State)
	}
	return err
}

// move takes a payment from one of some states to another one, and answers
// with what it is then.
func (p *Provider) move(ctx context.Context, c payment.Charge, to payment.State, from ...payment.State) (payment.Payment, error) {
	moved, err := p.payment(ctx, `
		update sandbox_payments set state = $2, updated_at = now()
		where attempt_id = $1 and state = any($3) and created_at > now() - interval '`+lapse+`'
		returning `+columns, c.Attempt, to, from)
	if errors.Is(err, pgx.ErrNoRows) {
		return p.Find(ctx, c)
	}
	if err != nil {
		return payment.Payment{}, fmt.Errorf("sandbox: %s: to be %s: %w", c.Attempt, to, err)
	}
	if moved.Card == CaptureLost && to == payment.Captured { // the card is the method, here
		return payment.Payment{}, ErrBroken
	}
	return moved, nil
}

// payment is the one of which a statement returns the columns.
func (p *Provider) payment(ctx context.Context, sql string, args ...any) (payment.Payment, error) {
	rows, err := p.db.Query(ctx, sql, args...)
	if err != nil {
		return payment.Payment{}, err
	}
	return pgx.CollectExactlyOneRow(rows, scan)
}

// columns are those of a payment as it stands now.
const columns = `id, attempt_id, amount, currency, refunded, created_at, method, back,
	case when state in ('authorized', 'needs_action') and created_at <= now() - interval '` + lapse + `' then 'voided' else state end`

func scan(row pgx.CollectableRow) (f payment.Payment, err error) {
	var back string
	err = row.Scan(&f.Ref, &f.Attempt, &f.Amount.Amount, &f.Amount.Currency, &f.Refunded, &f.CreatedAt, &f.Card, &back, &f.State)
	f.CreatedAt, f.Card = f.CreatedAt.UTC(), cardOf(f.Card)
	if f.State == payment.NeedsAction {
		f.Action = pageOf(f.Attempt, back)
	}
	return f, err
}

// Find reads an attempt's payment.
func (p *Provider) Find(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	where, id := `attempt_id = $1`, c.Attempt
	if id == "" {
		where, id = `id = $1`, c.Ref
	}
	f, err := p.payment(ctx, `select `+columns+` from sandbox_payments where `+where, id)
	if errors.Is(err, pgx.ErrNoRows) {
		if c.Ref != "" { // it was made by another provider: nothing may be concluded
			return payment.Payment{}, fmt.Errorf("sandbox: payment %.40q is not in the books", c.Ref)
		}
		return payment.Payment{}, payment.ErrNone
	}
	if err != nil {
		return payment.Payment{}, fmt.Errorf("sandbox: finding %s: %w", c.Attempt, err)
	}
	return f, nil
}

// page is how many payments Since reads at once.
const page = 500

// Since reads the books in pages: no connection is held while the caller works.
func (p *Provider) Since(ctx context.Context, account string, from time.Time) iter.Seq2[payment.Payment, error] {
	return func(yield func(payment.Payment, error) bool) {
		after := ""
		for {
			rows, err := p.db.Query(ctx, `
				select `+columns+` from sandbox_payments
				where account = $4 and created_at >= $1 and id::text > $2 order by id::text limit $3`, from, after, page, account)
			var found []payment.Payment
			if err == nil {
				found, err = pgx.CollectRows(rows, scan)
			}
			if err != nil {
				yield(payment.Payment{}, fmt.Errorf("sandbox: reading the books: %w", err))
				return
			}
			for _, f := range found {
				if !yield(f, nil) {
					return
				}
			}
			if len(found) < page {
				return
			}
			after = found[len(found)-1].Ref
		}
	}
}
