package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/ropeline/ropeline/internal/bench"
)

// On a small scale: every row is measured.
func TestTheBenchOfDoorsStillMeasures(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "door.json")
	var out bytes.Buffer
	if err := bench.Command(t.Context(), "door", parts(), []string{"-runs", "1", "-scale", "0.005", "-out", file}, &out); err != nil {
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
	if len(rows) != 1 {
		t.Errorf("%d rows, want 1", len(rows))
	}
	for _, r := range rows {
		if r.Value == 0 || r.ReferenceValue == 0 || r.Target == "" {
			t.Errorf("not measured: %+v", r)
		}
	}
}
