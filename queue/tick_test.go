package queue

import (
	"errors"
	"testing"

	"github.com/ropeline/ropeline"
)

// halfTick is a tick as a controller does it that is killed after it has offered,
// and before it has told the lines. meanwhile happens when the fronts were read.
func (k *timed) halfTick(meanwhile func()) (finish func() error) {
	k.Helper()
	k.now = k.now.Add(TickInterval)
	ctx, sale := k.Context(), k.sale.ID
	lines, sh, err := k.lines(ctx, sale)
	if err != nil {
		k.Fatal(err)
	}
	fronts, next := make([]front, len(lines)), make([]laneFront, sh.laneCount())
	if err := k.next(ctx, lines, sh, fronts, next, k.most); err != nil {
		k.Fatal(err)
	}
	meanwhile()
	fates, made, state, err := k.offer(ctx, sale, "controller", next)
	if err != nil || made != k.most {
		k.Fatalf("%d offers, %v; want %d", made, err, k.most)
	}
	return func() error { return k.moveOn(ctx, lines, sh, fronts, next, fates, &message{State: state}) }
}

// openFast is a sale with room for everybody, in which a call makes three offers.
func openFast(t *testing.T) *timed {
	t.Helper()
	k := openTimed(t, 1000)
	k.most = 3
	return k
}

// A controller that is killed in the middle of a tick has offered, and the line
// does not know: the next tick offers nobody twice, and says that it has more work.
func TestATickThatDiedHalfWayOffersNobodyTwice(t *testing.T) {
	t.Parallel()
	k := openFast(t)
	var places []Place
	for range 7 {
		places = append(places, join(t, k.Store, k.sale.ID))
	}
	k.halfTick(func() {})
	if s := k.tick(); s.LastOffer != 3 || s.Cursor != 3 || s.Offered != 3 || !s.More {
		t.Fatalf("the tick after it: %+v, more %t", s.State, s.More)
	}
	if s := k.tick(); s.LastOffer != 6 || s.Offered != 6 || !s.More {
		t.Fatalf("the next one: %+v, more %t", s.State, s.More)
	}
	if s := k.tick(); s.LastOffer != 7 || s.More {
		t.Fatalf("the last one: %+v, more %t", s.State, s.More)
	}
	for i, p := range places {
		if got := k.is(p, ropeline.PlaceOffered); got.Offer.Number != int64(i+1) {
			t.Errorf("place %d has offer %d", i, got.Offer.Number)
		}
	}
}

// Somebody leaves when the front was read already: the offer is taken back.
func TestWhoLeavesInTheMiddleOfATickIsNotOffered(t *testing.T) {
	t.Parallel()
	k := openFast(t)
	places := []Place{join(t, k.Store, k.sale.ID), join(t, k.Store, k.sale.ID), join(t, k.Store, k.sale.ID)}
	finish := k.halfTick(func() {
		if _, err := k.Leave(t.Context(), k.sale.ID, places[1].ID); err != nil {
			t.Fatal(err)
		}
	})
	if err := finish(); err != nil {
		t.Fatal(err)
	}
	for i, want := range []ropeline.PlaceState{ropeline.PlaceOffered, ropeline.PlaceLeft, ropeline.PlaceOffered} {
		k.is(places[i], want)
	}
	if s := k.tick(); s.Offered != 2 || s.Cursor != 3 {
		t.Errorf("%d are offered, and the line came to %d", s.Offered, s.Cursor)
	}
}

// However many lanes have so many waiting: a call makes no more offers than it may,
// and the tick says that there is more work.
func TestACallMakesNoMoreOffersThanItMay(t *testing.T) {
	t.Parallel()
	l := openLaned(t, []ropeline.Lane{lane("press", 50)}, nil)
	l.most = 3
	l.joins(t, ropeline.MainLane, 5)
	l.joins(t, "press", 5)
	l.ticks(t, 1) // the bucket starts empty
	l.now = l.now.Add(TickInterval)
	l.beat(t)
	before, err := l.State(t.Context(), l.sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	ticked, err := l.Tick(t.Context(), l.sale.ID, "controller", testLease)
	if err != nil || ticked.LastOffer != before.LastOffer+3 || !ticked.More {
		t.Errorf("a tick offers from %d to %d, more %t, %v", before.LastOffer, ticked.LastOffer, ticked.More, err)
	}
}

// A server that has just taken over may lack a change that edges know of. One that
// is made then would take its number; it waits until they have written it back.
func TestAChangeAfterAFailoverWaitsForWhatEdgesKnow(t *testing.T) {
	t.Parallel()
	k := openTimed(t, 1000)
	ctx, id := t.Context(), k.sale.ID
	lost := k.rdb.HGetAll(ctx, key(id, "limits")).Val()
	steer(t, k.Store, id, Settings{Cap: new(int64(7))})
	known, err := k.State(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(k.rdb.Del(ctx, key(id, "limits")).Err(), k.rdb.HSet(ctx, key(id, "limits"), lost).Err(),
		k.rdb.HSet(ctx, key(id, "state"), "run_id", "of the master that was").Err())
	if err != nil {
		t.Fatal(err)
	}
	change := Change{ID: "the next", Set: Settings{Rate: new(int64(90))}, By: "sre", Reason: "a test"}
	for range 5 { // before the first tick finds out, and in the second after it
		if _, err := k.steer(ctx, id, change, false); !errors.Is(err, ErrSettling) {
			t.Fatalf("on a server that took over just now: %v", err)
		}
		k.tick()
	}
	if err := k.recallLimits(ctx, id, known.Limits); err != nil {
		t.Fatal(err)
	}
	k.tick()
	if _, err := k.steer(ctx, id, change, false); err != nil {
		t.Fatal(err)
	}
	if s, err := k.State(ctx, id); err != nil || s.Cap != 7 || s.Rate != 90 || s.Version != 2 {
		t.Errorf("the limits are %+v, %v; want both changes", s.Limits, err)
	}
}
