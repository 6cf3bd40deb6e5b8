package periodic_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline/internal/periodic"
)

// A round that fails is told of and comes again; the end ends it without a word.
func TestRoundsComeAgain(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	var said bytes.Buffer
	rounds := 0
	err := periodic.Run(ctx, time.Millisecond, slog.New(slog.NewTextHandler(&said, nil)), "nobody is told", func(ctx context.Context) error {
		if rounds++; rounds == 3 {
			end()
			return ctx.Err()
		}
		return errors.New("away")
	})
	if err != nil || rounds != 3 {
		t.Errorf("%d rounds, %v", rounds, err)
	}
	if told := strings.Count(said.String(), `msg="nobody is told" err=away`); told != 2 || strings.Contains(said.String(), "canceled") {
		t.Errorf("2 rounds failed; it said: %s", &said)
	}
}

// While there is more nobody waits for the time; after a failure everybody does.
func TestWhatThereIsIsDrained(t *testing.T) {
	for name, c := range map[string]struct {
		end    int // in this round nothing is left, or it fails
		fails  error
		rounds int
	}{
		"until nothing is left": {5, nil, 5},
		"until one fails":       {3, errors.New("away"), 3},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, end := context.WithTimeout(t.Context(), time.Minute)
			defer end()
			rounds := 0
			err := periodic.Drain(ctx, time.Hour, slog.New(slog.DiscardHandler), "it is not drained", func(context.Context) (bool, error) {
				if rounds++; rounds < c.end {
					return true, nil
				}
				time.AfterFunc(10*time.Millisecond, end) // one more would have come by then
				return c.fails != nil, c.fails
			})
			if err != nil || rounds != c.rounds {
				t.Errorf("%d rounds of %d, %v", rounds, c.rounds, err)
			}
		})
	}
}
