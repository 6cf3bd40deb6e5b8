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

// Withheld is what the reserves of a performance withhold, or its returns list has
// before the open sale.
type Withheld struct {
	Units []int
	By    string // the reserves or lists, as InForce names them
}

// Lists says of which units the returns list has what comes free, before the open sale.
type Lists interface {
	// InForce names the lists in force of each performance that has some, in a text that
	// is another when they are.
	InForce(ctx context.Context) (map[ropeline.PerformanceID]string, error)
	// Listed lists the units that they have, and names them as InForce does.
	Listed(ctx context.Context, id ropeline.PerformanceID) (units []int, by string, err error)
}

// mark is what is kept with an inventory: by which reserves and for which lists it was
// built.
func mark(reserves, lists string) string {
	if lists == "" {
		return reserves
	}
	return reserves + "/" + lists
}

// bitmap is empty if nothing is withheld.
func (w Withheld) bitmap(size int) []byte {
	if len(w.Units) == 0 {
		return nil
	}
	return bitmapOf(w.Units, size)
}

// With completes records with what reserves withhold and what is listed; nil for none.
func With(records Records, reserves Reserves, lists Lists) Records {
	return &reserved{records, reserves, lists}
}

type reserved struct {
	records  Records
	reserves Reserves
	lists    Lists
}

func (r *reserved) Recorded(ctx context.Context, id ropeline.PerformanceID) (Recorded, error) {
	recorded, err := r.records.Recorded(ctx, id)
	if err == nil && r.reserves != nil {
		recorded.Withheld.Units, recorded.Withheld.By, err = r.reserves.Withheld(ctx, id)
	}
	if err == nil && r.lists != nil {
		recorded.Listed.Units, recorded.Listed.By, err = r.lists.Listed(ctx, id)
	}
	return recorded, err
}
