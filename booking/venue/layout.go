package venue

// Layout numbers the units of a map: 0 … Units-1, tier after tier.
type Layout struct {
	Tiers []Tier
	Runs  []Run // by first unit
	Units int
}

// Tier is a run of units that cost the same: all seats of a category, or the
// places of one area.
type Tier struct {
	Name     string
	Category string
	General  bool
	First    int
	Count    int
}

// Run is a run of seats in which those beside each other are neighbors.
type Run struct {
	Section, Row string
	Tier         int // in Tiers
	Rank         int
	First        int
	Seats        []Seat
}

// Layout numbers the units. Categories come in their order, each with its seats,
// section by section and row by row, and then its areas.
func (m Map) Layout() Layout {
	var l Layout
	runs := m.runs()
	for _, category := range m.Categories {
		if own := runs[category]; len(own) > 0 {
			tier := Tier{Name: category, Category: category, First: l.Units}
			for _, r := range own {
				r.Tier, r.First = len(l.Tiers), l.Units
				l.Runs = append(l.Runs, r)
				l.Units += len(r.Seats)
			}
			tier.Count = l.Units - tier.First
			l.Tiers = append(l.Tiers, tier)
		}
		for _, a := range m.Areas {
			if a.Category == category {
				l.Tiers = append(l.Tiers, Tier{Name: a.Name, Category: category, General: true, First: l.Units, Count: a.Places})
				l.Units += a.Places
			}
		}
	}
	return l
}

// runs are the runs of each category, in the order of the map.
func (m Map) runs() map[string][]Run {
	runs := map[string][]Run{}
	for _, s := range m.Sections {
		for _, r := range s.Rows {
			begin := 0
			for i := range r.Seats {
				category := categoryOf(s, r, r.Seats[i])
				if end := i + 1; end == len(r.Seats) || r.Seats[end].Aisle || categoryOf(s, r, r.Seats[end]) != category {
					runs[category] = append(runs[category], Run{Section: s.Name, Row: r.Name, Rank: r.Rank, Seats: r.Seats[begin:end]})
					begin = end
				}
			}
		}
	}
	return runs
}

// categoryOf is what the seat says, else its row, else its section.
func categoryOf(s Section, r Row, seat Seat) string {
	switch {
	case seat.Category != "":
		return seat.Category
	case r.Category != "":
		return r.Category
	}
	return s.Category
}
