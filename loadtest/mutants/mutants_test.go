package main

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/ropeline/ropeline/loadtest"
)

// TestEveryMutantStillApplies notices here, in a moment, when a file has
// changed so much that a mutant of it would prove nothing.
func TestEveryMutantStillApplies(t *testing.T) {
	t.Parallel()
	var names []string
	for _, inv := range loadtest.Invariants() {
		names = append(names, inv.Name)
	}
	names = append(names, verdictsOfProof...)
	for _, m := range slices.Concat(mutants, inProof) {
		if len(m.edits) == 0 || len(m.noticed) == 0 {
			t.Errorf("mutant %s changes nothing or is noticed by nothing", m.name)
		}
		for _, n := range m.noticed {
			if !slices.Contains(names, n) {
				t.Errorf("mutant %s: there is no invariant %q", m.name, n)
			}
		}
		for _, e := range m.edits {
			changed, err := e.apply(filepath.Join("..", ".."))
			if err != nil {
				t.Errorf("mutant %s: %v", m.name, err)
			} else if changed == "" {
				t.Errorf("mutant %s empties %s", m.name, e.file)
			}
		}
	}
}

func TestAnEditThatDoesNotApplyIsAnError(t *testing.T) {
	t.Parallel()
	for _, e := range []edit{
		{"queue/lua/offer.lua", "no such text", "x"},
		{"queue/lua/offer.lua", "local ", "x"}, // many times
		{"queue/lua/no-such-file.lua", "local", "x"},
	} {
		if _, err := e.apply(filepath.Join("..", "..")); err == nil {
			t.Errorf("%+v applied", e)
		}
	}
}

func TestUnknownMutantsAreNamed(t *testing.T) {
	t.Parallel()
	for _, bad := range [][]string{{"cap-raised", "no-such"}, {"cap-raised", "proof"}} {
		if _, err := choose(bad); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
	if some, err := choose([]string{"proof"}); err != nil || len(some) != len(inProof) {
		t.Errorf("the proof's are %d mutants: %v", len(some), err)
	}
	if all, err := choose(nil); err != nil || len(all) != len(mutants) {
		t.Errorf("no name chose %d mutants: %v", len(all), err)
	}
}
