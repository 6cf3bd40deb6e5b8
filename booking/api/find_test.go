package api

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/find"
)

// search asks until what is found is as it should be: it is a moment behind.
func (c *core) search(query string, done func(find.Found) bool) (f find.Found) {
	c.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		f = find.Found{}
		c.get("/api/v1/search?"+query, "").is(http.StatusOK, &f)
		if done(f) {
			return f
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s: found %+v", query, f)
		}
	}
}

// listing asks until so many events are listed.
func (c *core) listing(n int) (a answer, l find.Listing) {
	c.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); len(l.Events) != n; time.Sleep(20 * time.Millisecond) {
		l, a = find.Listing{}, c.get("/api/v1/listing", "")
		if err := json.Unmarshal(a.Body, &l); err != nil || time.Now().After(deadline) {
			c.t.Fatalf("%s (%v)", a.Body, err)
		}
	}
	return a, l
}

// events asks until so many are told: what is kept for who looks may be a second old.
func (c *core) events(n int) {
	c.t.Helper()
	var l EventList
	for deadline := time.Now().Add(20 * time.Second); len(l.Events) != n; time.Sleep(50 * time.Millisecond) {
		l = EventList{}
		if c.get("/api/v1/events", "").is(http.StatusOK, &l); time.Now().After(deadline) {
			c.t.Fatalf("there are %d events, want %d", len(l.Events), n)
		}
	}
}

// What a program has made is found by a name that is mistyped, with its price and its
// place, and whether anything is left of it, as it was counted.
func TestWhatIsOnIsFound(t *testing.T) {
	t.Parallel()
	c := start(t)
	one := func(f find.Found) bool { return len(f.Entries) == 1 }
	f := c.search("q=gaal&kind=event", one)
	show := f.Entries[0].Show
	if f.Corrected != "gala" || f.Entries[0].Name != "Gala" || show.ID != string(c.show.ID) || show.Venue != "Opera" || show.PriceFrom.Amount != 3500 || show.SoldOut {
		t.Errorf("found %+v and %+v", f, show)
	}
	day := show.StartsAt.Format(time.DateOnly)
	for _, query := range []string{"", "from=" + day + "&to=" + day, "price_to=3500&currency=EUR", "available=true&order=soonest", "q=opera+gala"} {
		c.search(query, one)
	}
	for _, query := range []string{"to=2020-01-01", "price_to=3499&currency=EUR", "city=Lisboa", "near=38.7,-9.1", "category=sport"} {
		c.search(query, func(f find.Found) bool { return len(f.Entries) == 0 })
	}
	c.search("q=ope", func(f find.Found) bool { return len(f.Entries) == 2 }) // the hall as well
	if _, err := c.db.Exec(t.Context(), `update find_shows set sold_out = true`); err != nil {
		t.Fatal(err)
	}
	c.search("available=true", one) // the count of the stock says that it is not
	var s Suggestions
	c.get("/api/v1/suggest?q=ga", "").is(http.StatusOK, &s)
	if len(s.Suggestions) != 1 || s.Suggestions[0].Name != "Gala" {
		t.Errorf("suggested %+v", s)
	}
}

// Each filter of a search finds the one show by what it is, and does not by what it is not.
func TestEveryFilterOfASearchCounts(t *testing.T) {
	t.Parallel()
	c := startWith(t, slog.New(slog.DiscardHandler), func(c *core, config *Config) {
		config.Line = nil // nobody counts what is left, but this test
		if _, err := c.db.Exec(t.Context(), `update venues set city = 'Lisboa', country = 'PT', time_zone = 'Europe/Lisbon', latitude = 38.72, longitude = -9.14`); err != nil {
			t.Fatal(err)
		}
		if _, err := c.db.Exec(t.Context(), `update events set category_id = 'theater'`); err != nil {
			t.Fatal(err)
		}
	})
	f := c.search("", func(f find.Found) bool {
		return len(f.Entries) == 1 && f.Entries[0].Show.City == "Lisboa" && f.Entries[0].Category == "theater"
	})
	zone, err := time.LoadLocation("Europe/Lisbon")
	if err != nil {
		t.Fatal(err)
	}
	day := func(n int) string {
		return f.Entries[0].Show.StartsAt.In(zone).AddDate(0, 0, n).Format(time.DateOnly)
	}
	found := func(query string) int {
		var f find.Found
		c.get("/api/v1/search?"+query, "").is(http.StatusOK, &f)
		return len(f.Entries)
	}
	for _, order := range []string{"popular", "soonest"} {
		for is, not := range map[string]string{
			"kind=event": "kind=tour&q=gala", "q=gala": "q=xylophon", "category=theater": "category=sport", "city=lisboa": "city=Porto", "country=PT": "country=ES",
			"from=" + day(0): "from=" + day(1), "to=" + day(0): "to=" + day(-1), "near=38.72,-9.14": "near=38.72,-8.9", "near=38.72,-8.9&radius=25": "near=38.72,-8.9&radius=20",
			"price_from=3500&currency=EUR": "price_from=3501&currency=EUR", "price_to=3500&currency=EUR": "price_to=3499&currency=EUR", "price_to=9000&currency=EUR": "price_to=9000&currency=USD",
		} {
			if order == "soonest" && strings.HasPrefix(not, "kind=") {
				continue // of events alone
			}
			if n, none := found(is+"&order="+order), found(not+"&order="+order); n != 1 || none != 0 {
				t.Errorf("%s: %s finds %d, %s finds %d", order, is, n, not, none)
			}
		}
	}
	// The lists of events, which pages of performers, tours and venues are made of.
	var performer, tour struct{ ID string }
	c.organize(http.MethodPost, performersPath, c.json(m{"name": "We"}), "Idempotency-Key", "we").is(http.StatusCreated, &performer)
	c.organize(http.MethodPost, toursPath, c.json(m{"name": "Ours"}), "Idempotency-Key", "ours").is(http.StatusCreated, &tour)
	event := f.Entries[0].ID
	if _, err := c.db.Exec(t.Context(), `insert into event_performers (event_id, performer_id, position) values ($1, $2, 0)`, event, performer.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.db.Exec(t.Context(), `update events set tour_id = $2 where id = $1`, event, tour.ID); err != nil {
		t.Fatal(err)
	}
	for what, is := range map[string]string{"performer": performer.ID, "tour": tour.ID, "venue": f.Entries[0].Show.VenueID, "category": "theater"} {
		not := uuid.NewString()
		if what == "category" {
			not = "sport"
		}
		for id, want := range map[string]int{is: 1, not: 0} {
			var l EventList
			if c.get("/api/v1/events?"+what+"="+id, "").is(http.StatusOK, &l); len(l.Events) != want {
				t.Errorf("events of the %s %s: %d, want %d", what, id, len(l.Events), want)
			}
		}
	}
	for _, soldOut := range []bool{false, true} {
		if _, err := c.db.Exec(t.Context(), `update find_shows set sold_out = $1`, soldOut); err != nil {
			t.Fatal(err)
		}
		if _, err := c.db.Exec(t.Context(), `update find_turn set version = version + 1`); err != nil { // in one transaction each would wait for the core's, and that for it
			t.Fatal(err)
		}
		for _, order := range []string{"popular", "soonest"} {
			c.search("available=true&order="+order, func(f find.Found) bool { return (len(f.Entries) == 0) == soldOut })
			if all := found("available=false&order=" + order); all != 1 {
				t.Errorf("sold out %t: %d of all", soldOut, all)
			}
		}
	}
}

// What is odd is refused in words of our own, by each route and with each parameter.
func TestOddSearchesAreRefused(t *testing.T) {
	t.Parallel()
	c := start(t)
	for _, query := range []string{"q=" + strings.Repeat("a", 101), "q=%00", "q=%e2%80%ae", "q=%ff", "kind=act", "from=2026-02-30", "near=1", "near=1,1&radius=9999",
		"price_to=5", "available=1", "order=up", "category=" + url.QueryEscape("x' or 1=1"), "category=opera", "currency=€"} {
		var p ropeline.Problem
		c.get("/api/v1/search?"+query, "").is(http.StatusUnprocessableEntity, &p)
		if !strings.HasSuffix(p.Type, find.ErrInvalid.Code) || p.Detail == "" {
			t.Errorf("%s: %+v", query, p)
		}
	}
	c.get("/api/v1/search?cursor=x", "").is(http.StatusUnprocessableEntity, nil)
	c.get("/api/v1/suggest?q=%00", "").is(http.StatusUnprocessableEntity, nil)
	c.get("/api/v1/listing?category=opera", "").is(http.StatusNotFound, nil)
	for _, text := range []string{"'", "') or 1=1 --", `\`, "a:*", "a & b", "!a", "<->", "%25", "_", "*", "a'b", "$1"} {
		a := c.get("/api/v1/search?q="+url.QueryEscape(text), "")
		if a.Status != http.StatusOK && a.Status != http.StatusUnprocessableEntity {
			t.Errorf("%q: %d %s", text, a.Status, a.Body)
		}
	}
}

// The listing is for caches: who has it is sent nothing, and an old one is shown rather
// than none.
func TestTheListingIsForCaches(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.search("", func(f find.Found) bool { return len(f.Entries) == 1 })
	a, l := c.listing(1)
	if a.Header.Get("Cache-Control") != listingCaching || !strings.HasPrefix(a.Header.Get("ETag"), `"`) || l.Events[0].Name != "Gala" || len(l.Categories) == 0 {
		t.Errorf("%v %s", a.Header, a.Body)
	}
	again := c.do(http.MethodGet, "/api/v1/listing", "", "", "If-None-Match", a.Header.Get("ETag"))
	if again.Status != http.StatusNotModified || len(again.Body) != 0 || again.Header.Get("Cache-Control") != listingCaching {
		t.Errorf("%d %s", again.Status, again.Body)
	}
	c.get("/api/v1/listing?category=sport", "").is(http.StatusOK, &l)
	if len(l.Events) != 0 {
		t.Errorf("a gala is no sport: %+v", l.Events)
	}
}

// BenchmarkPopular is what one look at each of the addresses costs that everybody looks at,
// without the connection.
func BenchmarkPopular(b *testing.B) {
	c := start(b)
	_, l := c.listing(1)
	for name, path := range map[string]string{"listing": "listing", "event": "events/" + l.Events[0].ID, "availability": "performances/" + string(c.show.ID) + "/availability"} {
		b.Run(name, func(b *testing.B) {
			handle := c.api.app.Handler()
			var r fasthttp.RequestCtx
			r.Request.SetRequestURI("/api/v1/" + path)
			b.ReportAllocs()
			for b.Loop() {
				r.Response.Reset()
				r.ResetUserValues()
				if handle(&r); r.Response.StatusCode() != http.StatusOK {
					b.Fatalf("%d: %s", r.Response.StatusCode(), r.Response.Body())
				}
			}
		})
	}
}
