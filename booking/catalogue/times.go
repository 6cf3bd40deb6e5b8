package catalogue

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// longest is how long a performance may take: a festival of some days.
const longest = 7 * 24 * time.Hour

// timesFault says what is wrong with the times of performance i.
func (s Showing) timesFault(i int) error {
	if s.StartsAt.IsZero() {
		return invalidProgram("Performance %d: starts_at is missing", i+1)
	}
	for name, at := range map[string]time.Time{"starts_at": s.StartsAt, "doors_at": s.DoorsAt, "ends_at": s.EndsAt} {
		if !at.IsZero() && !booking.IsTime(at) {
			return invalidProgram("Performance %d: %s must lie between the years 2000 and 2200", i+1, name)
		}
	}
	if s.DoorsAt.After(s.StartsAt) {
		return invalidProgram("Performance %d: its doors open after it has started", i+1)
	}
	if !s.EndsAt.IsZero() && (!s.EndsAt.After(s.StartsAt) || s.EndsAt.Sub(s.StartsAt) > longest) {
		return invalidProgram("Performance %d: it must end after it starts, and within 7 days", i+1)
	}
	return nil
}

// inUTC tells the times of a program as they are kept, so that those of another zone, or
// by the clocks of a venue, are no change.
func (p Program) inUTC(ctx context.Context, tx pgx.Tx) (Program, error) {
	p.Performances = slices.Clone(p.Performances)
	for i := range p.Performances {
		s := &p.Performances[i]
		if s.Local != (LocalTimes{}) {
			if err := s.read(ctx, tx); err != nil {
				return p, err
			}
			if err := s.timesFault(i); err != nil {
				return p, err
			}
		}
		for _, at := range []*time.Time{&s.StartsAt, &s.DoorsAt, &s.EndsAt} {
			*at = at.UTC()
		}
	}
	for _, at := range []*time.Time{&p.Sale.LobbyClosesAt, &p.Sale.OpensAt, &p.Sale.EndsAt} {
		*at = at.UTC()
	}
	return p, nil
}

// read makes of local times those that they are at the venue.
func (s *Showing) read(ctx context.Context, tx pgx.Tx) error {
	if !booking.IsID(s.Venue) {
		return ErrVenueUnknown
	}
	var name string
	err := tx.QueryRow(ctx, `select time_zone from venues where id = $1`, s.Venue).Scan(&name)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrVenueUnknown
	}
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return err // the guide takes none that there is not
	}
	for _, t := range []struct {
		local string
		at    *time.Time
	}{{s.Local.StartsAt, &s.StartsAt}, {s.Local.DoorsAt, &s.DoorsAt}, {s.Local.EndsAt, &s.EndsAt}} {
		if t.local == "" {
			continue
		}
		if *t.at, err = booking.At(t.local, zone); err != nil {
			return err
		}
	}
	s.Local = LocalTimes{}
	return nil
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// ErrEventCanceled refuses performances of an event that is canceled.
var ErrEventCanceled = &ropeline.Error{Kind: ropeline.Conflict, Code: "event-state", Detail: "The event is canceled: it gets no performances any more."}

// makeEvent makes the event of a program, or finds the one that it names.
func (p Program) makeEvent(ctx context.Context, tx pgx.Tx) (id string, err error) {
	if p.EventID == "" {
		title := p.Event
		if title == "" {
			title = p.Sale.Title
		}
		if id, err = booking.NewID(); err != nil {
			return "", err
		}
		_, err = tx.Exec(ctx, `insert into events (id, title) values ($1, $2)`, id, title)
		return id, err
	}
	var state string
	var has int
	err = tx.QueryRow(ctx, `update events e set version = version + 1 where id = $1
		returning state, (select count(*) from performances where event_id = e.id)`, p.EventID).Scan(&state, &has)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", ErrEventUnknown
	case err != nil:
		return "", err
	case state == "canceled":
		return "", ErrEventCanceled
	case has+len(p.Performances) > maxShowings:
		return "", invalidProgram("An event has %d performances at most", maxShowings)
	}
	return p.EventID, nil
}
