package coupon

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/internal/periodic"
)

// Sweeper moves copies whose time has come to the queue where they belong:
// reserved ones whose hold is over to their bags, and what has expired. Nothing
// depends on how soon: what is past its time is refused in any case. Several may
// run.
type Sweeper struct {
	store *Store
	every time.Duration
	log   *slog.Logger
	moved *prometheus.CounterVec
}

const (
	// SweepEvery is how often a Sweeper looks.
	SweepEvery = 2 * time.Second
	// sweepLimit bounds the copies of one step, sweepPatience how long a round takes.
	sweepLimit    = 500
	sweepPatience = 10 * time.Second
)

// NewSweeper returns a Sweeper that looks every so often.
func NewSweeper(store *Store, every time.Duration, reg prometheus.Registerer, log *slog.Logger) *Sweeper {
	w := &Sweeper{store: store, every: every, log: log, moved: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "ropeline_coupon_swept_total", Help: "Copies of coupons that were given back because their hold was over (returned), or had expired (expired).",
	}, []string{"to"})}
	w.moved.WithLabelValues("returned")
	w.moved.WithLabelValues("expired")
	return w
}

// Run sweeps until ctx ends.
func (w *Sweeper) Run(ctx context.Context) error {
	return periodic.Run(ctx, w.every, w.log, "coupons were not swept", w.round)
}

func (w *Sweeper) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sweepPatience)
	defer cancel()
	returned, errReturn := w.store.Lapse(ctx)
	w.moved.WithLabelValues("returned").Add(float64(returned))
	expired, errExpire := w.store.Expire(ctx)
	w.moved.WithLabelValues("expired").Add(float64(expired))
	return errors.Join(errReturn, errExpire)
}

// Lapse gives copies back whose hold is over, and returns how many.
func (s *Store) Lapse(ctx context.Context) (int, error) {
	list, err := s.copies(ctx, s.db, `where k.state = 'reserved' and k.until <= `+clock+` order by k.until limit @most`, pgx.NamedArgs{"most": sweepLimit})
	if err != nil {
		return 0, err
	}
	returned := 0
	var errs []error
	for _, k := range list {
		n, err := s.lapse(ctx, k)
		returned, errs = returned+n, append(errs, err)
	}
	return returned, errors.Join(errs...)
}

// lapse gives a reserved copy back if its hold is over and no payment is open. A
// hold that is over never lives again, so nobody is about to pay for it.
func (s *Store) lapse(ctx context.Context, k held) (int, error) {
	h, err := s.holds.Get(ctx, k.performance, k.Hold, k.session)
	if err != nil && !errors.Is(err, hold.ErrUnknown) {
		return 0, err
	}
	args := pgx.NamedArgs{"id": k.Coupon.ID, "number": k.Number, "hold": k.Hold, "who": "clock"}
	if err == nil && h.Live() { // it was extended, or is being paid for
		args["until"] = h.Expires
		_, err := s.db.Exec(ctx, `update coupon_copies set until = @until
			where coupon_id = @id and number = @number and hold_id = @hold and state = 'reserved'`, args)
		return 0, away("keeping a reserved coupon", err)
	}
	return s.giveBack(ctx, `coupon_id = @id and number = @number and hold_id = @hold`, args)
}

// Expire moves copies that have expired, and returns how many. Coupons of which
// none is left to be claimed are done with.
func (s *Store) Expire(ctx context.Context) (int, error) {
	moved := 0
	for _, sql := range []string{
		`update coupon_copies set state = 'expired', since = ` + clock + `, mover = 'clock' where (coupon_id, number) in (
			select coupon_id, number from coupon_copies where state in ('claimed', 'reserved') and expires_at <= ` + clock + `
			limit @most for update skip locked)`,
		`update coupon_copies set state = 'expired', since = ` + clock + `, mover = 'clock' where (coupon_id, number) in (
			select k.coupon_id, k.number from coupons c join coupon_copies k on k.coupon_id = c.id
			where c.state = 'published' and c.expires_at <= ` + clock + ` and k.state = 'published'
			limit @most for update of k skip locked)`,
	} {
		for full := true; full; {
			tag, err := s.db.Exec(ctx, sql, s.args(pgx.NamedArgs{"most": sweepLimit}))
			if err != nil {
				return moved, away("expiring copies of coupons", err)
			}
			moved += int(tag.RowsAffected())
			full = tag.RowsAffected() == sweepLimit
		}
	}
	_, err := s.db.Exec(ctx, `with over as (
			update coupons c set state = 'expired' where state = 'published' and expires_at <= `+clock+`
				and not exists (select from coupon_copies k where k.coupon_id = c.id and k.state = 'published')
			returning id)
		insert into coupon_history (coupon_id, entry, who, at) select id, 'expired', 'clock', `+clock+` from over`, s.args(pgx.NamedArgs{}))
	return moved, away("closing coupons", err)
}
