package queue

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// waiters is a line of its own server, six a minute go in, in which so many wait.
func waiters(t *testing.T, n int) (*Store, ropeline.Sale, redis.UniversalClient, []Place) {
	t.Helper()
	rdb := devtest.PrivateRedis(t).Client
	keys := testKeys
	keys.Code = bytes.Repeat([]byte{3}, 32)
	store := New(rdb, keys)
	t.Cleanup(store.Close)
	sale := testSale("near", time.Now().Add(-time.Minute))
	sale.Cap, sale.Rate = 1000, 6
	if err := errors.Join(store.PublishSale(t.Context(), sale), store.Draw(t.Context(), sale.ID)); err != nil {
		t.Fatal(err)
	}
	places := make([]Place, n)
	for i := range places {
		places[i] = join(t, store, sale.ID)
	}
	tick(t, store, sale.ID)
	return store, sale, rdb, places
}

func mustDo(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// holds are the keys in whose bytes a text is.
func holds(t *testing.T, rdb redis.UniversalClient, text string) (names []string) {
	t.Helper()
	keys, err := rdb.Keys(t.Context(), "*").Result()
	mustDo(t, err)
	for _, name := range keys {
		dump, err := rdb.Dump(t.Context(), name).Result()
		mustDo(t, err)
		if strings.Contains(name+dump, text) {
			names = append(names, name)
		}
	}
	return names
}

// Who asked is told when their turn is near, and not before; whoever hands that over may die
// and do it again until it is said to be done. Then the address is gone.
func TestWhoAskedIsToldWhenTheirTurnIsNear(t *testing.T) {
	t.Parallel()
	store, sale, rdb, places := waiters(t, 200)
	ctx, soon, far := t.Context(), places[20].ID, places[199].ID
	to := func(name string) NearAddress {
		return NearAddress{Email: name + "@example.org", Language: "de", Link: "https://tickets.example.org/sales/near#handover=" + name}
	}
	if err := store.AskNear(ctx, sale.ID, soon, to("ada")); !errors.Is(err, ErrNearOff) {
		t.Fatalf("nobody writes letters, and it is taken: %v", err)
	}
	turns := func() (ids []ropeline.PlaceID, all []Near) {
		t.Helper()
		all, err := store.NearTurns(ctx, 100)
		mustDo(t, err)
		for _, n := range all {
			ids = append(ids, n.Place)
		}
		return ids, all
	}
	turns()
	// What was left long ago, while nobody wrote, is of no use any more.
	mustDo(t, store.AskNear(ctx, sale.ID, places[30].ID, to("old")), rdb.XAdd(ctx, &redis.XAddArgs{Stream: keyNear, ID: "1-1", Values: []any{"sale", "near", "place", string(places[30].ID)}}).Err())
	if ids, _ := turns(); len(ids) != 0 || rdb.HLen(ctx, key(sale.ID, "asked")).Val() != 0 || rdb.XLen(ctx, keyNear).Val() != 0 {
		t.Errorf("of long ago is told %v", ids)
	}
	mustDo(t, store.AskNear(ctx, sale.ID, soon, to("wrong")), store.AskNear(ctx, sale.ID, soon, to("ada")), store.AskNear(ctx, sale.ID, far, to("bert")))
	if found := holds(t, rdb, "example.org"); len(found) != 0 {
		t.Errorf("an address is in the clear in %v", found)
	}
	if ttl := rdb.PTTL(ctx, key(sale.ID, "asked")).Val(); ttl <= 0 || ttl > time.Hour {
		t.Errorf("addresses are kept for %s", ttl)
	}
	mustDo(t, store.FindNear(ctx, sale.ID), store.FindNear(ctx, sale.ID))
	for range 2 { // who reads them dies before it has written
		ids, all := turns()
		if len(ids) != 1 || ids[0] != soon || all[0].NearAddress != to("ada") {
			t.Fatalf("near is %+v, want ada's", all)
		}
	}
	_, all := turns()
	mustDo(t, store.NearTold(ctx, all[0]))
	if ids, _ := turns(); len(ids) != 0 {
		t.Errorf("told again are %v", ids)
	}
	if err := store.AskNear(ctx, sale.ID, soon, to("ada")); !errors.Is(err, ErrNearTold) {
		t.Errorf("who was told asks again: %v", err)
	}
	// The line moves on more quickly; it is looked again before long.
	at, err := rdb.ZScore(ctx, key(sale.ID, "asking"), string(far)).Result()
	if err != nil || time.Until(time.UnixMilli(int64(at))) > nearLate || time.Until(time.UnixMilli(int64(at))) < nearSoon {
		t.Errorf("who is far is looked at in %s: %v", time.Until(time.UnixMilli(int64(at))), err)
	}
	rate := int64(600)
	steer(t, store, sale.ID, Settings{Rate: &rate})
	tick(t, store, sale.ID)
	mustDo(t, store.FindNear(ctx, sale.ID))
	if ids, _ := turns(); len(ids) != 0 {
		t.Errorf("it is not looked at at its time: %v", ids)
	}
	mustDo(t, rdb.ZAdd(ctx, key(sale.ID, "asking"), redis.Z{Member: string(far)}).Err(), store.FindNear(ctx, sale.ID))
	if ids, all := turns(); len(ids) != 1 || ids[0] != far || all[0].Email != "bert@example.org" {
		t.Errorf("now near is %+v, want bert's", all)
	}
}

// A turn is near so long before the earliest time at which it is expected as its sale says, ten
// minutes unless it says another, and not sooner.
func TestATurnIsNearItsNoticeBefore(t *testing.T) {
	t.Parallel()
	store, sale, _, all := waiters(t, 200)
	view, err := store.Snapshot(t.Context(), sale.ID)
	mustDo(t, err)
	ids := make([]ropeline.PlaceID, len(all))
	for i, p := range all {
		ids[i] = p.ID
	}
	places, err := store.FindAll(t.Context(), sale.ID, ids)
	mustDo(t, err)
	for _, says := range []ropeline.Seconds{0, 60, 1200} {
		sale.TurnNotice = says
		notice := sale.Notice()
		last, first := time.Duration(0), time.Hour // the longest that is near, the shortest that is not
		for _, p := range places {
			if p.State != ropeline.PlaceWaiting {
				continue
			}
			wait, ok := view.Wait(view.LaneOf(p.ID), view.Position(p))
			if !ok {
				t.Fatal("no turn can be estimated")
			}
			if _, near := nearIn(view, notice, p); near {
				last = max(last, wait.Low)
			} else {
				first = min(first, wait.Low)
			}
		}
		want := map[ropeline.Seconds]time.Duration{0: 10 * time.Minute, 60: time.Minute, 1200: 20 * time.Minute}[says]
		if last < want-time.Minute || last > want || first <= want || first > want+time.Minute {
			t.Errorf("of %d s near is who waits for %s, and not yet who waits for %s", says, last, first)
		}
	}
}

// A sale's own notice holds from the next look on, also one that is changed while people wait.
func TestANoticeIsTheSalesOwn(t *testing.T) {
	t.Parallel()
	store, sale, rdb, places := waiters(t, 200)
	ctx := t.Context()
	_, err := store.NearTurns(ctx, 1)
	mustDo(t, err)
	far := places[100].ID // sixteen minutes
	mustDo(t, store.AskNear(ctx, sale.ID, far, NearAddress{Email: "ada@example.org"}), store.FindNear(ctx, sale.ID))
	if n := rdb.XLen(ctx, keyNear).Val(); n != 0 {
		t.Fatalf("%d are near by ten minutes", n)
	}
	sale.TurnNotice, sale.Version = 1800, sale.Version+1
	mustDo(t, store.PublishSale(ctx, sale), rdb.ZAdd(ctx, key(sale.ID, "asking"), redis.Z{Member: string(far)}).Err(), store.FindNear(ctx, sale.ID))
	if n := rdb.XLen(ctx, keyNear).Val(); n != 1 {
		t.Errorf("%d are near by half an hour", n)
	}
}

// However many places are due, all are looked at in a round that has the time; and a call of
// them in one that has none.
func TestARoundLooksAtAllPlacesThatAreDue(t *testing.T) {
	t.Parallel()
	store, sale, rdb, places := waiters(t, 2*nearLook+100)
	ctx, asked := t.Context(), make([]redis.Z, len(places))
	for i, p := range places {
		asked[i] = redis.Z{Score: 1, Member: string(p.ID)} // since long ago
	}
	mustDo(t, rdb.ZAdd(ctx, key(sale.ID, "asking"), asked...).Err())
	due := func() int64 { return rdb.ZCount(ctx, key(sale.ID, "asking"), "-inf", "1").Val() }
	mustDo(t, store.findNear(ctx, sale.ID, 0))
	if n := due(); n != nearLook+100 {
		t.Errorf("%d are due after a call", n)
	}
	began := time.Now()
	mustDo(t, store.findNear(ctx, sale.ID, time.Minute))
	t.Logf("%d places take %s", nearLook+100, time.Since(began))
	if n := due(); n != 0 {
		t.Errorf("%d are due after a round", n)
	}
	if n := rdb.XLen(ctx, keyNear).Val(); n < 50 || n > 200 {
		t.Errorf("%d are near", n)
	}
	if n := rdb.ZCard(ctx, key(sale.ID, "asking")).Val(); n < int64(len(places))-200 {
		t.Errorf("%d are looked at again", n)
	}
}

// Nobody is told of a place that is given up, or that they want to hear nothing of any more;
// a stranger's address has three letters of a sale at most, and no sale keeps more than so many.
func TestNobodyIsFloodedByNearTurns(t *testing.T) {
	t.Parallel()
	store, sale, rdb, places := waiters(t, 12)
	ctx := t.Context()
	_, err := store.NearTurns(ctx, 1)
	mustDo(t, err)
	for _, p := range places[:10] {
		mustDo(t, store.AskNear(ctx, sale.ID, p.ID, NearAddress{Email: map[bool]string{true: "Victim@example.org", false: "victim@example.org"}[p.ID < places[0].ID]}))
	}
	_, err = store.Leave(ctx, sale.ID, places[9].ID)
	mustDo(t, err, store.ForgetNear(ctx, sale.ID, places[8].ID), store.FindNear(ctx, sale.ID))
	if n := rdb.XLen(ctx, keyNear).Val(); n != 8 {
		t.Errorf("%d are near, want 8 without who left and who forgot", n)
	}
	var kept ropeline.PlaceID
	for range 2 {
		turns, err := store.NearTurns(ctx, 100)
		kept = turns[0].Place
		if err != nil || len(turns) != nearEach {
			t.Errorf("%d letters go to one address: %v", len(turns), err)
		}
	}
	if n := rdb.HLen(ctx, key(sale.ID, "asked")).Val(); n != nearEach {
		t.Errorf("%d addresses are kept that nobody writes to", n-nearEach)
	}
	many := make([]any, 0, 2*nearMost)
	for i := range nearMost - nearEach {
		many = append(many, fmt.Sprint("p", i), "x")
	}
	mustDo(t, rdb.HSet(ctx, key(sale.ID, "asked"), many...).Err())
	if err := store.AskNear(ctx, sale.ID, places[10].ID, NearAddress{Email: "eve@example.org"}); !errors.Is(err, ErrNearFull) {
		t.Errorf("one more than are kept is taken: %v", err)
	}
	mustDo(t, store.AskNear(ctx, sale.ID, kept, NearAddress{Email: "eve@example.org"})) // who is kept may change it
}

// At the end of a sale no address is left in Redis, also where that end comes sooner than
// was said.
func TestAddressesAreForgottenWithTheSale(t *testing.T) {
	t.Parallel()
	store, sale, rdb, places := waiters(t, 200)
	ctx := t.Context()
	_, err := store.NearTurns(ctx, 1)
	mustDo(t, err, store.AskNear(ctx, sale.ID, places[199].ID, NearAddress{Email: "ada@example.org"}))
	sealed := rdb.HGet(ctx, key(sale.ID, "asked"), string(places[199].ID)).Val()
	if len(sealed) < 30 || len(holds(t, rdb, sealed[:20])) != 1 {
		t.Fatalf("kept is %d bytes", len(sealed))
	}
	late := store.WithClock(func() time.Time { return sale.EndsAt.Add(time.Second) })
	t.Cleanup(late.Close)
	mustDo(t, late.FindNear(ctx, sale.ID))
	if found := holds(t, rdb, sealed[:20]); len(found) != 0 {
		t.Errorf("it is kept still in %v", found)
	}
	if err := late.AskNear(ctx, sale.ID, places[198].ID, NearAddress{Email: "ada@example.org"}); !errors.Is(err, ErrSaleEnded) {
		t.Errorf("asked after the end: %v", err)
	}
}

// The code of a letter is good for hours, but once, and not when the place has moved by
// another: who held it before could take it back.
func TestTheCodeOfALetterMovesAPlaceOnce(t *testing.T) {
	t.Parallel()
	store, sale, pass := clocked(t)
	ctx := t.Context()
	mailed := func(of Ticket) Code {
		t.Helper()
		c, err := NewMailCode(rand.Reader)
		mustDo(t, err, store.MailCode(ctx, sale.ID, of, c, time.Hour))
		if parsed, err := ParseCode(c.String()); err != nil || parsed != c || len(c) != mailLength {
			t.Errorf("%s is read as %s: %v", c, parsed, err)
		}
		return c
	}
	p := join(t, store, sale.ID)
	first := Ticket{Sale: sale.ID, Lane: MainLane, Place: p.ID, Score: p.Score, Epoch: p.Epoch}
	replaced, kept := mailed(first), mailed(first)
	shown := code(t, store, first) // another kind replaces none
	pass(10 * time.Minute)
	if _, err := store.Exchange(ctx, sale.ID, replaced, "", ""); !errors.Is(err, ErrCodeUnknown) {
		t.Errorf("an earlier letter's: %v", err)
	}
	if _, err := store.Exchange(ctx, sale.ID, shown, "", ""); !errors.Is(err, ErrCodeLate) {
		t.Errorf("the one that was shown is good for ten minutes: %v", err)
	}
	second, err := store.Exchange(ctx, sale.ID, kept, "phone", "")
	if err != nil || second.Generation != 1 || second.Place != p.ID {
		t.Fatalf("the letter's gives %+v: %v", second, err)
	}
	if _, err := store.Exchange(ctx, sale.ID, kept, "other", ""); !errors.Is(err, ErrCodeUsed) {
		t.Errorf("it is used twice: %v", err)
	}
	before := mailed(second)
	if _, err := store.Exchange(ctx, sale.ID, code(t, store, second), "friend", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Exchange(ctx, sale.ID, before, "phone", ""); !errors.Is(err, ErrCodeUsed) {
		t.Errorf("who has given the place away takes it back: %v", err)
	}
}
