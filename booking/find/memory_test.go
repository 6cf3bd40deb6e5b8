package find

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// What was found is not looked for again until something has changed; and then it is.
func TestWhatWasFoundIsKeptUntilSomethingChanges(t *testing.T) {
	t.Parallel()
	g := newStage(t, devtest.Postgres(t), "Hamlet", "Macbeth")
	run := func(sql string) {
		t.Helper()
		if _, err := g.db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	found := func(text, want string) {
		t.Helper()
		if names, _ := g.search(Asked{Text: text}); !slices.Equal(names, []string{want}) {
			t.Errorf("%s: found %q, want %q", text, names, want)
		}
	}
	for _, kept := range []bool{false, true} { // nobody follows what changes at first
		if kept {
			if err := g.s.follow(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		run(`update find_entries set name = 'Hamlet' where key = 'hamlet'`)
		found("hamlte", "Hamlet")
		run(`update find_entries set name = 'Ophelia' where key = 'hamlet'`)
		if kept {
			found("hamlte", "Hamlet")
		} else {
			found("hamlte", "Ophelia")
		}
		found("macbeth", "Macbeth") // another text is not taken for it
	}
	run(turn)
	found("hamlte", "Hamlet")
	if err := g.s.follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	found("hamlte", "Ophelia")
}

// It looks once, keeps no errors, and no more than two generations; what is asked for stays.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := &memory[string]{most: 10}
	looks := 0
	ask := func(key string, err error) {
		t.Helper()
		v, got := m.of(t.Context(), key, func(context.Context) (string, error) {
			looks++
			return "of " + key, err
		})
		if !errors.Is(got, err) || err == nil && v != "of "+key {
			t.Errorf("%s: %q, %v", key, v, got)
		}
	}
	away := errors.New("away")
	ask("a", away)
	ask("a", nil)
	ask("a", nil)
	if looks != 2 {
		t.Errorf("looked %d times, want 2", looks)
	}
	for i := range 1000 {
		ask(fmt.Sprint(i), nil)
		ask("a", nil)
		if n := len(m.young) + len(m.old); n > 2*m.most {
			t.Fatalf("%d are kept", n)
		}
	}
	if looks != 1002 {
		t.Errorf("looked %d times, want 1002: what is asked for again and again is kept", looks)
	}
	var none *memory[string]
	if v, err := none.of(t.Context(), "b", func(context.Context) (string, error) { return "looked", nil }); v != "looked" || err != nil {
		t.Errorf("without a memory: %q, %v", v, err)
	}
}
