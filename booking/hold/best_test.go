package hold_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// What best available takes of a house, drawn a row a line, the best first: a dot
// is free, x is taken, r is free with a restricted view, and w a free place for a
// wheelchair.
func TestBestAvailableLeavesNobodyAlone(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	for _, c := range []struct {
		house []string
		n     int
		want  []int // nil: sold out
	}{
		{[]string{".....", "....."}, 2, []int{0, 1}},
		{[]string{"x..x", "...."}, 2, []int{1, 2}},    // fits
		{[]string{"x...x", "......"}, 2, []int{5, 6}}, // three for two would leave one
		{[]string{"x...x", "xx...x"}, 2, []int{1, 2}}, // all would: the best of them, for it is better than nothing
		{[]string{"x..x", "x.x.x"}, 1, []int{5}},      // a single seat fills a gap of one
		{[]string{"..x...", "xxxxxx"}, 1, []int{3}},   // of three it takes one end
		{[]string{"x...x", "......"}, 3, []int{1, 2, 3}},
		{[]string{"...", "...."}, 4, []int{3, 4, 5, 6}}, // never from one row into the next
		{[]string{"..x..", "x..x."}, 3, nil},
		{[]string{"...r", "xxxx"}, 2, []int{0, 1}},     // the third has the restricted one beside it
		{[]string{"r...", "....."}, 3, []int{4, 5, 6}}, // the restricted one would be alone, and two are not
		{[]string{"r...x", "xxxxx"}, 2, []int{2, 3}},   // at the other end two stay together
		{[]string{"r....x", "xxxxx"}, 2, []int{3, 4}},  // in the middle one would be alone at either end
		{[]string{"x...x", "rrrr"}, 2, []int{1, 2}},    // somebody alone before a restricted view
		{[]string{"rrrr", "xx.x"}, 1, []int{6}},        // a full view first
		{[]string{"rrrr", "x.x."}, 2, []int{0, 1}},     // neighbors at all before a full view
		{[]string{"w.w.", "w..."}, 1, []int{1}},        // nobody is given a wheelchair's place
		{[]string{"wwww"}, 1, nil},
		{[]string{"w...w", "..xx"}, 2, []int{5, 6}}, // the one beside a wheelchair's place would be alone
	} {
		t.Run(fmt.Sprint(c.house, c.n), func(t *testing.T) {
			id, m, sold := ropeline.PerformanceID(uuid.NewString()), catalogue.Map{}, []int{}
			for _, line := range c.house {
				row := catalogue.Row{Tier: "t", First: m.Units, Count: len(line)}
				for i, seat := range line {
					switch seat {
					case 'x':
						sold = append(sold, m.Units+i)
					case 'r':
						row.Restricted = append(row.Restricted, i)
					case 'w':
						row.Accessible = append(row.Accessible, i)
					}
				}
				m.Rows, m.Units = append(m.Rows, row), m.Units+row.Count
			}
			if _, err := inventory.New(rdb).Rebuild(t.Context(), id, recorded{Units: m.Units, Sold: sold}); err != nil {
				t.Fatal(err)
			}
			h, err := hold.New(rdb).Claim(t.Context(), request(id, "fan", life), hold.Beside(c.n, m.BestRows("t")))
			if c.want == nil && !errors.Is(err, hold.ErrSoldOut) || c.want != nil && (err != nil || !slices.Equal(h.Units, c.want)) {
				t.Errorf("held %v, %v; want %v", h.Units, err, c.want)
			}
		})
	}
}
