package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ropeline/ropeline/internal/bench"
)

// The part that needs no other program, on a small scale: the rows are written.
func TestABenchOfTheGateWritesItsRows(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "gate.json")
	var out bytes.Buffer
	if err := bench.Command(t.Context(), "gate", parts(), []string{"-rows", "limits", "-runs", "1", "-scale", "0.05", "-out", file}, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), `"target": "≤ 1 s"`) {
		t.Errorf("the file says %s (%v)", text, err)
	}
}
