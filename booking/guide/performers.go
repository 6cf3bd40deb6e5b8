package guide

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
)

// Performer is somebody, or several, who perform. Any organization may have it in its
// events; who made it edits it.
type Performer struct {
	Name    string   `json:"name"`
	About   string   `json:"about,omitempty" doc:"text of several lines, no markup"`
	Links   []string `json:"links,omitempty" doc:"where more is to be read or heard"`
	Picture string   `json:"picture,omitempty" doc:"its id"`
}

// KeptPerformer is one that is kept.
type KeptPerformer struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
	Performer
}

func (p Performer) validate() error {
	if err := errors.Join(nameFault("A name", p.Name), textFault("about", p.About, MaxAbout), idFault(p.Picture, ErrPictureUnknown)); err != nil {
		return first(err)
	}
	if len(p.Links) > MaxLinks {
		return invalid("A performer has at most %d links", MaxLinks)
	}
	for _, link := range p.Links {
		if err := linkFault(link); err != nil {
			return err
		}
	}
	return nil
}

// first is the first of errors that are joined: people are told one at a time.
func first(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) > 0 {
		return joined.Unwrap()[0]
	}
	return err
}

// CreatePerformer keeps a new one. The same key again makes none, and returns what it made.
func (s *Store) CreatePerformer(ctx context.Context, p Performer, by audit.Change) (k KeptPerformer, err error) {
	if err := first(errors.Join(p.validate(), by.Validate(false))); err != nil {
		return k, err
	}
	k = KeptPerformer{Version: 1, Performer: p}
	if k.ID, err = booking.NewID(); err != nil {
		return k, err
	}
	before, err := s.create(ctx, audit.OfPerformer, k.ID, p, by, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `insert into performers (id, name, about, links, picture_id) values ($1, $2, $3, $4, nullif($5, '')::uuid)`,
			k.ID, p.Name, p.About, append([]string{}, p.Links...), p.Picture)
		return err
	})
	if before != "" {
		return s.Performer(ctx, before)
	}
	return k, err
}

// PutPerformer replaces the version that was seen.
func (s *Store) PutPerformer(ctx context.Context, id string, p Performer, by audit.Change) (KeptPerformer, error) {
	if err := first(errors.Join(p.validate(), by.Validate(true))); err != nil {
		return KeptPerformer{}, err
	}
	now, err := s.Performer(ctx, id)
	if err != nil || alike(now.Performer, p) {
		return now, err
	}
	version, err := s.replace(ctx, audit.OfPerformer, "performers", id, ErrPerformerUnknown, by,
		`update performers set name = $3, about = $4, links = $5, picture_id = nullif($6, '')::uuid, version = version + 1, updated_at = now()
		where id = $1 and version = $2`, p.Name, p.About, append([]string{}, p.Links...), p.Picture)
	return KeptPerformer{id, version, p}, err
}

// Performer reads one.
func (s *Store) Performer(ctx context.Context, id string) (KeptPerformer, error) {
	return one(ctx, s.db, id, scanPerformer, ErrPerformerUnknown,
		`select id, version, name, about, links, coalesce(picture_id::text, '') from performers where id = $1`)
}

func scanPerformer(r pgx.CollectableRow) (k KeptPerformer, err error) {
	err = r.Scan(&k.ID, &k.Version, &k.Name, &k.About, &k.Links, &k.Picture)
	return k, err
}

// Performers lists them, in the order in which they were made.
func (s *Store) Performers(ctx context.Context, p booking.Page) (page []KeptPerformer, next string, err error) {
	return list(ctx, s.db, p, scanPerformer, func(k KeptPerformer) string { return k.ID },
		`select id, version, name, about, links, coalesce(picture_id::text, '') from performers
		where $1::uuid is null or id > $1 order by id limit $2`)
}
