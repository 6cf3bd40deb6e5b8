package queue

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
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

	// Owned by Run.
	last    string    // the newest entry read
	counted time.Time // when the last beat was sent: others wait for this gate until gateSilent later
	trusted bool      // what was read is complete

	mu     sync.RWMutex         // guards what follows
	ended  map[string]time.Time // session id → expiry of its last token
	modes  map[string]string    // sales in which everybody or nobody passes → mode
	beatAt time.Time            // when the last beat that may be trusted was sent; monotonic
}

// ErrGateBlind means that a gate cannot tell which sessions have ended.
var ErrGateBlind = &ropeline.Error{Kind: ropeline.Unavailable, Code: "gate-blind",
	Detail: "We cannot check your admission at the moment. Nothing is lost; please try again.", RetryAfter: time.Second}

// NewRevocations returns the revocations for the gate of this name, which must
// be unique among running processes. It is blind until Run
// has read the whole list while others wait for it.
func NewRevocations(store *Store, gate string, log *slog.Logger) *Revocations {
	return &Revocations{store: store, gate: gate, log: log.With("gate", gate), last: "0-0", ended: map[string]time.Time{}}
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

// Mode says how a sale admits as far as a gate must know: in pass and stop it
// does not go by tokens. Everything else is run.
func (r *Revocations) Mode(sale ropeline.SaleID) ropeline.Mode {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if mode := ropeline.Mode(r.modes[string(sale)]); mode.Known() {
		return mode
	}
	return ropeline.ModeRun
}

// Run follows the ended sessions until ctx ends.
func (r *Revocations) Run(ctx context.Context) error {
	defer r.farewell()
	forget := time.Now()
	for ctx.Err() == nil {
		if err := r.round(ctx); err != nil {
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

// round reads and beats. What was read can only be trusted if others have
// waited for this gate since before the reading began: an entry written in
// between would be missed else. So a gate that starts, or was silent for too
// long, beats first and is trusted from the next beat on.
func (r *Revocations) round(ctx context.Context) error {
	for complete := false; !complete; {
		n, err := r.read(ctx)
		if err != nil {
			return err
		}
		complete = n < endedRead
	}
	if err := r.readModes(ctx); err != nil {
		return err
	}
	sent := time.Now()
	if _, err := r.store.run(ctx, beatScript, []string{keyGatesSeen, keyGatesAcked}, r.gate, r.last); err != nil {
		return err
	}
	r.trusted = !r.counted.IsZero() && time.Since(r.counted) < gateSilent
	r.counted = sent
	if r.trusted {
		r.mu.Lock()
		r.beatAt = sent // not when the answer came
		r.mu.Unlock()
	}
	return nil
}

// endedRead is how many entries are read in one call.
const endedRead = 1000

// read takes the entries after the last one, waiting up to a beat for the
// first unless this gate is not trusted yet, and returns how many they were.
func (r *Revocations) read(ctx context.Context) (int, error) {
	block := gateBeat
	if !r.trusted {
		block = -1 // do not wait
	}
	streams, err := r.store.rdb.XRead(ctx, &redis.XReadArgs{
		Streams: []string{keyEnded, r.last}, Count: endedRead, Block: block,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, entry := range streams[0].Messages {
		sid, _ := entry.Values["sid"].(string)
		exp, _ := entry.Values["exp"].(string)
		sec, err := strconv.ParseInt(exp, 10, 64)
		if err != nil || sid == "" {
			return 0, fmt.Errorf("entry %s of the ended sessions cannot be read", entry.ID)
		}
		r.ended[sid] = time.Unix(sec, 0)
		r.last = entry.ID
	}
	return len(streams[0].Messages), nil
}

// readModes asks anew which sales do not go by tokens: they are few.
func (r *Revocations) readModes(ctx context.Context) error {
	modes, err := r.store.rdb.HGetAll(ctx, keyModes).Result()
	if err != nil {
		return storeError("reading the modes", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.modes = modes
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
