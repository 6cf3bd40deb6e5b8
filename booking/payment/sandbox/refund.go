package sandbox

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
)

// Refund gives back, if that much is left and the payment is in no dispute.
func (p *Provider) Refund(ctx context.Context, c payment.Charge, r payment.Refund) (payment.Refunded, error) {
	return p.refund(ctx, c, r, false)
}

// RefundByHand gives back as somebody does at the provider, without an id of ours.
func (p *Provider) RefundByHand(ctx context.Context, c payment.Charge, amount int64) error {
	now, err := p.Find(ctx, c)
	if err != nil {
		return err
	}
	// All of it is given back once: the same again is refused.
	r := payment.Refund{ID: uuid.NewString(), Amount: booking.Money{Amount: amount, Currency: now.Amount.Currency}}
	c.Attempt = now.Attempt
	_, err = p.refund(ctx, c, r, true)
	return err
}

func (p *Provider) refund(ctx context.Context, c payment.Charge, r payment.Refund, byHand bool) (payment.Refunded, error) {
	done := payment.Refunded{ID: r.ID, State: payment.RefundDone}
	err := pgx.BeginFunc(ctx, p.db, func(tx pgx.Tx) error {
		var state payment.State
		var left booking.Money
		var disputed bool
		err := tx.QueryRow(ctx, `
			select id, state, amount - refunded, currency,
				exists (select from sandbox_disputes d where d.attempt_id = p.attempt_id and d.state in ('open', 'lost'))
			from sandbox_payments p where attempt_id = $1 for update`,
			c.Attempt).Scan(&done.Payment, &state, &left.Amount, &left.Currency, &disputed)
		if errors.Is(err, pgx.ErrNoRows) {
			return payment.ErrNone
		}
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `select id, amount, $3::text, case when failed then 'failed' else 'done' end from sandbox_refunds where refund_id = $1 and attempt_id = $2`,
			r.ID, c.Attempt, left.Currency).Scan(&done.Ref, &done.Amount.Amount, &done.Amount.Currency, &done.State)
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if disputed || state != payment.Captured || r.Amount.Currency != left.Currency || r.Amount.Amount <= 0 || r.Amount.Amount > left.Amount {
			return payment.ErrNotRefundable
		}
		if done.Ref, err = booking.NewID(); err != nil {
			return err
		}
		done.Amount = r.Amount
		if _, err := tx.Exec(ctx, `insert into sandbox_refunds (id, refund_id, attempt_id, amount, by_hand, fee, fee_id)
			select $1::uuid, $2::uuid, $3::uuid, $4::bigint, $5::boolean, case when exists (select from sandbox_refunds where attempt_id = $3 and fee_id = $7) then 0 else $6::bigint end, $7::uuid`,
			done.Ref, r.ID, c.Attempt, r.Amount.Amount, byHand, r.Fee, r.FeeID()); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `update sandbox_payments set refunded = refunded + $2 where attempt_id = $1`, c.Attempt, r.Amount.Amount)
		return err
	})
	switch {
	case errors.Is(err, payment.ErrNone), errors.Is(err, payment.ErrNotRefundable):
		return payment.Refunded{}, err
	case err != nil:
		return payment.Refunded{}, fmt.Errorf("sandbox: refund %s: %w", r.ID, err)
	}
	return done, nil
}

// SendBack has a refund fail that was done, by the provider's own id of it.
func (p *Provider) SendBack(ctx context.Context, ref string) error {
	tag, err := p.db.Exec(ctx, `
		with failed as (update sandbox_refunds set failed = true, told = false where id = $1 and not failed returning attempt_id, amount)
		update sandbox_payments p set refunded = refunded - failed.amount from failed where p.attempt_id = failed.attempt_id`, ref)
	if err == nil && tag.RowsAffected() == 0 {
		err = errors.New("it is not there, or has failed")
	}
	if err != nil {
		return fmt.Errorf("sandbox: sending refund %s back: %w", ref, err)
	}
	return nil
}

const refundColumns = `r.id, case when r.by_hand then '' else r.refund_id::text end, p.id, case when r.failed then 'failed' else 'done' end, r.amount, p.currency`

func (p *Provider) refunds(ctx context.Context, where string, args ...any) ([]payment.Refunded, error) {
	rows, err := p.db.Query(ctx, `
		select `+refundColumns+` from sandbox_refunds r join sandbox_payments p using (attempt_id)
		where `+where+` order by r.created_at, r.id`, args...)
	if err != nil {
		return nil, fmt.Errorf("sandbox: listing refunds: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r payment.Refunded, err error) {
		return r, row.Scan(&r.Ref, &r.ID, &r.Payment, &r.State, &r.Amount.Amount, &r.Amount.Currency)
	})
	if err != nil {
		return nil, fmt.Errorf("sandbox: listing refunds: %w", err)
	}
	return all, nil
}

// Refunds lists those of a payment.
func (p *Provider) Refunds(ctx context.Context, c payment.Charge) ([]payment.Refunded, error) {
	if c.Attempt == "" {
		return p.refunds(ctx, `p.id = $1`, c.Ref)
	}
	return p.refunds(ctx, `r.attempt_id = $1`, c.Attempt)
}

// RefundsByHand lists those that were made by hand since a time. Nobody makes many.
func (p *Provider) RefundsByHand(ctx context.Context, account string, from time.Time) iter.Seq2[payment.Refunded, error] {
	return all(func() ([]payment.Refunded, error) {
		return p.refunds(ctx, `p.account = $2 and r.by_hand and r.created_at >= $1`, from, account)
	})
}

// all yields what was read, or why it could not be.
func all[T any](read func() ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		found, err := read()
		for _, f := range found {
			if !yield(f, nil) {
				return
			}
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}
