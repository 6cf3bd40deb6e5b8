// Package guide keeps what is on as people read it: events, who performs in them, tours,
// where they are, and pictures. What of it is sold, when and for how much, is package
// catalogue's.
//
// Whatever is edited has a version: of two who edit at once the second is told to look
// again (audit.ErrChanged), and each edit is written down in its transaction. The text of
// people is text: it is kept as it came, without markup, and whoever shows it escapes it.
package guide

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
)

// What texts have at most, in characters.
const (
	MaxName  = 200
	MaxAbout = 10_000
	MaxLink  = 500
	MaxLinks = 20

	MaxMetadata     = 32 // names
	MaxMetadataText = 400
)

// Refusals of what is to be kept.
var (
	ErrInvalid          = &ropeline.Error{Kind: ropeline.Invalid, Code: "guide-invalid"}
	ErrEventUnknown     = &ropeline.Error{Kind: ropeline.NotFound, Code: "event-unknown", Detail: "There is no such event."}
	ErrPerformerUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "performer-unknown", Detail: "There is no such performer."}
	ErrTourUnknown      = &ropeline.Error{Kind: ropeline.NotFound, Code: "tour-unknown", Detail: "There is no such tour."}
	ErrPictureUnknown   = &ropeline.Error{Kind: ropeline.NotFound, Code: "picture-unknown", Detail: "There is no such picture, or not in this width."}
	ErrVenueUnknown     = &ropeline.Error{Kind: ropeline.NotFound, Code: "venue-unknown", Detail: "There is no such venue."}
	ErrInUse            = &ropeline.Error{Kind: ropeline.Conflict, Code: "in-use", Detail: "Something refers to it, so it cannot be deleted. Nothing was changed."}
)

func invalid(format string, args ...any) error {
	e := *ErrInvalid
	e.Detail = fmt.Sprintf(format, args...) + "."
	return &e
}

// Store keeps the guide in Postgres. Staff see and change what is their organization's
// (package tenant), the public sees what is published.
type Store struct{ db *pgxpool.Pool }

// New returns a Store over a pool.
func New(db *pgxpool.Pool) *Store { return &Store{db} }

// nameFault says what is wrong with a name.
func nameFault(what, s string) error {
	if strings.TrimSpace(s) == "" || utf8.RuneCountInString(s) > MaxName || !booking.IsPlain(s) {
		return invalid("%s has 1 to %d characters that can be printed", what, MaxName)
	}
	return nil
}

// textFault says what is wrong with a text of several lines.
func textFault(what, s string, most int) error {
	odd := func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }
	if utf8.RuneCountInString(s) > most || !utf8.ValidString(s) || strings.ContainsFunc(s, odd) {
		return invalid("%s has at most %d characters that can be printed, and line breaks", what, most)
	}
	return nil
}

// linkFault says what is wrong with an address that people follow.
func linkFault(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || len(s) > MaxLink || !booking.IsPlain(s) {
		return invalid("A link is an address that begins with https:// or http:// and has at most %d characters", MaxLink)
	}
	return nil
}

// idFault says that a reference is none, before Postgres has to; empty is none on purpose.
func idFault(id string, unknown error) error {
	if id != "" && !booking.IsID(id) {
		return unknown
	}
	return nil
}

// stale says why a row was not changed: because it is not there, or is another version.
func stale(ctx context.Context, tx pgx.Tx, table, id string, unknown error) error {
	var there bool
	if err := tx.QueryRow(ctx, `select exists (select from `+pgx.Identifier{table}.Sanitize()+` where id = $1)`, id).Scan(&there); err != nil {
		return err
	}
	if !there {
		return unknown
	}
	return audit.ErrChanged
}

// missing names what a reference of a row leads to that is not there, by its constraint.
var missing = map[string]error{
	"events_category_fkey":            &ropeline.Error{Kind: ropeline.Invalid, Code: "guide-invalid", Detail: "There is no such category."},
	"events_tour_fkey":                ErrTourUnknown,
	"events_picture_fkey":             ErrPictureUnknown,
	"performers_picture_fkey":         ErrPictureUnknown,
	"tours_picture_fkey":              ErrPictureUnknown,
	"venues_picture_fkey":             ErrPictureUnknown,
	"event_performers_performer_fkey": ErrPerformerUnknown,
}

// storeError makes whatever is not an error of ours one of the store's.
func storeError(what string, err error) error {
	if err == nil {
		return nil
	}
	if own, ok := errors.AsType[*ropeline.Error](err); ok {
		return own
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "23503" {
		if unknown := missing[pg.ConstraintName]; unknown != nil {
			return unknown
		}
		return ErrInUse
	}
	return ropeline.ErrStoreAway.Because(fmt.Errorf("%s: %w", what, err))
}
