package order_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline/booking/tariff"
)

// The tax of a settlement is rounded in SQL as package tariff does it.
func TestTaxOfASettlementIsTheTariffs(t *testing.T) {
	t.Parallel()
	d := open(t)
	o := d.buys("s1", 3)
	rapid.Check(t, func(rt *rapid.T) {
		rate := rapid.IntRange(0, 10_000).Draw(rt, "rate")
		more := rapid.Int64Range(0, 1_000_000_000).Draw(rt, "more")
		_, err := d.db.Exec(t.Context(), `update performances set tariff = $1`, tariff.Tariff{TaxRate: rate})
		d.must(err)
		_, err = d.db.Exec(t.Context(), `insert into order_ledger (performance_id, order_id, entry, amount, currency)
			select $1, $2, e, $3, 'EUR' from unnest(array['placed', 'captured']) e`, d.id, o.ID, more)
		d.must(err)
		got, err := d.store.Settle(t.Context(), d.id)
		if err != nil || len(got) != 1 || got[0].Tax != (tariff.Tariff{TaxRate: rate}).Tax(got[0].Taken) {
			rt.Fatalf("the tax at %d is %+v, %v", rate, got, err)
		}
	})
}
