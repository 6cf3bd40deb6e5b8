package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/internal/bench"
)

const (
	seatsPerHold = 4
	holders      = 64 // callers at once

	// turns is how often both ways are measured in a run, one after the other. Whom
	// others on the machine, or a disk that is slow for minutes, hit is chance: of a few
	// long turns the median was of one such time or another.
	turns = 6
)

// wish is who wants to hold which seats.
type wish struct {
	request hold.Request
	units   []int
}

// empty is what Postgres says of a performance that has sold nothing.
type empty int

func (n empty) Recorded(context.Context, ropeline.PerformanceID) (inventory.Recorded, error) {
	return inventory.Recorded{Units: int(n)}, nil
}

// wishes is a new performance and what fans want of it, each something else.
func wishes(ctx context.Context, rdb redis.UniversalClient, n int) ([]wish, error) {
	id, err := booking.NewID()
	if err != nil {
		return nil, err
	}
	show := ropeline.PerformanceID(id)
	if _, err := inventory.New(rdb).Rebuild(ctx, show, empty(seatsPerHold*n)); err != nil {
		return nil, err
	}
	all := make([]wish, n)
	for i := range all {
		id, err := booking.NewID()
		if err != nil {
			return nil, err
		}
		all[i].request = hold.Request{ID: id, Performance: show, Sale: "bench", Session: "session-" + id,
			SessionEnds: time.Now().Add(time.Hour), Life: 10 * time.Minute, Extensions: 1}
		for k := range seatsPerHold {
			all[i].units = append(all[i].units, seatsPerHold*i+k)
		}
	}
	return all, nil
}

// pace is what a crowd saw in each run.
type pace struct {
	rates   []float64 // holds a second
	medians []float64 // ms that half of the calls took at most
	redis   []float64 // µs of Redis's processor time for each
	program []float64 // µs of this program's
}

// crowd lets so many callers hold what is wished for.
func (p *pace) crowd(ctx context.Context, server *bench.Redis, all []wish, do func(context.Context, wish) error) error {
	its, err := server.CPU(ctx)
	if err != nil {
		return err
	}
	own, err := ownCPU()
	if err != nil {
		return err
	}
	times := make([]time.Duration, len(all))
	var next atomic.Int64
	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for range holders {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(all) {
					return nil
				}
				asked := time.Now()
				if err := do(ctx, all[i]); err != nil {
					return err
				}
				times[i] = time.Since(asked)
			}
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	n := float64(len(all))
	p.rates = append(p.rates, n/time.Since(began).Seconds())
	slices.Sort(times)
	p.medians = append(p.medians, float64(times[len(times)/2].Microseconds())/1000)
	itsNow, err := server.CPU(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	ownNow, err := ownCPU()
	p.redis = append(p.redis, float64((itsNow-its).Microseconds())/n)
	p.program = append(p.program, float64((ownNow-own).Microseconds())/n)
	return err
}

// ownCPU is the processor time that this program has used.
func ownCPU() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

// overheard is the call of the script that the package makes for a hold. It is
// a hook of the client.
type overheard struct{ args []any }

func (o *overheard) DialHook(next redis.DialHook) redis.DialHook { return next }

func (o *overheard) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		o.hear(cmd)
		return next(ctx, cmd)
	}
}

func (o *overheard) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			o.hear(cmd)
		}
		return next(ctx, cmds)
	}
}

func (o *overheard) hear(cmd redis.Cmder) {
	if cmd.Name() == "evalsha" {
		o.args = slices.Clone(cmd.Args())
	}
}

// heard is the call of the script that the package makes for one hold, and where it
// says which: somebody else's differs there, and in the units, which come last.
type heard struct {
	args  []any
	id    string
	named []int
}

// listen hears it for a performance.
func listen(ctx context.Context, server *bench.Redis, w wish) (h heard, err error) {
	var call overheard
	options := *server.Client.(*redis.Client).Options()
	ears := redis.NewClient(&options)
	defer closing(&err, ears)
	ears.AddHook(&call)
	if _, err := hold.New(ears).Units(ctx, w.request, w.units); err != nil {
		return h, err
	}
	h.args, h.id = call.args, w.request.ID
	for i, a := range h.args {
		if text, ok := a.(string); ok && strings.Contains(text, h.id) {
			h.named = append(h.named, i)
		}
	}
	if len(h.named) == 0 {
		return h, errors.New("no script was called for a hold")
	}
	return h, nil
}

// plainly holds by that script with a call of its own.
func (h heard) plainly(rdb redis.UniversalClient) func(context.Context, wish) error {
	return func(ctx context.Context, w wish) error {
		args := slices.Clone(h.args)
		for _, i := range h.named {
			args[i] = strings.Replace(args[i].(string), h.id, w.request.ID, 1)
		}
		for k, unit := range w.units {
			args[len(args)-seatsPerHold+k] = unit
		}
		answers, err := rdb.Do(ctx, args...).Slice()
		if err != nil {
			return err
		}
		if answer, _ := answers[0].([]any); len(answer) == 0 || answer[0] != "new" {
			return fmt.Errorf("the script says %v", answers)
		}
		return nil
	}
}

// holdRows measures holds by the package beside calls of the same script, one
// each. What go-redis does with a call is the same in both.
func holdRows(ctx context.Context, p bench.Plan, out io.Writer) (_ []bench.Row, err error) {
	server, err := bench.StartRedis(ctx)
	if err != nil {
		return nil, err
	}
	defer closing(&err, server)
	store := hold.New(server.Client)
	packaged := func(ctx context.Context, w wish) error {
		_, err := store.Units(ctx, w.request, w.units)
		return err
	}
	var ours, theirs pace
	for n := range p.Runs * turns {
		for _, to := range []*pace{&ours, &theirs} {
			all, err := wishes(ctx, server.Client, 1+p.Of(60_000/turns))
			if err != nil {
				return nil, err
			}
			call, err := listen(ctx, server, all[0])
			if err != nil {
				return nil, err
			}
			do := call.plainly(server.Client)
			if to == &ours {
				do = packaged
			}
			if err := to.crowd(ctx, server, all[1:], do); err != nil {
				return nil, err
			}
		}
		fmt.Fprintf(out, "turn %d: %.0f holds/s, half of them in %.2f ms, CPU %.1f and %.1f µs; one call each %.0f/s, %.2f ms, %.1f and %.1f µs\n", n+1,
			ours.rates[n], ours.medians[n], ours.redis[n], ours.program[n], theirs.rates[n], theirs.medians[n], theirs.redis[n], theirs.program[n])
	}
	return []bench.Row{
		bench.Compare("holds of 4 seats through the package, 64 callers", "holds/s", ours.rates, "go-redis, one call each, same script", theirs.rates).RatioAtLeast(2),
		bench.Compare("p50 of a hold, same", "ms", ours.medians, "same", theirs.medians).RatioAtMost(1),
		bench.Compare("Redis CPU a hold, same", "µs", ours.redis, "same", theirs.redis).Untargeted(),
		bench.Compare("caller's CPU a hold, same", "µs", ours.program, "same", theirs.program).Untargeted(),
	}, nil
}
