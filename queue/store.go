package queue

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed" // the scripts
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
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
	Code  []byte // 32 bytes: what of codes is kept is made with it; nil: no codes
}

// TickInterval is how often a controller ticks a line. The rate bucket holds
// two ticks.
const TickInterval = 200 * time.Millisecond

// tickMost bounds the expiries and the departures told in one admit call,
// offerMost its offers: one costs Redis 3 to 6 µs, so that the longest call of
// a tick stays under 5 ms on a machine that is busy with other things, too. What
// is left is taken by the next tick, at once.
const (
	tickMost  = 500
	offerMost = 500
)

// Joins are gathered: in a batch of 64 to 256 a place costs 2 to 4 µs of Redis,
// by itself 30 to 40 (docs/benchmarks.md). Two batches of 128 follow each other
// without a gap; one of 256 leaves Redis idle while its callers are woken.
const (
	joinBatch   = 128
	joinBacklog = 20_000
	joinTimeout = 5 * time.Second
)

// Store is the line in Redis. It is safe for concurrent use.
type Store struct {
	rdb       redis.UniversalClient // with MaxRetries -1: not every script may run twice
	keys      Keys
	edge      string           // names this process among the edges
	now       func() time.Time // nil: Redis's clock
	stopwatch func() time.Time // our own clock, which nobody sets
	random    io.Reader        // seeds of draws
	most      int64            // offers in one call: offerMost, or fewer in a test

	archive   Archive   // nil: none
	book      CodeBook  // nil: codes are in Redis only
	limitBook LimitBook // nil: changes of limits are in Redis and with the edges only
	ears      ears
	stocks    stocks

	mu       sync.Mutex // guards what follows
	tickets  map[ropeline.SaleID]*ticketKey
	joins    map[lineID]*joinGatherer
	sustains map[ropeline.SaleID]*sustainGatherer
	seen     map[ropeline.SaleID]shape // sales that were there once, and their lines: one that is not there any more was lost
	clocks   map[ropeline.SaleID]*clockWatch
	modes    map[ropeline.SaleID]toldMode  // what gates were told last
	uses     map[ropeline.SaleID][]CodeUse // the last that were taken here
	closed   bool
}

type (
	joinGatherer    = batch.Gatherer[entry, Place]
	sustainGatherer = batch.Gatherer[sustained, struct{}]
)

// New returns the Store on a Redis whose client does not retry (MaxRetries -1).
func New(rdb redis.UniversalClient, keys Keys) *Store {
	return &Store{
		rdb: rdb, keys: keys, edge: strings.ToLower(rand.Text()), most: offerMost,
		stopwatch: time.Now, random: rand.Reader, clocks: map[ropeline.SaleID]*clockWatch{}, tickets: map[ropeline.SaleID]*ticketKey{},
		joins: map[lineID]*joinGatherer{}, sustains: map[ropeline.SaleID]*sustainGatherer{}, seen: map[ropeline.SaleID]shape{}, modes: map[ropeline.SaleID]toldMode{}, uses: map[ropeline.SaleID][]CodeUse{},
		stocks: stocks{bySale: map[ropeline.SaleID]*knownStock{}},
	}
}

// WithClock returns a Store whose scripts use now instead of Redis's clock,
// for tests.
func (s *Store) WithClock(now func() time.Time) *Store {
	other := New(s.rdb, s.keys)
	other.now, other.stopwatch = now, now
	return other
}

// time is Redis's clock as far as a test set it, else ours.
func (s *Store) time() time.Time {
	if s.now != nil {
		return s.now()
	}
	return time.Now()
}

// Close waits for the joins and the slots that are being kept. It refuses further
// joins; slots are kept one by one then.
func (s *Store) Close() {
	s.mu.Lock()
	s.closed = true
	joins, sustains := slices.Collect(maps.Values(s.joins)), slices.Collect(maps.Values(s.sustains))
	s.mu.Unlock()
	for _, g := range joins {
		g.Close()
	}
	for _, g := range sustains {
		g.Close()
	}
}

// Ping reports whether Redis answers.
func (s *Store) Ping(ctx context.Context) error {
	return storeError("ping", s.rdb.Ping(ctx).Err())
}

// key names a key of a sale's capacity slot. Its lines have slots of their own.
func key(sale ropeline.SaleID, name string) string { return "ropeline:{" + string(sale) + "}:" + name }

// keysOf names several.
func keysOf(sale ropeline.SaleID, names ...string) []string {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = key(sale, name)
	}
	return keys
}

const (
	keySales      = "ropeline:sales"
	keyGatesSeen  = "ropeline:{gates}:seen"
	keyGatesAcked = "ropeline:{gates}:acknowledged"
	keyEnded      = "ropeline:{gates}:ended"
)

// A script is one Lua file with the shared prelude before it, and a library of
// functions of its own in Redis: what EVALSHA does anew in each call, 20 to 40 µs
// where one comes every 200 ms (the prelude, and asking which server this is), a
// library does once. Its name has a hash of the text in it, so that programs of
// several versions may use one Redis.
type script struct {
	name    string
	library string
	text    string
}

//go:embed lua/prelude.lua
var prelude string

func newScript(name, source string) script {
	sum := sha256.Sum256([]byte(prelude + source))
	library := "ropeline_" + strings.ReplaceAll(name, " ", "_") + "_" + hex.EncodeToString(sum[:6])
	text := "#!lua name=" + library + "\nlocal KEYS, ARGV\n" + prelude +
		"\nredis.register_function('" + library + "', function(keys, args)\nKEYS, ARGV = keys, args\n" + source + "\nend)\n"
	return script{name, library, text}
}

// run calls a script. ARGV[1] is the clock of every script.
func (s *Store) run(ctx context.Context, sc script, keys []string, args ...any) (any, error) {
	args = append([]any{s.clock()}, args...)
	reply, err := s.rdb.FCall(ctx, sc.library, keys, args...).Result()
	if isMissing(err) {
		if err = s.load(ctx, sc); err == nil {
			reply, err = s.rdb.FCall(ctx, sc.library, keys, args...).Result()
		}
	}
	if isMissing(err) { // another server took over in between
		return nil, ropeline.ErrStoreAway.Because(fmt.Errorf("%s: %w", sc.name, err))
	}
	return reply, storeError(sc.name, err)
}

// isMissing reports whether a server has not heard of a script yet: it is new,
// lost its data, or took over from one that had not told it. There is no code
// for that, only the text.
func isMissing(err error) bool {
	reply, ok := errors.AsType[redis.Error](err)
	return ok && reply.Error() == "ERR Function not found"
}

// load tells the servers a script.
func (s *Store) load(ctx context.Context, sc script) error {
	if cluster, ok := s.rdb.(interface {
		ForEachMaster(context.Context, func(context.Context, *redis.Client) error) error
	}); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			err := node.FunctionLoadReplace(ctx, sc.text).Err()
			if _, answered := errors.AsType[redis.Error](err); err != nil && !answered {
				return nil // it is down: whoever wants something of it will hear
			}
			return err
		})
	}
	return s.rdb.FunctionLoadReplace(ctx, sc.text).Err()
}

// runOn is run for a sale: one that was there and is not any more was lost
// with its server, and is being put together again.
func (s *Store) runOn(ctx context.Context, sale ropeline.SaleID, sc script, keys []string, args ...any) (any, error) {
	reply, err := s.run(ctx, sc, keys, args...)
	return reply, s.lost(sale, err)
}

func (s *Store) lost(sale ropeline.SaleID, err error) error {
	if errors.Is(err, ropeline.ErrSaleUnknown) && s.wasSeen(sale) {
		return errLost
	}
	return err
}

func (s *Store) see(sale ropeline.SaleID, sh shape) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[sale] = sh
}

func (s *Store) wasSeen(sale ropeline.SaleID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[sale].shards > 0
}

func (s *Store) clock() string {
	if s.now == nil {
		return ""
	}
	return strconv.FormatInt(s.now().UnixMicro(), 10)
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
		case "NEARED":
			return ErrNearTold
		case "FULL":
			return ErrNearFull
		case "NOOFFER":
			return ErrNoOffer
		case "EXPIRED":
			return ErrOfferExpired
		case "OVER":
			return ErrSessionOver
		case "KEPT":
			return ErrSessionHolds
		case "ELSEWHERE":
			return ErrPlaceMoved
		case "NOCODE":
			return ErrCodeUnknown
		case "USED":
			return ErrCodeUsed
		case "LATE":
			return ErrCodeLate
		case "TURN":
			return ErrTurnCame
		case "OWN":
			return ErrOwnPlace
		case "SHARED":
			return ErrPartyShared
		case "PARTED":
			return ErrParted
		case "PARTYOVER":
			return ErrPartyOver
		case "PARTYFULL":
			return ErrPartyFull
		case "PARTYLARGE":
			return ErrPartyLarge
		case "OFFERED":
			return ErrPartyOffered
		case "UNBOUND":
			return ErrBeaconNotAwaited
		case "MISMATCH", "OPEN":
			return errDrawIncomplete
		case "STOPPED":
			return stopped(reply.Error())
		case "BOUNDS":
			return outOfBounds(reply.Error())
		case "SHARES":
			return wrongShares(reply.Error())
		case "CLOSED":
			return ErrLobbyClosed
		case "SHARDS":
			return ErrShardsFixed
		case "LANES":
			return ErrLanesFixed
		case "SETTLING":
			return ErrSettling
		case "EPOCH":
			return errEpoch
		case "STEADY":
			return errSteady
		case "FENCED":
			return errFenced
		case "MOVED", "ASK", "LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MISCONF", "BUSY":
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

	// ErrSessionUnknown and ErrSessionHolds refuse to end a session.
	ErrSessionUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "session-unknown", Detail: "This sale has no such session."}
	ErrSessionHolds   = &ropeline.Error{Kind: ropeline.Conflict, Code: "session-holds",
		Detail: "This session holds places or is paying for them. It ends when that is over; or say force, and its places go back on sale."}

	// ErrLobbyClosed refuses a settings document that moves a close which has
	// passed.
	ErrLobbyClosed = &ropeline.Error{Kind: ropeline.Conflict, Code: "lobby-closed",
		Detail: "The lobby has closed: lobby_closes_at and beacon cannot be changed any more."}

	// ErrShardsFixed refuses a settings document with another number of lines.
	ErrShardsFixed = &ropeline.Error{Kind: ropeline.Conflict, Code: "shards-fixed",
		Detail: "The sale is published: over how many lines it is spread cannot be changed any more."}

	// ErrLanesFixed refuses a settings document with other lanes.
	ErrLanesFixed = &ropeline.Error{Kind: ropeline.Conflict, Code: "lanes-fixed",
		Detail: "The sale is published: which lanes it has cannot be changed any more, only their shares."}

	// ErrSettling means that the line is being put together again after its
	// store lost it, from what the edges and the fans remember.
	ErrSettling = &ropeline.Error{Kind: ropeline.Unavailable, Code: "line-settling", RetryAfter: 2 * time.Second,
		Detail: "Our store lost the line, and we are putting it together again in its old order. Your place ticket keeps your place."}

	errLost   = ErrSettling.Because(errors.New("the store has lost the sale"))
	errEpoch  = errors.New("the ordinals are of another epoch")
	errSteady = errors.New("the line does not settle")
	errFenced = errors.New("another controller ticks the sale")

	errDrawIncomplete = errors.New("the lobby is open, or the drawing is not of its entrants")
)

// margin is ropeline.TokenMargin in whole seconds, as the scripts want it.
const margin = int64(ropeline.TokenMargin / time.Second)
