package order

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
)

// Settlement is what orders came to, in minor units: sums of the ledger. What is
// still to be given back is what it says is there and not owed, see Audit; of a
// pending order nothing is there yet.
type Settlement struct {
	Currency string `json:"currency"`
	Orders   int    `json:"orders" doc:"of which money was taken"`
	Taken    int64  `json:"taken" doc:"by the provider; what the counter took is cash and terminal"`
	Refunded int64  `json:"refunded" doc:"given back by the provider"`
	ToRefund int64  `json:"to_refund" doc:"still to be given back, what the provider refused included"`
	Disputed int64  `json:"disputed" doc:"what the provider took for disputes, less what it gave again"`
	Charged  int64  `json:"dispute_fees" doc:"what it charged for them"`
	Fee      int64  `json:"fee" doc:"the platform's, less what it gave up"`
	Owed     int64  `json:"owed" doc:"to the organizer: taken - refunded - to_refund - disputed - dispute_fees - fee; less than nothing where the fee of what was sold at the counter is more"`
	Cash     int64  `json:"cash" doc:"taken at the counter in cash, less what was given back in cash: the organizer has it already"`
	Terminal int64  `json:"terminal" doc:"taken at the counter on its card terminal, less what was given back on it"`
}

// owe says what the organizer is owed.
func (t Settlement) owe() Settlement {
	t.Owed = t.Taken - t.Refunded - t.ToRefund - t.Disputed - t.Charged - t.Fee
	return t
}

// settledOrders adds up the ledger of each order of which money was taken.
const settledOrders = `
	select order_id, currency,
		coalesce(sum(amount) filter (where entry = 'captured' and tender = ''), 0) taken,
		coalesce(sum(amount) filter (where entry = 'refunded' and tender = ''), 0) refunded,
		sum(case when tender = 'cash' then case entry when 'captured' then amount when 'refunded' then -amount else 0 end else 0 end) cash,
		sum(case when tender = 'terminal' then case entry when 'captured' then amount when 'refunded' then -amount else 0 end else 0 end) terminal,
		sum(case entry when 'captured' then amount when 'refunded' then -amount when 'placed' then -amount
			when 'canceled' then amount when 'kept' then -amount when 'waived' then amount else 0 end) to_refund,
		sum(case entry when 'withdrawn' then amount when 'reinstated' then -amount else 0 end) disputed,
		sum(case entry when 'dispute_fee' then amount when 'dispute_fee_returned' then -amount else 0 end) charged,
		sum(case entry when 'fee' then amount when 'fee_returned' then -amount else 0 end) fee
	from order_ledger where performance_id = $1
	group by order_id, currency having count(*) filter (where entry = 'captured') > 0`

// Settle adds up a performance's ledger, once for each currency.
func (s *Store) Settle(ctx context.Context, id ropeline.PerformanceID) ([]Settlement, error) {
	rows, err := s.db.Query(ctx, `
		select currency, count(*), sum(taken)::bigint, sum(refunded)::bigint, sum(to_refund)::bigint, sum(disputed)::bigint, sum(charged)::bigint, sum(fee)::bigint, sum(cash)::bigint, sum(terminal)::bigint
		from (`+settledOrders+`) o group by currency order by currency`, id)
	if err != nil {
		return nil, away("settling", string(id), err)
	}
	found, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (t Settlement, err error) {
		err = r.Scan(&t.Currency, &t.Orders, &t.Taken, &t.Refunded, &t.ToRefund, &t.Disputed, &t.Charged, &t.Fee, &t.Cash, &t.Terminal)
		return t.owe(), err
	})
	if err != nil {
		return nil, away("settling", string(id), err)
	}
	return found, nil
}

// OrderSettlement is what one order came to.
type OrderSettlement struct {
	Order string
	Settlement
}

// SettleOrders lists the orders of a performance after one of them, in the order of
// their ids, which is that of their making.
func (s *Store) SettleOrders(ctx context.Context, id ropeline.PerformanceID, after string, limit int) ([]OrderSettlement, error) {
	rows, err := s.db.Query(ctx, `
		select order_id, currency, taken::bigint, refunded::bigint, to_refund::bigint, disputed::bigint, charged::bigint, fee::bigint, cash::bigint, terminal::bigint
		from (`+settledOrders+`) o where $2 = '' or order_id > nullif($2, '')::uuid order by order_id limit $3`, id, after, limit)
	if err != nil {
		return nil, away("settling orders of", string(id), err)
	}
	found, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (t OrderSettlement, err error) {
		err = r.Scan(&t.Order, &t.Currency, &t.Taken, &t.Refunded, &t.ToRefund, &t.Disputed, &t.Charged, &t.Fee, &t.Cash, &t.Terminal)
		t.Orders, t.Settlement = 1, t.owe()
		return t, err
	})
	if err != nil {
		return nil, away("settling orders of", string(id), err)
	}
	return found, nil
}
