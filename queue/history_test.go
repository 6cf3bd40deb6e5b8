package queue

import (
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestASaleIsSampledOnceASecond(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	store := New(devtest.Redis(t), Keys{Place: make([]byte, 32)}).WithClock(func() time.Time { return now })
	sale := ropeline.SaleID("sampled")
	var kept []Sample
	for i := range 5 {
		sample := Sample{At: now.Unix(), Waiting: int64(i)}
		if err := store.Record(t.Context(), sale, sample); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 { // the others are of a second that has one
			kept = append(kept, sample)
		}
		now = now.Add(500 * time.Millisecond)
	}
	got, err := store.History(t.Context(), sale, 0)
	if err != nil || len(got) != 3 || got[0] != kept[0] || got[2] != kept[2] {
		t.Errorf("kept %+v, %v; want %+v", got, err, kept)
	}
	if got, err := store.History(t.Context(), sale, kept[1].At); err != nil || len(got) != 1 || got[0] != kept[2] {
		t.Errorf("after the second: %+v, %v", got, err)
	}
}

func TestAStillSaleIsSampledSeldom(t *testing.T) {
	t.Parallel()
	last := Sample{At: 100, Waiting: 5}
	for _, c := range []struct {
		sample Sample
		due    bool
	}{
		{Sample{At: 100, Waiting: 6}, false}, // the same second
		{Sample{At: 101, Waiting: 6}, true},
		{Sample{At: 101, Waiting: 5}, false},
		{Sample{At: 114, Waiting: 5}, false},
		{Sample{At: 101, Waiting: 5, Core: CoreSample{P95: 300}}, false},
		{Sample{At: 115, Waiting: 5}, true},
		{Sample{At: 50, Waiting: 5}, true}, // the clock was set back
	} {
		if got := c.sample.Due(last); got != c.due {
			t.Errorf("%+v after %+v: due %v", c.sample, last, got)
		}
	}
}

func TestEdgesSayHowTheyAre(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	rdb := devtest.Redis(t)
	store := func() *Store {
		return New(rdb, Keys{Place: make([]byte, 32)}).WithClock(func() time.Time { return now })
	}
	a, b := store(), store()
	for _, s := range []*Store{a, b} {
		if err := s.SayReport(t.Context(), Report{Host: "host", Sockets: 3}); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(3 * time.Second)
	if err := a.SayReport(t.Context(), Report{Host: "a-host", Sockets: 4, Rooms: 2}); err != nil {
		t.Fatal(err)
	}
	mine := func() (mine []Report) {
		all, err := a.Reports(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all { // other tests' edges may be among them
			if r.Edge == a.edge || r.Edge == b.edge {
				mine = append(mine, r)
			}
		}
		return mine
	}
	got := mine()
	if len(got) != 2 || got[0] != (Report{Edge: a.edge, Host: "a-host", Sockets: 4, Rooms: 2}) ||
		got[1] != (Report{Edge: b.edge, Host: "host", Sockets: 3, Age: 3 * time.Second}) {
		t.Errorf("reports are %+v", got)
	}
	if err := b.EndReports(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := mine(); len(got) != 1 || got[0].Edge != a.edge {
		t.Errorf("after one ended: %+v", got)
	}
}
