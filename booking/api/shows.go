package api

import (
	"context"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/find"
	"github.com/ropeline/ropeline/booking/inventory"
)

func (s *server) routeShows() error {
	if err := handle(s, "get-performance", s.getPerformance); err != nil {
		return err
	}
	return handle(s, "get-availability", s.getAvailability)
}

// tagged asks for a performance, unless the caller has it already.
type tagged struct {
	ID   string `path:"id" doc:"of the performance"`
	Have string `header:"If-None-Match"`
}

// names reports whether an If-None-Match names this ETag.
func names(tags, etag string) bool {
	for have := range strings.SplitSeq(tags, ",") {
		if have = strings.TrimPrefix(strings.TrimSpace(have), "W/"); have == etag || have == "*" {
			return true
		}
	}
	return false
}

func (s *server) getPerformance(ctx context.Context, in *tagged) (*seen, error) {
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	s.finder.Seen(in.ID, find.Viewed)
	s.counts.View(p.Map.ID)
	return sight{etag: quoted(p.Map.Tag()), text: p.Map.Text()}.answer(in.Have, "max-age=60"), nil
}

// Availability is which units of a performance are free. It may be a second
// old when it is read and never decides a sale.
type Availability struct {
	AsOf  time.Time `json:"as_of"`
	Taken []byte    `json:"taken" doc:"bit i, most significant first, is set unless unit i is free"`
	Sold  []byte    `json:"sold" doc:"bit i, most significant first, is set if unit i is sold"`
	// Closed is left out where nothing is.
	Closed []byte     `json:"closed,omitempty" doc:"bit i, most significant first, is set if unit i is not for sale, or not yet"`
	Tiers  []TierLeft `json:"tiers"`
}

// TierLeft counts a tier's units.
type TierLeft struct {
	ID   string `json:"id"`
	Free int    `json:"free"`
	Held int    `json:"held" doc:"may come back"`
	Sold int    `json:"sold"`

	Closed int `json:"closed,omitempty" doc:"not for sale, or not yet"`
}

// availabilityCaching lets nobody keep what is a moment old already, but by its tag.
const availabilityCaching = "max-age=0"

func (s *server) getAvailability(ctx context.Context, in *tagged) (*seen, error) {
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	units, err := s.glances.look(ctx, string(p.Map.ID), func(ctx context.Context) (sight, error) {
		asOf := s.now().UTC()
		units, err := s.inventory.Bitmaps(ctx, p.Map.ID)
		if err != nil {
			return sight{}, err
		}
		return sightOf(Availability{AsOf: asOf, Taken: units.Taken, Sold: units.Sold, Closed: units.Closed, Tiers: tiersLeft(p.Map, units)},
			units.Taken, units.Sold, units.Closed)
	})
	if err != nil {
		return nil, err
	}
	return units.answer(in.Have, availabilityCaching), nil
}

func tiersLeft(m *catalogue.Map, units inventory.Bitmaps) []TierLeft {
	left := make([]TierLeft, len(m.Tiers))
	for i, t := range m.Tiers {
		gone, bought, closed := units.Taken.Count(t.First, t.Count), units.Sold.Count(t.First, t.Count), units.Closed.Count(t.First, t.Count)
		left[i] = TierLeft{ID: t.ID, Free: t.Count - gone, Held: gone - bought - closed, Sold: bought, Closed: closed}
	}
	return left
}
