// Command door measures how fast a booking core answers scanners, beside what Postgres does
// when each of them writes a row and changes another.
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
	return []bench.Part{{Name: "scans", Measure: scanRows}}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench.Command(ctx, "door", parts(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench door:", err)
		os.Exit(1)
	}
}
