package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking/inventory"
)

// violations are questions whose answer has to be 0, of a performance that is sold
// out. They look at tables, not at what indexes believe, and so must not look at one
// for each row of another.
var violations = []struct{ what, sql string }{
	{"units with two tickets", `select count(*) from (select unit from tickets where performance_id = $1 and state <> 'canceled' group by unit having count(*) > 1) twice`},
	{"tickets that are not valid", `select count(*) from tickets where performance_id = $1 and state <> 'valid'`},
	{"tickets without a paid order", `select count(*) from tickets t where t.performance_id = $1
		and not exists (select from orders o where o.performance_id = t.performance_id and o.id = t.order_id and o.state = 'paid')`},
	{"orders that are not paid", `select count(*) from orders where performance_id = $1 and state <> 'paid'`},
	{"orders that cost something else than their tickets", `select count(*) from orders o
		left join (select order_id, sum(amount) as amount from tickets where performance_id = $1 group by order_id) t on t.order_id = o.id
		where o.performance_id = $1 and o.amount <> coalesce(t.amount, 0)`},
	{"orders whose money was not taken once", `select count(*) from orders o
		left join (select attempt_id, amount, count(*) as times from sandbox_payments where state = 'captured' and refunded = 0 group by attempt_id, amount) p
			on p.attempt_id = o.attempt_id and p.amount = o.amount
		where o.performance_id = $1 and coalesce(p.times, 0) <> 1`},
	{"payments without an order", `select count(*) from sandbox_payments p where p.state in ('captured', 'authorized')
		and not exists (select from orders o where o.performance_id = $1 and o.attempt_id = p.attempt_id and o.state = 'paid')`},
	{"orders whose ledger has taken something else", `select count(*) from orders o
		left join (select order_id, sum(amount) as amount from order_ledger where performance_id = $1 and entry = 'captured' group by order_id) l on l.order_id = o.id
		where o.performance_id = $1 and o.amount <> coalesce(l.amount, 0)`},
}

// judge counts what must not be, and says what it is.
func (o *sellOut) judge(ctx context.Context, out io.Writer) (sum int, err error) {
	bad := func(n int, what string) {
		if n > 0 {
			fmt.Fprintf(out, "VIOLATION: %d %s\n", n, what)
		}
		sum += n
	}
	if err := o.settled(ctx); err != nil {
		return 0, err
	}
	err = pgx.BeginFunc(ctx, o.server.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `set local enable_indexscan = off; set local enable_indexonlyscan = off; set local enable_bitmapscan = off; set local enable_nestloop = off`); err != nil {
			return err
		}
		for _, v := range violations {
			var n int
			if err := tx.QueryRow(ctx, v.sql, o.show).Scan(&n); err != nil {
				return fmt.Errorf("counting %s: %w", v.what, err)
			}
			bad(n, v.what)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	told, err := o.told(ctx)
	if err != nil {
		return 0, err
	}
	bad(told, "orders of which the buyer and the books say something else")
	report, err := inventory.New(o.redis.Client).Check(ctx, o.show, o.orders)
	if err != nil {
		return 0, err
	}
	for _, m := range report.Mismatches {
		bad(max(1, len(m.Units)), "units: "+m.Kind)
	}
	bad(o.units-report.Sold, "units that are not sold")
	return sum, nil
}

// settled waits until no payment is under way.
func (o *sellOut) settled(ctx context.Context) error {
	for {
		var open int
		err := o.server.Pool.QueryRow(ctx, `select count(*) from attempts where performance_id = $1 and state not in ('done', 'closed')`, o.show).Scan(&open)
		if err != nil || open == 0 {
			return err
		}
		if err := pass(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("%d payments are still under way: %w", open, err)
		}
	}
}

// told counts orders that buyers were told of and that are not so in the books, and
// the other way round.
func (o *sellOut) told(ctx context.Context) (bad int, err error) {
	said := map[string]purchase{}
	for _, b := range o.bought() {
		if _, twice := said[b.order]; twice {
			bad++
		}
		said[b.order] = b
	}
	rows, err := o.server.Pool.Query(ctx, `select o.id::text, o.amount, array_agg(t.unit order by t.unit)
		from orders o join tickets t on t.performance_id = o.performance_id and t.order_id = o.id
		where o.performance_id = $1 group by o.id, o.amount`, o.show)
	if err != nil {
		return 0, err
	}
	var id string
	var amount int64
	var units []int
	_, err = pgx.ForEachRow(rows, []any{&id, &amount, &units}, func() error {
		b, ok := said[id]
		if slices.Sort(b.units); !ok || b.total != amount || !slices.Equal(b.units, units) {
			bad++
		}
		delete(said, id)
		return nil
	})
	return bad + len(said), err
}
