package loadtest

import (
	"slices"
	"testing"

	"github.com/ropeline/ropeline"
)

// friends are two who share a place, with an offer and a session for both. As
// with waitsLong, they say nothing of the order of the others.
func friends() []History {
	first := History{Fan: 7, Late: true, Party: 8, Size: 2, Join: call(0, 7.1, 201), Offer: -2, OfferedAt: sec(430), ClaimBy: sec(434),
		Sessions: []Session{{ID: "s7", First: sec(431), Expires: sec(437), End: call(433, 433.1, 202)}}}
	guest := first
	guest.Fan, guest.Guest, guest.Join = 8, true, call(8, 8.1, 201)
	guest.Sessions = []Session{{ID: "s7", First: sec(432), Expires: sec(437), End: call(434, 434.1, 204)}}
	return []History{first, guest}
}

// third has a turn at that moment, beside the two friends.
func third(at float64) History {
	return History{Fan: 9, Late: true, Join: call(9, 9.1, 201), Offer: 8, OfferedAt: sec(at), ClaimBy: sec(at + 4),
		Sessions: []Session{{ID: "s9", First: sec(at), Expires: sec(at + 6)}}}
}

func TestFriendsAreJudgedAsOnePlaceOfSeveral(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Evidence)
		broken []string
	}{
		{"they have one number, and no other place has it", func(*Evidence) {}, nil},
		{"a stranger has their number", func(e *Evidence) { s := third(440); s.Offer, s.Beside = -2, true; e.Fans = append(e.Fans, s) }, []string{InvNumbers}},
		{"they got two offers", func(e *Evidence) { e.fan(8).Offer = 8 }, []string{InvParty}},
		{"they got two sessions", func(e *Evidence) { e.fan(8).Sessions[0].ID = "s8" }, []string{InvParty}},
		{"they were counted as one", func(e *Evidence) { e.fan(8).Size = 1 }, []string{InvParty}},
		{"they were counted as three", func(e *Evidence) { e.fan(7).Size = 3 }, []string{InvParty}},
		{"one who had just come need not be told of", func(e *Evidence) {
			e.fan(8).Join = call(429, 429.5, 201)
			e.fan(7).Size = 1
		}, nil},
		{"one who left is not counted", func(e *Evidence) {
			g := e.fan(8)
			*g = History{Fan: 8, Late: true, Party: 8, Guest: true, Join: g.Join, Leave: call(9, 9.1, 204), AfterLeaving: []ropeline.PlaceState{ropeline.PlaceLeft}}
			e.fan(7).Size = 1
		}, nil},
		{"one who left may be told what became of the others", func(e *Evidence) {
			g := e.fan(8)
			*g = History{Fan: 8, Late: true, Party: 8, Guest: true, Join: g.Join, Leave: call(9, 9.1, 204), AfterLeaving: []ropeline.PlaceState{ropeline.PlaceDone}}
			e.fan(7).Size = 1
		}, nil},
		{"each of them takes a slot", func(e *Evidence) { e.Fans = append(e.Fans, third(433.5)) }, []string{InvCap, InvCapOffered}},
		{"who goes first keeps the slot until the token expires", func(e *Evidence) {
			e.fan(8).Sessions[0].End = Call{}
			e.Fans = append(e.Fans, third(436.9))
		}, []string{InvCap, InvCapOffered}},
		{"the last one who goes ends it for all", func(e *Evidence) { e.Fans = append(e.Fans, third(434.2)) }, nil},
		{"a place is one ahead, however many share it", func(e *Evidence) {
			s := third(440)
			e.fan(7).Offer, e.fan(8).Offer = 7, 7
			s.Shown = []Shown{{sec(400), 1, 6, "e"}}
			e.Fans = append(e.Fans, s)
		}, nil},
		{"who joined friends stands where they do", func(e *Evidence) {
			s := third(440)
			s.Join, e.fan(8).Join = call(8, 8.1, 201), call(9, 9.1, 201)
			e.Fans = append(e.Fans, s)
		}, nil},
		{"who stepped aside was shown a place that others went before", func(e *Evidence) {
			e.fan(7).Shown, e.fan(7).Beside, e.fan(8).Beside = []Shown{{sec(6), 0, 0, "e"}}, true, true
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := goodRun()
			c.change(&e)
			var broken []string
			for _, v := range Judge(e, everything()) {
				if v.State == Broken {
					broken = append(broken, v.Name)
				}
			}
			slices.Sort(c.broken)
			slices.Sort(broken)
			if !slices.Equal(broken, c.broken) {
				t.Errorf("broken: %v, want %v", broken, c.broken)
			}
		})
	}
}

func TestFriendsComeTogether(t *testing.T) {
	t.Parallel()
	m := Mix{Parties: 2}
	sizes := map[int]int{}
	for n := range 1000 {
		first, any := m.friends(n)
		if !any {
			continue
		}
		if first > n || n-first >= partyMost {
			t.Fatalf("fan %d comes with fan %d", n, first)
		}
		if of, any := m.friends(first); !any || of != first {
			t.Fatalf("fan %d comes with fan %d, who does not take a place", n, first)
		}
		sizes[first]++
	}
	kinds := map[int]int{}
	for _, size := range sizes {
		kinds[size]++
	}
	if len(kinds) != 3 || kinds[2] != 20 || kinds[3] != 20 || kinds[5] != 20 {
		t.Errorf("parties by size: %v, want 20 of two, three and five each", kinds)
	}
	for n := range 100 {
		if _, any := rough.friends(n); any {
			t.Fatalf("fan %d of a mix without parties has friends", n)
		}
	}
}
