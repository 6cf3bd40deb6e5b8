package insight

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/order"
)

// Live is how a performance sells.
type Live struct {
	Performance ropeline.PerformanceID `json:"performance"`
	AsOf        time.Time              `json:"as_of"`
	Money       []order.Settlement     `json:"money" doc:"what the ledger says, one at most for each currency"`
	Tiers       []TierSales            `json:"tiers"`
	Every       int                    `json:"every" doc:"how many seconds each point stands for"`
	Points      []Point                `json:"points" doc:"when money came in and went back, 240 spans of time at most; those in which nothing did are left out"`
	Funnel      Funnel                 `json:"funnel"`
}

// TierSales is what was sold of a tier.
type TierSales struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Price    booking.Money `json:"price"`
	Units    int           `json:"units" doc:"how many it has"`
	Sold     int           `json:"sold" doc:"tickets that are paid for"`
	Unpaid   int           `json:"unpaid" doc:"tickets whose money is on its way"`
	Canceled int           `json:"canceled"`
	Prices   int64         `json:"prices" doc:"of those that are sold, in minor units, before coupons"`
}

// Point is what came in in a span of time.
type Point struct {
	At       time.Time `json:"at" doc:"its begin"`
	Currency string    `json:"currency"`
	Orders   int       `json:"orders"`
	Amount   int64     `json:"amount" doc:"taken less refunded, in minor units"`
}

// Funnel counts how far people came. What is not known is left out.
type Funnel struct {
	Views    int64  `json:"views" doc:"how often the performance was opened: who has it from a cache is not counted"`
	Joined   *int64 `json:"joined,omitempty" doc:"people who stood in the line of its sale"`
	Offered  *int64 `json:"offered,omitempty" doc:"people of it whose turn has come"`
	Admitted *int64 `json:"admitted,omitempty" doc:"turns of it that were taken"`
	Holds    int64  `json:"holds" doc:"how often somebody held something"`
	Paying   int64  `json:"paying" doc:"of which somebody began to pay for"`
	Bought   int64  `json:"bought" doc:"orders that were paid; those canceled since are among them"`
}

const (
	// pace is how long a core waits between two looks, whatever they are at: all who watch
	// share one, and many who watch much see what is some seconds old.
	pace = time.Second
	// mostKept is of how many performances the last look is kept.
	mostKept = 100
	// mostPoints is how many spans of time a series has at most.
	mostPoints = 240
)

// Live looks at a performance, or says what was seen of it within a moment. It may be as
// old as AsOf says. Whoever looks at it first waits for those that are being looked at.
func (s *Store) Live(ctx context.Context, show Show) (Live, error) {
	asked := s.now()
	if l, ok := s.recent(show.ID, asked); ok {
		return l, nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return Live{}, away("waiting to look at", show.ID, ctx.Err())
	}
	s.mu.Lock()
	l, seen := s.kept[show.ID]
	wait := s.looked.Add(pace).Sub(s.now())
	s.mu.Unlock()
	if seen && l.AsOf.After(asked) { // by whoever was before
		return l, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return Live{}, away("waiting to look at", show.ID, ctx.Err())
	}
	at := s.now().UTC()
	l, err := s.look(ctx, show)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked = at
	if err != nil {
		return Live{}, err
	}
	l.AsOf = at
	for id, old := range s.kept {
		if at.Sub(old.AsOf) > time.Minute || len(s.kept) >= mostKept {
			delete(s.kept, id)
		}
	}
	s.kept[show.ID] = l
	return l, nil
}

// recent is what was seen of a performance, if it is not time to look again.
func (s *Store) recent(id ropeline.PerformanceID, now time.Time) (Live, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.kept[id]
	return l, ok && now.Sub(l.AsOf) < 10*pace && (now.Sub(l.AsOf) < pace || now.Sub(s.looked) < pace || len(s.turn) > 0)
}

func (s *Store) look(ctx context.Context, show Show) (Live, error) {
	l := Live{Performance: show.ID, Points: []Point{}}
	err := s.snapshot(ctx, "looking at the sales of", show.ID, func(tx pgx.Tx) error {
		sums, err := order.SettleAll(ctx, tx, []ropeline.PerformanceID{show.ID})
		if err != nil {
			return err
		}
		l.Money = make([]order.Settlement, len(sums))
		for i, p := range sums {
			l.Money[i] = p.Settlement
		}
		if l.Tiers, err = tierSales(ctx, tx, show.ID); err != nil {
			return err
		}
		if l.Every, l.Points, err = series(ctx, tx, show.ID); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `select
			coalesce((select sum(views) from insight_counts where performance_id = $1), 0)::bigint, coalesce((select sum(holds) from insight_counts where performance_id = $1), 0)::bigint,
			(select count(distinct hold_id) from attempts where performance_id = $1), (select count(distinct order_id) from order_ledger where performance_id = $1 and entry = 'captured')`,
			show.ID).Scan(&l.Funnel.Views, &l.Funnel.Holds, &l.Funnel.Paying, &l.Funnel.Bought)
	})
	return l, err
}

func tierSales(ctx context.Context, tx pgx.Tx, id ropeline.PerformanceID) ([]TierSales, error) {
	rows, err := tx.Query(ctx, `
		select t.id::text, t.name, t.amount, t.currency, t.units, coalesce(sold, 0), coalesce(unpaid, 0), coalesce(canceled, 0), coalesce(prices, 0)::bigint
		from tiers t left join (
			select tier_id, count(*) filter (where state not in ('unpaid', 'canceled')) sold, count(*) filter (where state = 'unpaid') unpaid,
				count(*) filter (where state = 'canceled') canceled, sum(amount) filter (where state not in ('unpaid', 'canceled')) prices
			from tickets where performance_id = $1 group by tier_id) k on k.tier_id = t.id
		where t.performance_id = $1 order by t.first_unit`, id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (t TierSales, err error) {
		return t, r.Scan(&t.ID, &t.Name, &t.Price.Amount, &t.Price.Currency, &t.Units, &t.Sold, &t.Unpaid, &t.Canceled, &t.Prices)
	})
}

// spans are how long the spans of a series may be, in seconds.
var spans = []int{60, 300, 900, 3600, 6 * 3600, 86400, 7 * 86400}

// spanOf is the shortest span of which a time has no more than mostPoints.
func spanOf(from, to time.Time) int {
	for _, s := range spans {
		if to.Sub(from) < time.Duration(s)*(mostPoints-1)*time.Second { // it may begin within one
			return s
		}
	}
	days := int(to.Sub(from)/(24*time.Hour))/(mostPoints-1) + 1
	return days * 86400
}

func series(ctx context.Context, tx pgx.Tx, id ropeline.PerformanceID) (every int, points []Point, err error) {
	const moved = `performance_id = $1 and entry in ('captured', 'refunded', 'refund_returned')`
	var from, to *time.Time
	if err := tx.QueryRow(ctx, `select min(at), max(at) from order_ledger where `+moved, id).Scan(&from, &to); err != nil {
		return 0, nil, err
	}
	if from == nil {
		return spans[0], []Point{}, nil
	}
	every = spanOf(*from, *to)
	rows, err := tx.Query(ctx, `
		select to_timestamp(floor(extract(epoch from at) / $2) * $2), currency, count(*) filter (where entry = 'captured'),
			sum(case entry when 'refunded' then -amount else amount end)::bigint
		from order_ledger where `+moved+` group by 1, 2 order by 1, 2`, id, every)
	if err != nil {
		return 0, nil, err
	}
	points, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Point])
	for i := range points {
		points[i].At = points[i].At.UTC()
	}
	return every, points, err
}
