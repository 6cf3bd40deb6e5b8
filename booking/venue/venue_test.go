package venue_test

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/venue"
)

// The example of the documentation is read, and written as it stands there.
func TestTheExampleIsWrittenAsItWasRead(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/venue.json")
	if err != nil {
		t.Fatal(err)
	}
	m, err := venue.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.Text()
	if err != nil || string(again) != string(text) {
		t.Errorf("written again (%v):\n%s", err, again)
	}
}

// maps draws maps without faults: every name of one kind is another, and seats lie
// on a grid, here and there off it.
func maps(t *rapid.T) venue.Map {
	name := rapid.StringMatching(`[A-Za-z0-9äß&<"' ]{0,6}[A-Z]`)
	m := venue.Map{Format: venue.Format, Name: "N" + name.Draw(t, "venue"), Sections: []venue.Section{}, Areas: []venue.Area{}}
	for i := range rapid.IntRange(1, 4).Draw(t, "categories") {
		m.Categories = append(m.Categories, fmt.Sprintf("C%d", i))
	}
	category := rapid.SampledFrom(m.Categories)
	maybe := rapid.OneOf(rapid.Just(""), category)
	at, y := rapid.Float64Range(-0.3, 0.3), 0.0
	for i := range rapid.IntRange(0, 3).Draw(t, "sections") {
		s := venue.Section{Name: fmt.Sprintf("S-%d%s", i, strings.TrimSpace(name.Draw(t, "section"))), Category: category.Draw(t, "category")}
		for j := range rapid.IntRange(1, 4).Draw(t, "rows") {
			r := venue.Row{Name: fmt.Sprintf("R%d", j), Category: maybe.Draw(t, "row's"), Rank: rapid.IntRange(-3, 3).Draw(t, "rank")}
			y++
			for k := range rapid.IntRange(1, 8).Draw(t, "seats") {
				kind := rapid.IntRange(0, 9).Draw(t, "kind")
				r.Seats = append(r.Seats, venue.Seat{
					Name: fmt.Sprintf("%d", 2*k+1), X: float64(k) + at.Draw(t, "x"), Y: y + at.Draw(t, "y"), Category: rapid.OneOf(rapid.Just(""), maybe).Draw(t, "seat's"),
					Aisle: k > 0 && kind < 2, Accessible: kind == 3 || k == 0 && j == 0, Companion: kind == 4 && (k > 0 || j > 0), Restricted: kind == 5,
				})
			}
			s.Rows = append(s.Rows, r)
		}
		m.Sections = append(m.Sections, s)
	}
	used := map[string]bool{}
	for _, run := range m.Layout().Runs {
		used[m.Layout().Tiers[run.Tier].Category] = true
	}
	for i, c := range m.Categories { // what has no seats gets an area
		if !used[c] || rapid.Bool().Draw(t, "too") {
			m.Areas = append(m.Areas, venue.Area{Name: fmt.Sprintf("A%d", i), Category: c, Places: rapid.IntRange(1, 300).Draw(t, "places"), X: at.Draw(t, "x"), Width: 1})
		}
	}
	return m
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := maps(t)
		if err := m.Validate(); err != nil {
			t.Fatalf("%v\n%+v", err, m)
		}
		text, err := m.Text()
		if err != nil {
			t.Fatal(err)
		}
		read, err := venue.Read(strings.NewReader(string(text)))
		if err != nil || !reflect.DeepEqual(m, read) {
			t.Fatalf("%v: %+v is read as %+v from\n%s", err, m, read, text)
		}
	})
}

// seatNumber is where a seat is in the layout.
type seatNumber struct{ unit, run, tier int }

// Every unit is numbered once, tiers are runs of units without gaps that hold what
// they name, and two seats are in one run with numbers that follow each other exactly
// if they stand beside each other, no aisle between them and of one category.
func TestNeighborsHaveNumbersThatFollowEachOther(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := maps(t)
		l := m.Layout()
		if !reflect.DeepEqual(l, m.Layout()) {
			t.Fatal("the same map has other numbers")
		}
		next := 0
		for _, tier := range l.Tiers {
			if tier.First != next || tier.Count < 1 {
				t.Fatalf("tier %+v, want it to begin at %d", tier, next)
			}
			next += tier.Count
		}
		if next != l.Units {
			t.Fatalf("tiers have %d units of %d", next, l.Units)
		}
		numbers := map[string]seatNumber{}
		for i, run := range l.Runs {
			for j, seat := range run.Seats {
				tier := l.Tiers[run.Tier]
				if unit := run.First + j; unit < tier.First || unit >= tier.First+tier.Count || tier.General {
					t.Fatalf("unit %d of run %+v is not in tier %+v", unit, run, tier)
				}
				numbers[run.Section+"-"+run.Row+"-"+seat.Name] = seatNumber{run.First + j, i, run.Tier}
			}
		}
		seats := 0
		for _, s := range m.Sections {
			for _, r := range s.Rows {
				before, seen := seatNumber{}, map[int]bool{}
				for i, seat := range r.Seats {
					seats++
					n, ok := numbers[s.Name+"-"+r.Name+"-"+seat.Name]
					if !ok {
						t.Fatalf("seat %s of row %s has no number", seat.Name, r.Name)
					}
					if i > 0 {
						beside := !seat.Aisle && n.tier == before.tier
						if follows := n.run == before.run && n.unit == before.unit+1; follows != beside {
							t.Fatalf("seats %d and %d of row %+v: %+v and %+v", i-1, i, r, before, n)
						}
					}
					if i > 0 && n.run != before.run && seen[n.run] {
						t.Fatalf("run %d goes on after it was left", n.run)
					}
					before, seen[n.run] = n, true
				}
			}
		}
		if len(numbers) != seats {
			t.Fatalf("%d of %d seats have a number", len(numbers), seats)
		}
	})
}

const good = `{"format":"ropeline-venue/1","name":"Hall","categories":["A","B"],
"sections":[{"name":"Left","category":"A","rows":[
{"name":"1","seats":[{"name":"1","x":0,"y":0},{"name":"2","x":1,"y":0}]},
{"name":"2","seats":[{"name":"1","x":0,"y":1},{"name":"2","x":1,"y":1}]}]}],
"areas":[{"name":"Floor","category":"B","places":5,"x":0,"y":0,"width":1,"height":1}]}`

// Whatever is wrong is told with where it is.
func TestFaultsAreNamed(t *testing.T) {
	t.Parallel()
	if _, err := venue.Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	second := `section "Left", row "2"`
	for _, c := range []struct{ from, to, says string }{
		{good, ``, `it is no JSON: it ends too early`},
		{good, good + `{}`, `something follows its end`},
		{good, `[]`, `it must not be an array`},
		{`"x":1,"y":1}]}]`, `"x":1,"y":1]}]`, `line 4: it is no JSON: invalid character ']' after object key:value pair`},
		{`"y":1},{"name":"2"`, `"y":"1"},{"name":"2"`, second + `, seat "1": "y" must not be a string`},
		{`{"name":"2","x":1,"y":1}`, `7`, second + `, seat number 2: it must not be a number`},
		{`{"name":"2","x":1,"y":1}`, `null`, second + `, seat number 2: has no name`},
		{`"x":1,"y":1`, `"x":1,"y":1,"wheelchair":true`, second + `, seat "2": unknown field "wheelchair"`},
		{`{"name":"2","seats"`, `{"name":"2","rank":1.5,"seats"`, second + `: "rank" must not be the number 1.5`},
		{`{"name":"2","seats"`, `{"name":"2","rank":99999999,"seats"`, second + `: rank must lie between -1000000 and 1000000`},
		{`{"name":"2","seats"`, `{"seats"`, `section "Left", row number 2: has no name`},
		{`{"name":"2","seats"`, `{"name":"1","seats"`, `section "Left", row "1": there is another of this name`},
		{`{"name":"2","seats"`, `{"name":"2-3","seats"`, `section "Left", row "2-3": the name must not contain "-"`},
		{`{"name":"2","seats"`, `{"name":"2","category":"C","seats"`, second + `: category "C" is not among the categories`},
		{`{"name":"2","x":1,"y":1}`, `{"name":"1","x":1,"y":1}`, second + `, seat "1": there is another of this name`},
		{`{"name":"2","x":1,"y":1}`, `{"name":"2","x":1,"y":0}`, second + `, seat "2": lies where section "Left", row "1", seat "2" does`},
		{`{"name":"2","x":1,"y":1}`, `{"name":"2","x":1e5,"y":1}`, second + `, seat "2": x and y must lie between -10000 and 10000`},
		{`{"name":"2","x":1,"y":1}`, `{"name":"2","x":1e999,"y":1}`, second + `, seat "2": "x" must not be the number 1e999`},
		{`{"name":"2","x":1,"y":1}`, `{"name":"2","x":1,"y":1,"companion":true}`, second + `, seat "2": is for a companion, but its section has no accessible seat`},
		{`{"name":"2","x":1,"y":1}`, `{"name":"2","x":1,"y":1,"companion":true,"accessible":true}`, second + `, seat "2": is for a wheelchair or for a companion, not both`},
		{`"x":0,"y":1}`, `"x":0,"y":1,"aisle":true}`, second + `, seat "1": is the first of its row: no aisle can be before it`},
		{`{"name":"1","x":0,"y":1},{"name":"2","x":1,"y":1}`, ``, second + `: has no seats`},
		{`"name":"2","x":1,"y":1`, "\"name\":\"2\\u0000\",\"x\":1,\"y\":1", second + `, seat "2\x00": the name has a character that cannot be printed`},
		{`"name":"2","x":1,"y":1`, "\"name\":\"2\xff\",\"x\":1,\"y\":1", second + `, seat "2` + "\ufffd" + `": the name is not valid UTF-8`},
		{`"name":"2","x":1,"y":1`, `"name":" 2","x":1,"y":1`, second + `, seat " 2": the name begins or ends with a space`},
		{`"Hall"`, `"` + strings.Repeat("x", 61) + `"`, `the venue: the name has more than 60 characters`},
		{`ropeline-venue/1`, `ropeline-venue/2`, `format must be "ropeline-venue/1"`},
		{`["A","B"]`, `["A","B","A"]`, `category "A": is there twice`},
		{`["A","B"]`, `["A","B","C"]`, `category "C": no seat and no area has it`},
		{`["A","B"]`, `["B"]`, `section "Left": category "A" is not among the categories`},
		{`"Floor"`, `"Left"`, `area "Left": there is another of this name`},
		{`"Floor"`, `"A"`, `area "A": has the name of a category with seats: nobody could tell them apart`},
		{`"places":5`, `"places":0`, `area "Floor": places must lie between 1 and 4000000`},
		{`"places":5`, `"places":3999999`, `there are 4000003 units, want 1 to 4000000`},
		{`"width":1`, `"width":-1`, `area "Floor": x and y must lie between -10000 and 10000, width and height not below 0`},
	} {
		text := strings.Replace(good, c.from, c.to, 1)
		_, err := venue.Parse([]byte(text))
		faults, ok := errors.AsType[venue.Faults](err)
		if !ok || !errors.Is(err, venue.ErrInvalid) || faults[0].Detail != c.says {
			t.Errorf("%s for %s: it says\n%v\nwant\n%s", c.to, c.from, err, c.says)
			continue
		}
		if p, _ := ropeline.ProblemOf(err); !strings.Contains(p.Detail, c.says) {
			t.Errorf("whoever imports it is told %q", p.Detail)
		}
	}
}

// Whoever looks for what is wrong is led to it, by where it is in the document and by the
// line of the text.
func TestFaultsAreFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to, pointer string
		line              int
	}{
		{`{"name":"2","x":1,"y":1}`, `{"name":"1","x":1,"y":1}`, "/sections/0/rows/1/seats/1", 4},
		{`{"name":"2","x":1,"y":1}`, "\n\n{\"name\":\"1\",\"x\":1,\"y\":1}", "/sections/0/rows/1/seats/1", 6},
		{`{"name":"2","seats"`, `{"name":"1","seats"`, "/sections/0/rows/1", 4},
		{`"x":1,"y":1`, `"x":1,"y":1,"wheelchair":true`, "/sections/0/rows/1/seats/1", 4},
		{`"sections"`, `"SECTIONS"`, "", 0},
		{`{"name":"Floor"`, `{"name":"A"`, "/areas/0", 5},
		{`["A","B"]`, "[\"A\",\n\"B\",\n\"C\"]", "/categories/2", 3},
		{`"x":1,"y":1}]}]`, `"x":1,"y":1]}]`, "", 4},
		{`"Hall"`, `""`, "", 0},
		{good, good[:len(good)-2], "", 5},
	} {
		_, err := venue.Parse([]byte(strings.Replace(good, c.from, c.to, 1)))
		p, _ := ropeline.ProblemOf(err)
		if c.to == `"SECTIONS"` { // encoding/json takes it
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if len(p.Errors) != 1 || p.Errors[0].Pointer != c.pointer || p.Errors[0].Line != c.line {
			t.Errorf("%s for %s: it is at %+v (%v), want %s in line %d", c.to, c.from, p.Errors, err, c.pointer, c.line)
		}
	}
	upper := strings.Replace(strings.ToUpper(good), `ROPELINE-VENUE`, `ropeline-venue`, 1)
	_, err := venue.Parse([]byte(strings.Replace(upper, `"X":0,"Y":1`, `"X":0,"Y":0`, 1)))
	if p, _ := ropeline.ProblemOf(err); len(p.Errors) != 1 || p.Errors[0].Line != 4 {
		t.Errorf("of capital names: %+v", p)
	}
}

// Of a map that is wrong everywhere only the first faults are told, and bounds hold
// before much is looked at.
func TestThereAreBounds(t *testing.T) {
	t.Parallel()
	row := venue.Row{Name: "1"}
	for i := range venue.MaxRuns + 1 {
		row.Seats = append(row.Seats, venue.Seat{Name: fmt.Sprint(i), X: float64(i), Aisle: i > 0})
	}
	m := venue.Map{Format: venue.Format, Name: "Hall", Categories: []string{"A"}, Sections: []venue.Section{{Name: "S", Category: "A", Rows: []venue.Row{row}}}}
	says := func(want string) {
		t.Helper()
		faults, _ := errors.AsType[venue.Faults](m.Validate())
		if len(faults) == 0 || faults[0].Detail != want {
			t.Errorf("it says %v, want %s", faults, want)
		}
	}
	says(`category "A": its seats are in 5001 runs of neighbors, at most 5000 may be`)
	for i := range row.Seats {
		row.Seats[i].X = 1
	}
	faults, _ := errors.AsType[venue.Faults](m.Validate())
	if len(faults) != 21 || faults[20].Detail != "and perhaps more" {
		t.Errorf("5,000 seats at one point are %d faults", len(faults))
	}
	m.Sections = make([]venue.Section, venue.MaxSections+1)
	says("there are 2001 sections, at most 2000 may be")
	if _, err := venue.Read(strings.NewReader(strings.Repeat(" ", venue.MaxBytes+1))); !errors.Is(err, venue.ErrInvalid) {
		t.Errorf("33 MB: %v", err)
	}
}

// Whatever comes as a map is refused or can be used: it is written as it is read,
// its numbers cover its units, and no two of them read the same.
func FuzzParse(f *testing.F) {
	example, err := os.ReadFile("../../docs/venue.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{string(example), good, `{}`, `null`, `{"sections":[null]}`, strings.ReplaceAll(good, `"y":1`, `"y":-0.0`), strings.ToUpper(good)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := venue.Parse([]byte(text))
		if err != nil {
			faults, ok := errors.AsType[venue.Faults](err)
			if !ok || !errors.Is(err, venue.ErrInvalid) {
				t.Fatalf("it is refused with %v", err)
			}
			for _, fault := range faults { // of what is in a list it is known in which line
				if fault.Line < 0 || fault.Line > 1+strings.Count(text, "\n") || fault.Pointer != "" && fault.Line == 0 {
					t.Fatalf("%+v of\n%s", fault, text)
				}
			}
			return
		}
		once, err := m.Text()
		if err != nil {
			t.Fatal(err)
		}
		m, err = venue.Parse(once)
		if err != nil {
			t.Fatalf("%v of what was written:\n%s", err, once)
		}
		if twice, err := m.Text(); err != nil || string(twice) != string(once) {
			t.Fatalf("%v: written again it is\n%s\nafter\n%s", err, twice, once)
		}
		l := m.Layout()
		next := 0
		for _, tier := range l.Tiers {
			if tier.First != next || tier.Count < 1 {
				t.Fatalf("tier %+v", tier)
			}
			next += tier.Count
		}
		if next != l.Units || l.Units < 1 || l.Units > venue.MaxUnits {
			t.Fatalf("%d units, tiers cover %d", l.Units, next)
		}
		labels := map[string]bool{}
		for _, run := range l.Runs {
			for _, seat := range run.Seats {
				label := run.Section + "-" + run.Row + "-" + seat.Name
				if labels[label] {
					t.Fatalf("two units are called %s", label)
				}
				labels[label] = true
			}
		}
		for _, tier := range l.Tiers {
			for i := range min(tier.Count, 1000) {
				label := fmt.Sprintf("%s-%d", tier.Name, i+1)
				if tier.General && labels[label] {
					t.Fatalf("two units are called %s", label)
				}
				labels[label] = labels[label] || tier.General
			}
		}
	})
}
