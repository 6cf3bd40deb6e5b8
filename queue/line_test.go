package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

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
	offered := make(chan struct{}, 16)
	link := line.Attend(Ticket{Place: places[0].ID}, places[0], false, func(ropeline.PlaceState) { offered <- struct{}{} })
	defer link.Close()

	admitUntil(t, store, sale.ID, places[0].ID)
	select {
	case <-offered:
	case <-time.After(10 * time.Second):
		t.Fatal("the offer woke nobody")
	}
	if _, err := store.Leave(t.Context(), sale.ID, places[2].ID); err != nil {
		t.Fatal(err)
	}
	tick(t, store, sale.ID)
	v := awaitView(t, line, func(v *View) bool { return v.LastOffer == 1 && v.Gone == 1 })
	for i, want := range []int64{0, 0, 1, 1, 2} {
		if got := v.Position(places[i]); got != want {
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
	if err := rdb.HIncrBy(t.Context(), lineID{sale.ID, 0}.key("line"), "seq", 1).Err(); err != nil {
		t.Fatal(err)
	}
	if err := rdb.Del(t.Context(), lineID{sale.ID, 0}.key("left")).Err(); err != nil {
		t.Fatal(err)
	}
	tick(t, store, sale.ID)
	v = awaitView(t, line, func(v *View) bool { return v.Gone == 2 })
	if got := v.Position(places[4]); got != 1 {
		t.Errorf("after a lost message the last one is shown %d ahead, want 1", got)
	}
}

// The pace of the line is kept in Redis: every edge, one that just started too,
// estimates from the same numbers.
func TestEveryEdgeReadsTheSamePace(t *testing.T) {
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
	run := func(span time.Duration) (s State) {
		for end := now.Add(span); now.Before(end); now = now.Add(TickInterval) {
			s = tick(t, store, sale.ID).State
		}
		return s
	}
	if s := run(10 * time.Second); s.LastMinute() < 15 || s.LastMinute() > 25 {
		t.Errorf("in its first 10 s %d were offered, want 20", s.LastMinute())
	}
	if s := run(60 * time.Second); s.PastAge != 60 || s.LastOffer-s.PastOffer < 115 || s.LastOffer-s.PastOffer > 125 {
		t.Errorf("at 120 a minute %d were offered in %d s, want 120 in 60", s.LastOffer-s.PastOffer, s.PastAge)
	}
	v := view(t, store, sale.ID)
	ahead := v.Position(last)
	w, ok := v.Wait(0, ahead)
	if want := time.Duration(ahead) * time.Second / 2; !ok || w.Low > want || w.High < want || w.Longer != "" {
		t.Errorf("with %d ahead at 2/s the wait is shown as %+v, want about %v inside", ahead, w, want)
	}
	steer(t, store, sale.ID, Settings{Rate: new(int64(60))})
	tick(t, store, sale.ID)
	if slow, ok := view(t, store, sale.ID).Wait(0, ahead); !ok || slow.Longer != LongerLimits || slow.Low < 19*w.Low/10 {
		t.Errorf("at half the rate the wait is shown as %+v after %+v", slow, w)
	}
	steer(t, store, sale.ID, Settings{Mode: new(ropeline.ModePause)})
	if s := run(61 * time.Second); s.LastOffer != s.PastOffer {
		t.Errorf("in a minute's pause %d were offered", s.LastOffer-s.PastOffer)
	}
	if _, ok := view(t, store, sale.ID).Wait(0, ahead); ok {
		t.Error("a wait is estimated while the line is paused")
	}
	for _, stalled := range []time.Duration{90 * time.Second, 10 * time.Minute} { // what came before is not of the last minute
		now = now.Add(stalled)
		if s := tick(t, store, sale.ID).State; s.LastMinute() != 0 {
			t.Errorf("when nobody had ticked for %v, %d are said to have been offered of late", stalled, s.LastMinute())
		}
	}
}
