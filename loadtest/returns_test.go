package loadtest

import (
	"slices"
	"testing"
)

func TestUnitsAreDueWhenTheirLastHoldMustHaveEnded(t *testing.T) {
	t.Parallel()
	hold := Hold{ID: "h", Units: []int{0}, Granted: sec(1), Expires: sec(6), Fate: Dropped}
	ordered, released := hold, hold
	ordered.Fate = Ordered
	released.Fate, released.Released = Released, sec(3)
	later := Hold{ID: "later", Units: []int{0}, Granted: sec(20), Expires: sec(25), Fate: Dropped}
	attempt := func(o Outcome) []Attempt { return []Attempt{{Hold: "h", Outcome: o, Last: sec(5)}} }
	for _, c := range []struct {
		name string
		fans []History
		over Moment
		want Moment
	}{
		{"nobody held it", nil, sec(4), sec(4)},
		{"left to expire", []History{{Holds: []Hold{hold}}}, 0, sec(6)},
		{"held again by somebody whose answer was lost", []History{{Holds: []Hold{hold}}}, sec(40), sec(40)},
		{"given back", []History{{Holds: []Hold{released}}}, 0, sec(3)},
		{"given back after a payment failed", []History{{Holds: []Hold{released}, Attempts: attempt(Refused)}}, 0, sec(3)},
		{"its payment failed", []History{{Holds: []Hold{ordered}, Attempts: attempt(Refused)}}, sec(40), sec(5) + paymentGrace},
		{"nobody knows of its payment", []History{{Holds: []Hold{ordered}, Attempts: attempt(Unknown)}}, 0, sec(5) + settling + paymentGrace},
		{"another hold's payment failed", []History{{Holds: []Hold{hold}, Attempts: []Attempt{{Hold: "x", Outcome: Refused, Last: sec(5)}}}}, 0, sec(6)},
		{"held again later", []History{{Holds: []Hold{later}}, {Holds: []Hold{ordered}, Attempts: attempt(Refused)}}, 0, sec(25)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := returns(2, c.fans, c.over); !slices.Equal(got, []Moment{c.want + noticing, c.over + noticing}) {
				t.Errorf("due at %v, want unit 0 at %v", got, c.want+noticing)
			}
		})
	}
}
