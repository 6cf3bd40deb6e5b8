package guide

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
)

// Tour is what several events are parts of.
type Tour struct {
	Name    string `json:"name"`
	About   string `json:"about,omitempty" doc:"text of several lines, no markup"`
	Picture string `json:"picture,omitempty" doc:"its id"`
}

// KeptTour is one that is kept.
type KeptTour struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
	Tour
}

func (t Tour) validate() error {
	return first(errors.Join(nameFault("A name", t.Name), textFault("about", t.About, MaxAbout), idFault(t.Picture, ErrPictureUnknown)))
}

// CreateTour keeps a new one. The same key again makes none, and returns what it made.
func (s *Store) CreateTour(ctx context.Context, t Tour, by audit.Change) (k KeptTour, err error) {
	if err := first(errors.Join(t.validate(), by.Validate(false))); err != nil {
		return k, err
	}
	k = KeptTour{Version: 1, Tour: t}
	if k.ID, err = booking.NewID(); err != nil {
		return k, err
	}
	before, err := s.create(ctx, audit.OfTour, k.ID, t, by, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `insert into tours (id, name, about, picture_id) values ($1, $2, $3, nullif($4, '')::uuid)`, k.ID, t.Name, t.About, t.Picture)
		return err
	})
	if before != "" {
		return s.Tour(ctx, before)
	}
	return k, err
}

// PutTour replaces the version that was seen.
func (s *Store) PutTour(ctx context.Context, id string, t Tour, by audit.Change) (KeptTour, error) {
	if err := first(errors.Join(t.validate(), by.Validate(true))); err != nil {
		return KeptTour{}, err
	}
	now, err := s.Tour(ctx, id)
	if err != nil || alike(now.Tour, t) {
		return now, err
	}
	version, err := s.replace(ctx, audit.OfTour, "tours", id, ErrTourUnknown, by,
		`update tours set name = $3, about = $4, picture_id = nullif($5, '')::uuid, version = version + 1, updated_at = now()
		where id = $1 and version = $2`, t.Name, t.About, t.Picture)
	return KeptTour{id, version, t}, err
}

// Tour reads one.
func (s *Store) Tour(ctx context.Context, id string) (KeptTour, error) {
	return one(ctx, s.db, id, scanTour, ErrTourUnknown, `select id, version, name, about, coalesce(picture_id::text, '') from tours where id = $1`)
}

func scanTour(r pgx.CollectableRow) (k KeptTour, err error) {
	err = r.Scan(&k.ID, &k.Version, &k.Name, &k.About, &k.Picture)
	return k, err
}

// Tours lists them, in the order in which they were made.
func (s *Store) Tours(ctx context.Context, p booking.Page) (page []KeptTour, next string, err error) {
	return list(ctx, s.db, p, scanTour, func(k KeptTour) string { return k.ID },
		`select id, version, name, about, coalesce(picture_id::text, '') from tours where $1::uuid is null or id > $1 order by id limit $2`)
}
