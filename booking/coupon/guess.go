package coupon

import (
	"context"
	"fmt"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/tries"
)

// guesses is how many wrong codes somebody may bring. A code has 120 bits: this is for
// those who try, and for who tries to keep us busy.
var guesses = tries.Limit{Most: 10, Window: time.Minute}

func guessKey(who string) string { return "ropeline:coupon:guesses:" + who }

// guess counts a code that somebody brings, before it is looked at. It is not heard while
// too many were wrong.
func (s *Store) guess(ctx context.Context, who string) error {
	wait, err := guesses.Take(ctx, s.rdb, guessKey(who))
	if err != nil {
		return ropeline.ErrStoreAway.Because(fmt.Errorf("codes of %s: %w", who, err))
	}
	if wait > 0 {
		e := *ErrGuesses
		e.RetryAfter = wait
		return &e
	}
	return nil
}

// guessed forgets a code that was right.
func (s *Store) guessed(ctx context.Context, who string) { guesses.Back(ctx, s.rdb, guessKey(who)) }
