// Package inventory keeps, for each performance, which units are taken and
// which are sold: two bitmaps in Redis, one bit a unit. What is shown to fans
// and what hold scripts test is one memory read.
//
// The one hard idea is who is right. Postgres says what is sold; Redis alone
// says what is held. Rebuild brings the bitmaps in line with both in a single
// script, at any time and under load: sold only grows (but for units of canceled orders, see hold's
// return.lua), and taken becomes sold
// plus the units of every live hold plus what reserves withhold, so that it never
// gives away a hold or a unit whose sale has just been marked. The built mark is the run id of the
// Redis process that was compared with Postgres: under another one, which may
// have lost a second, or without the mark nothing can be held until Keeper has
// rebuilt.
//
// The package does not make or end holds (package hold) and does not know
// orders: what is recorded in Postgres comes through the interface Records.
package inventory

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
)

// ErrNotReady answers while a performance's bitmaps are not known to agree
// with Postgres.
var ErrNotReady = &ropeline.Error{Kind: ropeline.Unavailable, Code: "inventory-not-ready",
	Detail: "The places of this performance are being counted. Please try again in a moment.", RetryAfter: 2 * time.Second}

// PaymentLife is how long a payment may keep its hold, as it is shown to the
// fan. The units come back only when the attempt is closed, however late.
const PaymentLife = 15 * time.Minute

// Records is what Postgres knows about a performance's units.
type Records interface {
	// Recorded reads it in one transaction.
	Recorded(ctx context.Context, id ropeline.PerformanceID) (Recorded, error)
}

// Recorded is what Postgres knows about a performance's units.
type Recorded struct {
	Units  int   // how many the performance has
	Sold   []int // with a valid ticket
	Unpaid []int // with a ticket that is not paid yet
	// Open are payments under way, first those whose units they are most likely: two have
	// the same if one was started by a request that is over and whose hold ran out.
	Open []Attempt

	Withheld Withheld // by reserves; see With
	Listed   Withheld // of these the returns list has what comes free

	// Bought are the units of each place of the line, in a sale that limits them;
	// nil where none does.
	Bought map[ropeline.PlaceID]int
}

// Attempt is a payment under way: its units are nobody else's until it ends.
type Attempt struct {
	ID, Hold, Session string
	Sale              ropeline.SaleID
	Place             ropeline.PlaceID
	Units             []int
}

// Store is the inventory in Redis.
type Store struct {
	rdb redis.UniversalClient
}

// New returns a Store.
func New(rdb redis.UniversalClient) *Store { return &Store{rdb: rdb} }

//go:embed lua/rebuild.lua
var rebuildText string

//go:embed lua/snapshot.lua
var snapshotText string

var (
	rebuild  = redis.NewScript(rebuildText)
	snapshot = redis.NewScript(snapshotText)
)

// Rebuild brings the bitmaps of a performance in line with Postgres and marks
// them as built against the Redis process that runs now. It returns how many
// holds of payments under way it restored. It may run at any time. If units of
// canceled orders are given back meanwhile, it begins again.
func (s *Store) Rebuild(ctx context.Context, id ropeline.PerformanceID, records Records) (int, error) {
	for range rebuilds {
		if restored, err := s.rebuild(ctx, id, records); err != nil || restored >= 0 {
			return restored, err
		}
	}
	return 0, ErrNotReady
}

// rebuilds is how often a Rebuild begins: each has to be overtaken by somebody who
// cancels just then.
const rebuilds = 10

func (s *Store) rebuild(ctx context.Context, id ropeline.PerformanceID, records Records) (int, error) {
	process, err := s.process(ctx, id)
	if err != nil {
		return 0, err
	}
	returned, err := s.rdb.SCard(ctx, returnedOf(KeysOf(id).For("")[0])).Result()
	if err != nil {
		return 0, ropeline.ErrStoreAway.Because(fmt.Errorf("rebuilding inventory of %s: %w", id, err))
	}
	r, err := records.Recorded(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("rebuilding inventory of %s: %w", id, err)
	}
	args := []any{"", process, bitmapOf(r.Sold, r.Units), PaymentLife.Milliseconds(), r.Withheld.bitmap(r.Units), mark(r.Withheld.By, r.Listed.By), returned, r.Listed.bitmap(r.Units), len(r.Open)}
	for _, a := range r.Open {
		if r.Bought == nil {
			a.Place = ""
		}
		args = append(args, a.Hold, string(a.Sale), a.Session, a.ID, Join(a.Units), string(a.Place))
	}
	for place, n := range r.Bought {
		args = append(args, string(place), n)
	}
	restored, err := rebuild.Run(ctx, s.rdb, KeysOf(id).For(""), args...).Int()
	if err != nil {
		return 0, ropeline.ErrStoreAway.Because(fmt.Errorf("rebuilding inventory of %s: %w", id, err))
	}
	return restored, nil
}

// serverText is the run id of the server that a performance is on: a restart may
// have lost the last second of its append-only file, a replica that took over
// more.
const serverText = `return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')`

func (s *Store) process(ctx context.Context, id ropeline.PerformanceID) (string, error) {
	run, err := s.rdb.Eval(ctx, serverText, KeysOf(id).For("")[:1]).Text()
	if err != nil {
		return "", ropeline.ErrStoreAway.Because(fmt.Errorf("asking Redis for its run id: %w", err))
	}
	return run, nil
}

// stale says which of the performances are not built against the Redis process
// that they are on now, or with other reserves than are in force.
func (s *Store) stale(ctx context.Context, ids []ropeline.PerformanceID, inForce map[ropeline.PerformanceID]string) (map[ropeline.PerformanceID]bool, error) {
	marks, runs := make([]*redis.SliceCmd, len(ids)), make([]*redis.Cmd, len(ids))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			built := KeysOf(id).For("")[:1]
			marks[i], runs[i] = p.MGet(ctx, built[0], reservesOf(built[0])), p.Eval(ctx, serverText, built)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, ropeline.ErrStoreAway.Because(fmt.Errorf("reading built marks: %w", err))
	}
	stale := make(map[ropeline.PerformanceID]bool, len(ids))
	for i, id := range ids {
		run, err := runs[i].Text()
		mark := marks[i].Val() // nil for what is not there
		reserves := ""
		if len(mark) == 2 && mark[1] != nil {
			reserves, _ = mark[1].(string)
		}
		stale[id] = err != nil || len(mark) != 2 || mark[0] != run || reserves != inForce[id]
	}
	return stale, nil
}

// Snapshot is what Redis knows about a performance at one instant.
type Snapshot struct {
	Built       bool
	Taken, Sold Bitmap
	Withheld    Bitmap
	Listed      Bitmap
	Pool        []int // kept for the returns list
	Holds       []HeldUnits
}

// HeldUnits is a live hold as far as the inventory cares.
type HeldUnits struct {
	ID      string
	State   string // held, paying, or lost: a deadline without a record
	Units   []int
	Attempt string // while paying
}

// Snapshot reads the bitmaps and the live holds together.
func (s *Store) Snapshot(ctx context.Context, id ropeline.PerformanceID) (Snapshot, error) {
	answer, err := snapshot.Run(ctx, s.rdb, KeysOf(id).For("")).StringSlice()
	if err != nil {
		return Snapshot{}, ropeline.ErrStoreAway.Because(fmt.Errorf("reading inventory of %s: %w", id, err))
	}
	snap := Snapshot{Built: answer[0] != "", Taken: Bitmap(answer[1]), Sold: Bitmap(answer[2]), Withheld: Bitmap(answer[3]), Listed: Bitmap(answer[4])}
	if snap.Pool, err = Split(answer[5]); err != nil {
		return Snapshot{}, fmt.Errorf("reading the pool of %s: %w", id, err)
	}
	for i := 6; i+3 < len(answer); i += 4 {
		units, err := Split(answer[i+2])
		if err != nil {
			return Snapshot{}, fmt.Errorf("reading hold %s: %w", answer[i], err)
		}
		snap.Holds = append(snap.Holds, HeldUnits{ID: answer[i], State: answer[i+1], Units: units, Attempt: answer[i+3]})
	}
	return snap, nil
}

// Bitmaps say of each unit what it is not: Taken those that are not free, among
// them Sold, and Closed, which are withheld by a reserve, or kept for the returns list or
// offered to it, and not sold.
type Bitmaps struct{ Taken, Sold, Closed Bitmap }

// Bitmaps reads them at one instant; ErrNotReady if they are not built.
func (s *Store) Bitmaps(ctx context.Context, id ropeline.PerformanceID) (Bitmaps, error) {
	built := KeysOf(id).For("")[0]
	keys := [5]string{built, KeysOf(id).Taken(), KeysOf(id).Sold(), withheldOf(built), listedOf(built)} // most have nothing in the last two
	var values [5]*redis.StringCmd
	_, err := s.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range keys {
			values[i] = p.Get(ctx, key)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return Bitmaps{}, ropeline.ErrStoreAway.Because(fmt.Errorf("reading bitmaps of %s: %w", id, err))
	}
	for _, v := range values[:3] {
		if v.Err() != nil {
			return Bitmaps{}, ErrNotReady
		}
	}
	b := Bitmaps{Taken: Bitmap(values[1].Val()), Sold: Bitmap(values[2].Val()), Closed: Bitmap(values[3].Val())}
	if listed := Bitmap(values[4].Val()); len(listed) > 0 && len(b.Closed) == 0 {
		b.Closed = make(Bitmap, len(listed))
	}
	for i := range min(len(b.Closed), len(b.Sold)) {
		if listed := values[4].Val(); i < len(listed) {
			b.Closed[i] |= listed[i] & b.Taken[i]
		}
		b.Closed[i] &^= b.Sold[i]
	}
	return b, nil
}

// Join writes unit numbers as scripts keep them: "3,4,5".
func Join(units []int) string {
	var b strings.Builder
	for i, u := range units {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(u))
	}
	return b.String()
}

// Split reads what Join wrote.
func Split(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	fields := strings.Split(text, ",")
	units := make([]int, len(fields))
	for i, f := range fields {
		u, err := strconv.Atoi(f)
		if err != nil || u < 0 {
			return nil, fmt.Errorf("reading units %q: not a list of numbers", text)
		}
		units[i] = u
	}
	return units, nil
}
