package people

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// WatchMost is of how many events an account is told at most that a sale opens.
const WatchMost = 500

// ErrWatches refuses more than WatchMost.
var ErrWatches = &ropeline.Error{Kind: ropeline.Conflict, Code: "watches-full", Detail: "An account is told of 500 events at most. Let go of another one first."}

// Watched is an event of which somebody is told when a sale opens.
type Watched struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// Watch has a person told when a sale of an event that there is opens; again changes nothing.
func (s *Store) Watch(ctx context.Context, person, event string) error {
	var full, known bool
	err := s.db.QueryRow(ctx, `
		with one as materialized (select id from people where id = $1 and state = 'active' for share),
		full_ as (select count(*) >= $3 and not bool_or(event_id = $2) as full_ from event_watches where person_id = $1),
		added as (insert into event_watches (person_id, event_id) select one.id, $2 from one, full_ where not full_ is true on conflict do nothing)
		select coalesce((select full_ from full_), false), exists (select from one)`, person, event, WatchMost).Scan(&full, &known)
	switch {
	case err != nil:
		return away("watching an event", err)
	case !known:
		return ErrUnknown
	case full:
		return ErrWatches
	}
	return nil
}

// Unwatch has a person told no more, who may not be as it is.
func (s *Store) Unwatch(ctx context.Context, person, event string) error {
	_, err := s.db.Exec(ctx, `delete from event_watches where person_id = $1 and event_id = $2`, person, event)
	return away("watching an event no more", err)
}

// Watches reports whether a person is told when a sale of an event opens.
func (s *Store) Watches(ctx context.Context, person, event string) (yes bool, err error) {
	err = s.db.QueryRow(ctx, `select exists (select from event_watches where person_id = $1 and event_id = $2)`, person, event).Scan(&yes)
	return yes, away("looking who watches what", err)
}

// Watching lists the events that a person watches, by their ids.
func (s *Store) Watching(ctx context.Context, person string, p booking.Page) (page []Watched, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := p.After()
	if err != nil {
		return nil, "", err
	}
	rows, err := s.db.Query(ctx, `select w.event_id::text, e.title from event_watches w join events e on e.id = w.event_id
		where w.person_id = $1 and ($2::uuid is null or w.event_id > $2) order by w.event_id limit $3`, person, after, size+1)
	if err != nil {
		return nil, "", away("listing what somebody watches", err)
	}
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (w Watched, err error) { return w, r.Scan(&w.ID, &w.Title) })
	if err != nil {
		return nil, "", away("listing what somebody watches", err)
	}
	page, next = booking.Cut(all, size, func(w Watched) string { return w.ID })
	return page, next, nil
}
