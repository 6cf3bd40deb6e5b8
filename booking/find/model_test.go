package find

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// TestMain lets the model be tried 6 times, which takes two seconds. More is a flag away.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "6"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	devtest.Main(m)
}

// world is what there is to find, as a plain model: what is searched is gone through from
// end to end.
type world struct {
	venues     []*hall
	performers []*act
	tours      []*act
	events     []*gig
}

type hall struct {
	id, name, city, country, zone string
	at                            *circle // the radius is nothing
}

type act struct{ id, name string }

type gig struct {
	id, title, category, state string
	performers                 []*act
	tour                       *act
	shows                      []*night
}

type night struct {
	id       string
	venue    *hall
	starts   time.Time
	price    int64
	currency string
	state    string
	soldOut  bool
}

var (
	titles = []string{"Fado em Lisboa", "Noite de Fado", "AC/DC", "Sigur Rós", "Björk: Cornucopia", "Mötley Crüe", "O'Brien Trio", "Die Ärzte", "Søren & Łucja",
		"Metallica", "Coldplay", "Straßenfest", "La Traviata", "Hamlet", "2pac Tribute 1996", "Lisboa", "Live at Pompeii", "Pompeii"}
	halls = []hall{
		{name: "Coliseu dos Recreios", city: "Lisboa", country: "PT", zone: "Europe/Lisbon", at: &circle{38.7169, -9.1399, 0}},
		{name: "Casa da Música", city: "Porto", country: "PT", zone: "Europe/Lisbon", at: &circle{41.1589, -8.6307, 0}},
		{name: "Vodafone Arena", city: "Suva", country: "FJ", zone: "Pacific/Fiji", at: &circle{-18.1500, 178.4500, 0}},
		{name: "Taveuni Hall", city: "Taveuni", country: "FJ", zone: "Pacific/Fiji", at: &circle{-16.8400, -179.9800, 0}},
		{name: "Harpa", city: "Reykjavík", country: "IS", zone: "Atlantic/Reykjavik"},
	}
	days = []time.Time{date(2101, 3, 14, 23, 30), date(2101, 3, 15, 10, 0), date(2101, 6, 1, 12, 30), date(2101, 12, 31, 23, 59)}
)

func date(y, m, d, h, min int) time.Time {
	return time.Date(y, time.Month(m), d, h, min, 0, 0, time.UTC)
}

func drawWorld(t *rapid.T) *world {
	w := &world{}
	for i := range halls {
		h := halls[i]
		h.id = uuid.NewString()
		w.venues = append(w.venues, &h)
	}
	for _, name := range []string{"Amália", "Amalia Tribute", "Bjørn Lund", "The Strokes", "Metallica"} {
		w.performers = append(w.performers, &act{uuid.NewString(), name})
	}
	for _, name := range []string{"Fim do Mundo", "World Tour"} {
		w.tours = append(w.tours, &act{uuid.NewString(), name})
	}
	for range rapid.IntRange(1, 12).Draw(t, "events") {
		g := &gig{id: uuid.NewString(), title: rapid.SampledFrom(titles).Draw(t, "title"), category: rapid.SampledFrom([]string{"music", "theater", "other"}).Draw(t, "category"),
			state: rapid.SampledFrom([]string{"published", "published", "published", "draft", "postponed"}).Draw(t, "state")}
		if rapid.Bool().Draw(t, "of a tour") {
			g.tour = rapid.SampledFrom(w.tours).Draw(t, "tour")
		}
		if n := rapid.IntRange(0, 2).Draw(t, "performers"); n > 0 {
			g.performers = rapid.Permutation(w.performers).Draw(t, "who")[:n]
		}
		for range rapid.IntRange(0, 3).Draw(t, "shows") {
			g.shows = append(g.shows, &night{id: uuid.NewString(), venue: rapid.SampledFrom(w.venues).Draw(t, "venue"), starts: rapid.SampledFrom(days).Draw(t, "day"),
				price: rapid.SampledFrom([]int64{0, 1500, 4500, 9900}).Draw(t, "price"), currency: rapid.SampledFrom([]string{"EUR", "EUR", "ISK"}).Draw(t, "currency"),
				state: rapid.SampledFrom([]string{"scheduled", "scheduled", "scheduled", "canceled", "postponed"}).Draw(t, "show"), soldOut: rapid.Bool().Draw(t, "sold out")})
		}
		w.events = append(w.events, g)
	}
	return w
}

// keep writes the world into the tables of guide and catalogue.
func (w *world) keep(ctx context.Context, db *pgxpool.Pool) error {
	do := func(sql string, args ...any) (err error) {
		_, err = db.Exec(ctx, sql, args...)
		return err
	}
	for _, h := range w.venues {
		var lat, lon *float64
		if h.at != nil {
			lat, lon = &h.at.latitude, &h.at.longitude
		}
		if err := do(`insert into venues (id, name, city, country, time_zone, latitude, longitude) values ($1, $2, $3, $4, $5, $6, $7)`,
			h.id, h.name, h.city, h.country, h.zone, lat, lon); err != nil {
			return err
		}
	}
	for _, p := range w.performers {
		if err := do(`insert into performers (id, name) values ($1, $2)`, p.id, p.name); err != nil {
			return err
		}
	}
	for _, p := range w.tours {
		if err := do(`insert into tours (id, name) values ($1, $2)`, p.id, p.name); err != nil {
			return err
		}
	}
	for _, g := range w.events {
		var tour *string
		if g.tour != nil {
			tour = &g.tour.id
		}
		if err := do(`insert into events (id, title, category_id, state, tour_id) values ($1, $2, $3, $4, $5)`, g.id, g.title, g.category, g.state, tour); err != nil {
			return err
		}
		for i, p := range g.performers {
			if err := do(`insert into event_performers (event_id, performer_id, position) values ($1, $2, $3)`, g.id, p.id, i); err != nil {
				return err
			}
		}
		for _, n := range g.shows {
			if err := do(`insert into performances (id, event_id, venue_id, starts_at, units, state) values ($1, $2, $3, $4, 20, $5)`, n.id, g.id, n.venue.id, n.starts, n.state); err != nil {
				return err
			}
			for i, price := range []int64{n.price + 1000, n.price} {
				if err := do(`insert into tiers (performance_id, id, name, kind, first_unit, units, amount, currency) values ($1, $2, $3, 'general', $4, 10, $5, $6)`,
					n.id, uuid.NewString(), fmt.Sprint("Tier ", i), i*10, price, n.currency); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// change changes something, in the model and in the tables.
func (w *world) change(t *rapid.T, ctx context.Context, db *pgxpool.Pool) error {
	do := func(sql string, args ...any) (err error) {
		_, err = db.Exec(ctx, sql, args...)
		return err
	}
	g := rapid.SampledFrom(w.events).Draw(t, "of event")
	switch what := rapid.SampledFrom([]string{"title", "state", "performer", "venue", "tour", "leaves", "show", "price", "moved"}).Draw(t, "change"); {
	case what == "title":
		g.title = rapid.SampledFrom(titles).Draw(t, "new title")
		return do(`update events set title = $2 where id = $1`, g.id, g.title)
	case what == "state":
		g.state = rapid.SampledFrom([]string{"published", "postponed", "canceled"}).Draw(t, "new state")
		return do(`update events set state = $2 where id = $1`, g.id, g.state)
	case what == "performer":
		p := rapid.SampledFrom(w.performers).Draw(t, "performer")
		p.name = rapid.SampledFrom(titles).Draw(t, "new name")
		return do(`update performers set name = $2 where id = $1`, p.id, p.name)
	case what == "venue":
		h := rapid.SampledFrom(w.venues).Draw(t, "venue")
		h.city, h.country = rapid.SampledFrom([]string{"Évora", "Lisboa"}).Draw(t, "new city"), "PT"
		return do(`update venues set city = $2, country = $3 where id = $1`, h.id, h.city, h.country)
	case what == "tour":
		g.tour = rapid.SampledFrom(w.tours).Draw(t, "new tour")
		return do(`update events set tour_id = $2 where id = $1`, g.id, g.tour.id)
	case what == "leaves" && len(g.performers) > 0:
		gone := g.performers[0]
		g.performers = g.performers[1:]
		return do(`delete from event_performers where event_id = $1 and performer_id = $2`, g.id, gone.id)
	case len(g.shows) == 0:
		return nil
	}
	n := rapid.SampledFrom(g.shows).Draw(t, "show")
	switch rapid.SampledFrom([]string{"show", "price", "moved"}).Draw(t, "of the show") {
	case "show":
		n.state = "canceled"
		return do(`update performances set state = 'canceled' where id = $1`, n.id)
	case "price":
		n.price = 100
		return do(`update tiers set amount = 100 where performance_id = $1 and first_unit = 10`, n.id)
	}
	n.venue = rapid.SampledFrom(w.venues).Draw(t, "new venue")
	return do(`update performances set venue_id = $2 where id = $1`, n.id, n.venue.id)
}

var accents = strings.NewReplacer("á", "a", "â", "a", "Ä", "a", "ä", "a", "é", "e", "É", "e", "í", "i", "ó", "o", "ö", "o", "ø", "o", "ú", "u", "ü", "u", "ß", "ss", "ł", "l", "Ł", "l", "ð", "d")

// folded is a text as words, without what words are told apart by.
func folded(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(accents.Replace(s)), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), " ")
}

// wordsOf are the words that a text is found by.
func wordsOf(texts ...string) map[string]bool {
	all := map[string]bool{}
	for _, text := range texts {
		for w := range strings.FieldsSeq(text) {
			all[strings.ReplaceAll(folded(w), " ", "")] = true
			for part := range strings.FieldsSeq(folded(w)) {
				all[part] = true
			}
		}
	}
	delete(all, "")
	return all
}

// item is what of the model can be found.
type item struct {
	kind  Kind
	id    string
	name  string
	words map[string]bool
	gig   *gig
	shows int
}

func (g *gig) coming() (shows []*night) {
	for _, n := range g.shows {
		if g.state == "published" && n.state == "scheduled" {
			shows = append(shows, n)
		}
	}
	slices.SortFunc(shows, func(a, b *night) int { return cmp.Or(a.starts.Compare(b.starts), strings.Compare(a.id, b.id)) })
	return shows
}

func (w *world) items() (items []item) {
	performed, toured, housed := map[*act]int{}, map[*act]int{}, map[*hall]int{}
	for _, g := range w.events {
		if g.state == "draft" {
			continue
		}
		for _, p := range g.performers {
			performed[p] += len(g.coming())
		}
		if g.tour != nil {
			toured[g.tour] += len(g.coming())
		}
		texts, open := []string{g.title, map[string]string{"music": "Music", "theater": "Theater", "other": "Other"}[g.category]}, false
		for _, n := range g.shows {
			housed[n.venue] += 0
			if n.state != "canceled" {
				open, texts = true, append(texts, n.venue.name, n.venue.city)
			}
		}
		for _, n := range g.coming() {
			housed[n.venue]++
		}
		for _, p := range g.performers {
			texts = append(texts, p.name)
		}
		if g.tour != nil {
			texts = append(texts, g.tour.name)
		}
		if open && g.state != "canceled" {
			items = append(items, item{Event, g.id, g.title, wordsOf(texts...), g, len(g.coming())})
		}
	}
	for p, n := range performed {
		items = append(items, item{Performer, p.id, p.name, wordsOf(p.name), nil, n})
	}
	for p, n := range toured {
		items = append(items, item{Tour, p.id, p.name, wordsOf(p.name), nil, n})
	}
	for h, n := range housed {
		items = append(items, item{Venue, h.id, h.name, wordsOf(h.name, h.city), nil, n})
	}
	return items
}

// distance is how many letters two words differ by.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			here := before
			if a[i] != b[j] {
				here = 1 + min(before, row[j], row[j+1])
			}
			before, row[j+1] = row[j+1], here
		}
	}
	return row[len(b)]
}

// seek corrects the words of a text: the model's way. The last may go on if nobody has to correct it.
func seek(items []item, text string) (words, ignored []string, goesOn bool) {
	count := map[string]int{}
	for _, i := range items {
		for w := range i.words {
			count[w]++
		}
	}
	all := slices.Sorted(maps.Keys(count))
	given := strings.Fields(folded(text))
	for i, w := range given {
		last := i == len(given)-1
		if count[w] > 0 || last && slices.ContainsFunc(all, func(o string) bool { return strings.HasPrefix(o, w) }) {
			words, goesOn = append(words, w), last
			continue
		}
		best, bestAt := "", [2]int{9, 0}
		for _, o := range all {
			at := [2]int{distance(w, o), -count[o]}
			if turned(w, o) {
				at[0] = 1 // one slip of the hand
			}
			may := at[0] <= 1 && len(w) >= 4 || at[0] <= 2 && len(w) >= 7
			if may && strings.Trim(w, "0123456789") != "" && slices.Compare(at[:], bestAt[:]) < 0 {
				best, bestAt = o, at
			}
		}
		if best == "" {
			ignored = append(ignored, w)
		} else {
			words = append(words, best)
		}
	}
	return words, ignored, goesOn
}

func turned(a, b string) bool {
	for i := range len(a) - 1 {
		if a[:i]+a[i+1:i+2]+a[i:i+1]+a[i+2:] == b {
			return true
		}
	}
	return false
}

func (i item) has(words []string, goesOn bool) bool {
	for n, w := range words {
		found := i.words[w]
		for o := range i.words {
			found = found || goesOn && n == len(words)-1 && strings.HasPrefix(o, w)
		}
		if !found {
			return false
		}
	}
	return true
}

// chosen is the first coming show that is as asked for.
func (g *gig) chosen(a Asked) *night {
	for _, n := range g.coming() {
		zone, err := time.LoadLocation(n.venue.zone)
		if err != nil {
			panic(err)
		}
		day := n.starts.In(zone).Format(time.DateOnly)
		limit, _ := strconv.ParseInt(a.PriceTo, 10, 64)
		switch {
		case a.From != "" && day < a.From, a.To != "" && day > a.To,
			a.City != "" && folded(a.City) != folded(n.venue.city), a.Country != "" && a.Country != n.venue.country,
			a.PriceTo != "" && n.price > limit, a.Currency != "" && a.Currency != n.currency,
			a.Available == "true" && n.soldOut:
			continue
		}
		if a.Near != "" {
			lat, lon, _ := strings.Cut(a.Near, ",")
			y, _ := strconv.ParseFloat(lat, 64)
			x, _ := strconv.ParseFloat(lon, 64)
			r, _ := strconv.ParseFloat(a.Radius, 64)
			if n.venue.at == nil || apart(y, x, n.venue.at.latitude, n.venue.at.longitude) > r {
				continue
			}
		}
		return n
	}
	return nil
}

// apart is the angle between two directions from the middle of the earth: another way to
// tell a distance than the database's.
func apart(lat1, lon1, lat2, lon2 float64) float64 {
	v := func(lat, lon float64) [3]float64 {
		a, b := lat*math.Pi/180, lon*math.Pi/180
		return [3]float64{math.Cos(a) * math.Cos(b), math.Cos(a) * math.Sin(b), math.Sin(a)}
	}
	p, q := v(lat1, lon1), v(lat2, lon2)
	return 6371.0088 * math.Acos(math.Min(1, p[0]*q[0]+p[1]*q[1]+p[2]*q[2]))
}

func drawAsked(t *rapid.T) Asked {
	maybe := func(name string, values ...string) string {
		return rapid.SampledFrom(append(values, "", "", "", "")).Draw(t, name)
	}
	a := Asked{From: maybe("from", "2101-03-15", "2101-06-02"), City: maybe("city", "LISBOA", "evora", "Reykjavik"), Country: maybe("country", "PT", "FJ"),
		PriceTo: maybe("price", "1500", "100"), Available: maybe("available", "true", "false"), Category: maybe("category", "music", "theater"), Order: maybe("order", "popular", "soonest")}
	if a.PriceTo != "" {
		a.Currency = "EUR"
	}
	if a.To = maybe("to", "2101-03-15", "2102-01-01"); a.To < a.From {
		a.To = ""
	}
	if a.Near = maybe("near", "38.72,-9.14", "-17.5,179.9", "-17.5,-179.9"); a.Near != "" {
		a.Radius = rapid.SampledFrom([]string{"5", "200", "500"}).Draw(t, "radius")
	}
	if rapid.Bool().Draw(t, "with a text") {
		words := strings.Fields(rapid.SampledFrom(append([]string{"Lisboa", "Harpa", "Amália", "world tour", "music", "xyzzy fado"}, titles...)).Draw(t, "text"))
		if n := rapid.IntRange(0, len(words)-1).Draw(t, "from word"); n > 0 {
			words = words[n:]
		}
		text := []rune(strings.Join(words, " "))
		for range rapid.IntRange(0, 2).Draw(t, "slips") {
			at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
			switch rapid.SampledFrom([]string{"drop", "other", "twice", "turn"}).Draw(t, "slip") {
			case "drop":
				if len(text) > 1 {
					text = slices.Delete(text, at, at+1)
				}
			case "other":
				text[at] = rapid.SampledFrom([]rune("aeiou")).Draw(t, "letter")
			case "twice":
				text = slices.Insert(text, at, text[at])
			case "turn":
				if at+1 < len(text) {
					text[at], text[at+1] = text[at+1], text[at]
				}
			}
		}
		a.Text = string(text)
	}
	return a
}

// What is found is what going through everything finds: by words, mistyped ones too, and
// by where, when and for how much; in the order that was asked for; and page by page nothing
// is left out and nothing comes twice. After each change, too.
func TestWhatIsFoundIsWhatThereIs(t *testing.T) {
	t.Parallel()
	db := devtest.Postgres(t)
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		if _, err := db.Exec(ctx, `delete from tiers; delete from performances; delete from event_performers; delete from events;
			delete from venues; delete from performers; delete from tours; delete from find_entries; delete from find_shows; delete from find_words; delete from find_stale`); err != nil {
			t.Fatal(err)
		}
		s := New(db, slog.New(slog.DiscardHandler))
		w := drawWorld(t)
		if err := w.keep(ctx, db); err != nil {
			t.Fatal(err)
		}
		for round := range 3 {
			if round > 0 {
				for range rapid.IntRange(1, 3).Draw(t, "changes") {
					if err := w.change(t, ctx, db); err != nil {
						t.Fatal(err)
					}
				}
			}
			drain(t, s)
			for _, g := range w.events {
				if rapid.IntRange(0, 3).Draw(t, "is looked at") == 0 {
					s.Seen(g.id, rapid.SampledFrom([]float64{1, 20, 300}).Draw(t, "weight"))
				}
				for _, n := range g.shows {
					s.Left(ropeline.PerformanceID(n.id), !n.soldOut)
				}
			}
			if err := s.writeLeft(ctx); err != nil {
				t.Fatal(err)
			}
			if err := s.WriteSeen(ctx); err != nil {
				t.Fatal(err)
			}
			w.wordsAreCounted(t, db)
			for range 6 {
				w.compare(t, s, drawAsked(t))
			}
		}
	})
}

func drain(t interface{ Fatal(...any) }, s *Store) {
	for {
		n, err := s.Refresh(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

func (w *world) wordsAreCounted(t *rapid.T, db *pgxpool.Pool) {
	want, got := map[string]int{}, map[string]int{}
	for _, i := range w.items() {
		for word := range i.words {
			want[word]++
		}
	}
	rows, err := db.Query(context.Background(), `select word, entries from find_words where entries <> 0`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var word string
		var n int
		if err := rows.Scan(&word, &n); err != nil {
			t.Fatal(err)
		}
		got[word] = n
	}
	if !maps.Equal(got, want) {
		t.Fatalf("words are counted as %v, want %v", got, want)
	}
}

func (w *world) compare(t *rapid.T, s *Store, a Asked) {
	q, err := Understand(a)
	if err != nil {
		if a.Text != "" && folded(a.Text) == "" {
			return
		}
		t.Fatalf("%+v: %v", a, err)
	}
	items := w.items()
	words, ignored, goesOn := seek(items, a.Text)
	want := map[string]item{}
	for _, i := range items {
		switch {
		case a.Text != "" && (len(words) == 0 || !i.has(words, goesOn)), a.Text == "" && i.shows == 0, q.kind != "" && i.kind != q.kind,
			a.Category != "" && i.gig.category != a.Category, (q.ofShows() || q.order == Soonest) && i.gig.chosen(a) == nil:
			continue
		}
		want[string(i.kind)+i.id] = i
	}
	whole := w.pages(t, s, a, 200)
	if !slices.Equal(whole.Ignored, ignored) {
		t.Fatalf("%+v: ignored %q, want %q", a, whole.Ignored, ignored)
	}
	for _, e := range whole.Entries {
		i, in := want[string(e.Kind)+e.ID]
		if !in {
			t.Fatalf("%+v: found %s %q, which is not as asked for (words %q)", a, e.Kind, e.Name, words)
		}
		if e.Name != i.name || e.Shows != i.shows {
			t.Fatalf("%+v: found %+v, want %q with %d shows", a, e, i.name, i.shows)
		}
		if i.gig == nil {
			continue
		}
		n := i.gig.chosen(a)
		if (n == nil) != (e.Show == nil) || n != nil && (e.Show.ID != n.id || e.Show.Venue != n.venue.name || e.Show.PriceFrom.Amount != n.price || e.Show.SoldOut != n.soldOut) {
			t.Fatalf("%+v: of %q the show %+v is told, want %+v", a, i.name, e.Show, n)
		}
	}
	if len(whole.Entries) != len(want) {
		t.Fatalf("%+v: found %d of %d with %q: %+v", a, len(whole.Entries), len(want), words, whole.Entries)
	}
	w.inOrder(t, s, q, whole.Entries)
	some := w.pages(t, s, a, rapid.IntRange(1, 3).Draw(t, "page size"))
	name := func(e Entry) string { return string(e.Kind) + e.ID }
	if !slices.EqualFunc(some.Entries, whole.Entries, func(a, b Entry) bool { return name(a) == name(b) }) {
		t.Fatalf("%+v: page by page\n%+v\nat once\n%+v", a, some.Entries, whole.Entries)
	}
}

func (w *world) inOrder(t *rapid.T, s *Store, q Query, entries []Entry) {
	popularity := map[string]float64{}
	rows, err := s.db.Query(context.Background(), `select id::text, popularity from find_entries`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var p float64
		if err := rows.Scan(&id, &p); err != nil {
			t.Fatal(err)
		}
		popularity[id] = p
	}
	if !slices.IsSortedFunc(entries, func(a, b Entry) int {
		switch q.order {
		case Popular:
			return cmp.Or(cmp.Compare(popularity[b.ID], popularity[a.ID]), strings.Compare(a.ID, b.ID))
		case Soonest:
			return cmp.Or(a.Show.StartsAt.Compare(b.Show.StartsAt), strings.Compare(a.Show.ID, b.Show.ID))
		}
		return 0
	}) {
		t.Fatalf("not in the order %s: %+v", q.order, entries)
	}
}

// pages reads all pages of so many.
func (w *world) pages(t *rapid.T, s *Store, a Asked, size int) (all Found) {
	for range 100 {
		a.Page = booking.Page{Cursor: all.Next, Limit: size}
		q, err := Understand(a)
		if err != nil {
			t.Fatalf("%+v: %v", a, err)
		}
		f, err := s.Search(context.Background(), q)
		if err != nil {
			t.Fatalf("%+v: %v", a, err)
		}
		if len(f.Entries) > size {
			t.Fatalf("a page of %d has %d", size, len(f.Entries))
		}
		f.Entries = append(all.Entries, f.Entries...)
		if all = f; f.Next == "" {
			return all
		}
	}
	t.Fatalf("%+v: pages do not end", a)
	return all
}
