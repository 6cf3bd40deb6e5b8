package api

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/readiness"
)

// The checklist is made of what there is: each fact is broken once, and found.
func TestTheChecklistKnowsTheSale(t *testing.T) {
	t.Parallel()
	c := start(t)
	ctx, stop := context.WithTimeout(t.Context(), patience) // as a request has it
	defer stop()
	keys, edges, version := 1, 2, c.sale.Version
	c.api.server.around = Surroundings{
		Keys:      func() int { return keys },
		Edges:     func(context.Context) (int, int64, error) { return edges, int64(edges) * 19_000, nil },
		Published: func(context.Context, ropeline.SaleID) (int64, error) { return version, nil },
	}
	path := salesPath + string(c.sale.ID) + "/readiness?crowd=1000"
	found := func(name string) readiness.Item {
		t.Helper()
		var r Readiness
		c.organize(http.MethodGet, path, "").is(http.StatusOK, &r)
		i := slices.IndexFunc(r.Items, func(i readiness.Item) bool { return i.Name == name })
		if i < 0 || len(r.Items) != 11 {
			t.Fatalf("no %s in %+v", name, r)
		}
		return r.Items[i]
	}
	want := func(name string, state readiness.State) {
		t.Helper()
		if i := found(name); i.State != state {
			t.Errorf("%+v, want %s", i, state)
		}
	}
	c.organize(http.MethodGet, salesPath+"nothing/readiness", "").refused(404, "sale-unknown")
	for _, well := range []string{"clock", "keys", "paths", "stock", "codes", "published", "crowd"} {
		want(well, readiness.OK)
	}
	want("terms", readiness.Stop) // nobody has published them
	keys, edges, version = 0, 0, 0
	for _, name := range []string{"keys", "crowd", "published"} {
		want(name, readiness.Stop)
	}
	if _, err := c.db.Exec(t.Context(), `insert into payment_accounts (name, provider_account, charges) values ('opera', 'acct_9', false)`); err != nil {
		t.Fatal(err)
	}
	if _, err := c.db.Exec(t.Context(), `update performances set account = 'opera' where id = $1`, c.show.ID); err != nil {
		t.Fatal(err)
	}
	want("payment", readiness.Stop)
	p, err := c.api.server.shows.Prepared(ctx, c.sale)
	if err != nil || p.Stock != int64(c.show.Units) || p.FirstShow.IsZero() {
		t.Errorf("prepared %+v of %d units, %v", p, c.show.Units, err)
	}
	c.organize(http.MethodPost, organizer+"/performances/"+string(c.show.ID)+"/reserves",
		c.json(m{"name": "Guests", "kind": "guests", "area": c.show.Tiers[3].Name, "places": 7}), "Idempotency-Key", "k").is(http.StatusCreated, nil)
	if q, err := c.api.server.shows.Prepared(ctx, c.sale); err != nil || q.Stock != p.Stock-7 {
		t.Errorf("with a reserve of 7 there are %d on sale, want %d: %v", q.Stock, p.Stock-7, err)
	}
	lanes := c.sale
	lanes.OpensAt = time.Now().Add(time.Hour)
	for _, sql := range []string{
		`insert into lane_code_batches (sale_id, batch, lane, uses, until_at) values ($1, 'a', 'members', 1, now() + interval '2 hours'), ($1, 'b', 'late', 1, now() + interval '1 minute'), ($1, 'c', 'empty', 1, null)`,
		`insert into lane_codes (sale_id, hash, batch) values ($1, repeat('a', 22), 'a'), ($1, repeat('b', 22), 'b')`,
	} {
		if _, err := c.db.Exec(t.Context(), sql, c.sale.ID); err != nil {
			t.Fatal(err)
		}
	}
	if q, err := c.api.server.shows.Prepared(ctx, lanes); err != nil || !slices.Equal(q.Codes, []string{"members"}) {
		t.Errorf("codes for %v, want those of members: %v", q.Codes, err)
	}
}

// A route that takes units without a token would be found.
func TestOpenPathsAreFound(t *testing.T) {
	t.Parallel()
	if open := openPaths(Routes); len(open) > 0 {
		t.Errorf("open: %v", open)
	}
	routes := slices.Clone(Routes)
	routes[slices.IndexFunc(routes, func(r Route) bool { return r.ID == "create-hold" })].Access = Public
	if open := openPaths(routes); !slices.Equal(open, []string{"POST /api/v1/holds"}) {
		t.Errorf("found %v", open)
	}
}
