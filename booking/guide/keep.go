package guide

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
)

// create inserts something new, and writes that down. If the same request has made it
// before, it makes nothing and returns the id of that.
func (s *Store) create(ctx context.Context, what, id string, request any, by audit.Change, insert func(pgx.Tx) error) (before string, err error) {
	text, err := json.Marshal(request)
	if err != nil {
		return "", fmt.Errorf("writing a %s: %w", what, err)
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		was, found, err := by.Note(ctx, tx, audit.Edit{What: what, Subject: id, Version: 1}, string(text))
		if err != nil {
			return err
		}
		if found {
			before = was.Subject
			return audit.ErrBefore
		}
		return insert(tx)
	})
	if errors.Is(err, audit.ErrBefore) {
		err = nil
	}
	return before, storeError("making a "+what, err)
}

// replace runs an update of the version that was seen, whose first arguments are the id
// and that version, and returns the next.
func (s *Store) replace(ctx context.Context, what, table, id string, unknown error, by audit.Change, update string, args ...any) (version int, err error) {
	if !booking.IsID(id) {
		return 0, unknown
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, update, append([]any{id, by.Seen}, args...)...)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return stale(ctx, tx, table, id, unknown)
		}
		version = by.Seen + 1
		_, _, err = by.Note(ctx, tx, audit.Edit{What: what, Subject: id, Version: version})
		return err
	})
	return version, storeError("changing a "+what, err)
}

// alike reports whether what is put says what is kept already: it is taken, and is no new
// version, so that a request whose answer was lost may come again.
func alike(kept, put any) bool {
	a, err := json.Marshal(kept)
	b, other := json.Marshal(put)
	return err == nil && other == nil && bytes.Equal(a, b)
}

// one reads a row by its id.
func one[T any](ctx context.Context, db *pgxpool.Pool, id string, scan pgx.RowToFunc[T], unknown error, query string) (row T, err error) {
	if !booking.IsID(id) {
		return row, unknown
	}
	rows, err := db.Query(ctx, query, id)
	if err != nil {
		return row, storeError("reading the guide", err)
	}
	if row, err = pgx.CollectExactlyOneRow(rows, scan); errors.Is(err, pgx.ErrNoRows) {
		err = unknown
	}
	return row, storeError("reading the guide", err)
}

// list reads a page of rows by their ids.
func list[T any](ctx context.Context, db *pgxpool.Pool, p booking.Page, scan pgx.RowToFunc[T], id func(T) string, query string, args ...any) (page []T, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := p.After()
	if err != nil {
		return nil, "", err
	}
	rows, err := db.Query(ctx, query, append([]any{after, size + 1}, args...)...)
	if err != nil {
		return nil, "", storeError("reading the guide", err)
	}
	all, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, "", storeError("reading the guide", err)
	}
	page, next = booking.Cut(all, size, id)
	return page, next, nil
}
