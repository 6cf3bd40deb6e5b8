package venue

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ropeline/ropeline"
)

// What a map may have at most.
const (
	MaxName       = 60 // characters
	MaxCategories = 100
	MaxSections   = 2_000
	MaxRows       = 20_000
	MaxSeats      = 200_000
	MaxAreas      = 500
	MaxUnits      = 4_000_000 // bitmaps of 500 KB; more belong in several performances
	MaxRank       = 1_000_000
	MaxDistance   = 10_000 // of a seat from the origin, in seat widths
	// MaxRuns is how many runs of neighbors a category has at most: the hold of the
	// best ones looks at all of them, 700 in 2.4 ms.
	MaxRuns = 5_000
)

// Faults says what is wrong with a map, each fault with where it is.
type Faults []ropeline.Fault

// maxFaults is how many faults are told at once.
const maxFaults = 20

// Error joins the faults.
func (f Faults) Error() string { return f.join("\n") }

func (f Faults) join(by string) string {
	texts := make([]string, len(f))
	for i := range f {
		texts[i] = f[i].Detail
	}
	return strings.Join(texts, by)
}

func (f Faults) refuse() error {
	e := ErrInvalid.Because(f)
	e.Detail, e.Faults = "The seat map has faults. "+f.join("; ")+".", f
	return e
}

// spot is a member of a list of the map: a section, a row of it, a seat of that. It is
// put into words only if something is wrong there.
type spot struct {
	in   *spot // nil: the map
	kind string
	name string
	i    int
}

func (s *spot) words() string {
	if s.in == nil {
		return which(s.kind, s.name, s.i)
	}
	return s.in.words() + ", " + which(s.kind, s.name, s.i)
}

func (s *spot) pointer() string {
	if s == nil {
		return ""
	}
	return s.in.pointer() + member(s.kind, s.i)
}

// checker gathers what is wrong.
type checker struct {
	faults     Faults
	categories map[string]bool      // which there are, and whether they are used
	taken      map[[2]float64]*spot // by which seat
	seats      int
}

func (c *checker) bad(where *spot, format string, args ...any) {
	fault := ropeline.Fault{Detail: fmt.Sprintf(format, args...), Pointer: where.pointer()}
	if where != nil {
		fault.Detail = where.words() + ": " + fault.Detail
	}
	c.faults = append(c.faults, fault)
}

// full reports whether enough is wrong to stop.
func (c *checker) full() bool { return len(c.faults) >= maxFaults }

// Validate names what is wrong with a map: the first 20 faults.
func (m Map) Validate() error {
	if faults := m.faults(); len(faults) > 0 {
		return faults.refuse()
	}
	return nil
}

func (m Map) faults() Faults {
	c := &checker{categories: map[string]bool{}, taken: map[[2]float64]*spot{}}
	if m.Format != Format {
		c.bad(nil, "format must be %q", Format)
	}
	if fault := nameFault(m.Name, ""); fault != "" {
		c.bad(nil, "the venue: %s", fault)
	}
	c.head(m)
	c.sections(m.Sections)
	c.areas(m)
	for i, name := range m.Categories {
		if used, ok := c.categories[name]; ok && !used {
			c.bad(&spot{nil, "category", name, i}, "no seat and no area has it")
		}
	}
	if len(c.faults) == 0 {
		c.sums(m)
	}
	if c.full() {
		c.faults = append(c.faults[:maxFaults], ropeline.Fault{Detail: "and perhaps more"})
	}
	return c.faults
}

// head looks at the categories, and at how much there is.
func (c *checker) head(m Map) {
	if n := len(m.Categories); n < 1 || n > MaxCategories {
		c.bad(nil, "categories: there are %d, want 1 to %d", n, MaxCategories)
	}
	for i, name := range m.Categories {
		where := &spot{nil, "category", name, i}
		if _, twice := c.categories[name]; twice {
			c.bad(where, "is there twice")
		}
		c.name(where, name, "")
		c.categories[name] = false
	}
	rows := 0
	for _, s := range m.Sections {
		rows += len(s.Rows)
		for _, r := range s.Rows {
			c.seats += len(r.Seats)
		}
	}
	for _, most := range []struct {
		what     string
		n, bound int
	}{{"sections", len(m.Sections), MaxSections}, {"rows", rows, MaxRows}, {"seats", c.seats, MaxSeats}, {"areas", len(m.Areas), MaxAreas}} {
		if most.n > most.bound {
			c.bad(nil, "there are %d %s, at most %d may be", most.n, most.what, most.bound)
		}
	}
}

func (c *checker) sections(sections []Section) {
	names := map[string]bool{}
	for i, s := range sections {
		where := &spot{nil, "section", s.Name, i}
		c.once(names, where, s.Name, "")
		c.category(where, s.Category, len(s.Rows) > 0 && !coversAll(s))
		if len(s.Rows) == 0 {
			c.bad(where, "has no rows")
		}
		accessible := slices.ContainsFunc(s.Rows, func(r Row) bool {
			return slices.ContainsFunc(r.Seats, func(seat Seat) bool { return seat.Accessible })
		})
		rows := map[string]bool{}
		for i, r := range s.Rows {
			if c.full() {
				return
			}
			c.row(where, s, r, i, rows, accessible)
		}
	}
}

// coversAll reports whether every seat of a section has a category from elsewhere,
// so that the section's own is not used.
func coversAll(s Section) bool {
	return !slices.ContainsFunc(s.Rows, func(r Row) bool {
		return r.Category == "" && slices.ContainsFunc(r.Seats, func(seat Seat) bool { return seat.Category == "" })
	})
}

func (c *checker) row(section *spot, s Section, r Row, i int, rows map[string]bool, accessible bool) {
	where := &spot{section, "row", r.Name, i}
	c.once(rows, where, r.Name, "-")
	if r.Category != "" {
		c.category(where, r.Category, slices.ContainsFunc(r.Seats, func(seat Seat) bool { return seat.Category == "" }))
	}
	if r.Rank < -MaxRank || r.Rank > MaxRank {
		c.bad(where, "rank must lie between %d and %d", -MaxRank, MaxRank)
	}
	if len(r.Seats) == 0 {
		c.bad(where, "has no seats")
	}
	seats := make(map[string]bool, len(r.Seats))
	for i, seat := range r.Seats {
		if c.full() {
			return
		}
		where := &spot{where, "seat", seat.Name, i}
		c.once(seats, where, seat.Name, "-")
		if seat.Category != "" {
			c.category(where, seat.Category, true)
		}
		switch {
		case seat.Aisle && i == 0:
			c.bad(where, "is the first of its row: no aisle can be before it")
		case seat.Accessible && seat.Companion:
			c.bad(where, "is for a wheelchair or for a companion, not both")
		case seat.Companion && !accessible:
			c.bad(where, "is for a companion, but its section has no accessible seat")
		}
		c.place(where, seat)
	}
}

// place looks where a seat is: no two are at one point.
func (c *checker) place(where *spot, seat Seat) {
	if !near(seat.X) || !near(seat.Y) {
		c.bad(where, "x and y must lie between %d and %d", -MaxDistance, MaxDistance)
		return
	}
	at := [2]float64{seat.X, seat.Y}
	if other, ok := c.taken[at]; ok {
		c.bad(where, "lies where %s does", other.words())
		return
	}
	c.taken[at] = where
}

func (c *checker) areas(m Map) {
	names, seated := map[string]bool{}, m.runs()
	for _, s := range m.Sections {
		names[s.Name] = true
	}
	for i, a := range m.Areas {
		if c.full() {
			return
		}
		where := &spot{nil, "area", a.Name, i}
		c.once(names, where, a.Name, "-")
		c.category(where, a.Category, true)
		if len(seated[a.Name]) > 0 {
			c.bad(where, "has the name of a category with seats: nobody could tell them apart")
		}
		if a.Places < 1 || a.Places > MaxUnits {
			c.bad(where, "places must lie between 1 and %d", MaxUnits)
		}
		if !near(a.X) || !near(a.Y) || !near(a.Width) || !near(a.Height) || a.Width < 0 || a.Height < 0 {
			c.bad(where, "x and y must lie between %d and %d, width and height not below 0", -MaxDistance, MaxDistance)
		}
	}
}

// sums looks at what only a whole map shows.
func (c *checker) sums(m Map) {
	units := c.seats
	for _, a := range m.Areas {
		units += a.Places
	}
	if units < 1 || units > MaxUnits {
		c.bad(nil, "there are %d units, want 1 to %d", units, MaxUnits)
	}
	for category, runs := range m.runs() {
		if len(runs) > MaxRuns {
			c.bad(&spot{nil, "category", category, slices.Index(m.Categories, category)}, "its seats are in %d runs of neighbors, at most %d may be", len(runs), MaxRuns)
		}
	}
}

func near(x float64) bool { return math.Abs(x) <= MaxDistance } // NaN is not

// category looks one up and remembers whether it is used.
func (c *checker) category(where *spot, name string, used bool) {
	before, ok := c.categories[name]
	if !ok {
		c.bad(where, "category %q is not among the categories", name)
		return
	}
	c.categories[name] = before || used
}

// once looks at a name that nothing else there may have.
func (c *checker) once(names map[string]bool, where *spot, name, without string) {
	if names[name] && name != "" {
		c.bad(where, "there is another of this name")
	}
	names[name] = true
	c.name(where, name, without)
}

func (c *checker) name(where *spot, name, without string) {
	if fault := nameFault(name, without); fault != "" {
		c.bad(where, "%s", fault)
	}
}

// nameFault says what is wrong with a name. What is printed on a ticket is
// section-row-seat or area-number: hyphens are for sections, so that no two units read
// the same.
func nameFault(name, without string) string {
	switch {
	case name == "":
		return "has no name"
	case !utf8.ValidString(name) || strings.ContainsRune(name, utf8.RuneError):
		return "the name is not valid UTF-8"
	case utf8.RuneCountInString(name) > MaxName:
		return fmt.Sprintf("the name has more than %d characters", MaxName)
	case strings.TrimSpace(name) != name:
		return "the name begins or ends with a space"
	case strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0:
		return "the name has a character that cannot be printed"
	case without != "" && strings.Contains(name, without):
		return fmt.Sprintf("the name must not contain %q", without)
	}
	return ""
}
