package admission

import (
	"fmt"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

// pace warns when admission as it is would hold everything that is left before
// the first holds run out: whoever comes after that finds an empty shop, though a
// part comes back. "" where that is not so, or not known.
func pace(s queue.State, hold time.Duration) string {
	if s.Stock == nil || s.Stock.Basket <= 0 || s.Mode != ropeline.ModeRun || s.Waiting() == 0 || hold <= 0 {
		return ""
	}
	free := float64(s.Stock.Free())
	people := float64(s.Rate)
	if s.PastAge > 0 { // as many as really come in, which the cap may hold back
		people = min(people, float64(s.LastOffer-s.PastOffer+s.Friends)*60/float64(s.PastAge))
	}
	takes := people * max(s.Stock.Conversion, 0.1) * s.Stock.Basket // units a minute
	if free <= 0 || takes*hold.Minutes() < free {
		return ""
	}
	return fmt.Sprintf("All %.0f that are left are held in %.1f minutes, at %.0f people a minute, before the first holds run out in %.1f.",
		free, free/takes, people, hold.Minutes())
}
