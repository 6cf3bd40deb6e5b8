package queue

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

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

func join(t *testing.T, store *Store, sale ropeline.SaleID) Place {
	t.Helper()
	id, err := NewPlaceID(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := store.Join(t.Context(), sale, id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// admitUntil ticks until the place is offered.
func admitUntil(t *testing.T, store *Store, sale ropeline.SaleID, id ropeline.PlaceID) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if _, _, err := store.Tick(t.Context(), sale); err != nil {
			t.Fatal(err)
		}
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
	if err := store.SetLimits(t.Context(), sale.ID, Limits{3, 60_000}, Limits{7, 70}); err != nil {
		t.Fatal(err)
	}
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
	state, _, err := store.Snapshot(t.Context(), sale.ID)
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
	_, err := store.Join(t.Context(), "nobody-sells-this", "p")
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
	if err := store.SetPaused(t.Context(), "nobody-sells-this", true, ""); !errors.Is(err, ropeline.ErrSaleUnknown) {
		t.Errorf("pausing an unknown sale: %v", err)
	}
}

func TestNobodyJoinsAnEndedSale(t *testing.T) {
	t.Parallel()
	store, sale, _ := open(t, func(s *ropeline.Sale) { s.EndsAt = time.Now().Add(-time.Second) })
	if _, err := store.Join(t.Context(), sale.ID, "late"); !errors.Is(err, ErrSaleEnded) {
		t.Errorf("joining an ended sale: %v", err)
	}
}

// A controller that dies in the middle of a draw leaves some scores behind.
// The next one must come to the same order, and who joined or left meanwhile
// must not land inside the lobby's range.
func TestADrawThatWasKilledEndsTheSame(t *testing.T) {
	t.Parallel()
	rdb, ctx := devtest.Redis(t), t.Context()
	now := time.Date(2041, 1, 1, 0, 0, 0, 0, time.UTC)
	store := New(rdb, testKeys).WithClock(func() time.Time { return now })
	t.Cleanup(store.Close)
	sale := testSale(fmt.Sprintf("draw-%d", time.Now().UnixNano()), now)
	if err := store.PublishSale(ctx, sale); err != nil {
		t.Fatal(err)
	}
	var lobby []ropeline.PlaceID
	for i := range 2500 {
		lobby = append(lobby, ropeline.PlaceID(fmt.Sprintf("lobby-%d", i)))
	}
	for _, r := range store.joinAll(ctx, sale.ID, lobby) {
		if r.Err != nil || r.Value.State != ropeline.PlaceCollected {
			t.Fatalf("joining the lobby: %+v, %v", r.Value, r.Err)
		}
	}
	now = sale.LobbyClosesAt.Add(time.Second)

	sealed, _ := rdb.Get(ctx, key(sale.ID, "seed")).Bytes()
	seed, err := store.openSeed(sale.ID, sealed)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(seed)
	half := redis.Z{Member: string(lobby[7]), Score: float64(LobbyScore(sum[:], lobby[7]))}
	if err := rdb.ZAdd(ctx, key(sale.ID, "drawing"), half).Err(); err != nil { // the killed draw's remains
		t.Fatal(err)
	}
	if _, err := store.run(ctx, finishDrawScript, []string{key(sale.ID, "state"), key(sale.ID, "drawing"), key(sale.ID, "order"),
		key(sale.ID, "collected"), key(sale.ID, "pending"), key(sale.ID, "quit"), key(sale.ID, "departed")}, "e"); !errors.Is(err, errDrawIncomplete) {
		t.Fatalf("ending an incomplete draw: %v", err)
	}
	if _, err := store.Join(ctx, sale.ID, "late"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Leave(ctx, sale.ID, lobby[9]); err != nil {
		t.Fatal(err)
	}
	if p, err := store.Find(ctx, sale.ID, lobby[9]); err != nil || p.State != ropeline.PlaceLeft {
		t.Errorf("who left during the draw is %s, %v", p.State, err)
	}
	if err := store.Draw(ctx, sale.ID); err != nil {
		t.Fatal(err)
	}
	order, err := rdb.ZRange(ctx, key(sale.ID, "order"), 0, -1).Result()
	if err != nil || len(order) != 2501 || order[2500] != "late" {
		t.Fatalf("%d places, the last %q, %v; want 2501 with the late one last", len(order), order[len(order)-1], err)
	}
	want := slices.Clone(lobby)
	slices.SortFunc(want, func(a, b ropeline.PlaceID) int { return int(LobbyScore(sum[:], a)>>12 - LobbyScore(sum[:], b)>>12) })
	for i, id := range want {
		if order[i] != string(id) {
			t.Fatalf("ordinal %d is %s, want %s", i, order[i], id)
		}
	}
	before, _, _ := store.Snapshot(ctx, sale.ID)
	if err := store.Draw(ctx, sale.ID); err != nil {
		t.Fatal("drawing again:", err)
	}
	if after, _, _ := store.Snapshot(ctx, sale.ID); after.Epoch != before.Epoch || before.Epoch == "" {
		t.Error("a second draw began a second epoch")
	}
	if p, err := store.Find(ctx, sale.ID, lobby[9]); err != nil || p.State != ropeline.PlaceLeft || p.Ordinal < 0 {
		t.Errorf("after the draw who left is %s at %d, %v", p.State, p.Ordinal, err)
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
	for _, r := range store.joinAll(t.Context(), sale.ID, ids) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	var controllers sync.WaitGroup
	for range 8 {
		controllers.Go(func() {
			for range 50 {
				state, _, err := store.Tick(t.Context(), sale.ID)
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
	state, _, err := store.Snapshot(t.Context(), sale.ID)
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

func TestABitmapCountsLikeASlice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set := rapid.SliceOfNDistinct(rapid.Int64Range(0, 3000), 0, 200, rapid.ID).Draw(t, "departed")
		b := newBitmap(nil)
		for chunk := range slices.Chunk(set, 7) {
			b = b.with(chunk)
		}
		for range 20 {
			ordinal := rapid.Int64Range(0, 4000).Draw(t, "ordinal")
			want := int64(0)
			for _, o := range set {
				if o < ordinal {
					want++
				}
			}
			if got := b.rank(ordinal); got != want {
				t.Fatalf("rank(%d) = %d, want %d", ordinal, got, want)
			}
		}
	})
}

// follow runs a Line until the test ends and returns it with its first view.
func follow(t *testing.T, store *Store, sale ropeline.SaleID) *Line {
	t.Helper()
	line := NewLine(store, sale, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() {
		if err := line.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); run.Wait() })
	awaitView(t, line, func(*View) bool { return true })
	return line
}

// awaitView waits until a view is as wanted.
func awaitView(t *testing.T, line *Line, wanted func(*View) bool) *View {
	t.Helper()
	deadline := time.After(10 * time.Second)
	next := line.Ready()
	for {
		select {
		case <-next:
		case <-deadline:
			t.Fatalf("the view never came; the last is %+v", line.View())
		}
		v := line.View()
		if wanted(v) {
			return v
		}
		next = v.Superseded()
	}
}

func TestAnEdgeFollowsPositionsOffersAndLeavers(t *testing.T) {
	t.Parallel()
	store, sale, rdb := open(t, func(s *ropeline.Sale) { s.Cap = 1 })
	var places []Place
	for range 5 {
		places = append(places, join(t, store, sale.ID))
	}
	line := follow(t, store, sale.ID)
	watch := line.Watch(places[0].ID)
	defer line.Unwatch(watch)

	admitUntil(t, store, sale.ID, places[0].ID)
	select {
	case <-watch.Changed():
	case <-time.After(10 * time.Second):
		t.Fatal("the offer woke nobody")
	}
	if _, err := store.Leave(t.Context(), sale.ID, places[2].ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Tick(t.Context(), sale.ID); err != nil {
		t.Fatal(err)
	}
	v := awaitView(t, line, func(v *View) bool { return v.LastOffer == 1 && v.Gone == 1 })
	for i, want := range []int64{0, 0, 1, 1, 2} {
		if got := v.Position(places[i].Ordinal); got != want {
			t.Errorf("place %d is shown %d ahead, want %d", i, got, want)
		}
	}
	if v.Waiting() != 3 {
		t.Errorf("%d waiting, want 3", v.Waiting())
	}

	// A message is lost: two leave, but the tick that says so is not published.
	if _, err := store.Leave(t.Context(), sale.ID, places[3].ID); err != nil {
		t.Fatal(err)
	}
	if err := rdb.HIncrBy(t.Context(), key(sale.ID, "state"), "seq", 1).Err(); err != nil {
		t.Fatal(err)
	}
	if err := rdb.Del(t.Context(), key(sale.ID, "left")).Err(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Tick(t.Context(), sale.ID); err != nil {
		t.Fatal(err)
	}
	v = awaitView(t, line, func(v *View) bool { return v.Gone == 2 })
	if got := v.Position(places[4].Ordinal); got != 1 {
		t.Errorf("after a lost message the last one is shown %d ahead, want 1", got)
	}
}

func gateOf(t *testing.T, store *Store, name string) *Revocations {
	t.Helper()
	r := NewRevocations(store, name, slog.New(slog.DiscardHandler))
	if _, err := r.Ended("anybody"); !errors.Is(err, ErrGateBlind) {
		t.Errorf("a gate that has read nothing answers %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = r.Run(ctx) })
	t.Cleanup(func() { cancel(); run.Wait() })
	for deadline := time.Now().Add(10 * time.Second); ; {
		if _, err := r.Ended("anybody"); err == nil {
			return r
		} else if time.Now().After(deadline) {
			t.Fatal("the gate stays blind:", err)
		}
	}
}

func TestASlotIsFreeOnlyWhenEveryGateRefuses(t *testing.T) {
	t.Parallel()
	// A server of its own: gates are global to a Redis.
	rdb := devtest.PrivateRedis(t).Client
	store := New(rdb, testKeys)
	t.Cleanup(store.Close)
	sale := testSale("gates", time.Now().Add(-time.Minute))
	sale.TokenLife, sale.SessionMax = 60, 600
	if err := errors.Join(store.PublishSale(t.Context(), sale), store.Draw(t.Context(), sale.ID)); err != nil {
		t.Fatal(err)
	}
	admit := func() (ropeline.PlaceID, Session) {
		p := join(t, store, sale.ID)
		admitUntil(t, store, sale.ID, p.ID)
		s, err := store.Claim(t.Context(), sale.ID, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		return p.ID, s
	}
	inUse := func() int64 {
		s, _, err := store.Snapshot(t.Context(), sale.ID)
		if err != nil {
			t.Fatal(err)
		}
		return s.Active
	}

	gates := []*Revocations{gateOf(t, store, "a"), gateOf(t, store, "b")}
	first, session := admit()
	acknowledged, err := store.End(t.Context(), sale.ID, first)
	if err != nil || !acknowledged || inUse() != 0 {
		t.Fatalf("end: acknowledged %v, %v, %d slots in use; want it freed", acknowledged, err, inUse())
	}
	for i, g := range gates {
		if over, err := g.Ended(session.ID); err != nil || !over {
			t.Errorf("gate %d lets the ended session pass: %v, %v", i, over, err)
		}
	}
	if late := gateOf(t, store, "late"); true {
		if over, err := late.Ended(session.ID); err != nil || !over {
			t.Errorf("a gate that started later lets it pass: %v, %v", over, err)
		}
	}

	// A gate that lives but does not read: the slot stays counted.
	if _, err := store.run(t.Context(), beatScript, []string{keyGatesSeen, keyGatesAcked}, "deaf", "0-0"); err != nil {
		t.Fatal(err)
	}
	second, _ := admit()
	acknowledged, err = store.End(t.Context(), sale.ID, second)
	if err != nil || acknowledged || inUse() != 1 {
		t.Errorf("end with a deaf gate: acknowledged %v, %v, %d slots in use; want the slot kept", acknowledged, err, inUse())
	}
	if _, err := store.Renew(t.Context(), sale.ID, second); !errors.Is(err, ErrSessionOver) {
		t.Errorf("an ended session is renewed: %v", err)
	}
}

// FuzzTicketIsOursToTheLastBit: whatever is presented, only the exact text
// that we signed is believed.
func FuzzTicketIsOursToTheLastBit(f *testing.F) {
	store := New(nil, testKeys)
	ours := Ticket{Sale: "demo", Lane: MainLane, Place: "cGxhY2U", Visitor: "v", Score: "4503599627370497", Epoch: "e"}
	good, err := store.SignTicket(ours)
	if err != nil {
		f.Fatal(err)
	}
	elsewhere, _ := New(nil, Keys{Place: bytes.Repeat([]byte{9}, 32)}).SignTicket(ours)
	other := ours
	other.Sale = "other"
	foreign, _ := store.SignTicket(other)
	for _, seed := range []string{good, elsewhere, foreign, good[:len(good)-1], good + "A", good + "\n", good[:len(good)-3] + "\r\n" + good[len(good)-3:], "1..", "", strings.Repeat(".", 50),
		strings.Replace(good, "1.", "2.", 1), base64.StdEncoding.EncodeToString([]byte(good))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := store.ReadTicket("demo", raw)
		if (err == nil) != (raw == good) {
			t.Fatalf("ReadTicket(%q) = %+v, %v", raw, got, err)
		}
		if err == nil && got != ours {
			t.Fatalf("read %+v, signed %+v", got, ours)
		}
		if err != nil && !errors.Is(err, ErrTicketInvalid) {
			t.Fatalf("ReadTicket(%q): %v", raw, err)
		}
	})
}

// The estimate comes from what was really offered over the last minute, and
// every edge reads the same number from Redis.
func TestTheOutflowIsThatOfTheLastMinute(t *testing.T) {
	t.Parallel()
	now := time.Date(2043, 1, 1, 0, 0, 0, 0, time.UTC)
	store := New(devtest.Redis(t), testKeys).WithClock(func() time.Time { return now })
	t.Cleanup(store.Close)
	sale := testSale(fmt.Sprintf("pace-%d", time.Now().UnixNano()), now.Add(-20*time.Second))
	sale.Cap, sale.Rate = 1000, 120
	if err := errors.Join(store.PublishSale(t.Context(), sale), store.Draw(t.Context(), sale.ID)); err != nil {
		t.Fatal(err)
	}
	var last Place
	for range 400 {
		last = join(t, store, sale.ID)
	}
	tick := func(span time.Duration) (s State) {
		for end := now.Add(span); now.Before(end); now = now.Add(TickInterval) {
			var err error
			if s, _, err = store.Tick(t.Context(), sale.ID); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	if s := tick(70 * time.Second); s.PastAge != 60 || s.Outflow() < 1.9 || s.Outflow() > 2.1 {
		t.Errorf("at 120 a minute the outflow is %.2f/s over %d s, want 2", s.Outflow(), s.PastAge)
	}
	state, raw, err := store.Snapshot(t.Context(), sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	v := newView(state, newBitmap(raw))
	ahead := v.Position(last.Ordinal)
	low, high, ok := v.Wait(ahead)
	if want := time.Duration(ahead) * time.Second / 2; !ok || low > want || high < want {
		t.Errorf("with %d ahead at 2/s the wait is shown as %v to %v, want about %v inside", ahead, low, high, want)
	}
	if err := store.SetPaused(t.Context(), sale.ID, true, "a break"); err != nil {
		t.Fatal(err)
	}
	if s := tick(61 * time.Second); s.Outflow() != 0 {
		t.Errorf("after a minute's pause the outflow is %.2f/s, want 0", s.Outflow())
	}
	state, raw, _ = store.Snapshot(t.Context(), sale.ID)
	if _, _, ok := newView(state, newBitmap(raw)).Wait(ahead); ok {
		t.Error("a wait is estimated while the line is paused")
	}
}
