package guide

import (
	"context"
	"regexp"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking"
)

// What the public reads is the owner's of the tables to read, and says itself that no
// draft is among it: row-level security is for staff.

// Named is something else, by its id and its name.
type Named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Listed is an event in a list.
type Listed struct {
	ID           string  `json:"id"`
	Title        string  `json:"title"`
	State        State   `json:"state" enum:"published,postponed,canceled"`
	Category     string  `json:"category" doc:"its id"`
	Picture      string  `json:"picture,omitempty" doc:"its id"`
	Performers   []Named `json:"performers,omitempty" doc:"who comes first first"`
	Tour         *Named  `json:"tour,omitempty"`
	Performances []Show  `json:"performances" doc:"by when they start"`
}

// Shown is an event with all that is said of it.
type Shown struct {
	Listed
	About string `json:"about,omitempty" doc:"text of several lines, no markup"`
}

// Choice says which events are listed; what is empty says nothing.
type Choice struct{ Category, Performer, Tour, Venue string }

func (c Choice) fault() error {
	for _, id := range []struct {
		id      string
		unknown error
	}{{c.Performer, ErrPerformerUnknown}, {c.Tour, ErrTourUnknown}, {c.Venue, ErrVenueUnknown}} {
		if err := idFault(id.id, id.unknown); err != nil {
			return err
		}
	}
	if c.Category != "" && !slug.MatchString(c.Category) {
		return missing["events_category_fkey"]
	}
	return nil
}

// Public lists events that are no drafts and have performances, in the order in which they
// were made.
func (s *Store) Public(ctx context.Context, c Choice, p booking.Page) (page []Listed, next string, err error) {
	if err := c.fault(); err != nil {
		return nil, "", err
	}
	found, next, err := list(ctx, s.db, p, scanShown, func(e Shown) string { return e.ID }, `
		select `+publicColumns+` from events e left join tours t on t.id = e.tour_id
		where ($1::uuid is null or e.id > $1) and e.state <> 'draft'
			and exists (select from performances p where p.event_id = e.id and ($3 = '' or p.venue_id = nullif($3, '')::uuid))
			and ($4 = '' or e.category_id = $4)
			and ($5 = '' or e.tour_id = nullif($5, '')::uuid)
			and ($6 = '' or exists (select from event_performers x where x.event_id = e.id and x.performer_id = nullif($6, '')::uuid))
		order by e.id limit $2`, c.Venue, c.Category, c.Tour, c.Performer)
	if err != nil {
		return nil, "", err
	}
	page = make([]Listed, len(found))
	for i := range found {
		page[i] = found[i].Listed
	}
	return page, next, s.fill(ctx, page)
}

// PublicEvent reads an event that is no draft.
func (s *Store) PublicEvent(ctx context.Context, id string) (Shown, error) {
	e, err := one(ctx, s.db, id, scanShown, ErrEventUnknown, `select `+publicColumns+` from events e left join tours t on t.id = e.tour_id
		where e.id = $1 and e.state <> 'draft'`)
	if err != nil {
		return Shown{}, err
	}
	filled := []Listed{e.Listed}
	err = s.fill(ctx, filled)
	e.Listed = filled[0]
	return e, err
}

const publicColumns = `e.id, e.title, e.state, e.category_id, coalesce(e.picture_id::text, ''), e.about, t.id::text, t.name`

func scanShown(r pgx.CollectableRow) (e Shown, err error) {
	var tour, name *string
	err = r.Scan(&e.ID, &e.Title, &e.State, &e.Category, &e.Picture, &e.About, &tour, &name)
	if tour != nil && name != nil {
		e.Tour = &Named{*tour, *name}
	}
	return e, err
}

// fill reads the performances of events, and who performs in them.
func (s *Store) fill(ctx context.Context, events []Listed) error {
	ids, place := make([]string, len(events)), make(map[string]*Listed, len(events))
	for i := range events {
		events[i].Performances = []Show{}
		ids[i], place[events[i].ID] = events[i].ID, &events[i]
	}
	var event string
	var who Named
	rows, err := s.db.Query(ctx, `select x.event_id, f.id, f.name from event_performers x join performers f on f.id = x.performer_id
		where x.event_id = any($1::uuid[]) order by x.event_id, x.position`, ids)
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&event, &who.ID, &who.Name}, func() error {
			place[event].Performers = append(place[event].Performers, who)
			return nil
		})
	}
	if err != nil {
		return storeError("reading who performs", err)
	}
	rows, err = s.db.Query(ctx, `select p.event_id, `+showColumns+` from `+showTables+`
		where p.event_id = any($1::uuid[]) order by p.event_id, p.starts_at, p.id`, ids)
	if err != nil {
		return storeError("reading performances", err)
	}
	_, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (none struct{}, err error) {
		var show Show
		if err := r.Scan(append([]any{&event}, show.into()...)...); err != nil {
			return none, err
		}
		place[event].Performances = append(place[event].Performances, show.read())
		return none, nil
	})
	return storeError("reading performances", err)
}

// slug is the form of a category's id.
var slug = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)

// Category is what kind of event there is.
type Category struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Parent string `json:"parent,omitempty" doc:"the id of the one that it is part of"`
}

// Categories lists them by their positions.
func (s *Store) Categories(ctx context.Context, p booking.Page) (page []Category, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	if p.Cursor != "" && !slug.MatchString(p.Cursor) {
		return nil, "", booking.ErrPage
	}
	rows, err := s.db.Query(ctx, `select id, name, coalesce(parent, '') from categories
		where $1 = '' or (position, id) > (select position, id from categories where id = $1) order by position, id limit $2`, p.Cursor, size+1)
	if err != nil {
		return nil, "", storeError("reading categories", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Category])
	page, next = booking.Cut(all, size, func(c Category) string { return c.ID })
	return page, next, storeError("reading categories", err)
}

// PublicTour reads a tour of which an event is no draft.
func (s *Store) PublicTour(ctx context.Context, id string) (KeptTour, error) {
	return one(ctx, s.db, id, scanTour, ErrTourUnknown, `select t.id, t.version, t.name, t.about, coalesce(t.picture_id::text, '') from tours t
		where t.id = $1 and exists (select from events e where e.tour_id = t.id and e.state <> 'draft')`)
}

// PublicTours lists them, in the order in which they were made.
func (s *Store) PublicTours(ctx context.Context, p booking.Page) (page []KeptTour, next string, err error) {
	return list(ctx, s.db, p, scanTour, func(k KeptTour) string { return k.ID },
		`select t.id, t.version, t.name, t.about, coalesce(t.picture_id::text, '') from tours t
		where ($1::uuid is null or t.id > $1) and exists (select from events e where e.tour_id = t.id and e.state <> 'draft') order by t.id limit $2`)
}
