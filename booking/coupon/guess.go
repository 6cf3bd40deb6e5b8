package coupon

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
)

//go:embed lua/guess.lua
var guessText string

var guess = redis.NewScript(guessText)

const (
	// guessMost is how many wrong codes somebody may bring in a guessWindow. A
	// code has 120 bits: this is for those who try, and for who tries to keep us busy.
	guessMost   = 10
	guessWindow = time.Minute
)

func guessKey(who string) string { return "ropeline:coupon:guesses:" + who }

// guess counts a code that somebody brings, before it is looked at, so that a
// thousand at once are no way round. It is not heard while too many were wrong.
func (s *Store) guess(ctx context.Context, who string) error {
	wait, err := guess.Run(ctx, s.rdb, []string{guessKey(who)}, guessMost, guessWindow.Milliseconds()).Int64()
	if err != nil { // closed: nobody guesses uncounted
		return ropeline.ErrStoreAway.Because(fmt.Errorf("counting the codes of %s: %w", who, err))
	}
	if wait > 0 {
		e := *ErrGuesses
		e.RetryAfter = time.Duration(wait) * time.Millisecond
		return &e
	}
	return nil
}

// guessed forgets a code that was right.
func (s *Store) guessed(ctx context.Context, who string) {
	_, _ = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error { // else it counts as wrong, for a minute
		p.Decr(ctx, guessKey(who))
		p.ExpireNX(ctx, guessKey(who), guessWindow) // the counter may have ended meanwhile
		return nil
	})
}
