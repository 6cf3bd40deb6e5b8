package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ropeline/ropeline/internal/bench"
	live "github.com/ropeline/ropeline/internal/bench/sockets"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(live.RoleVariable); role != "" {
		if err := play(context.Background(), role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Both ways sell, and every run counts what they have written: so the plain way
// writes into the same tables what the package writes.
func TestTheBenchOfTheBookingCoreStillMeasures(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "booking.json")
	var out bytes.Buffer
	if err := bench.Command(t.Context(), "booking", parts(), []string{"-rows", "purchases,holds,shop,sellout", "-runs", "1", "-scale", "0.01", "-out", file}, &out); err != nil {
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
	if len(rows) < 12 {
		t.Errorf("%d rows", len(rows))
	}
	for _, r := range rows {
		if r.Value < 0 || r.ReferenceValue < 0 || r.Target == "" || r.Unit != "µs" && (r.Value == 0 || r.Reference != "" && r.ReferenceValue == 0) {
			t.Errorf("not measured: %+v", r)
		}
		if r.Target == "0 violations" && !r.Held {
			t.Errorf("something was sold wrongly:\n%s", out.String())
		}
	}
}
