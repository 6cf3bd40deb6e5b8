package insight

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
)

const (
	// Fewest is how many people a group has whose number is told.
	Fewest = 10
	// Step is what numbers of people are rounded down to. Exact ones would tell of one
	// person by the difference of two: of a day and the next, of an event and a performance.
	Step = 5
)

// Crowd is who holds tickets, as far as they have said so and want to be counted.
type Crowd struct {
	People    int     `json:"people" doc:"who hold tickets, by account or else by address, rounded down to fives; 0: fewer than ten, and nothing is told"`
	Ages      []Group `json:"ages" doc:"by the year of birth, the youngest first; those who have not given one at the end"`
	Countries []Group `json:"countries" doc:"the most first; those who have not given one at the end"`
}

// Group is how many people have something in common.
type Group struct {
	Name   string `json:"name" doc:"an age as 25-34, or a country as PT; unknown: of those who have not given it; others: of all groups that are too small, together"`
	People int    `json:"people" doc:"rounded down to fives; ten at least"`
}

// The names of groups that are none.
const (
	Unknown = "unknown"
	Others  = "others"
)

// bands are ages, by the first year of the next band.
var bands = []struct {
	below int
	name  string
}{{18, "0-17"}, {25, "18-24"}, {35, "25-34"}, {45, "35-44"}, {55, "45-54"}, {65, "55-64"}}

// oldest is the last band.
const oldest = "65+"

// Band is the band of somebody who was born in a year, by the age that they come to in
// another. A year that nobody of today was born in is none.
func Band(born, year int) string {
	age := year - born
	if born == 0 || age < 0 || age > 120 {
		return Unknown
	}
	for _, b := range bands {
		if age < b.below {
			return b.name
		}
	}
	return oldest
}

// Hide makes groups of how many people have which name. A group of fewer than ten is not
// told, nor is its name: it is among the others. If those are fewer than ten together, as
// one group alone is, the smallest group that could be told joins them: or else the total
// would tell what they are. Everybody is in one group.
func Hide(counts map[string]int) (people int, shown []Group) {
	total, others := 0, 0
	shown = []Group{}
	for name, n := range counts {
		total += n
		if n >= Fewest {
			shown = append(shown, Group{name, n})
		} else if n > 0 {
			others += n
		}
	}
	if total < Fewest {
		return 0, []Group{}
	}
	slices.SortFunc(shown, func(a, b Group) int { return cmp.Or(b.People-a.People, cmp.Compare(a.Name, b.Name)) })
	if last := len(shown) - 1; others > 0 && others < Fewest {
		others, shown = others+shown[last].People, shown[:last]
	}
	if others > 0 {
		shown = append(shown, Group{Others, others})
	}
	for i := range shown {
		shown[i].People -= shown[i].People % Step
	}
	return total - total%Step, shown
}

// Person is what somebody has given.
type Person struct {
	Country string
	Born    int
}

// CrowdOf groups people in a year; guests have given nothing.
func CrowdOf(people []Person, guests, year int) (c Crowd) {
	ages, countries := map[string]int{Unknown: guests}, map[string]int{Unknown: guests}
	for _, p := range people {
		ages[Band(p.Born, year)]++
		countries[cmp.Or(p.Country, Unknown)]++
	}
	c.People, c.Countries = Hide(countries)
	_, c.Ages = Hide(ages)
	end := func(g Group) int { return slices.Index([]string{Others, Unknown}, g.Name) }
	slices.SortStableFunc(c.Countries, func(a, b Group) int { return end(a) - end(b) })
	slices.SortStableFunc(c.Ages, func(a, b Group) int { return cmp.Or(end(a)-end(b), place(a.Name)-place(b.Name)) })
	return c
}

// place is where a band stands.
func place(band string) int {
	for i, b := range bands {
		if b.name == band {
			return i
		}
	}
	return len(bands)
}

// Holders are who holds tickets of performances: the accounts, and how many others there are
// by their addresses. Who was erased, or gave no address, is nobody.
func (s *Store) Holders(ctx context.Context, of []Show) (accounts []string, guests int, err error) {
	err = s.snapshot(ctx, "looking who holds tickets of", ids(of), func(tx pgx.Tx) error {
		const holding = `from orders o join buyers b on b.id = o.buyer_id where o.performance_id = any($1) and o.state = 'paid'
			and exists (select from tickets k where k.performance_id = o.performance_id and k.order_id = o.id and k.state in ('valid', 'blocked'))`
		rows, err := tx.Query(ctx, `select distinct b.person_id::text `+holding+` and b.person_id is not null`, ids(of))
		if err != nil {
			return err
		}
		if accounts, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `select count(distinct lower(b.email)) `+holding+` and b.person_id is null and b.email <> ''`, ids(of)).Scan(&guests)
	})
	return accounts, guests, err
}

// CrowdFile writes a line for each group.
func (s *Store) CrowdFile(ctx context.Context, c Crowd) (*File, error) {
	return s.write(ctx, "audience.csv", func(_ context.Context, w io.Writer) error {
		t, err := newTable(w, "by", "group", "people")
		if err == nil && c.People > 0 {
			err = t.w.Write([]string{"all", "", strconv.Itoa(c.People)})
		}
		for _, g := range c.Ages {
			err = cmp.Or(err, t.w.Write([]string{"age", g.Name, strconv.Itoa(g.People)}))
		}
		for _, g := range c.Countries {
			err = cmp.Or(err, t.w.Write([]string{"country", g.Name, strconv.Itoa(g.People)}))
		}
		return t.end(err)
	})
}
