package catalogue

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
)

// The kinds of reserve. They differ in what staff read, and in what the counter may
// sell (Sellable).
const (
	Blocked    = "blocked"    // cannot be sold: a camera stands there
	Guests     = "guests"     // the guest list
	Production = "production" // a buffer for what the production will need
	Batch      = "batch"      // is released later
	BoxOffice  = "boxoffice"  // what the box office has to sell
)

// ReserveKinds are all of them.
var ReserveKinds = []string{Blocked, Guests, Production, Batch, BoxOffice}

// Refusals of a reserve.
var (
	ErrReserveInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "reserve-invalid"}
	ErrReserveExists  = &ropeline.Error{Kind: ropeline.Conflict, Code: "reserve-exists", Detail: "The performance has a reserve of this name already."}
	ErrReserveUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "reserve-unknown", Detail: "The performance has no such reserve in force."}
)

func invalidReserve(name, format string, args ...any) error {
	e := *ErrReserveInvalid
	e.Detail = fmt.Sprintf("Reserve %q: ", name) + fmt.Sprintf(format, args...) + "."
	return &e
}

// ReservePlan describes a reserve to make: seats, named one by one or by row or
// section, or the last places of an area.
type ReservePlan struct {
	Name      string     `json:"name"`
	Kind      string     `json:"kind" enum:"blocked,guests,production,batch,boxoffice"`
	Seats     []string   `json:"seats,omitempty" nullable:"false" doc:"sections, rows or seats: Stalls, Stalls-A or Stalls-A-1"`
	Area      string     `json:"area,omitempty" doc:"of which the last places are taken"`
	Places    int        `json:"places,omitempty" doc:"how many of the area"`
	ReleaseAt *time.Time `json:"release_at,omitempty" doc:"when they come on sale; left out: when somebody says so"`
}

// Reserve is a set of units that is not on sale until it is released.
type Reserve struct {
	ID, Name, Kind string
	Ranges         []Range // in the order of their units
	ReleaseAt      *time.Time
}

// Units is how many it has.
func (r Reserve) Units() (n int) {
	for _, part := range r.Ranges {
		n += part.Count
	}
	return n
}

// reserve finds the units of a plan by the names of the map. Places of an area are
// the last ones that nobody has reserved: what is sold goes from the first on.
func (m *Map) reserve(plan ReservePlan, names map[string][][]Range, others []Range) (Reserve, error) {
	r := Reserve{Name: plan.Name, Kind: plan.Kind, ReleaseAt: plan.ReleaseAt}
	bad := func(format string, args ...any) (Reserve, error) {
		return Reserve{}, invalidReserve(plan.Name, format, args...)
	}
	switch {
	case plan.Name == "" || len(plan.Name) > 200 || !booking.IsPlain(plan.Name):
		return bad("its name must have 1 to 200 bytes that can be printed")
	case !slices.Contains(ReserveKinds, plan.Kind):
		return bad("its kind must be one of %s", strings.Join(ReserveKinds, ", "))
	case (len(plan.Seats) > 0) == (plan.Area != ""):
		return bad("it must have seats, or an area and how many places of it")
	case plan.ReleaseAt != nil && !booking.IsTime(*plan.ReleaseAt):
		return bad("release_at must lie between the years 2000 and 2200")
	case plan.Area == "" && plan.Places != 0:
		return bad("places must be left out where there are seats")
	}
	if plan.Area != "" {
		i := slices.IndexFunc(m.Tiers, func(t Tier) bool { return t.Kind == General && t.Name == plan.Area })
		if i < 0 {
			return bad("there is no area %q", plan.Area)
		}
		last, free := lastPlaces(m.Tiers[i], plan.Places, others)
		if plan.Places < 1 || last == nil {
			return bad("places must lie between 1 and the %d of %q that are in no other reserve", free, plan.Area)
		}
		r.Ranges = last
		return r, nil
	}
	for _, name := range plan.Seats {
		switch found := names[name]; len(found) {
		case 0:
			return bad("there is no seat, row or section %q", name)
		case 1:
			r.Ranges = append(r.Ranges, found[0]...)
		default:
			return bad("%q is the name of two things: name the seats", name)
		}
	}
	r.Ranges = union(r.Ranges)
	return r, nil
}

// names are the sections, rows and seats of a map by what they are called; more
// than one under a name if that is not clear.
func (m *Map) names() map[string][][]Range {
	sections, rows, names := map[string][]Range{}, map[[2]string][]Range{}, map[string][][]Range{}
	for _, r := range m.Rows {
		all := Range{First: r.First, Count: r.Count}
		sections[r.Section] = append(sections[r.Section], all)
		rows[[2]string{r.Section, r.Name}] = append(rows[[2]string{r.Section, r.Name}], all)
		for i := range r.Count {
			name := m.Label(r.First + i)
			names[name] = append(names[name], []Range{{First: r.First + i, Count: 1}})
		}
	}
	for name, ranges := range sections {
		names[name] = append(names[name], ranges)
	}
	for row, ranges := range rows {
		name := row[0] + "-" + row[1]
		names[name] = append(names[name], ranges)
	}
	return names
}

// lastPlaces are the last n places of a tier beside others; nil if there are not so
// many, and how many there are.
func lastPlaces(t Tier, n int, others []Range) (last []Range, free int) {
	free = t.Count
	end := t.First + t.Count // of what was not looked at
	gaps := []Range{}        // from the last one on
	for _, o := range slices.Backward(union(others)) {
		begin, stop := max(o.First, t.First), min(o.First+o.Count, t.First+t.Count)
		if begin >= stop {
			continue
		}
		free -= stop - begin
		gaps = append(gaps, Range{First: stop, Count: end - stop})
		end = begin
	}
	gaps = append(gaps, Range{First: t.First, Count: end - t.First})
	if n > free {
		return nil, free
	}
	for _, gap := range gaps {
		if take := min(n, gap.Count); take > 0 {
			last = append(last, Range{First: gap.First + gap.Count - take, Count: take})
			n -= take
		}
	}
	return union(last), free
}

// union sorts ranges and joins those that touch.
func union(ranges []Range) []Range {
	sorted := slices.SortedFunc(slices.Values(ranges), func(a, b Range) int { return cmp.Compare(a.First, b.First) })
	var joined []Range
	for _, r := range sorted {
		if n := len(joined); n > 0 && r.First <= joined[n-1].First+joined[n-1].Count {
			joined[n-1].Count = max(joined[n-1].Count, r.First+r.Count-joined[n-1].First)
			continue
		}
		joined = append(joined, r)
	}
	return joined
}

// Reserve makes a reserve of a performance. What of it is held or sold at the
// moment stays so, and is withheld when it comes back.
func (s *Store) Reserve(ctx context.Context, id ropeline.PerformanceID, plan ReservePlan, by audit.Change) (r Reserve, err error) {
	if err := by.Validate(false); err != nil {
		return Reserve{}, err
	}
	request, err := json.Marshal(plan)
	if err != nil {
		return Reserve{}, err
	}
	p, err := s.Performance(ctx, id)
	if err != nil {
		return Reserve{}, err
	}
	var before audit.Edit
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		// Two at once would take the same places.
		if _, err := tx.Exec(ctx, `select 1 from performances where id = $1 for update`, id); err != nil {
			return err
		}
		own, err := booking.NewID()
		if err != nil {
			return err
		}
		var found bool
		before, found, err = by.Note(ctx, tx, audit.Edit{What: audit.OfReserve, Subject: string(id), Name: own}, string(id), string(request))
		if err == nil && found {
			err = audit.ErrBefore
		}
		if err != nil {
			return err
		}
		others, err := reserves(ctx, tx, id)
		if err != nil {
			return err
		}
		if len(others) >= maxReserves {
			return invalidReserve(plan.Name, "the performance has %d already", maxReserves)
		}
		var taken []Range
		for _, o := range others {
			taken = append(taken, o.Ranges...)
		}
		if r, err = p.Map.reserve(plan, p.Map.names(), taken); err != nil {
			return err
		}
		r.ID = own
		return insertReserve(ctx, tx, id, r)
	})
	if errors.Is(err, audit.ErrBefore) {
		return s.reserve(ctx, id, before.Name)
	}
	return r, storeError("reserving units of "+string(id), err)
}

// reserve reads a reserve by its id or its name, in force or not.
func (s *Store) reserve(ctx context.Context, id ropeline.PerformanceID, name string) (Reserve, error) {
	list, err := reservesWhere(ctx, s.db, `(id::text = $2 or name = $2)`, id, name)
	if err == nil && len(list) == 0 {
		err = ErrReserveUnknown
	}
	if err != nil {
		return Reserve{}, storeError("reading a reserve of "+string(id), err)
	}
	return list[0], nil
}

func insertReserve(ctx context.Context, tx pgx.Tx, id ropeline.PerformanceID, r Reserve) error {
	parts := make([]string, len(r.Ranges))
	for i, part := range r.Ranges {
		parts[i] = fmt.Sprintf("[%d,%d)", part.First, part.First+part.Count)
	}
	_, err := tx.Exec(ctx, `insert into reserves (performance_id, id, name, kind, units, release_at) values ($1, $2, $3, $4, $5::text::int4multirange, $6)`,
		id, r.ID, r.Name, r.Kind, "{"+strings.Join(parts, ",")+"}", r.ReleaseAt)
	if taken, ok := errors.AsType[*pgconn.PgError](err); ok && taken.ConstraintName == "reserves_name_once" {
		return ErrReserveExists
	}
	return err
}

// Release puts the units of a reserve, given by its id or its name, on sale at a
// time: at once if that is over. One that is released already stays as it is.
func (s *Store) Release(ctx context.Context, id ropeline.PerformanceID, name string, at time.Time, by audit.Change) (Reserve, error) {
	if err := by.Validate(true); err != nil {
		return Reserve{}, err
	}
	if !booking.IsID(string(id)) {
		return Reserve{}, ErrPerformanceUnknown
	}
	if !booking.IsPlain(name) {
		return Reserve{}, ErrReserveUnknown
	}
	if at.UTC().Year() > 2000 && !booking.IsTime(at) { // what is over is at once
		return Reserve{}, invalidReserve(name, "at must lie before the year 2201")
	}
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		var own string
		err := tx.QueryRow(ctx, `
			update reserves set release_at = greatest($3, now())
			where performance_id = $1 and (id::text = $2 or name = $2) and `+inForce+` returning id`, id, name, at).Scan(&own)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err == nil {
			_, _, err = by.Note(ctx, tx, audit.Edit{What: audit.OfRelease, Subject: string(id), Name: own})
		}
		return err
	})
	if err != nil {
		return Reserve{}, storeError("releasing a reserve of "+string(id), err)
	}
	return s.reserve(ctx, id, name)
}

// inForce is by the clock of Postgres, which all cores share.
const inForce = `(release_at is null or release_at > now())`

// Reserves lists the reserves of a performance that are in force, by name.
func (s *Store) Reserves(ctx context.Context, id ropeline.PerformanceID) ([]Reserve, error) {
	if _, err := s.Performance(ctx, id); err != nil {
		return nil, err
	}
	list, err := reserves(ctx, s.db, id)
	return list, storeError("listing reserves of "+string(id), err)
}

// asked is a pool or a transaction.
type asked interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
}

func reserves(ctx context.Context, db asked, id ropeline.PerformanceID) ([]Reserve, error) {
	return reservesWhere(ctx, db, inForce, id)
}

func reservesWhere(ctx context.Context, db asked, where string, args ...any) ([]Reserve, error) {
	rows, err := db.Query(ctx, `
		select id, name, kind, release_at, lower(part), upper(part) from reserves, unnest(units) as part
		where performance_id = $1 and `+where+` order by name, lower(part)`, args...)
	if err != nil {
		return nil, err
	}
	var list []Reserve
	var r Reserve
	var first, end int
	_, err = pgx.ForEachRow(rows, []any{&r.ID, &r.Name, &r.Kind, &r.ReleaseAt, &first, &end}, func() error {
		if n := len(list); n == 0 || list[n-1].ID != r.ID {
			list = append(list, Reserve{ID: r.ID, Name: r.Name, Kind: r.Kind, ReleaseAt: r.ReleaseAt})
		}
		last := &list[len(list)-1]
		last.Ranges = append(last.Ranges, Range{First: first, Count: end - first})
		return nil
	})
	return list, err
}

// Sellable lists the reserves in force of which the counter may sell, by name: those for
// guests, the production and the box office, without what is in another reserve that is
// for nobody.
func (s *Store) Sellable(ctx context.Context, id ropeline.PerformanceID) ([]Reserve, error) {
	list, err := s.Reserves(ctx, id)
	if err != nil {
		return nil, err
	}
	var some []Reserve
	var nobody []Range
	for _, r := range list {
		if r.Kind == Guests || r.Kind == Production || r.Kind == BoxOffice {
			some = append(some, r)
		} else {
			nobody = append(nobody, r.Ranges...)
		}
	}
	nobody = union(nobody)
	for i := range some {
		some[i].Ranges = without(some[i].Ranges, nobody)
	}
	return some, nil
}

// without are the parts of ranges that are in none of others, which are in order.
func without(ranges, others []Range) (left []Range) {
	for _, r := range ranges {
		first := r.First
		for _, o := range others {
			if o.end() <= first || o.First >= r.end() {
				continue
			}
			if o.First > first {
				left = append(left, Range{First: first, Count: o.First - first})
			}
			first = o.end()
		}
		if first < r.end() {
			left = append(left, Range{First: first, Count: r.end() - first})
		}
	}
	return left
}

// Later says how many units of each tier, by its id, come on sale at a time that is
// set, from memory if it was asked in the last minute. What is sold of them counts.
func (s *Store) Later(ctx context.Context, id ropeline.PerformanceID) (map[string]int64, error) {
	return s.later.get(ctx, id)
}

func (s *Store) readLater(ctx context.Context, id ropeline.PerformanceID) (map[string]int64, error) {
	p, err := s.Performance(ctx, id)
	if err != nil {
		return nil, err
	}
	list, err := reserves(ctx, s.db, id)
	if err != nil {
		return nil, storeError("reading what is released of "+string(id), err)
	}
	var timed []Range
	for _, r := range list {
		if r.ReleaseAt != nil {
			timed = append(timed, r.Ranges...)
		}
	}
	later := map[string]int64{}
	for _, t := range p.Map.Tiers {
		for _, part := range union(timed) {
			later[t.ID] += int64(max(0, min(part.First+part.Count, t.First+t.Count)-max(part.First, t.First)))
		}
	}
	return later, nil
}

// InForce names the reserves in force of each performance that has some. The
// inventory asks each second, and is rebuilt when they are others.
func (s *Store) InForce(ctx context.Context) (map[ropeline.PerformanceID]string, error) {
	rows, err := s.db.Query(ctx, `select performance_id, string_agg(id::text, ' ' order by id) from reserves where `+inForce+` group by performance_id`)
	if err != nil {
		return nil, storeError("asking which reserves are in force", err)
	}
	names := map[ropeline.PerformanceID]string{}
	var id ropeline.PerformanceID
	var by string
	_, err = pgx.ForEachRow(rows, []any{&id, &by}, func() error {
		names[id] = by
		return nil
	})
	return names, storeError("asking which reserves are in force", err)
}

// Withheld lists the units that the reserves of a performance withhold now, and
// names the reserves as InForce does.
func (s *Store) Withheld(ctx context.Context, id ropeline.PerformanceID) (units []int, by string, err error) {
	list, err := reserves(ctx, s.db, id)
	if err != nil {
		return nil, "", storeError("reading the reserves of "+string(id), err)
	}
	var ids []string
	var ranges []Range
	for _, r := range list {
		ids, ranges = append(ids, r.ID), append(ranges, r.Ranges...)
	}
	slices.Sort(ids)
	for _, part := range union(ranges) {
		for u := part.First; u < part.First+part.Count; u++ {
			units = append(units, u)
		}
	}
	return units, strings.Join(ids, " "), nil
}
