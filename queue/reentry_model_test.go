package queue

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
)

// The part of the model that knows re-entry passes.

// reentry is what the model knows of a place's passes.
type reentry struct {
	had    int    // passes, ever
	how    string // what came of the last: open, used, void; bought after a loss
	of     string // its session
	bought bool   // the place has bought something
}

// kept is what the store keeps of them.
func (r reentry) kept() Pass {
	how := r.how
	switch {
	case r.had == 0:
		return ""
	case how == "open" && r.bought:
		how = "bought"
	}
	return Pass(fmt.Sprintf("%d %s %s", r.had, how, r.of))
}

func (r *reentry) void() {
	if r.how == "open" {
		r.how = "void"
	}
}

// forget is what a loss of everything does to them.
func (r *reentry) forget(remembered bool) {
	switch {
	case !remembered:
		*r = reentry{}
	case r.how == "open" && r.bought:
		r.how = "bought"
	}
	r.bought = false
}

func (m *model) grant(f *fan, decided bool) error {
	p := &f.reentry
	again := decided && p.how == "void" && p.of == f.sid
	switch {
	case f.exp == 0:
		return ErrSessionUnknown
	case m.ms() >= m.sale.EndsAt.UnixMilli() || f.ended && !decided:
		return ErrPassOver
	case again:
		p.how = "open"
		return nil
	case p.had > 0 && p.of == f.sid, p.how == "open":
		return ErrPassHad
	case p.had == 2:
		return ErrPassMost
	}
	p.had, p.how, p.of = p.had+1, "open", f.sid
	return nil
}

// reenter reports whether a place stands before everybody by its pass.
func (m *model) reenter(f *fan) bool {
	if f.had == 0 || f.dropped || f.lost {
		return false
	}
	if !f.allowed {
		living := f.slot > m.turnTime()
		for _, until := range f.more {
			living = living || until > m.turnTime()
		}
		if f.how != "open" || f.reentry.bought || f.state == ropeline.PlaceOffered || living || m.ms() >= m.sale.EndsAt.UnixMilli() {
			return false
		}
		f.how, f.exp, f.ends, f.ended, f.slot, f.more, f.keeps = "used", 0, 0, false, 0, nil, nil
	}
	if f.score < 0 && f.ordinal < 0 && !f.back {
		f.stands = m.scores[f.lane]
	}
	f.state, f.back, f.allowed = ropeline.PlaceWaiting, true, true
	return true
}

// ticket is what a fan shows to come back: without a score who never stood in line,
// or has one of the lobby.
func (s *system) ticket(f *fan) Ticket {
	t := Ticket{Place: f.id}
	if f.score >= 0 {
		t.Score = fmt.Sprint(f.score)
	}
	return t
}

// inside is somebody who is, or was, in the shop.
func (s *system) inside(t *rapid.T) *fan {
	return s.pickWhere(t, func(f *fan) bool { return f.exp > 0 })
}

func (s *system) reentries(ctx contextT) map[string]func(*rapid.T) {
	id := s.sale.ID
	return map[string]func(*rapid.T){
		"the shop fails somebody": func(t *rapid.T) {
			f, decided := s.inside(t), rapid.IntRange(0, 3).Draw(t, "somebody decides") == 0
			sid := f.sid
			if sid == "" {
				sid = "nobody"
			}
			same(t, "granting a pass", s.store.Grant(ctx, id, sid, decided), s.grant(f, decided))
		},
		"come in again": func(t *rapid.T) {
			f := s.pickWhere(t, func(f *fan) bool { return f.how == "open" && f.slot <= s.turnTime() })
			used, want := f.how, s.reenter(f)
			if got, err := s.stores[1].Reenter(ctx, id, s.ticket(f)); err != nil || got != want {
				t.Fatalf("coming in again: %v, %v; want %v (it was %s: %+v)", got, err, want, used, f)
			}
		},
	}
}

// Where the shop fails all the time, whoever has a pass comes in again before those
// who wait, the cap holds, and nobody comes in more than three times.
func TestWhomTheShopFailedComesInAgain(t *testing.T) {
	checkAgainstModel(t, []layout{{1, 1}, {2, 2}}, func(s *system, actions map[string]func(*rapid.T)) {
		for _, rare := range []string{"change the mode", "rejoin", "draw", "an edge dies or lives again", "present a ticket", "the server starts anew", "move to another device", "an older copy acts", "stock", "join a party"} {
			delete(actions, rare)
		}
		ctx := s.t.Context()
		if !s.drawn {
			s.openLine(ctx, s.t, actions)
		}
		actions["set limits"] = func(t *rapid.T) {
			to := Limits{Cap: rapid.Int64Range(1, 6).Draw(t, "cap"), Rate: rapid.SampledFrom([]int64{60_000, 600}).Draw(t, "rate")}
			s.steer(ctx, t, Settings{Cap: &to.Cap, Rate: &to.Rate}, nil)
		}
		actions["buy"] = func(t *rapid.T) {
			f := s.inside(t)
			if f.exp == 0 || f.lost {
				t.Skip("nobody is in the shop")
			}
			f.reentry.bought = true
			if err := s.store.Bought(ctx, s.sale.ID, f.id); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"claim", "the shop fails somebody", "come in again", "end"} {
			actions[name+", more"] = actions[name]
		}
		for _, name := range []string{"a moment", "another moment"} {
			actions[name] = func(t *rapid.T) {
				s.now += rapid.Int64Range(100_000, 900_000).Draw(t, "us")
				s.compareTick(ctx, t)
			}
		}
	})
}
