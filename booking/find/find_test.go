package find

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/internal/migrations"
)

// stage is a small program of events, each with a show in the first hall unless told.
type stage struct {
	*world
	t  *testing.T
	db *pgxpool.Pool
	s  *Store
}

func newStage(t *testing.T, db *pgxpool.Pool, titles ...string) *stage {
	t.Helper()
	w := &world{}
	for i := range halls {
		h := halls[i]
		h.id = uuid.NewString()
		w.venues = append(w.venues, &h)
	}
	for i, title := range titles {
		w.events = append(w.events, &gig{id: uuid.NewString(), title: title, category: "music", state: "published",
			shows: []*night{{id: uuid.NewString(), venue: w.venues[0], starts: days[0].AddDate(0, 0, i), price: 4500, currency: "EUR", state: "scheduled"}}})
	}
	if err := w.keep(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	g := &stage{w, t, db, New(db, slog.New(slog.DiscardHandler))}
	drain(t, g.s)
	return g
}

func (g *stage) search(a Asked) (names []string, f Found) {
	g.t.Helper()
	q, err := Understand(a)
	if err != nil {
		g.t.Fatal(err)
	}
	if f, err = g.s.Search(g.t.Context(), q); err != nil {
		g.t.Fatal(err)
	}
	for _, e := range f.Entries {
		names = append(names, e.Name)
	}
	return names, f
}

func (g *stage) seen(title string, weight float64) {
	g.t.Helper()
	for _, e := range g.events {
		if e.title == title {
			g.s.Seen(e.id, weight)
		}
	}
	if err := g.s.WriteSeen(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
}

// The name itself comes first, then what has the words in its name, then the rest; of
// equals the more popular.
func TestWhatFitsBestComesFirst(t *testing.T) {
	t.Parallel()
	g := newStage(t, devtest.Postgres(t), "Hamlet", "Hamlet in the Park", "Hamlet Revisited", "An Evening at Elsinore")
	g.performers = []*act{{uuid.NewString(), "Hamlet Players"}}
	for _, sql := range []string{`insert into performers (id, name) values ($1, 'Hamlet Players')`, `insert into event_performers (event_id, performer_id, position)
		select id, $1, 0 from events where title like 'An Evening%'`} {
		if _, err := g.db.Exec(t.Context(), sql, g.performers[0].id); err != nil {
			t.Fatal(err)
		}
	}
	drain(t, g.s)
	g.seen("Hamlet Revisited", 8)
	names, f := g.search(Asked{Text: "hamlt", Kind: "event"})
	if want := []string{"Hamlet", "Hamlet Revisited", "Hamlet in the Park", "An Evening at Elsinore"}; !slices.Equal(names, want) || f.Corrected != "hamlet" {
		t.Errorf("found %q (%q), want %q", names, f.Corrected, want)
	}
	if names, _ = g.search(Asked{Text: "elsinore hamlet"}); !slices.Equal(names, []string{"An Evening at Elsinore"}) {
		t.Errorf("a word of the name and one of who performs: %q", names)
	}
	g.seen("An Evening at Elsinore", 1e6)
	if names, _ = g.search(Asked{Order: "popular"}); names[0] != "An Evening at Elsinore" {
		t.Errorf("popular first: %q", names)
	}
	if names, _ = g.search(Asked{Text: "hamlet", Kind: "event"}); names[0] != "An Evening at Elsinore" {
		t.Errorf("what everybody looks for comes first: %q", names)
	}
}

// Of words that thousands have the popular ones are visited first: what is found is the
// same as if all had been, whether enough of the popular ones have them or too few. And of
// two words the entries of the rarer one are visited, if they are not many.
func TestThoseOfACommonWordAreTheMostPopular(t *testing.T) {
	t.Parallel()
	g := newStage(t, devtest.Postgres(t))
	many, some := 16*(plenty+25), 4*(plenty+25) // enough for a sixteenth and for a quarter, but of these too few are popular
	_, err := g.db.Exec(t.Context(), `insert into find_entries (kind, id, name, line, key, words, popularity, category_id, shows)
		select 'event', gen_random_uuid(), name, '', guide_fold(name), guide_words(name), (n * 7919 % 3000) / case when n <= $1 then 300.0 else 375.0 end, 'music', 1
		from (select n, case when n % 2 = 0 then 'Grand ' else 'Small ' end || case when n <= $1 then 'Gala ' else 'Soiree ' end || n as name from generate_series(1, $1 + $2::int) n) s`, many, some)
	if err != nil {
		t.Fatal(err)
	}
	_, err = g.db.Exec(t.Context(), `insert into find_words (word, entries) values ('gala', $1::int), ('soiree', $2), ('grand', ($1 + $2) / 2)
		union all select 'gala' || n, 1 from generate_series(1, $3) n`, many, some, ways) // the one begins more words than are looked for one by one
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"gala", "soiree", "grand", "grand gala", "grand soiree"} {
		all := g.pages(text)
		if grand := strings.HasPrefix(text, "grand"); grand && slices.ContainsFunc(all, func(name string) bool { return !strings.HasPrefix(name, "Grand ") }) {
			t.Errorf("%s: %q", text, all)
		}
		if len(all) != ranked {
			t.Errorf("%s: %d of all are listed, want %d", text, len(all), ranked)
		}
		if err := g.s.MarkPopular(t.Context()); err != nil {
			t.Fatal(err)
		}
		found, err := g.s.seek(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		if rare := found.rare() != ""; rare != (text == "grand soiree") {
			t.Errorf("%s: of a rare word: %v", text, rare)
		}
		var popular int
		if err := g.db.QueryRow(t.Context(), `select count(*) from find_entries where tier <= $2 and words @@ to_tsquery('guide', $1)`, tsquery("", found.words...), tier(found.likely())).Scan(&popular); err != nil {
			t.Fatal(err)
		}
		if enough := text != "gala" && text != "soiree"; popular >= ranked != enough || popular == 0 {
			t.Fatalf("%s: %d of the popular ones have it", text, popular)
		}
		if got := g.pages(text); !slices.Equal(got, all) {
			t.Errorf("%s: the popular ones first: %q, want %q", text, got, all)
		}
		if _, err := g.db.Exec(t.Context(), `update find_entries set tier = 3`); err != nil {
			t.Fatal(err)
		}
	}
}

// pages are the names of all that is listed, page by page.
func (g *stage) pages(text string) (all []string) {
	for a := (Asked{Text: text, Page: booking.Page{Limit: 100}}); ; {
		names, f := g.search(a)
		all = append(all, names...)
		if a.Page.Cursor = f.Next; f.Next == "" {
			return all
		}
	}
}

// What was seen a week ago counts half.
func TestWhatIsPopularFades(t *testing.T) {
	t.Parallel()
	db := devtest.Postgres(t)
	var old, young, both float64
	err := db.QueryRow(t.Context(), `select find_warmer(-1e9, 200, now() - interval '7 days'), find_warmer(-1e9, 100, now()),
		find_warmer(find_warmer(-1e9, 100, now() - interval '7 days'), 50, now()) - find_warmer(-1e9, 100, now())`).Scan(&old, &young, &both)
	if err != nil {
		t.Fatal(err)
	}
	if d := old - young; d > 1e-9 || d < -1e-9 {
		t.Errorf("200 a week ago are %g, 100 now %g", old, young)
	}
	if both > 1e-9 || both < -1e-9 {
		t.Errorf("100 a week ago and 50 now are off 100 now by %g", both)
	}
}

func TestSuggestionsBeginWithWhatIsTyped(t *testing.T) {
	t.Parallel()
	g := newStage(t, devtest.Postgres(t), "Metallica", "Metal Night", "Symphonie", "Noite de Fado")
	g.seen("Metal Night", 50)
	for text, want := range map[string][]string{
		"met": {"Metal Night", "Metallica"}, "METALL": {"Metallica"}, "nigth met": {"Metal Night"}, "colis": {"Coliseu dos Recreios"}, "zzz": {}, "": {},
	} {
		got, err := g.s.Suggest(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for _, s := range got {
			names = append(names, s.Name)
		}
		if !slices.Equal(names, want) {
			t.Errorf("%q suggests %q, want %q", text, names, want)
		}
	}
}

// A change that is committed while an older one is being drained is not lost, and one that
// is not committed yet is waited for by nobody.
func TestNoChangeIsLost(t *testing.T) {
	t.Parallel()
	g := newStage(t, devtest.Postgres(t), "Before")
	ctx := t.Context()
	if _, err := g.db.Exec(ctx, `update events set title = 'First' where id = $1`, g.events[0].id); err != nil {
		t.Fatal(err)
	}
	tx, err := g.db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // it is committed
	if _, err := tx.Exec(ctx, `update events set title = 'Second' where id = $1`, g.events[0].id); err != nil {
		t.Fatal(err)
	}
	drain(t, g.s)
	if names, _ := g.search(Asked{}); !slices.Equal(names, []string{"First"}) {
		t.Errorf("found %q", names)
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	drain(t, g.s)
	if names, _ := g.search(Asked{}); !slices.Equal(names, []string{"Second"}) {
		t.Errorf("found %q", names)
	}
}

// A show that has begun is not to come any more, without anybody having changed anything.
func TestWhatHasBegunIsOver(t *testing.T) {
	t.Parallel()
	g := newStage(t, devtest.Postgres(t), "Now", "Later")
	if _, err := g.db.Exec(t.Context(), `update performances set starts_at = clock_timestamp() + interval '300 milliseconds' where event_id = $1`, g.events[0].id); err != nil {
		t.Fatal(err)
	}
	drain(t, g.s)
	if names, _ := g.search(Asked{Order: "soonest"}); !slices.Equal(names, []string{"Now", "Later"}) {
		t.Fatalf("found %q", names)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		drain(t, g.s)
		if names, _ := g.search(Asked{Order: "soonest"}); slices.Equal(names, []string{"Later"}) {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("found %q", names)
		}
	}
}

// The listing follows changes, and is there while Postgres is not.
func TestTheListingOutlivesPostgres(t *testing.T) {
	t.Parallel()
	server := devtest.PrivatePostgres(t)
	if _, err := migrations.Run(t.Context(), server.DSN); err != nil {
		t.Fatal(err)
	}
	g := newStage(t, devtest.PostgresAt(t, server.DSN), "Fado", "Hamlet")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.s.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	listing := func() (*Listing, []string) {
		l, err := g.s.Listing(ctx, "music")
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range l.Events {
			names = append(names, e.Name)
		}
		return l, names
	}
	first, names := listing()
	if len(names) != 2 || !strings.Contains(string(first.Text()), `"Hamlet"`) || first.Events[0].Show.PriceFrom.Amount != 4500 {
		t.Fatalf("listed %s", first.Text())
	}
	if _, err := g.db.Exec(ctx, `update events set title = 'Macbeth' where title = 'Hamlet'`); err != nil {
		t.Fatal(err)
	}
	wait(t, "the listing to follow a change", func() bool { _, names = listing(); return slices.Contains(names, "Macbeth") })
	second, _ := listing()
	if second.Tag() == first.Tag() {
		t.Error("another listing has the same tag")
	}
	if _, err := g.s.Listing(ctx, "opera"); err != ErrCategoryUnknown {
		t.Errorf("a category that is none: %v", err)
	}
	server.Kill()
	if _, err := g.s.Search(ctx, Query{order: Popular, kind: Event, size: 10, priceTo: -1}); err == nil {
		t.Error("Postgres was killed, and something was found")
	}
	if third, _ := listing(); third != second {
		t.Error("the listing is another one since Postgres is away")
	}
	server.Start()
	wait(t, "the listing to follow again", func() bool {
		_, err := g.db.Exec(ctx, `update events set title = 'Othello' where title = 'Macbeth'`)
		if err != nil {
			return false
		}
		_, names = listing()
		return slices.Contains(names, "Othello")
	})
}

func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for ", what)
		}
	}
}

// A flood of names that are looked at takes no memory without end.
func TestCountersAreBounded(t *testing.T) {
	t.Parallel()
	s := New(nil, slog.New(slog.DiscardHandler))
	for i := range most + 500 {
		s.Seen(fmt.Sprint(i), 1)
	}
	s.Seen("0", 4)
	ids, weights := take(s, &s.seen)
	if at := slices.Index(ids, "0"); len(ids) != most || weights[at] != 5 {
		t.Errorf("counted %d", len(ids))
	}
}
