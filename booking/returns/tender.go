package returns

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
)

const (
	// TendEvery is how often a Tender looks: what came free is offered so late at most.
	TendEvery = time.Second
	// Gather is how long units are kept that nobody on the list wants as they are: others
	// that make them a pair may follow.
	Gather = 2 * time.Minute
	// tendPatience is how long one performance may take; offers bounds how many are made
	// to it before the next has its turn.
	tendPatience = 10 * time.Second
	offers       = 200
)

// Tender makes the offers, sees what became of them, and puts on sale what the list does
// not want. Several may run.
type Tender struct {
	store  *Store
	every  time.Duration
	gather time.Duration
	log    *slog.Logger
	made   prometheus.Counter
	ended  *prometheus.CounterVec
	opened prometheus.Counter
	pooled prometheus.Gauge
}

// NewTender returns a Tender that looks every so often.
func NewTender(store *Store, every, gather time.Duration, reg prometheus.Registerer, log *slog.Logger) *Tender {
	with := promauto.With(reg)
	t := &Tender{store: store, every: every, gather: gather, log: log,
		made: with.NewCounter(prometheus.CounterOpts{Name: "ropeline_returns_offers_total", Help: "Offers that this process made to places on returns lists."}),
		ended: with.NewCounterVec(prometheus.CounterOpts{Name: "ropeline_returns_offers_ended_total",
			Help: "Offers that this process saw end, by what the place came to: bought, lapsed, left, or waiting again because Redis had lost them."}, []string{"to"}),
		opened: with.NewCounter(prometheus.CounterOpts{Name: "ropeline_returns_opened_total", Help: "Units that this process put on sale for anybody because nobody on their list wanted them."}),
		pooled: with.NewGauge(prometheus.GaugeOpts{Name: "ropeline_returns_pooled_units", Help: "Units that came free and are neither offered nor on sale, when this process looked last."}),
	}
	for _, to := range []State{Bought, Lapsed, Left, Waiting} {
		t.ended.WithLabelValues(string(to))
	}
	return t
}

// Run tends all lists until ctx ends. One that cannot be tended does not stop the others.
func (t *Tender) Run(ctx context.Context) error {
	tick := time.NewTicker(t.every)
	defer tick.Stop()
	complained := time.Time{}
	for {
		if err := t.round(ctx); err != nil && ctx.Err() == nil && time.Since(complained) > 5*time.Second {
			complained = time.Now()
			t.log.Warn("returns lists were not tended", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (t *Tender) round(ctx context.Context) error {
	ids, err := t.store.tended(ctx)
	if err != nil {
		return err
	}
	var errs []error
	pooled := 0
	for _, id := range ids {
		n, err := t.tend(ctx, id)
		pooled, errs = pooled+n, append(errs, err)
	}
	t.pooled.Set(float64(pooled))
	return errors.Join(errs...)
}

// tended are the performances with a list, until a day after they began: what is being paid
// for by then has come to its end.
func (s *Store) tended(ctx context.Context) ([]ropeline.PerformanceID, error) {
	ctx, cancel := context.WithTimeout(ctx, tendPatience)
	defer cancel()
	rows, err := s.db.Query(ctx, `select distinct t.performance_id from returns_tiers t join performances p on p.id = t.performance_id
		where p.starts_at > `+clock+` - interval '1 day'`, s.args(pgx.NamedArgs{}))
	if err != nil {
		return nil, away("asking for lists to", "tend", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[ropeline.PerformanceID])
	return ids, away("asking for lists to", "tend", err)
}

func (t *Tender) tend(ctx context.Context, id ropeline.PerformanceID) (pooled int, err error) {
	ctx, cancel := context.WithTimeout(ctx, tendPatience)
	defer cancel()
	return t.Tend(ctx, id)
}

// Tend goes once through the lists of a performance: what became of its offers, new
// offers, and what nobody wants. It returns how many units are left in the pool.
func (t *Tender) Tend(ctx context.Context, id ropeline.PerformanceID) (pooled int, err error) {
	p, err := t.store.shows.Performance(ctx, id)
	if err != nil {
		return 0, err
	}
	if err := t.settle(ctx, p); err != nil {
		return 0, err
	}
	open := t.store.time().Before(p.Map.StartsAt)
	if !open {
		if err := t.store.close(ctx, id); err != nil {
			return 0, err
		}
	}
	tiers, err := t.store.tiers(ctx, id)
	if err != nil {
		return 0, err
	}
	for _, tier := range tiers {
		n, err := t.give(ctx, p, tier)
		if err != nil {
			return 0, err
		}
		pooled += n
	}
	return pooled, nil
}

// close ends what waits when the performance has begun.
func (s *Store) close(ctx context.Context, id ropeline.PerformanceID) error {
	_, err := s.db.Exec(ctx, `update returns_entries set state = 'closed', email = '', updated_at = now() where performance_id = $1 and state = 'waiting'`, id)
	return away("closing the list of", string(id), err)
}

// give offers what the pool has of a tier to who stands in front and wants no more than
// there is, one after the other, and opens what is left over. It returns how many units
// stay in the pool.
func (t *Tender) give(ctx context.Context, p catalogue.Performance, tier string) (int, error) {
	for range offers {
		pool, since, err := t.store.pool(ctx, p, tier)
		if err != nil || len(pool) == 0 {
			return 0, err
		}
		e, found, err := t.store.next(ctx, p, tier, pool)
		if err != nil {
			return len(pool), err
		}
		if !found {
			opened, err := t.open(ctx, p, tier, since)
			return len(pool) - opened, err
		}
		if e.Hold == "" { // another Tender makes an offer just now
			return len(pool), nil
		}
		if err := t.offer(ctx, p, e); err != nil {
			return len(pool), err
		}
	}
	return 0, nil // the others have their turn first
}

// pool reads what came free of a tier, and since when.
func (s *Store) pool(ctx context.Context, p catalogue.Performance, tier string) (has map[int]bool, since map[int]time.Time, err error) {
	all, err := s.stock.Pool(ctx, p.Map.ID)
	if err != nil {
		return nil, nil, err
	}
	of, _ := p.Map.Tier(tier)
	has, since = map[int]bool{}, map[int]time.Time{}
	for _, u := range all {
		if u.Unit >= of.First && u.Unit < of.First+of.Count {
			has[u.Unit], since[u.Unit] = true, u.Since
		}
	}
	return has, since, nil
}

// next marks the first place of a tier's list that wants no more than there is as the one
// that is offered something. It is without a hold if another one of the performance is.
func (s *Store) next(ctx context.Context, p catalogue.Performance, tier string, pool map[int]bool) (Entry, bool, error) {
	id, err := booking.NewID()
	if err != nil {
		return Entry{}, false, err
	}
	any, together := room(p.Map, tier, pool)
	rows, err := s.db.Query(ctx, `update returns_entries e set state = 'offering', hold_id = @hold, updated_at = now()
		where e.performance_id = @show and e.state = 'waiting' and e.id = (
			select w.id from returns_entries w
			where w.performance_id = @show and w.tier_id = @tier and w.state = 'waiting' and w.quantity <= case when w.together then @together::int else @any::int end
			order by w.number limit 1 for update)
		returning `+columns, s.args(pgx.NamedArgs{"show": p.Map.ID, "tier": tier, "hold": id, "any": any, "together": together}))
	if err != nil {
		return Entry{}, false, away("finding who is next on the list of", string(p.Map.ID), err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, scan)
	taken, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Entry{}, false, nil
	case ok && taken.ConstraintName != "" && taken.Code == "23505":
		return Entry{}, true, nil
	case err != nil:
		return Entry{}, false, away("finding who is next on the list of", string(p.Map.ID), err)
	}
	return e, true, nil
}

// offer holds units for a place that is offering. It may be done again at any time: the
// hold has one id.
func (t *Tender) offer(ctx context.Context, p catalogue.Performance, e Entry) error {
	h, err := t.store.holds.Offer(ctx, t.store.request(p, e, WindowOf(p.Sale)), e.parts(p.Map)...)
	switch {
	case errors.Is(err, hold.ErrSoldOut), errors.Is(err, hold.ErrUnitsTaken),
		errors.Is(err, hold.ErrExpired), errors.Is(err, hold.ErrReleased): // it ran out before anybody was told
		_, err = t.store.move(ctx, e, Waiting)
		return err
	case err != nil:
		return err
	}
	offered, err := t.store.offered(ctx, e, h)
	if err != nil {
		return err
	}
	if offered {
		t.made.Inc()
		return nil
	}
	// Another Tender came first, with the same hold; or it found nothing for it, before
	// this one did.
	now, err := t.store.Entry(ctx, e.ID)
	if err == nil && now.Hold != e.Hold {
		err = t.store.holds.Release(ctx, e.Performance, e.Hold, e.Session())
	}
	return err
}

// request is the hold of an offer. It has one extension more than the sale gives, for the
// claim. Its session ends when nothing can become of it any more.
func (s *Store) request(p catalogue.Performance, e Entry, life time.Duration) hold.Request {
	n := p.Sale.HoldExtensions + 1
	return hold.Request{ID: e.Hold, Performance: e.Performance, Sale: p.Sale.ID, Session: e.Session(), Life: life, Extensions: n,
		SessionEnds: s.time().Add(life + time.Duration(n)*p.Sale.Hold.Duration() + 2*ropeline.PaymentReserve)}
}

// offered notes that the hold of an offer is there.
func (s *Store) offered(ctx context.Context, e Entry, h hold.Hold) (bool, error) {
	tag, err := s.db.Exec(ctx, `update returns_entries set state = 'offered', units = $4, expires_at = $5, updated_at = now()
		where performance_id = $1 and id = $2 and state = 'offering' and hold_id = $3`, e.Performance, e.ID, e.Hold, h.Units, h.Expires)
	return err == nil && tag.RowsAffected() == 1, away("offering to", e.ID, err)
}

// open puts on sale what nobody on the list wants: at once if nobody waits, else what has
// been in the pool for long enough.
func (t *Tender) open(ctx context.Context, p catalogue.Performance, tier string, since map[int]time.Time) (int, error) {
	waiting, err := t.store.waits(ctx, p.Map.ID, tier)
	if err != nil {
		return 0, err
	}
	var unwanted []int
	for u, at := range since {
		if !waiting || t.store.time().Sub(at) >= t.gather {
			unwanted = append(unwanted, u)
		}
	}
	if len(unwanted) == 0 {
		return 0, nil
	}
	n, err := t.store.stock.Unpool(ctx, p.Map.ID, unwanted)
	t.opened.Add(float64(n))
	return n, err
}

func (s *Store) waits(ctx context.Context, id ropeline.PerformanceID, tier string) (some bool, err error) {
	err = s.db.QueryRow(ctx, `select exists (select from returns_entries where performance_id = $1 and tier_id = $2 and state in ('waiting', 'offering'))`, id, tier).Scan(&some)
	return some, away("asking who waits for", string(id), err)
}

// settle looks what became of the offers of a performance, and makes those again that
// were under way or that Redis has lost.
func (t *Tender) settle(ctx context.Context, p catalogue.Performance) error {
	list, err := t.store.list(ctx, `where e.performance_id = @show and e.state in ('offering', 'offered', 'claimed') order by e.number`,
		pgx.NamedArgs{"show": p.Map.ID})
	if err != nil || len(list) == 0 {
		return err
	}
	paid, err := t.store.paid(ctx, p.Map.ID, list)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range list { // what Redis has lost first: what is offered anew may take its units
		if e.State != Offering {
			bought, pays := paid[e.Hold]
			errs = append(errs, t.follow(ctx, p, e, bought, pays))
		}
	}
	for _, e := range list {
		if e.State == Offering {
			errs = append(errs, t.offer(ctx, p, e))
		}
	}
	return errors.Join(errs...)
}

// paid says of the holds of offers whether they are paid for; those that are not and
// of which no payment is open are left out.
func (s *Store) paid(ctx context.Context, id ropeline.PerformanceID, list []Entry) (map[string]bool, error) {
	holds := make([]string, len(list))
	for i, e := range list {
		holds[i] = e.Hold
	}
	rows, err := s.db.Query(ctx, `select hold_id::text, bool_or(state in ('captured', 'done')) from attempts
		where performance_id = $1 and hold_id = any($2) and state not in ('voiding', 'closed') group by hold_id`, id, holds)
	if err != nil {
		return nil, away("asking for payments of", string(id), err)
	}
	paid := map[string]bool{}
	var hold string
	var done bool
	_, err = pgx.ForEachRow(rows, []any{&hold, &done}, func() error {
		paid[hold] = done
		return nil
	})
	return paid, away("asking for payments of", string(id), err)
}

// follow moves a place to where its offer has come. While it is being paid for, what
// becomes of the payment decides, also if Redis has lost the hold.
func (t *Tender) follow(ctx context.Context, p catalogue.Performance, e Entry, bought, pays bool) error {
	if bought {
		return t.end(ctx, e, Bought)
	}
	h, err := t.store.holds.Get(ctx, e.Performance, e.Hold, e.Session())
	switch {
	case errors.Is(err, hold.ErrUnknown) && pays:
		return nil
	case errors.Is(err, hold.ErrUnknown):
		return t.restore(ctx, p, e)
	case err != nil:
		return err
	case h.State == hold.Expired:
		return t.end(ctx, e, Lapsed)
	case h.State == hold.Released:
		return t.end(ctx, e, Left)
	}
	return nil // it lives, or Postgres is about to say that it is sold
}

func (t *Tender) end(ctx context.Context, e Entry, to State) error {
	moved, err := t.store.move(ctx, e, to)
	if moved {
		t.ended.WithLabelValues(string(to)).Inc()
	}
	return err
}

// restore makes an offer again that Redis has lost, for the time that it was still good.
// If its units are somebody else's by now, the place waits where it stood.
func (t *Tender) restore(ctx context.Context, p catalogue.Performance, e Entry) error {
	if e.left <= 0 { // its record is forgotten a quarter of an hour after it ran out
		return t.end(ctx, e, Lapsed)
	}
	_, err := t.store.holds.Offer(ctx, t.store.request(p, e, e.left), hold.These(e.Units))
	if errors.Is(err, hold.ErrUnitsTaken) {
		t.log.Warn("Redis lost an offer whose units are gone: its place waits again", "performance", e.Performance, "place", e.ID)
		return t.end(ctx, e, Waiting)
	}
	return err
}
