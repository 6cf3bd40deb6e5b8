package bench

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestATargetIsAboutTheMedian(t *testing.T) {
	t.Parallel()
	rows := []Row{
		Compare("joins", "/s", []float64{90_000, 1, 91_000}, "plain", []float64{100_000, 110_000, 99_000}).RatioAtLeast(0.9),
		Compare("joins", "/s", []float64{90_000, 1, 89_000}, "plain", []float64{100_000, 110_000, 99_000}).RatioAtLeast(0.9),
		Compare("work", "µs", []float64{7, 8, 9}, "alone", []float64{32, 40, 30}).RatioAtMost(0.25),
		Compare("a call", "ms", []float64{5.25, 4, 6}, "empty", []float64{5, 5, 5}).AtMost(5),
		Alone("settling", "s", []float64{7, 8, 6}).AtMost(10).And("0 twice", true).And("0 forgotten", false),
	}
	var out strings.Builder
	if err := Print(&out, rows); err != nil {
		t.Fatal(err)
	}
	want := `
what       value      reference   its value   ratio   target                         held
joins      90000 /s   plain       100000 /s   0.9     ratio ≥ 0.9                    yes
joins      89000 /s   plain       100000 /s   0.89    ratio ≥ 0.9                    NO
work       8 µs       alone       32 µs       0.25    ratio ≤ 0.25                   yes
a call     5.25 ms    empty       5 ms        1.05    ≤ 5 ms                         NO
settling   7 s        –           –           –       ≤ 10 s, 0 twice, 0 forgotten   NO
`
	if got := "\n" + out.String(); got != want {
		t.Errorf("printed:%s\nwant:%s", got, want)
	}

	file := filepath.Join(t.TempDir(), "new", "line.json")
	if err := Write(file, rows); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var read []Row
	if err := json.Unmarshal(text, &read); err != nil || !slices.Equal(read, rows) {
		t.Errorf("%v: read back %+v", err, read)
	}
}

// Hours of measuring may not be lost because the last part failed.
func TestAPartThatFailsLeavesTheOthersTheirRows(t *testing.T) {
	t.Parallel()
	broken := errors.New("no server")
	part := func(name string, err error) Part {
		return Part{Name: name, Measure: func(_ context.Context, p Plan, _ io.Writer) ([]Row, error) {
			return []Row{Alone(name, "ms", []float64{float64(p.Of(100))}).AtMost(50)}, err
		}}
	}
	all := []Part{part("joins", nil), part("ticks", broken), part("draw", nil)}
	chosen, err := Choose(all, "draw, ticks")
	if err != nil || len(chosen) != 2 || chosen[0].Name != "draw" {
		t.Fatalf("chose %v, %v", chosen, err)
	}
	if _, err := Choose(all, "draws"); err == nil || !strings.Contains(err.Error(), "joins, ticks, draw") {
		t.Errorf("an unknown part: %v", err)
	}
	file := filepath.Join(t.TempDir(), "line.json")
	err = Run(t.Context(), all, Plan{Runs: 1, Scale: 0.25}, nil, file, io.Discard)
	if !errors.Is(err, broken) {
		t.Errorf("a broken part: %v", err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows []Row
	if err := json.Unmarshal(text, &rows); err != nil || len(rows) != 3 || rows[2].Value != 25 {
		t.Errorf("%v: read back %+v", err, rows)
	}
}

// The rows of two benches in one file: the second keeps those of the first, or says that there are none.
func TestRowsAreAddedToAFile(t *testing.T) {
	t.Parallel()
	part := func(name string) []Part {
		return []Part{{Name: name, Measure: func(context.Context, Plan, io.Writer) ([]Row, error) {
			return []Row{Alone(name, "ms", []float64{1}).AtMost(50)}, nil
		}}}
	}
	file := filepath.Join(t.TempDir(), "door.json")
	if err := Command(t.Context(), "letters", part("letters"), []string{"-add", "-out", file}, io.Discard); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("added to no file: %v", err)
	}
	if err := Command(t.Context(), "scans", part("scans"), []string{"-out", file}, io.Discard); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := Command(t.Context(), "letters", part("letters"), []string{"-add", "-out", file}, &out); err != nil {
		t.Fatal(err)
	}
	if rows, err := Read(file); err != nil || len(rows) != 2 || rows[0].What != "scans" || rows[1].What != "letters" || strings.Contains(out.String(), "scans") {
		t.Errorf("%+v, %v: %s", rows, err, out.String())
	}
}
