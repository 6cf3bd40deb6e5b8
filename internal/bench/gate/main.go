// Command gate measures what the gate costs: a request that the edge proxies, or
// that a proxy asks it about, or that the middleware checks, beside the same
// request without; and what admission costs and keeps.
//
// The one hard idea is that both ways of doing the work run in turns, on the same
// machine, against one upstream, and that a request which was refused is an error
// of the measurement: a gate that says no is fast.
//
// A target that is missed is a result, not a failure: the exit status only says
// whether everything could be measured.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/ropeline/ropeline/internal/bench"
)

// parts lists everything that is measured, in this order.
func parts() []bench.Part {
	return []bench.Part{
		{Name: "proxy", Measure: proxyRows},
		{Name: "fiber", Measure: fiberRows},
		{Name: "admissions", Measure: admissionRows},
		{Name: "limits", Measure: limitRows},
		{Name: "cap", Measure: capRows},
	}
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "shop" { // the process that the middleware is measured in
		fmt.Fprintln(os.Stderr, "bench gate:", serveShop(os.Args[2], os.Args[3]))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench gate:", err)
		os.Exit(1)
	}
}

// run measures what the arguments choose.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("gate", flag.ContinueOnError)
	file := flags.String("out", "out/bench/gate.json", "file of the results")
	rows := flags.String("rows", "", "parts to measure, separated by commas; all without it")
	plan := bench.Plan{}
	flags.IntVar(&plan.Runs, "runs", 3, "of which the median counts")
	flags.Float64Var(&plan.Scale, "scale", 1, "share of the sizes that the targets are about")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := bench.Choose(parts(), *rows)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, %d processors; medians of %d runs\n", runtime.Version(), runtime.NumCPU(), plan.Runs)
	return bench.Run(ctx, chosen, plan, *file, out)
}

// closing closes c as a deferred call and joins its error to the result.
func closing(err *error, c io.Closer) { *err = errors.Join(*err, c.Close()) }
