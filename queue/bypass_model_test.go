package queue

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
)

// The part of the model that knows of rules by which somebody is let past the line.

var modelRules = []ropeline.Bypass{{Name: "staff", Share: 2}, {Name: "press", Share: 50}}

// bypassing is how many each rule has let in.
type bypassing struct{ byRule map[string]int64 }

func (b *bypassing) all() (n int64) {
	for _, of := range b.byRule {
		n += of
	}
	return n
}

// mayPass is what somebody is told who comes by a rule, when so many have been let in.
func (m *model) mayPass(rule ropeline.Bypass, people int64) error {
	ghosts := int64(0)
	if m.ms() < m.haunted {
		ghosts = m.ghosts
	}
	mine := m.byRule[rule.Name]
	switch {
	case m.mode == ropeline.ModeQueue, m.mode == ropeline.ModeStop, m.ms() < m.sale.OpensAt.UnixMilli(), m.ms() >= m.sale.EndsAt.UnixMilli():
		return ErrBypassClosed
	case m.mode != ropeline.ModePass && m.inUse()+ghosts >= m.limits.Cap:
		return ErrBypassFull
	case mine >= bypassFirst && (mine+1)*100 > int64(rule.Share)*(people+1):
		return ErrBypassShare
	}
	return nil
}

// letPast offers to somebody who stands in no line. It takes of the rate what the
// next in line would have had.
func (m *model) letPast(f *fan, rule string) {
	m.prove()
	m.fans = append(m.fans, f)
	m.last++
	m.byRule[rule]++
	m.bucket -= 60_000
	f.state, f.number, f.claimBy = ropeline.PlaceOffered, m.last, m.ms()+m.claimWindow*1000
	f.ordinal, f.score, f.beside, f.ruled = -1, -1, true, true
	m.prove()
}

// comeByARule lets somebody come past the line, and again, as who repeats a request
// whose answer was lost.
func (s *system) comeByARule(ctx contextT, t *rapid.T) {
	if s.sale.SafetyNet {
		t.Skip("who need not wait needs no rule")
	}
	state, err := s.store.State(ctx, s.sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	s.count++
	f := &fan{id: ropeline.PlaceID(fmt.Sprintf("ruled-%04d", s.count)), edge: rapid.IntRange(0, 1).Draw(t, "edge")}
	f.shard = s.shape.lineOf(f.id)
	rule := rapid.SampledFrom(modelRules).Draw(t, "rule")
	people := s.last + state.Friends
	want := s.mayPass(rule, people)
	did, err := s.stores[f.edge].Bypass(ctx, s.sale.ID, f.id, rule)
	same(t, "coming by the rule "+rule.Name, err, want)
	if want == nil {
		s.letPast(f, rule.Name)
		people++
	}
	if did != (Bypassed{want == nil, s.byRule[rule.Name], s.all(), people}) {
		t.Fatalf("coming by the rule %s: %+v; want %v of %d", rule.Name, did, s.byRule, people)
	}
	if want != nil {
		return
	}
	again, err := s.stores[1-f.edge].Bypass(ctx, s.sale.ID, f.id, rule)
	if did.New = false; err != nil || again != did {
		t.Fatalf("coming by the rule again: %+v, %v; want %+v", again, err, did)
	}
}

// compareRules wants the counts by rule to be told, and the proof to hold.
func (s *system) compareRules(t *rapid.T, state State) {
	for _, rule := range modelRules {
		if n := state.BypassedBy(rule.Name); n != s.byRule[rule.Name] {
			t.Fatalf("%d are said to have come by %s, want %d", n, rule.Name, s.byRule[rule.Name])
		}
	}
}

// Who comes by a rule takes a slot of the cap, of the rate and of the proof, whatever
// else happens, and nobody in line is told anything that was not so.
func TestRulesDoWhatTheModelDoes(t *testing.T) {
	checkAgainstModel(t, []layout{{2, 1}}, func(s *system, actions map[string]func(*rapid.T)) {
		kept := []string{"", "join", "come by a rule", "tick", "claim", "renew", "end", "leave", "set limits", "change the mode", "wait",
			"the clock jumps", "draw", "ask for a missed turn", "the server starts anew", "the server loses all"}
		maps.DeleteFunc(actions, func(name string, _ func(*rapid.T)) bool { return !slices.Contains(kept, name) })
		for n := range 3 { // often enough for a share to be reached
			actions[fmt.Sprint("come by a rule, more ", n)] = actions["come by a rule"]
		}
		actions["tick, more"], actions["claim, more"], actions["end, more"] = actions["tick"], actions["claim"], actions["end"]
		if rapid.Bool().Draw(s.t, "room") {
			most := rapid.Int64Range(6, 40).Draw(s.t, "cap")
			s.steer(s.t.Context(), s.t, Settings{Cap: &most, Rate: new(int64(60_000))}, nil)
		}
	})
}
