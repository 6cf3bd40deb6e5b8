package insight

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// Popular is how much a performance is asked for.
type Popular struct {
	Performance ropeline.PerformanceID `json:"performance"`
	Title       string                 `json:"title"`
	Venue       string                 `json:"venue"`
	StartsAt    time.Time              `json:"starts_at"`
	Sale        ropeline.SaleID        `json:"sale,omitempty" doc:"that sells it"`
	Units       int                    `json:"units"`
	Views       int64                  `json:"views"`
	Joined      *int64                 `json:"joined,omitempty" doc:"people who stood in the line of its sale; left out where that is not known"`
	Holds       int64                  `json:"holds"`
	Orders      int64                  `json:"orders"`
	Sold        int64                  `json:"sold" doc:"tickets that are paid for"`
}

// Popularity lists performances, the newest first, with how much each is asked for.
func (s *Store) Popularity(ctx context.Context, p booking.Page) (page []Popular, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := p.After()
	if err != nil {
		return nil, "", err
	}
	rows, err := s.db.Query(ctx, `
		select p.id, e.title, v.name, p.starts_at, coalesce(sp.sale_id, ''), p.units, coalesce(n.views, 0), coalesce(n.holds, 0), coalesce(k.orders, 0), coalesce(k.sold, 0)
		from (select * from performances where $1::uuid is null or id < $1 order by id desc limit $2) p
		join events e on e.id = p.event_id join venues v on v.id = p.venue_id left join sale_performances sp on sp.performance_id = p.id
		left join lateral (select sum(views)::bigint views, sum(holds)::bigint holds from insight_counts where performance_id = p.id) n on true
		left join lateral (select count(distinct order_id) orders, count(*) sold from tickets where performance_id = p.id and state not in ('unpaid', 'canceled')) k on true
		order by p.id desc`, after, size+1)
	if err != nil {
		return nil, "", away("reading", "popularity", err)
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (f Popular, err error) {
		err = r.Scan(&f.Performance, &f.Title, &f.Venue, &f.StartsAt, &f.Sale, &f.Units, &f.Views, &f.Holds, &f.Orders, &f.Sold)
		f.StartsAt = f.StartsAt.UTC()
		return f, err
	})
	if err != nil {
		return nil, "", away("reading", "popularity", err)
	}
	page, next = booking.Cut(list, size, func(f Popular) string { return string(f.Performance) })
	return page, next, nil
}
