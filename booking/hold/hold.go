// Package hold lets a fan keep units for a while before paying, all of them or
// none.
//
// The one hard idea is that a unit has exactly one owner at any instant: a
// script claims the bits of a hold's units, writes its record and its deadline
// in one step, and exactly one of release, expiry and sale ends all three in
// another. The deadline lives in a sorted set of its own and the record has no
// expiry while it owns units, so the sweeper always finds what to give back;
// a hold that is being paid for leaves that set and comes back only from a
// failed payment. Whether a payment is under way is not known here: package
// order looks for holds whose attempt has ended without them.
//
// Every script may be repeated with the same arguments when its answer was
// lost: ids come from the caller. The clock is Redis's own unless a test
// brings one. Prices, limits per fan and payments are not known here.
package hold

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/inventory"
)

// State says what has become of a hold.
type State string

// The states of a hold. Sold, Released and Expired are final.
const (
	Held     State = "held"
	Paying   State = "paying"
	Sold     State = "sold"
	Released State = "released"
	Expired  State = "expired"
)

// Hold is one fan's claim on some units of a performance.
type Hold struct {
	ID          string
	Performance ropeline.PerformanceID
	Sale        ropeline.SaleID
	Session     string
	Units       []int
	State       State
	Expires     time.Time
	Extensions  int    // left
	Attempt     string // the payment attempt, while paying and after the sale
}

// Live reports whether the hold still owns its units.
func (h Hold) Live() bool { return h.State == Held || h.State == Paying }

// What can be wrong with a hold.
var (
	ErrUnitsTaken    = &ropeline.Error{Kind: ropeline.Conflict, Code: "units-taken", Detail: "Somebody else was faster: at least one of these places is no longer free. Nothing was held."}
	ErrSoldOut       = &ropeline.Error{Kind: ropeline.Conflict, Code: "sold-out", Detail: "There are not so many places left here, or not beside each other."}
	ErrLimit         = &ropeline.Error{Kind: ropeline.Conflict, Code: "place-limit", Detail: "With these you would have more places than one person may have in this sale."}
	ErrExists        = &ropeline.Error{Kind: ropeline.Conflict, Code: "hold-exists", Detail: "You are holding places already. Pay for them or give them back first."}
	ErrUnknown       = &ropeline.Error{Kind: ropeline.NotFound, Code: "hold-unknown", Detail: "You have no such hold."}
	ErrExpired       = &ropeline.Error{Kind: ropeline.Gone, Code: "hold-expired", Detail: "The time for these places ran out and they are back on sale."}
	ErrReleased      = &ropeline.Error{Kind: ropeline.Gone, Code: "hold-released", Detail: "You gave these places back."}
	ErrSold          = &ropeline.Error{Kind: ropeline.Conflict, Code: "hold-sold", Detail: "These places are paid for already."}
	ErrPaying        = &ropeline.Error{Kind: ropeline.Conflict, Code: "payment-running", Detail: "A payment for these places is under way.", RetryAfter: 2 * time.Second}
	ErrNotExtendable = &ropeline.Error{Kind: ropeline.Conflict, Code: "hold-not-extendable", Detail: "This hold cannot be extended any more."}
	ErrSessionOver   = &ropeline.Error{Kind: ropeline.Gone, Code: "session-over", Detail: "Your time in the shop is over."}
)

// Over is the error of a hold that no longer owns its units, nil for a live
// one.
func (h Hold) Over() error {
	switch h.State {
	case Expired:
		return ErrExpired
	case Released:
		return ErrReleased
	case Sold:
		return ErrSold
	}
	return nil
}

// Store keeps holds in Redis. What is asked of it at once goes there together.
type Store struct {
	rdb      redis.UniversalClient
	together *together
	now      func() time.Time // nil: Redis's own clock
	sessions Sessions         // nil: none is told
}

// New returns a Store that goes by Redis's clock.
func New(rdb redis.UniversalClient) *Store { return NewAt(rdb, nil) }

// NewAt returns a Store that goes by a clock of the caller's.
func NewAt(rdb redis.UniversalClient, now func() time.Time) *Store {
	return &Store{rdb: rdb, together: newTogether(rdb), now: now}
}

// Close waits for what is under way. Whoever comes later is served alone.
func (s *Store) Close() { s.together.wait.Close() }

// Get reads a session's hold; ErrUnknown if it has none of this id. A hold
// whose time has run out is Expired whether or not it was swept yet.
func (s *Store) Get(ctx context.Context, id ropeline.PerformanceID, hold, session string) (Hold, error) {
	var clock *redis.TimeCmd
	var record *redis.MapStringStringCmd
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		clock = p.Time(ctx)
		record = p.HGetAll(ctx, inventory.KeysOf(id).Hold(hold))
		return nil
	})
	if err != nil {
		return Hold{}, away("reading hold", hold, err)
	}
	h, err := parse(id, hold, record.Val())
	if err != nil {
		return Hold{}, err
	}
	if h.Session != session {
		return Hold{}, ErrUnknown
	}
	now := clock.Val()
	if s.now != nil {
		now = s.now()
	}
	if h.State == Held && !h.Expires.After(now) {
		h.State = Expired
	}
	return h, nil
}

// Of returns a session's live hold of a performance, if it has one.
func (s *Store) Of(ctx context.Context, id ropeline.PerformanceID, session string) (Hold, bool, error) {
	hold, err := s.rdb.HGet(ctx, inventory.KeysOf(id).Sessions(), session).Result()
	if errors.Is(err, redis.Nil) {
		return Hold{}, false, nil
	}
	if err != nil {
		return Hold{}, false, away("finding the hold of session", session, err)
	}
	h, err := s.Get(ctx, id, hold, session)
	if errors.Is(err, ErrUnknown) {
		return Hold{}, false, nil
	}
	return h, err == nil && h.Live(), err
}

// parse reads a record as scripts write it.
func parse(id ropeline.PerformanceID, hold string, record map[string]string) (Hold, error) {
	if len(record) == 0 {
		return Hold{}, ErrUnknown
	}
	units, err := inventory.Split(record["units"])
	if err != nil {
		return Hold{}, fmt.Errorf("reading hold %s: %w", hold, err)
	}
	slices.Sort(units)
	deadline, err := strconv.ParseInt(record["deadline"], 10, 64)
	if err != nil {
		return Hold{}, fmt.Errorf("reading hold %s: deadline %q", hold, record["deadline"])
	}
	left, err := strconv.Atoi(record["left"])
	if err != nil {
		return Hold{}, fmt.Errorf("reading hold %s: extensions left %q", hold, record["left"])
	}
	return Hold{
		ID: hold, Performance: id, Sale: ropeline.SaleID(record["sale"]), Session: record["session"],
		Units: units, State: State(record["state"]), Expires: time.UnixMilli(deadline).UTC(),
		Extensions: left, Attempt: record["attempt"],
	}, nil
}

func away(what, id string, err error) error {
	return ropeline.ErrStoreAway.Because(fmt.Errorf("%s %s: %w", what, id, err))
}

// Find reads a session's hold of one of several performances; ErrUnknown if
// none of them has it.
func (s *Store) Find(ctx context.Context, ids []ropeline.PerformanceID, hold, session string) (Hold, error) {
	for _, id := range ids {
		h, err := s.Get(ctx, id, hold, session)
		if !errors.Is(err, ErrUnknown) {
			return h, err
		}
	}
	return Hold{}, ErrUnknown
}
