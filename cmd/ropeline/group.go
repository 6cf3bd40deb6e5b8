package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// part is one thing that runs until its context ends.
type part struct {
	name string
	run  func(context.Context) error
}

// runAll starts the parts in their order and waits until ctx ends or one of
// them does. Then it stops them one by one in the reverse order, each after
// the one before has ended: who takes requests comes last in the list and so
// stops first, and what it depends on is still there while it drains.
func runAll(ctx context.Context, log *slog.Logger, parts ...part) error {
	type running struct {
		part
		stop context.CancelFunc
		done chan error
	}
	started := make([]running, len(parts))
	first := make(chan error, len(parts))
	for i, p := range parts {
		partCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
		defer stop()
		started[i] = running{p, stop, make(chan error, 1)}
		go func() {
			err := p.run(partCtx)
			if err != nil {
				err = fmt.Errorf("%s: %w", p.name, err)
			} else if partCtx.Err() == nil {
				err = fmt.Errorf("%s ended on its own", p.name)
			}
			first <- err
			started[i].done <- err
		}()
	}
	select {
	case <-ctx.Done():
	case err := <-first:
		log.Error("a part ended, so the others are stopped", "err", err)
	}
	var errs []error
	for i := len(started) - 1; i >= 0; i-- {
		started[i].stop()
		errs = append(errs, <-started[i].done)
	}
	return errors.Join(errs...)
}
