package queue

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	goflag "flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// TestMain lets a property be tried half as often as rapid would: the models do much
// in each run, and are half of what this package's tests take. More is a flag away,
// and what make test-models does.
func TestMain(m *testing.M) {
	if err := goflag.Set("rapid.checks", "50"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	devtest.Main(m)
}

type contextT = context.Context

var testKeys = Keys{Place: bytes.Repeat([]byte{1}, 32), Seed: bytes.Repeat([]byte{2}, 32)}

// testSale is a sale with short times: the lobby closes 10 s after start and
// admission begins 5 s later.
func testSale(id string, start time.Time) ropeline.Sale {
	return ropeline.Sale{
		ID: ropeline.SaleID(id), Version: 1, Title: "Test",
		LobbyClosesAt: start.Add(10 * time.Second), OpensAt: start.Add(15 * time.Second), EndsAt: start.Add(time.Hour),
		Cap: 3, Rate: 60_000, ClaimWindow: 5, TokenLife: 6, SessionMax: 20, Hold: 5, UnitsPerHold: 2,
	}
}

// steer changes limits of a sale.
func steer(t testing.TB, store *Store, sale ropeline.SaleID, to Settings) Steered {
	t.Helper()
	steered, err := store.Steer(t.Context(), sale, Change{Set: to, By: "sre", Reason: "a reason"})
	if err != nil {
		t.Fatal(err)
	}
	return steered
}

// open publishes a sale whose lobby has closed and draws it.
func open(t *testing.T, change func(*ropeline.Sale)) (*Store, ropeline.Sale, redis.UniversalClient) {
	t.Helper()
	rdb := devtest.Redis(t)
	sale := testSale(fmt.Sprintf("t-%d", time.Now().UnixNano()), time.Now().Add(-time.Minute))
	if change != nil {
		change(&sale)
	}
	store := New(rdb, testKeys)
	t.Cleanup(store.Close)
	if err := store.PublishSale(t.Context(), sale); err != nil {
		t.Fatal(err)
	}
	if err := store.Draw(t.Context(), sale.ID); err != nil {
		t.Fatal(err)
	}
	return store, sale, rdb
}

const testLease = time.Minute

// tick ticks once as a controller of that name.
func tick(t *testing.T, store *Store, sale ropeline.SaleID) Ticked {
	t.Helper()
	beat(t, store, sale)
	ticked, err := store.Tick(t.Context(), sale, "controller", testLease)
	if err != nil {
		t.Fatal(err)
	}
	return ticked
}

// beat says that the store's edge lives and has told who is present: the joins
// through it do that.
func beat(t *testing.T, store *Store, sale ropeline.SaleID) {
	t.Helper()
	state, err := store.State(t.Context(), sale)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.attend(t.Context(), lineID{sale, 0}, state.Epoch, true, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, store *Store, sale ropeline.SaleID) *View {
	t.Helper()
	v, err := store.Snapshot(t.Context(), sale)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func entries(ids []ropeline.PlaceID) []entry {
	all := make([]entry, len(ids))
	for i, id := range ids {
		all[i] = entry{place: id}
	}
	return all
}

func join(t *testing.T, store *Store, sale ropeline.SaleID) Place {
	t.Helper()
	id, err := NewPlaceID(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := store.Join(t.Context(), sale, id, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// admitUntil ticks until the place is offered.
func admitUntil(t *testing.T, store *Store, sale ropeline.SaleID, id ropeline.PlaceID) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		tick(t, store, sale)
		if p, err := store.Find(t.Context(), sale, id); err != nil {
			t.Fatal(err)
		} else if p.State == ropeline.PlaceOffered {
			return
		}
	}
	t.Fatal("the place was not offered within 10 s")
}

func TestTheNewestVersionOfASaleWinsAndKeepsLiveLimits(t *testing.T) {
	t.Parallel()
	store, sale, rdb := open(t, nil)
	seed := rdb.Get(t.Context(), key(sale.ID, "seed")).Val()
	steer(t, store, sale.ID, Settings{Cap: new(int64(7)), Rate: new(int64(70))})
	newer, older := sale, sale
	newer.Version, newer.Title, newer.Cap = 3, "Newer", 99
	older.Version, older.Title = 2, "Older"
	for _, s := range []ropeline.Sale{newer, older} {
		if err := store.PublishSale(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	got, err := store.Sale(t.Context(), sale.ID)
	if err != nil || got.Title != "Newer" {
		t.Errorf("title %q, %v; want the newer document", got.Title, err)
	}
	state, err := store.State(t.Context(), sale.ID)
	if err != nil || state.Cap != 7 || state.Rate != 70 {
		t.Errorf("limits %d and %d, %v; want the tuned 7 and 70", state.Cap, state.Rate, err)
	}
	if rdb.Get(t.Context(), key(sale.ID, "seed")).Val() != seed {
		t.Error("a new version replaced the draw's seed")
	}
	if strings.Contains(seed, string(sale.ID)) || len(seed) != 12+32+16 {
		t.Errorf("the stored seed is %d bytes, want a sealed one of 60", len(seed))
	}
}

func TestUnknownSaleAndPlace(t *testing.T) {
	t.Parallel()
	store, sale, _ := open(t, nil)
	_, err := store.Join(t.Context(), "nobody-sells-this", "p", "")
	if !errors.Is(err, ropeline.ErrSaleUnknown) {
		t.Errorf("joining an unknown sale: %v", err)
	}
	if _, err := store.Sale(t.Context(), "Not A Slug"); !errors.Is(err, ropeline.ErrSaleUnknown) {
		t.Errorf("reading a sale of a bad name: %v", err)
	}
	if _, err := store.Find(t.Context(), sale.ID, "nobody"); !errors.Is(err, ErrPlaceUnknown) {
		t.Errorf("finding nobody: %v", err)
	}
	if _, err := store.Leave(t.Context(), sale.ID, "nobody"); !errors.Is(err, ErrPlaceUnknown) {
		t.Errorf("nobody leaves: %v", err)
	}
	if _, err := store.Claim(t.Context(), sale.ID, "nobody"); !errors.Is(err, ErrNoOffer) {
		t.Errorf("nobody claims: %v", err)
	}
	if _, err := store.Steer(t.Context(), "nobody-sells-this", Change{Set: Settings{Mode: new(ropeline.ModePause)}}); !errors.Is(err, ropeline.ErrSaleUnknown) {
		t.Errorf("pausing an unknown sale: %v", err)
	}
}

func TestNobodyJoinsAnEndedSale(t *testing.T) {
	t.Parallel()
	store, sale, _ := open(t, func(s *ropeline.Sale) { s.EndsAt = time.Now().Add(-time.Second) })
	if _, err := store.Join(t.Context(), sale.ID, "late", ""); !errors.Is(err, ErrSaleEnded) {
		t.Errorf("joining an ended sale: %v", err)
	}
}

// Joins go first come, first served to the microsecond and beyond: two in the
// same microsecond still have an order, and it is the order of their answers.
func TestArrivalsKeepTheirOrderWithinAMicrosecond(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	now := time.Date(2042, 1, 1, 0, 0, 0, 0, time.UTC)
	store := New(rdb, testKeys).WithClock(func() time.Time { return now })
	t.Cleanup(store.Close)
	sale := testSale(fmt.Sprintf("fifo-%d", time.Now().UnixNano()), now.Add(-time.Minute))
	if err := errors.Join(store.PublishSale(t.Context(), sale), store.Draw(t.Context(), sale.ID)); err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		if i == 150 {
			now = now.Add(-2 * time.Second) // the clock jumps back
		}
		if p := join(t, store, sale.ID); p.Ordinal != int64(i) {
			t.Fatalf("arrival %d got ordinal %d", i, p.Ordinal)
		}
	}
}

func TestManyControllersNeverPassTheCap(t *testing.T) {
	t.Parallel()
	store, sale, _ := open(t, func(s *ropeline.Sale) { s.Cap, s.Rate = 20, ropeline.MaxRate })
	var ids []ropeline.PlaceID
	for i := range 200 {
		ids = append(ids, ropeline.PlaceID(fmt.Sprintf("f%03d", i)))
	}
	for _, r := range store.joinAll(t.Context(), lineID{sale.ID, 0}, entries(ids)) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	var controllers sync.WaitGroup
	beat(t, store, sale.ID)
	for c := range 8 {
		controllers.Go(func() {
			for range 50 {
				// A lease of a millisecond: they take it from each other all the time.
				state, err := store.Tick(t.Context(), sale.ID, fmt.Sprint("controller ", c), time.Millisecond)
				if err == nil && !state.Leads {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if state.Offered+state.Active > 20 || state.MaxInUse > 20 {
					t.Errorf("%d offered and %d active with a cap of 20", state.Offered, state.Active)
				}
			}
		})
	}
	controllers.Wait()
	// On a busy machine each may have lost the lease before it came to offer anybody.
	beat(t, store, sale.ID)
	if _, err := store.Tick(t.Context(), sale.ID, "the last", time.Minute); err != nil {
		t.Fatal(err)
	}
	state, err := store.State(t.Context(), sale.ID)
	if err != nil || state.LastOffer != 20 || state.Offered != 20 || state.MaxInUse != 20 {
		t.Errorf("%+v, %v; want exactly 20 offered", state, err)
	}
}

func TestClaimingAtOnceMakesOneSession(t *testing.T) {
	t.Parallel()
	store, sale, _ := open(t, nil)
	p := join(t, store, sale.ID)
	admitUntil(t, store, sale.ID, p.ID)
	sessions := make([]Session, 16)
	var claims sync.WaitGroup
	for i := range sessions {
		claims.Go(func() {
			var err error
			if sessions[i], err = store.Claim(t.Context(), sale.ID, p.ID); err != nil {
				t.Error(err)
			}
		})
	}
	claims.Wait()
	for _, s := range sessions {
		if s != sessions[0] {
			t.Fatalf("two claims got %+v and %+v", sessions[0], s)
		}
	}
	if life := sessions[0].ExpiresAt.Sub(sessions[0].IssuedAt); life != 6*time.Second {
		t.Errorf("the token lives %v, want the sale's 6 s", life)
	}
}

// A join whose answer was lost took effect. Repeating it with the same id finds
// the place; a new id would give the fan two chances in the draw.
func TestAJoinWhoseAnswerWasLostIsNotTwo(t *testing.T) {
	t.Parallel()
	store, sale, rdb := open(t, nil)
	join(t, store, sale.ID) // the server knows the script from here on
	loser := &losesFirst{UniversalClient: rdb}
	lossy := New(loser, testKeys)
	t.Cleanup(lossy.Close)
	p := join(t, lossy, sale.ID)
	if !loser.lost {
		t.Fatal("no answer was lost")
	}
	if got, err := store.Find(t.Context(), sale.ID, p.ID); err != nil || got.Ordinal != 1 {
		t.Errorf("the place is %+v, %v", got, err)
	}
	if n := rdb.ZCard(t.Context(), lineID{sale.ID, 0}.key("order")).Val(); n != 2 {
		t.Errorf("%d places after two joins", n)
	}
}

// losesFirst carries the first script out and loses its answer.
type losesFirst struct {
	redis.UniversalClient
	lost bool
}

func (l *losesFirst) FCall(ctx context.Context, name string, keys []string, args ...any) *redis.Cmd {
	cmd := l.UniversalClient.FCall(ctx, name, keys, args...)
	if cmd.Err() == nil && !l.lost {
		l.lost = true
		cmd.SetErr(io.ErrUnexpectedEOF)
	}
	return cmd
}

// A server that took over from one that hung may not have heard of the scripts.
func TestScriptsAreToldToAServerThatLacksThem(t *testing.T) {
	t.Parallel()
	ctx, rdb := t.Context(), devtest.PrivateRedis(t).Client
	store := New(rdb, testKeys)
	t.Cleanup(store.Close)
	sale := testSale("told", time.Now().Add(-time.Minute))
	if err := errors.Join(store.PublishSale(ctx, sale), store.Draw(ctx, sale.ID), rdb.FunctionFlush(ctx).Err()); err != nil {
		t.Fatal(err)
	}
	if p := join(t, store, sale.ID); p.Ordinal != 0 {
		t.Errorf("the first place stands at %d", p.Ordinal)
	}
}
