package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue/draw"
)

// shelf is an archive in memory.
type shelf struct {
	kept   map[draw.Hash][]ropeline.PlaceID
	newest draw.Hash
	err    error // it cannot be asked
}

func (s *shelf) Keep(_ context.Context, _ ropeline.SaleID, root draw.Hash, entrants []ropeline.PlaceID) {
	s.kept[root], s.newest = slices.Clone(entrants), root
}

func (s *shelf) Entrants(_ context.Context, _ ropeline.SaleID, root draw.Hash) ([]ropeline.PlaceID, error) {
	return s.kept[root], s.err
}

func (s *shelf) Newest(context.Context, ropeline.SaleID, time.Time) (draw.Hash, bool, error) {
	return s.newest, len(s.kept) > 0, s.err
}

// lottery is a sale with a beacon, and some people in its lobby.
type lottery struct {
	*testing.T
	store *Store
	sale  ropeline.Sale
	now   time.Time
}

func newLottery(t *testing.T, rdb redis.UniversalClient, entrants int) *lottery {
	t.Helper()
	l := &lottery{T: t, now: time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC)}
	l.store = New(rdb, testKeys).WithClock(func() time.Time { return l.now })
	t.Cleanup(l.store.Close)
	l.sale = testSale(fmt.Sprintf("lottery-%d", time.Now().UnixNano()), l.now)
	l.sale.OpensAt = l.sale.LobbyClosesAt.Add(time.Minute)
	l.sale.EndsAt = l.sale.OpensAt.Add(time.Hour)
	l.sale.Beacon = &ropeline.Beacon{Name: "drand", After: 10, Wait: 20}
	l.ok(l.store.PublishSale(t.Context(), l.sale))
	var ids []ropeline.PlaceID
	for i := range entrants {
		ids = append(ids, ropeline.PlaceID(fmt.Sprintf("entrant-%d", i)))
	}
	for _, r := range l.store.joinAll(t.Context(), lineID{l.sale.ID, 0}, entries(ids)) {
		l.ok(r.Err)
	}
	return l
}

func (l *lottery) ok(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// pends expects that the draw waits, and returns for when.
func (l *lottery) pends() time.Time {
	l.Helper()
	var pending *BeaconPendingError
	if err := l.store.Draw(l.Context(), l.sale.ID); !errors.As(err, &pending) || pending.Name != "drand" {
		l.Fatalf("the draw: %v, want that it waits for drand", err)
	}
	return pending.At
}

// published reads the whole draw and checks it.
func (l *lottery) published() draw.File {
	l.Helper()
	f, err := l.store.DrawFile(l.Context(), l.sale.ID)
	l.ok(err)
	for _, c := range f.Verify() {
		if c.Err != nil {
			l.Errorf("%s: %v", c.What, c.Err)
		}
	}
	return f
}

func TestADrawWaitsForItsBeacon(t *testing.T) {
	t.Parallel()
	l := newLottery(t, devtest.Redis(t), 30)
	ctx, id, value := t.Context(), l.sale.ID, draw.Hash{7, 7, 7}
	if _, err := l.store.GiveBeacon(ctx, id, &value); !errors.Is(err, ErrBeaconNotAwaited) {
		t.Errorf("a value in the open lobby: %v", err)
	}
	l.now = l.sale.LobbyClosesAt.Add(1500 * time.Millisecond)
	at := l.pends()
	if want := l.sale.LobbyClosesAt.Add(12 * time.Second); !at.Equal(want) {
		t.Errorf("the beacon is of %v, want %v", at, want)
	}
	seen, err := l.store.Drawing(ctx, id)
	if err != nil || seen.Root == "" || seen.Seed != "" || seen.Beacon != "" {
		t.Fatalf("while it waits: %+v, %v; want the root and no seed", seen, err)
	}
	l.now = at.Add(-time.Millisecond)
	if _, err := l.store.GiveBeacon(ctx, id, &value); !errors.Is(err, ErrBeaconNotAwaited) {
		t.Errorf("a value before its time: %v", err)
	}
	l.now = at
	if decided, err := l.store.GiveBeacon(ctx, id, nil); err != nil || decided {
		t.Errorf("absent at once: %v, %v", decided, err)
	}
	l.pends()
	if decided, err := l.store.GiveBeacon(ctx, id, &value); err != nil || !decided {
		t.Fatalf("the value: %v, %v", decided, err)
	}
	if _, err := l.store.GiveBeacon(ctx, id, &draw.Hash{1}); !errors.Is(err, ErrBeaconDecided) {
		t.Errorf("another value: %v", err)
	}
	l.ok(l.store.Draw(ctx, id))
	if f := l.published(); f.Value != value || f.RootAt != l.sale.LobbyClosesAt.Add(1500*time.Millisecond).UnixMilli() || len(f.Places) != 30 {
		t.Errorf("published: %x of %d", f.Value, f.RootAt)
	}
	changed := l.sale
	changed.Version, changed.Beacon = 9, nil
	if err := l.store.PublishSale(ctx, changed); !errors.Is(err, ErrLobbyClosed) {
		t.Errorf("another rule after the close: %v", err)
	}
	charter, err := l.store.charter(ctx, id)
	l.ok(err)
	for ordinal, place := range l.published().Places {
		p, err := l.store.Find(ctx, id, place)
		if err != nil || p.Ordinal != int64(ordinal) || charter.lobbyScore(place) != p.Score {
			t.Errorf("%s: %+v, %v; an edge would give it the score %s", place, p, err, charter.lobbyScore(place))
		}
	}
}

// A beacon that never comes does not stop a sale: after the time that was
// announced the draw goes on without it.
func TestADrawGoesOnWithoutABeaconThatNeverComes(t *testing.T) {
	t.Parallel()
	l := newLottery(t, devtest.Redis(t), 5)
	l.now = l.sale.LobbyClosesAt
	at := l.pends()
	l.now = at.Add(20*time.Second - time.Millisecond)
	if decided, err := l.store.GiveBeacon(t.Context(), l.sale.ID, nil); err != nil || decided {
		t.Errorf("absent too early: %v, %v", decided, err)
	}
	l.now = at.Add(20 * time.Second)
	l.pends() // the source is asked once more
	if decided, err := l.store.GiveBeacon(t.Context(), l.sale.ID, nil); err != nil || !decided {
		t.Errorf("absent: %v, %v", decided, err)
	}
	l.ok(l.store.Draw(t.Context(), l.sale.ID))
	name, when, there := l.published().BeaconSource()
	if name != "drand" || !when.Equal(at) || there {
		t.Errorf("published: %q at %v, there %v", name, when, there)
	}
	if _, err := l.store.GiveBeacon(t.Context(), l.sale.ID, &draw.Hash{1}); !errors.Is(err, ErrBeaconDecided) {
		t.Errorf("a value that came too late: %v", err)
	}
}

// errKilled stands for a process that is gone.
var errKilled = errors.New("killed")

// killer lets so many calls through and then none, as if the process had died
// before the call or before its answer.
type killer struct {
	left   atomic.Int64
	answer bool // the last call is done, and its answer lost
}

func (k *killer) DialHook(next redis.DialHook) redis.DialHook { return next }
func (k *killer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (k *killer) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		left := k.left.Add(-1)
		if left < 0 && !(k.answer && left == -1) {
			cmd.SetErr(errKilled)
			return errKilled
		}
		err := next(ctx, cmd)
		if left < 0 {
			cmd.SetErr(errKilled)
			return errKilled
		}
		return err
	}
}

// A draw may be killed at each of its steps: whoever does it again comes to the
// same order, under the root and the seed that were published.
func TestADrawThatIsKilledAtAnyStepEndsTheSame(t *testing.T) {
	t.Parallel()
	url := devtest.RedisURL(t)
	for step := int64(0); ; step++ {
		for _, answer := range []bool{false, true} {
			rdb := devtest.Redis(t)
			l := newLottery(t, rdb, 2*drawBatch+7)
			l.now = l.sale.LobbyClosesAt
			at := l.pends()
			bound, err := l.store.Drawing(t.Context(), l.sale.ID)
			l.ok(err)
			l.now = at
			_, err = l.store.GiveBeacon(t.Context(), l.sale.ID, &draw.Hash{9})
			l.ok(err)

			options, err := redis.ParseURL(url)
			l.ok(err)
			options.MaxRetries = -1
			doomed := redis.NewClient(options)
			k := &killer{answer: answer}
			k.left.Store(step)
			doomed.AddHook(k)
			killed := New(doomed, testKeys).WithClock(func() time.Time { return l.now }).Draw(t.Context(), l.sale.ID)
			l.ok(doomed.Close())
			if killed != nil && !strings.Contains(killed.Error(), errKilled.Error()) {
				t.Fatalf("step %d: %v", step, killed)
			}
			l.ok(l.store.Draw(t.Context(), l.sale.ID))
			f := l.published()
			if fmt.Sprintf("%x", f.Root) != bound.Root || len(f.Places) != 2*drawBatch+7 || f.Value != (draw.Hash{9}) {
				t.Fatalf("step %d: %d places under %x, want the root %s", step, len(f.Places), f.Root, bound.Root)
			}
			order, err := rdb.ZRange(t.Context(), lineID{l.sale.ID, 0}.key("order"), 0, -1).Result()
			l.ok(err)
			for i, place := range f.Places {
				if order[i] != string(place) {
					t.Fatalf("step %d: ordinal %d is %s, want %s", step, i, order[i], place)
				}
			}
			if killed == nil {
				if step < 6 {
					t.Errorf("only %d steps were killed", step)
				}
				return
			}
		}
	}
}

func TestLostEntrantsComeBackFromTheArchive(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	l := newLottery(t, rdb, 2*drawBatch)
	l.store.UseArchive(&shelf{kept: map[draw.Hash][]ropeline.PlaceID{}})
	if mended, err := l.store.MendEntrants(t.Context(), l.sale.ID); err != nil || mended {
		t.Errorf("in the lobby: %v, %v", mended, err)
	}
	l.now = l.sale.LobbyClosesAt
	l.now = l.pends()
	_, err := l.store.GiveBeacon(t.Context(), l.sale.ID, &draw.Hash{9})
	l.ok(err)
	l.ok(l.store.Draw(t.Context(), l.sale.ID))
	before := l.published()
	if mended, err := l.store.MendEntrants(t.Context(), l.sale.ID); err != nil || mended {
		t.Errorf("while they are there: %v, %v", mended, err)
	}
	l.ok(rdb.Del(t.Context(), lineID{l.sale.ID, 0}.key("entrants")).Err())
	if _, err := l.store.DrawFile(t.Context(), l.sale.ID); !errors.Is(err, errEntrantsLost) {
		t.Errorf("without the entrants: %v", err)
	}
	if mended, err := l.store.MendEntrants(t.Context(), l.sale.ID); err != nil || !mended {
		t.Errorf("mending: %v, %v", mended, err)
	}
	if after := l.published(); !slices.Equal(after.Places, before.Places) {
		t.Error("another draw is published")
	}
}
