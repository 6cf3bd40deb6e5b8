package guide

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking"
)

// Booked is a performance in the calendar of a venue.
type Booked struct {
	Performance string     `json:"performance"`
	Event       string     `json:"event,omitempty" doc:"left out if it is another organization's, but for who manages the venue"`
	Title       string     `json:"title" doc:"of its event; empty where that is left out"`
	State       ShowState  `json:"state" enum:"scheduled,postponed"`
	StartsAt    time.Time  `json:"starts_at" doc:"of one that is postponed: when it was to start"`
	EndsAt      *time.Time `json:"ends_at,omitempty"`
	Local       string     `json:"local" doc:"when it starts, by the clocks of the venue, as 2027-03-27T20:00"`
	Clash       bool       `json:"clash" doc:"another one starts there less than four hours before or after"`
}

// Calendar lists the performances of a venue that start from a time on, by when they do,
// but for what is canceled, and tells its time zone. They are of all organizations, as for
// Clashes.
func (s *Store) Calendar(ctx context.Context, venue string, since time.Time, p booking.Page) (timeZone string, page []Booked, next string, err error) {
	v, err := s.Venue(ctx, venue)
	if err != nil {
		return "", nil, "", err
	}
	zone, err := time.LoadLocation(v.TimeZone)
	if err != nil {
		return "", nil, "", storeError("reading a time zone", err)
	}
	size, err := p.Size()
	if err != nil {
		return "", nil, "", err
	}
	after, err := p.After()
	if err != nil {
		return "", nil, "", err
	}
	rows, err := s.db.Query(ctx, `select performance_id, coalesce(event_id::text, ''), title, state, starts_at, ends_at, clash
		from venue_calendar($1, $2, $3, $4, $5)`, venue, since, after, size+1, Apart)
	if err != nil {
		return "", nil, "", storeError("reading a calendar", err)
	}
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (b Booked, err error) {
		err = r.Scan(&b.Performance, &b.Event, &b.Title, &b.State, &b.StartsAt, &b.EndsAt, &b.Clash)
		b.StartsAt, b.Local = b.StartsAt.UTC(), b.StartsAt.In(zone).Format(booking.LocalForm)
		if b.EndsAt != nil {
			at := b.EndsAt.UTC()
			b.EndsAt = &at
		}
		return b, err
	})
	if err != nil {
		return "", nil, "", storeError("reading a calendar", err)
	}
	page, next = booking.Cut(all, size, func(b Booked) string { return b.Performance })
	return v.TimeZone, page, next, nil
}
