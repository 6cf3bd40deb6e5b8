// Package paper writes what buyers keep of an order: its tickets as a PDF, a page each,
// and an entry for their calendar.
//
// Both are made when somebody asks and are the same bytes as long as nothing has changed.
// What they say is in English, and times are those of the venue. The PDF's fonts know
// Latin, Greek and Cyrillic letters; a letter that they do not know is an empty box, and
// nothing else of the page is worse for it.
package paper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/tariff"
	"github.com/ropeline/ropeline/booking/ticket"
)

// What stands in the way of writing something.
var (
	ErrPending = &ropeline.Error{Kind: ropeline.Conflict, Code: "order-pending", Detail: "The payment of this order is being confirmed. Its tickets are there once it is.", RetryAfter: 2 * time.Second}
	ErrNone    = &ropeline.Error{Kind: ropeline.Conflict, Code: "tickets-none-valid", Detail: "No ticket of this order is valid any more."}
)

// Store reads from Postgres what tickets are for.
type Store struct {
	db   *pgxpool.Pool
	site string
}

// New returns a Store. site is the address of our pages, without an end; empty: nothing
// leads there.
func New(db *pgxpool.Pool, site string) *Store { return &Store{db, site} }

// Occasion is what a ticket is for, as its holder reads it.
type Occasion struct {
	Title     string            `json:"title"`
	State     string            `json:"state" enum:"scheduled,postponed,canceled" doc:"postponed: starts_at is when it was to start"`
	StartsAt  time.Time         `json:"starts_at"`
	DoorsAt   *time.Time        `json:"doors_at,omitempty"`
	EndsAt    *time.Time        `json:"ends_at,omitempty"`
	Zone      string            `json:"time_zone" doc:"of the venue, as Europe/Lisbon"`
	Venue     string            `json:"venue"`
	Address   string            `json:"address,omitempty" doc:"text of several lines"`
	City      string            `json:"city,omitempty"`
	Country   string            `json:"country,omitempty" doc:"ISO 3166-1, as PT"`
	Latitude  *float64          `json:"latitude,omitempty"`
	Longitude *float64          `json:"longitude,omitempty"`
	Organizer string            `json:"organizer"`
	Picture   string            `json:"picture,omitempty" doc:"its id"`
	Tiers     map[string]string `json:"tiers" doc:"their names, by id"`

	rules    tariff.Tariff
	sequence int  // goes up with each change
	noPaper  bool // by the rules of the doors
}

// Names says whether tickets bear the names of their holders.
func (e Occasion) Names() bool { return e.rules.Names.On }

// GiveUntil is until when tickets may be given to others; zero: they may not.
func (e Occasion) GiveUntil() time.Time { return e.rules.TransferCloses(e.StartsAt) }

// zone is the venue's, by which whoever goes there is told the time.
func (e Occasion) zone() *time.Location {
	zone, err := time.LoadLocation(e.Zone)
	if err != nil { // the guide takes none that there is not
		return time.UTC
	}
	return zone
}

// place is where the venue is, a line after the other.
func (e Occasion) place() (lines []string) {
	for text := range strings.Lines(e.Address) {
		lines = append(lines, text)
	}
	lines = append(lines, e.City+" "+e.Country)
	for i, text := range lines {
		lines[i] = strings.TrimSpace(line(text))
	}
	return slices.DeleteFunc(lines, func(text string) bool { return text == "" })
}

// Occasion reads what tickets of a performance are for.
func (s *Store) Occasion(ctx context.Context, id ropeline.PerformanceID) (e Occasion, err error) {
	// What is changed has a version of its own each; a sum of what only grows only grows.
	err = s.db.QueryRow(ctx, `
		select e.title, case when e.state in ('postponed', 'canceled') and p.state <> 'canceled' then e.state else p.state end,
			p.starts_at, p.doors_at, p.ends_at, v.time_zone, v.name, v.address, v.city, v.country, v.latitude, v.longitude, o.name,
			coalesce(e.picture_id::text, t.picture_id::text, ''), p.tariff,
			(select jsonb_object_agg(id, name) from tiers where performance_id = p.id),
			e.version + v.details + coalesce((select max(g.version) from sale_performances sp join programs g on g.sale_id = sp.sale_id where sp.performance_id = p.id), 0),
			exists (select from door_settings d where d.performance_id = p.id and not d.printed)
		from performances p join events e on e.id = p.event_id join venues v on v.id = p.venue_id join organizations o on o.id = e.organization_id
		left join tours t on t.id = e.tour_id
		where p.id = $1`, id).Scan(&e.Title, &e.State, &e.StartsAt, &e.DoorsAt, &e.EndsAt, &e.Zone, &e.Venue, &e.Address, &e.City, &e.Country, &e.Latitude, &e.Longitude,
		&e.Organizer, &e.Picture, &e.rules, &e.Tiers, &e.sequence, &e.noPaper)
	if err != nil {
		return Occasion{}, away("reading what tickets are for of", string(id), err)
	}
	e.StartsAt = e.StartsAt.UTC()
	for _, at := range []*time.Time{e.DoorsAt, e.EndsAt} {
		if at != nil {
			*at = at.UTC()
		}
	}
	return e, nil
}

// picture reads an event's as a JPEG, nil if it has none.
func (s *Store) picture(ctx context.Context, id string) (jpeg []byte, err error) {
	if id == "" {
		return nil, nil
	}
	err = s.db.QueryRow(ctx, `select jpeg from picture_sizes where picture_id = $1 order by width < $2, case when width >= $2 then width else -width end limit 1`,
		id, pictureWidth).Scan(&jpeg)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, away("reading the picture of tickets", id, err)
	}
	return jpeg, nil
}

// line is a text in one line, of nothing that cannot be printed.
func line(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
}

// valid are the tickets of an order that open a door.
func valid(o order.Order) ([]order.Ticket, error) {
	if o.State == order.Pending {
		return nil, ErrPending
	}
	good := slices.DeleteFunc(slices.Clone(o.Tickets), func(t order.Ticket) bool { return t.State != ticket.Valid })
	if len(good) == 0 {
		return nil, ErrNone
	}
	return good, nil
}

func away(what, id string, err error) error {
	return ropeline.ErrStoreAway.Because(fmt.Errorf("%s %s: %w", what, id, err))
}
