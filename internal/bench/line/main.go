// Command line measures what the line costs: in Redis a join, a tick, a draw;
// over HTTP a join at an edge; after a loss of Redis, the time until the line
// is there again.
//
// The one hard idea is that both ways of doing the work run in turns on one
// private Redis, which keeps the append-only file that a real one keeps, and
// that every run checks afterwards that the work was done.
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

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline/internal/bench"
	live "github.com/ropeline/ropeline/internal/bench/sockets"
)

// parts lists everything that is measured, in this order.
func parts() []bench.Part {
	return append([]bench.Part{
		{Name: "joins", Measure: joinRows},
		{Name: "http", Measure: httpRows},
		{Name: "ticks", Measure: tickRows},
		{Name: "follow", Measure: followRows},
		{Name: "draw", Measure: drawRows},
		{Name: "rebuild", Measure: rebuildRows},
	}, live.Parts()...)
}

func main() {
	beBare()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	do := func() error { return bench.Command(ctx, "line", parts(), os.Args[1:], os.Stdout) }
	if role := os.Getenv(live.RoleVariable); role != "" { // one of the processes that are measured
		do = func() error { return live.Play(ctx, role, os.Stdin, os.Stdout) }
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "bench line:", err)
		os.Exit(1)
	}
}

// beBare makes this program the bare server if it was started as that.
func beBare() {
	if len(os.Args) == 2 && os.Args[1] == "bare" {
		fmt.Fprintln(os.Stderr, "bench line:", serveBare())
		os.Exit(1)
	}
}

// A bed is the private Redis that a part is measured on.
type bed struct {
	server *bench.Redis
	url    string
	rdb    redis.UniversalClient
}

// makeBed starts a Redis; the caller closes the bed.
func makeBed(ctx context.Context, out io.Writer) (b *bed, err error) {
	b = &bed{}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	if b.server, err = bench.StartRedis(ctx); err != nil {
		return b, err
	}
	b.url, b.rdb = b.server.URL, b.server.Client
	info, err := b.rdb.InfoMap(ctx, "server").Result()
	if err != nil {
		return b, fmt.Errorf("asking for the version of Redis: %w", err)
	}
	fmt.Fprintf(out, "Redis %s with append-only file\n", info["Server"]["redis_version"])
	return b, nil
}

// Close stops the Redis and removes what it wrote.
func (b *bed) Close() error {
	if b.server == nil {
		return nil
	}
	return b.server.Close()
}

// closing closes c as a deferred call and joins its error to the result.
func closing(err *error, c io.Closer) { *err = errors.Join(*err, c.Close()) }
