package guide

import (
	"context"
	"crypto/sha256"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/picture"
)

// Widths are those that a picture is drawn in: a line of a list, a phone, a page.
var Widths = []int{320, 640, 1280}

// KeptPicture is one that is kept.
type KeptPicture struct {
	ID     string `json:"id"`
	What   string `json:"what,omitempty" doc:"what can be seen, for who cannot see it"`
	Widths []int  `json:"widths" doc:"which there are, in pixels"`
}

// KeepPicture draws an upload and keeps what is drawn. The same file again is the same
// picture, with what is said of it now.
func (s *Store) KeepPicture(ctx context.Context, file []byte, what string, by audit.Change) (k KeptPicture, err error) {
	if err := first(errors.Join(textFault("what", what, 300), by.Validate(false))); err != nil {
		return k, err
	}
	drawn, err := picture.Draw(file, Widths...)
	if err != nil {
		return k, err
	}
	k.What = what
	if k.ID, err = booking.NewID(); err != nil {
		return k, err
	}
	sum := sha256.Sum256(file)
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		var fresh bool
		if err := tx.QueryRow(ctx, `insert into pictures (id, file_hash, what) values ($1, $2, $3)
			on conflict (organization_id, file_hash) do update set what = excluded.what returning id, id = $1`, k.ID, sum[:], what).Scan(&k.ID, &fresh); err != nil {
			return err
		}
		for _, d := range drawn {
			k.Widths = append(k.Widths, d.Width)
			if _, err := tx.Exec(ctx, `insert into picture_sizes (picture_id, width, height, jpeg) values ($1, $2, $3, $4) on conflict do nothing`,
				k.ID, d.Width, d.Height, d.JPEG); err != nil {
				return err
			}
		}
		if !fresh {
			return nil
		}
		_, _, err := by.Note(ctx, tx, audit.Edit{What: audit.OfPicture, Subject: k.ID, Version: 1}, string(sum[:]))
		return err
	})
	return k, storeError("keeping a picture", err)
}

// Picture reads a picture in the smallest width that has at least so many pixels, or the
// largest there is. Whatever it says is final: no picture is ever changed.
func (s *Store) Picture(ctx context.Context, id string, width int) (jpeg []byte, err error) {
	if !booking.IsID(id) {
		return nil, ErrPictureUnknown
	}
	err = s.db.QueryRow(ctx, `select jpeg from picture_sizes where picture_id = $1
		order by width < $2, case when width >= $2 then width else -width end limit 1`, id, width).Scan(&jpeg)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrPictureUnknown
	}
	return jpeg, storeError("reading a picture", err)
}
