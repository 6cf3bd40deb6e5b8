package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/queue"
)

// joinAll lets so many places stand in line.
func (s *stage) joinAll(ctx context.Context, from, places int) error {
	g, ctx := errgroup.WithContext(ctx)
	for c := range 128 {
		g.Go(func() error {
			for i := from + c; i < from+places; i += 128 {
				if _, err := s.store.Join(ctx, sale, ropeline.PlaceID(fmt.Sprintf("%022d", i)), ""); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// admissionRows measures how many people one controller offers in a second, beside
// as many moved from one sorted set to another, 250 at a time. Cap and rate are the
// highest there are, and the bucket holds more than a run: what is measured is the
// machinery.
func admissionRows(ctx context.Context, p bench.Plan, out io.Writer) (_ []bench.Row, err error) {
	s, err := newStage(ctx)
	if err != nil {
		return nil, err
	}
	defer closing(&err, s)
	if err := s.publish(ctx, ropeline.MaxCap, ropeline.MaxRate); err != nil {
		return nil, err
	}
	people := p.Of(20_000)
	var offers, raw []float64
	for n := range p.Runs {
		if err := s.joinAll(ctx, n*people, people); err != nil {
			return nil, err
		}
		last, err := s.firstOffer(ctx, int64(n*people))
		if err != nil {
			return nil, err
		}
		first, began := last, time.Now()
		for last < int64((n+1)*people) {
			t, err := s.store.Tick(ctx, sale, "bench", time.Minute)
			if err != nil {
				return nil, err
			}
			if time.Since(began) > time.Minute {
				return nil, fmt.Errorf("%d of %d are offered after a minute: %+v", t.LastOffer, people, t.State)
			}
			last = t.LastOffer
		}
		offers = append(offers, float64(last-first)/time.Since(began).Seconds())
		rate, err := s.moveRaw(ctx, people)
		if err != nil {
			return nil, err
		}
		raw = append(raw, rate)
		fmt.Fprintf(out, "run %d: %.0f offers/s, raw %.0f/s\n", n+1, offers[n], raw[n])
	}
	return []bench.Row{bench.Compare("admissions of one controller", "places/s", offers, "ZPOPMIN and ZADD of as many", raw).RatioAtLeast(0.5)}, nil
}

// firstOffer ticks until somebody is offered after that number, and returns how far
// it came. A line that was drawn just now waits 5 s for edges to say who is there.
func (s *stage) firstOffer(ctx context.Context, after int64) (int64, error) {
	again := time.NewTicker(queue.TickInterval)
	defer again.Stop()
	for range 150 {
		t, err := s.store.Tick(ctx, sale, "bench", time.Minute)
		if err != nil || t.LastOffer > after {
			return t.LastOffer, err
		}
		<-again.C
	}
	return 0, errors.New("nobody is offered after 30 s")
}

func (s *stage) moveRaw(ctx context.Context, people int) (float64, error) {
	const from, to = "bench:{raw}:from", "bench:{raw}:to"
	if err := s.rdb.Del(ctx, from, to).Err(); err != nil {
		return 0, err
	}
	for at := 0; at < people; at += 1000 {
		var all []redis.Z
		for i := at; i < min(at+1000, people); i++ {
			all = append(all, redis.Z{Score: float64(i), Member: fmt.Sprintf("%022d", i)})
		}
		if err := s.rdb.ZAdd(ctx, from, all...).Err(); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	for moved := 0; moved < people; {
		popped, err := s.rdb.ZPopMin(ctx, from, 250).Result()
		if err != nil || len(popped) == 0 {
			return 0, errors.Join(err, errors.New("the set is empty too early"))
		}
		if err := s.rdb.ZAdd(ctx, to, popped...).Err(); err != nil {
			return 0, err
		}
		moved += len(popped)
	}
	return float64(people) / time.Since(began).Seconds(), nil
}

// limitRows measures how long after a change of a sale's limits each of ten edges
// knows the new value, as the first request would be judged by it.
func limitRows(ctx context.Context, p bench.Plan, out io.Writer) (_ []bench.Row, err error) {
	s, err := newStage(ctx)
	if err != nil {
		return nil, err
	}
	defer closing(&err, s)
	if err := s.publish(ctx, 100, 6000); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() {
		for ctx.Err() == nil {
			_, _ = s.store.Tick(ctx, sale, "bench", time.Minute) // the next does what this one did not
			time.Sleep(queue.TickInterval)
		}
	})
	var edges [10]*queue.Line
	for i := range edges {
		edges[i] = queue.NewLine(s.store, sale, slog.New(slog.DiscardHandler))
		running.Go(func() { _ = edges[i].Run(ctx) })
		<-edges[i].Ready()
	}
	var p99 []float64
	for n := range p.Runs {
		var took []float64
		for change := range p.Of(20) {
			to := int64(1000*(n+1) + change)
			began := time.Now()
			if _, err := s.store.Steer(ctx, sale, queue.Change{Set: queue.Settings{Cap: &to}, By: "bench", Reason: "to measure"}); err != nil {
				return nil, err
			}
			for _, e := range edges {
				for e.View().Cap != to {
					if time.Since(began) > 10*time.Second {
						return nil, errors.New("an edge has not heard of a change for 10 s")
					}
					time.Sleep(time.Millisecond)
				}
				took = append(took, time.Since(began).Seconds())
			}
		}
		slices.Sort(took)
		p99 = append(p99, took[len(took)*99/100])
		fmt.Fprintf(out, "run %d: %d edges and %d changes, median %.3f s, p99 %.3f s\n", n+1, len(edges), p.Of(20), took[len(took)/2], p99[n])
	}
	return []bench.Row{bench.Alone("change of a limit until each of 10 edges judges by it, p99", "s", p99).AtMost(1)}, nil
}

// capRows lets two controllers, processes of their own, be killed and stopped
// while people come, claim, renew and go, and counts who is in beyond the cap.
func capRows(ctx context.Context, p bench.Plan, out io.Writer) (_ []bench.Row, err error) {
	over, most := 0.0, int64(0)
	var did troubles
	runs := p.Of(20)
	for n := range runs {
		s, err := newStage(ctx)
		if err != nil {
			return nil, err
		}
		beyond, seen, err := s.troubled(ctx, n, &did)
		if err := errors.Join(err, s.Close()); err != nil {
			return nil, err
		}
		over, most = over+float64(beyond), max(most, seen)
	}
	fmt.Fprintf(out, "%d runs with %d kills and %d stops, at most %d in use of a cap of %d\n", runs, did.kills, did.stops, most, troubledCap)
	if did.kills == 0 || did.stops == 0 {
		return nil, errors.New("no controller was killed, or none was stopped")
	}
	return []bench.Row{bench.Alone(fmt.Sprintf("sessions and offers over the cap, %d runs with kills and stops", runs), "people", []float64{over}).AtMost(0)}, nil
}

// troubles counts what was done to controllers.
type troubles struct{ kills, stops int }

const troubledCap = 40

// troubled is one run of 6 s: how many were in use beyond the cap, and at all.
func (s *stage) troubled(ctx context.Context, seed int, did *troubles) (beyond, most int64, err error) {
	random := rand.New(rand.NewPCG(uint64(seed), 4))
	if err := s.prepare(ctx); err != nil {
		return 0, 0, err
	}
	first, errFirst := s.control()
	second, errSecond := s.control()
	if err := errors.Join(errFirst, errSecond); err != nil {
		return 0, 0, err
	}
	controllers := [2]*exec.Cmd{first, second}
	if err := s.joinAll(ctx, 0, 400); err != nil {
		return 0, 0, err
	}
	claimed := map[int]bool{}
	for began := time.Now(); time.Since(began) < 6*time.Second && ctx.Err() == nil; {
		for range 20 {
			i := random.IntN(400)
			id := ropeline.PlaceID(fmt.Sprintf("%022d", i))
			if _, err := s.store.Claim(ctx, sale, id); err == nil {
				claimed[i] = true
			}
			if claimed[i] && random.IntN(3) == 0 {
				if _, err := s.store.End(ctx, sale, id); err != nil {
					return 0, 0, err
				}
			}
		}
		state, err := s.store.State(ctx, sale)
		if err != nil {
			return 0, 0, err
		}
		most = max(most, state.Offered+state.Active, state.MaxInUse)
		who := random.IntN(len(controllers))
		switch random.IntN(12) {
		case 0: // what it was about to do it does when another one has taken over
			did.stops++
			_ = controllers[who].Process.Signal(syscall.SIGSTOP)
		case 1, 2:
			_ = controllers[who].Process.Signal(syscall.SIGCONT)
		case 3:
			did.kills++
			if controllers[who], err = s.replace(controllers[who]); err != nil {
				return 0, 0, err
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	if most == 0 {
		return 0, 0, errors.New("nobody was ever offered")
	}
	return max(0, most-troubledCap), most, nil
}

// prepare publishes the sale and makes the keys that controllers need.
func (s *stage) prepare(ctx context.Context) error {
	if err := s.publish(ctx, troubledCap, 60_000); err != nil {
		return err
	}
	if text, err := exec.CommandContext(ctx, program, "keygen", "init", "--keys", s.path("keys")).CombinedOutput(); err != nil {
		return fmt.Errorf("making keys: %w: %s", err, text)
	}
	return nil
}

func (s *stage) control() (*exec.Cmd, error) {
	return s.start(program, "admission", "--redis", s.server.URL, "--keys", s.path("keys"), "--listen", "127.0.0.1:0", "--private-listen", "off", "--log", "error")
}

// replace kills a controller, which has no time to say anything, and starts another.
func (s *stage) replace(controller *exec.Cmd) (*exec.Cmd, error) {
	if err := controller.Process.Kill(); err != nil {
		return nil, err
	}
	_ = controller.Wait() // killed, as it should be
	return s.control()
}
