package edge

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// asked counts what Redis is asked on behalf of requests, not by what the edge
// does by itself.
type asked struct{ commands atomic.Int64 }

func (a *asked) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a *asked) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if ctx.Value(http.ServerContextKey) != nil {
			a.commands.Add(1)
		}
		return next(ctx, cmd)
	}
}

func (a *asked) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if ctx.Value(http.ServerContextKey) != nil {
			a.commands.Add(int64(len(cmds)))
		}
		return next(ctx, cmds)
	}
}

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestAnEarlyPollAsksNothingOfRedis(t *testing.T) {
	t.Parallel()
	server := devtest.PrivateRedis(t)
	var count asked
	server.Client.AddHook(&count)
	at := &clock{now: time.Now()}
	// Requests are counted here, as in production.
	g := newRigOn(t, server.Client, opened, shut, func(c *Config, _ *ropeline.Sale) {
		c.Limits.Requests, c.Now = defaultRequests, at.read
	})
	g.draw()
	f := g.phone()
	f.join()
	told := f.poll().NextContact
	g.until("the edge knows the place, and need not look it up", func() bool {
		count.commands.Store(0)
		f.poll()
		return count.commands.Load() == 0
	})
	for range 15 { // reloads, and other tabs
		if s := f.poll(); s.NextContact > told || s.NextContact < 1 || *s.Position != 0 {
			t.Errorf("an early poll is told %+v, want to come back in at most %d s", s, told)
		}
	}
	if n := count.commands.Load(); n != 0 {
		t.Errorf("15 early polls asked Redis %d times", n)
	}
	for range 10 { // beyond 20 it is a program gone wild
		f.poll()
	}
	if count.commands.Load() == 0 {
		t.Error("polls without end were not counted")
	}
	at.pass(time.Duration(told+1) * time.Second)
	count.commands.Store(0)
	if f.poll(); count.commands.Load() == 0 {
		t.Error("a poll that came as told was not counted")
	}

	server.Stop()
	count.commands.Store(0)
	for range 10 {
		if s := f.poll(); s.State != ropeline.PlaceWaiting || s.NextContact < 1 {
			t.Errorf("while Redis is away: %+v", s)
		}
	}
	if n := count.commands.Load(); n != 0 {
		t.Errorf("ten early polls waited %d times for a Redis that is away", n)
	}
	server.Start() // the edge ends in order
}

// contents is every key of a sale with what is in it, but for the signs of life
// that edges give by themselves.
func (g *rig) contents(rdb redis.UniversalClient) map[string]string {
	g.Helper()
	all := map[string]string{}
	keys, err := rdb.Keys(g.Context(), "ropeline:{"+string(g.sale.ID)+"*").Result()
	must(g.TB, err)
	for _, key := range keys {
		parts := strings.Split(key, ":")
		if name := parts[len(parts)-1]; name == "edges" || name == "reported" || parts[len(parts)-2] == "presence" {
			continue
		}
		content, err := rdb.Dump(g.Context(), key).Result()
		must(g.TB, err)
		all[key] = content
	}
	return all
}

// TestReadsChangeNothing walks all routes that read, with a place in each state
// that it can be in, and compares every key of the sale.
func TestReadsChangeNothing(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	g := newRigOn(t, rdb, withPages)
	lobby, moved := g.browser(), g.browser()
	lobby.join()
	moved.join()
	code := moved.code().Code // lies around and must not be used up
	check := func(when string, f *fan) {
		t.Helper()
		before := g.contents(rdb)
		if len(before) < 4 {
			t.Fatalf("%s: only %d keys are compared", when, len(before))
		}
		for _, rt := range g.server.routes() {
			if rt.method != "GET" || strings.HasSuffix(rt.pattern, "/live") {
				continue
			}
			path := strings.NewReplacer("{sale}", string(g.sale.ID), "{id}", "x", "{path...}", "app-x1.js", "{$}", "").Replace(rt.pattern)
			for _, query := range []string{"", "?do=leave", "?plain"} {
				f.do("GET", path+query, "")
			}
		}
		after := g.contents(rdb)
		for key, was := range before {
			if after[key] != was {
				t.Errorf("%s: reading changed %s", when, key)
			}
		}
		if len(after) != len(before) {
			t.Errorf("%s: the keys were %v and are %v", when, slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
		}
	}
	check("in the lobby", lobby)
	check("without a place", g.browser())
	g.draw()
	g.until("the order is known", func() bool { return lobby.poll().Position != nil })
	check("in line", lobby)
	g.admit(2)
	g.until("the offer is known", func() bool { return lobby.poll().State == ropeline.PlaceOffered })
	check("offered", lobby)
	lobby.claim()
	g.until("the session is known", func() bool { return lobby.poll().State == ropeline.PlaceActive })
	check("active", lobby)
	wantStatus(t, lobby.do("DELETE", "session", ""), http.StatusNoContent)
	check("done", lobby)
	wantProblem(t, g.browser().exchange(code, ""), http.StatusConflict, "handover-closed") // and not used: reads did not use it up
	if s := lobby.poll(); s.State != ropeline.PlaceDone {
		t.Errorf("in the end: %+v", s)
	}
}
