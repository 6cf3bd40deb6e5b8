package hold

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/internal/batch"
)

const (
	// togetherMost is how many calls go to Redis together. Of 32 each costs less
	// than half of one that goes alone; a whole one takes Redis half a
	// millisecond, in which nobody else is served.
	togetherMost = 32
	// togetherBacklog bounds how many wait: a third of a second's work.
	togetherBacklog = 8192
	// togetherPatience is how long they may take. A connection that is stuck then
	// keeps nobody for longer.
	togetherPatience = 5 * time.Second
)

// call is a script on one hold. Its args begin with the clock and the hold.
type call struct {
	script *redis.Script
	show   ropeline.PerformanceID
	hold   string
	args   []any
}

// together gathers the calls that many make at once and sends those of one
// script and performance in one run of the script (see each.lua), all of them in
// one pipeline. Each has its own answer. Redis may be asked again for what has
// been done already, when an answer was lost: every script may be repeated.
type together struct {
	rdb  redis.UniversalClient
	wait *batch.Gatherer[call, []any]
}

func newTogether(rdb redis.UniversalClient) *together {
	t := &together{rdb: rdb}
	t.wait = batch.New(togetherMost, togetherBacklog, togetherPatience, t.send)
	return t
}

// do makes one call and returns its answer.
func (t *together) do(ctx context.Context, c call) ([]any, error) {
	answer, err := t.wait.Do(ctx, c)
	if errors.Is(err, batch.ErrClosed) {
		alone := t.send(ctx, []call{c})[0]
		return alone.Value, alone.Err
	}
	return answer, err
}

// lot is calls of one script on holds of one performance.
type lot struct {
	script  *redis.Script
	keys    []string
	args    []any
	members []int
	said    *redis.Cmd
}

func lots(calls []call) []*lot {
	type kind struct {
		script *redis.Script
		show   ropeline.PerformanceID
	}
	known := map[kind]*lot{}
	var all []*lot
	for i, c := range calls {
		keys := inventory.KeysOf(c.show)
		l := known[kind{c.script, c.show}]
		if l == nil {
			common := keys.For(c.hold)
			l = &lot{script: c.script, keys: common[:len(common)-1]}
			known[kind{c.script, c.show}] = l
			all = append(all, l)
		}
		l.keys = append(l.keys, keys.Hold(c.hold))
		l.args = append(append(l.args, len(c.args)), c.args...)
		l.members = append(l.members, i)
	}
	return all
}

// send sends calls, and a second time, with its text, a script that this Redis
// process has not seen yet.
func (t *together) send(ctx context.Context, calls []call) []batch.Result[[]any] {
	all := lots(calls)
	p, unseen := t.rdb.Pipeline(), t.rdb.Pipeline()
	for _, l := range all {
		l.said = l.script.EvalSha(ctx, p, l.keys, l.args...)
	}
	_, _ = p.Exec(ctx) // each answer has its own error
	for _, l := range all {
		if redis.HasErrorPrefix(l.said.Err(), "NOSCRIPT") {
			l.said = l.script.Eval(ctx, unseen, l.keys, l.args...)
		}
	}
	_, _ = unseen.Exec(ctx)
	results := make([]batch.Result[[]any], len(calls))
	for _, l := range all {
		answers, err := l.said.Slice()
		if err == nil && len(answers) != len(l.members) {
			err = fmt.Errorf("a script gave %d answers to %d calls", len(answers), len(l.members))
		}
		for n, i := range l.members {
			if err != nil {
				results[i].Err = err
				continue
			}
			results[i] = answered(answers[n])
		}
	}
	return results
}

// answered is what one call was answered.
func answered(answer any) batch.Result[[]any] {
	switch a := answer.(type) {
	case []any:
		return batch.Result[[]any]{Value: a}
	case error:
		return batch.Result[[]any]{Err: a}
	default:
		return batch.Result[[]any]{Err: fmt.Errorf("a script answered %v", a)}
	}
}
