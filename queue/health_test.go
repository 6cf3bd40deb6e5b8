package queue

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
)

// settable is a timed line in automatic mode, with what SetRate is to be called with.
func settable(t *testing.T) (*timed, RateChange) {
	t.Helper()
	k := openTimed(t, 3)
	low, high := int64(60), int64(6000)
	if _, err := k.Steer(t.Context(), k.sale.ID, Change{Set: Settings{Auto: []byte(`{"on":true}`), MinRate: &low, MaxRate: &high, Rate: &high}, By: "sre", Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	s := k.tick()
	return k, RateChange{Controller: "controller", Term: s.Term, Version: s.Version, Reason: "core slow"}
}

func (k *timed) setRate(c RateChange, rate int64, want int64, wantErr error) {
	k.Helper()
	c.Rate = rate
	got, err := k.SetRate(k.Context(), k.sale.ID, c)
	if !errors.Is(err, wantErr) || err == nil && got != want {
		k.Fatalf("setting the rate to %d: %d, %v; want %d, %v", rate, got, err, want, wantErr)
	}
	if s := k.tick(); wantErr == nil && s.Rate != want {
		k.Fatalf("the rate is %d, want %d", s.Rate, want)
	}
}

func TestTheAutomaticModeKeepsToTheBounds(t *testing.T) {
	t.Parallel()
	k, c := settable(t)
	for _, rate := range []int64{3000, 60, 59, 0, -7, 6001, 1 << 62} {
		k.setRate(c, rate, min(max(rate, 60), 6000), nil)
	}
}

// A controller that slept knows too little: the number of its lease tells it from
// one that has led all the time, even if it leads again.
func TestAControllerThatSleptSetsNoRate(t *testing.T) {
	t.Parallel()
	k, c := settable(t)
	stranger := c
	stranger.Controller = "another"
	k.setRate(stranger, 100, 0, ErrFenced)
	if err := k.rdb.Del(t.Context(), key(k.sale.ID, "leader")).Err(); err != nil { // its lease ran out
		t.Fatal(err)
	}
	if _, err := k.SetRate(t.Context(), k.sale.ID, c); !errors.Is(err, ErrFenced) {
		t.Fatalf("without a lease: %v", err)
	}
	s := k.tick() // it takes it anew
	if s.Term != c.Term+1 {
		t.Fatalf("the lease's number is %d after %d", s.Term, c.Term)
	}
	k.setRate(c, 100, 0, ErrFenced)
	c.Term = s.Term
	k.setRate(c, 100, 100, nil)
}

// What a person sets wins over what was reckoned from what stood before.
func TestAPersonWinsOverTheAutomaticMode(t *testing.T) {
	t.Parallel()
	k, c := settable(t)
	k.setRate(c, 3000, 3000, nil)
	rate := int64(500)
	if _, err := k.Steer(t.Context(), k.sale.ID, Change{Set: Settings{Rate: &rate}, By: "sre", Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	k.setRate(c, 4000, 500, nil)
	if _, err := k.Steer(t.Context(), k.sale.ID, Change{Set: Settings{Auto: []byte(`null`)}, By: "sre", Reason: "off"}); err != nil {
		t.Fatal(err)
	}
	c.Version = k.tick().Version
	k.setRate(c, 4000, 500, nil)
}

// The rate moves each second; the public hears of it when it has moved by a fifth.
func TestThePublicHearsOfLargeChangesOnly(t *testing.T) {
	t.Parallel()
	k, c := settable(t)
	told := func() int64 {
		n, err := k.rdb.XLen(t.Context(), key(k.sale.ID, "events")).Result()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := told()
	for i, want := range []int64{0, 0, 1, 1, 2} {
		k.setRate(c, []int64{5500, 5000, 4700, 4000, 3700}[i], []int64{5500, 5000, 4700, 4000, 3700}[i], nil)
		if got := told() - before; got != want {
			t.Fatalf("after %d changes the public was told %d times, want %d", i+1, got, want)
		}
	}
	if s := k.tick(); s.AutoWhy != "core slow" {
		t.Errorf("why it changed is %q", s.AutoWhy)
	}
}

// Cores that are silent are not believed; others are as they said.
func TestDeadCoresDropOut(t *testing.T) {
	t.Parallel()
	k := openTimed(t, 3)
	name := fmt.Sprintf("core-%d", time.Now().UnixNano())
	said := ropeline.Health{Tally: ropeline.Tally{Requests: 12, Failed: 1, Slower: []int64{3, 2, 1}, InFlight: 2}}
	if err := k.ReportHealth(t.Context(), name, said); err != nil {
		t.Fatal(err)
	}
	known := func(want bool) {
		t.Helper()
		all, err := k.Healths(t.Context())
		if h, ok := all[name]; err != nil || ok != want || ok && (h.Requests != 12 || h.SlowerThan(60) != 2) {
			t.Fatalf("the cores are %+v, %v", all, err)
		}
	}
	known(true)
	k.now = k.now.Add(2900 * time.Millisecond)
	known(true)
	k.now = k.now.Add(200 * time.Millisecond)
	known(false)
	k.now = k.now.Add(-time.Hour) // of the future
	known(false)
}
