// Command catalogue measures how people find what is on, and look at it, in a program of
// 200,000 events with names as they are and a few that everybody looks at.
//
// A target that is missed is a result, not a failure: the exit status only says
// whether everything could be measured.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/ropeline/ropeline/internal/bench"
)

// parts lists everything that is measured, in this order.
func parts() []bench.Part {
	return []bench.Part{
		{Name: "search", Measure: searchRows},
		{Name: "pages", Asked: true, Measure: pageRows},
		{Name: "availability", Measure: availabilityRows},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench.Command(ctx, "catalogue", parts(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench catalogue:", err)
		os.Exit(1)
	}
}

// closing closes c as a deferred call and joins its error to the result.
func closing(err *error, c io.Closer) { *err = errors.Join(*err, c.Close()) }
