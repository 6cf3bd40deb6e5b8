package order_test

import (
	"context"
	"testing"
	"time"

	"github.com/ropeline/ropeline/booking/order"
)

// Where nobody writes letters, who has tried to pay is forgotten all the same an hour after it
// came to nothing, by the worker that compares; not before, and not while it goes on.
func TestAWorkerThatWritesNoLettersForgetsWhoTriedToPay(t *testing.T) {
	t.Parallel()
	d := open(t)
	put := func(state, age string) (id string) {
		d.must(d.db.QueryRow(t.Context(), `insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key, request_mac, units, amount, currency, method, state, outcome, email, language, updated_at)
			values ($1, gen_random_uuid(), gen_random_uuid(), 's', gen_random_uuid()::text, '', gen_random_uuid()::text, '', array[7], 4500, 'EUR', 'm', $2, 'payment-declined', 'ada@example.org', 'en', now() - $3::interval) returning id::text`,
			d.id, state, age).Scan(&id))
		return id
	}
	over, soon := put("closed", "61 minutes"), put("closed", "55 minutes")
	knows := func(id string) (is bool) {
		d.must(d.db.QueryRow(t.Context(), `select email || language <> '' from attempts where id = $1`, id).Scan(&is))
		return is
	}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	done := make(chan error, 1)
	go func() {
		done <- order.NewWorker(order.WorkerConfig{Postgres: d.db, Redis: d.rdb, Provider: d.provider, Log: d.log(), CompareEvery: 20 * time.Millisecond}).Run(ctx)
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for knows(over) && ctx.Err() == nil {
		<-tick.C
	}
	if ctx.Err() != nil || !knows(soon) {
		t.Errorf("after an hour it is known who paid: %t; before that: %t", knows(over), knows(soon))
	}
	stop()
	d.must(<-done)
}
