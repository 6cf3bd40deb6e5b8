package order_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/abuse"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// Two tokens of one card.
const mine, mineToo = sandbox.OK + "_mine", sandbox.Action + "_mine"

// carded is a desk at which a card pays for so many tickets of a sale.
func carded(t *testing.T, most int64) *desk {
	t.Helper()
	return watched(t, abuse.Policy{Limits: abuse.Limits{CardTickets: most, TicketsIn: 86400}})
}

// watched is a desk with a Redis of its own and a policy on abuse.
func watched(t *testing.T, p abuse.Policy) *desk {
	t.Helper()
	d := open(t)
	d.rdb = devtest.PrivateRedis(t).Client
	d.stock, d.holds = inventory.New(d.rdb), hold.New(d.rdb)
	d.coupons = coupon.New(d.db, d.rdb, d.holds, make(coupon.Keys, 32))
	d.rebuild()
	keys := make(abuse.Keys, 32)
	_, err := rand.Read(keys)
	d.must(err)
	d.guard = abuse.New(abuse.Config{Postgres: d.db, Redis: d.rdb, Keys: keys, Log: d.log(), Policy: p})
	d.Desk = d.deskOn(d.store, d.shows)
	return d
}

// wipe has Redis forget everything.
func (d *desk) wipe() {
	d.t.Helper()
	d.must(d.rdb.FlushAll(d.t.Context()).Err())
	d.rebuild()
}

// asks counts the provider's calls of a kind.
func (d *desk) asks(call string) (n int) {
	d.provider.mu.Lock()
	defer d.provider.mu.Unlock()
	for _, c := range d.provider.calls {
		if c == call {
			n++
		}
	}
	return n
}

// overLimit checks that a request is refused for its card, and how often the provider is
// asked for it.
func (d *desk) overLimit(r order.Request, asked int) {
	d.t.Helper()
	before := d.asks("authorize")
	if _, err := d.Checkout(d.t.Context(), r); !errors.Is(err, abuse.ErrCardLimit) {
		d.t.Errorf("answered %v, want card-limit", err)
	}
	if n := d.asks("authorize") - before; n != asked {
		d.t.Errorf("the provider was asked %d times, want %d", n, asked)
	}
}

// Redis may know what a token stands for, which saves a question to the provider. How much
// a card has bought only Postgres says.
func TestACardBuysNoMoreThanItMayWhateverRedisForgets(t *testing.T) {
	t.Parallel()
	d := carded(t, 4)
	first := d.buysBy(mine, "s1", 0, 1)
	d.buysBy(mine, "s2", 2)
	d.wipe()

	h := d.hold("s3", 3, 4)
	r := d.request(h, mine)
	d.overLimit(r, 1)
	d.overLimit(r, 0) // the same request
	d.overLimit(d.request(h, mine), 0)
	d.count(`select count(*) from sandbox_payments where state = 'voided'`, 1)
	d.count(`select count(*) from attempts where state = 'closed' and outcome = 'card-limit'`, 1)
	d.count(`select count(*) from orders`, 2)
	d.consistent()
	d.buysBy(mine, "s4", 5) // four of four
	if _, err := d.Checkout(t.Context(), d.request(h, sandbox.OK+"_yours")); err != nil {
		t.Errorf("the same places with another card: %v", err)
	}

	one := d.hold("s5", 6)
	d.overLimit(d.request(one, mine), 0)
	action := with(d.request(one, mineToo), func(r *order.Request) { r.Return = back })
	d.overLimit(action, 1) // by a token that nobody has seen, and before its fan is sent to the bank
	_, err := d.Cancel(t.Context(), order.Cancel{Order: first.ID, Tickets: []string{first.Tickets[0].ID}, Who: order.Staff("ann"), Reason: "fever", Full: true})
	d.must(err)
	if _, err := d.Checkout(t.Context(), d.request(one, mine)); err != nil {
		t.Errorf("after one was canceled: %v", err)
	}
	d.overLimit(d.request(d.hold("s6", 7), mine), 0)

	e := d.another() // another sale
	e.buysBy(mine, "s7", 0, 1, 2, 3)
	_, err = d.db.Exec(t.Context(), `update orders set card_until = now()`) // a day is over
	d.must(err)
	d.buysBy(mine, "s8", 8, 9, 10, 11)
	d.count(`select count(*) from orders where card like '%mine%' or card like '%sandbox%'`, 0)
	d.refunds()
	d.consistent()
}

// What a card has bought of another performance of the sale counts, when the order is
// written and, once it is known what a token stands for, before the provider is asked.
func TestACardIsCountedInAllPerformancesOfItsSale(t *testing.T) {
	t.Parallel()
	d := carded(t, 3)
	e := *d
	e.id = d.seed().Performances[0]
	e.rebuild()
	_, err := d.db.Exec(t.Context(), `update sale_performances set sale_id = $1`, d.sale)
	d.must(err)
	d.Desk = d.limit(0, d.id, e.id)
	e.Desk = d.Desk
	e.buysBy(mine, "s1", 0, 1)
	d.wipe()
	h := d.hold("s2", 3, 4)
	d.overLimit(d.request(h, mine), 1)
	d.overLimit(d.request(h, mine), 0)
	d.buysBy(mine, "s3", 5)
	d.consistent()
}

// Of fifty orders that are written together three are of cards that have come to their
// limit: only those are refused, and their money is let go. What fits is not refused
// for what was refused before it, and of two of a card that fit one by one, one is.
func TestThreeOfFiftyAreOverTheLimitOfTheirCards(t *testing.T) {
	t.Parallel()
	d := carded(t, 2)
	const full, half = sandbox.OK + "_full", sandbox.OK + "_half"
	d.buysBy(full, "s1", 56, 57)
	d.buysBy(half, "s2", 55)
	d.wipe()
	d.store.GroupsOf(apart, apart)
	requests := []order.Request{d.request(d.hold("half2", 50, 51), half), d.request(d.hold("half1", 52), half), d.request(d.hold("full1", 0), full),
		with(d.request(d.hold("full2", 1), sandbox.Action+"_full"), func(r *order.Request) { r.Return = back })}
	for u := 2; u < 48; u++ {
		requests = append(requests, d.request(d.hold(fmt.Sprint("own", u), u), fmt.Sprint(sandbox.OK, "_own", u)))
	}
	pair := len(requests)
	requests = append(requests, d.request(d.hold("pair1", 48, 49), sandbox.OK+"_pair"), d.request(d.hold("pair2", 53), sandbox.OK+"_pair"))
	free, stuck := d.stuck(d.request(d.hold("stuck", 59), sandbox.OK))
	defer free()
	var done []<-chan error
	for _, r := range requests {
		done = append(done, d.checkout(t.Context(), r))
		if len(done) == 1 { // so that it comes before the one that fits
			d.awaitWaiting(0, 1)
		}
	}
	d.awaitWaiting(0, 52)
	free()
	if err := <-stuck; err != nil {
		t.Error(err)
	}
	if one, two := <-done[pair], <-done[pair+1]; (one == nil) == (two == nil) || !errors.Is(errors.Join(one, two), abuse.ErrCardLimit) {
		t.Errorf("two orders that are too much for their card together: %v, %v", one, two)
	}
	for i, c := range done[:pair] {
		if err := <-c; slices.Contains([]int{0, 2, 3}, i) != errors.Is(err, abuse.ErrCardLimit) || i == 1 && err != nil || i > 3 && err != nil {
			t.Errorf("order %d: %v", i, err)
		}
	}
	if n := broken(t, d.store); n != 0 {
		t.Errorf("%v groups were written one by one, want none", n)
	}
	d.count(`select count(*) from orders where state = 'paid'`, 2+1+47+1)
	d.count(`select count(*) from attempts where state = 'closed' and outcome = 'card-limit'`, 3+1)
	d.count(`select count(*) from sandbox_payments where state = 'voided'`, 3+1)
	d.consistent()
}

// Buyers with two cards come at once to two cores, cancel, are declined, and Redis forgets
// everything now and then: no card ever has more than it may, and none is refused that
// would not have had.
func TestCardsOfManyBuyersAtOnceAreCountedAsInTheModel(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := mathrand.New(mathrand.NewPCG(seed, 0))
	const most = 7
	d := carded(t, most)
	desks := []*order.Desk{d.Desk, d.deskOn(order.NewStore(d.db, d.shows), d.shows)}
	type living struct {
		order.Order
		card string
	}
	var orders []living
	has := map[string]int{}
	type buyer struct {
		hold.Hold
		card string
		got  order.Order
		err  error
	}
	for range 15 {
		if r.IntN(3) == 0 {
			d.wipe()
		}
		if len(orders) > 0 && r.IntN(2) == 0 {
			i := r.IntN(len(orders))
			o := orders[i]
			_, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Who: order.Staff("ann"), Reason: "fever", Full: true})
			d.must(err)
			has[o.card] -= len(o.Tickets)
			orders = slices.Delete(orders, i, i+1)
		}
		wave := make([]buyer, 2+r.IntN(5))
		var all sync.WaitGroup
		for i := range wave {
			b := &wave[i]
			var err error
			b.Hold, err = d.holds.Any(t.Context(), d.wish(uuid.NewString()), 1+r.IntN(4), catalogue.Range{First: 0, Count: 60})
			d.must(err)
			b.card = []string{"a", "b"}[r.IntN(2)]
			request := d.request(b.Hold, []string{sandbox.OK, sandbox.OK, sandbox.OK, sandbox.Declined}[r.IntN(4)]+"_"+b.card)
			desk := desks[r.IntN(2)]
			all.Go(func() { b.got, b.err = desk.Checkout(context.Background(), request) })
		}
		all.Wait()
		for _, b := range wave {
			if b.err == nil {
				orders, has[b.card] = append(orders, living{b.got, b.card}), has[b.card]+len(b.Units)
				continue
			}
			d.must(d.holds.Release(t.Context(), d.id, b.ID, b.Session))
		}
		for _, b := range wave {
			switch {
			case b.err == nil, errors.Is(b.err, order.ErrDeclined):
			case !errors.Is(b.err, abuse.ErrCardLimit):
				t.Fatal(b.err)
			case has[b.card]+len(b.Units) <= most:
				t.Errorf("card %s has %d and was refused %d more", b.card, has[b.card], len(b.Units))
			}
		}
		for card, n := range has {
			if n > most {
				t.Fatalf("card %s has %d, and may have %d", card, n, most)
			}
		}
		d.count(`select count(*) from tickets t join orders o on o.performance_id = t.performance_id and o.id = t.order_id where o.card <> '' and t.state = 'valid'`, has["a"]+has["b"])
	}
	d.refunds()
	d.consistent()
	d.count(`select count(*) from sandbox_payments where state = 'authorized'`, 0)
}

// Another booking core has counted, and has not committed yet: whoever comes then waits,
// and sees what it did.
func TestACardIsCountedByOneAtATime(t *testing.T) {
	t.Parallel()
	d := carded(t, 2)
	o := d.buysBy(mine, "s1", 0, 1)
	_, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Who: order.Staff("ann"), Reason: "fever", Full: true})
	d.must(err)
	d.wipe() // or the card would be counted before the provider is asked
	tx, err := d.db.Begin(t.Context())
	d.must(err)
	defer func() { _ = tx.Rollback(context.Background()) }() // else the pool would wait for it
	_, err = tx.Exec(t.Context(), `select had from orders o, units_of_cards(array[o.performance_id], array[o.card]) where o.id = $1`, o.ID)
	d.must(err)
	_, err = tx.Exec(t.Context(), `update tickets set state = 'valid' where order_id = $1`, o.ID)
	d.must(err)
	done := d.checkout(t.Context(), d.request(d.hold("s2", 3), mine))
	d.awaitLock()
	d.must(tx.Commit(t.Context()))
	if err := <-done; !errors.Is(err, abuse.ErrCardLimit) {
		t.Errorf("beside the other core it was answered %v, want card-limit", err)
	}
}

// Where a card is only known when its fan has confirmed, it is counted then: the order that
// is too much is canceled before its money is taken, whoever was told first.
func TestACardThatIsKnownOnlyAtTheBankIsCountedThere(t *testing.T) {
	t.Parallel()
	d := carded(t, 3)
	d.provider.shy = true
	d.buysBy(mine, "s1", 0, 1)
	var newest string
	acts := func(session string, units ...int) order.Request {
		t.Helper()
		r := with(d.request(d.hold(session, units...), mineToo), func(r *order.Request) { r.Return = back })
		if o, err := d.Checkout(t.Context(), r); err != nil || o.Action == "" {
			t.Fatalf("order %+v, %v; want a pending one", o, err)
		}
		d.must(d.db.QueryRow(t.Context(), `select id from attempts order by id desc limit 1`).Scan(&newest))
		d.must(d.sandbox().Confirm(t.Context(), payment.Charge{Attempt: newest}, true))
		return r
	}
	told := func() payment.Event {
		e := d.event(payment.Authorized)
		e.Attempt = newest
		return e
	}
	r := acts("s2", 3, 4)
	d.overLimit(r, 0) // the fan is back
	d.overLimit(r, 0)
	d.count(`select count(*) from orders where state = 'canceled'`, 1)
	d.count(`select count(*) from sandbox_payments where state = 'voided'`, 1)
	d.troubled("")
	d.consistent()
	h := hold.Hold{ID: r.Hold, Session: r.Session}
	if _, err := d.Checkout(t.Context(), d.request(h, sandbox.OK)); err != nil {
		t.Errorf("the same places with another card: %v", err)
	}

	r = acts("s3", 5)
	d.hear(told(), order.HeardNow)
	if o, err := d.Checkout(t.Context(), r); err != nil || o.State != order.Paid {
		t.Errorf("the third of three: %+v, %v", o, err)
	}
	r = acts("s4", 6)
	e := told()
	d.hear(e, order.HeardNow)
	d.hear(e, order.HeardAgain)
	d.overLimit(r, 0)
	d.count(`select count(*) from sandbox_payments where state = 'voided'`, 2)
	d.count(`select count(*) from orders where card <> ''`, 2)
	d.troubled("")
	d.consistent()
	d.free()
}

// What was exchanged counts for the card that bought it.
func TestAnExchangeTakesTheCardAlong(t *testing.T) {
	t.Parallel()
	d := carded(t, 2)
	_, err := d.db.Exec(t.Context(), `update performances set tariff = $1`, swaps)
	d.must(err)
	d.shows = catalogue.New(d.db, time.Now)
	d.store = order.NewStore(d.db, d.shows)
	d.Desk = d.deskOn(d.store, d.shows)
	o := d.buysBy(mine, "s1", dear, dear+1)
	n := d.exchanges(o, 0, d.id, fair)
	h := d.hold("s2", cheap)
	d.overLimit(d.request(h, mine), 0)
	_, err = d.Cancel(t.Context(), order.Cancel{Order: n.ID, Who: order.Staff("ann"), Reason: "fever", Full: true})
	d.must(err)
	if _, err := d.Checkout(t.Context(), d.request(h, mine)); err != nil {
		t.Errorf("after what it was exchanged for was canceled: %v", err)
	}
	d.overLimit(d.request(d.hold("s3", cheap+1), mine), 0)
	d.refunds()
	d.adds()
}

// Late money gives no card more than it may have: it goes back.
func TestLateMoneyOfACardAtItsLimitGoesBack(t *testing.T) {
	t.Parallel()
	first := carded(t, 2)
	for _, c := range []struct {
		units []int // that the card buys meanwhile
		end   string
	}{{nil, "late:reseated"}, {[]int{5}, "late:refunded"}} {
		d := first.another()
		r := with(d.request(d.hold("s1", 3, 4), mineToo), func(r *order.Request) { r.Return = back })
		_, err := d.Checkout(t.Context(), r)
		d.must(err)
		late := d.settler().At(func() time.Time { return time.Now().Add(order.ActionLife + time.Second) })
		_, err = late.Settle(t.Context())
		d.must(err)
		e := d.event("")
		d.takenByHand(payment.Captured)
		if len(c.units) > 0 {
			d.buysBy(mine, "s2", c.units...)
		}
		d.hear(e, order.HeardNow)
		d.troubled(c.end)
		d.consistent()
	}
}
