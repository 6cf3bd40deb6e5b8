package people

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
)

// Organization is somebody who sells with whoever runs the installation.
type Organization struct {
	ID   string    `json:"id"`
	Slug string    `json:"slug" doc:"what a staff key names it by; it never changes"`
	Name string    `json:"name"`
	At   time.Time `json:"at"`
}

// Refusals of organizations.
var (
	ErrOrganization      = &ropeline.Error{Kind: ropeline.NotFound, Code: "organization-unknown", Detail: "There is no such organization."}
	ErrOrganizationTaken = &ropeline.Error{Kind: ropeline.Conflict, Code: "organization-exists", Detail: "There is an organization of this slug already."}
)

var slugShape = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)

// MakeOrganization makes one that has nothing, and nobody, yet.
func (s *Store) MakeOrganization(ctx context.Context, o Organization, by audit.Change) (Organization, error) {
	o.Name = strings.TrimSpace(o.Name)
	switch n := utf8.RuneCountInString(o.Name); {
	case !slugShape.MatchString(o.Slug):
		return Organization{}, invalid("A slug has 1 to 64 small letters, digits and hyphens between them")
	case n < 1 || n > 100 || !booking.IsPlain(o.Name):
		return Organization{}, invalid("The name of an organization has 1 to 100 characters that can be printed")
	}
	if err := by.Validate(false); err != nil {
		return Organization{}, err
	}
	err := s.change(ctx, "", func(tx pgx.Tx) (err error) {
		if o.ID, err = booking.NewID(); err != nil {
			return err
		}
		before, found, err := by.Note(ctx, tx, audit.Edit{What: audit.OfOrganization, Subject: o.ID, Name: o.Slug}, o.Slug, o.Name)
		if err != nil {
			return err
		}
		if found {
			o.ID = before.Subject
			o, err = readOrganization(tx.QueryRow(ctx, `select `+organizationColumns+` from organizations where id = $1`, o.ID))
			return err
		}
		o, err = readOrganization(tx.QueryRow(ctx, `insert into organizations (id, slug, name) values ($1, $2, $3) returning `+organizationColumns, o.ID, o.Slug, o.Name))
		return err
	})
	if taken, ok := errors.AsType[*pgconn.PgError](err); ok && taken.ConstraintName == "organizations_slug_once" {
		err = ErrOrganizationTaken
	}
	if err != nil {
		return Organization{}, away("making an organization", err)
	}
	return o, nil
}

const organizationColumns = `id, slug, name, created_at`

func readOrganization(row pgx.Row) (o Organization, err error) {
	err = row.Scan(&o.ID, &o.Slug, &o.Name, &o.At)
	o.At = o.At.UTC()
	return o, err
}

// Organization reads one.
func (s *Store) Organization(ctx context.Context, id string) (Organization, error) {
	o, err := readOrganization(s.db.QueryRow(ctx, `select `+organizationColumns+` from organizations where id = $1`, id))
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrOrganization
	}
	return o, away("reading an organization", err)
}

// Organizations lists all, in the order in which they were made.
func (s *Store) Organizations(ctx context.Context, page booking.Page) (all []Organization, next string, err error) {
	size, err := page.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := page.After()
	if err != nil {
		return nil, "", err
	}
	rows, err := s.db.Query(ctx, `select `+organizationColumns+` from organizations where $1::uuid is null or id > $1 order by id limit $2`, after, size+1)
	if err != nil {
		return nil, "", away("listing organizations", err)
	}
	all, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (Organization, error) { return readOrganization(r) })
	if err != nil {
		return nil, "", away("listing organizations", err)
	}
	all, next = booking.Cut(all, size, func(o Organization) string { return o.ID })
	return all, next, nil
}

// change does something in a transaction whose notes are of an organization, of nobody's
// if that is empty.
func (s *Store) change(ctx context.Context, organization string, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		// What is noted takes its organization from here, as where Postgres confines a
		// connection to one; the end of the transaction takes it back.
		if _, err := tx.Exec(ctx, `select set_config('ropeline.organization', $1, true)`, organization); err != nil {
			return err
		}
		return do(tx)
	})
}
