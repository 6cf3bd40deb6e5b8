// Package periodic does something again and again: what a background loop of any part is,
// where nothing is special about it.
package periodic

import (
	"context"
	"log/slog"
	"time"
)

// Run calls round now and then every so often, until ctx ends. What fails is logged, as what
// does not happen, and tried again in its turn. The round bounds its own time.
func Run(ctx context.Context, every time.Duration, log *slog.Logger, trouble string, round func(context.Context) error) error {
	return Drain(ctx, every, log, trouble, func(ctx context.Context) (more bool, err error) { return false, round(ctx) })
}

// Drain is Run for what takes some of what there is in a round: while there is more, the next
// one follows at once. One that fails waits for its turn whatever there is.
func Drain(ctx context.Context, every time.Duration, log *slog.Logger, trouble string, round func(context.Context) (more bool, err error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		more, err := round(ctx)
		if err != nil && ctx.Err() == nil { // what the end has cut off is no trouble
			log.Warn(trouble, "err", err)
		}
		if more && err == nil && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
