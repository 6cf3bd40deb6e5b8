package sockets

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/ropeline/ropeline/internal/bench"
)

// spans are how long things take that need time rather than work.
type spans struct {
	settle time.Duration // after the handshakes, whose garbage is not a push's cost
	watch  time.Duration // some pushes of those far behind, and a ping of each
	rounds int           // of raw writes
}

// spansOf gives a test that only looks whether this still works less of them.
func spansOf(p bench.Plan) spans {
	if p.Scale < 0.1 {
		return spans{time.Second, 6 * time.Second, 1}
	}
	return spans{5 * time.Second, 20 * time.Second, 3}
}

// costs is what sockets cost in one run.
type costs struct {
	memory, plain float64 // KB a socket: the edge's, and the library's alone
	push, raw     float64 // µs a frame: the edge's, and one write's
}

func costRows(ctx context.Context, p bench.Plan, out io.Writer) ([]bench.Row, error) {
	sockets := p.Of(19_000)
	if err := checkRoom(sockets); err != nil {
		return nil, err
	}
	var memory, plain, push, raw []float64
	for n := range p.Runs {
		c, err := measureCosts(ctx, sockets, spansOf(p))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(out, "run %d: %.2f KB a socket (library alone %.2f), %.2f µs a push (raw write %.2f)\n", n+1, c.memory, c.plain, c.push, c.raw)
		memory, plain = append(memory, c.memory), append(plain, c.plain)
		push, raw = append(push, c.push), append(raw, c.raw)
	}
	return []bench.Row{
		bench.Compare(fmt.Sprintf("memory of the edge a waiting socket, %d in one process", sockets), "KB", memory,
			"coder/websocket on net/http, no place", plain).AtMost(6),
		bench.Compare("edge CPU a pushed position, same", "µs", push,
			"one write(2) of as many bytes to as many sockets, same pace", raw).RatioAtMost(1.6),
	}, nil
}

// moving is how many are offered a minute where nothing but the line's moving
// counts: few, because who was offered is not told of the line any more.
const moving = 600

func measureCosts(ctx context.Context, sockets int, t spans) (c costs, err error) {
	s, err := newScene(ctx, sockets+moving, moving)
	if err != nil {
		return c, err
	}
	defer closing(&err, s)
	size, pace, err := measureEdge(ctx, s, sockets, t, &c)
	if err != nil {
		return c, fmt.Errorf("edge: %w", err)
	}
	if c.raw, err = measureRaw(ctx, s, sockets, size, pace, t.rounds); err != nil {
		return c, fmt.Errorf("raw writes: %w", err)
	}
	if c.plain, err = measurePlain(ctx, s, sockets); err != nil {
		return c, fmt.Errorf("library alone: %w", err)
	}
	return c, nil
}

// perSocket is the memory that a server has taken for each socket, in KB.
func (p *pair) perSocket() (float64, error) {
	full, err := p.server.rss()
	return (full - p.empty) / 1024 / float64(p.sockets), err
}

// measureEdge returns the size of a frame and how many were pushed a second.
func measureEdge(ctx context.Context, s *scene, sockets int, t spans, c *costs) (size int, pace float64, err error) {
	p, err := newPair(ctx, s, "edge", sockets, 0)
	if err != nil {
		return 0, 0, err
	}
	defer closing(&err, p)
	if err := p.opened(ctx); err != nil {
		return 0, 0, err
	}
	if err := pass(ctx, t.settle); err != nil {
		return 0, 0, err
	}
	before, err := p.whole(ctx)
	if err != nil {
		return 0, 0, err
	}
	used, err := p.server.cpu()
	if err != nil {
		return 0, 0, err
	}
	if err := pass(ctx, t.watch); err != nil {
		return 0, 0, err
	}
	after, err := p.whole(ctx)
	if err != nil {
		return 0, 0, err
	}
	now, err := p.server.cpu()
	if err != nil {
		return 0, 0, err
	}
	frames := after.frames - before.frames
	if frames < int64(sockets) {
		return 0, 0, fmt.Errorf("%d frames came for %d sockets in %s", frames, sockets, t.watch)
	}
	c.push = (now - used).Seconds() * 1e6 / float64(frames)
	c.memory, err = p.perSocket()
	const head = 4 // of a frame of this size
	return int((after.bytes-before.bytes)/frames) - head, float64(frames) / t.watch.Seconds(), err
}

func measurePlain(ctx context.Context, s *scene, sockets int) (kb float64, err error) {
	p, err := newPair(ctx, s, "plain", sockets, 0)
	if err != nil {
		return 0, err
	}
	defer closing(&err, p)
	if err := p.opened(ctx); err != nil {
		return 0, err
	}
	if _, err := p.whole(ctx); err != nil {
		return 0, err
	}
	return p.perSocket()
}

// measureRaw writes to each socket some times, as many frames a second as the
// edge did.
func measureRaw(ctx context.Context, s *scene, sockets, size int, pace float64, rounds int) (us float64, err error) {
	p, err := newPair(ctx, s, "raw", sockets, 0)
	if err != nil {
		return 0, err
	}
	defer closing(&err, p)
	if err := p.opened(ctx); err != nil {
		return 0, err
	}
	used, err := p.server.cpu()
	if err != nil {
		return 0, err
	}
	for range rounds {
		if err := p.server.say(fmt.Sprintf("write %d %f", size, pace)); err != nil {
			return 0, err
		}
		if _, err := p.server.hear(ctx, "written", nil); err != nil {
			return 0, err
		}
	}
	now, err := p.server.cpu()
	if err != nil {
		return 0, err
	}
	if _, err := p.whole(ctx); err != nil {
		return 0, err
	}
	return (now - used).Seconds() * 1e6 / float64(rounds*sockets), nil
}
