package coupon_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking/coupon"
)

// What a claim costs when everybody wants the same coupon, beside the same two rows
// written with a counter that all of them change. See docs/coupons.md.
func BenchmarkClaim(b *testing.B) {
	r := open(b)
	b.Run("queue", func(b *testing.B) {
		c := r.published(func(t *coupon.Terms) { t.Stock = coupon.MaxStock })
		b.SetParallelism(8)
		b.ResetTimer()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if _, _, err := r.Claim(b.Context(), c.ID, uuid.NewString(), "k"); err != nil {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "claims/s")
	})
	b.Run("counter", func(b *testing.B) {
		_, err := r.db.Exec(b.Context(), `create table counter (n int); insert into counter values (0);
			create table counted (n int primary key, bag uuid not null, since timestamptz not null default now())`)
		r.must(err)
		b.SetParallelism(8)
		b.ResetTimer()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				err := pgx.BeginFunc(b.Context(), r.db, func(tx pgx.Tx) error {
					var n int
					if err := tx.QueryRow(b.Context(), `update counter set n = n + 1 returning n`).Scan(&n); err != nil {
						return err
					}
					_, err := tx.Exec(b.Context(), `insert into counted (n, bag) values ($1, $2)`, n, uuid.NewString())
					return err
				})
				if err != nil {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "claims/s")
	})
}
