package admission

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// flight is a sale in automatic mode on a real Redis, with a core that says what
// the test wants; time passes as the test says.
type flight struct {
	*testing.T
	store *queue.Store
	sale  ropeline.SaleID
	now   time.Time
	said  ropeline.Health
	last  int64 // offers
	pilot *pilot
}

func fly(t *testing.T, settings string) *flight {
	t.Helper()
	now := time.Now()
	sale := ropeline.Sale{ID: ropeline.SaleID(fmt.Sprintf("auto-%d", now.UnixNano())), Version: 1, Title: "Test",
		LobbyClosesAt: now.Add(-2 * time.Minute), OpensAt: now.Add(-time.Minute), EndsAt: now.Add(time.Hour),
		Cap: 1000, Rate: 600, ClaimWindow: 30, TokenLife: 60, SessionMax: 600, Hold: 60, UnitsPerHold: 4}
	f := &flight{T: t, sale: sale.ID, now: now, store: queue.New(devtest.PrivateRedis(t).Client, queue.Keys{Place: make([]byte, 32), Seed: make([]byte, 32)})}
	t.Cleanup(f.store.Close)
	least, most := int64(30), int64(1200)
	_, err := error(nil), errors.Join(f.store.PublishSale(t.Context(), sale), f.store.Draw(t.Context(), sale.ID))
	if err == nil {
		_, err = f.store.Steer(t.Context(), sale.ID, queue.Change{Set: queue.Settings{Auto: []byte(settings), MinRate: &least, MaxRate: &most}, By: "sre", Reason: "test"})
	}
	if err != nil {
		t.Fatal(err)
	}
	f.pilot = &pilot{shop: &shop{}, metrics: newMetrics(nil), log: slog.New(slog.DiscardHandler)}
	return f
}

// second lets one pass in which a core answered so many requests, so many of them
// late, and as many people came in as the rate allows; it returns the state after
// it.
func (f *flight) second(requests, slow int64) queue.State {
	f.Helper()
	f.now = f.now.Add(time.Second)
	f.said.Requests += requests
	f.said.InFlight = slow + f.older() // what is slow waits
	f.said.Slower = append([]int64(nil), f.said.Slower...)
	if f.said.Slower == nil {
		f.said.Slower = make([]int64, len(ropeline.HealthSteps))
	}
	for i := range f.said.Slower {
		f.said.Slower[i] += slow
	}
	if err := f.store.ReportHealth(f.Context(), string(f.sale), f.said); err != nil {
		f.Fatal(err)
	}
	state := f.tick()
	f.last += state.Rate / 60
	state.LastOffer = f.last
	if err := f.pilot.fly(f.Context(), f.store, "pilot", f.sale, state, f.now); err != nil {
		f.Fatal(err)
	}
	return f.tick()
}

// older is how many have waited for long already.
func (f *flight) older() int64 { return f.said.OlderThan(300) }

func (f *flight) tick() queue.State {
	f.Helper()
	t, err := f.store.Tick(f.Context(), f.sale, "pilot", time.Hour)
	if err != nil || !t.Leads {
		f.Fatalf("ticking: %+v, %v", t, err)
	}
	return t.State
}

// A core that becomes slow lets the rate fall, with a reason that can be read, and
// it comes back when the core is well; a person's word counts at once.
func TestTheRateFollowsTheCore(t *testing.T) {
	t.Parallel()
	f := fly(t, `{"on":true,"target_ms":300}`)
	var s queue.State
	for range 10 {
		s = f.second(60, 0)
	}
	well := s.Rate
	if well < 600 {
		t.Fatalf("the rate of a core that is well fell to %d", well)
	}
	for range 4 {
		s = f.second(60, 45)
	}
	if s.Rate > well*8/10 || !strings.HasPrefix(s.AutoWhy, "core slow: 75 % over 300 ms") {
		t.Fatalf("the rate is %d after %d, because of %q", s.Rate, well, s.AutoWhy)
	}
	slow := s.Rate
	for range 10 {
		s = f.second(60, 0)
	}
	if s.Rate <= slow {
		t.Fatalf("the rate is %d, and was %d while the core was slow", s.Rate, slow)
	}
	rate := int64(200)
	if _, err := f.store.Steer(t.Context(), f.sale, queue.Change{Set: queue.Settings{Rate: &rate}, By: "sre", Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	if s = f.second(60, 0); s.Rate < 200 || s.Rate > 210 {
		t.Fatalf("after a person set 200 the rate is %d", s.Rate)
	}
	for range 40 {
		s = f.second(60, 60)
	}
	if s.Rate != 30 {
		t.Fatalf("a core that stays slow is sent %d a minute, and the bounds say 30", s.Rate)
	}
}

// Who leads next goes on with what was learned: that the core has too much to do is
// seen at once, and what rate it bore before is not forgotten.
func TestTheNextPilotGoesOn(t *testing.T) {
	t.Parallel()
	f := fly(t, `{"on":true,"target_ms":300}`)
	for range 10 {
		f.second(60, 0)
	}
	for range 3 {
		f.second(60, 45)
	}
	before := f.pilot
	if before.law.Draining == 0 || before.law.Was < 500 {
		t.Fatalf("it has learned %+v", before.law)
	}
	f.pilot = &pilot{shop: before.shop, metrics: before.metrics, log: before.log}
	f.second(60, 45) // counts nothing: there is no look before it
	if !reflect.DeepEqual(f.pilot.law, before.law) {
		t.Fatalf("the next one knows %+v, want %+v", f.pilot.law, before.law)
	}
	if f.second(60, 45); f.pilot.law.Draining <= before.law.Draining {
		t.Fatalf("the next one drains for %v, after %v", f.pilot.law.Draining, before.law.Draining)
	}
}

// A core in which requests only wait tells of it before it answers any.
func TestTheRateFallsBeforeAnythingIsAnsweredLate(t *testing.T) {
	t.Parallel()
	f := fly(t, `{"on":true,"target_ms":300}`)
	for range 8 {
		f.second(60, 0)
	}
	f.said.Older = make([]int64, len(ropeline.HealthSteps))
	var s queue.State
	for range 2 {
		for i := range f.said.Older {
			f.said.Older[i] += 40
		}
		s = f.second(10, 0)
	}
	if s.Rate > 400 || !strings.HasPrefix(s.AutoWhy, "core slow: ") {
		t.Fatalf("the rate is %d, because of %q", s.Rate, s.AutoWhy)
	}
}

// Off is off, and so is a mode in which nobody is let in.
func TestThePilotKeepsItsHandsOff(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(f *flight) error{
		"switched off": func(f *flight) error {
			_, err := f.store.Steer(f.Context(), f.sale, queue.Change{Set: queue.Settings{Auto: []byte(`{"on":false}`)}, By: "sre", Reason: "test"})
			return err
		},
		"paused": func(f *flight) error {
			mode := ropeline.ModePause
			_, err := f.store.Steer(f.Context(), f.sale, queue.Change{Set: queue.Settings{Mode: &mode}, By: "sre", Reason: "test"})
			return err
		},
		"not understood": func(f *flight) error {
			_, err := f.store.Steer(f.Context(), f.sale, queue.Change{Set: queue.Settings{Auto: []byte(`{"on":true,"target":7}`)}, By: "sre", Reason: "test"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fly(t, `{"on":true}`)
			if err := prepare(f); err != nil {
				t.Fatal(err)
			}
			for range 6 {
				if s := f.second(60, 60); s.Rate != 600 {
					t.Fatalf("the rate is %d", s.Rate)
				}
			}
		})
	}
}
