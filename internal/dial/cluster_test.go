package dial_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/internal/dial"
)

// go-redis repeats a command to a cluster whose answer did not come, although
// MaxRetries is -1; a script that is not idempotent would run twice.
func TestNoCommandToAClusterRunsTwice(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), devtest.Cluster(t)
	hasty, err := dial.Redis(c.URL + "&read_timeout=100ms")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hasty.Close() })
	if err := hasty.Get(ctx, "{once}").Err(); err != redis.Nil { // connected, and knows who has the slot
		t.Fatal(err)
	}
	err = hasty.Eval(ctx, `
		local function ms() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end
		local began = ms()
		repeat until ms() - began > 400
		return redis.call('INCR', KEYS[1])`, []string{"{once}"}).Err()
	if err == nil {
		t.Fatal("the answer came in time: nothing was tried")
	}
	if n, err := c.Client.Get(ctx, "{once}").Int(); err != nil || n != 1 {
		t.Errorf("the script ran %d times, %v; its error was %v", n, err, err)
	}
}

// Nodes of one machine have one clock: what is measured beyond that is the
// measuring.
func TestSkewOfACluster(t *testing.T) {
	t.Parallel()
	masters, skew, err := dial.Skew(t.Context(), devtest.Cluster(t).Client)
	if err != nil || masters != 3 || skew > 2*time.Second {
		t.Errorf("%d masters, whose clocks are %v apart, %v; want three with one clock", masters, skew, err)
	}
}
