package sandbox

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking/payment"
)

const (
	// disputeFee is what a dispute costs, in minor units of its currency. It is kept
	// however the dispute ends.
	disputeFee = 1500
	// answerIn is how long we may answer what a bank asks.
	answerIn = "7 days"
)

// dispute has the fan's bank ask for a payment, once, however many capture it at once: of
// two that come in the same moment either index may tell. An inquiry takes nothing.
func (p *Provider) dispute(ctx context.Context, c payment.Payment) error {
	state, withdrawn, fee := payment.DisputeOpen, c.Amount.Amount, int64(disputeFee)
	if c.Card == Inquiry {
		state, withdrawn, fee = payment.DisputeAsked, 0, 0
	}
	_, err := p.db.Exec(ctx, `
		insert into sandbox_disputes (id, attempt_id, state, amount, withdrawn, fee) values ($1, $2, $3, $4, $5, $6)
		on conflict do nothing`,
		uuid.NewSHA1(uuid.MustParse(c.Ref), []byte("dispute")), c.Attempt, state, c.Amount.Amount, withdrawn, fee)
	if err != nil {
		return fmt.Errorf("sandbox: disputing %s: %w", c.Attempt, err)
	}
	return nil
}

// Contest has the bank of a fan ask for a payment, whatever the card.
func (p *Provider) Contest(ctx context.Context, c payment.Charge) error {
	now, err := p.Find(ctx, c)
	if err != nil {
		return err
	}
	return p.dispute(ctx, now)
}

// judged is what a decision sets: who wins has the money.
const judged = `reinstated = case $2 when 'won' then withdrawn else reinstated end,
	withdrawn = case $2 when 'lost' then amount else withdrawn end`

// Judge decides a dispute of a payment, once. An inquiry that is lost has become a
// dispute before.
func (p *Provider) Judge(ctx context.Context, attempt string, won bool) error {
	state := payment.DisputeLost
	if won {
		state = payment.DisputeWon
	}
	tag, err := p.db.Exec(ctx, `update sandbox_disputes set state = $2, `+judged+` where attempt_id = $1 and state in ('asked', 'open')`, attempt, state)
	if err != nil {
		return fmt.Errorf("sandbox: judging the dispute of %s: %w", attempt, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("sandbox: %s is in no dispute", attempt)
	}
	return nil
}

func (p *Provider) disputes(ctx context.Context, where string, args ...any) ([]payment.Dispute, error) {
	rows, err := p.db.Query(ctx, `
		select d.id, p.id, p.attempt_id, d.state, d.amount, p.currency, 'fraudulent', d.withdrawn, d.reinstated, d.fee, coalesce(nullif(d.fee_currency, ''), p.currency),
			case when d.state in ('asked', 'open') then d.created_at + interval '`+answerIn+`' end, d.created_at
		from sandbox_disputes d join sandbox_payments p using (attempt_id)
		where `+where+` order by d.created_at, d.id`, args...)
	if err != nil {
		return nil, fmt.Errorf("sandbox: reading disputes: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d payment.Dispute, err error) {
		var due *time.Time
		err = row.Scan(&d.Ref, &d.Payment, &d.Attempt, &d.State, &d.Amount.Amount, &d.Amount.Currency, &d.Reason,
			&d.Withdrawn, &d.Reinstated, &d.Fee.Taken, &d.Fee.Currency, &due, &d.OpenedAt)
		if due != nil {
			d.EvidenceDue = due.UTC()
		}
		d.OpenedAt = d.OpenedAt.UTC()
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("sandbox: reading disputes: %w", err)
	}
	return all, nil
}

// Dispute tells how one stands.
func (p *Provider) Dispute(ctx context.Context, account, ref string) (payment.Dispute, error) {
	if _, err := uuid.Parse(ref); err != nil {
		return payment.Dispute{}, fmt.Errorf("sandbox: dispute %.40q is not in the books", ref)
	}
	found, err := p.disputes(ctx, `d.id = $1 and p.account = $2`, ref, account)
	if err == nil && len(found) == 0 {
		err = errors.New("sandbox: dispute " + ref + " is not in the books")
	}
	if err != nil {
		return payment.Dispute{}, err
	}
	return found[0], nil
}

// Disputes lists those that were opened since a time.
func (p *Provider) Disputes(ctx context.Context, account string, from time.Time) iter.Seq2[payment.Dispute, error] {
	return all(func() ([]payment.Dispute, error) {
		return p.disputes(ctx, `p.account = $2 and d.created_at >= $1`, from, account)
	})
}
