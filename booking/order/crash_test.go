package order_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// tripwire ends the goroutine that calls a script, before or after the n-th
// script of a checkout has run: what a crash there leaves behind.
type tripwire struct {
	at string
	n  atomic.Int32
}

func (w *tripwire) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook knows scripts that go alone.
func (w *tripwire) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		script := cmd.Name() == "evalsha" || cmd.Name() == "eval"
		if script && w.at == "before the script" {
			runtime.Goexit()
		}
		err := next(ctx, cmd)
		if script && w.at == "after the script" && err == nil {
			runtime.Goexit()
		}
		return err
	}
}
func (w *tripwire) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		switch cmds[0].Name() {
		case "evalsha":
			w.n.Add(1)
		case "eval": // the script was not loaded yet: the same call again
		default:
			return next(ctx, cmds)
		}
		n := w.n.Load()
		if w.at == fmt.Sprint("before script ", n) {
			runtime.Goexit()
		}
		err := next(ctx, cmds)
		if w.at == fmt.Sprint("after script ", n) && (err == nil || !strings.HasPrefix(err.Error(), "NOSCRIPT")) {
			runtime.Goexit()
		}
		return err
	}
}

// crash runs a checkout that dies at a point.
func (d *desk) crash(r order.Request, at string) {
	d.t.Helper()
	d.dies(at, func() {
		_, err := d.Checkout(d.t.Context(), r)
		d.t.Logf("the checkout answered %v", err)
	})
}

// dies has a call die at a point.
func (d *desk) dies(at string, do func()) {
	d.t.Helper()
	wire := &tripwire{at: at}
	d.rdb.AddHook(wire)
	d.provider.before = func(call string) error { return trip(at == "before "+call) }
	d.provider.after = func(call string) error { return trip(at == "after "+call) }
	survived, dead := false, make(chan struct{})
	go func() {
		defer close(dead)
		do()
		survived = true
	}()
	<-dead
	if survived {
		d.t.Fatalf("it did not come to %q", at)
	}
	wire.at, d.provider.before, d.provider.after = "", nil, nil
}

func trip(now bool) error {
	if now {
		runtime.Goexit()
	}
	return nil
}

const (
	untouched = "attempts closed; orders -; tickets -; payments -; ledger -; redis sold 0"
	released  = "attempts closed; orders -; tickets -; payments voided; ledger -; redis sold 0"
	refused   = "attempts closed; orders -; tickets -; payments declined; ledger -; redis sold 0"
)

// The process dies at every step of a purchase. What is on disk then is what
// the package's doc says, and after a restart the settler brings it to an end
// at which money, tickets and Redis agree, also if Redis lost everything.
func TestCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ step, at, method, left, end string }{
		{"1", "before script 1", sandbox.OK, "attempts started; orders -; tickets -; payments -; ledger -; redis sold 0 held", untouched},
		{"2", "after script 1", sandbox.OK, "attempts started; orders -; tickets -; payments -; ledger -; redis sold 0 paying", untouched},
		{"3", "after authorize", sandbox.OK, "attempts started; orders -; tickets -; payments authorized; ledger -; redis sold 0 paying", released},
		{"4", "before capture", sandbox.OK, "attempts recorded; orders pending; tickets 3:unpaid,4:unpaid; payments authorized; ledger placed,authorized; redis sold 0 paying", sold},
		{"5", "after capture", sandbox.OK, "attempts recorded; orders pending; tickets 3:unpaid,4:unpaid; payments captured; ledger placed,authorized; redis sold 0 paying", sold},
		{"6", "before script 2", sandbox.OK, "attempts captured; orders paid; tickets 3:valid,4:valid; payments captured; ledger placed,authorized,captured; redis sold 0 paying", sold},
		{"7", "after script 2", sandbox.OK, "attempts captured; orders paid; tickets 3:valid,4:valid; payments captured; ledger placed,authorized,captured; redis sold 2", sold},
		{"declined, hold not given back", "before script 2", sandbox.Declined, "attempts voiding; orders -; tickets -; payments declined; ledger -; redis sold 0 paying", refused},
		{"declined, not closed", "before find", sandbox.Declined, "attempts voiding; orders -; tickets -; payments declined; ledger -; redis sold 0 held", refused},
	} {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("step %s, Redis lost %v", c.step, lost), func(t *testing.T) {
				t.Parallel()
				d := open(t)
				r := d.request(d.hold("s1", 3, 4), c.method)
				d.crash(r, c.at)
				d.want(c.left)
				if lost {
					d.loseRedis()
				}
				if _, err := d.stock.Rebuild(t.Context(), d.id, d.store); err != nil {
					t.Fatal(err)
				}
				d.settle(1)
				end := c.end
				if end != sold && !lost {
					end += " held" // the fan has the hold back
				}
				d.want(end)
				d.consistent()
				d.settle(0)
				o, err := d.Checkout(t.Context(), r)
				switch c.end {
				case sold:
					if err != nil || o.State != order.Paid {
						t.Errorf("the fan asks again: %+v, %v", o, err)
					}
				case refused:
					if !errors.Is(err, order.ErrDeclined) {
						t.Errorf("the fan asks again: %v, want payment-declined", err)
					}
				default:
					if !errors.Is(err, order.ErrFailed) {
						t.Errorf("the fan asks again: %v, want payment-failed", err)
					}
				}
			})
		}
	}
}

func (d *desk) loseRedis() {
	d.t.Helper()
	keys, err := d.rdb.Keys(d.t.Context(), inventory.KeysOf(d.id).Hold("*")).Result()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.rdb.Del(d.t.Context(), append(keys, inventory.KeysOf(d.id).For("")...)...).Err(); err != nil {
		d.t.Fatal(err)
	}
}

// Several settlers look at the same attempts: each attempt ends once.
func TestSettlersShareTheWork(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i := range 6 {
		at := []string{"before capture", "after authorize", "before script 2"}[i%3]
		d.crash(d.request(d.hold(fmt.Sprint("s", i), 3*i, 3*i+1), sandbox.OK), at)
	}
	var g errgroup.Group
	for range 4 {
		s := d.settler()
		g.Go(func() error { _, err := s.Settle(t.Context()); return err })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	d.settleAll()
	for query, want := range map[string]int{
		`select count(*) from attempts where state = 'done'`:               4,
		`select count(*) from attempts where state = 'closed'`:             2,
		`select count(*) from orders where state = 'paid'`:                 4,
		`select count(*) from tickets where state = 'valid'`:               8,
		`select count(*) from order_ledger where entry = 'captured'`:       4,
		`select count(*) from sandbox_payments where state = 'captured'`:   4,
		`select count(*) from sandbox_payments where state = 'authorized'`: 0,
	} {
		d.count(query, want)
	}
	d.consistent()
}

func (d *desk) settleAll() {
	d.t.Helper()
	for range 20 {
		if n, err := d.settler().Settle(d.t.Context()); n == 0 || err != nil {
			if err != nil {
				d.t.Fatal(err)
			}
			return
		}
	}
	d.t.Fatal("after 20 rounds there is still an attempt to settle")
}

func (d *desk) count(query string, want int) {
	d.t.Helper()
	var got int
	if err := d.db.QueryRow(d.t.Context(), query).Scan(&got); err != nil || got != want {
		d.t.Errorf("%s: %d, %v; want %d", query, got, err, want)
	}
}

// Redis forgot what it had given away and gave the same two seats to twelve
// fans. All pay at once: one gets them, the others' money is let go.
func TestNeverSoldTwiceWhateverRedisSays(t *testing.T) {
	t.Parallel()
	d := open(t)
	const fans = 12
	var requests []order.Request
	for i := range fans {
		for _, u := range []int64{3, 4} {
			if err := d.rdb.SetBit(t.Context(), inventory.KeysOf(d.id).Taken(), u, 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
		requests = append(requests, d.request(d.hold(fmt.Sprint("s", i), 3, 4), sandbox.OK))
	}
	var paid, refused atomic.Int32
	var g errgroup.Group
	for _, r := range requests {
		g.Go(func() error {
			_, err := d.Checkout(t.Context(), r)
			switch {
			case err == nil:
				paid.Add(1)
			case errors.Is(err, hold.ErrUnitsTaken):
				refused.Add(1)
			default:
				return err
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if paid.Load() != 1 || refused.Load() != fans-1 {
		t.Fatalf("%d paid, %d refused, of %d", paid.Load(), refused.Load(), fans)
	}
	d.count(`select count(*) from tickets`, 2)
	d.count(`select count(*) from orders`, 1)
	d.count(`select count(*) from sandbox_payments where state = 'captured'`, 1)
	d.count(`select count(*) from sandbox_payments where state = 'voided'`, fans-1)
}

// One request arrives many times at once, as impatient clients send it: one
// order, one payment.
func TestRepeatedAtOnceIsOneOrder(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := d.request(d.hold("s1", 3, 4), sandbox.OK)
	ids := make(chan string, 16)
	var g errgroup.Group
	for range cap(ids) {
		g.Go(func() error {
			o, err := d.Checkout(t.Context(), r)
			if err == nil {
				ids <- o.ID
			} else if !errors.Is(err, hold.ErrPaying) {
				return err
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	close(ids)
	seen := map[string]bool{}
	for id := range ids {
		seen[id] = true
	}
	if len(seen) != 1 {
		t.Errorf("%d different orders were answered", len(seen))
	}
	d.want(sold)
}

// leaky is a connection that loses the answer to one statement after Postgres
// has carried it out and committed it.
type leaky struct {
	net.Conn
	answer []byte
	armed  *atomic.Bool
}

func (c *leaky) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	committed := bytes.Contains(b[:n], c.answer) && bytes.HasSuffix(b[:n], []byte("Z\x00\x00\x00\x05I"))
	if committed && c.armed.CompareAndSwap(true, false) {
		return 0, errors.Join(errors.New("the answer was lost"), c.Close())
	}
	return n, err
}

// leak puts the desk on connections of which one loses an answer, by the tag of
// its command, once it is armed.
func (d *desk) leak(answer string) (armed *atomic.Bool) {
	d.t.Helper()
	armed = new(atomic.Bool)
	cfg := d.db.Config()
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return &leaky{conn, []byte(answer + "\x00"), armed}, err
	}
	pool, err := pgxpool.NewWithConfig(d.t.Context(), cfg)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(pool.Close)
	shows := catalogue.New(pool, time.Now)
	d.store = order.NewStore(pool, shows)
	d.Desk = d.deskOn(d.store, shows)
	return armed
}

// The order is committed, but the answer is lost. The attempt is looked up:
// recorded, so the checkout goes on.
func TestLostCommitIsLookedUp(t *testing.T) {
	t.Parallel()
	d := open(t)
	armed := d.leak("SELECT 1")
	d.provider.after = func(call string) error {
		armed.Store(call == "authorize") // the next statement is the order's
		return nil
	}
	o, err := d.Checkout(t.Context(), d.request(d.hold("s1", 3, 4), sandbox.OK))
	if err != nil || o.State != order.Paid || armed.Load() {
		t.Fatalf("order %+v, %v; answer still to be lost: %v", o, err, armed.Load())
	}
	d.want(sold)
}

func TestLedgerIsOnlyAppendedTo(t *testing.T) {
	t.Parallel()
	d := open(t)
	if _, err := d.Checkout(t.Context(), d.request(d.hold("s1", 3, 4), sandbox.OK)); err != nil {
		t.Fatal(err)
	}
	var partition string
	if err := d.db.QueryRow(t.Context(), `select tableoid::regclass::text from order_ledger limit 1`).Scan(&partition); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`update order_ledger set amount = 0`,
		`delete from order_ledger`,
		`truncate order_ledger`,
		`update ` + partition + ` set amount = 0`,
		`delete from ` + partition,
		`truncate ` + partition,
	} {
		if _, err := d.db.Exec(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v, want a refusal", statement, err)
		}
	}
	d.want(sold)
}

// The worker does by itself what the tests above do by hand.
func TestWorkerSweepsAndSettles(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.crash(d.request(d.hold("s1", 3, 4), sandbox.OK), "before capture")
	stray := d.hold("s2", 7)
	d.pay(stray, uuid.NewString())
	end := sold + " held"
	cfg := d.db.Config()
	cfg.PrepareConn = func(ctx context.Context, _ *pgx.Conn) (bool, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("the worker asks Postgres without saying when it stops waiting")
		}
		return true, nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	w := order.NewWorker(order.WorkerConfig{Postgres: pool, Redis: devtest.Redis(t), Provider: sandbox.New(d.db), Log: d.log(),
		SweepEvery: 5 * time.Millisecond, SettleEvery: 5 * time.Millisecond, Idle: time.Millisecond})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	deadline := time.After(20 * time.Second)
	for tick := time.NewTicker(10 * time.Millisecond); d.state() != end; {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the worker did not settle: %s", d.state())
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("worker ended with %v", err)
	}
}
