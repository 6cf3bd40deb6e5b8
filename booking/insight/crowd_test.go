package insight_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline/booking/insight"
)

// No group of fewer than ten is told; and of each that is not, whoever sees the answer
// cannot tell how many it has: another crowd, in which it has one more or less, is answered
// just so.
func TestSmallGroupsStayHidden(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.MapOfN(rapid.SampledFrom([]string{"PT", "ES", "FR", "DE", "IT", insight.Unknown}), rapid.OneOf(rapid.IntRange(0, 12), rapid.IntRange(8, 40)), 1, 6).Draw(t, "counts")
		people, shown := insight.Hide(counts)
		total, sum := 0, 0
		for _, n := range counts {
			total += n
		}
		told := map[string]bool{}
		for _, g := range shown {
			if told[g.Name] {
				t.Fatalf("%s is told twice", g.Name)
			}
			told[g.Name] = true
			sum += g.People
			if g.People < insight.Fewest || g.People%insight.Step != 0 || g.Name != insight.Others && (counts[g.Name] < g.People || counts[g.Name] >= g.People+insight.Step) {
				t.Fatalf("%+v is told of %v", g, counts)
			}
		}
		if people != total-total%insight.Step && total >= insight.Fewest || total < insight.Fewest && (people != 0 || len(shown) != 0) || sum > total || total >= insight.Fewest && sum+insight.Step*len(shown) <= total {
			t.Fatalf("of %d, %d are told, and %d in %+v", total, people, sum, shown)
		}
		for name, n := range counts {
			if n > 0 && n < insight.Fewest && !another(counts, name, fmt.Sprint(people, shown)) {
				t.Fatalf("that %s has %d is told by %d %+v of %v", name, n, people, shown, counts)
			}
		}
	})
}

// another finds a crowd in which a group has one more, or one less, and that looks the same:
// others may have some more or less, and there may be a small group of whom nobody is told.
// (Moving one other group was not enough: of 11, 11 and 9 both others have to, or else another
// of them is the smallest; and of 12, 11, 11 and 9 somebody hidden has to come.)
func another(counts map[string]int, name, looks string) bool {
	return like(counts, name, looks, 1, 0) || like(counts, name, looks, 3, insight.Fewest-1)
}

// like tries all crowds in which others differ by so many at most.
func like(counts map[string]int, name, looks string, most, hidden int) bool {
	c := maps.Clone(counts)
	var others []string
	for other := range counts {
		if other != name {
			others = append(others, other)
		}
	}
	var try func(left []string) bool
	try = func(left []string) bool {
		if len(left) == 0 {
			for c["hidden"] = 0; c["hidden"] <= hidden; c["hidden"]++ {
				if people, shown := insight.Hide(c); fmt.Sprint(people, shown) == looks {
					return true
				}
			}
			return false
		}
		for by := -most; by <= most; by++ {
			if c[left[0]] = counts[left[0]] + by; c[left[0]] >= 0 && try(left[1:]) {
				return true
			}
		}
		return false
	}
	for _, by := range []int{-1, 1} {
		if c[name] = counts[name] + by; c[name] >= 0 && try(others) {
			return true
		}
	}
	return false
}

func TestACrowdByAgeAndCountry(t *testing.T) {
	t.Parallel()
	var people []insight.Person
	add := func(n int, country string, born int) {
		for range n {
			people = append(people, insight.Person{Country: country, Born: born})
		}
	}
	add(21, "PT", 1996) // 30 in 2026
	add(12, "PT", 2008) // 18
	add(11, "ES", 1961) // 65
	add(3, "FR", 2009)  // 17: too few, and so the smallest group joins them
	add(4, "", 0)
	for year, want := range map[int]string{2026: "0-17", 2027: "18-24", 2033: "18-24", 2034: "25-34", 2074: "65+", 2200: insight.Unknown, 2008: insight.Unknown} {
		if got := insight.Band(2009, year); got != want {
			t.Errorf("in %d whoever is born in 2009 is %s, want %s", year, got, want)
		}
	}
	c := insight.CrowdOf(people, 30, 2026)
	want := insight.Crowd{People: 80, // 81
		Ages:      []insight.Group{{Name: "18-24", People: 10}, {Name: "25-34", People: 20}, {Name: insight.Others, People: 10}, {Name: insight.Unknown, People: 30}},
		Countries: []insight.Group{{Name: "PT", People: 30}, {Name: insight.Others, People: 10}, {Name: insight.Unknown, People: 30}}}
	if c.People != want.People || !slices.Equal(c.Ages, want.Ages) || !slices.Equal(c.Countries, want.Countries) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	if c := insight.CrowdOf(people[:9], 0, 2026); c.People != 0 || len(c.Ages)+len(c.Countries) != 0 {
		t.Errorf("of nine: %+v", c)
	}
}

// Whoever holds a ticket is counted once; guests by their addresses.
func TestWhoHoldsTicketsIsCountedOnce(t *testing.T) {
	t.Parallel()
	b := open(t)
	one, two := b.sale(), b.sale()
	b.sold(one, 1, "ada@example.org", "paid", "EUR")
	b.sold(one, 2, "Ada@example.org", "paid", "EUR")
	b.sold(two, 3, "ada@example.org", "paid", "EUR")
	b.sold(one, 4, "back@example.org", "canceled", "EUR")
	b.sold(one, 5, "", "paid", "EUR")
	b.sold(one, 6, "pending@example.org", "pending", "EUR")
	b.sold(one, 7, "account@example.org", "paid", "EUR")
	b.sold(two, 8, "account@example.org", "paid", "EUR")
	b.exec(`insert into people (id, email_mac, wrapped, sealed) values ('00000000-0000-7000-8000-0000000000f1', 'a', 'b', 'c')`)
	b.exec(`update buyers set person_id = '00000000-0000-7000-8000-0000000000f1' where email = 'account@example.org'`)
	shows := append(b.of(insight.Scope{Performance: one.ID}), b.of(insight.Scope{Performance: two.ID})...)
	accounts, guests, err := b.Holders(t.Context(), shows)
	if err != nil || guests != 1 || !slices.Equal(accounts, []string{"00000000-0000-7000-8000-0000000000f1"}) {
		t.Errorf("%v and %d, %v", accounts, guests, err)
	}
	rows := b.rows(b.CrowdFile(t.Context(), insight.Crowd{People: 25, Ages: []insight.Group{{Name: "65+", People: 25}}, Countries: []insight.Group{{Name: "PT", People: 15}, {Name: insight.Others, People: 10}}}))
	if got, want := fmt.Sprint(rows), "[map[by:all group: people:25] map[by:age group:65+ people:25] map[by:country group:PT people:15] map[by:country group:others people:10]]"; got != want {
		t.Errorf("the file is %s, want %s", got, want)
	}
}
