package queue

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/batch"
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
	return s.sustain(ctx, sale, sustained{session, hold, until.UnixMilli(), how})
}

// LetGo takes back what Keep did for a hold. A session that is over is no error.
func (s *Store) LetGo(ctx context.Context, sale ropeline.SaleID, session, hold string) error {
	return s.sustain(ctx, sale, sustained{session: session, hold: hold})
}

// sustained is a slot that is kept, or let go of where until is 0.
type sustained struct {
	session, hold string
	until         int64
	how           string
}

// Slots are kept in batches, for a fan waits for it: by itself one costs Redis
// three times as much as one of 32.
const (
	sustainBatch   = 32
	sustainBacklog = 8192
	sustainTimeout = 5 * time.Second
)

func (s *Store) sustain(ctx context.Context, sale ropeline.SaleID, c sustained) error {
	_, err := s.sustainer(sale).Do(ctx, c)
	if errors.Is(err, batch.ErrClosed) {
		return s.sustainAll(ctx, sale, []sustained{c})[0].Err
	}
	return err
}

func (s *Store) sustainer(sale ropeline.SaleID) *sustainGatherer {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.sustains[sale]
	if g == nil {
		g = batch.New(sustainBatch, sustainBacklog, sustainTimeout, func(ctx context.Context, all []sustained) []batch.Result[struct{}] {
			return s.sustainAll(ctx, sale, all)
		})
		if s.closed {
			g.Close()
		}
		s.sustains[sale] = g
	}
	return g
}

func (s *Store) sustainAll(ctx context.Context, sale ropeline.SaleID, all []sustained) []batch.Result[struct{}] {
	args := make([]any, 0, 2+4*len(all))
	args = append(args, ropeline.TokenMargin.Milliseconds(), key(sale, "changed"))
	for _, c := range all {
		args = append(args, c.session, c.hold, c.until, c.how)
	}
	keys := keysOf(sale, "active", "sessions", "sids", "kept", "parties", "state", "limits")
	reply, err := s.runOn(ctx, sale, sustainScript, keys, args...)
	told, _ := reply.([]any)
	if err == nil && len(told) != len(all) {
		err = fmt.Errorf("sustain: %d answers to %d calls", len(told), len(all))
	}
	results := make([]batch.Result[struct{}], len(all))
	for i := range results {
		if results[i].Err = err; err == nil && told[i] == int64(-1) {
			results[i].Err = ErrSessionOver
		}
	}
	return results
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
