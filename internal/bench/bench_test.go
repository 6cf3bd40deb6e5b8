package bench

import (
	"encoding/json"
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
	}
	var out strings.Builder
	if err := Print(&out, rows); err != nil {
		t.Fatal(err)
	}
	want := `
what     value      reference   its value   ratio   target         held
joins    90000 /s   plain       100000 /s   0.9     ratio ≥ 0.9    yes
joins    89000 /s   plain       100000 /s   0.89    ratio ≥ 0.9    NO
work     8 µs       alone       32 µs       0.25    ratio ≤ 0.25   yes
a call   5.25 ms    empty       5 ms        1.05    ≤ 5 ms         NO
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
