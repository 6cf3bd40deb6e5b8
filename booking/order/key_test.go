package order_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := d.request(d.hold("s1", 3, 4), sandbox.OK)
	if _, err := d.Checkout(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]order.Request{
		"other e-mail": with(r, func(r *order.Request) { r.Email = "other@example.org" }),
		"other method": with(r, func(r *order.Request) { r.Method = sandbox.Declined }),
		"other hold":   with(r, func(r *order.Request) { r.Hold = uuid.NewString() }),
	} {
		if _, err := d.Checkout(t.Context(), other); !errors.Is(err, order.ErrKeyReused) {
			t.Errorf("same key, %s: %v, want idempotency-key-reused", name, err)
		}
	}
	next := d.hold("s1", 5)
	if _, err := d.Checkout(t.Context(), with(r, func(r *order.Request) { r.Hold = next.ID })); !errors.Is(err, order.ErrKeyReused) {
		t.Errorf("same key, for what the session holds now: %v, want idempotency-key-reused", err)
	}
	if err := d.holds.Release(t.Context(), d.id, next.ID, "s1"); err != nil {
		t.Error(err)
	}
	second := with(r, func(r *order.Request) { r.Key = "another" })
	if _, err := d.Checkout(t.Context(), second); !errors.Is(err, hold.ErrSold) {
		t.Errorf("another key for a sold hold: %v, want hold-sold", err)
	}
	d.want(sold)
}

// A sale has two performances, and two requests came at once with one key, one
// for each. The key is unique within a performance only: either request is
// still answered with its own order, and a third one is refused.
func TestOneKeyOnTwoPerformances(t *testing.T) {
	t.Parallel()
	d := open(t)
	var requests []order.Request
	var orders []order.Order
	for i := range 2 {
		if i == 1 {
			d.id = d.seed().Performances[0]
			d.rebuild()
			if _, err := d.db.Exec(t.Context(), `update sale_performances set sale_id = $1`, d.sale); err != nil {
				t.Fatal(err)
			}
			d.shows = catalogue.New(d.db, time.Now)
			d.Desk = d.deskOn(d.store, d.shows)
		}
		r := d.request(d.hold("s1", 3, 4), sandbox.OK)
		o, err := d.Checkout(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		requests, orders = append(requests, r), append(orders, o)
	}
	crossed := with(d.request(d.hold("s1", 7), sandbox.OK), func(r *order.Request) { r.Key = requests[0].Key })
	if _, err := d.Checkout(t.Context(), crossed); !errors.Is(err, order.ErrKeyReused) {
		t.Errorf("the key of an order of one performance, for a hold of the other: %v, want idempotency-key-reused", err)
	}
	if _, err := d.db.Exec(t.Context(), `update attempts set idempotency_key = 'both'`); err != nil {
		t.Fatal(err)
	}
	for i, r := range requests {
		r.Key = "both"
		if o, err := d.Checkout(t.Context(), r); err != nil || o.ID != orders[i].ID {
			t.Errorf("request %d again: order %s, %v; want %s", i, o.ID, err, orders[i].ID)
		}
		r.Email = "other@example.org"
		if _, err := d.Checkout(t.Context(), r); !errors.Is(err, order.ErrKeyReused) {
			t.Errorf("another request: %v, want idempotency-key-reused", err)
		}
	}
}
