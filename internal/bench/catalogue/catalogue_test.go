package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/ropeline/ropeline/internal/bench"
)

// On a small scale: what is mistyped is found, and every row is measured.
func TestTheBenchOfTheCatalogueStillMeasures(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "catalogue.json")
	var out bytes.Buffer
	if err := bench.Command(t.Context(), "catalogue", parts(), []string{"-runs", "1", "-scale", "0.005", "-out", file}, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows []bench.Row
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 5 {
		t.Errorf("%d rows, want 5", len(rows))
	}
	for _, r := range rows {
		if r.Value == 0 || r.Reference != "" && r.ReferenceValue == 0 || r.Target == "" {
			t.Errorf("not measured: %+v", r)
		}
	}
}

// A slip of the hand is one letter, or two that are turned: what is measured is a
// correction, and no search for something else.
func TestASlipIsASlip(t *testing.T) {
	n := names{rand.New(rand.NewPCG(1, 1))}
	changed := 0
	for range 1000 {
		const word = "Lanterns"
		got := n.mistyped(word)
		if d := len([]rune(got)) - len(word); d < -1 || d > 1 {
			t.Fatalf("%q became %q", word, got)
		}
		if got != word {
			changed++
		}
	}
	if changed < 900 { // another letter may be the same one
		t.Errorf("%d of 1000 were changed", changed)
	}
}
