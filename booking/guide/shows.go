package guide

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
)

// ShowState is how a performance stands.
type ShowState string

// The states of a performance. What is canceled stays so.
const (
	Scheduled     ShowState = "scheduled"
	ShowPostponed ShowState = "postponed" // when it starts is not known yet
	ShowCanceled  ShowState = "canceled"
)

// ErrShowUnknown answers for a performance that is not there.
var ErrShowUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "performance-unknown", Detail: "There is no such performance."}

// Show is a performance of an event as people read it.
type Show struct {
	ID       ropeline.PerformanceID `json:"id"`
	Sale     ropeline.SaleID        `json:"sale" doc:"the sale that sells it; empty while none does"`
	State    ShowState              `json:"state" enum:"scheduled,postponed,canceled"`
	StartsAt time.Time              `json:"starts_at" doc:"of one that is postponed: when it was to start"`
	DoorsAt  *time.Time             `json:"doors_at,omitempty"`
	EndsAt   *time.Time             `json:"ends_at,omitempty"`
	WasAt    *time.Time             `json:"was_at,omitempty" doc:"when it was to start at first, if it was moved"`
	Local    string                 `json:"local" doc:"when it starts, by the clocks at the venue, as 2027-03-27T20:00"`
	TimeZone string                 `json:"time_zone" doc:"of the venue, as Europe/Lisbon"`
	Venue    string                 `json:"venue"`
	VenueID  string                 `json:"venue_id"`
	City     string                 `json:"city,omitempty"`
	Country  string                 `json:"country,omitempty" doc:"ISO 3166-1, as PT"`
}

const showColumns = `p.id, coalesce(sp.sale_id, ''), p.state, p.starts_at, p.doors_at, p.ends_at, p.was_at, v.name, v.id, v.time_zone, v.city, v.country`

const showTables = `performances p join venues v on v.id = p.venue_id left join sale_performances sp on sp.performance_id = p.id`

func (s *Show) into() []any {
	return []any{&s.ID, &s.Sale, &s.State, &s.StartsAt, &s.DoorsAt, &s.EndsAt, &s.WasAt, &s.Venue, &s.VenueID, &s.TimeZone, &s.City, &s.Country}
}

// read tells times in UTC, and when it starts in the venue's own.
func (s Show) read() Show {
	s.StartsAt = s.StartsAt.UTC()
	for _, at := range []**time.Time{&s.DoorsAt, &s.EndsAt, &s.WasAt} {
		if *at != nil {
			utc := (*at).UTC()
			*at = &utc
		}
	}
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil { // PutDetails takes none that there is not
		zone = time.UTC
	}
	s.Local = s.StartsAt.In(zone).Format(booking.LocalForm)
	return s
}

// SetShow postpones or cancels one performance of an event, or puts it on again. by.Seen
// is the version of its event, which gets a new one, unless it stands so already.
func (s *Store) SetShow(ctx context.Context, performance ropeline.PerformanceID, to ShowState, by audit.Change) (KeptEvent, error) {
	if err := by.Validate(true); err != nil {
		return KeptEvent{}, err
	}
	event, err := s.EventOf(ctx, performance)
	if err != nil {
		return KeptEvent{}, err
	}
	var now ShowState
	if err := s.db.QueryRow(ctx, `select state from performances where id = $1`, performance).Scan(&now); err != nil {
		return KeptEvent{}, storeError("reading a performance", err)
	}
	if now == to {
		return s.Event(ctx, event)
	}
	err = s.revise(ctx, audit.OfState, event, by, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `update performances p set state = $2 from events e
			where p.id = $1 and e.id = p.event_id and p.state <> 'canceled'
			and case e.state when 'postponed' then $2 <> 'scheduled' when 'canceled' then false else true end`, performance, to)
		if err == nil && tag.RowsAffected() == 0 {
			err = ErrState
		}
		return err
	})
	if err != nil {
		return KeptEvent{}, err
	}
	return s.Event(ctx, event)
}

// EventOf finds the event of a performance.
func (s *Store) EventOf(ctx context.Context, performance ropeline.PerformanceID) (event string, err error) {
	if !booking.IsID(string(performance)) {
		return "", ErrShowUnknown
	}
	err = s.db.QueryRow(ctx, `select event_id from performances where id = $1`, performance).Scan(&event)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrShowUnknown
	}
	return event, storeError("reading a performance", err)
}

// Standing is how a performance stands: with its event, and what else is of that.
type Standing struct {
	Event        KeptEvent  `json:"event"`
	Performances []StoodFor `json:"performances" doc:"of the event, by when they start"`
}

// StoodFor is how one performance of an event stands.
type StoodFor struct {
	ID       ropeline.PerformanceID `json:"id"`
	StartsAt time.Time              `json:"starts_at"`
	State    ShowState              `json:"state" enum:"scheduled,postponed,canceled"`
}

// Standing reads how a performance stands.
func (s *Store) Standing(ctx context.Context, performance ropeline.PerformanceID) (st Standing, err error) {
	id, err := s.EventOf(ctx, performance)
	if err != nil {
		return st, err
	}
	if st.Event, err = s.Event(ctx, id); err != nil {
		return st, err
	}
	rows, err := s.db.Query(ctx, `select id, starts_at, state from performances where event_id = $1 order by starts_at, id`, id)
	if err == nil {
		st.Performances, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (p StoodFor, err error) {
			err = r.Scan(&p.ID, &p.StartsAt, &p.State)
			p.StartsAt = p.StartsAt.UTC()
			return p, err
		})
	}
	return st, storeError("reading how a performance stands", err)
}
