package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ropeline/ropeline/internal/bench"
)

func TestMain(m *testing.M) {
	beBare()
	goleak.VerifyTestMain(m)
}

// The bench writes keys of the line itself, so it must notice when their layout
// changes.
func TestTheBenchStillMeasures(t *testing.T) {
	t.Parallel()
	program = filepath.Join(t.TempDir(), "ropeline")
	if text, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../../cmd/ropeline").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, text)
	}
	file := filepath.Join(t.TempDir(), "line.json")
	if err := bench.Command(t.Context(), "line", parts(), []string{"-rows", "joins,http,ticks,follow,draw,rebuild", "-runs", "1", "-scale", "0.02", "-out", file}, io.Discard); err != nil {
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
	if len(rows) != 15 {
		t.Errorf("%d rows, want 15", len(rows))
	}
	for _, r := range rows {
		if r.Value <= 0 && !strings.HasPrefix(r.What, oneEdgeMore) || r.Value == 0 || r.Reference != "" && r.ReferenceValue <= 0 || r.Target == "" {
			t.Errorf("not measured: %+v", r)
		}
	}
}
