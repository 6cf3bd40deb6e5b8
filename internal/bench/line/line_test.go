package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/ropeline/ropeline/internal/bench"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The bench writes keys of the line itself, so it must notice when their layout
// changes.
func TestTheBenchStillMeasures(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "line.json")
	if err := run(t.Context(), []string{"-runs", "1", "-scale", "0.02", "-out", file}, io.Discard); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows []bench.Row
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 12 {
		t.Errorf("%d rows, want 12", len(rows))
	}
	for _, r := range rows {
		if r.Value <= 0 || r.ReferenceValue <= 0 || r.Target == "" {
			t.Errorf("not measured: %+v", r)
		}
	}
}
