package catalogue

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/plan"
)

// What an account's plan allows is asked where the thing is made, and nowhere else: lanes
// and fee where a program is, rooms where a sale is published. So a sale that is open, or
// will be by itself, is never asked again, whatever becomes of the plan.

// OpenRoom is asked before a sale is published: whether the plan of the account that is
// paid allows one more waiting room. A room that is open already is asked nothing.
func (s *Store) OpenRoom(ctx context.Context, sale ropeline.Sale) error {
	account, err := s.accountOf(ctx, sale.ID)
	if err != nil || account == "" {
		return err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		c, err := s.contract(ctx, tx, account)
		if err == nil {
			err = c.open(ctx, tx, sale)
		}
		return err
	})
	return storeError("opening the room of "+string(sale.ID), err)
}

func (c *contract) open(ctx context.Context, tx pgx.Tx, sale ropeline.Sale) error {
	var here bool
	var others int
	err := tx.QueryRow(ctx, `select coalesce(bool_or(sale_id = $3), false), count(*) filter (where sale_id <> $3) from rooms where account = $1 and ends_at > $2`,
		c.account, c.at, sale.ID).Scan(&here, &others)
	if err != nil {
		return err
	}
	if !here && sale.EndsAt.After(c.at) {
		if err := errors.Join(c.plan.Room(others), c.plan.Lanes(len(sale.Lanes))); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `insert into rooms (sale_id, account, ends_at) values ($1, $2, $3) on conflict (sale_id) do update set ends_at = excluded.ends_at`,
		sale.ID, c.account, sale.EndsAt)
	return err
}

// accountOf is the account that is paid for what a sale sells; none if it is ours.
func (s *Store) accountOf(ctx context.Context, sale ropeline.SaleID) (string, error) {
	accounts, err := s.accounts(ctx, `name in (
		select p.account from sale_performances sp join performances p on p.id = sp.performance_id where sp.sale_id = $1) order by name limit 1`, sale)
	if err != nil || len(accounts) == 0 {
		return "", err
	}
	return accounts[0].Name, nil
}

// PlanOfSale is the plan of the account that is paid for what a sale sells. What we
// sell ourselves is limited by none.
func (s *Store) PlanOfSale(ctx context.Context, sale ropeline.SaleID) (plan.Plan, error) {
	account, err := s.accountOf(ctx, sale)
	if err != nil || account == "" {
		return plan.Plan{}, err
	}
	return s.planOf(ctx, account)
}

// PlanOfShow is the same for a performance.
func (s *Store) PlanOfShow(ctx context.Context, m *Map) (plan.Plan, error) {
	if m.Account == "" {
		return plan.Plan{}, nil
	}
	return s.planOf(ctx, m.Account)
}

func (s *Store) planOf(ctx context.Context, account string) (plan.Plan, error) {
	st, err := s.PlanOf(ctx, account)
	return st.Plan, err
}

// allowed asks the account of a new program, and its plan, and puts the plan's fee into the
// tariff.
func (s *Store) allowed(ctx context.Context, tx pgx.Tx, p Program) (Program, error) {
	if p.Account == "" {
		return p, nil
	}
	c, err := s.contract(ctx, tx, p.Account)
	if err != nil {
		return p, err
	}
	if !c.charges {
		return p, ErrAccountClosed
	}
	if err := c.plan.Lanes(len(p.Sale.Lanes)); err != nil {
		return p, err
	}
	p.Tariff, err = c.plan.On(p.Tariff, p.Currency)
	return p, err
}

// lanesAllowed asks about lanes that a program gets beside those that it had.
func (s *Store) lanesAllowed(ctx context.Context, tx pgx.Tx, old, next Program) error {
	if next.Account == "" || len(next.Sale.Lanes) <= len(old.Sale.Lanes) {
		return nil
	}
	c, err := s.contract(ctx, tx, next.Account)
	if err != nil {
		return err
	}
	return c.plan.Lanes(len(next.Sale.Lanes))
}
