package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/readiness"
)

func (s *server) routeReadiness() error { return handle(s, "get-readiness", s.getReadiness) }

// Surroundings are what is known of the parts around a booking core.
type Surroundings struct {
	Keys      func() int                                                                 // with which admission tokens are signed, and that are trusted
	Edges     func(ctx context.Context) (edges int, sockets int64, err error)            // that live, and how many sockets they carry in all
	Published func(ctx context.Context, sale ropeline.SaleID) (version int64, err error) // that edges know; 0: none
}

type askReadiness struct {
	AtSale
	Crowd int64 `query:"crowd" minimum:"0" maximum:"100000000" doc:"how many people are expected; 0 or left out: nobody knows"`
}

// Readiness is the checklist of a sale.
type Readiness struct {
	Sale  ropeline.SaleID  `json:"sale"`
	AsOf  time.Time        `json:"as_of"`
	State readiness.State  `json:"state" enum:"ok,warn,stop" doc:"the worst of its items"`
	Items []readiness.Item `json:"items"`
}

type gotReadiness struct{ Body Readiness }

func (s *server) getReadiness(ctx context.Context, in *askReadiness) (*gotReadiness, error) {
	f, err := s.facts(ctx, ropeline.SaleID(in.Sale))
	if err != nil {
		return nil, err
	}
	f.Crowd = in.Crowd
	items := readiness.Check(f)
	return &gotReadiness{Body: Readiness{Sale: f.Sale.ID, AsOf: f.Now.UTC(), State: readiness.Worst(items), Items: items}}, nil
}

// facts gathers what the checklist is made of.
func (s *server) facts(ctx context.Context, id ropeline.SaleID) (readiness.Facts, error) {
	sale, err := s.shows.Sale(ctx, id)
	if err != nil {
		return readiness.Facts{}, err
	}
	f := readiness.Facts{Now: s.now(), Sale: sale, Open: openPaths(Routes), Sandbox: s.sandbox != nil, Codes: map[string]bool{}}
	p, err := s.shows.Prepared(ctx, sale)
	if err != nil {
		return f, err
	}
	f.Stock, f.FirstShow, f.Terms = p.Stock, p.FirstShow, p.Terms
	for _, lane := range p.Codes {
		f.Codes[lane] = true
	}
	if f.Pending, err = s.pending(ctx, sale, p); err != nil {
		return f, err
	}
	closed, err := s.shows.Closed(ctx, id)
	if err != nil {
		return f, err
	}
	for _, a := range closed {
		f.Accounts = append(f.Accounts, a.Name)
	}
	ahead, err := s.redisAhead(ctx)
	if err != nil {
		return f, err
	}
	f.Clocks = map[string]time.Duration{"Postgres": p.Ahead, "Redis": ahead}
	return f, s.around.into(ctx, &f)
}

func (a Surroundings) into(ctx context.Context, f *readiness.Facts) (err error) {
	if a.Keys != nil {
		f.Keys = a.Keys()
	}
	if a.Edges != nil {
		if f.Edges, f.Sockets, err = a.Edges(ctx); err != nil {
			return err
		}
	}
	if a.Published != nil {
		f.Published, err = a.Published(ctx, f.Sale.ID)
	}
	return err
}

// pending reports whether the terms would say something else than they do.
func (s *server) pending(ctx context.Context, sale ropeline.Sale, p catalogue.Prepared) (bool, error) {
	if p.Terms == 0 {
		return false, nil
	}
	draft, err := s.shows.DraftTerms(ctx, sale, "to see it") // it is not kept
	return draft.Next != nil, err
}

func (s *server) redisAhead(ctx context.Context) (time.Duration, error) {
	began := s.now()
	clock, err := s.redis.Time(ctx).Result()
	if err != nil {
		return 0, ropeline.ErrStoreAway.Because(err)
	}
	return clock.Sub(began.Add(s.now().Sub(began) / 2)), nil
}

// openPaths are the routes that take units for whoever was not admitted: none, unless
// somebody has changed the table.
func openPaths(routes []Route) (open []string) {
	for _, r := range routes {
		takes := strings.HasPrefix(r.Path, "/api/v1/holds") || r.ID == "create-order"
		if takes && r.Method != http.MethodGet && !slices.Contains([]Access{Admission, AdmissionOrPass}, r.Access) {
			open = append(open, r.Method+" "+r.Path)
		}
	}
	return open
}
