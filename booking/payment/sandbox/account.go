package sandbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking/payment"
)

// Account tells whether an account can take payments. One that nobody has opened
// cannot.
func (p *Provider) Account(ctx context.Context, id string) (payment.Account, error) {
	a := payment.Account{ID: id}
	err := p.db.QueryRow(ctx, `select charges from sandbox_accounts where id = $1`, id).Scan(&a.Charges)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		a.Reason = "unknown"
	case err != nil:
		return payment.Account{}, fmt.Errorf("sandbox: reading account %.40q: %w", id, err)
	case !a.Charges:
		a.Reason = "past_due"
	}
	return a, nil
}

// SetCharges opens an account, and lets it take payments, or not any more.
func (p *Provider) SetCharges(ctx context.Context, id string, can bool) error {
	_, err := p.db.Exec(ctx, `insert into sandbox_accounts (id, charges, told) values ($1, $2, not $2)
		on conflict (id) do update set charges = $2`, id, can)
	if err != nil {
		return fmt.Errorf("sandbox: setting account %.40q: %w", id, err)
	}
	return nil
}
