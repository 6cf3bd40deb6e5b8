package order

import (
	"context"
	"fmt"
	"strings"
	"time"

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
	Owed     int64  `json:"owed" doc:"to the organizer: taken + exchanged - refunded - to_refund - disputed - dispute_fees - fee; less than nothing where the fee of what was sold at the counter is more"`
	Cash     int64  `json:"cash" doc:"taken at the counter in cash, less what was given back in cash: the organizer has it already"`
	Terminal int64  `json:"terminal" doc:"taken at the counter on its card terminal, less what was given back on it"`
	Tax      int64  `json:"tax" doc:"included in what buyers have paid for what they keep: of each order, to the nearest unit. Of a dispute that was lost there is none"`
	Net      int64  `json:"net" doc:"what is left to the organizer of all that without fee and tax: owed + cash + terminal - tax"`

	// Exchanged is nothing where both orders of each exchange are in the settlement.
	Exchanged int64 `json:"exchanged" doc:"of what was taken for other orders, what came with exchanges, less what went with them"`
}

// sums says what the organizer is owed, and what is left of it.
func (t Settlement) sums() Settlement {
	t.Owed = t.Taken + t.Exchanged - t.Refunded - t.ToRefund - t.Disputed - t.Charged - t.Fee
	t.Net = t.Owed + t.Cash + t.Terminal - t.Tax
	return t
}

// Plus adds two of one currency up.
func (t Settlement) Plus(u Settlement) Settlement {
	t.Orders += u.Orders
	t.Taken, t.Refunded, t.ToRefund = t.Taken+u.Taken, t.Refunded+u.Refunded, t.ToRefund+u.ToRefund
	t.Disputed, t.Charged, t.Fee = t.Disputed+u.Disputed, t.Charged+u.Charged, t.Fee+u.Fee
	t.Cash, t.Terminal, t.Tax = t.Cash+u.Cash, t.Terminal+u.Terminal, t.Tax+u.Tax
	t.Exchanged += u.Exchanged
	return t.sums()
}

// settledOrders adds up the ledger of each order of which money was taken, once for each
// currency: a dispute may have cost something in another one. It says what
// tax is in what the buyer has paid for what they keep, rounded as tariff does.
const settledOrders = `
	select o.*, (captures > 0)::int orders, div(2 * paid * rate + 10000 + rate, 2 * (10000 + rate)) tax
	from (
		select l.performance_id, order_id, currency, count(*) filter (where entry = 'captured') captures,
			coalesce(sum(amount) filter (where entry = 'captured' and tender = ''), 0) taken,
			coalesce(sum(case entry when 'refunded' then amount when 'refund_returned' then -amount end) filter (where tender = ''), 0) refunded,
			sum(case when tender = 'cash' then case entry when 'captured' then amount when 'refunded' then -amount else 0 end else 0 end) cash,
			sum(case when tender = 'terminal' then case entry when 'captured' then amount when 'refunded' then -amount else 0 end else 0 end) terminal,
			sum(case when entry in ('captured', 'exchanged_in', 'canceled', 'waived', 'refund_returned') then amount
				when entry in ('refunded', 'exchanged_out', 'placed', 'kept') then -amount else 0 end) to_refund,
			sum(case entry when 'exchanged_in' then amount when 'exchanged_out' then -amount else 0 end) exchanged,
			sum(case entry when 'withdrawn' then amount when 'reinstated' then -amount else 0 end) disputed,
			sum(case entry when 'dispute_fee' then amount when 'dispute_fee_returned' then -amount else 0 end) charged,
			sum(case entry when 'fee' then amount when 'fee_returned' then -amount else 0 end) fee,
			greatest(0, sum(case entry when 'placed' then amount when 'canceled' then -amount when 'kept' then amount when 'waived' then -amount else 0 end)
				- case when bool_or(entry = 'dispute_lost') then sum(case entry when 'withdrawn' then amount when 'reinstated' then -amount else 0 end) else 0 end) paid
		from order_ledger l where performance_id = any($1)
		group by l.performance_id, order_id, currency having count(*) filter (where entry in ('captured', 'dispute_fee')) > 0
	) o join (select id, coalesce((tariff->>'tax_rate')::numeric, 0) rate from performances) p on p.id = o.performance_id`

// settlementColumns are those of settledOrders as Settlement has them, after its number
// of orders; summed up with sum, or of the table that ends in a dot.
func settlementColumns(sum string) string {
	columns := []string{"taken", "refunded", "to_refund", "disputed", "charged", "fee", "cash", "terminal", "tax", "exchanged"}
	for i, c := range columns {
		if strings.HasSuffix(sum, ".") {
			columns[i] = sum + c + "::bigint"
			continue
		}
		columns[i] = sum + "(" + c + ")::bigint"
	}
	return strings.Join(columns, ", ")
}

func (t *Settlement) scan() []any {
	return []any{&t.Orders, &t.Taken, &t.Refunded, &t.ToRefund, &t.Disputed, &t.Charged, &t.Fee, &t.Cash, &t.Terminal, &t.Tax, &t.Exchanged}
}

// PerformanceSettlement is what one performance came to, in one currency.
type PerformanceSettlement struct {
	Performance ropeline.PerformanceID
	Title       string
	StartsAt    time.Time
	Account     string // the name of the organizer's own, which was paid
	Settlement
}

// Settle adds up a performance's ledger, once for each currency.
func (s *Store) Settle(ctx context.Context, id ropeline.PerformanceID) ([]Settlement, error) {
	found, err := s.settle(ctx, []ropeline.PerformanceID{id})
	return column(found, func(p PerformanceSettlement) Settlement { return p.Settlement }), err
}

// SettleSale adds up the ledger of each performance of a sale, in the order of their
// starts. Those of which no money was taken are left out.
func (s *Store) SettleSale(ctx context.Context, sale ropeline.SaleID) ([]PerformanceSettlement, error) {
	return s.settleWhere(ctx, `select performance_id from sale_performances where sale_id = $1`, sale)
}

// SettleAccount does so for the performances of which an organizer's own account is
// paid.
func (s *Store) SettleAccount(ctx context.Context, name string) ([]PerformanceSettlement, error) {
	return s.settleWhere(ctx, `select id from performances where account = $1`, name)
}

func (s *Store) settleWhere(ctx context.Context, performances string, of any) ([]PerformanceSettlement, error) {
	rows, err := s.db.Query(ctx, performances, of)
	if err != nil {
		return nil, away("settling", fmt.Sprint(of), err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[ropeline.PerformanceID])
	if err != nil {
		return nil, away("settling", fmt.Sprint(of), err)
	}
	return s.settle(ctx, ids)
}

func (s *Store) settle(ctx context.Context, performances []ropeline.PerformanceID) ([]PerformanceSettlement, error) {
	return settle(ctx, s.db, performances)
}

func settle(ctx context.Context, db querier, performances []ropeline.PerformanceID) ([]PerformanceSettlement, error) {
	rows, err := db.Query(ctx, `
		select p.id, e.title, p.starts_at, coalesce(p.account, ''), n.currency, orders, taken, refunded, to_refund, disputed, charged, fee, cash, terminal, tax, exchanged
		from (select performance_id, currency, sum(orders)::int orders, `+settlementColumns("sum")+` from (`+settledOrders+`) o group by performance_id, currency)
			n (id, currency, orders, taken, refunded, to_refund, disputed, charged, fee, cash, terminal, tax, exchanged)
		join performances p using (id) join events e on e.id = p.event_id
		order by p.starts_at, p.id, currency`, performances)
	if err != nil {
		return nil, away("settling", fmt.Sprint(performances), err)
	}
	found, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (t PerformanceSettlement, err error) {
		err = r.Scan(append([]any{&t.Performance, &t.Title, &t.StartsAt, &t.Account, &t.Currency}, t.scan()...)...)
		t.StartsAt, t.Settlement = t.StartsAt.UTC(), t.sums()
		return t, err
	})
	if err != nil {
		return nil, away("settling", fmt.Sprint(performances), err)
	}
	return found, nil
}

// OrderSettlement is what one order came to.
type OrderSettlement struct {
	Order string
	Settlement
}

// SettledOrder is what one order came to, and of which performance it is.
type SettledOrder struct {
	Performance ropeline.PerformanceID
	Title       string
	StartsAt    time.Time
	Account     string // the name of the organizer's own, which was paid
	Order       string
	PlacedAt    time.Time
	Settlement
}

// EachSettled gives what every order of the performances that tx sees, of which money was
// taken, came to, in the order of their starts and of their making. It keeps none of them.
func EachSettled(ctx context.Context, tx pgx.Tx, of []ropeline.PerformanceID, each func(SettledOrder) error) error {
	rows, err := tx.Query(ctx, `
		select p.id, e.title, p.starts_at, coalesce(p.account, ''), n.id, n.created_at, s.currency, orders, `+settlementColumns("s.")+`
		from (`+settledOrders+`) s join orders n on n.performance_id = s.performance_id and n.id = s.order_id
		join performances p on p.id = s.performance_id join events e on e.id = p.event_id
		order by p.starts_at, p.id, n.id, s.currency`, of)
	if err != nil {
		return away("settling orders of", fmt.Sprint(of), err)
	}
	var t SettledOrder
	var failed error
	_, err = pgx.ForEachRow(rows, append([]any{&t.Performance, &t.Title, &t.StartsAt, &t.Account, &t.Order, &t.PlacedAt, &t.Currency}, t.scan()...), func() error {
		t.Settlement = t.sums()
		failed = each(t)
		return failed
	})
	if err != nil && failed == nil {
		return away("settling orders of", fmt.Sprint(of), err)
	}
	return failed
}

// SettleAll adds up the ledgers of performances as tx sees them, as SettleSale does.
func SettleAll(ctx context.Context, tx pgx.Tx, of []ropeline.PerformanceID) ([]PerformanceSettlement, error) {
	return settle(ctx, tx, of)
}

// SettleOrders lists the orders of a performance after one of them, in the order of
// their ids, which is that of their making.
func (s *Store) SettleOrders(ctx context.Context, id ropeline.PerformanceID, after string, limit int) ([]OrderSettlement, error) {
	rows, err := s.db.Query(ctx, `
		select order_id, currency, orders, `+settlementColumns("")+`
		from (`+settledOrders+`) o where $2 = '' or order_id > nullif($2, '')::uuid order by order_id fetch first $3 rows with ties`, []ropeline.PerformanceID{id}, after, limit)
	if err != nil {
		return nil, away("settling orders of", string(id), err)
	}
	found, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (t OrderSettlement, err error) {
		err = r.Scan(append([]any{&t.Order, &t.Currency}, t.scan()...)...)
		t.Settlement = t.sums()
		return t, err
	})
	if err != nil {
		return nil, away("settling orders of", string(id), err)
	}
	return found, nil
}
