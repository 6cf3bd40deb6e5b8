package queue

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/ropeline/ropeline"
)

//go:embed lua/record.lua
var recordSource string
var recordScript = newScript("record", recordSource)

// Sample is how a sale stood in one second, as charts show it.
type Sample struct {
	At      int64 `json:"at"` // Unix seconds
	Waiting int64 `json:"waiting"`
	Offered int64 `json:"offered"`
	Active  int64 `json:"active"`
	Cap     int64 `json:"cap"`
	Rate    int64 `json:"rate"`

	// What was counted since the sale began; charts show the differences.
	Offers  int64 `json:"offers"`
	Missed  int64 `json:"missed"`
	Claimed int64 `json:"claimed"`

	Wait int64 `json:"wait"` // seconds that who joins now, in the main lane, waits at most; -1 not known

	// Of the stock; -1 where nobody counts it.
	Free int64 `json:"free"`
	Held int64 `json:"held"`

	Core CoreSample `json:"core"`
}

// CoreSample is how the cores of the shop did together since the sample before;
// -1 where none says.
type CoreSample struct {
	P50      int64 `json:"p50"` // ms that half of the requests took at most, by the steps of ropeline.HealthSteps
	P95      int64 `json:"p95"` // and 19 of 20
	InFlight int64 `json:"in_flight"`
}

// history is a stream of samples by second.
func history(sale ropeline.SaleID) string { return key(sale, "history") }

// A quarter of an hour by the second: 130 KB a sale that moves. One that stands
// still is sampled seldom.
const (
	samplesKept = 900
	sampleEvery = time.Second
	sampleStill = 15 * time.Second
)

// SampleOf is how a sale stands.
func SampleOf(s State) Sample {
	wait := int64(-1)
	v := newView(s, nil, nil)
	if w, ok := v.Wait(0, v.LaneStand(0).Waiting()); ok {
		wait = int64(w.High.Seconds())
	}
	free, held := int64(-1), int64(-1)
	if s.Stock != nil {
		free, held = s.Stock.Free(), s.Stock.Held()
	}
	return Sample{
		At: s.Now.Unix(), Waiting: s.Waiting(), Offered: s.Offered, Active: s.Active, Cap: s.Cap, Rate: s.Rate,
		Offers: s.LastOffer, Missed: s.Missed, Claimed: s.Claimed, Wait: wait, Free: free, Held: held,
	}
}

// Due reports whether a sample should be kept after the one that was kept last.
// The cores alone are no reason: they are the same for every sale.
func (a Sample) Due(last Sample) bool {
	passed := time.Duration(a.At-last.At) * time.Second
	last.At, last.Core = a.At, a.Core
	return passed >= sampleStill || passed >= sampleEvery && a != last || passed < 0
}

// Record keeps a sample, unless there is one of this second.
func (s *Store) Record(ctx context.Context, sale ropeline.SaleID, sample Sample) error {
	text, err := json.Marshal(sample)
	if err != nil {
		return fmt.Errorf("writing a sample: %w", err)
	}
	_, err = s.run(ctx, recordScript, []string{history(sale)}, text, samplesKept)
	return err
}

// History returns the samples of a sale after that second, the oldest first; 0
// is from the beginning.
func (s *Store) History(ctx context.Context, sale ropeline.SaleID, after int64) ([]Sample, error) {
	entries, err := s.rdb.XRange(ctx, history(sale), "("+strconv.FormatInt(after, 10)+"-0", "+").Result()
	if err != nil {
		return nil, storeError("reading the history", err)
	}
	samples := make([]Sample, len(entries))
	for i, entry := range entries {
		text, _ := entry.Values["s"].(string)
		if err := json.Unmarshal([]byte(text), &samples[i]); err != nil {
			return nil, fmt.Errorf("reading the history: %w", err)
		}
	}
	return samples, nil
}
