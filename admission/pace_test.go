package admission

import (
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

func TestThePaceWarnsBeforeEverythingIsHeld(t *testing.T) {
	t.Parallel()
	at := func(free, rate int64, basket float64) queue.State {
		s := queue.State{Stock: &ropeline.Stock{Basket: basket, Conversion: 0.5, Tiers: []ropeline.TierStock{{Units: 1000, Free: free}}}}
		s.Rate, s.Mode, s.Drawn, s.Size = rate, ropeline.ModeRun, true, 5000
		return s
	}
	hold := 5 * time.Minute
	if got := pace(at(300, 60, 2), hold); !strings.Contains(got, "300 that are left are held in 5.0 minutes") {
		t.Errorf("warned with %q", got)
	}
	slowed := at(300, 60, 2)
	slowed.PastAge, slowed.LastOffer, slowed.PastOffer = 60, 40, 10 // the cap lets in 30 a minute
	paused := at(300, 60, 2)
	paused.Mode = ropeline.ModePause
	for name, s := range map[string]queue.State{"enough left": at(301, 60, 2), "nothing left": at(0, 60, 2), "no basket known": at(300, 60, 0),
		"no stock": {}, "slower than the rate": slowed, "paused": paused} {
		if got := pace(s, hold); got != "" {
			t.Errorf("%s: warned with %q", name, got)
		}
	}
}
