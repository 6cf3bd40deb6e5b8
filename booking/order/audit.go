package order

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
)

// Imbalance is an order whose ledger does not say what the order says.
type Imbalance struct {
	Order  string `json:"order"`
	State  State  `json:"state"`
	Amount int64  `json:"amount"` // what it cost, minor units, as everything here
	Owed   int64  `json:"owed"`   // by the ledger: placed − canceled + kept − waived
	Money  int64  `json:"money"`  // by the ledger: captured − refunded, and what came or went with exchanges
	Away   int64  `json:"away"`   // by the ledger, for disputes: withdrawn − reinstated
}

func (i Imbalance) String() string {
	return fmt.Sprintf("order %s is %s for %d, but by its ledger %d are owed and %d are there, of which disputes took %d", i.Order, i.State, i.Amount, i.Owed, i.Money, i.Away)
}

// ofOrder are the entries in the order's own currency: what a dispute costs is in that of
// our account at the provider.
const ofOrder = `entry not in ('dispute_fee', 'dispute_fee_returned')`

// sums adds up the ledger of each order. What is owed and what is there are the
// same for an order at rest, but for what still has to be given back: nobody pays for
// what they do not have. What disputes move is apart from that, and the same as what
// the disputes say.
const sums = `
	select order_id, count(distinct currency) filter (where ` + ofOrder + `) currencies, min(currency) filter (where ` + ofOrder + `) currency,
		coalesce(sum(amount) filter (where entry = 'placed'), 0) - coalesce(sum(amount) filter (where entry = 'canceled'), 0)
			+ coalesce(sum(amount) filter (where entry = 'kept'), 0) - coalesce(sum(amount) filter (where entry = 'waived'), 0) owed,
		coalesce(sum(amount) filter (where entry = 'withdrawn'), 0) withdrawn, coalesce(sum(amount) filter (where entry = 'reinstated'), 0) reinstated,
		coalesce(sum(amount) filter (where entry in ('captured', 'exchanged_in')), 0) paid,
		coalesce(sum(case entry when 'dispute_fee' then amount when 'dispute_fee_returned' then -amount end), 0) charged,
		coalesce(sum(case when entry in ('captured', 'exchanged_in', 'refund_returned') then amount when entry in ('refunded', 'exchanged_out') then -amount end), 0) money
	from order_ledger where performance_id = $1 group by order_id`

// Audit compares the orders of a performance with their ledger, at one instant, to
// the cent. It returns the first of those that do not fit, and how many orders it
// looked at.
func (s *Store) Audit(ctx context.Context, id ropeline.PerformanceID) (bad []Imbalance, orders int, err error) {
	rows, err := s.db.Query(ctx, `
		with l as (`+sums+`), due as (
			select order_id, sum(amount) amount from (
				select order_id, amount from cancellations where performance_id = $1 and state <> 'refunded'
				union all select o.id, t.amount from payment_troubles t join orders o on o.performance_id = t.performance_id and o.attempt_id = t.attempt_id
				where t.performance_id = $1 and t.kind = 'late' and t.state = 'failed'
					and exists (select from order_ledger l where l.performance_id = $1 and l.order_id = o.id and l.entry = 'refund_returned')
			) d group by order_id
		), disputed as (
			select order_id, sum(withdrawn) withdrawn, sum(reinstated) reinstated, sum(fee - fee_returned) charged from order_disputes where performance_id = $1 group by order_id
		), judged as (
			select o.id, o.state, o.amount, coalesce(l.owed, 0) owed, coalesce(l.money, 0) money, coalesce(l.withdrawn - l.reinstated, 0) away,
				coalesce(l.currencies = 1 and l.currency = o.currency
					and l.withdrawn = coalesce(d.withdrawn, 0) and l.reinstated = coalesce(d.reinstated, 0)
					and l.charged = coalesce(d.charged, 0) and case o.state
					when 'pending' then l.owed = o.amount and l.money = 0
					when 'paid' then l.paid = o.amount and l.owed + coalesce(due.amount, 0) = l.money
					else l.owed + coalesce(due.amount, 0) = l.money end, false) fits
			from orders o left join l on l.order_id = o.id left join due on due.order_id = o.id
				left join disputed d on d.order_id = o.id where o.performance_id = $1
		)
		select id, state, amount, owed, money, away, total
		from (select count(*) total from judged) n left join (select * from judged where not fits order by id limit 100) j on true`, id)
	if err != nil {
		return nil, 0, away("adding up the ledger of", string(id), err)
	}
	_, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (struct{}, error) {
		var order, state *string
		var amount, owed, money, away *int64
		err := r.Scan(&order, &state, &amount, &owed, &money, &away, &orders)
		if err == nil && order != nil {
			bad = append(bad, Imbalance{*order, State(*state), *amount, *owed, *money, *away})
		}
		return struct{}{}, err
	})
	if err != nil {
		return nil, 0, away("adding up the ledger of", string(id), err)
	}
	return bad, orders, nil
}
