// Package bench is the form in which every measurement is handed over: a value
// beside the value of a reference that was measured in the same run, and
// whether the target was met.
//
// The one hard idea is the reference. A number of one machine says little about
// another and, on a busy machine, little about itself a minute later; how far
// apart two ways of doing the same work are says something on both.
//
// The package measures nothing: each bench is a program below it, on a private
// Redis that is started here.
package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"text/tabwriter"
)

// Row is one measurement.
type Row struct {
	What           string  `json:"what"`
	Value          float64 `json:"value"`
	Unit           string  `json:"unit"`      // of both values
	Reference      string  `json:"reference"` // "" where there is nothing to compare with
	ReferenceValue float64 `json:"reference_value"`
	Ratio          float64 `json:"ratio"` // Value to ReferenceValue
	Target         string  `json:"target"`
	Held           bool    `json:"held"` // Value or Ratio, whichever the target is about, meets it
}

// Compare makes a row of what was measured in each run. It has no target yet.
func Compare(what, unit string, values []float64, reference string, references []float64) Row {
	r := Row{What: what, Unit: unit, Value: Median(values), Reference: reference, ReferenceValue: Median(references)}
	r.Ratio = r.Value / r.ReferenceValue
	return r
}

// Alone makes a row of what has nothing beside it. It has no target yet.
func Alone(what, unit string, values []float64) Row {
	return Row{What: what, Unit: unit, Value: Median(values)}
}

// And adds a promise to a row's target, held or not.
func (r Row) And(promise string, held bool) Row {
	r.Target, r.Held = r.Target+", "+promise, r.Held && held
	return r
}

// Promised gives a row a promise that is about something else than its value.
func (r Row) Promised(promise string, held bool) Row {
	r.Target, r.Held = promise, held
	return r
}

// Untargeted says that nothing was promised of a row.
func (r Row) Untargeted() Row {
	r.Target, r.Held = "none", true
	return r
}

// RatioAtMost gives a row its target.
func (r Row) RatioAtMost(limit float64) Row {
	r.Target, r.Held = "ratio ≤ "+short(limit), r.Ratio <= limit
	return r
}

// RatioAtLeast gives a row its target.
func (r Row) RatioAtLeast(limit float64) Row {
	r.Target, r.Held = "ratio ≥ "+short(limit), r.Ratio >= limit
	return r
}

// AtMost gives a row its target.
func (r Row) AtMost(limit float64) Row {
	r.Target, r.Held = "≤ "+short(limit)+" "+r.Unit, r.Value <= limit
	return r
}

// AtLeast gives a row its target.
func (r Row) AtLeast(limit float64) Row {
	r.Target, r.Held = "≥ "+short(limit)+" "+r.Unit, r.Value >= limit
	return r
}

// Median is the middle value, of an even number the upper one of the two.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// short writes three digits: what is behind them differs from run to run.
func short(v float64) string {
	if v >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// Print writes the rows as a table.
func Print(out io.Writer, rows []Row) error {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "what\tvalue\treference\tits value\tratio\ttarget\theld")
	for _, r := range rows {
		held := "yes"
		switch {
		case r.Target == "":
			held = "–"
		case !r.Held:
			held = "NO"
		}
		beside, ratio := "–\t–", "–"
		if r.Reference != "" {
			beside, ratio = fmt.Sprintf("%s\t%s %s", r.Reference, short(r.ReferenceValue), r.Unit), short(r.Ratio)
		}
		fmt.Fprintf(table, "%s\t%s %s\t%s\t%s\t%s\t%s\n", r.What, short(r.Value), r.Unit, beside, ratio, r.Target, held)
	}
	return table.Flush()
}

// Read reads what Write wrote.
func Read(path string) (rows []Row, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &rows)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the results before: %w", err)
	}
	return rows, nil
}

// Write puts the rows into a file, as a JSON array.
func Write(path string, rows []Row) error {
	text, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the results: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing the results: %w", err)
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
