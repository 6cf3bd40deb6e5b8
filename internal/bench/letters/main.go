// Command letters measures how fast letters come through to a mail server, beside the plain
// way to send them, and whether many that nobody waits for hold up those that somebody does.
//
// A target that is missed is a result, not a failure: the exit status only says
// whether everything could be measured.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/ropeline/ropeline/internal/bench"
)

// parts lists everything that is measured, in this order.
func parts() []bench.Part {
	return []bench.Part{
		{Name: "through", Measure: throughRows},
		{Name: "beside", Measure: besideRows},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench.Command(ctx, "letters", parts(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench letters:", err)
		os.Exit(1)
	}
}
