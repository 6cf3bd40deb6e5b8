package order_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/internal/batch"
)

// apart lets nobody's groups mix with those of the first: all who come behind
// one that is stuck are in one group.
const apart = 200

// checkout checks out beside the test and says what came of it.
func (d *desk) checkout(ctx context.Context, r order.Request) <-chan error {
	done := make(chan error, 1)
	go func() {
		o, err := d.Checkout(ctx, r)
		if err == nil && o.State != order.Paid {
			err = fmt.Errorf("the order is %s", o.State)
		}
		done <- err
	}()
	return done
}

func (d *desk) await(what string, is func() bool) {
	d.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !is(); <-tick.C {
		if time.Now().After(deadline) {
			d.t.Fatal("not after a minute: ", what)
		}
	}
}

// locked carries out a statement in a transaction that stays open, and returns
// what ends it.
func (d *desk) locked(sql string, args ...any) (free func()) {
	d.t.Helper()
	tx, err := d.db.Begin(d.t.Context())
	if err == nil {
		_, err = tx.Exec(d.t.Context(), sql, args...)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(context.Background()); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
			d.t.Error(err)
		}
	}
}

func (d *desk) awaitLock() {
	d.t.Helper()
	d.await("a statement waits for the lock", func() bool {
		var waiting int
		err := d.db.QueryRow(d.t.Context(), `select count(*) from pg_stat_activity
			where datname = current_database() and wait_event_type = 'Lock'`).Scan(&waiting)
		return err == nil && waiting > 0
	})
}

// stuck lets a fan's order be stuck when it is recorded, until free.
func (d *desk) stuck(r order.Request) (free func(), done <-chan error) {
	d.t.Helper()
	taken := make(chan func(), 1)
	first := sync.OnceFunc(func() { taken <- d.locked(`select from attempts where state = 'started' for update`) })
	d.provider.after = func(call string) error {
		if call == "authorize" {
			first()
		}
		return nil
	}
	done = d.checkout(d.t.Context(), r)
	select {
	case free = <-taken:
	case err := <-done:
		d.t.Fatalf("the order was not stuck: %v", err)
	}
	d.awaitLock()
	return free, done
}

// slowStart lets a fan's attempt be stuck when it is started, until free.
func (d *desk) slowStart(r order.Request) (free func(), done <-chan error) {
	d.t.Helper()
	free = d.locked(`
		insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key, request_mac, units, amount, currency, method, state)
		values ($1, gen_random_uuid(), $2, 'x', 'x', 'x', 'x', '', '{1}', 0, 'EUR', 'x', 'started')`, d.id, r.Hold)
	done = d.checkout(d.t.Context(), r)
	d.awaitLock()
	return free, done
}

func (d *desk) awaitWaiting(start, record int) {
	d.t.Helper()
	d.await(fmt.Sprintf("%d wait to start and %d to be recorded", start, record), func() bool {
		s, r := d.store.Waiting()
		return s == start && r == record
	})
}

// forget lets Redis forget that units are taken.
func (d *desk) forget(units ...int64) {
	d.t.Helper()
	for _, u := range units {
		if err := d.rdb.SetBit(d.t.Context(), inventory.KeysOf(d.id).Taken(), u, 0).Err(); err != nil {
			d.t.Fatal(err)
		}
	}
}

// broken is how many groups were written one by one.
func broken(t *testing.T, store *order.Store) (n float64) {
	t.Helper()
	reg := prometheus.NewRegistry()
	store.Watch(reg)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "ropeline_booking_groups_broken_total" {
			n = f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return n
}

// Fifty orders come together, and three of them want two seats of which one is
// sold, whatever Redis says: those three are refused and have neither, the others
// are sold. Five of another performance that came with them are a group of their
// own, which goes well.
func TestThreeBadOrdersOfFiftySpoilNoOther(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.store.GroupsOf(apart, apart)
	other := *d
	sale := other.seed()
	other.sale, other.id = sale.ID, sale.Performances[0]
	other.rebuild()
	for u := range 3 {
		if err := <-d.checkout(t.Context(), d.request(d.hold(fmt.Sprint("first", u), u), sandbox.OK)); err != nil {
			t.Fatal(err)
		}
	}
	d.forget(0, 1, 2)
	var requests []order.Request
	for u := range 50 {
		units := []int{u}
		if u < 3 {
			units = append(units, 50+u)
		}
		requests = append(requests, d.request(d.hold(fmt.Sprint("s", u), units...), sandbox.OK))
	}
	for u := range 5 {
		requests = append(requests, other.request(other.hold(fmt.Sprint("o", u), u), sandbox.OK))
	}
	free, first := d.stuck(d.request(d.hold("stuck", 59), sandbox.OK))
	defer free()
	var done []<-chan error
	for _, r := range requests {
		done = append(done, d.checkout(t.Context(), r))
	}
	d.awaitWaiting(0, 55)
	free()
	if err := <-first; err != nil {
		t.Errorf("the order before them: %v", err)
	}
	for i, c := range done {
		if err := <-c; (i < 3) != errors.Is(err, hold.ErrUnitsTaken) || i >= 3 && err != nil {
			t.Errorf("order %d: %v", i, err)
		}
	}
	if n := broken(t, d.store); n != 1 {
		t.Errorf("%v groups were written one by one, want 1", n)
	}
	const orders = 3 + 47 + 5 + 1
	d.count(`select count(*) from orders where state = 'paid'`, orders)
	d.count(`select count(*) from tickets where state = 'valid'`, orders)
	d.count(`select count(*) from order_ledger`, 3*orders)
	d.count(`select count(*) from attempts where state = 'done'`, orders)
	d.count(`select count(*) from attempts where state = 'closed'`, 3)
	d.count(`select count(*) from sandbox_payments where state = 'voided'`, 3)
	if n := d.store.Written(); n != orders {
		t.Errorf("%d orders were written, want %d", n, orders)
	}
	other.consistent()
}

// A group is recorded that wants units 20 and 10, while another transaction has
// 10: it waits with nothing in its hands, so the other one can have 20 as well, and
// neither ends in a deadlock.
func TestUnitsAreTakenInTheirOrder(t *testing.T) {
	t.Parallel()
	d := open(t)
	if err := <-d.checkout(t.Context(), d.request(d.hold("first", 1), sandbox.OK)); err != nil {
		t.Fatal(err)
	}
	later := d.request(d.hold("later", 20), sandbox.OK)
	sooner := d.request(d.hold("sooner", 10), sandbox.OK)
	d.store.GroupsOf(apart, apart)
	free, stuck := d.stuck(d.request(d.hold("stuck", 59), sandbox.OK))
	defer free()
	done := []<-chan error{d.checkout(t.Context(), later)}
	d.awaitWaiting(0, 1) // so that the later unit comes first in the group
	done = append(done, d.checkout(t.Context(), sooner))
	d.awaitWaiting(0, 2)

	tx, err := d.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	take := func(unit int) {
		t.Helper()
		if _, err := tx.Exec(t.Context(), `
			insert into tickets (performance_id, id, order_id, unit, tier_id, label, amount, currency, state, code)
			select performance_id, gen_random_uuid(), order_id, $1, tier_id, label, amount, currency, state, gen_random_uuid()::text from tickets where unit = 1`, unit); err != nil {
			t.Fatalf("unit %d: %v", unit, err)
		}
	}
	take(10)
	free()
	if err := <-stuck; err != nil {
		t.Error(err)
	}
	d.awaitLock()
	take(20)
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range done {
		if err := <-c; err != nil {
			t.Error(err)
		}
	}
	if n := broken(t, d.store); n != 0 {
		t.Errorf("%v groups were written one by one, want none", n)
	}
	d.consistent()
}

// While orders wait for a group one fan goes away, who is left out, and a settler
// takes another's request for dead: neither is sold to, and their money is let go.
// Whoever waits with them is sold to, in this group.
func TestWhoDropsOutOfAGroupHarmsNobody(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.store.GroupsOf(apart, apart)
	var requests []order.Request
	for u := range 3 {
		requests = append(requests, d.request(d.hold(fmt.Sprint("s", u), u), sandbox.OK))
	}
	free, first := d.stuck(d.request(d.hold("stuck", 59), sandbox.OK))
	defer free()
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	gone, dead, stays := d.checkout(ctx, requests[0]), d.checkout(t.Context(), requests[1]), d.checkout(t.Context(), requests[2])
	d.awaitWaiting(0, 3)
	giveUp()
	if err := <-gone; err == nil {
		t.Error("an order was answered that nobody waited for")
	}
	if _, err := d.db.Exec(t.Context(), `update attempts set state = 'voiding' where session_id = 's1'`); err != nil {
		t.Fatal(err)
	}
	free()
	if err := <-dead; !errors.Is(err, order.ErrFailed) {
		t.Errorf("the request taken for dead: %v, want payment-failed", err)
	}
	if err := errors.Join(<-first, <-stays); err != nil {
		t.Error(err)
	}
	if n := broken(t, d.store); n != 0 {
		t.Errorf("%v groups were written one by one, want none", n)
	}
	d.count(`select count(*) from attempts where state = 'started'`, 1)
	d.settleAll()
	d.count(`select count(*) from orders where state = 'paid'`, 2)
	d.count(`select count(*) from attempts where state = 'closed'`, 2)
	d.count(`select count(*) from sandbox_payments where state = 'voided'`, 2)
	d.consistent()
}

// As many wait as may. Who wants to begin is told to come later; whose money is
// authorized waits for nobody and is written alone.
func TestAFullQueue(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.store.GroupsOf(apart, 1)
	var requests []order.Request
	for u := range 7 {
		requests = append(requests, d.request(d.hold(fmt.Sprint("s", u), u), sandbox.OK))
	}
	free, first := d.slowStart(requests[0])
	defer free()
	second := d.checkout(t.Context(), requests[1])
	d.awaitWaiting(1, 0)
	if err := <-d.checkout(t.Context(), requests[2]); !errors.Is(err, batch.ErrFull) {
		t.Errorf("one too many wants to begin: %v, want overloaded", err)
	}
	free()
	if err := errors.Join(<-first, <-second); err != nil {
		t.Error(err)
	}

	free, first = d.stuck(requests[3])
	defer free()
	second = d.checkout(t.Context(), requests[4])
	d.awaitWaiting(0, 1)
	if err := <-d.checkout(t.Context(), requests[5]); err != nil {
		t.Errorf("one too many whose money is authorized: %v", err)
	}
	free()
	if err := errors.Join(<-first, <-second); err != nil {
		t.Error(err)
	}

	d.store.Close()
	if err := <-d.checkout(t.Context(), requests[6]); err != nil {
		t.Errorf("after the end of the groups: %v", err)
	}
	d.count(`select count(*) from orders where state = 'paid'`, 6)
	d.consistent()
}

// A group of three is committed, but the answer is lost. Each of the three finds
// out by itself, and is sold to once.
func TestLostCommitOfAGroupIsLookedUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		step, lost    string
		hold          func(*desk, order.Request) (func(), <-chan error)
		start, record int
	}{
		{"started", "INSERT 0 3", (*desk).slowStart, 3, 0},
		{"recorded", "SELECT 3", (*desk).stuck, 0, 3},
	} {
		t.Run(c.step, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			armed := d.leak(c.lost)
			d.store.GroupsOf(apart, apart)
			var requests []order.Request
			for u := range 4 {
				requests = append(requests, d.request(d.hold(fmt.Sprint("s", u), u), sandbox.OK))
			}
			free, first := c.hold(d, requests[0])
			defer free()
			var done []<-chan error
			for _, r := range requests[1:] {
				done = append(done, d.checkout(t.Context(), r))
			}
			d.awaitWaiting(c.start, c.record)
			armed.Store(true)
			free()
			for _, c := range append(done, first) {
				if err := <-c; err != nil {
					t.Error(err)
				}
			}
			if armed.Load() {
				t.Error("no answer was lost")
			}
			d.count(`select count(*) from orders where state = 'paid'`, 4)
			d.count(`select count(*) from attempts where state = 'done'`, 4)
			d.count(`select count(*) from attempts`, 4)
			if n := d.store.Written(); n != 4 {
				t.Errorf("%d orders were written, want 4", n)
			}
			d.consistent()
		})
	}
}

// The books of a recorded attempt say that its order is pending. Where it is not,
// nothing is written, and a person has to look.
func TestAnOrderThatIsNotPendingIsNotPaid(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.crash(d.request(d.hold("s1", 3, 4), sandbox.OK), "before capture")
	if _, err := d.db.Exec(t.Context(), `update orders set state = 'canceled'`); err != nil {
		t.Fatal(err)
	}
	d.settle(1)
	d.want("attempts recorded; orders canceled; tickets 3:unpaid,4:unpaid; payments captured; ledger placed,authorized; redis sold 0 paying")
}
