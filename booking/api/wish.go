package api

import (
	"fmt"
	"slices"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
)

// What can be wrong with the wish for a hold.
var (
	ErrWrongSale       = &ropeline.Error{Kind: ropeline.Forbidden, Code: "wrong-sale", Detail: "Your admission is for another sale."}
	ErrTooManyUnits    = &ropeline.Error{Kind: ropeline.Invalid, Code: "too-many-units", Detail: "That is more than one person may hold."}
	ErrQuantityInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "quantity-invalid", Detail: "Name the places you want, each once, or tiers and how many of each: at least one."}
)

// HoldRequest names units, tiers and how many of each, or both. Tier and Quantity
// are short for one of Tiers.
type HoldRequest struct {
	Performance string      `json:"performance"`
	Units       []int       `json:"units,omitempty" nullable:"false" doc:"exactly these"`
	Tier        string      `json:"tier,omitempty" doc:"neighbors of a seated tier, any places of a general one"`
	Quantity    int         `json:"quantity,omitempty" doc:"how many of the tier"`
	Tiers       []TierCount `json:"tiers,omitempty" nullable:"false" doc:"and so many of each of these tiers"`
}

// TierCount is so many units of a tier.
type TierCount struct {
	Tier     string `json:"tier" doc:"neighbors of a seated tier, any places of a general one"`
	Quantity int    `json:"quantity"`
}

// parts checks what is wanted against the map and the sale.
func (w HoldRequest) parts(p catalogue.Performance) ([]hold.Part, error) {
	tiers := w.Tiers
	if w.Tier != "" || w.Quantity != 0 {
		tiers = append([]TierCount{{w.Tier, w.Quantity}}, tiers...)
	}
	if w.Units == nil && len(tiers) == 0 || w.Units != nil && len(w.Units) == 0 {
		return nil, ErrQuantityInvalid
	}
	left := p.Sale.UnitsPerHold - len(w.Units)
	for _, t := range tiers {
		if t.Quantity < 1 {
			return nil, ErrQuantityInvalid
		}
		left = max(left-min(t.Quantity, ropeline.MaxUnitsPerHold+1), -1) // no sum overflows
	}
	if left < 0 {
		e := *ErrTooManyUnits
		e.Detail = fmt.Sprintf("One person may hold %d places at most.", p.Sale.UnitsPerHold)
		return nil, &e
	}
	var parts []hold.Part
	if w.Units != nil {
		units := slices.Sorted(slices.Values(w.Units))
		if len(slices.Compact(slices.Clone(units))) != len(units) {
			return nil, ErrQuantityInvalid
		}
		if !p.Map.Has(units) {
			return nil, catalogue.ErrUnitsUnknown
		}
		parts = append(parts, hold.These(units))
	}
	for _, t := range tiers {
		tier, ok := p.Map.Tier(t.Tier)
		switch {
		case !ok:
			return nil, catalogue.ErrUnitsUnknown
		case tier.Kind == catalogue.Seated:
			parts = append(parts, hold.Beside(t.Quantity, p.Map.BestRows(tier.ID)))
		default:
			parts = append(parts, hold.Among(t.Quantity, catalogue.Range{First: tier.First, Count: tier.Count}))
		}
	}
	return parts, nil
}

// others are the sale's other performances.
func others(p catalogue.Performance) (ids []ropeline.PerformanceID) {
	for _, id := range p.Sale.Performances {
		if id != p.Map.ID {
			ids = append(ids, id)
		}
	}
	return ids
}
