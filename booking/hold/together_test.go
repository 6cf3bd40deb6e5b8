package hold

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

type unsold int

func (n unsold) Recorded(context.Context, ropeline.PerformanceID) (inventory.Recorded, error) {
	return inventory.Recorded{Units: int(n)}, nil
}

// Calls that go to Redis together are answered each by itself: those of two
// performances, of two scripts, one that is refused and one that meets a record
// which is none.
func TestCallsThatGoTogetherHaveAnswersOfTheirOwn(t *testing.T) {
	t.Parallel()
	rdb := devtest.PrivateRedis(t).Client // which has not seen the scripts
	s := New(rdb)
	defer s.Close()
	var shows [2]ropeline.PerformanceID
	for i := range shows {
		shows[i] = ropeline.PerformanceID(uuid.NewString())
		if _, err := inventory.New(rdb).Rebuild(t.Context(), shows[i], unsold(8)); err != nil {
			t.Fatal(err)
		}
	}
	if err := rdb.Set(t.Context(), inventory.KeysOf(shows[0]).Hold("broken"), "no hash", 0).Err(); err != nil {
		t.Fatal(err)
	}
	wish := func(show int, id string, unit int) call {
		return call{claim, shows[show], id, []any{"", id, "session-" + id, "gala", 60_000, time.Now().Add(time.Hour).UnixMilli(), 1, "", 0, 0, "units", 1, unit}}
	}
	again := wish(0, "again", 5)
	again.args[2] = "session-a"
	over := wish(0, "over", 6)
	over.args[2] = "session-over"
	if _, err := s.Claim(t.Context(), Request{ID: "short", Performance: shows[0], Sale: "gala", Session: "session-over", SessionEnds: time.Now().Add(time.Hour), Life: time.Millisecond}, These([]int{7})); err != nil {
		t.Fatal(err)
	}
	for { // until it has run out
		if h, err := s.Get(t.Context(), shows[0], "short", "session-over"); err != nil || h.State == Expired {
			break
		}
	}
	results := s.together.send(t.Context(), []call{
		wish(0, "a", 1), wish(0, "broken", 2), wish(1, "b", 1), wish(0, "late", 1), wish(0, "c", 3),
		again, wish(0, "a", 1), over,
		{release, shows[0], "a", []any{"", "a", "session-a"}},
	})
	for i, want := range []string{"new", "WRONGTYPE", "new", "taken", "new", "exists", "found", "new", "found"} {
		got := ""
		if err := results[i].Err; err != nil {
			got, _, _ = strings.Cut(err.Error(), " ")
		} else {
			got, _ = results[i].Value[0].(string)
		}
		if got != want {
			t.Errorf("call %d: %s (%v, %v), want %s", i, got, results[i].Value, results[i].Err, want)
		}
	}
	for show, want := range []int{2, 1} { // c and over, and b
		b, err := inventory.New(rdb).Bitmaps(t.Context(), shows[show])
		if err != nil || b.Taken.Count(0, 8) != want {
			t.Errorf("%d units of performance %d are taken, %v; want %d", b.Taken.Count(0, 8), show, err, want)
		}
	}
}
