package find

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// batch is how many notes are drained in one transaction.
const batch = 500

// lock is taken by whoever changes entries: two who count the words of many would each
// wait for the other.
const lock = `hashtext('ropeline find')`

// Refresh makes anew what some of the notes of changes name, and returns how many notes
// those were; none if there are none, or another process is about it.
func (s *Store) Refresh(ctx context.Context) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, making)
	defer cancel()
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		var mine bool
		if err := tx.QueryRow(ctx, `select pg_try_advisory_xact_lock(`+lock+`)`).Scan(&mine); err != nil || !mine {
			return err
		}
		notes, err := takeNotes(ctx, tx)
		if n = len(notes); n == 0 || err != nil {
			return err
		}
		return makeAnew(ctx, tx, notes)
	})
	return n, storeError("making what can be found anew", err)
}

// note says what has changed.
type note struct {
	Kind   string
	ID     string
	Spread bool // events show its name
}

// takeNotes takes notes that are committed. Shows that have begun make one of their event.
func takeNotes(ctx context.Context, tx pgx.Tx) ([]note, error) {
	if _, err := tx.Exec(ctx, `insert into find_stale (kind, id, spread)
		select distinct 'event', event_id, false from (select event_id from find_shows where starts_at <= now() limit $1) s`, batch); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `delete from find_stale where n in (select n from find_stale order by n limit $1) returning kind, id, spread`, batch)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[note])
}

// makeAnew makes the entries of notes, and of whatever is summed up of them.
func makeAnew(ctx context.Context, tx pgx.Tx, notes []note) error {
	of, spread := map[string][]string{}, map[string][]string{}
	for _, n := range notes {
		of[n.Kind] = append(of[n.Kind], n.ID)
		if n.Spread {
			spread[n.Kind] = append(spread[n.Kind], n.ID)
		}
	}
	if len(spread) > 0 { // thousands, perhaps: they are made later
		if _, err := tx.Exec(ctx, `insert into find_stale (kind, id, spread)
			select 'event', event_id, false from event_performers where performer_id = any($1::uuid[])
			union select 'event', event_id, false from performances where venue_id = any($2::uuid[])
			union select 'event', id, false from events where tour_id = any($3::uuid[])`,
			list(spread["performer"]), list(spread["venue"]), list(spread["tour"])); err != nil {
			return err
		}
	}
	c := change{ctx: ctx, tx: tx}
	events := c.ids(`select id from unnest($1::uuid[]) id union select event_id from performances where id = any($2::uuid[])`,
		list(of["event"]), list(of["performance"]))
	c.do(noteSums, events)
	c.do(makeShows, events)
	c.remake(Event, events, eventEntries)
	c.remake(Performer, list(of["performer"]), performerEntries)
	c.remake(Venue, list(of["venue"]), venueEntries)
	c.remake(Tour, list(of["tour"]), tourEntries)
	c.do(turn)
	return c.err
}

// noteSums notes what is summed up of events, unless it is noted: it is made after all that
// was noted before. Made with the events, a venue of ten thousand shows would be counted anew
// for each few hundred of them. A note that is there already will do: it is taken after this
// is committed, since one process at a time takes notes. What an event was part of before is
// noted by the triggers.
const noteSums = `insert into find_stale (kind, id, spread)
	select kind, id, false from (
		select 'venue' as kind, venue_id as id from performances where event_id = any($1::uuid[])
		union select 'performer', performer_id from event_performers where event_id = any($1::uuid[])
		union select 'tour', tour_id from events where id = any($1::uuid[]) and tour_id is not null) of
	where not exists (select from find_stale s where s.kind = of.kind and s.id = of.id)`

// list is never nil, which would be null.
func list(ids []string) []string { return append([]string{}, ids...) }

// change is a transaction of several statements, of which the first that fails is the last.
type change struct {
	ctx context.Context
	tx  pgx.Tx
	err error
}

func (c *change) do(sql string, args ...any) {
	if c.err == nil {
		_, c.err = c.tx.Exec(c.ctx, sql, args...)
	}
}

func (c *change) ids(sql string, args ...any) (ids []string) {
	if c.err != nil {
		return nil
	}
	rows, err := c.tx.Query(c.ctx, sql, args...)
	if err == nil {
		ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	c.err = err
	return list(ids)
}

// remake replaces entries by what a statement selects, and counts their words anew.
func (c *change) remake(kind Kind, ids []string, selected string) {
	if len(ids) == 0 {
		return
	}
	c.do(countWords, kind, ids, -1)
	c.do(`with found as (`+selected+`), gone as (
			delete from find_entries where kind = $1 and id = any($2::uuid[]) and id not in (select id from found))
		insert into find_entries (kind, id, name, line, key, words, popularity, category_id, state, picture_id, shows, next_at)
		select $1, id, name, line, guide_fold(name), words, popularity, category_id, state, picture_id, shows, next_at from found
		on conflict (kind, id) do update set name = excluded.name, line = excluded.line, key = excluded.key, words = excluded.words,
			category_id = excluded.category_id, state = excluded.state, picture_id = excluded.picture_id, shows = excluded.shows, next_at = excluded.next_at`,
		kind, ids)
	c.do(countWords, kind, ids, 1)
}

// turn tells whoever keeps something in memory to look again.
const turn = `update find_turn set version = version + 1`

const countWords = `insert into find_words (word, entries)
	select w, $3 * count(*) from find_entries, unnest(tsvector_to_array(words)) w where kind = $1 and id = any($2::uuid[]) group by w order by w
	on conflict (word) do update set entries = find_words.entries + excluded.entries`

// makeShows keeps what was counted of a show (sold_out): nothing here knows it.
const makeShows = `with coming as (
		select p.id, p.event_id, p.starts_at, guide_date(p.starts_at, v.time_zone) as day, v.time_zone, v.id as venue_id, v.name as venue,
			v.city, guide_fold(v.city) as city_key, v.country, v.latitude, v.longitude, t.amount, coalesce(t.currency, '') as currency
		from performances p join events e on e.id = p.event_id join venues v on v.id = p.venue_id
		left join lateral (select amount, currency from tiers where performance_id = p.id order by amount limit 1) t on true
		where p.event_id = any($1::uuid[]) and e.state = 'published' and p.state = 'scheduled' and p.starts_at > now()
	), gone as (delete from find_shows where event_id = any($1::uuid[]) and performance_id not in (select id from coming))
	insert into find_shows (performance_id, event_id, starts_at, day, time_zone, venue_id, venue, city, city_key, country, latitude, longitude, price_from, currency)
	select * from coming
	on conflict (performance_id) do update set event_id = excluded.event_id, starts_at = excluded.starts_at, day = excluded.day, time_zone = excluded.time_zone,
		venue_id = excluded.venue_id, venue = excluded.venue, city = excluded.city, city_key = excluded.city_key, country = excluded.country,
		latitude = excluded.latitude, longitude = excluded.longitude, price_from = excluded.price_from, currency = excluded.currency`

// eventEntries are of events that are still to come, or were postponed. What nobody has
// looked at yet is as popular as what one person looks at when it is published.
const eventEntries = `select e.id, e.title as name, coalesce(who.names, '') as line,
		setweight(guide_words(e.title), 'A') || setweight(guide_words(coalesce(who.names, '')), 'B')
			|| setweight(guide_words(places.names), 'C') || setweight(guide_words(concat_ws(' ', c.name, t.name)), 'D') as words,
		find_moment(coalesce(e.published_at, e.created_at)) as popularity, e.category_id, e.state, e.picture_id,
		coming.shows, coming.next_at
	from events e
	join categories c on c.id = e.category_id
	left join tours t on t.id = e.tour_id
	left join lateral (select string_agg(p.name, ', ' order by ep.position) as names
		from event_performers ep join performers p on p.id = ep.performer_id where ep.event_id = e.id) who on true
	join lateral (select string_agg(distinct v.name || ' ' || v.city, ' ') as names
		from performances p join venues v on v.id = p.venue_id
		where p.event_id = e.id and (p.state = 'scheduled' and p.starts_at > now() or p.state = 'postponed')) places on places.names is not null
	join lateral (select count(*) as shows, min(starts_at) as next_at from find_shows s where s.event_id = e.id) coming on true
	where $1 = 'event' and e.id = any($2::uuid[]) and e.state in ('published', 'postponed')`

// The others are found once there was something of them: who an event is a secret of until
// it is published is one as well.
const (
	performerEntries = `select p.id, p.name, '' as line, setweight(guide_words(p.name), 'A') as words,
			coalesce(of.popularity, find_moment(p.created_at)) as popularity, '' as category_id, 'published' as state, p.picture_id, of.shows, of.next_at
		from performers p
		join lateral (select count(s.performance_id) as shows, min(s.starts_at) as next_at, max(f.popularity) as popularity
			from event_performers ep join events e on e.id = ep.event_id and e.state <> 'draft'
			left join find_entries f on f.kind = 'event' and f.id = e.id
			left join find_shows s on s.event_id = e.id
			where ep.performer_id = p.id having count(*) > 0) of on true
		where $1 = 'performer' and p.id = any($2::uuid[])`

	tourEntries = `select t.id, t.name, '' as line, setweight(guide_words(t.name), 'A') as words,
			coalesce(of.popularity, find_moment(t.created_at)) as popularity, '' as category_id, 'published' as state, t.picture_id, of.shows, of.next_at
		from tours t
		join lateral (select count(s.performance_id) as shows, min(s.starts_at) as next_at, max(f.popularity) as popularity
			from events e
			left join find_entries f on f.kind = 'event' and f.id = e.id
			left join find_shows s on s.event_id = e.id
			where e.tour_id = t.id and e.state <> 'draft' having count(*) > 0) of on true
		where $1 = 'tour' and t.id = any($2::uuid[])`

	venueEntries = `select v.id, v.name, concat_ws(', ', nullif(v.city, ''), nullif(v.country, '')) as line,
			setweight(guide_words(v.name), 'A') || setweight(guide_words(v.city), 'C') as words,
			find_moment(v.created_at) as popularity, '' as category_id, 'published' as state, v.picture_id, of.shows, of.next_at
		from venues v
		join lateral (select count(*) as shows, min(starts_at) as next_at from find_shows s where s.venue_id = v.id) of on true
		where $1 = 'venue' and v.id = any($2::uuid[])
			and exists (select from performances p join events e on e.id = p.event_id where p.venue_id = v.id and e.state <> 'draft')`
)
