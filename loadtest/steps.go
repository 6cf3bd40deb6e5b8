package loadtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// Deed is something that happens in the middle of a run.
type Deed string

// The deeds.
const (
	Pause    Deed = "pause"     // for a while
	Change   Deed = "limits"    // are set
	KillEdge Deed = "kill edge" // the last one that was started
	Flush    Deed = "flush"     // FLUSHALL
	Steer    Deed = "automatic" // mode is switched on
	Slow     Deed = "slow"      // the shop's database, for a while
	Lose     Deed = "lose"      // the append-only file is deleted and Redis ends as in a crash; it comes back with nothing
)

// Step is a deed and when it is done: when so much time has passed since the
// opening and so many of a hundred fans were offered.
type Step struct {
	After     time.Duration
	Offered   int
	Deed      Deed
	For       time.Duration
	Cap, Rate int
}

// reason is what an SRE says to each step.
const reason = "part of a load test"

// losses says how many steps lose what Redis knows.
func (p Profile) losses() (n int) {
	for _, s := range p.Steps {
		if s.Deed == Flush || s.Deed == Lose {
			n++
		}
	}
	return n
}

// NeedsStack reports whether a profile can only be run on a private stack.
func (p Profile) NeedsStack() bool {
	return p.Crash || p.Edges > 0 || len(p.Steps) > 0 || p.Demo.Quiet > 0 || p.Demo.SafetyNet
}

// follow does the profile's steps one after the other.
func (r *run) follow(ctx context.Context, fans int) error {
	c := newClient(source(addressStaff), r.target, r.clock, r.meter)
	defer c.rest()
	opens := r.clock.at(r.hall.about.Status.OpensAt)
	limits := limits{Cap: r.Profile.Demo.Cap, Rate: r.Profile.Demo.Rate}
	for _, s := range r.Profile.Steps {
		for r.clock.since() < opens+s.After || r.hall.board.offers.Load()*100 < int64(s.Offered*fans) {
			if !sleep(ctx, 50*time.Millisecond) {
				return fmt.Errorf("the run was over before the step %q", s.Deed)
			}
		}
		r.Log.Info("step", "deed", s.Deed)
		if err := r.do(ctx, c, s, &limits); err != nil {
			return fmt.Errorf("step %q: %w", s.Deed, err)
		}
		r.done++
	}
	return nil
}

// effective is how long it takes until a change has reached every fan's frame.
const effective = 2 * time.Second

// limits are cap and rate, as the staff's API takes them.
type limits struct {
	Cap  int `json:"cap"`
	Rate int `json:"rate"`
}

type mode struct {
	Mode string `json:"mode"`
}

func (r *run) do(ctx context.Context, c *client, s Step, now *limits) error {
	began := r.clock.since()
	switch s.Deed {
	case Pause:
		return r.pause(ctx, c, s.For)
	case Change:
		to := limits{s.Cap, s.Rate}
		err := r.steer(ctx, c, to, *now)
		*now = to
		r.hall.board.raise(s.Cap)
		r.unforeseen = append(r.unforeseen, Period{began, r.clock.since() + effective})
		return err
	case Steer:
		return r.steer(ctx, c, automatic, map[string]int{"version": 0}) // nobody has steered
	case Slow:
		return r.slowDown(ctx, s.For)
	case KillEdge:
		return r.Stack.KillEdge()
	case Flush:
		r.unforeseen = append(r.unforeseen, Period{began, began + recovery})
		return r.Stack.Flush()
	case Lose:
		r.unforeseen = append(r.unforeseen, Period{began, began + recovery})
		return r.Stack.LoseRedis()
	}
	return errors.New("there is no such deed")
}

func (r *run) pause(ctx context.Context, c *client, span time.Duration) error {
	run, pause := mode{"run"}, mode{"pause"}
	if err := r.steer(ctx, c, pause, run); err != nil {
		return err
	}
	p := Period{From: r.clock.since()}
	sleep(ctx, span)
	err := r.steer(ctx, c, run, pause)
	p.To = r.clock.since()
	r.hall.board.woke.Store(int64(p.To))
	r.pauses = append(r.pauses, p)
	return err
}

// steer changes something of what it was. Nobody else steers: where it is changed
// already, the answer to the first try was lost.
func (r *run) steer(ctx context.Context, c *client, to, was any) error {
	body := map[string]any{"set": to, "expect": was, "reason": reason}
	a := c.insist(ctx, rand.New(rand.NewPCG(r.Seed, addressStaff)), tries, request{method: http.MethodPost,
		path: "/api/v1/ops/sales/" + string(r.hall.sale) + "/steer", bearer: r.Access.StaffKey, body: body})
	if !a.ok() && a.Code != "limits-changed" {
		return fmt.Errorf("the staff's API answered %d %s", a.Status, a.Code)
	}
	return nil
}
