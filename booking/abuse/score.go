package abuse

import (
	"context"
	_ "embed"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
)

//go:embed lua/score.lua
var scoreText string

//go:embed lua/try.lua
var tryText string

//go:embed lua/untry.lua
var untryText string

var (
	score = redis.NewScript(scoreText)
	try   = redis.NewScript(tryText)
	untry = redis.NewScript(untryText)
)

// prefix is of every key here. One hash tag: a script counts several subjects at once.
const prefix = "ropeline:{abuse}:"

func (m mark) key() string { return prefix + string(m.signal) + ":" + string(m.Kind) + ":" + m.Name }

// clock is the first argument of every script.
func (g *Guard) clock() string {
	if g.fixed == nil {
		return ""
	}
	return strconv.FormatInt(g.fixed().UnixMilli(), 10)
}

// point is what a subject is to be counted for.
type point struct {
	mark
	points float64
}

// Rung is where a subject stands on a ladder.
type Rung struct {
	Signal Signal           `json:"signal"`
	Score  float64          `json:"score" doc:"points"`
	Waits  int              `json:"waits" doc:"that are not forgiven"`
	Left   ropeline.Seconds `json:"wait" doc:"seconds that are left of the last one"`
	wait   time.Duration
	began  bool
	block  bool
}

// score counts points and does what comes of them.
func (g *Guard) score(ctx context.Context, points []point) error {
	rungs, err := g.count(ctx, points)
	if err != nil {
		return err
	}
	for i, s := range rungs {
		m := points[i].mark
		g.remember(m, s.wait)
		if s.began {
			g.metrics.waits.WithLabelValues(string(m.signal), string(m.Kind)).Inc()
		}
		if s.block {
			if err := g.block(ctx, m, s); err != nil { // they wait; the next time is another try
				g.log.Warn("abuse: somebody is not blocked yet", "signal", m.signal, "kind", m.Kind, "err", err)
			}
		}
	}
	return nil
}

// count counts points. Of points other than 0 it tells the score only of who waits.
func (g *Guard) count(ctx context.Context, points []point) ([]Rung, error) {
	if len(points) == 0 {
		return nil, nil
	}
	keys, args := make([]string, len(points)), []any{g.clock(), 0}
	type kind struct {
		signal Signal
		of     Kind
	}
	numbers := map[kind]int{} // of the ladders: many stand on one
	for _, p := range points {
		k := kind{p.signal, p.Kind}
		if numbers[k] > 0 {
			continue
		}
		numbers[k] = len(numbers) + 1
		ladders := g.policy.ladders(p.signal)
		l := ladders.of(p.Kind)
		args = append(args, max(1, ladders.HalfLife.Duration().Milliseconds()), strconv.FormatFloat(l.Slow, 'g', -1, 64),
			l.FirstWait.Duration().Milliseconds(), l.LongestWait.Duration().Milliseconds(), l.Waits, max(1, l.Forgive.Duration().Milliseconds()),
			ladders.life(p.Kind).Milliseconds())
	}
	args[1] = len(numbers)
	for i, p := range points {
		keys[i] = p.key()
		args = append(args, strconv.FormatFloat(p.points, 'g', -1, 64), numbers[kind{p.signal, p.Kind}])
	}
	answers, err := score.Run(ctx, g.rdb, keys, args...).Slice()
	if err != nil {
		return nil, wrap("counting", err)
	}
	rungs := make([]Rung, len(points))
	for i := range points {
		if i >= len(answers) {
			return nil, fmt.Errorf("counting: %d answers to %d points", len(answers), len(points))
		}
		if rungs[i], err = rung(points[i].signal, answers[i]); err != nil {
			return nil, err
		}
	}
	return rungs, nil
}

func rung(signal Signal, answer any) (Rung, error) {
	if answer == int64(0) {
		return Rung{Signal: signal}, nil
	}
	a, ok := answer.([]any)
	if !ok || len(a) != 5 {
		return Rung{}, fmt.Errorf("counting: the script answered %v", answer)
	}
	var n [4]int64
	for i := range n {
		if n[i], ok = a[i].(int64); !ok {
			return Rung{}, fmt.Errorf("counting: the script answered %v", answer)
		}
	}
	text, _ := a[4].(string)
	sum, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return Rung{}, fmt.Errorf("counting: the script answered %v", answer)
	}
	wait := time.Duration(n[0]) * time.Millisecond
	return Rung{Signal: signal, Score: sum, Waits: int(n[3]), Left: ropeline.Seconds(math.Ceil(wait.Seconds())), wait: wait, began: n[1] == 1, block: n[2] == 1}, nil
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
