package ropeline

import "time"

// Stock is what a sale has left, as its booking core counted it at At.
type Stock struct {
	At    time.Time   `json:"at"`
	Tiers []TierStock `json:"tiers"`

	// Basket is how many units a buyer took on average, Conversion the share of
	// the sessions that bought; both measured in this sale, 0 while too few are over.
	Basket     float64 `json:"basket"`
	Conversion float64 `json:"conversion"`
}

// TierStock is one tier of one performance. Free, held and sold units, and those
// that are not for sale, are all there are.
type TierStock struct {
	Performance PerformanceID `json:"performance"`
	Tier        string        `json:"tier"` // its id
	Name        string        `json:"name"`
	Units       int64         `json:"units"`
	Free        int64         `json:"free"`
	Held        int64         `json:"held"` // may return: in a hold or in a payment
	Sold        int64         `json:"sold"`
	// Later is how many come on sale at a time that is set: they are not in Free.
	Later int64 `json:"later,omitempty"`
	// Together is the most free seats side by side, 10 at most. It is told of seats
	// once half of them are taken, as far as some are free; 0 is not told.
	Together int64 `json:"together,omitempty"`
}

// Free is how many units can be held now.
func (s Stock) Free() (n int64) {
	for _, t := range s.Tiers {
		n += t.Free
	}
	return n
}

// Later is how many units come on sale at a time that is set.
func (s Stock) Later() (n int64) {
	for _, t := range s.Tiers {
		n += t.Later
	}
	return n
}

// Held is how many units may return.
func (s Stock) Held() (n int64) {
	for _, t := range s.Tiers {
		n += t.Held
	}
	return n
}
