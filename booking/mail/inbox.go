package mail

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// inboxKept is for how long somebody reads in their account what was told to them.
const inboxKept = 90 * 24 * time.Hour

// Received is a letter as who has an account reads it there.
type Received struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	Read    bool      `json:"read"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
}

// ErrNotReceived is of a message that is nobody's, or another's.
var ErrNotReceived = &ropeline.Error{Kind: ropeline.NotFound, Code: "message-unknown", Detail: "There is no such message, or not any more."}

// keep lays a letter into the inbox of whom it is about, in the transaction that posts it. What
// tells of no cause is about the account itself, and may have a link that opens it: that goes by
// mail alone.
func (s *Store) keep(ctx context.Context, tx pgx.Tx, id string, m Message, slip Slip) error {
	if slip.Person == "" || slip.Cause == "" || slip.Brief {
		return nil
	}
	text, err := json.Marshal(Message{Subject: m.Subject, Text: m.Text})
	if err != nil {
		return fmt.Errorf("keeping a letter: %w", err)
	}
	sealed, err := s.seal.Seal(id, text)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into inbox (id, person_id, sealed) values ($1, $2, $3)`, id, slip.Person, sealed)
	return err
}

// Inbox lists what was told to a person, the newest first, and says how much they have not read.
func (s *Store) Inbox(ctx context.Context, person string, p booking.Page) (page []Received, next string, unread int, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", 0, err
	}
	after, err := p.After()
	if err != nil {
		return nil, "", 0, err
	}
	rows, err := s.db.Query(ctx, `select id::text, created_at, read_at is not null, sealed from inbox where person_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3`, person, after, size+1)
	if err != nil {
		return nil, "", 0, away("reading an inbox", err)
	}
	all, err := pgx.CollectRows(rows, s.scanReceived)
	if err == nil {
		err = s.db.QueryRow(ctx, `select count(*) from inbox where person_id = $1 and read_at is null`, person).Scan(&unread)
	}
	if err != nil {
		return nil, "", 0, away("reading an inbox", err)
	}
	page, next = booking.Cut(all, size, func(r Received) string { return r.ID })
	return page, next, unread, nil
}

func (s *Store) scanReceived(row pgx.CollectableRow) (r Received, err error) {
	p := parcel{}
	if err := row.Scan(&r.ID, &r.At, &r.Read, &p.sealed); err != nil {
		return r, err
	}
	r.At, p.id = r.At.UTC(), r.ID
	if p.read(s.seal) == nil { // of another key it says nothing
		r.Subject, r.Text = p.Subject, p.Text
	}
	return r, nil
}

// Read keeps that a person has read a message, or has not.
func (s *Store) Read(ctx context.Context, person, id string, read bool) error {
	if !booking.IsID(id) {
		return ErrNotReceived
	}
	tag, err := s.db.Exec(ctx, `update inbox set read_at = case when $3 then coalesce(read_at, now()) end where person_id = $1 and id = $2`, person, id, read)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrNotReceived
	}
	return away("reading a message", err)
}
