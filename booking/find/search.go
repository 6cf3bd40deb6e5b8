package find

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking"
)

// Found is a page of what was found.
type Found struct {
	Entries   []Entry  `json:"entries"`
	Next      string   `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
	Corrected string   `json:"corrected,omitempty" doc:"what was looked for instead, where nothing has a word of the text"`
	Ignored   []string `json:"ignored,omitempty" doc:"words of the text that nothing has, nor anything like them"`
}

const (
	// ranked is how many of what has the words are put in order by how well they fit: the
	// most popular ones, so that a word that all have costs no more than a rare one.
	ranked = 100
	// plenty is how many there should be, likely, among which it is looked for as many: twice
	// as many, as those that have the very name do not count, and a second look costs more
	// than one among more.
	plenty = ranked * 3 / 2
	// rarely is how many entries have a word so that all of them are visited, and looked at
	// for the others. The index takes 2 to 4 ms to tell which of them have one of 20,000, too,
	// and visiting 1,000 takes 2.
	rarely = 10 * ranked
	// few is up to how many shows that are as asked for are listed before anything is
	// looked for among their events. If there are more, one in some dozens is as asked
	// for, and going through events by their popularity meets enough of them.
	few = 2000
)

// Search finds a page of what was asked for.
func (s *Store) Search(ctx context.Context, q Query) (f Found, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f, err = s.search(ctx, q)
	if f.Entries == nil {
		f.Entries = []Entry{}
	}
	return f, storeError("searching", err)
}

func (s *Store) search(ctx context.Context, q Query) (f Found, err error) {
	t := statement{query: q, tier: len(tiers)}
	if q.text != "" {
		found, err := s.seek(ctx, q.text)
		if err != nil {
			return f, err
		}
		f.Ignored = found.ignored
		if len(found.words) == 0 {
			return f, nil
		}
		if found.corrected {
			f.Corrected = found.text()
		}
		t.words, t.rare, t.key, t.tier = tsquery("", found.words...), found.rare(), found.text(), tier(found.likely())
	}
	if q.category != "" {
		if t.categories, err = s.categories(ctx, q.category); err != nil {
			return f, err
		}
	}
	if q.ofShows() && q.order != Soonest {
		if t.events, err = s.few(ctx, q); err != nil || t.events != nil && len(t.events) == 0 {
			return f, err
		}
	}
	p, err := s.pages(ctx, t)
	for err == nil && len(p.entries) == 0 && t.tier < len(tiers) { // too few of the popular ones have the words
		t.tier++
		p, err = s.pages(ctx, t)
	}
	f.Entries, f.Next = p.entries, p.next
	return f, err
}

// page is of what was found; nobody changes it.
type page struct {
	entries []Entry
	next    string
}

// pages looks a page up, unless it is kept.
func (s *Store) pages(ctx context.Context, t statement) (page, error) {
	sql := t.sql()
	return s.kept().pages.of(ctx, fmt.Sprintf("%s %#v", sql, t.args), func(ctx context.Context) (page, error) { return s.page(ctx, t.query, sql, t.all()) })
}

func (s *Store) page(ctx context.Context, q Query, sql string, args []any) (p page, err error) {
	rows, err := s.db.Query(ctx, sql, args...)
	if err != nil {
		return p, err
	}
	marks := map[string]mark{}
	p.entries, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (e Entry, err error) {
		e, m, err := scan(r)
		marks[string(e.Kind)+e.ID] = m
		return e, err
	})
	if err != nil {
		return p, err
	}
	p.entries, p.next = booking.Cut(p.entries, q.size, func(e Entry) string { return marks[string(e.Kind)+e.ID].text(q.order) })
	return p, nil
}

// categories are the ids of a category and of those below it.
func (s *Store) categories(ctx context.Context, id string) ([]string, error) {
	rows, err := s.db.Query(ctx, `select id from categories where id = $1 or parent = $1`, id)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err == nil && len(ids) == 0 {
		err = invalid("There is no such category")
	}
	return ids, err
}

// few returns the events of the shows that are as asked for, nil if they are more than a few.
func (s *Store) few(ctx context.Context, q Query) ([]string, error) {
	t := statement{query: q}
	rows, err := s.db.Query(ctx, fmt.Sprintf(`select event_id from find_shows s where %s limit %d`, t.shows("s"), few+1), t.all()...)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(ids) > few {
		return nil, err
	}
	return list(ids), nil
}

// statement is a search as SQL.
type statement struct {
	query      Query
	words      string // a tsquery; empty: no text
	rare       string // a tsquery of one of them, which few entries have; empty: none is such
	key        string // a name that has exactly these words
	tier       int    // among which it is looked for; see tiers
	categories []string
	events     []string // nil: any
	args       []any
}

// all are the statement's arguments. Each run is planned by their values: a plan for any
// word and any city is bad for most, and pgx would keep it.
func (t *statement) all() []any {
	return append([]any{pgx.QueryExecModeCacheDescribe}, t.args...)
}

// arg adds an argument and returns its name.
func (t *statement) arg(v any) string {
	t.args = append(t.args, v)
	return fmt.Sprint("$", len(t.args))
}

// shows is the condition that a show is as asked for.
func (t *statement) shows(alias string) string {
	q, all := t.query, []string{"true"}
	add := func(condition string, args ...any) {
		names := make([]any, len(args))
		for i, a := range args {
			names[i] = t.arg(a)
		}
		all = append(all, strings.ReplaceAll(fmt.Sprintf(condition, names...), "s.", alias+"."))
	}
	if q.from != "" {
		add("s.day >= %s::text::date", q.from)
	}
	if q.to != "" {
		add("s.day <= %s::text::date", q.to)
	}
	if q.city != "" {
		add("s.city_key = guide_fold(%s)", q.city)
	}
	if q.country != "" {
		add("s.country = %s", q.country)
	}
	if c := q.circle; c != nil {
		south, north, west, east := c.box()
		beside := "and"
		if west > east {
			beside = "or"
		}
		add("s.latitude between %s and %s and (s.longitude >= %s "+beside+" s.longitude <= %s)", south, north, west, east)
		add("guide_distance(%s, %s, s.latitude, s.longitude) <= %s", c.latitude, c.longitude, c.radius)
	}
	if q.currency != "" {
		add("s.currency = %s and s.price_from >= %s", q.currency, q.priceFrom)
	}
	if q.priceTo >= 0 {
		add("s.price_from <= %s", q.priceTo)
	}
	if q.available {
		add("not s.sold_out")
	}
	return strings.Join(all, " and ")
}

// matching is the condition that an entry has the words, and is as asked for.
func (t *statement) matching() string {
	if t.words == "" {
		return t.entries()
	}
	words := "e.words @@ to_tsquery('guide', " + t.arg(t.words) + ")"
	if t.rare != "" {
		// Postgres does not see that it could look the condition up, if it is told twice that it is one.
		words = "e.words @@ to_tsquery('guide', " + t.arg(t.rare) + ") and (" + words + ") is true"
	}
	return words + " and " + t.entries()
}

// entries is the condition that an entry is as asked for, whatever its words.
func (t *statement) entries() string {
	q, all := t.query, []string{"true"}
	if q.kind != "" {
		all = append(all, fmt.Sprintf("e.kind = '%s'", q.kind)) // one of four, which partial indexes are of
	}
	if t.words == "" {
		all = append(all, "e.shows > 0")
	}
	switch len(t.categories) {
	case 0:
	case 1:
		all = append(all, "e.category_id = "+t.arg(t.categories[0]))
	default:
		all = append(all, "e.category_id = any("+t.arg(t.categories)+"::text[])")
	}
	switch {
	case q.order == Soonest || !q.ofShows():
	case t.events != nil:
		all = append(all, "e.id = any("+t.arg(t.events)+"::uuid[])")
	default:
		all = append(all, "exists (select from find_shows s where s.event_id = e.id and "+t.shows("s")+")")
	}
	return strings.Join(all, " and ")
}

const columns = `e.kind, e.id, e.name, e.line, e.category_id, e.state, coalesce(e.picture_id::text, ''), e.shows, e.next_at`

// sql is the whole: what is found, and of each event the show that is told of it.
func (t *statement) sql() string {
	found := map[Order]func() string{Relevant: t.relevant, Popular: t.byPopularity, Soonest: t.soonest}[t.query.order]()
	kilometers := "null::double precision"
	if c := t.query.circle; c != nil {
		kilometers = fmt.Sprintf("guide_distance(%s, %s, s.latitude, s.longitude)", t.arg(c.latitude), t.arg(c.longitude))
	}
	return fmt.Sprintf(`select %s, e.score, s.performance_id, s.starts_at, s.time_zone, s.venue_id, s.venue, s.city, s.country, s.price_from, s.currency, s.sold_out, %s
		from (%s) e left join lateral (select * from find_shows s where e.kind = 'event' and s.event_id = e.id and %s
			order by s.starts_at, s.performance_id limit 1) s on true order by e.place`,
		columns, kilometers, found, t.shows("s"))
}

// byPopularity goes through the index that has that order.
func (t *statement) byPopularity() string {
	after := "true"
	if m := t.query.after; m != nil {
		by := t.arg(m.by)
		after = fmt.Sprintf("e.popularity <= %s and (e.popularity < %s or e.id > %s)", by, by, t.arg(m.id))
	}
	return fmt.Sprintf(`select e.*, e.popularity as score, row_number() over (order by e.popularity desc, e.id) as place from (
			select * from find_entries e where %s and %s order by e.popularity desc, e.id limit %d) e`, t.matching(), after, t.query.size+1)
}

// tiers are the parts of all entries that are marked as popular, the smallest first: one
// in how many.
var tiers = [...]int64{64, 16, 4}

// tier is the smallest of them that is likely to have enough of what has the words, and all
// of the entries if there is none.
func tier(have int64) int {
	for i, share := range tiers {
		if have/share >= plenty {
			return i
		}
	}
	return len(tiers)
}

// relevant ranks the most popular of what has the words for its name, and of what else has
// them. A word of the name counts ten times one of the place: that is worth ten times the
// views. Of one tier, nothing is found unless it has enough, which are then the most popular
// of all.
func (t *statement) relevant() string {
	after := "true"
	if m := t.query.after; m != nil {
		by := t.arg(m.by)
		after = fmt.Sprintf("(e.score < %s or e.score = %s and e.id > %s)", by, by, t.arg(m.id))
	}
	key, words := t.arg(t.key), t.arg(t.words)
	best := func(condition string) string {
		return fmt.Sprintf("select * from find_entries e where %s order by e.popularity desc, e.id limit %d", condition, ranked)
	}
	others, enough := "e.key <> "+key+" and "+t.matching(), "true"
	if t.tier < len(tiers) {
		others = fmt.Sprintf("e.tier <= %d and %s", t.tier, others)
		enough = fmt.Sprintf("(select count(*) from known) = %d", ranked)
	}
	return fmt.Sprintf(`with known as materialized (%s)
		select e.*, row_number() over (order by e.score desc, e.id) as place from (select * from (
			select e.*, e.popularity + 3 * ln(greatest(ts_rank(e.words, to_tsquery('guide', %s)), 1e-6)) / ln(2::double precision)
				+ case when e.key = %s then 10 else 0 end as score from ((%s) union all select * from known) e where %s) e
			where %s order by e.score desc, e.id limit %d) e`,
		best(others), words, key, best("e.key = "+key+" and "+t.entries()), enough, after, t.query.size+1)
}

// soonest goes through shows, and takes each event at the first one that is as asked for.
func (t *statement) soonest() string {
	after := "true"
	if m := t.query.after; m != nil {
		after = fmt.Sprintf("(f.starts_at, f.performance_id) > (%s::timestamptz, %s::uuid)", t.arg(time.UnixMicro(m.at).UTC()), t.arg(m.id))
	}
	return fmt.Sprintf(`select e.*, e.popularity as score, f.starts_at as first_at, f.performance_id as first_id, row_number() over (order by f.starts_at, f.performance_id) as place
		from (select f.event_id, f.starts_at, f.performance_id from find_shows f join find_entries e on e.kind = 'event' and e.id = f.event_id
			where %s and %s and %s and not exists (select from find_shows s where s.event_id = f.event_id
				and (s.starts_at, s.performance_id) < (f.starts_at, f.performance_id) and %s)
			order by f.starts_at, f.performance_id limit %d) f
		join find_entries e on e.kind = 'event' and e.id = f.event_id`,
		t.matching(), t.shows("f"), after, t.shows("s"), t.query.size+1)
}

// scan reads an entry, and where the page would end behind it.
func scan(r pgx.CollectableRow) (e Entry, m mark, err error) {
	var s struct {
		id, zone, venue, name, city, country, currency *string
		starts                                         *time.Time
		price                                          *int64
		soldOut                                        *bool
		kilometers                                     *float64
	}
	err = r.Scan(&e.Kind, &e.ID, &e.Name, &e.Line, &e.Category, &e.State, &e.Picture, &e.Shows, &e.Next, &m.by,
		&s.id, &s.starts, &s.zone, &s.venue, &s.name, &s.city, &s.country, &s.price, &s.currency, &s.soldOut, &s.kilometers)
	if err != nil {
		return e, m, err
	}
	m.id = e.ID
	if e.Kind != Event {
		e.State = ""
	}
	if e.Next != nil {
		at := e.Next.UTC()
		e.Next = &at
	}
	if s.id != nil {
		e.Show = &Show{ID: *s.id, StartsAt: s.starts.UTC(), TimeZone: *s.zone, VenueID: *s.venue, Venue: *s.name, City: *s.city, Country: *s.country,
			SoldOut: *s.soldOut, Kilometer: s.kilometers}
		if s.price != nil {
			e.Show.PriceFrom = &booking.Money{Amount: *s.price, Currency: *s.currency}
		}
		m.at, m.show = s.starts.UnixMicro(), *s.id
	}
	return e, m, nil
}
