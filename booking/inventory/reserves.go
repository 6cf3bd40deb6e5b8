package inventory

import (
	"context"

	"github.com/ropeline/ropeline"
)

// Reserves says which units are not on sale for now: blocked, kept for guests or
// the production, or released later.
type Reserves interface {
	// InForce names the reserves in force of each performance that has some, in a
	// text that is another when they are.
	InForce(ctx context.Context) (map[ropeline.PerformanceID]string, error)
	// Withheld lists the units that they withhold, and names them as InForce does.
	Withheld(ctx context.Context, id ropeline.PerformanceID) (units []int, by string, err error)
}

// Withheld is what the reserves of a performance withhold.
type Withheld struct {
	Units []int
	By    string // the reserves, as InForce names them
}

// bitmap is empty if nothing is withheld.
func (w Withheld) bitmap(size int) []byte {
	if len(w.Units) == 0 {
		return nil
	}
	return bitmapOf(w.Units, size)
}

// With completes records with what reserves withhold; nil for none.
func With(records Records, reserves Reserves) Records {
	if reserves == nil {
		return records
	}
	return &reserved{records, reserves}
}

type reserved struct {
	records  Records
	reserves Reserves
}

func (r *reserved) Recorded(ctx context.Context, id ropeline.PerformanceID) (Recorded, error) {
	recorded, err := r.records.Recorded(ctx, id)
	if err == nil {
		recorded.Withheld.Units, recorded.Withheld.By, err = r.reserves.Withheld(ctx, id)
	}
	return recorded, err
}
