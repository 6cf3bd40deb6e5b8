package mail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// Dead is a letter that was given up: the mail server refused it for good, or it was not taken
// in time. It is kept, sealed, for a week.
type Dead struct {
	ID      string    `json:"id"`
	State   string    `json:"state" enum:"failed,due,sent" doc:"due and sent: it is sent again, or was"`
	To      string    `json:"to,omitempty" doc:"an address, or the number of a phone; left out if it cannot be read any more"`
	Subject string    `json:"subject,omitempty"`
	Cause   string    `json:"cause,omitempty" doc:"what it tells of, as confirmation and the order; left out of letters about accounts"`
	Problem string    `json:"problem,omitempty"`
	Tries   int       `json:"tries"`
	Written time.Time `json:"written"`
	Changed time.Time `json:"changed" doc:"when it was given up, or sent"`
}

// ErrUnknown is of a letter that there is not, or not any more.
var ErrUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "letter-unknown", Detail: "There is no such letter that was given up, or not any more."}

const deadColumns = `id::text, state, coalesce(cause, ''), problem, tries, created_at, updated_at, sealed`

func (s *Store) scanDead(r pgx.CollectableRow) (d Dead, err error) {
	var sealed []byte
	if err := r.Scan(&d.ID, &d.State, &d.Cause, &d.Problem, &d.Tries, &d.Written, &d.Changed, &sealed); err != nil {
		return d, err
	}
	d.Written, d.Changed = d.Written.UTC(), d.Changed.UTC()
	p := parcel{id: d.ID, sealed: sealed}
	if p.read(s.seal) == nil {
		d.To, d.Subject = cmp.Or(p.To, p.Phone), p.Subject
	}
	return d, nil
}

// Dead lists letters that were given up, the newest first.
func (s *Store) Dead(ctx context.Context, p booking.Page) (page []Dead, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := p.After()
	if err != nil {
		return nil, "", err
	}
	rows, err := s.db.Query(ctx, `select `+deadColumns+` from mails where state = 'failed' and ($1::uuid is null or id < $1) order by id desc limit $2`, after, size+1)
	if err != nil {
		return nil, "", away("listing letters that were given up", err)
	}
	all, err := pgx.CollectRows(rows, s.scanDead)
	if err != nil {
		return nil, "", away("listing letters that were given up", err)
	}
	page, next = booking.Cut(all, size, func(d Dead) string { return d.ID })
	return page, next, nil
}

// Again has a letter sent that was given up, for a day. Asked twice it is sent once.
func (s *Store) Again(ctx context.Context, id string) (d Dead, err error) {
	if !booking.IsID(id) {
		return d, ErrUnknown
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		p := parcel{id: id}
		err := tx.QueryRow(ctx, `update mails set state = 'due', tries = 0, next_at = now(), give_up_at = now() + interval '1 day', updated_at = now()
			where id = $1 and state = 'failed' and sealed is not null returning sealed`, id).Scan(&p.sealed)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if err == nil {
			queue := letters
			if p.read(s.seal) == nil && p.Phone != "" {
				queue = texts
			}
			if _, err := s.jobs.InsertTx(ctx, tx, letter{id}, &river.InsertOpts{Queue: queue, MaxAttempts: enough}); err != nil {
				return fmt.Errorf("having a letter sent: %w", err)
			}
		}
		rows, err := tx.Query(ctx, `select `+deadColumns+` from mails where id = $1`, id)
		if err != nil {
			return err
		}
		d, err = pgx.CollectExactlyOneRow(rows, s.scanDead)
		if errors.Is(err, pgx.ErrNoRows) {
			err = ErrUnknown
		}
		return err
	})
	return d, away("sending a letter again", err)
}
