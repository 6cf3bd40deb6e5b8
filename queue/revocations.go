package queue

import (
	"context"
	_ "embed"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
)

//go:embed lua/beat.lua
var beatSource string
var beatScript = newScript("beat", beatSource)

// Revocations tells a gate which sessions ended before their tokens expired.
// It follows the list of ended sessions, acknowledges what it has read and
// says every half second that it lives. The edge that ends a session gives its
// slot away only after every living gate has acknowledged; so a gate that
// cannot say that it lives refuses everybody (ErrGateBlind) before the others
// stop waiting for it.
type Revocations struct {
	// Static after NewRevocations.
	store *Store
	gate  string
	log   *slog.Logger

	mu     sync.RWMutex         // guards what follows
	ended  map[string]time.Time // session id → expiry of its last token
	beatAt time.Time            // when the last beat that arrived was sent; monotonic
}

// ErrGateBlind means that a gate cannot tell which sessions have ended.
var ErrGateBlind = &ropeline.Error{Kind: ropeline.Unavailable, Code: "gate-blind",
	Detail: "We cannot check your admission at the moment. Nothing is lost; please try again.", RetryAfter: time.Second}

// NewRevocations returns the revocations for the gate of this name, which must
// be unique among running processes. It is blind until Run has read the list.
func NewRevocations(store *Store, gate string, log *slog.Logger) *Revocations {
	return &Revocations{store: store, gate: gate, log: log.With("gate", gate), ended: map[string]time.Time{}}
}

// Ended reports whether a session is over, or ErrGateBlind.
func (r *Revocations) Ended(session string) (bool, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.beatAt.IsZero() || time.Since(r.beatAt) > gateBlind {
		return false, ErrGateBlind
	}
	_, over := r.ended[session]
	return over, nil
}

// Run follows the ended sessions until ctx ends.
func (r *Revocations) Run(ctx context.Context) error {
	defer r.farewell()
	last := "0-0"
	forget := time.Now()
	for ctx.Err() == nil {
		var err error
		if last, err = r.read(ctx, last); err == nil {
			err = r.beat(ctx, last)
		}
		if err != nil {
			if ctx.Err() == nil {
				r.log.Warn("following ended sessions", "err", err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(gateBeat):
			}
			continue
		}
		if time.Since(forget) > time.Minute {
			forget = time.Now()
			r.forget(forget)
		}
	}
	return nil
}

// read takes the entries after last, waiting up to a beat for the first, and
// returns the id of the last one read.
func (r *Revocations) read(ctx context.Context, last string) (string, error) {
	streams, err := r.store.rdb.XRead(ctx, &redis.XReadArgs{
		Streams: []string{keyEnded, last}, Count: 1000, Block: gateBeat,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return last, nil
	}
	if err != nil {
		return last, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, entry := range streams[0].Messages {
		sid, _ := entry.Values["sid"].(string)
		exp, _ := entry.Values["exp"].(string)
		sec, err := strconv.ParseInt(exp, 10, 64)
		if err != nil || sid == "" {
			r.log.Error("an ended session cannot be read", "entry", entry.ID)
			continue
		}
		r.ended[sid] = time.Unix(sec, 0)
		last = entry.ID
	}
	return last, nil
}

// beat acknowledges what was read. The gate may trust its list from the moment
// the beat was sent, not from when its answer came.
func (r *Revocations) beat(ctx context.Context, last string) error {
	sent := time.Now()
	if _, err := r.store.run(ctx, beatScript, []string{keyGatesSeen, keyGatesAcked}, r.gate, last); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.beatAt = sent
	return nil
}

// forget drops sessions whose last token nobody accepts any more.
func (r *Revocations) forget(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for sid, exp := range r.ended {
		if now.Sub(exp) > ropeline.TokenMargin {
			delete(r.ended, sid)
		}
	}
}

// farewell takes the gate off the list, so that nobody waits for one that went
// in good order.
func (r *Revocations) farewell() {
	r.mu.Lock()
	r.beatAt = time.Time{}
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := r.store.rdb.ZRem(ctx, keyGatesSeen, r.gate).Err(); err != nil {
		r.log.Warn("taking the gate off the list", "err", err)
	}
}
