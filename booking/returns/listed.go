package returns

import (
	"context"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
)

// InForce names the tiers of each performance that have a list. The inventory asks each
// second, and is rebuilt when they are others.
func (s *Store) InForce(ctx context.Context) (map[ropeline.PerformanceID]string, error) {
	rows, err := s.db.Query(ctx, `select performance_id, string_agg(tier_id::text, ' ' order by tier_id) from returns_tiers group by performance_id`)
	if err != nil {
		return nil, away("asking which lists are in", "force", err)
	}
	names := map[ropeline.PerformanceID]string{}
	var id ropeline.PerformanceID
	var by string
	_, err = pgx.ForEachRow(rows, []any{&id, &by}, func() error {
		names[id] = by
		return nil
	})
	return names, away("asking which lists are in", "force", err)
}

// Listed lists the units that come to the lists of a performance when they come free,
// and names the tiers as InForce does.
func (s *Store) Listed(ctx context.Context, id ropeline.PerformanceID) (all []int, by string, err error) {
	tiers, err := s.tiers(ctx, id)
	if err != nil || len(tiers) == 0 {
		return nil, "", err
	}
	p, err := s.shows.Performance(ctx, id)
	if err != nil {
		return nil, "", err
	}
	for i, tier := range tiers {
		if i > 0 {
			by += " "
		}
		all, by = append(all, units(p.Map, tier)...), by+tier
	}
	return all, by, nil
}

// tiers are those of a performance that have a list.
func (s *Store) tiers(ctx context.Context, id ropeline.PerformanceID) ([]string, error) {
	rows, err := s.db.Query(ctx, `select tier_id::text from returns_tiers where performance_id = $1 order by tier_id`, id)
	if err != nil {
		return nil, away("reading the lists of", string(id), err)
	}
	tiers, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return tiers, away("reading the lists of", string(id), err)
}

// fresh is how long it is believed who stands where: everybody who waits asks, and each
// would be counted by Postgres else.
const fresh = time.Second

// queue names a tier's list.
type queue struct {
	performance ropeline.PerformanceID
	tier        string
}

// standings are the numbers of who waits, as they were a moment ago. One asks for all.
type standings struct {
	mu    sync.Mutex // guards what follows
	known map[queue]*standing
}

type standing struct {
	mu      sync.Mutex // whoever has it reads
	at      time.Time
	numbers []int64
}

// Waiting is how many wait for a tier, a second ago at most.
func (s *Store) Waiting(ctx context.Context, id ropeline.PerformanceID, tier string) (int, error) {
	numbers, err := s.numbers(ctx, queue{id, tier})
	return len(numbers), err
}

// Ahead is how many stand before a place that waits, a second ago at most.
func (s *Store) Ahead(ctx context.Context, e Entry) (int, error) {
	numbers, err := s.numbers(ctx, queue{e.Performance, e.Tier})
	return sort.Search(len(numbers), func(i int) bool { return numbers[i] >= e.Number }), err
}

// of finds what is known of a list.
func (s *standings) of(q queue) *standing {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.known[q]
	if known == nil {
		known = &standing{}
		s.known[q] = known
	}
	return known
}

// add tells of a place that has just joined, so that who joined sees themselves.
func (s *standings) add(e Entry) {
	known := s.of(queue{e.Performance, e.Tier})
	known.mu.Lock()
	defer known.mu.Unlock()
	if n := len(known.numbers); n == 0 || known.numbers[n-1] < e.Number {
		known.numbers = append(known.numbers, e.Number)
	}
}

func (s *Store) numbers(ctx context.Context, of queue) ([]int64, error) {
	known := s.standings.of(of)
	known.mu.Lock()
	defer known.mu.Unlock()
	if time.Since(known.at) < fresh {
		return known.numbers, nil
	}
	rows, err := s.db.Query(ctx, `select number from returns_entries
		where performance_id = $1 and tier_id = $2 and state in ('waiting', 'offering') order by number`, of.performance, of.tier)
	if err != nil {
		return nil, away("counting who waits for", string(of.performance), err)
	}
	numbers, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, away("counting who waits for", string(of.performance), err)
	}
	known.at, known.numbers = time.Now(), numbers
	return numbers, nil
}

// TierList is what is told of a tier's list.
type TierList struct {
	Tier    string
	Waiting int
}

// Lists are those of a performance, in the order of its tiers. A tier that was never
// sold out has none.
func (s *Store) Lists(ctx context.Context, id ropeline.PerformanceID) ([]TierList, error) {
	p, err := s.shows.Performance(ctx, id)
	if err != nil {
		return nil, err
	}
	listed, err := s.tiers(ctx, id)
	if err != nil {
		return nil, err
	}
	lists := []TierList{}
	for _, t := range p.Map.Tiers {
		if !slices.Contains(listed, t.ID) {
			continue
		}
		n, err := s.Waiting(ctx, id, t.ID)
		if err != nil {
			return nil, err
		}
		lists = append(lists, TierList{Tier: t.ID, Waiting: n})
	}
	return lists, nil
}

// Page lists the places of a performance behind a number, at most limit, in their order.
func (s *Store) Page(ctx context.Context, id ropeline.PerformanceID, after int64, limit int) ([]Entry, error) {
	return s.list(ctx, `where e.performance_id = @show and e.number > @after order by e.number limit @limit`,
		pgx.NamedArgs{"show": id, "after": after, "limit": limit})
}

// Event is a line of the history of a place.
type Event struct {
	ID    int64
	Entry string
	Event string
	Hold  string
	Units []int
	At    time.Time
}

// History lists what happened to the places of a performance after an event, at most
// limit. Events of two who act at once may become visible out of their order.
func (s *Store) History(ctx context.Context, id ropeline.PerformanceID, after int64, limit int) ([]Event, error) {
	rows, err := s.db.Query(ctx, `select id, entry_id::text, event, coalesce(hold_id::text, ''), coalesce(units, '{}'), at from returns_history
		where performance_id = $1 and id > $2 order by id limit $3`, id, after, limit)
	if err != nil {
		return nil, away("reading the history of the list of", string(id), err)
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (e Event, err error) {
		return e, r.Scan(&e.ID, &e.Entry, &e.Event, &e.Hold, &e.Units, &e.At)
	})
	return list, away("reading the history of the list of", string(id), err)
}
