package main

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline/internal/dial"
	"github.com/ropeline/ropeline/queue"
)

// edges follow the sale in this process, each with a connection of its own.
type edges struct {
	lines   []*queue.Line
	running *errgroup.Group
	ctx     context.Context // over when one of them has failed
	stop    context.CancelFunc
	rdbs    []io.Closer
}

// follow starts so many edges and returns when all have a view of the line; the
// caller closes them.
func (b *bed) follow(ctx context.Context, n int) (*edges, error) {
	ctx, stop := context.WithCancel(ctx)
	e := &edges{stop: stop}
	e.running, e.ctx = errgroup.WithContext(ctx)
	for range n {
		rdb, err := dial.Redis(b.url)
		if err != nil {
			return nil, errors.Join(err, e.Close())
		}
		e.rdbs = append(e.rdbs, rdb)
		line := queue.NewLine(queue.New(rdb, keys), sale, slog.New(slog.DiscardHandler))
		e.lines = append(e.lines, line)
		e.running.Go(func() error { return line.Run(e.ctx) })
		select {
		case <-line.Ready():
		case <-e.ctx.Done():
			return nil, errors.Join(context.Cause(e.ctx), e.Close())
		}
	}
	return e, nil
}

// Close ends the edges and returns what one of them failed with.
func (e *edges) Close() error {
	e.stop()
	err := e.running.Wait()
	for _, rdb := range e.rdbs {
		err = errors.Join(err, rdb.Close())
	}
	return err
}
