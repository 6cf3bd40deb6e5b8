package loadtest

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

const (
	ours   = "01939f4e-7a00-7000-8000-000000000001" // performances
	theirs = "01939f4e-7a00-7000-8000-000000000002"
)

// books opens a database without the guards that would refuse wrong rows.
func books(t *testing.T) (*pgx.Conn, string) {
	t.Helper()
	dsn := devtest.PostgresDSN(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) }) // its context has ended: that only cuts it off
	write(t, conn, `set session_replication_role = replica`)
	write(t, conn, `drop index tickets_unit_once`)
	return conn, dsn
}

func write(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// ticket writes a living ticket of a unit, without an order.
func ticket(t *testing.T, conn *pgx.Conn, performance string, unit int, made time.Time) {
	t.Helper()
	write(t, conn, `
insert into tickets (performance_id, id, order_id, unit, tier_id, label, amount, currency, state, code, created_at)
values ($1, gen_random_uuid(), gen_random_uuid(), $2, gen_random_uuid(), 'A-1-1', 100, 'EUR', 'valid', gen_random_uuid()::text, $3)`,
		performance, unit, made)
}

// capture writes a captured payment of an attempt that has no order.
func capture(t *testing.T, conn *pgx.Conn, sale, performance, state string, made time.Time) {
	t.Helper()
	write(t, conn, `
with a as (insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key, request_mac,
                                 units, amount, currency, method, state, created_at)
           values ($1, gen_random_uuid(), gen_random_uuid(), $2, 's', 'p', gen_random_uuid()::text, '', '{1}', 100, 'EUR', 'm', $3, $4)
           returning id)
insert into sandbox_payments (id, attempt_id, amount, currency, state, created_at)
select gen_random_uuid(), id, 100, 'EUR', 'captured', $4 from a`, performance, sale, state, made)
}

func read(t *testing.T, dsn string, since time.Time) *Books {
	t.Helper()
	sale := wire.Sale{Status: wire.SaleStatus{ID: "ours"}, Performances: []ropeline.PerformanceID{ours}}
	b, err := Audit(t.Context(), dsn, sale, since)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheAuditLeavesOtherPeoplesRowsAlone(t *testing.T) {
	t.Parallel()
	conn, dsn := books(t)
	now := time.Now()
	since := now.Add(-time.Minute)
	for _, row := range []struct {
		sale, performance string
		made              time.Time
	}{{"theirs", theirs, now}, {"ours", ours, since.Add(-time.Hour)}} {
		ticket(t, conn, row.performance, 7, row.made)
		ticket(t, conn, row.performance, 7, row.made)
		capture(t, conn, row.sale, row.performance, "started", row.made)
	}
	b := read(t, dsn, since)
	if b.Tickets != 0 || len(b.Twice) != 0 || len(b.Orphans) != 0 || len(b.Strays) != 0 || b.Open != 0 {
		t.Errorf("the audit took what is not the run's: %+v", b)
	}
}

func TestTheAuditFindsWhatTheIndexesDeny(t *testing.T) {
	t.Parallel()
	conn, dsn := books(t)
	now := time.Now()
	since := now.Add(-time.Minute)
	ticket(t, conn, ours, 7, since.Add(-time.Hour)) // of an earlier run
	ticket(t, conn, ours, 7, now)                   // the same unit again
	capture(t, conn, "ours", ours, "closed", now)
	write(t, conn, `insert into sandbox_payments (id, attempt_id, amount, currency, state)
values (gen_random_uuid(), gen_random_uuid(), 100, 'EUR', 'captured')`) // of no attempt
	b := read(t, dsn, since)
	if b.Tickets != 1 || len(b.Twice) != 1 || b.Twice[0] != (SoldTwice{ours, 7, 2}) || len(b.Orphans) != 1 || len(b.Strays) != 2 {
		t.Errorf("the audit read %+v", b)
	}
}
