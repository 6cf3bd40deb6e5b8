package order

import (
	"context"
	"time"

	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/internal/batch"
)

// GroupsOf lets groups hold so many purchases, and so many wait for one. Nobody
// may have come yet. A group has as long as a slow machine needs.
func (s *Store) GroupsOf(size, backlog int) {
	for _, g := range s.groups() {
		g.wait = batch.New(size, backlog, time.Minute, g.run)
	}
}

// Waiting is how many purchases wait: to start, and to be recorded.
func (s *Store) Waiting() (start, record int) {
	return s.starting.wait.Waiting(), s.recording.wait.Waiting()
}

// At lets a settler take it for another time, and compare what was just made.
func (s *Settler) At(now func() time.Time) *Settler {
	s.now, s.young = now, -time.Hour
	return s
}

// Booked is what of a dispute is in the books.
type Booked = booked

// With is with, and the entries by their names.
func (b Booked) With(now payment.Dispute) (Booked, map[string]int64) {
	next, entries := b.with(now)
	sums := map[string]int64{}
	for _, e := range entries {
		sums[e.name] += e.amount
	}
	return next, sums
}

// Is says what is in the books.
func (b Booked) Is() (state payment.DisputeState, withdrawn, reinstated, fee int64) {
	return b.state, b.withdrawn, b.reinstated, b.fee
}

// Forget drops events that are too old to come again.
func (s *Store) Forget(ctx context.Context) (int64, error) { return s.forget(ctx) }

// At lets a desk take it for another time.
func (d *Desk) At(now func() time.Time) *Desk {
	d.now = now
	return d
}

// BulkRound goes through some orders of one performance, as RunBulkRefunds does.
func (d *Desk) BulkRound(ctx context.Context) (bool, error) { return d.bulkRound(ctx) }

// EndOffers writes down which offers of tickets are over.
func (s *Store) EndOffers(ctx context.Context) error { return s.endOffers(ctx) }
