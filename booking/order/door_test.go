package order_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline/booking/door"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/ticket"
)

// gate is a door of the performance.
type gate struct {
	*door.Store
	d    *desk
	keys ticket.Keys
}

func (d *desk) gate() gate {
	d.t.Helper()
	keys, err := ticket.ParseKeys(strings.Repeat("07", 32) + "\n")
	d.must(err)
	g := gate{door.New(d.db, keys, time.Now), d, keys}
	d.t.Cleanup(g.Close)
	return g
}

// letIn has those whom staff have looked up let in together.
func (g gate) letIn(tickets ...string) error {
	all := make([]door.Decision, len(tickets))
	for i, id := range tickets {
		all[i] = door.Decision{ID: uuid.NewString(), Ticket: id, Door: door.Main, Passed: true, At: time.Now()}
	}
	answers, err := g.Merge(g.d.t.Context(), g.d.id, "gate 1", "staff:kim", all)
	for _, a := range answers {
		if a.Reason != "" {
			err = fmt.Errorf("who came first was told %+v", a)
		}
	}
	return err
}

// says wants both codes of a ticket, on the phone and on paper, to be answered with a reason.
func (g gate) says(k order.Ticket, want door.Reason) {
	g.d.t.Helper()
	p, err := g.keys.Private(k.ID, k.Issue, time.Now())
	g.d.must(err)
	phone, err := p.Code(ticket.PeriodOf(time.Now()))
	g.d.must(err)
	for _, code := range []string{phone, k.Code} {
		a, err := g.Scan(g.d.t.Context(), door.Scan{Performance: g.d.id, ID: uuid.NewString(), Code: code, Door: door.Main, Device: "gate 1", Who: "staff:kim"})
		if err != nil || a.Reason != want || a.Passed || a.Ticket != k.ID {
			g.d.t.Errorf("%.20s is %+v, %v; want %q", code, a, err, want)
		}
	}
}

// Whoever has their money back, or other seats for it, has a code still.
func TestATicketThatWasGivenBackOpensNothing(t *testing.T) {
	t.Parallel()
	d, _ := twice(t, passing)
	g, o := d.gate(), d.buys("s1", 3, 4, 5)
	_, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Tickets: []string{o.Tickets[0].ID}, Who: order.Buyer})
	d.must(err)
	g.says(o.Tickets[0], door.Canceled) // before the money is back, and after
	d.refunds()
	g.says(o.Tickets[0], door.Canceled)
	d.exchanges(o, 1, d.id, 7)
	g.says(o.Tickets[1], door.Canceled)
	d.must(g.letIn(o.Tickets[2].ID))
	g.says(o.Tickets[2], door.Used)
	d.count(`select count(*) from door_entries`, 1)
}

// waits is until so many wait for what somebody else holds.
func (d *desk) waits(n int) {
	d.t.Helper()
	d.await(fmt.Sprint(n, " wait"), func() bool {
		var now int
		d.must(d.db.QueryRow(d.t.Context(), `select count(*) from pg_stat_activity where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`).Scan(&now))
		return now == n
	})
}

// A scan held its ticket, and then the key of the order of which it wrote in the ledger; a cancel
// held the order, and then the ticket: whoever came second in between, both waited for each
// other, until Postgres, a second later, broke one off. If it was the cancel, its buyer was told
// that the shop is away.
func TestATicketIsCanceledWhileItIsScanned(t *testing.T) {
	t.Parallel()
	d := openBy(t, strict)
	o, g := d.buys("s1", 3), d.gate()
	_, err := d.db.Exec(t.Context(), `
		create function linger() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(1); return new; end $$;
		create trigger linger before insert on door_entries for each row execute function linger()`)
	d.must(err)
	tx, err := d.db.Begin(t.Context())
	d.must(err)
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = tx.Exec(t.Context(), `select pg_advisory_xact_lock(1)`)
	d.must(err)

	var both errgroup.Group
	both.Go(func() error { return g.letIn(o.Tickets[0].ID) }) // it has the ticket, and lingers
	d.waits(1)
	both.Go(func() error {
		_, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Who: order.Staff("ann"), Reason: "ill", Full: true})
		return err
	})
	d.waits(2)
	d.must(tx.Commit(t.Context()))
	d.must(both.Wait())
	d.count(`select count(*) from order_ledger where entry in ('scanned_in', 'canceled')`, 2)
	d.refunds()
	d.consistent()
}

// A dispute took an order's tickets as Postgres comes to them, and a door takes those that are
// scanned together by their ids.
func TestTicketsAreBlockedWhileTheyAreScanned(t *testing.T) {
	t.Parallel()
	d := open(t)
	o, g := d.buysBy(sandbox.Disputed, "s1", 3, 4), d.gate()
	const first = "00000000-0000-7000-8000-000000000001" // the one of both that was written last
	_, err := d.db.Exec(t.Context(), `update tickets set id = $2 where id = $1`, o.Tickets[1].ID, first)
	d.must(err)
	tx, err := d.db.Begin(t.Context())
	d.must(err)
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = tx.Exec(t.Context(), `select from tickets where id = $1 for update`, first)
	d.must(err)

	var both errgroup.Group
	both.Go(func() error { return g.letIn(o.Tickets[0].ID, first) })
	d.waits(1)
	e := d.aDispute()
	both.Go(func() error {
		_, _, err := d.Hear(t.Context(), e)
		return err
	})
	d.waits(2)
	d.must(tx.Commit(t.Context()))
	d.must(both.Wait())
	d.count(`select count(*) from tickets where state = 'blocked'`, 2)
	d.count(`select count(*) from order_ledger where entry = 'scanned_in'`, 2)
}
