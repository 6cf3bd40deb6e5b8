package order

import (
	"context"
	"errors"

	"github.com/ropeline/ropeline/booking/abuse"
	"github.com/ropeline/ropeline/booking/payment"
)

// allows looks whether a card may pay for so many tickets more. It saves the question to
// the provider where the card is known before; the word that counts is said when the
// order is written.
func (s *Store) allows(ctx context.Context, a Attempt) error {
	if !a.Card.Limits() {
		return nil
	}
	var had int64
	err := s.db.QueryRow(ctx, `select coalesce(sum(had), 0)::bigint from units_of_cards($1::uuid[], array[$2::text])`, a.counted(), a.Card.Card).Scan(&had)
	switch {
	case err != nil:
		return away("counting the tickets of the card of attempt", a.ID, err)
	case had+int64(len(a.Units)) > a.Card.Most:
		return abuse.ErrCardLimit
	}
	return nil
}

// unrecorded says why an order was not written, if it is errNotStarted: an attempt that
// is started all the same was left out for its card.
func (s *Store) unrecorded(ctx context.Context, a Attempt, err error) error {
	if !errors.Is(err, errNotStarted) || !a.Card.Limits() {
		return err
	}
	now, readErr := s.read(ctx, a)
	switch {
	case readErr != nil:
		return readErr
	case now.Step == Started:
		return abuse.ErrCardLimit
	}
	return err
}

// confirm makes an acting attempt a recorded one, whose amount is reserved, and
// returns the attempt as it is then. If its card is known only now, it is counted as in
// record, and the order canceled if the card may not pay for it.
func (s *Store) confirm(ctx context.Context, a Attempt, e *payment.Event) (Attempt, error) {
	if a.Card.Limits() {
		p, err := s.catalogue.Performance(ctx, a.Performance)
		if err != nil {
			return a, err
		}
		a.Sold = p.Sale.Performances
	}
	var moved []string
	err := s.change(ctx, a, e, func(db querier) (err error) {
		moved, err = ids(ctx, db, `
			with own as (
				select card from orders where performance_id = $1 and attempt_id = $2 and state = 'pending'
			), counted as materialized (
				select coalesce(sum(had), 0) as had from units_of_cards($3::uuid[], array(select $4::text from own where card = '' and $5::bigint > 0))
			), moved as (
				update attempts set state = 'recorded', action = '', updated_at = now()
				where performance_id = $1 and id = $2 and state = 'acting'
					and ($5 = 0 or (select card from own) <> '' or cardinality(units) + (select had from counted) <= $5)
				returning id, amount, currency, from_order
			), known as (
				update orders set card = $4, card_most = $5, card_until = now() + make_interval(secs => $6::float8)
				from moved where performance_id = $1 and attempt_id = moved.id and state = 'pending' and card = '' and $4 <> ''
			), entry as (
				insert into order_ledger (performance_id, order_id, entry, amount, currency, who)
				select $1, o.id, 'authorized', moved.amount, moved.currency, `+orderer+`
				from moved left join orders o on o.performance_id = $1 and o.attempt_id = moved.id and o.state = 'pending'
			)
			select id from moved`, a.Performance, a.ID, a.counted(), a.Card.Card, a.Card.Most, a.Card.For.Seconds())
		if err != nil {
			return away("confirming", a.ID, err)
		}
		if len(moved) == 0 && a.Card.Limits() { // or somebody has taken it on: then this does nothing
			moved, err = conclude(ctx, db, a.Performance, []string{a.ID}, canceled(Acting, abuse.ErrCardLimit))
		}
		return err
	})
	if err != nil {
		return a, err
	}
	now, err := s.read(ctx, a)
	now.Moved = len(moved) > 0
	return now, err
}
