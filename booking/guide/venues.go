package guide

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
)

// Details are what people read of a venue. Its name is the seat map's.
type Details struct {
	About    string `json:"about,omitempty" doc:"text of several lines, no markup"`
	Address  string `json:"address,omitempty" doc:"text of several lines"`
	City     string `json:"city,omitempty"`
	Country  string `json:"country,omitempty" doc:"ISO 3166-1, as PT"`
	TimeZone string `json:"time_zone" doc:"IANA, as Europe/Lisbon: what happens there is told in it"`
	Place    *Point `json:"place,omitempty" doc:"left out: not known"`
	Picture  string `json:"picture,omitempty" doc:"its id"`
	Closed   bool   `json:"closed,omitempty" doc:"to other organizations"`
}

// Point is on the earth, in degrees.
type Point struct {
	Latitude  float64 `json:"latitude" minimum:"-90" maximum:"90"`
	Longitude float64 `json:"longitude" minimum:"-180" maximum:"180"`
}

// KeptVenue is one with its details.
type KeptVenue struct {
	ID      string `json:"id"`
	Version int    `json:"version" doc:"of the details; the seat map has versions of its own"`
	Name    string `json:"name"`
	Details
}

func (d Details) validate() error {
	err := errors.Join(textFault("about", d.About, MaxAbout), textFault("address", d.Address, 500), idFault(d.Picture, ErrPictureUnknown))
	if err != nil {
		return first(err)
	}
	if utf8.RuneCountInString(d.City) > 100 || !booking.IsPlain(d.City) {
		return invalid("A city has at most 100 characters that can be printed")
	}
	if d.Country != "" && (len(d.Country) != 2 || d.Country[0] < 'A' || d.Country[0] > 'Z' || d.Country[1] < 'A' || d.Country[1] > 'Z') {
		return invalid("A country is two capital letters, as PT")
	}
	if d.TimeZone == "" || d.TimeZone == "Local" {
		return invalid("A venue has a time zone, as Europe/Lisbon")
	}
	if _, err := time.LoadLocation(d.TimeZone); err != nil || len(d.TimeZone) > 60 {
		return invalid("There is no time zone of that name: it is one of the IANA database, as Europe/Lisbon")
	}
	if p := d.Place; p != nil && !(p.Latitude >= -90 && p.Latitude <= 90 && p.Longitude >= -180 && p.Longitude <= 180) {
		return invalid("A place has a latitude from -90 to 90 and a longitude from -180 to 180 degrees")
	}
	return nil
}

// coordinates are null where the place is not known.
func (d Details) coordinates() (latitude, longitude *float64) {
	if d.Place == nil {
		return nil, nil
	}
	return &d.Place.Latitude, &d.Place.Longitude
}

// PutDetails replaces the version of a venue's details that was seen.
func (s *Store) PutDetails(ctx context.Context, id string, d Details, by audit.Change) (KeptVenue, error) {
	if err := first(errors.Join(d.validate(), by.Validate(true))); err != nil {
		return KeptVenue{}, err
	}
	now, err := s.Venue(ctx, id)
	if err != nil || alike(now.Details, d) {
		return now, err
	}
	latitude, longitude := d.coordinates()
	err = storeError("changing a venue", pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `update venues set about = $3, address = $4, city = $5, country = $6, time_zone = $7, latitude = $8, longitude = $9,
				picture_id = nullif($10, '')::uuid, open = not $11, details = details + 1
			where id = $1 and details = $2`, id, by.Seen, d.About, d.Address, d.City, d.Country, d.TimeZone, latitude, longitude, d.Picture, d.Closed)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return stale(ctx, tx, "venues", id, ErrVenueUnknown)
		}
		_, _, err = by.Note(ctx, tx, audit.Edit{What: audit.OfDetails, Subject: id, Version: by.Seen + 1})
		return err
	}))
	if err != nil {
		return KeptVenue{}, err
	}
	return s.Venue(ctx, id)
}

const venueColumns = `id, details, name, about, address, city, country, time_zone, latitude, longitude, coalesce(picture_id::text, ''), not open`

// Venue reads one with its details.
func (s *Store) Venue(ctx context.Context, id string) (KeptVenue, error) {
	return one(ctx, s.db, id, scanVenue, ErrVenueUnknown, `select `+venueColumns+` from venues where id = $1`)
}

// Venues lists them, in the order in which they were made.
func (s *Store) Venues(ctx context.Context, p booking.Page) (page []KeptVenue, next string, err error) {
	return list(ctx, s.db, p, scanVenue, func(k KeptVenue) string { return k.ID },
		`select `+venueColumns+` from venues where $1::uuid is null or id > $1 order by id limit $2`)
}

func scanVenue(r pgx.CollectableRow) (k KeptVenue, err error) {
	var latitude, longitude *float64
	err = r.Scan(&k.ID, &k.Version, &k.Name, &k.About, &k.Address, &k.City, &k.Country, &k.TimeZone, &latitude, &longitude, &k.Picture, &k.Closed)
	if latitude != nil && longitude != nil {
		k.Place = &Point{*latitude, *longitude}
	}
	return k, err
}

// Clash is a performance that is too near to another one in the same venue.
type Clash struct {
	Performance string    `json:"performance"`
	Title       string    `json:"title" doc:"of its event; empty if that is another organization's"`
	StartsAt    time.Time `json:"starts_at"`
}

// Apart is how far two performances of one venue are to be apart, so that a house can be
// emptied and set up again. It is a warning, and no refusal: a matinee is one.
const Apart = 4 * time.Hour

// Clashes lists the performances of a venue that start less than Apart from a time, but
// for one of these. They are of all organizations: that a house is taken is no secret.
func (s *Store) Clashes(ctx context.Context, venue string, at time.Time, but []string) ([]Clash, error) {
	if !booking.IsID(venue) {
		return nil, ErrVenueUnknown
	}
	for _, id := range but {
		if err := idFault(id, ErrShowUnknown); err != nil {
			return nil, err
		}
	}
	rows, err := s.db.Query(ctx, `select performance_id, title, starts_at from venue_clashes($1, $2, $3, $4::uuid[]) order by starts_at limit 20`,
		venue, at, Apart, append([]string{}, but...))
	if err != nil {
		return nil, storeError("looking for clashes", err)
	}
	clashes, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (c Clash, err error) {
		err = r.Scan(&c.Performance, &c.Title, &c.StartsAt)
		c.StartsAt = c.StartsAt.UTC()
		return c, err
	})
	return clashes, storeError("looking for clashes", err)
}
