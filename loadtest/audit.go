package loadtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/edge/wire"
)

// The audit's own SQL. It looks at tables, not at what indexes believe: index
// scans are switched off for its transaction, so that a unit sold twice is
// found although a unique index says that it cannot be.
const (
	sqlOrders = `
select o.id::text, o.session_id, o.state, o.amount, o.currency, coalesce(a.idempotency_key, ''),
       (select coalesce(array_agg(t.unit order by t.unit), '{}') from tickets t
         where t.performance_id = o.performance_id and t.order_id = o.id and t.state = 'valid'),
       (select count(*) from sandbox_payments p where p.attempt_id = o.attempt_id and p.state = 'captured'),
       (select coalesce(sum(p.amount), 0)::bigint from sandbox_payments p
         where p.attempt_id = o.attempt_id and p.state = 'captured' and p.currency = o.currency)
  from orders o left join attempts a on a.performance_id = o.performance_id and a.id = o.attempt_id
 where o.sale_id = $1 and o.created_at >= $2
 order by o.created_at`

	sqlTickets = `
select count(*) from tickets
 where performance_id = any($1::uuid[]) and created_at >= $2 and state <> 'canceled'`

	// Of two tickets of a unit one may be old: the newer one should not be.
	sqlTwice = `
select performance_id::text, unit, count(*) from tickets
 where performance_id = any($1::uuid[]) and state <> 'canceled'
 group by performance_id, unit having count(*) > 1 and max(created_at) >= $2`

	sqlOrphans = `
select t.id::text || ': ' || t.state || ', its order is ' || coalesce(o.state, 'not there')
  from tickets t left join orders o on o.performance_id = t.performance_id and o.id = t.order_id
 where t.performance_id = any($1::uuid[]) and t.created_at >= $2
   and (t.state <> 'canceled' and (o.id is null or o.state = 'canceled')
        or t.state = 'valid' and o.state <> 'paid')`

	// A payment whose attempt is not there could be anybody's, and should be
	// nobody's.
	sqlStrays = `
select p.id::text, p.attempt_id::text, p.amount
  from sandbox_payments p left join attempts a on a.id = p.attempt_id
 where p.state = 'captured' and p.created_at >= $2
   and (a.id is null or a.performance_id = any($1::uuid[]))
   and not exists (select 1 from orders o where o.attempt_id = p.attempt_id and o.state = 'paid')`

	sqlOpen = `
select count(*) from attempts
 where sale_id = $1 and created_at >= $2 and state not in ('done', 'closed')`
)

// Audit reads the books of the sale and its performances once everything is
// settled, or when it has waited long enough. What was made before since is
// somebody else's.
func Audit(ctx context.Context, dsn string, sale wire.Sale, since time.Time) (*Books, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("connecting to audit: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	books := &Books{}
	for deadline := time.Now().Add(settling); ; {
		if err := conn.QueryRow(ctx, sqlOpen, sale.Status.ID, since).Scan(&books.Open); err != nil {
			return nil, fmt.Errorf("counting open attempts: %w", err)
		}
		if books.Open == 0 || time.Now().After(deadline) || !sleep(ctx, 300*time.Millisecond) {
			break
		}
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("beginning audit: %w", err)
	}
	defer func() { _ = tx.Rollback(ctx) }() // it only reads
	return books, books.read(ctx, tx, sale, since)
}

func (b *Books) read(ctx context.Context, tx pgx.Tx, sale wire.Sale, since time.Time) error {
	var err error
	// Orders are joined by id: that may use indexes, the sums over tickets may not.
	rows, _ := tx.Query(ctx, sqlOrders, sale.Status.ID, since) // its error comes with the rows
	b.Orders, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (o BookOrder, err error) {
		err = r.Scan(&o.ID, &o.Session, &o.State, &o.Amount, &o.Currency, &o.Key, &o.Units, &o.Captures, &o.Captured)
		return o, err
	})
	if err != nil {
		return fmt.Errorf("auditing orders: %w", err)
	}
	if _, err := tx.Exec(ctx, `set local enable_indexscan = off; set local enable_indexonlyscan = off; set local enable_bitmapscan = off`); err != nil {
		return fmt.Errorf("switching index scans off: %w", err)
	}
	if err := tx.QueryRow(ctx, sqlTickets, sale.Performances, since).Scan(&b.Tickets); err != nil {
		return fmt.Errorf("auditing tickets: %w", err)
	}
	rows, _ = tx.Query(ctx, sqlTwice, sale.Performances, since)
	b.Twice, err = pgx.CollectRows(rows, pgx.RowToStructByPos[SoldTwice])
	if err != nil {
		return fmt.Errorf("auditing units: %w", err)
	}
	rows, _ = tx.Query(ctx, sqlOrphans, sale.Performances, since)
	b.Orphans, err = pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("auditing tickets without orders: %w", err)
	}
	rows, _ = tx.Query(ctx, sqlStrays, sale.Performances, since)
	b.Strays, err = pgx.CollectRows(rows, pgx.RowToStructByPos[StrayMoney])
	if err != nil {
		return fmt.Errorf("auditing payments: %w", err)
	}
	return nil
}

// inventoryReport is the part of `ropeline check inventory --json` that is
// read here.
type inventoryReport struct {
	OK           bool `json:"ok"`
	Performances []struct {
		Performance string `json:"performance"`
		Units       int    `json:"units"`
		Mismatches  []struct {
			Kind  string `json:"kind"`
			Units []int  `json:"units"`
		} `json:"mismatches"`
	} `json:"performances"`
}

// checkInventory asks the given program to compare the stores. It exits with 0
// when they agree and with 1 when they do not; anything else is no answer.
func checkInventory(ctx context.Context, program string, a Access) (*Inventory, error) {
	cmd := exec.CommandContext(ctx, program, "check", "inventory", "--json")
	cmd.Env = append(cleanEnvironment(), "ROPELINE_REDIS="+a.Redis, "ROPELINE_POSTGRES="+a.Postgres)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 1) {
		return nil, fmt.Errorf("checking inventory: %w: %s", err, stderr.String())
	}
	var report inventoryReport
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, fmt.Errorf("reading the inventory check's answer %.300q (%s): %w", out, stderr.String(), err)
	}
	stock := &Inventory{Agrees: err == nil && report.OK}
	for _, p := range report.Performances {
		stock.Units += p.Units
		for _, m := range p.Mismatches {
			stock.Detail = append(stock.Detail, fmt.Sprintf("performance %s: %s: units %v", p.Performance, m.Kind, m.Units))
		}
	}
	return stock, nil
}

// cleanEnvironment is this process's environment without settings of Ropeline:
// a private stack must not be led to somebody's real servers.
func cleanEnvironment() []string {
	var env []string
	for _, line := range os.Environ() {
		if !strings.HasPrefix(line, "ROPELINE_") {
			env = append(env, line)
		}
	}
	return env
}
