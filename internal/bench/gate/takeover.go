package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/queue"
)

// takeoverRows kills the controller that leads, 20 times, and measures how long the
// line stands still, by Redis's clock.
func takeoverRows(ctx context.Context, p bench.Plan, out io.Writer) (_ []bench.Row, err error) {
	s, err := newStage(ctx)
	if err != nil {
		return nil, err
	}
	defer closing(&err, s)
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	ticks := s.rdb.Subscribe(ctx, "ropeline:{"+string(sale)+"}:ticks")
	defer closing(&err, ticks)
	heard := ticks.Channel()
	leader, err := s.control()
	if err != nil {
		return nil, err
	}
	last, err := nextTick(heard)
	if err != nil {
		return nil, err
	}
	heir, err := s.control() // which does not lead: the lease is taken
	if err != nil {
		return nil, err
	}
	var gaps []float64
	for range p.Of(20) {
		for until := time.Now().Add(time.Second); err == nil && time.Now().Before(until); { // the heir has started by then
			last, err = nextTick(heard)
		}
		if err != nil {
			return nil, err
		}
		var took time.Duration
		if took, last, err = killed(leader, heard, last); err != nil {
			return nil, err
		}
		gaps = append(gaps, took.Seconds())
		leader = heir
		if heir, err = s.control(); err != nil {
			return nil, err
		}
	}
	slices.Sort(gaps)
	p99 := gaps[(len(gaps)*99-1)/100]
	fmt.Fprintf(out, "%d leaders killed, median %.3f s, p99 %.3f s\n", len(gaps), bench.Median(gaps), p99)
	what := fmt.Sprintf("the leading controller is killed: from its last tick to the first of the next one, p99 of %d", len(gaps))
	return []bench.Row{bench.Alone(what, "s", []float64{p99}).AtMost(2)}, nil
}

// killed kills the leader, which has no time to say anything, and returns how long
// nobody ticked, and the first tick of who came next.
func killed(leader *exec.Cmd, heard <-chan *redis.Message, last queue.State) (time.Duration, queue.State, error) {
	if err := leader.Process.Kill(); err != nil {
		return 0, last, err
	}
	_ = leader.Wait() // killed, as it should be
	for {
		state, err := nextTick(heard)
		if err != nil || state.Term != last.Term {
			return state.Now.Sub(last.Now), state, err
		}
		last = state
	}
}

// nextTick waits for a tick of the sale.
func nextTick(heard <-chan *redis.Message) (state queue.State, err error) {
	select {
	case m := <-heard:
		return state, json.Unmarshal([]byte(m.Payload), &state)
	case <-time.After(30 * time.Second):
		return state, errors.New("nobody ticks for 30 s")
	}
}
