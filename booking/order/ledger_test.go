package order_test

import (
	"fmt"
	"testing"

	"errors"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// audited checks that the ledger says what the orders say, and what the provider
// says, to the cent.
func (d *desk) audited() {
	d.t.Helper()
	d.consistent()
	d.count(`
		select count(*) from orders o join sandbox_payments p on p.attempt_id = o.attempt_id
		join (select order_id, sum(case entry when 'captured' then amount when 'refund_returned' then amount when 'refunded' then -amount else 0 end) money
			from order_ledger group by order_id) l on l.order_id = o.id
		where l.money <> case when p.state = 'captured' then p.amount - p.refunded else 0 end`, 0)
}

// Nobody changes what the ledger says, not in a partition either.
func TestLedgerRefusesChange(t *testing.T) {
	t.Parallel()
	d := open(t)
	if _, err := d.Checkout(t.Context(), d.request(d.hold("s1", 3, 4), sandbox.OK)); err != nil {
		t.Fatal(err)
	}
	tables := []string{"order_ledger"}
	for i := range 16 {
		tables = append(tables, fmt.Sprintf("order_ledger_p%02d", i))
	}
	refusals := 0
	for _, table := range tables {
		for _, sql := range []string{"update %s set amount = 0", "update %s set who = 'buyer' where who = 'system'", "delete from %s", "truncate %s", "truncate %s cascade"} {
			var rows int64
			d.must(d.db.QueryRow(t.Context(), "select count(*) from "+table).Scan(&rows))
			_, err := d.db.Exec(t.Context(), fmt.Sprintf(sql, table))
			if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == "23001" {
				refusals++
			} else if rows > 0 || sql[:8] == "truncate" {
				t.Errorf("%s: %v, want it refused", fmt.Sprintf(sql, table), err)
			}
		}
	}
	if want := 17*2 + 2*3; refusals != want { // truncate everywhere; the rows are in one partition
		t.Errorf("%d changes were refused, want %d", refusals, want)
	}
	d.audited()
}

// Each entry says who made it, and nothing by which a person is known.
func TestLedgerSaysWhoDidIt(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := d.request(d.hold("s1", 3, 4), sandbox.OK)
	if _, err := d.Checkout(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	d.entries("placed 15000 buyer, authorized 15000 buyer, captured 15000 system")
	d.count(`select count(*) from order_ledger l where l::text like '%@%'`, 0)
	for _, who := range []string{"fan@example.org", "Ann", "staff:", "staff:Ann", "staff:a@b"} {
		_, err := d.db.Exec(t.Context(), `insert into order_ledger (performance_id, order_id, entry, amount, currency, who)
			select performance_id, id, 'canceled', 1, 'EUR', $1 from orders`, who)
		if refused, ok := errors.AsType[*pgconn.PgError](err); !ok || refused.Code != "23514" {
			t.Errorf("an entry by %q: %v, want it refused", who, err)
		}
	}
}

// An entry that does not fit is found.
func TestAuditFindsWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	d := open(t)
	o, err := d.Checkout(t.Context(), d.request(d.hold("s1", 3, 4), sandbox.OK))
	if err != nil {
		t.Fatal(err)
	}
	d.audited()
	for _, step := range []struct {
		entry string
		fits  bool
	}{
		{"placed", false}, {"canceled", true}, {"kept", false}, {"canceled", true}, {"refunded", false}, {"captured", false},
	} {
		d.must(d.append(o.ID, step.entry))
		bad, n, err := d.store.Audit(t.Context(), d.id)
		if err != nil || n != 1 || (len(bad) == 0) != step.fits || !step.fits && bad[0].Order != o.ID {
			t.Errorf("after %s: found %v in %d orders, %v", step.entry, bad, n, err)
		}
	}
}

func (d *desk) append(order, entry string) error {
	_, err := d.db.Exec(d.t.Context(), `insert into order_ledger (performance_id, order_id, entry, amount, currency) values ($1, $2, $3, 1, 'EUR')`,
		d.id, order, entry)
	return err
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// entries compares the whole ledger.
func (d *desk) entries(want string) {
	d.t.Helper()
	var got string
	d.must(d.db.QueryRow(d.t.Context(), `select string_agg(entry || ' ' || amount || ' ' || who, ', ' order by id) from order_ledger`).Scan(&got))
	if got != want {
		d.t.Errorf("ledger:\n got %s\nwant %s", got, want)
	}
}
