package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
)

// Part is a group of rows that are measured together, on servers of its own.
// The bench of one thing may have parts in several packages.
type Part struct {
	Name    string
	Asked   bool // measured only when it is asked for by name
	Measure func(ctx context.Context, p Plan, out io.Writer) ([]Row, error)
}

// Plan says how much is measured.
type Plan struct {
	Runs  int     // of which the median counts
	Scale float64 // 1 for the sizes that targets are about
}

// Of is a size at the plan's scale, at least 1.
func (p Plan) Of(size int) int { return max(1, int(float64(size)*p.Scale)) }

// Choose picks parts by their names, separated by commas; for "" all
// that need not be asked for.
func Choose(parts []Part, names string) ([]Part, error) {
	if names == "" {
		return slices.DeleteFunc(slices.Clone(parts), func(p Part) bool { return p.Asked }), nil
	}
	var chosen []Part
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(parts, func(p Part) bool { return p.Name == strings.TrimSpace(name) })
		if i < 0 {
			known := make([]string, len(parts))
			for i, p := range parts {
				known[i] = p.Name
			}
			return nil, fmt.Errorf("there are no rows called %q; there are: %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, parts[i])
	}
	return chosen, nil
}

// Command measures the parts that the arguments of a bench choose.
func Command(ctx context.Context, name string, parts []Part, args []string, out io.Writer) error {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	file := flags.String("out", "out/bench/"+name+".json", "file of the results")
	profile := flags.String("profile", "", "file for a profile of this program's processor time; none without it")
	rows := flags.String("rows", "", "parts to measure, separated by commas; all without it")
	add := flags.Bool("add", false, "keep the rows that the file has")
	plan := Plan{}
	flags.IntVar(&plan.Runs, "runs", 3, "of which the median counts")
	flags.Float64Var(&plan.Scale, "scale", 1, "share of the sizes that the targets are about")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := Choose(parts, *rows)
	if err != nil {
		return err
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return fmt.Errorf("profiling: %w", err)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return fmt.Errorf("profiling: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	fmt.Fprintf(out, "%s, %d processors; medians of %d runs\n", runtime.Version(), runtime.NumCPU(), plan.Runs)
	var before []Row
	if *add {
		if before, err = Read(*file); err != nil {
			return err
		}
	}
	return Run(ctx, chosen, plan, before, *file, out)
}

// Run measures the parts, writes their rows into the file, after those given, and prints them. A part
// that fails does not take the others' rows away: it is told at the end.
func Run(ctx context.Context, parts []Part, p Plan, rows []Row, file string, out io.Writer) error {
	had := len(rows)
	var failed []error
	for _, part := range parts {
		fmt.Fprintf(out, "== %s\n", part.Name)
		more, err := part.Measure(ctx, p, out)
		if err != nil {
			failed = append(failed, fmt.Errorf("measuring %s: %w", part.Name, err))
		}
		rows = append(rows, more...)
		if ctx.Err() != nil {
			break
		}
	}
	fmt.Fprintln(out)
	return errors.Join(append(failed, Write(file, rows), Print(out, rows[had:]))...)
}
