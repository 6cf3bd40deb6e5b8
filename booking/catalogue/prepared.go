package catalogue

import (
	"context"
	"time"

	"github.com/ropeline/ropeline"
)

// Prepared is what the database knows of how far a sale is prepared.
type Prepared struct {
	Ahead     time.Duration // how far the database's clock is ahead of ours, as far as the way there tells
	Stock     int64         // units that are on sale, now or later, or sold
	FirstShow time.Time
	Terms     int      // the newest version; 0: none
	Codes     []string // lanes for which there are codes that are good when the sale opens
}

// Prepared looks at it.
func (s *Store) Prepared(ctx context.Context, sale ropeline.Sale) (p Prepared, err error) {
	began := s.now()
	var clock time.Time
	if err := s.db.QueryRow(ctx, `select clock_timestamp()`).Scan(&clock); err != nil {
		return p, storeError("reading the clock", err)
	}
	p.Ahead = clock.Sub(began.Add(s.now().Sub(began) / 2))
	var first *time.Time
	err = s.db.QueryRow(ctx, `select
			(select coalesce(sum(units), 0) from performances where id = any($2)),
			(select min(starts_at) from performances where id = any($2)),
			(select coalesce(max(version), 0) from sale_terms where sale_id = $1),
			(select array(select distinct b.lane from lane_code_batches b where b.sale_id = $1 and not b.revoked and (b.until_at is null or b.until_at > $3)
				and exists (select from lane_codes c where c.sale_id = b.sale_id and c.batch = b.batch and not c.revoked)))`,
		sale.ID, sale.Performances, sale.OpensAt).Scan(&p.Stock, &first, &p.Terms, &p.Codes)
	if first != nil {
		p.FirstShow = *first
	}
	if err != nil {
		return p, storeError("looking at how far "+string(sale.ID)+" is prepared", err)
	}
	for _, id := range sale.Performances {
		kept, err := s.Reserves(ctx, id)
		if err != nil {
			return p, err
		}
		for _, r := range kept {
			if r.ReleaseAt == nil || r.ReleaseAt.After(sale.EndsAt) { // others come on sale by themselves
				p.Stock -= int64(r.Units())
			}
		}
	}
	return p, nil
}
