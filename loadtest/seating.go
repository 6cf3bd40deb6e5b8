package loadtest

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"time"
)

// seating is the static map of a performance, fetched once and shared.
type seating struct {
	ID    string `json:"id"`
	Tiers []tier `json:"tiers"`
	Rows  []row  `json:"rows"`
}

type tier struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"`
	Price money  `json:"price"`
	First int    `json:"first"`
	Count int    `json:"count"`
}

type row struct {
	First int `json:"first"`
	Count int `json:"count"`
}

type money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// units is how many units the performance has.
func (s *seating) units() int {
	n := 0
	for _, t := range s.Tiers {
		n = max(n, t.First+t.Count)
	}
	return n
}

// tier finds a tier by its id.
func (s *seating) tier(id string) (tier, bool) {
	for _, t := range s.Tiers {
		if t.ID == id {
			return t, true
		}
	}
	return tier{}, false
}

// availability is what any visitor may ask for each second.
type availability struct {
	Taken string `json:"taken"`
	Sold  string `json:"sold"`
	Tiers []struct {
		ID   string `json:"id"`
		Free int    `json:"free"`
	} `json:"tiers"`
}

// shelf unpacks the bitmaps: a bit a unit, the first in the highest bit.
func (a availability) shelf(units int) (*Shelf, error) {
	taken, err := bits(a.Taken, units)
	if err != nil {
		return nil, fmt.Errorf("reading availability, taken: %w", err)
	}
	sold, err := bits(a.Sold, units)
	if err != nil {
		return nil, fmt.Errorf("reading availability, sold: %w", err)
	}
	return &Shelf{Taken: taken, Sold: sold}, nil
}

func bits(text string, n int) ([]bool, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	if len(raw) > (n+7)/8 {
		return nil, fmt.Errorf("%d bytes for %d units", len(raw), n)
	}
	out := make([]bool, n)
	for i := range min(n, 8*len(raw)) {
		out[i] = raw[i/8]&(0x80>>(i%8)) != 0
	}
	return out, nil
}

// neighbors picks a run of n free seats in a random row, or nothing.
func (s *seating) neighbors(rng *rand.Rand, taken []bool, n int) []int {
	if len(s.Rows) == 0 {
		return nil
	}
	start := rng.IntN(len(s.Rows))
	for i := range s.Rows {
		r := s.Rows[(start+i)%len(s.Rows)]
		run := 0
		for u := r.First; u < r.First+r.Count && u < len(taken); u++ {
			run++
			if taken[u] {
				run = 0
			}
			if run == n {
				units := make([]int, n)
				for j := range units {
					units[j] = u - n + 1 + j
				}
				return units
			}
		}
	}
	return nil
}

// heldUnits is a hold as the core answers it.
type heldUnits struct {
	ID        string    `json:"id"`
	Units     []int     `json:"units"`
	Total     money     `json:"total"`
	ExpiresAt time.Time `json:"expires_at"`
}

// placedOrder is an order as the core answers it.
type placedOrder struct {
	ID      string `json:"id"`
	State   string `json:"state"`
	Total   money  `json:"total"`
	Tickets []struct {
		Unit  int    `json:"unit"`
		State string `json:"state"`
	} `json:"tickets"`
}
