// Command booking measures what the booking core does in a second, beside the
// same work done in the plain way.
//
// The one hard idea is that both ways write the same rows into the same tables,
// in turns, on one private Postgres whose answers are on the disk, and that
// every run counts afterwards what is there.
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
	live "github.com/ropeline/ropeline/internal/bench/sockets"
)

// parts lists everything that is measured, in this order.
func parts() []bench.Part {
	return []bench.Part{
		{Name: "orders", Measure: orderRows},
		{Name: "purchases", Measure: purchaseRows},
		{Name: "holds", Measure: holdRows},
		{Name: "shop", Measure: shopRows},
		{Name: "http", Asked: true, Measure: httpRows},
		{Name: "sellout", Measure: sellOutRows},
		live.Viewers(),
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	do := func() error { return bench.Command(ctx, "booking", parts(), os.Args[1:], os.Stdout) }
	if role := os.Getenv(live.RoleVariable); role != "" { // one of the processes that are measured, or measure
		do = func() error { return play(ctx, role) }
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "bench booking:", err)
		os.Exit(1)
	}
}

// play is the whole life of a process of a role.
func play(ctx context.Context, role string) error {
	if role == browsing {
		return browse(ctx, os.Stdin, os.Stdout)
	}
	return live.Play(ctx, role, os.Stdin, os.Stdout)
}

// closing closes c as a deferred call and joins its error to the result.
func closing(err *error, c io.Closer) { *err = errors.Join(*err, c.Close()) }
