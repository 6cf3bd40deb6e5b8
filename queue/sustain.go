package queue

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
)

//go:embed lua/sustain.lua
var sustainSource string
var sustainScript = newScript("sustain", sustainSource)

// Keep keeps the slot of a session at least until then, because it has this hold
// or, if it pays, this payment: it does not end before, though its page sleeps
// and no token is renewed. It fails with ErrSessionOver.
func (s *Store) Keep(ctx context.Context, sale ropeline.SaleID, session, hold string, until time.Time, pays bool) error {
	how := ""
	if pays {
		how = "p"
	}
	return s.sustain(ctx, sale, session, hold, until.UnixMilli(), how)
}

// LetGo takes back what Keep did for a hold. A session that is over is no error.
func (s *Store) LetGo(ctx context.Context, sale ropeline.SaleID, session, hold string) error {
	return s.sustain(ctx, sale, session, hold, 0, "")
}

func (s *Store) sustain(ctx context.Context, sale ropeline.SaleID, session, hold string, until int64, how string) error {
	keys := keysOf(sale, "active", "sessions", "sids", "kept", "parties", "state", "limits")
	reply, err := s.runOn(ctx, sale, sustainScript, keys, session, hold, until, how, ropeline.TokenMargin.Milliseconds())
	if err != nil {
		return err
	}
	if place, _ := reply.(string); place != "" {
		s.announce(ctx, sale, ropeline.PlaceID(place)) // its edge remembers it, for a loss
	}
	return nil
}

// Ended is a session that was ended before its time: by its fan, by the shop or by
// staff.
type Ended struct {
	Sale    ropeline.SaleID
	Session string
}

// endedAgain is how long ago ends are told again by FollowEnded when it starts.
const endedAgain = time.Minute

// FollowEnded tells of every session that is ended, until ctx ends; of those of
// the last minute when it starts. Each is told once or more.
func (s *Store) FollowEnded(ctx context.Context, tell func(context.Context, Ended)) error {
	last := fmt.Sprint(s.time().Add(-endedAgain).UnixMilli())
	for ctx.Err() == nil {
		streams, err := s.rdb.XRead(ctx, &redis.XReadArgs{Streams: []string{keyEnded, last}, Count: endedRead, Block: gateBeat}).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			select { // Redis is away, and others say so
			case <-ctx.Done():
			case <-time.After(gateBeat):
			}
			continue
		}
		for _, stream := range streams {
			for _, entry := range stream.Messages {
				last = entry.ID
				sid, _ := entry.Values["sid"].(string)
				sale, _ := entry.Values["sale"].(string)
				if sid != "" && sale != "" { // an older program says no sale
					tell(ctx, Ended{ropeline.SaleID(sale), sid})
				}
			}
		}
	}
	return nil
}
