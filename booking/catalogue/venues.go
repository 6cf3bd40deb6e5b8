package catalogue

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/venue"
)

// ErrVenueUnknown answers for a venue, or a version of its map, that is not there.
var ErrVenueUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "venue-unknown", Detail: "There is no such venue, or no such version of its seat map."}

// Venue is a version of a venue's map.
type Venue struct {
	ID      string
	Version int // from 1
	Map     venue.Map
	Fresh   bool // KeepVenue has made the version
}

// KeepVenue keeps a map: of a new venue if id is empty, else as the next version,
// unless it says what the newest says. Performances stay with the version that
// they were made from.
func (s *Store) KeepVenue(ctx context.Context, id string, m venue.Map, by audit.Change) (v Venue, err error) {
	if err := errors.Join(m.Validate(), by.Validate(id != "")); err != nil {
		return Venue{}, err
	}
	var before audit.Edit
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		v, before, err = keepVenue(ctx, tx, id, m, by)
		return err
	})
	if errors.Is(err, audit.ErrBefore) {
		return s.Venue(ctx, before.Subject, before.Version)
	}
	return v, storeError("keeping the venue "+m.Name, err)
}

// keepVenue fails with audit.ErrBefore if the same request has made it before.
func keepVenue(ctx context.Context, tx pgx.Tx, id string, m venue.Map, by audit.Change) (Venue, audit.Edit, error) {
	text, err := m.Text()
	if err != nil {
		return Venue{}, audit.Edit{}, err
	}
	v := Venue{ID: id, Map: m, Version: 1, Fresh: true}
	if id == "" {
		if v.ID, err = booking.NewID(); err != nil {
			return Venue{}, audit.Edit{}, err
		}
	} else if v.Version, v.Fresh, err = nextVersion(ctx, tx, id, m.Name, text, by); err != nil || !v.Fresh {
		return v, audit.Edit{}, err
	}
	before, found, err := by.Note(ctx, tx, audit.Edit{What: audit.OfVenue, Subject: v.ID, Version: v.Version}, id, string(text))
	if err == nil && found {
		err = audit.ErrBefore
	}
	if err != nil {
		return Venue{}, before, err
	}
	_, err = tx.Exec(ctx, `insert into venues (id, name) values ($1, $2) on conflict (id) do update set name = excluded.name`, v.ID, m.Name)
	if err != nil {
		return Venue{}, audit.Edit{}, err
	}
	_, err = tx.Exec(ctx, `insert into venue_maps (venue_id, version, document) values ($1, $2, $3)`, v.ID, v.Version, text)
	return v, audit.Edit{}, err
}

// nextVersion locks a venue, so that of two imports at once each is a version, and
// says which one the map is to be; not fresh if it is that one already.
func nextVersion(ctx context.Context, tx pgx.Tx, id, name string, text []byte, by audit.Change) (version int, fresh bool, err error) {
	if !booking.IsID(id) {
		return 0, false, ErrVenueUnknown
	}
	tag, err := tx.Exec(ctx, `update venues set name = $2 where id = $1`, id, name)
	if err != nil {
		return 0, false, err
	}
	if tag.RowsAffected() == 0 {
		return 0, false, ErrVenueUnknown
	}
	var same bool
	err = tx.QueryRow(ctx, `select version, document = $2 from venue_maps where venue_id = $1 order by version desc limit 1`, id, text).Scan(&version, &same)
	if errors.Is(err, pgx.ErrNoRows) {
		return 1, true, nil // a venue of before there were maps
	}
	if same || err != nil {
		return version, false, err
	}
	if !by.Blind && by.Seen != version {
		return 0, false, audit.ErrChanged
	}
	return version + 1, true, nil
}

// Venue reads a version of a venue's map, the newest if version is 0.
func (s *Store) Venue(ctx context.Context, id string, version int) (v Venue, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		v, err = readVenue(ctx, tx, id, version)
		return err
	})
	return v, storeError("reading the venue "+id, err)
}

func readVenue(ctx context.Context, tx pgx.Tx, id string, version int) (Venue, error) {
	if !booking.IsID(id) {
		return Venue{}, ErrVenueUnknown
	}
	v := Venue{ID: id}
	var text []byte
	err := tx.QueryRow(ctx, `
		select version, document from venue_maps
		where venue_id = $1 and $2::bigint in (0, version) order by version desc limit 1`, id, version).Scan(&v.Version, &text)
	if errors.Is(err, pgx.ErrNoRows) {
		return Venue{}, ErrVenueUnknown
	}
	if err != nil {
		return Venue{}, err
	}
	v.Map, err = venue.Parse(text)
	return v, err
}

// VenueLine is a venue in the list of all.
type VenueLine struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version int    `json:"version" doc:"the newest of its map; 0: it has none"`
	Shows   int    `json:"performances" doc:"how many there are there"`
}

// Venues lists venues, in the order in which they were made.
func (s *Store) Venues(ctx context.Context, p booking.Page) (page []VenueLine, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := p.After()
	if err != nil {
		return nil, "", err
	}
	rows, err := s.db.Query(ctx, `
		select v.id, v.name,
			coalesce((select max(version) from venue_maps m where m.venue_id = v.id), 0),
			(select count(*) from performances p where p.venue_id = v.id)
		from venues v where $1::uuid is null or v.id > $1 order by v.id limit $2`, after, size+1)
	if err != nil {
		return nil, "", storeError("listing venues", err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByPos[VenueLine])
	page, next = booking.Cut(lines, size, func(v VenueLine) string { return v.ID })
	return page, next, storeError("listing venues", err)
}

// Changes lists what organizers have changed; see audit.Changes.
func (s *Store) Changes(ctx context.Context, subject string, p booking.Page) (page []audit.Edit, next string, err error) {
	return audit.Changes(ctx, s.db, subject, p)
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
