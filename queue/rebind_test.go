package queue

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue/draw"
)

// finish draws with this store, and gives the beacon where it is waited for.
func (l *lottery) finish(store *Store) error {
	err := store.Draw(l.Context(), l.sale.ID)
	pending, waits := errors.AsType[*BeaconPendingError](err)
	if !waits {
		return err
	}
	if l.now.Before(pending.At) {
		l.now = pending.At
	}
	if _, err := store.GiveBeacon(l.Context(), l.sale.ID, &draw.Hash{9}); err != nil {
		return err
	}
	return store.Draw(l.Context(), l.sale.ID)
}

// lose lets Redis forget everything; an edge remembers the settings, these places
// and who has left. Then it settles.
func (l *lottery) lose(rdb redis.UniversalClient, settings charter, left []ropeline.PlaceID, remembered []Place) {
	l.Helper()
	ctx, id := l.Context(), l.sale.ID
	known, err := l.store.State(ctx, id)
	l.ok(err)
	names, err := rdb.Keys(ctx, "ropeline:{"+string(id)+"[.}]*").Result()
	l.ok(err)
	l.ok(rdb.Del(ctx, names...).Err())
	l.ok(l.store.restore(ctx, id, settings, known))
	l.ok(l.store.register(ctx, id, known, left, remembered))
	for range 2 {
		l.now = l.now.Add(settleLeast)
		_, err := l.store.Tick(ctx, id, "controller", testLease)
		l.ok(err)
	}
}

// collected are places as an edge remembers them from the lobby.
func collected(ids ...ropeline.PlaceID) []Place {
	places := make([]Place, len(ids))
	for i, id := range ids {
		places[i] = Place{ID: id, State: ropeline.PlaceCollected, Ordinal: -1}
	}
	return places
}

// From the root on it is bound who takes part: whatever Redis loses then, at
// whichever step of the draw, it ends as it would have, though hardly anybody is
// back, and nobody slips in.
func TestADrawWhoseStoreIsLostAtAnyStepEndsTheSame(t *testing.T) {
	t.Parallel()
	for name, fresh := range map[string]bool{"an edge has seen how far it came": true, "no edge has": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bound := 0
			for step := int64(0); ; step++ {
				before, drawn := loseDuring(t, step, fresh)
				if drawn {
					break
				}
				if !before {
					bound++
				}
			}
			if bound < 8 {
				t.Errorf("Redis was lost at %d steps between root and order", bound)
			}
		})
	}
}

// loseDuring lets the controller die after so many calls of a draw, and Redis
// forget everything. It reports whether that was before anybody was bound, or the
// draw had been done.
func loseDuring(t *testing.T, step int64, fresh bool) (before, drawn bool) {
	t.Helper()
	const entrants = drawBatch + 7
	ctx, rdb := t.Context(), devtest.Redis(t)
	l := newLottery(t, rdb, entrants)
	archive := &shelf{kept: map[draw.Hash][]ropeline.PlaceID{}}
	l.store.UseArchive(archive)
	settings, err := l.store.charter(ctx, l.sale.ID)
	l.ok(err)
	l.now = l.sale.LobbyClosesAt
	_, err = l.store.Leave(ctx, l.sale.ID, "entrant-5")
	l.ok(err)

	options, err := redis.ParseURL(devtest.RedisURL(t))
	l.ok(err)
	options.MaxRetries = -1
	doomed := redis.NewClient(options)
	k := &killer{}
	k.left.Store(step)
	doomed.AddHook(k)
	dying := New(doomed, testKeys).WithClock(l.store.now)
	dying.UseArchive(archive)
	if killed := l.finish(dying); killed != nil && !strings.Contains(killed.Error(), errKilled.Error()) {
		t.Fatalf("step %d: %v", step, killed)
	}
	l.ok(doomed.Close())
	state, err := l.store.State(ctx, l.sale.ID)
	l.ok(err)
	if state.Drawn {
		return false, true
	}
	if fresh {
		settings, err = l.store.charter(ctx, l.sale.ID)
		l.ok(err)
	}
	l.lose(rdb, settings, []ropeline.PlaceID{"entrant-5"}, collected("entrant-3", "entrant-8", "slips-in"))
	l.ok(l.finish(l.store))

	want := []ropeline.PlaceID{"entrant-3", "entrant-8", "slips-in"}
	before = len(archive.kept[archive.newest]) != entrants
	if !before {
		want = archive.kept[archive.newest]
	}
	f := l.published()
	if f.Root != draw.Root(slices.Sorted(slices.Values(want))) || len(f.Places) != len(want) || f.Value != (draw.Hash{9}) {
		t.Fatalf("step %d: %d places under %x, want %d", step, len(f.Places), f.Root, len(want))
	}
	order, err := rdb.ZRange(ctx, lineID{l.sale.ID, 0}.key("order"), 0, -1).Result()
	l.ok(err)
	if !before { // behind the lobby, as if it had joined just now
		f.Places = append(f.Places, "slips-in")
	}
	if len(order) != len(f.Places) {
		t.Fatalf("step %d: %d stand in the line, want %d", step, len(order), len(f.Places))
	}
	for i, place := range f.Places {
		if order[i] != string(place) {
			t.Fatalf("step %d: ordinal %d is %s, want %s", step, i, order[i], place)
		}
	}
	if p, err := l.store.Find(ctx, l.sale.ID, "entrant-5"); err != nil || p.State != ropeline.PlaceLeft {
		t.Fatalf("step %d: who left during the draw is %+v, %v", step, p, err)
	}
	return before, false
}

// A root that nobody can tell of holds up no sale: the archive is waited for until
// the opening, and then those who came back are drawn, under a second root.
func TestADrawWaitsForItsArchiveUntilTheSaleOpens(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	l := newLottery(t, rdb, 20)
	archive := &shelf{kept: map[draw.Hash][]ropeline.PlaceID{}}
	l.store.UseArchive(archive)
	l.now = l.sale.LobbyClosesAt
	l.pends()
	first, err := l.store.Drawing(t.Context(), l.sale.ID)
	l.ok(err)
	settings, err := l.store.charter(t.Context(), l.sale.ID)
	l.ok(err)
	l.lose(rdb, settings, nil, collected("entrant-3", "entrant-8"))
	archive.err = errors.New("no answer")
	l.now = l.sale.OpensAt.Add(-1)
	if err := l.finish(l.store); !errors.Is(err, archive.err) {
		t.Errorf("before the opening: %v, want that the archive is waited for", err)
	}
	l.now = l.sale.OpensAt
	l.ok(l.finish(l.store))
	before, err := rdb.HGet(t.Context(), key(l.sale.ID, "draw"), "root_before").Result()
	if f := l.published(); err != nil || len(f.Places) != 2 || before != first.Root || fmt.Sprintf("%x", f.Root) == first.Root {
		t.Errorf("%d places under %x, before that %s, %v", len(f.Places), f.Root, before, err)
	}
}
