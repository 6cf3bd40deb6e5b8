// Command line measures the line in Redis: what a join costs, how many go
// through a second, and what a tick costs where a million people have left.
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
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/internal/devstack"
	"github.com/ropeline/ropeline/internal/dial"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := flag.String("out", "out/bench/line.json", "file of the results")
	flag.Parse()
	if err := run(ctx, full, *out, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench line:", err)
		os.Exit(1)
	}
}

// size is how much is measured.
type size struct {
	runs     int // of which the median counts
	joins    int // in a run
	departed int // at the cursor; a multiple of 8
	ticks    int // in a run, of which the median counts
}

var full = size{runs: 3, joins: 100_000, departed: 1_000_000, ticks: 20}

// run measures everything on a private Redis, writes the results into the file
// and prints them.
func run(ctx context.Context, s size, file string, out io.Writer) (err error) {
	folder, err := devstack.OpenTemporary(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Remove()) }()
	server, err := folder.StartRedis(ctx, devstack.Durable)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	rdb, err := dial.Redis(server.URL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rdb.Close()) }()
	// A rewrite of the append-only file would be measured together with whatever it falls on.
	if err := rdb.ConfigSet(ctx, "auto-aof-rewrite-percentage", "0").Err(); err != nil {
		return fmt.Errorf("switching rewrites off: %w", err)
	}
	if err := introduce(ctx, rdb, s, out); err != nil {
		return err
	}
	joins, err := joinRows(ctx, server.URL, rdb, s, out)
	if err != nil {
		return fmt.Errorf("measuring joins: %w", err)
	}
	ticks, err := tickRows(ctx, rdb, s, out)
	if err != nil {
		return fmt.Errorf("measuring ticks: %w", err)
	}
	rows := append(joins, ticks...)
	if err := bench.Write(file, rows); err != nil {
		return err
	}
	fmt.Fprintln(out)
	return bench.Print(out, rows)
}

func introduce(ctx context.Context, rdb redis.UniversalClient, s size, out io.Writer) error {
	info, err := rdb.InfoMap(ctx, "server").Result()
	if err != nil {
		return fmt.Errorf("asking for the version of Redis: %w", err)
	}
	fmt.Fprintf(out, "Redis %s with append-only file, %s, %d processors; medians of %d runs\n\n",
		info["Server"]["redis_version"], runtime.Version(), runtime.NumCPU(), s.runs)
	return nil
}
