package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
)

// limitShelf is a LimitBook of one sale. The real one's database refuses a second change of
// a version, as add does.
type limitShelf struct {
	mu      sync.Mutex // guards what follows
	changes []LimitChange
	away    bool
}

func (b *limitShelf) add(c LimitChange) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.ContainsFunc(b.changes, func(other LimitChange) bool { return other.Version == c.Version }) {
		return false
	}
	b.changes = append(b.changes, c)
	return true
}

func (b *limitShelf) goes(away bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away = away
}

func (b *limitShelf) LimitChanges(_ context.Context, _ ropeline.SaleID, from int64, most int) (changes []json.RawMessage, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away {
		return nil, ropeline.ErrStoreAway
	}
	for _, c := range b.changes {
		if c.Version >= from {
			changes = append(changes, c.Change)
		}
	}
	return changes[max(0, len(changes)-most):], nil
}

// shelved is a sale whose changes of limits are kept.
type shelved struct {
	*timed
	book *limitShelf
}

func openShelved(t *testing.T) *shelved {
	k := &shelved{openTimed(t, 1000), &limitShelf{}}
	k.UseLimitBook(k.book)
	return k
}

// change steers, and keeps what came of it.
func (k *shelved) change(set Settings) Steered {
	k.Helper()
	done := steer(k.T, k.Store, k.sale.ID, set)
	if !k.book.add(*done.Kept) {
		k.Fatalf("version %d is taken", done.Kept.Version)
	}
	return done
}

// failsOver lets a server take over that knows nothing of what is done meanwhile.
func (k *shelved) failsOver(meanwhile func()) {
	k.Helper()
	ctx := k.Context()
	names := keysOf(k.sale.ID, "state", "limits", "steered", "events")
	dumps := make([]string, len(names))
	for i, name := range names {
		dump, err := k.rdb.Dump(ctx, name).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			k.Fatal(err)
		}
		dumps[i] = dump
	}
	meanwhile()
	for i, name := range names {
		err := k.rdb.Del(ctx, name).Err()
		if dumps[i] != "" {
			err = errors.Join(err, k.rdb.Restore(ctx, name, 0, dumps[i]).Err())
		}
		if err != nil {
			k.Fatal(err)
		}
	}
	if err := k.rdb.HSet(ctx, names[0], "run_id", "of the master that was", "limits_run", "of the master that was").Err(); err != nil {
		k.Fatal(err)
	}
}

func (k *shelved) limits() string {
	k.Helper()
	s, err := k.State(k.Context(), k.sale.ID)
	if err != nil {
		k.Fatal(err)
	}
	return fmt.Sprintf("v%d: cap %d, %s %q", s.Version, s.Cap, s.Mode, s.Reason)
}

func (k *shelved) mends() {
	k.Helper()
	if done, err := k.MendLimits(k.Context(), k.sale.ID); !done || err != nil {
		k.Fatalf("comparing with the book: %v, %v", done, err)
	}
}

// The database is away when Redis fails over: nobody is offered, however long that
// takes, and gates let nobody past by a mode that may be over. Only a stop is made
// meanwhile, and it stands when what was lost before it comes back.
func TestNobodyIsOfferedBeforeTheBookWasAsked(t *testing.T) {
	t.Parallel()
	k := openShelved(t)
	ctx, id := t.Context(), k.sale.ID
	// At such a rate three slots are counted as in use after a failover.
	k.change(Settings{Mode: new(ropeline.ModePass), Rate: new(int64(60))})
	p := join(t, k.Store, id)
	k.failsOver(func() {
		k.change(Settings{Mode: new(ropeline.ModePause)})
		k.change(Settings{Cap: new(int64(7)), Mode: new(ropeline.ModeRun)})
	})
	k.book.goes(true)
	for range 30 {
		if !k.tick().Unsure {
			t.Fatal("the limits are said to be compared")
		}
		k.is(p, ropeline.PlaceWaiting)
	}
	if modes, err := k.rdb.HGet(ctx, keyModes, string(id)).Result(); !errors.Is(err, redis.Nil) {
		t.Errorf("gates are told %q, %v", modes, err)
	}
	if done, err := k.MendLimits(ctx, id); done || !errors.Is(err, ropeline.ErrStoreAway) {
		t.Errorf("with the book away: %v, %v", done, err)
	}
	fewer := Change{ID: "fewer", Set: Settings{Cap: new(int64(5))}, Reason: "r"}
	if _, err := k.steer(ctx, id, fewer, false); !errors.Is(err, ErrSettling) {
		t.Errorf("a change before the book was asked: %v", err)
	}
	stop := Change{ID: "stop", Set: Settings{Mode: new(ropeline.ModeStop)}, Reason: "fire"}
	if !stop.onlyStops() || fewer.onlyStops() {
		t.Error("a stop, and only that, is made at once")
	}
	stopped, err := k.steer(ctx, id, stop, true)
	if err != nil || k.limits() != `v1001: cap 1000, stop "fire"` {
		t.Fatalf("stopped: %s, %v", k.limits(), err)
	}
	k.book.add(*stopped.Kept) // from its file
	k.book.goes(false)
	k.mends()
	if got := k.limits(); got != `v1002: cap 7, stop "fire"` {
		t.Errorf("together it is %s", got)
	}
	if t.Failed() || k.tick().Unsure {
		t.Fatal("the limits are said not to be compared")
	}
	k.change(Settings{Mode: new(ropeline.ModeRun)})
	for range 8 {
		k.tick()
	}
	k.is(p, ropeline.PlaceOffered)
	// The public is told of each change, also of those that were lost, and how they came together.
	events, err := k.rdb.XRange(ctx, key(id, "events"), "-", "+").Result()
	var told []string
	for _, e := range events {
		var data struct{ Version int64 }
		text, _ := e.Values["data"].(string)
		again, _ := e.Values["again"].(string)
		if kind := e.Values["kind"]; kind == "limits" || kind == "mode" {
			err = errors.Join(err, json.Unmarshal([]byte(text), &data))
			told = append(told, strings.TrimSpace(fmt.Sprint(data.Version, " ", again)))
		}
	}
	if want := []string{"1", "1001", "2", "3", "1002", "1003"}; err != nil || !slices.Equal(told, want) {
		t.Errorf("the public was told of %q, want %q, %v", told, want, err)
	}
}

// Two servers, of which one took over from the other, gave two changes the same
// number. That which is kept is in force; the other one was not made, and is when it is
// asked for again.
func TestOfTwoChangesOfOneNumberTheOneThatIsKeptHolds(t *testing.T) {
	t.Parallel()
	k := openShelved(t)
	ctx, id := t.Context(), k.sale.ID
	var first Steered
	k.failsOver(func() { first = steer(t, k.Store, id, Settings{Cap: new(int64(7))}) })
	k.mends() // the book does not have it yet
	for range 6 {
		k.tick()
	}
	change := Change{ID: "second", Set: Settings{Cap: new(int64(9))}, Reason: "r"}
	second, err := k.Steer(ctx, id, change)
	if err != nil || second.Kept.Version != first.Kept.Version {
		t.Fatalf("%+v, %v", second, err)
	}
	if !k.book.add(*first.Kept) || k.book.add(*second.Kept) {
		t.Fatal("the book took the wrong one")
	}
	if err := k.UndoLimits(ctx, id, *second.Kept); err != nil || k.limits() != `v1: cap 7, run ""` {
		t.Errorf("in force is %s, %v", k.limits(), err)
	}
	again, err := k.Steer(ctx, id, change)
	if err != nil || !k.book.add(*again.Kept) || k.limits() != `v2: cap 9, run ""` {
		t.Errorf("the second, once more: %s, %v", k.limits(), err)
	}
	if err := k.ConfirmLimits(ctx, id, *first.Kept); err != nil || k.limits() != `v2: cap 9, run ""` {
		t.Errorf("an older change that is confirmed leaves %s, %v", k.limits(), err)
	}
}

// Nobody remembers a sale that Redis has lost, and it is published again: what was
// steered stands, not what its document says; and whoever steers it before anybody
// ticks has it compared first.
func TestALossOfEverythingLosesNoChangeOfLimits(t *testing.T) {
	t.Parallel()
	k := openShelved(t)
	k.change(Settings{Cap: new(int64(2))})
	k.change(Settings{Mode: new(ropeline.ModePause)})
	if err := k.rdb.Del(t.Context(), append(keysOf(k.sale.ID, "state", "limits", "steered", "events"), lineID{k.sale.ID, 0}.key("line"))...).Err(); err != nil {
		t.Fatal(err)
	}
	anew := New(k.rdb, testKeys).WithClock(func() time.Time { return k.now })
	t.Cleanup(anew.Close)
	if err := anew.PublishSale(t.Context(), k.sale); err != nil {
		t.Fatal(err)
	}
	if s, err := k.Tick(t.Context(), k.sale.ID, "controller", testLease); err != nil || !s.Unsure {
		t.Fatalf("a sale that nobody has compared: %+v, %v", s, err)
	}
	anew.UseLimitBook(k.book)
	done, err := anew.Steer(t.Context(), k.sale.ID, Change{Set: Settings{Rate: new(int64(60))}, Expect: Settings{Version: new(int64(2))}, Reason: "r"})
	if got := k.limits(); err != nil || done.Kept.Version != 3 || got != `v3: cap 2, pause "a reason"` {
		t.Errorf("in force is %s, %v", got, err)
	}
	if s, err := k.Tick(t.Context(), k.sale.ID, "controller", testLease); err != nil || s.Unsure {
		t.Errorf("after it was compared: %+v, %v", s, err)
	}
}
