package guide

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
)

// ErrUnapproved refuses to publish what plays in the house of somebody who has not agreed.
var ErrUnapproved = &ropeline.Error{Kind: ropeline.Conflict, Code: "seating-unapproved",
	Detail: "A performance of this event is in a venue whose manager has not approved its seating. Nothing was changed."}

// Approval says whether the manager of a venue lets an event have a version of its seat map.
type Approval struct {
	Venue    string     `json:"venue"`
	Version  int        `json:"version" doc:"of the seat map"`
	Event    string     `json:"event"`
	Title    string     `json:"title"`
	Approved *bool      `json:"approved,omitempty" doc:"left out while nothing was said"`
	Reason   string     `json:"reason,omitempty"`
	At       *time.Time `json:"at,omitempty"`
}

// Approve says so, or that they do not, of the newest that was asked for. Only the manager
// of the venue may; the same again changes nothing.
func (s *Store) Approve(ctx context.Context, venue string, version int, event string, approved bool, by audit.Change) error {
	if err := by.Validate(true); err != nil {
		return err
	}
	if !booking.IsID(venue) {
		return ErrVenueUnknown
	}
	if !booking.IsID(event) {
		return ErrEventUnknown
	}
	return storeError("approving seating", pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		// What was said stays said: it may come again when the event plays there no more.
		var asked, there, said bool
		if err := tx.QueryRow(ctx, `select exists (select from venues where id = $1),
				exists (select from venue_requests($1) where event_id = $3 and version = $2),
				exists (select from venue_approvals where venue_id = $1 and version = $2 and event_id = $3 and approved = $4 and reason = $5)`,
			venue, version, event, approved, by.Reason).Scan(&there, &asked, &said); err != nil || said {
			return err
		}
		if !there {
			return ErrVenueUnknown
		}
		if !asked {
			return ErrEventUnknown
		}
		tag, err := tx.Exec(ctx, `insert into venue_approvals (venue_id, version, event_id, approved, who, reason) values ($1, $2, $3, $4, $5, $6)
			on conflict (venue_id, version, event_id) do update set approved = excluded.approved, who = excluded.who, reason = excluded.reason, at = now()
			where (venue_approvals.approved, venue_approvals.reason) <> (excluded.approved, excluded.reason)`,
			venue, version, event, approved, by.Who, by.Reason)
		if err != nil || tag.RowsAffected() == 0 { // it was said before
			return err
		}
		_, _, err = by.Note(ctx, tx, audit.Edit{What: audit.OfApproval, Subject: venue, Version: version, Name: event})
		return err
	}))
}

// Approvals lists the events that play, or are to play, in a venue of ours, with what was
// said of each.
func (s *Store) Approvals(ctx context.Context, venue string, p booking.Page) (page []Approval, next string, err error) {
	if !booking.IsID(venue) {
		return nil, "", ErrVenueUnknown
	}
	return list(ctx, s.db, p, func(r pgx.CollectableRow) (a Approval, err error) {
		a.Venue = venue
		err = r.Scan(&a.Event, &a.Title, &a.Version, &a.Approved, &a.Reason, &a.At)
		if a.At != nil {
			at := a.At.UTC()
			a.At = &at
		}
		return a, err
	}, func(a Approval) string { return a.Event }, `
		select r.event_id, r.title, r.version, a.approved, coalesce(a.reason, ''), a.at
		from venue_requests($3) r left join venue_approvals a on a.venue_id = $3 and a.version = r.version and a.event_id = r.event_id
		where $1::uuid is null or r.event_id > $1 order by r.event_id limit $2`, venue)
}

// approved refuses an event of which a performance is in the house of another organization,
// that has not agreed to its seating.
func approved(ctx context.Context, tx pgx.Tx, event string) error {
	var missing bool
	err := tx.QueryRow(ctx, `select exists (
		select from performances p join events e on e.id = p.event_id join venues v on v.id = p.venue_id
			left join venue_approvals a on a.venue_id = p.venue_id and a.version = p.venue_version and a.event_id = e.id
		where e.id = $1 and p.state <> 'canceled' and v.organization_id <> e.organization_id and a.approved is not true)`, event).Scan(&missing)
	if err == nil && missing {
		err = ErrUnapproved
	}
	return err
}
