package admission

import (
	"testing"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

func TestCoresAreSampledTogether(t *testing.T) {
	t.Parallel()
	// took is a core that answered so many requests in each number of milliseconds.
	took := func(inFlight int64, by map[int64]int64) ropeline.Health {
		h := ropeline.Health{Tally: ropeline.Tally{Slower: make([]int64, len(ropeline.HealthSteps)), InFlight: inFlight}}
		for ms, n := range by {
			h.Requests += n
			for i, step := range ropeline.HealthSteps {
				if ms > step {
					h.Slower[i] += n
				}
			}
		}
		return h
	}
	type cores = map[string]ropeline.Health
	for name, c := range map[string]struct {
		before, after cores
		want          queue.CoreSample
	}{
		"nobody says":       {nil, nil, queue.CoreSample{P50: -1, P95: -1, InFlight: -1}},
		"one just started":  {nil, cores{"a": took(2, map[int64]int64{40: 9})}, queue.CoreSample{P50: -1, P95: -1, InFlight: 2}},
		"nothing was asked": {cores{"a": took(0, map[int64]int64{40: 9})}, cores{"a": took(0, map[int64]int64{40: 9})}, queue.CoreSample{P50: -1, P95: -1}},
		"two together": {cores{"a": took(0, nil), "b": took(0, map[int64]int64{900: 50})},
			cores{"a": took(1, map[int64]int64{10: 90}), "b": took(3, map[int64]int64{900: 50, 350: 10})}, queue.CoreSample{P50: 25, P95: 400, InFlight: 4}},
		"one started anew": {cores{"a": took(0, map[int64]int64{900: 50}), "b": took(0, nil)},
			cores{"a": took(0, map[int64]int64{10: 3}), "b": took(0, map[int64]int64{60: 20})}, queue.CoreSample{P50: 75, P95: 75}},
		"slower than any step": {cores{"a": took(0, nil)}, cores{"a": took(0, map[int64]int64{20_000: 5})}, queue.CoreSample{P50: 10_000, P95: 10_000}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := coreSample(c.before, c.after); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}
