package queue

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestAStoppedServerHasNotJumped(t *testing.T) {
	t.Parallel()
	start := time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	for name, c := range map[string]struct {
		theirs, asked, heard float64 // of the second reading; the first was at 0, heard after 0.1 s
		want                 time.Duration
	}{
		"both went on":                          {0.2, 0.2, 0.3, 0},
		"the answer came late":                  {30.2, 0.2, 30.3, 0},
		"the question came early, answered now": {0.2, 0.2, 30.3, 0},
		"we were stopped":                       {30.2, 30.2, 30.3, 0},
		"they drift":                            {2.1, 0.2, 0.3, 0},
		"it ran an hour ahead":                  {3600.2, 0.2, 0.2, time.Hour},
		"it went back an hour":                  {-3599.9, 0.2, 0.3, -time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w clockWatch
			if jump := w.look(start, start, at(0.1)); jump != 0 {
				t.Fatalf("the first reading says %v", jump)
			}
			if got := w.look(at(c.theirs), at(c.asked), at(c.heard)); got != c.want {
				t.Errorf("a jump of %v, want %v", got, c.want)
			}
		})
	}
}

// What a tick takes for no jump without asking is none for look, either.
func TestAClockBetweenWhatWasExpectedHasNotJumped(t *testing.T) {
	t.Parallel()
	start := time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	for _, asked := range []float64{0.2, 1, 30} {
		for _, late := range []float64{0, 0.3, 5} {
			before := clockWatch{theirs: start, asked: at(-0.1), heard: at(0.1)}
			earliest, latest := before.between(at(asked))
			for _, theirs := range []time.Time{earliest, at(asked), latest} {
				w := before
				if jump := w.look(theirs, at(asked), at(asked+late)); jump != 0 {
					t.Errorf("asked after %v s, heard %v s later: %v has jumped by %v", asked, late, theirs.Sub(start), jump)
				}
			}
			if latest.Sub(at(asked)) > clockSlack+time.Second || at(asked).Sub(earliest) > clockSlack+time.Second {
				t.Errorf("asked after %v s: a clock between %v and %v is believed", asked, earliest.Sub(start), latest.Sub(start))
			}
		}
	}
}

// A server that was stopped answers late: its clock is where the controller did
// not expect it when it asked, and has not jumped.
func TestATickAtAServerThatWasStoppedIsDone(t *testing.T) {
	t.Parallel()
	ours, stopped := time.Date(2047, 1, 1, 0, 0, 0, 0, time.UTC), time.Duration(0)
	store := New(devtest.Redis(t), testKeys).WithClock(func() time.Time { return ours })
	store.stopwatch = func() time.Time {
		now := ours
		ours, stopped = ours.Add(stopped), 0
		return now
	}
	t.Cleanup(store.Close)
	sale := testSale(fmt.Sprintf("stopped-%d", time.Now().UnixNano()), ours.Add(-2*time.Hour))
	sale.EndsAt = ours.Add(10 * time.Hour)
	if err := errors.Join(store.PublishSale(t.Context(), sale), store.Draw(t.Context(), sale.ID)); err != nil {
		t.Fatal(err)
	}
	join(t, store, sale.ID)
	tick(t, store, sale.ID)
	ours = ours.Add(TickInterval)
	stopped = 30 * time.Second
	if got := tick(t, store, sale.ID); !got.Leads || got.Jumped != 0 || got.Now.Before(ours) {
		t.Errorf("a tick that was 30 s under way: %+v", got)
	}
}

// A clock that is set, ahead or back, changes nothing of how long an offer may be
// claimed and a session lasts; the cap holds, and the rate goes on.
func TestSlotsOutliveAClockThatJumps(t *testing.T) {
	t.Parallel()
	for _, jump := range []time.Duration{time.Hour, -time.Hour, 5 * time.Second, -5 * time.Second} {
		t.Run(jump.String(), func(t *testing.T) {
			t.Parallel()
			ctx, rdb := t.Context(), devtest.Redis(t)
			ours := time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC)
			set := time.Duration(0) // how far the server's clock is off
			store := New(rdb, testKeys).WithClock(func() time.Time { return ours.Add(set) })
			store.stopwatch = func() time.Time { return ours }
			t.Cleanup(store.Close)
			sale := testSale(fmt.Sprintf("jump-%d", time.Now().UnixNano()), ours.Add(-2*time.Hour))
			sale.EndsAt = ours.Add(10 * time.Hour)
			if err := store.PublishSale(ctx, sale); err != nil {
				t.Fatal(err)
			}
			if err := store.Draw(ctx, sale.ID); err != nil {
				t.Fatal(err)
			}
			var places [8]Place
			for i := range places {
				places[i] = join(t, store, sale.ID)
			}
			pass := func(d time.Duration) Ticked {
				t.Helper()
				ours = ours.Add(d)
				return tick(t, store, sale.ID)
			}
			pass(TickInterval)
			pass(TickInterval)
			if _, err := store.Claim(ctx, sale.ID, places[0].ID); err != nil {
				t.Fatal(err)
			}
			wants := func(what string, p Place, want ropeline.PlaceState) {
				t.Helper()
				if got, err := store.Find(ctx, sale.ID, p.ID); err != nil || got.State != want {
					t.Errorf("%s: it is %s, %v; want %s", what, got.State, err, want)
				}
			}

			set += jump
			got := pass(TickInterval)
			if got.Jumped < jump-time.Second || got.Jumped > jump+time.Second {
				t.Errorf("a jump of %v is told as %v", jump, got.Jumped)
			}
			if g := got.Gauge; got.Now.Sub(g.At).Abs() > time.Minute || g.Busy > 60 {
				t.Errorf("the jump counts as time that slots were in use: %+v", g)
			}
			if got.Offered != 2 || got.Active != 1 {
				t.Errorf("after the jump %d are offered and %d active, want the 2 and 1 of before", got.Offered, got.Active)
			}
			wants("who claimed before", places[0], ropeline.PlaceActive)
			wants("who was offered before", places[1], ropeline.PlaceOffered)
			if _, err := store.Claim(ctx, sale.ID, places[1].ID); err != nil {
				t.Errorf("claiming an offer of before: %v", err)
			}

			// The other offer runs out after its five seconds, and another one is made.
			pass(2 * time.Second)
			wants("in its claim window", places[2], ropeline.PlaceOffered)
			if again := pass(3 * time.Second); again.Jumped != 0 {
				t.Errorf("without another jump %v is told", again.Jumped)
			}
			wants("after its claim window", places[2], ropeline.PlaceExpired)
			pass(TickInterval)
			wants("the next one", places[3], ropeline.PlaceOffered)
			if jump > 0 {
				// The first session lasts its token's life and the margin, not longer.
				pass(6*time.Second + ropeline.TokenMargin)
				wants("after its session", places[0], ropeline.PlaceDone)
			}
			if state, err := store.State(ctx, sale.ID); err != nil || state.MaxInUse > sale.Cap {
				t.Errorf("%d slots were in use, %v; the cap is %d", state.MaxInUse, err, sale.Cap)
			}
		})
	}
}

// Who is with an edge that died counts as present for a minute, also if the clock
// is set back meanwhile.
func TestADeadEdgeDoesNotLiveOnWhenTheClockIsSetBack(t *testing.T) {
	t.Parallel()
	ctx, rdb := t.Context(), devtest.Redis(t)
	ours := time.Date(2047, 1, 1, 0, 0, 0, 0, time.UTC)
	set := time.Duration(0)
	var edges [2]*Store
	for i := range edges {
		edges[i] = New(rdb, testKeys).WithClock(func() time.Time { return ours.Add(set) })
		edges[i].stopwatch = func() time.Time { return ours }
		t.Cleanup(edges[i].Close)
	}
	dying, living := edges[0], edges[1]
	sale := testSale(fmt.Sprintf("back-%d", time.Now().UnixNano()), ours.Add(-2*time.Hour))
	sale.EndsAt = ours.Add(time.Hour)
	if err := errors.Join(dying.PublishSale(ctx, sale), dying.Draw(ctx, sale.ID)); err != nil {
		t.Fatal(err)
	}
	steer(t, dying, sale.ID, Settings{Mode: new(ropeline.ModePause)})
	gone, here := join(t, dying, sale.ID), join(t, living, sale.ID)
	for _, jump := range []time.Duration{0, -time.Hour, 0, 0} {
		set += jump
		ours = ours.Add(31 * time.Second)
		tick(t, living, sale.ID)
	}
	steer(t, living, sale.ID, Settings{Mode: new(ropeline.ModeRun)})
	for range 2 {
		ours = ours.Add(TickInterval)
		tick(t, living, sale.ID)
	}
	for p, want := range map[Place]ropeline.PlaceState{gone: ropeline.PlacePassed, here: ropeline.PlaceOffered} {
		if is, err := living.Find(ctx, sale.ID, p.ID); err != nil || is.State != want {
			t.Errorf("%s is %s, %v; want %s", p.ID, is.State, err, want)
		}
	}
}

// Who joined while the line was drawn joins again after the clock went back to
// before the close: the place stays where it is, and is in no draw.
func TestALobbyThatIsOpenAgainTakesNobodyTwice(t *testing.T) {
	t.Parallel()
	now := time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC)
	store := New(devtest.Redis(t), testKeys).WithClock(func() time.Time { return now })
	t.Cleanup(store.Close)
	sale := testSale(fmt.Sprintf("again-%d", time.Now().UnixNano()), now)
	if err := store.PublishSale(t.Context(), sale); err != nil {
		t.Fatal(err)
	}
	now = sale.LobbyClosesAt.Add(time.Second)
	late := join(t, store, sale.ID)
	now = sale.LobbyClosesAt.Add(-time.Second)
	again, err := store.Join(t.Context(), sale.ID, late.ID, "")
	if err != nil || again.New {
		t.Fatalf("joining again: %+v, %v", again, err)
	}
	if s, err := store.State(t.Context(), sale.ID); err != nil || s.Collected != 0 {
		t.Errorf("%d are in the lobby, %v", s.Collected, err)
	}
}
