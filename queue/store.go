package queue

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/batch"
)

// Keys are the secrets of the line. A part is given only those that it needs:
// edges the place key, the admission part and whoever publishes sales the seed
// key, the booking core none.
type Keys struct {
	Place []byte // 32 bytes: signs place tickets
	Seed  []byte // 32 bytes: encrypts the draw's seed in Redis
}

// TickInterval is how often a controller ticks a line. The rate bucket holds
// two ticks.
const TickInterval = 200 * time.Millisecond

// tickMost bounds the offers, the expiries and the departures told in one admit
// call: an offer costs Redis about 6 µs, so a call stays under 5 ms.
const tickMost = 500

// Joins are gathered: in a batch of 64 to 256 a place costs 5 to 6 µs of Redis,
// by itself 27 (docs/benchmarks.md).
const (
	joinBatch   = 256
	joinBacklog = 20_000
	joinTimeout = 5 * time.Second
)

// Store is the line in Redis. It is safe for concurrent use.
type Store struct {
	rdb  redis.UniversalClient // with MaxRetries -1: not every script may run twice
	keys Keys
	now  func() time.Time // nil: Redis's clock

	mu     sync.Mutex // guards what follows
	joins  map[ropeline.SaleID]*joinGatherer
	closed bool
}

type joinGatherer = batch.Gatherer[ropeline.PlaceID, Place]

// New returns the Store on a Redis whose client does not retry (MaxRetries -1).
func New(rdb redis.UniversalClient, keys Keys) *Store {
	return &Store{rdb: rdb, keys: keys, joins: map[ropeline.SaleID]*joinGatherer{}}
}

// WithClock returns a Store whose scripts use now instead of Redis's clock,
// for tests.
func (s *Store) WithClock(now func() time.Time) *Store {
	return &Store{rdb: s.rdb, keys: s.keys, now: now, joins: map[ropeline.SaleID]*joinGatherer{}}
}

// Close waits for the joins that are under way and refuses further ones.
func (s *Store) Close() {
	s.mu.Lock()
	s.closed = true
	joins := slices.Collect(maps.Values(s.joins))
	s.mu.Unlock()
	for _, g := range joins {
		g.Close()
	}
}

// Ping reports whether Redis answers.
func (s *Store) Ping(ctx context.Context) error {
	return storeError("ping", s.rdb.Ping(ctx).Err())
}

// The keys. One hash tag a sale.
func key(sale ropeline.SaleID, name string) string { return "ropeline:{" + string(sale) + "}:" + name }

const (
	keySales      = "ropeline:sales"
	keyGatesSeen  = "ropeline:{gates}:seen"
	keyGatesAcked = "ropeline:{gates}:acknowledged"
	keyEnded      = "ropeline:{gates}:ended"
)

// A script is one Lua file with the shared prelude before it.
type script struct {
	name string
	*redis.Script
}

//go:embed lua/prelude.lua
var prelude string

func newScript(name, source string) script {
	return script{name, redis.NewScript(prelude + source)}
}

// run evaluates a script. ARGV[1] is the clock of every script.
func (s *Store) run(ctx context.Context, sc script, keys []string, args ...any) (any, error) {
	clock := ""
	if s.now != nil {
		clock = fmt.Sprint(s.now().UnixMicro())
	}
	reply, err := sc.Run(ctx, s.rdb, keys, append([]any{clock}, args...)...).Result()
	if err != nil {
		return nil, storeError(sc.name, err)
	}
	return reply, nil
}

// storeError tells an error that a script answered with from a Redis that
// cannot be reached or is not ready.
func storeError(doing string, err error) error {
	if err == nil {
		return nil
	}
	if reply, ok := errors.AsType[redis.Error](err); ok {
		code, _, _ := strings.Cut(reply.Error(), " ")
		switch code {
		case "SALE":
			return ropeline.ErrSaleUnknown
		case "ENDED":
			return ErrSaleEnded
		case "NOOFFER":
			return ErrNoOffer
		case "EXPIRED":
			return ErrOfferExpired
		case "OVER":
			return ErrSessionOver
		case "MISMATCH", "OPEN":
			return errDrawIncomplete
		case "CLOSED":
			return ErrLobbyClosed
		case "LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MISCONF", "BUSY":
			return ropeline.ErrStoreAway.Because(fmt.Errorf("%s: %w", doing, err))
		}
		return fmt.Errorf("%s: %w", doing, err)
	}
	return ropeline.ErrStoreAway.Because(fmt.Errorf("%s: %w", doing, err))
}

// What a fan may be told about their place.
var (
	ErrPlaceUnknown = &ropeline.Error{Kind: ropeline.Gone, Code: "place-gone", Detail: "This place is not in the line any more."}
	ErrSaleEnded    = &ropeline.Error{Kind: ropeline.Gone, Code: "sale-ended", Detail: "This sale is over."}
	ErrNoOffer      = &ropeline.Error{Kind: ropeline.Conflict, Code: "no-offer", Detail: "It is not your turn yet."}
	ErrOfferExpired = &ropeline.Error{Kind: ropeline.Gone, Code: "offer-expired", Detail: "Your turn came and was not taken in time."}
	ErrSessionOver  = &ropeline.Error{Kind: ropeline.Gone, Code: "session-over", Detail: "Your time in the shop is over."}

	// ErrLobbyClosed refuses a settings document that moves a close which has
	// passed.
	ErrLobbyClosed = &ropeline.Error{Kind: ropeline.Conflict, Code: "lobby-closed",
		Detail: "The lobby has closed: lobby_closes_at cannot be changed any more."}

	errDrawIncomplete = errors.New("the lobby is open, or the drawing is not of its entrants")
)

// margin is ropeline.TokenMargin in whole seconds, as the scripts want it.
const margin = int64(ropeline.TokenMargin / time.Second)
