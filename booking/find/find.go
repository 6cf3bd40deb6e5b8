// Package find finds what is on: events, performers, venues and tours by their words, and
// events by when and where they are, what they cost and how much is seen of them.
//
// The one hard idea is that nothing is looked for where it is kept. Everything that can be
// found has a row of its own (find_entries, and find_shows for each coming performance),
// made anew after a change by whoever drains the notes that the change left (Run). So a
// search reads two tables, and is a second or two behind.
//
// A word that nobody has is taken for a mistyped one and corrected against the words that
// there are, before anything is looked for. Order is by popularity, which is kept in a form
// that time does not change (see count.go), so that an index has it.
//
// The most popular events are kept in memory as well, ready to be sent (Listing): they are
// there while Postgres is not.
package find

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/singleflight"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// Kind is what something that is found is.
type Kind string

// The kinds.
const (
	Event     Kind = "event"
	Performer Kind = "performer"
	Venue     Kind = "venue"
	Tour      Kind = "tour"
)

// Entry is something that is found.
type Entry struct {
	Kind     Kind       `json:"kind" enum:"event,performer,venue,tour"`
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Line     string     `json:"line,omitempty" doc:"of an event who performs, of a venue where it is"`
	Category string     `json:"category,omitempty" doc:"of an event"`
	State    string     `json:"state,omitempty" doc:"of an event: published or postponed"`
	Picture  string     `json:"picture,omitempty" doc:"its id"`
	Shows    int        `json:"shows" doc:"how many are to come"`
	Next     *time.Time `json:"next,omitempty" doc:"when the next of them is"`
	Show     *Show      `json:"show,omitempty" doc:"of an event: the first that is as it was asked for"`
}

// Show is a coming performance.
type Show struct {
	ID        string         `json:"id" doc:"of the performance"`
	StartsAt  time.Time      `json:"starts_at"`
	TimeZone  string         `json:"time_zone" doc:"of the venue (IANA)"`
	VenueID   string         `json:"venue_id"`
	Venue     string         `json:"venue"`
	City      string         `json:"city,omitempty"`
	Country   string         `json:"country,omitempty" doc:"ISO 3166-1"`
	PriceFrom *booking.Money `json:"price_from,omitempty" doc:"the lowest, with all fees and taxes"`
	SoldOut   bool           `json:"sold_out" doc:"a few seconds ago"`
	Kilometer *float64       `json:"kilometers,omitempty" doc:"how far away, where that was asked for"`
}

// Store finds what is in Postgres.
type Store struct {
	db  *pgxpool.Pool
	log *slog.Logger

	popular  atomic.Pointer[snapshot]
	snapping singleflight.Group
	answers  atomic.Pointer[answers]

	mu   sync.Mutex         // guards what follows
	seen map[string]float64 // of events and performances, since it was written down last
	left map[string]bool    // of performances: whether anything is, as last counted
}

// New returns a Store over a pool. What is found is kept up to date while Run runs.
func New(db *pgxpool.Pool, log *slog.Logger) *Store {
	return &Store{db: db, log: log, seen: map[string]float64{}, left: map[string]bool{}}
}

const (
	// every is how often it is asked whether something has changed.
	every = time.Second
	// leftEvery and seenEvery are how many of those lie between what is written down of
	// what was counted. Each change of a popularity changes every index of its entry.
	leftEvery = 3
	seenEvery = 30
	// patience is how long one search may take: who waits longer asks again.
	patience = 3 * time.Second
	// making is how long one batch of changes may take.
	making = 15 * time.Second
)

// Run keeps what is found up to date until ctx ends. Any number of processes may run it:
// one of them does the work at a time.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	away := false
	for round := 1; ; round++ {
		err := s.round(ctx, round)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !away {
			s.log.Warn("keeping the search up to date", "err", err)
		}
		away = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (s *Store) round(ctx context.Context, round int) error {
	var errs []error
	if round%leftEvery == 0 {
		errs = append(errs, s.writeLeft(ctx))
	}
	if round%seenEvery == 0 {
		errs = append(errs, s.WriteSeen(ctx), s.MarkPopular(ctx))
	}
	for {
		n, err := s.Refresh(ctx)
		if errs = append(errs, err); n == 0 || err != nil {
			break
		}
	}
	return errors.Join(append(errs, s.follow(ctx))...)
}

// storeError makes whatever is not an error of ours one of the store's.
func storeError(what string, err error) error {
	if err == nil {
		return nil
	}
	if own, ok := errors.AsType[*ropeline.Error](err); ok {
		return own
	}
	return ropeline.ErrStoreAway.Because(fmt.Errorf("%s: %w", what, err))
}
