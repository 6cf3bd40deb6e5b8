package find

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
)

// What makes an event popular, each told by Seen. Popularity is log2 of the sum of these,
// each weighed by 2^(its week): what is a week old counts half of what is new, and the
// order of two events changes only when there is more of one. So it can stand in an index,
// and nothing has to be aged.
const (
	Viewed = 1  // somebody looked at it
	Held   = 5  // somebody has units of it in the basket
	Sold   = 20 // a unit was bought
)

// most bounds what is counted between two writings: beyond it only what is in already
// counts. It is a popularity, no book of accounts.
const most = 10_000

// Seen counts something of an event, or of a performance of one.
func (s *Store) Seen(id string, weight float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, in := s.seen[id]; in || len(s.seen) < most {
		s.seen[id] += weight
	}
}

// Left says whether anything of a performance is left.
func (s *Store) Left(performance ropeline.PerformanceID, any bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, in := s.left[string(performance)]; in || len(s.left) < most {
		s.left[string(performance)] = any
	}
}

// take empties a counter.
func take[V any](s *Store, counter *map[string]V) (ids []string, values []V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, v := range *counter {
		ids, values = append(ids, id), append(values, v)
	}
	*counter = map[string]V{}
	return ids, values
}

// writeLeft writes down what is sold out. If that fails the next count says so again.
func (s *Store) writeLeft(ctx context.Context) error {
	ids, left := take(s, &s.left)
	if len(ids) == 0 {
		return nil
	}
	return s.write(ctx, "writing down what is sold out", `with changed as (
			update find_shows s set sold_out = not u.any_left from unnest($1::uuid[], $2::boolean[]) u (id, any_left)
			where s.performance_id = u.id and s.sold_out = u.any_left returning 1)
		update find_turn set version = version + 1 where exists (select from changed)`, ids, left)
}

// WriteSeen makes what was seen more popular, as Run does each half minute: events, who is in them, where they are and
// their tours. What cannot be written down is lost.
func (s *Store) WriteSeen(ctx context.Context) error {
	ids, weights := take(s, &s.seen)
	if len(ids) == 0 {
		return nil
	}
	return s.write(ctx, "writing down what is popular", `with seen as (
			select coalesce(p.event_id, u.id) as event, sum(u.weight) as weight
			from unnest($1::uuid[], $2::double precision[]) u (id, weight) left join performances p on p.id = u.id group by 1
		), warmed as (
			select 'event' as kind, event as id, weight from seen
			union all select 'performer', ep.performer_id, sum(weight) from seen join event_performers ep on ep.event_id = event group by 2
			union all select 'venue', s.venue_id, sum(weight) from seen join (select distinct event_id, venue_id from find_shows) s on s.event_id = event group by 2
			union all select 'tour', e.tour_id, sum(weight) from seen join events e on e.id = event and e.tour_id is not null group by 2
		), changed as (
			update find_entries f set popularity = find_warmer(f.popularity, w.weight, now()) from warmed w where f.kind = w.kind and f.id = w.id returning 1)
		update find_turn set version = version + 1 where exists (select from changed)`, ids, weights)
}

// MarkPopular marks the most popular 64th, 16th and quarter of all entries, among which it
// is looked first for what thousands have.
func (s *Store) MarkPopular(ctx context.Context) error {
	return s.write(ctx, "marking what is popular", `with n as (select count(*) as n from find_entries),
		bars as materialized (select (select min(popularity) from (select popularity from find_entries order by popularity desc limit n / 64) p) as b0,
			(select min(popularity) from (select popularity from find_entries order by popularity desc limit n / 16) p) as b1,
			(select min(popularity) from (select popularity from find_entries order by popularity desc limit n / 4) p) as b2 from n),
		marked as (select kind, id, case when popularity >= b0 then 0 when popularity >= b1 then 1 when popularity >= b2 then 2 else 3 end as tier from find_entries, bars)
		update find_entries e set tier = m.tier from marked m where m.kind = e.kind and m.id = e.id and m.tier <> e.tier`)
}

func (s *Store) write(ctx context.Context, what, sql string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, making)
	defer cancel()
	return storeError(what, pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(`+lock+`)`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, sql, args...)
		return err
	}))
}
