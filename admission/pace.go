package admission

import (
	"context"
	"fmt"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

// pacer looks once a second whether the pace of a sale is to be warned of, while
// its controller leads.
type pacer struct{ at time.Time }

func (p *pacer) look(ctx context.Context, store *queue.Store, m *metrics, sale ropeline.SaleID, s queue.State, now time.Time) error {
	if !p.at.IsZero() && now.Sub(p.at) < time.Second {
		return nil
	}
	p.at = now
	hold := ropeline.Seconds(0)
	if s.Stock != nil && s.Waiting() > 0 { // else it is not warned of, whatever a hold lasts
		doc, err := store.Sale(ctx, sale)
		if err != nil {
			return fmt.Errorf("looking how long a hold lasts: %w", err)
		}
		hold = doc.Hold
	}
	m.warned(sale, pace(s, hold.Duration()) != "", now)
	return nil
}

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
	return fmt.Sprintf("At %.0f people a minute, all %.0f that are left are held in %.1f minutes; the first holds run out after %.1f minutes.",
		people, free, free/takes, hold.Minutes())
}
