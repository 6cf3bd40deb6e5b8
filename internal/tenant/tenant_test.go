package tenant_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/internal/tenant"
)

func TestMain(m *testing.M) { devtest.Main(m) }

const (
	ours   = "00000000-0000-7000-8000-00000000000a"
	theirs = "00000000-0000-7000-8000-00000000000b"
)

// two are organizations with an event, a venue, a performance, a sale and a shop each.
func two(t *testing.T) *pgxpool.Pool {
	t.Helper()
	db := devtest.Postgres(t)
	for i, organization := range []string{ours, theirs} {
		id := func(kind int) string { return fmt.Sprintf("00000000-0000-7000-8000-%08d%04d", kind, i) }
		name := fmt.Sprint("org-", i)
		for _, insert := range []struct {
			sql  string
			args []any
		}{
			{`insert into organizations (id, slug, name) values ($1, $2, $2)`, []any{organization, name}},
			{`insert into events (id, title, organization_id) values ($1, 'Gala', $2)`, []any{id(1), organization}},
			{`insert into venues (id, name, organization_id, open) values ($1, 'Hall', $2, false)`, []any{id(2), organization}},
			{`insert into venue_maps (venue_id, version, document) values ($1, 1, '{}')`, []any{id(2)}},
			{`insert into performances (id, event_id, venue_id, starts_at, units) values ($1, $2, $3, now(), 10)`, []any{id(3), id(1), id(2)}},
			{`insert into tiers (performance_id, id, name, kind, first_unit, units, amount, currency) values ($1, $1, 'Stalls', 'general', 0, 10, 100, 'EUR')`, []any{id(3)}},
			{`insert into sales (id, version, document, organization_id) values ($1, 1, '{}', $2)`, []any{name, organization}},
			{`insert into sale_performances (sale_id, performance_id) values ($1, $2)`, []any{name, id(3)}},
			{`insert into shops (id, name, organization_id) values ($1, $1, $2)`, []any{name, organization}},
			{`insert into products (shop_id, id, name, category) values ($1, 'tickets', 'Tickets', 'music')`, []any{name}},
		} {
			if _, err := db.Exec(t.Context(), insert.sql, insert.args...); err != nil {
				t.Fatal(insert.sql, err)
			}
		}
	}
	return db
}

func count(t *testing.T, ctx context.Context, db *pgxpool.Pool, table string) (n int) {
	t.Helper()
	if err := db.QueryRow(ctx, "select count(*) from "+table).Scan(&n); err != nil {
		t.Fatal(table, err)
	}
	return n
}

func TestStaffSeeTheRowsOfTheirOrganizationAlone(t *testing.T) {
	t.Parallel()
	db := two(t)
	for _, table := range []string{"organizations", "events", "venues", "venue_maps", "performances", "tiers", "sales", "sale_performances", "shops", "products"} {
		whole := count(t, t.Context(), db, table)
		mine, other := count(t, tenant.With(t.Context(), ours), db, table), count(t, tenant.With(t.Context(), theirs), db, table)
		if whole < 2 || mine != 1 || other != 1 {
			t.Errorf("%s: everybody sees %d, the one %d, the other %d; want all, 1 and 1", table, whole, mine, other)
		}
	}
	if n := count(t, tenant.With(t.Context(), tenant.House), db, "venues"); n != 0 {
		t.Errorf("the house sees %d venues of others", n)
	}
}

// Whatever staff may read of the tables has a policy, or is everybody's. This one knows
// no table by name, so that a new one cannot be forgotten.
func TestWhateverStaffMayReadHasAPolicy(t *testing.T) {
	t.Parallel()
	db := devtest.Postgres(t)
	rows, err := db.Query(t.Context(), `select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = current_schema() and c.relkind in ('r', 'p', 'v', 'm') and not c.relrowsecurity
		and has_table_privilege('ropeline_tenant', c.oid, 'select, insert, update, delete')`)
	if err != nil {
		t.Fatal(err)
	}
	open, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(open) > 0 {
		t.Errorf("staff may read or change all of %v, %v", open, err)
	}
	// A partition is reached through its table, whose policy holds; by itself it has none.
	var denied *pgconn.PgError
	if _, err := db.Exec(tenant.With(t.Context(), ours), `select from orders_p00`); !errors.As(err, &denied) || denied.Code != "42501" {
		t.Errorf("reading a partition by itself: %v", err)
	}
}

// One connection serves an organization, then another, then a worker of ours.
func TestAConnectionIsOfWhomItIsTakenFor(t *testing.T) {
	t.Parallel()
	db := two(t)
	config := db.Config()
	config.MaxConns = 1
	one, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(one.Close)
	for range 2 {
		for _, organization := range []string{ours, "", theirs, ours, theirs, ""} {
			ctx := t.Context()
			if organization != "" {
				ctx = tenant.With(ctx, organization)
			}
			var is, role string
			if err := one.QueryRow(ctx, `select coalesce(tenant()::text, ''), current_user`).Scan(&is, &role); err != nil {
				t.Fatal(err)
			}
			if is != organization || (role == "ropeline_tenant") != (organization != "") {
				t.Fatalf("taken for %q it is of %q, as %s", organization, is, role)
			}
		}
	}
}

// An id that is none must not become everybody.
func TestAnOrganizationThatIsNoneSeesNothing(t *testing.T) {
	t.Parallel()
	db := two(t)
	for _, odd := range []string{"00000000-0000-7000-8000-0000000000ff", "x", "' or true --"} {
		var n int
		err := db.QueryRow(tenant.With(t.Context(), odd), `select count(*) from events`).Scan(&n)
		if n != 0 || err != nil && !strings.Contains(err.Error(), "invalid input syntax for type uuid") {
			t.Errorf("%q sees %d events, %v", odd, n, err)
		}
	}
	if n := count(t, t.Context(), db, "events"); n < 2 {
		t.Errorf("the owner sees %d events after that", n)
	}
}
