package door_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/door"
)

// passage is a scan that moved a ticket in its zone, and is not undone.
type passage struct {
	id  string
	out bool
}

// model is what the doors should know: the passages of each ticket in each zone, the last of
// which says where its holder is.
type model map[[2]string][]passage

func (m model) inside(of [2]string) (was, inside bool) {
	all := m[of]
	return len(all) > 0, len(all) > 0 && !all[len(all)-1].out
}

// want is what a scan should be told.
func (m model) want(of [2]string, out bool) door.Reason {
	switch was, inside := m.inside(of); {
	case out && !inside:
		return door.NotInside
	case !out && was && inside:
		return door.Used
	}
	return ""
}

// Whatever is scanned, sent again, taken back, and at whichever door: nobody is in a zone twice,
// and the house's counts are those of the model.
func TestDoorsAreAsTheModel(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.puts(door.Settings{Printed: true, Reentry: true, Doors: []door.Door{{Name: "North"}, {Name: "South"}, {Name: "Lounge", Zone: "Lounge"}}})
	zones := map[string]string{"North": "", "South": "", "Lounge": "Lounge"}
	unit := 0
	rapid.Check(t, func(r *rapid.T) {
		var tickets []sold
		for range 3 {
			tickets = append(tickets, h.sell(h.show, unit, ""))
			unit++
		}
		m := model{}
		var made []door.Scan
		told := map[string]door.Reason{}
		act := func(s door.Scan) door.Reason {
			a, err := h.Scan(t.Context(), s)
			if err != nil {
				r.Fatal(err)
			}
			if a.Passed != (a.Reason == "") {
				r.Fatalf("%+v", a)
			}
			return a.Reason
		}
		of := map[string]string{} // the ticket of a scan
		drawn := func(r *rapid.T) door.Scan {
			ticket := rapid.SampledFrom(tickets).Draw(r, "ticket")
			s := scan(h, ticket.printed)
			if rapid.Bool().Draw(r, "phone") {
				s.Code = h.phone(ticket, 1, 0)
			}
			s.Door = rapid.SampledFrom([]string{"North", "South", "Lounge"}).Draw(r, "door")
			s.Out = rapid.Bool().Draw(r, "out")
			of[s.ID] = ticket.id
			return s
		}
		// foresee is what a scan should be told, by all before it.
		foresee := func(s door.Scan) door.Reason {
			if reason, is := told[s.ID]; is {
				return reason
			}
			in := [2]string{of[s.ID], zones[s.Door]}
			want := m.want(in, s.Out)
			made, told[s.ID] = append(made, s), want
			if want == "" {
				m[in] = append(m[in], passage{s.ID, s.Out})
			}
			return want
		}
		r.Repeat(map[string]func(*rapid.T){
			"scan": func(r *rapid.T) {
				s := drawn(r)
				want := foresee(s)
				if got := act(s); got != want {
					r.Fatalf("out %v at %s is told %q, want %q", s.Out, s.Door, got, want)
				}
			},
			"together": func(r *rapid.T) { // each of a ticket sees what the one before it has done
				var group []door.Scan
				for range rapid.IntRange(2, 8).Draw(r, "scans") {
					s := drawn(r)
					if len(made) > 0 && rapid.IntRange(0, 5).Draw(r, "again") == 0 {
						s = rapid.SampledFrom(made).Draw(r, "scan")
					}
					group = append(group, s)
				}
				var want []door.Reason
				for _, s := range group {
					want = append(want, foresee(s))
				}
				all, err := h.ScanTogether(t.Context(), group)
				if err != nil {
					r.Fatal(err)
				}
				for i, a := range all {
					if a.Scan != group[i].ID || a.Reason != want[i] || a.Passed != (want[i] == "") {
						r.Fatalf("of %d scans %d is told %+v, want %q", len(group), i, a, want[i])
					}
				}
			},
			"again": func(r *rapid.T) {
				if len(made) == 0 {
					r.Skip("nothing was scanned")
				}
				s := rapid.SampledFrom(made).Draw(r, "scan")
				if got := act(s); got != told[s.ID] {
					r.Fatalf("sent again it is told %q, not %q", got, told[s.ID])
				}
			},
			"undo": func(r *rapid.T) {
				if len(made) == 0 {
					r.Skip("nothing was scanned")
				}
				s := rapid.SampledFrom(made).Draw(r, "scan")
				err := h.Undo(t.Context(), h.show.ID, s.ID, audit.Change{Who: "staff:sue", Reason: "a test"})
				for of, all := range m {
					if n := len(all); n > 0 && all[n-1].id == s.ID {
						if err != nil {
							r.Fatalf("the last passage is not undone: %v", err)
						}
						m[of], told[s.ID] = all[:n-1], door.Undone
						return
					}
				}
				if err == nil && told[s.ID] != door.Undone {
					r.Fatal("a scan that opened nothing is undone")
				}
			},
			"": func(r *rapid.T) {
				for _, of := range tickets {
					found, err := h.Find(t.Context(), h.show.ID, of.id)
					if err != nil || len(found) != 1 {
						r.Fatal(found, err)
					}
					for _, zone := range []string{"", "Lounge"} {
						var inside bool
						err := h.db.QueryRow(t.Context(), `select coalesce(bool_or(inside), false) from door_entries where ticket_id = $1 and zone = $2`, of.id, zone).Scan(&inside)
						if _, want := m.inside([2]string{of.id, zone}); err != nil || inside != want {
							r.Fatalf("in %q: %v, %v; want %v", zone, inside, err, want)
						}
					}
				}
			},
		})
	})
}
