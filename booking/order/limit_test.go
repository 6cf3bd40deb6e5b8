package order_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// limit lets a place of the line have so many units of the sale, which from here on
// sells these performances. It returns a desk that has not read the sale before.
func (d *desk) limit(units int, of ...ropeline.PerformanceID) *order.Desk {
	d.t.Helper()
	_, err := d.db.Exec(d.t.Context(), `update sales set document = document || jsonb_build_object('units_per_place', $2::int, 'performances', $3::text[])
		where id = $1`, d.sale, units, of)
	if err != nil {
		d.t.Fatal(err)
	}
	shows := catalogue.New(d.db, time.Now)
	d.store = order.NewStore(d.db, shows)
	return d.deskOn(d.store, shows)
}

// Whatever Redis has counted, and however many sessions of a place pay at once: it
// gets what the sale lets it have and no unit more, over all performances, and no
// card is asked for more. What was canceled counts no more.
func TestAPlaceBuysNoMoreThanTheSaleLetsIt(t *testing.T) {
	t.Parallel()
	d := open(t)
	other := d.seed()
	desk := d.limit(5, d.id, other.Performances[0])
	elsewhere, here := *d, *d
	elsewhere.id, elsewhere.sale = other.Performances[0], other.ID
	elsewhere.rebuild()
	first := elsewhere.hold(uuid.NewString(), 1)
	if _, err := d.Checkout(t.Context(), elsewhere.request(first, sandbox.OK)); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var paying sync.WaitGroup
	var refused []hold.Hold
	for i := range 6 {
		h := here.hold(uuid.NewString(), 2*i, 2*i+1)
		paying.Go(func() {
			_, err := desk.Checkout(t.Context(), here.request(h, sandbox.OK))
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, hold.ErrLimit) {
				refused = append(refused, h)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	paying.Wait()
	if len(refused) != 4 {
		t.Fatalf("%d of 6 who wanted 2 more were refused; 5 are allowed and 1 was bought: want 4", len(refused))
	}
	var authorized int
	for _, call := range d.provider.calls {
		if call == "authorize" {
			authorized++
		}
	}
	if authorized != 3 {
		t.Errorf("the provider was asked %d times, want 3", authorized)
	}
	// Somebody else's limit is another one.
	r := here.request(refused[0], sandbox.OK)
	r.Place = "another place"
	if _, err := desk.Checkout(t.Context(), r); err != nil {
		t.Error(err)
	}
	again := func() error {
		_, err := desk.Checkout(t.Context(), here.request(refused[1], sandbox.OK))
		return err
	}
	if err := again(); !errors.Is(err, hold.ErrLimit) {
		t.Errorf("asked again: %v, want place-limit", err)
	}
	if _, err := d.db.Exec(t.Context(), `update tickets set state = 'canceled' where performance_id = $1`, elsewhere.id); err != nil {
		t.Fatal(err)
	}
	if err := again(); !errors.Is(err, hold.ErrLimit) { // 4 and 2 are 6
		t.Errorf("after one ticket was canceled: %v, want place-limit", err)
	}
	_, err := d.db.Exec(t.Context(), `update tickets set state = 'canceled' where id = (select id from tickets
		where performance_id = $1 and state = 'valid' and order_id in (select id from orders where place_id = 'place') limit 1)`, here.id)
	if err != nil {
		t.Fatal(err)
	}
	if err := again(); err != nil {
		t.Errorf("after another was canceled: %v", err)
	}
	// While a hold is being paid for, it is not the limit that is in the way.
	r = here.request(refused[2], sandbox.OK)
	r.Place = "a third"
	d.provider.before = func(call string) error {
		if call == "authorize" {
			d.provider.before = nil
			other := here.request(refused[2], sandbox.OK)
			other.Place = "a third"
			if _, err := desk.Checkout(t.Context(), other); !errors.Is(err, hold.ErrPaying) {
				t.Errorf("paid twice at once: %v, want payment-running", err)
			}
		}
		return nil
	}
	if _, err := desk.Checkout(t.Context(), r); err != nil {
		t.Error(err)
	}
}

// What it bought of another performance is not bought here.
func TestAPlaceIsCountedInAllPerformancesOfItsSale(t *testing.T) {
	t.Parallel()
	d := open(t)
	other := d.seed()
	desk, elsewhere := d.limit(3, d.id, other.Performances[0]), *d
	elsewhere.id, elsewhere.sale = other.Performances[0], other.ID
	elsewhere.rebuild()
	if _, err := d.Checkout(t.Context(), elsewhere.request(elsewhere.hold(uuid.NewString(), 1, 2), sandbox.OK)); err != nil {
		t.Fatal(err)
	}
	if _, err := desk.Checkout(t.Context(), d.request(d.hold(uuid.NewString(), 1, 2), sandbox.OK)); !errors.Is(err, hold.ErrLimit) {
		t.Errorf("two more of three, of which two were bought elsewhere: %v, want place-limit", err)
	}
	if _, err := desk.Checkout(t.Context(), d.request(d.hold(uuid.NewString(), 3), sandbox.OK)); err != nil {
		t.Errorf("one more: %v", err)
	}
}

// Another booking core has counted, and has not committed yet: whoever comes then
// waits, and sees what it did.
func TestAPlaceIsCountedByOneAtATime(t *testing.T) {
	t.Parallel()
	d := open(t)
	desk := d.limit(3, d.id)
	tx, err := d.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }() // else the pool would wait for it
	var had int
	if err := tx.QueryRow(t.Context(), `select units_of_place($1, 'place')`, []ropeline.PerformanceID{d.id}).Scan(&had); err != nil || had != 0 {
		t.Fatalf("the place has %d, %v", had, err)
	}
	_, err = tx.Exec(t.Context(), `
		insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key, request_mac, units, amount, currency, method, state)
		values ($1, $2, $2, $3, 'other', 'place', 'k', '', '{5,6}', 1, 'EUR', 'm', 'done')`, d.id, uuid.NewString(), d.sale)
	if err != nil {
		t.Fatal(err)
	}
	paid := make(chan error, 1)
	h := d.hold("session", 1, 2)
	go func() {
		_, err := desk.Checkout(context.Background(), d.request(h, sandbox.OK))
		paid <- err
	}()
	for waits := 0; waits == 0; {
		select {
		case err := <-paid:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		err := d.db.QueryRow(t.Context(), `select count(*) from pg_locks where locktype = 'advisory' and not granted
			and database = (select oid from pg_database where datname = current_database())`).Scan(&waits)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-paid; !errors.Is(err, hold.ErrLimit) {
		t.Errorf("beside the other core it was answered %v, want place-limit", err)
	}
}
