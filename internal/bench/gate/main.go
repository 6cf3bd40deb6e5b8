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
		{Name: "proxy", Measure: proxyRows},
		{Name: "fiber", Measure: fiberRows},
		{Name: "admissions", Measure: admissionRows},
		{Name: "limits", Measure: limitRows},
		{Name: "cap", Measure: capRows},
		{Name: "takeover", Measure: takeoverRows},
	}
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "shop" { // the process that the middleware is measured in
		fmt.Fprintln(os.Stderr, "bench gate:", serveShop(os.Args[2], os.Args[3]))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench.Command(ctx, "gate", parts(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench gate:", err)
		os.Exit(1)
	}
}

// closing closes c as a deferred call and joins its error to the result.
func closing(err *error, c io.Closer) { *err = errors.Join(*err, c.Close()) }
