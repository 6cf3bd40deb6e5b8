package order_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// lowered is a desk whose show has coupons.
type lowered struct {
	*desk
	units int // the next free one
}

func openLowered(t *testing.T) *lowered {
	t.Helper()
	d := &lowered{desk: open(t), units: 0}
	var event string
	d.must(d.db.QueryRow(t.Context(), `select event_id from performances where id = $1`, d.id).Scan(&event))
	d.must(d.coupons.PutShop(t.Context(), coupon.Shop{ID: "opera", Name: "Opera"}))
	d.must(d.coupons.PutProduct(t.Context(), "opera", coupon.Product{ID: "tickets", Name: "Tickets", Category: "shows", Event: event}))
	return d
}

func (d *lowered) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// claimed is a shareable coupon of so many percent, in a bag.
func (d *lowered) claimed(percent int64) coupon.Copy {
	d.t.Helper()
	ctx := context.Background()
	now := time.Now()
	c, err := d.coupons.Make(ctx, "opera", "rosa", uuid.NewString(), coupon.Terms{Product: "tickets", Title: "Less", Percent: percent, Currency: "EUR",
		Shareable: true, Stock: 1, PerPerson: 1, PublishFrom: now.Add(-time.Hour), PublishUntil: now.Add(time.Hour), ExpiresAt: now.Add(2 * time.Hour)})
	d.must(err)
	_, err = d.coupons.Publish(ctx, "opera", c.ID, "rosa", nil)
	d.must(err)
	k, _, err := d.coupons.Claim(ctx, c.ID, uuid.NewString(), "k")
	d.must(err)
	return k
}

// place holds a place of its own that a coupon lowers.
func (d *lowered) place(k coupon.Copy) hold.Hold {
	d.t.Helper()
	h := d.hold(uuid.NewString(), d.units)
	d.units++
	_, err := d.coupons.Reserve(d.t.Context(), "", k.Code, h, d.price(h))
	d.must(err)
	return h
}

func (d *lowered) price(h hold.Hold) booking.Money {
	d.t.Helper()
	p, err := d.shows.Performance(d.t.Context(), d.id)
	d.must(err)
	_, total, err := p.Map.Lines(h.Units)
	d.must(err)
	return total
}

// on says how a coupon, its order, the tickets and the money stand, in one line.
func (d *lowered) on(h hold.Hold, k coupon.Copy, want string) {
	d.t.Helper()
	var got string
	d.must(d.db.QueryRow(d.t.Context(), `
		select 'coupon ' || c.state || case when c.order_id is null then '' else ' by its order' end || '; '
			|| coalesce((select string_agg('order ' || o.state, ', ' order by o.created_at) from orders o join attempts a on a.id = o.attempt_id where a.hold_id = $1), 'no order') || '; '
			|| coalesce((select string_agg('money ' || p.state, ', ' order by p.created_at) from sandbox_payments p join attempts a on a.id = p.attempt_id where a.hold_id = $1), 'no money')
		from coupon_copies c where c.coupon_id = $2 and c.number = $3 and (c.order_id is null
			or exists (select from orders o join attempts a on a.id = o.attempt_id where a.hold_id = $1 and o.id = c.order_id))`,
		h.ID, k.Coupon.ID, k.Number).Scan(&got))
	if got != want {
		d.t.Errorf("on disk:\n got %s\nwant %s", got, want)
	}
}

// A coupon is used up in the transaction that writes the order, and never without it.
func TestCouponsAreRedeemedWithTheSale(t *testing.T) {
	t.Parallel()
	d := openLowered(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *lowered)
	}{
		{"bought", boughtWithACoupon}, {"for nothing", boughtForNothing}, {"ended between hold and payment", endedBeforePaying},
		{"ended after the money was reserved", endedAfterAuthorizing}, {"the order is canceled", canceledWithACoupon},
		{"withdrawn before it is canceled", withdrawnAndCanceled},
		{"the bank asks", confirmedWithACoupon}, {"the fan is back from the bank", backWithACoupon},
		{"sold at the counter", soldWithACoupon}, {"ended while the counter sells", endedAtCounter},
		{"declined and paid otherwise", declinedWithACoupon}, {"the process dies", crashedWithACoupon}, {"many want one", manyWithOneCoupon},
	} {
		t.Run(c.name, func(t *testing.T) {
			mine := *d.desk
			mine.t = t
			l := &lowered{desk: &mine, units: d.units}
			defer func() { d.units = l.units }()
			c.test(t, l)
		})
	}
	d.consistent()
}

func boughtWithACoupon(t *testing.T, d *lowered) {
	k := d.claimed(25)
	h := d.place(k)
	price := d.price(h).Amount
	r := d.request(h, sandbox.OK)
	for range 2 {
		o, err := d.Checkout(t.Context(), r)
		if err != nil || o.State != order.Paid || o.Total.Amount != price-price/4 || o.Discount.Amount != price/4 || o.Tickets[0].Price.Amount != price {
			t.Fatalf("bought %+v, %v", o, err)
		}
	}
	d.on(h, k, "coupon redeemed by its order; order paid; money captured")
	var paid int64
	d.must(d.db.QueryRow(t.Context(), `select p.amount from sandbox_payments p join attempts a on a.id = p.attempt_id where a.hold_id = $1`, h.ID).Scan(&paid))
	if paid != price-price/4 {
		t.Errorf("the provider took %d", paid)
	}
}

// What costs nothing is asked of nobody.
func boughtForNothing(t *testing.T, d *lowered) {
	k := d.claimed(100)
	h := d.place(k)
	calls := len(d.provider.calls)
	o, err := d.Checkout(t.Context(), d.request(h, ""))
	if err != nil || o.State != order.Paid || o.Total.Amount != 0 {
		t.Fatalf("bought %+v, %v", o, err)
	}
	if asked := d.provider.calls[calls:]; len(asked) > 0 {
		t.Errorf("the provider was asked to %v", asked)
	}
	d.on(h, k, "coupon redeemed by its order; order paid; no money")
	full := d.hold(uuid.NewString(), d.units)
	d.units++
	if _, err := d.Checkout(t.Context(), d.request(full, "")); !errors.Is(err, order.ErrMethod) {
		t.Errorf("something for nothing: %v", err)
	}
}

// A coupon that comes to its end while its fan thinks is said before anything
// else happens: the provider is asked nothing, and the full price only after the
// fan took the coupon off.
func endedBeforePaying(t *testing.T, d *lowered) {
	for want, end := range map[*ropeline.Error]func(coupon.Copy){
		coupon.ErrExpired: func(k coupon.Copy) {
			_, err := d.db.Exec(t.Context(), `update coupon_copies set expires_at = now() where coupon_id = $1`, k.Coupon.ID)
			d.must(err)
		},
		coupon.ErrWithdrawn: func(k coupon.Copy) {
			_, err := d.coupons.Withdraw(t.Context(), "opera", k.Coupon.ID, "rosa", "a mistake")
			d.must(err)
		},
	} {
		k := d.claimed(25)
		h := d.place(k)
		end(k)
		calls := len(d.provider.calls)
		if _, err := d.Checkout(t.Context(), d.request(h, sandbox.OK)); !errors.Is(err, want) {
			t.Errorf("paid with a coupon that has ended: %v, want %s", err, want.Code)
		}
		if asked := d.provider.calls[calls:]; len(asked) > 0 {
			t.Errorf("the provider was asked to %v", asked)
		}
		d.must(d.coupons.TakeOff(t.Context(), h))
		if o, err := d.Checkout(t.Context(), d.request(h, sandbox.OK)); err != nil || o.Discount.Amount != 0 || o.Total != d.price(h) {
			t.Errorf("at the full price: %+v, %v", o, err)
		}
	}
}

// One that ends after that lets the money go and leaves no order; a repeat is told
// the same.
func endedAfterAuthorizing(t *testing.T, d *lowered) {
	for want, end := range map[*ropeline.Error]func(coupon.Copy, hold.Hold) error{
		coupon.ErrExpired: func(k coupon.Copy, _ hold.Hold) error {
			_, err := d.db.Exec(t.Context(), `update coupon_copies set expires_at = now() where coupon_id = $1`, k.Coupon.ID)
			return err
		},
		coupon.ErrWithdrawn: func(k coupon.Copy, _ hold.Hold) error {
			_, err := d.coupons.Withdraw(t.Context(), "opera", k.Coupon.ID, "rosa", "a mistake")
			return err
		},
		coupon.ErrTakenOff: func(k coupon.Copy, _ hold.Hold) error {
			_, err := d.db.Exec(t.Context(), `update coupon_copies set state = 'claimed', hold_id = null where coupon_id = $1`, k.Coupon.ID)
			return err
		},
	} {
		k := d.claimed(25)
		h := d.place(k)
		d.provider.after = func(call string) error {
			if call == "authorize" {
				return end(k, h)
			}
			return nil
		}
		r := d.request(h, sandbox.OK)
		for range 2 {
			if _, err := d.Checkout(t.Context(), r); !errors.Is(err, want) {
				t.Errorf("sold with a coupon that has ended: %v, want %s", err, want.Code)
			}
			d.provider.after = nil
		}
		state := map[string]string{coupon.ErrExpired.Code: "reserved", coupon.ErrWithdrawn.Code: "withdrawn", coupon.ErrTakenOff.Code: "claimed"}[want.Code]
		d.on(h, k, "coupon "+state+"; no order; money voided")
		if live, err := d.holds.Get(t.Context(), d.id, h.ID, h.Session); err != nil || live.State != hold.Held {
			t.Errorf("the places: %+v, %v", live, err)
		}
	}
}

// atCounterWith holds a place at the counter, lowered by a coupon that is shown there: a
// personal one, too.
func (d *lowered) atCounterWith(k coupon.Copy) hold.Hold {
	d.t.Helper()
	h := d.counterHold(d.units)
	d.units++
	_, err := d.coupons.ReserveAtCounter(d.t.Context(), order.Staff("rosa"), k.Code, h, d.price(h))
	d.must(err)
	return h
}

func soldWithACoupon(t *testing.T, d *lowered) {
	k := d.claimed(25)
	_, err := d.db.Exec(t.Context(), `update coupons set shareable = false where id = $1`, k.Coupon.ID)
	d.must(err)
	h := d.atCounterWith(k)
	price := d.price(h).Amount
	c := d.atCounter(h, order.Complimentary)
	if _, err := d.Sell(t.Context(), c); !errors.Is(err, order.ErrForNothing) {
		t.Errorf("a coupon for what costs nothing: %v", err)
	}
	c.Tender, c.Total = order.Cash, d.price(h)
	if _, err := d.Sell(t.Context(), c); !errors.Is(err, order.ErrPrice) {
		t.Errorf("at the price without it: %v", err)
	}
	d.on(h, k, "coupon reserved; no order; no money")
	c.Total.Amount = price - price/4
	var sold order.Order
	for range 2 {
		sold, err = d.Sell(t.Context(), c)
		if err != nil || sold.State != order.Paid || sold.Total.Amount != price-price/4 || sold.Discount.Amount != price/4 || sold.Tickets[0].Price.Amount != price {
			t.Fatalf("sold %+v, %v", sold, err)
		}
	}
	d.on(h, k, "coupon redeemed by its order; order paid; no money")
	d.audited()
	_, err = d.Cancel(t.Context(), order.Cancel{Order: sold.ID, Who: order.Staff("rosa"), Reason: "ill", Tender: order.Cash, Full: true})
	d.must(err)
	var back int64
	d.must(d.db.QueryRow(t.Context(), `select sum(amount) from order_ledger where order_id = $1 and entry = 'refunded'`, sold.ID).Scan(&back))
	if back != sold.Total.Amount {
		t.Errorf("%d went back of %d", back, sold.Total.Amount)
	}
	d.on(h, k, "coupon claimed; order canceled; no money")
	d.audited()

	k = d.claimed(100)
	h = d.atCounterWith(k)
	if o, err := d.Sell(t.Context(), d.atCounter(h, order.Cash)); err != nil || o.Total.Amount != 0 {
		t.Errorf("for nothing: %+v, %v", o, err)
	}
	d.on(h, k, "coupon redeemed by its order; order paid; no money")
	d.audited()
}

// A coupon that ends in the moment of the sale leaves no order, no ticket and nothing in
// the till; the places are held still.
func endedAtCounter(t *testing.T, d *lowered) {
	for want, end := range map[*ropeline.Error]string{
		coupon.ErrExpired:   `update coupon_copies set expires_at = now() where hold_id = new.hold_id`,
		coupon.ErrWithdrawn: `update coupon_copies set state = 'withdrawn' where hold_id = new.hold_id`,
		coupon.ErrTakenOff:  `update coupon_copies set state = 'claimed', hold_id = null where hold_id = new.hold_id`,
	} {
		k := d.claimed(25)
		h := d.atCounterWith(k)
		_, err := d.db.Exec(t.Context(), `create function ends() returns trigger language plpgsql as $$ begin `+end+`; return null; end $$;
			create trigger ends after insert on attempts for each row execute function ends()`)
		d.must(err)
		c := d.atCounter(h, order.Cash)
		for range 2 {
			if _, err := d.Sell(t.Context(), c); !errors.Is(err, want) {
				t.Errorf("sold with a coupon that has ended: %v, want %s", err, want.Code)
			}
		}
		_, err = d.db.Exec(t.Context(), `drop trigger ends on attempts; drop function ends`)
		d.must(err)
		state := map[string]string{coupon.ErrExpired.Code: "reserved", coupon.ErrWithdrawn.Code: "withdrawn", coupon.ErrTakenOff.Code: "claimed"}[want.Code]
		d.on(h, k, "coupon "+state+"; no order; no money")
		if live, err := d.holds.Get(t.Context(), d.id, h.ID, h.Session); err != nil || live.State != hold.Held {
			t.Errorf("the places: %+v, %v", live, err)
		}
	}
}

// Whoever cancels the order gives the coupon back with it.
func canceledWithACoupon(t *testing.T, d *lowered) {
	k := d.claimed(25)
	h := d.place(k)
	d.provider.before = func(call string) error {
		if call == "capture" {
			_, err := d.db.Exec(t.Context(), `update sandbox_payments set state = 'voided' where attempt_id = (select id from attempts where hold_id = $1)`, h.ID)
			return err
		}
		return nil
	}
	_, err := d.Checkout(t.Context(), d.request(h, sandbox.OK))
	d.provider.before = nil
	if !errors.Is(err, order.ErrDeclined) {
		t.Errorf("an order that could not be captured: %v", err)
	}
	d.on(h, k, "coupon reserved; order canceled; money voided")
	if o, err := d.Checkout(t.Context(), d.request(h, sandbox.OK)); err != nil || o.Discount.Amount == 0 {
		t.Errorf("the coupon once more: %+v, %v", o, err)
	}
	d.on(h, k, "coupon redeemed by its order; order canceled, order paid; money voided, money captured")
}

// A shop takes a coupon back that was used: the order stays as it is. When that is
// canceled, before or in the same moment, the coupon is of no use any more.
func withdrawnAndCanceled(t *testing.T, d *lowered) {
	ctx := t.Context()
	cancel := func(o order.Order) error {
		_, err := d.Cancel(ctx, order.Cancel{Order: o.ID, Who: order.Staff("ann"), Reason: "rain", Full: true})
		return err
	}
	withdraw := func(k coupon.Copy) error {
		_, err := d.coupons.Withdraw(ctx, "opera", k.Coupon.ID, "rosa", "a mistake")
		return err
	}
	for i := range 6 {
		k := d.claimed(25)
		h := d.place(k)
		o, err := d.Checkout(ctx, d.request(h, sandbox.OK))
		d.must(err)
		if i == 0 {
			d.must(withdraw(k))
			d.on(h, k, "coupon redeemed by its order; order paid; money captured")
			d.must(cancel(o))
		} else {
			var both sync.WaitGroup
			both.Go(func() { d.must(withdraw(k)) })
			both.Go(func() { d.must(cancel(o)) })
			both.Wait()
		}
		d.on(h, k, "coupon withdrawn; order canceled; money captured")
	}
	// Who cancels while it is being withdrawn waits for that.
	k := d.claimed(25)
	h := d.place(k)
	o, err := d.Checkout(ctx, d.request(h, sandbox.OK))
	d.must(err)
	canceled := make(chan error, 1)
	d.must(pgx.BeginFunc(ctx, d.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `update coupons set state = 'withdrawn' where id = $1`, k.Coupon.ID); err != nil {
			return err
		}
		go func() { canceled <- cancel(o) }()
		for deadline := time.Now().Add(20 * time.Second); ; {
			var waits bool
			if err := d.db.QueryRow(ctx, `select exists (select from pg_locks where not granted and pid in (select pid from pg_stat_activity where datname = current_database()))`).Scan(&waits); err != nil || waits {
				return err
			}
			if time.Now().After(deadline) {
				return errors.New("who cancels does not wait")
			}
		}
	}))
	d.must(<-canceled)
	d.on(h, k, "coupon withdrawn; order canceled; money captured")

	// The bank says no: the hold still shows it, and what is wrong with it.
	k = d.claimed(25)
	h = d.place(k)
	if o, err := d.Checkout(ctx, with(d.request(h, sandbox.Action), func(r *order.Request) { r.Return = back })); err != nil || o.Action == "" {
		t.Fatalf("%+v, %v", o, err)
	}
	d.must(withdraw(k))
	_, err = d.db.Exec(ctx, `update sandbox_payments p set state = 'declined' from attempts a where a.id = p.attempt_id and a.hold_id = $1`, h.ID)
	d.must(err)
	d.settleAll()
	d.on(h, k, "coupon withdrawn; order canceled; money declined")
	if _, err := d.Checkout(ctx, d.request(h, sandbox.OK)); !errors.Is(err, coupon.ErrWithdrawn) {
		t.Errorf("paid once more: %v", err)
	}
}

// The bank refuses, or the fan pays in another way after all: the price stays as it
// was told. Once the hold is over the coupon is its bag's again.
func confirmedWithACoupon(t *testing.T, d *lowered) {
	k := d.claimed(25)
	h := d.place(k)
	act := func() order.Order {
		t.Helper()
		r := with(d.request(h, sandbox.Action), func(r *order.Request) { r.Return = back })
		o, err := d.Checkout(t.Context(), r)
		if again, repeated := d.Checkout(t.Context(), r); repeated != nil || again.ID != o.ID || again.Action != o.Action {
			t.Errorf("asked again: %+v, %v", again, repeated)
		}
		if err != nil || o.Action == "" || o.Discount.Amount == 0 {
			t.Fatalf("%+v, %v", o, err)
		}
		return o
	}
	first := act()
	d.on(h, k, "coupon redeemed by its order; order pending; money needs_action")
	second := act() // another key: the first one is given up
	if second.Total != first.Total || second.Discount != first.Discount {
		t.Errorf("it cost %+v, and then %+v", first.Total, second.Total)
	}
	d.on(h, k, "coupon redeemed by its order; order canceled, order pending; money voided, money needs_action")
	_, err := d.db.Exec(t.Context(), `update sandbox_payments p set state = 'declined' from attempts a where a.id = p.attempt_id and a.hold_id = $1 and p.state = 'needs_action'`, h.ID)
	d.must(err)
	d.settleAll()
	d.on(h, k, "coupon reserved; order canceled, order canceled; money voided, money declined")
	d.must(d.holds.Release(t.Context(), d.id, h.ID, h.Session))
	_, err = d.db.Exec(t.Context(), `update coupon_copies set until = now() where hold_id = $1`, h.ID)
	d.must(err)
	_, err = d.coupons.Lapse(t.Context())
	d.must(err)
	d.on(h, k, "coupon claimed; order canceled, order canceled; money voided, money declined")
}

func declinedWithACoupon(t *testing.T, d *lowered) {
	k := d.claimed(25)
	h := d.place(k)
	if _, err := d.Checkout(t.Context(), d.request(h, sandbox.Declined)); !errors.Is(err, order.ErrDeclined) {
		t.Errorf("declined: %v", err)
	}
	d.on(h, k, "coupon reserved; no order; money declined")
	if o, err := d.Checkout(t.Context(), d.request(h, sandbox.OK)); err != nil || o.Discount.Amount == 0 {
		t.Errorf("paid with another card: %+v, %v", o, err)
	}
	d.on(h, k, "coupon redeemed by its order; order paid; money declined, money captured")
}

// Whoever comes back from the bank with the same request goes on with it; if they
// refused there, the coupon is the hold's again.
func backWithACoupon(t *testing.T, d *lowered) {
	for _, yes := range []bool{true, false} {
		k := d.claimed(25)
		h := d.place(k)
		r := with(d.request(h, sandbox.Action), func(r *order.Request) { r.Return = back })
		if o, err := d.Checkout(t.Context(), r); err != nil || o.State != order.Pending || o.Discount.Amount == 0 {
			t.Fatalf("to be confirmed: %+v, %v", o, err)
		}
		d.on(h, k, "coupon redeemed by its order; order pending; money needs_action")
		var attempt string
		d.must(d.db.QueryRow(t.Context(), `select id from attempts where hold_id = $1`, h.ID).Scan(&attempt))
		d.must(d.sandbox().Confirm(t.Context(), payment.Charge{Attempt: attempt}, yes))
		_, err := d.Checkout(t.Context(), r)
		if yes {
			d.must(err)
			d.on(h, k, "coupon redeemed by its order; order paid; money captured")
			continue
		}
		if !errors.Is(err, order.ErrDeclined) {
			t.Errorf("refused at the bank: %v", err)
		}
		d.on(h, k, "coupon reserved; order canceled; money declined")
	}
}

// Whatever step the process dies at, order and coupon go one way.
func crashedWithACoupon(t *testing.T, d *lowered) {
	for _, c := range []struct{ at, left, end string }{
		{"before script 1", "coupon reserved; no order; no money", "coupon reserved; no order; no money"},
		{"after authorize", "coupon reserved; no order; money authorized", "coupon reserved; no order; money voided"},
		{"before capture", "coupon redeemed by its order; order pending; money authorized", "coupon redeemed by its order; order paid; money captured"},
		{"before script 2", "coupon redeemed by its order; order paid; money captured", "coupon redeemed by its order; order paid; money captured"},
	} {
		k := d.claimed(25)
		h := d.place(k)
		d.crash(d.request(h, sandbox.OK), c.at)
		d.on(h, k, c.left)
		d.settle(1)
		d.on(h, k, c.end)
	}
}

// Of many who want one coupon at once, one has it lowered.
func manyWithOneCoupon(t *testing.T, d *lowered) {
	k := d.claimed(25)
	var lowered, refused atomic.Int64
	var all sync.WaitGroup
	var holds []hold.Hold
	for range 8 {
		holds = append(holds, d.hold(uuid.NewString(), d.units))
		d.units++
	}
	for _, h := range holds {
		all.Go(func() {
			_, err := d.coupons.Reserve(t.Context(), "", k.Code, h, d.price(h))
			if errors.Is(err, coupon.ErrReserved) || errors.Is(err, coupon.ErrUsed) {
				refused.Add(1)
			} else if err != nil {
				t.Error(err)
			}
			o, err := d.Checkout(t.Context(), d.request(h, sandbox.OK))
			if err != nil {
				t.Error(err)
			}
			if o.Discount.Amount > 0 {
				lowered.Add(1)
			}
		})
	}
	all.Wait()
	if lowered.Load() != 1 || refused.Load() != 7 {
		t.Errorf("%d orders were lowered and %d fans refused, want 1 and 7", lowered.Load(), refused.Load())
	}
	var books string
	d.must(d.db.QueryRow(t.Context(), `select string_agg(entry, ' ' order by id) from coupon_history where coupon_id = $1 and number = 1`, k.Coupon.ID).Scan(&books))
	if want := "claimed reserved redeemed"; books != want || strings.Count(books, "redeemed") != 1 {
		t.Errorf("history %s, want %s", books, want)
	}
}
