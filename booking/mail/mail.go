// Package mail sends letters over SMTP.
//
// A letter is written down in the transaction of what it tells of (Post), sealed, so that
// none is lost and none is sent of what was rolled back; a Sender hands it over and tries
// again until it is taken, refused for good, or of no use any more. It may be sent twice:
// if the sender dies after the mail server has taken it. Both have one Message-ID.
package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// Message is a letter.
type Message struct {
	To      string `json:"to"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

// Sealer keeps messages, by their ids, from whoever has the database alone.
type Sealer interface {
	Seal(id string, text []byte) ([]byte, error)
	Open(id string, sealed []byte) ([]byte, error)
}

// Store keeps what is to be sent in Postgres, by whose clock it is due.
type Store struct {
	db   *pgxpool.Pool
	seal Sealer
}

// New returns a Store over a pool.
func New(db *pgxpool.Pool, s Sealer) *Store { return &Store{db, s} }

// Post writes a message about a person, if it is about one, down, to be sent once tx is committed. It is given
// up after so long. Its id is returned, by which it is known for a week after that.
func (s *Store) Post(ctx context.Context, tx pgx.Tx, person string, m Message, after time.Duration) (id string, err error) {
	if id, err = booking.NewID(); err != nil {
		return "", err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("writing a letter: %w", err)
	}
	sealed, err := s.seal.Seal(id, text)
	if err != nil {
		return "", err
	}
	_, err = tx.Exec(ctx, `insert into mails (id, person_id, sealed, give_up_at) values ($1, nullif($2, '')::uuid, $3, now() + $4)`, id, person, sealed, after)
	return id, err
}

// parcel is a message that was taken to be sent.
type parcel struct {
	id     string
	tries  int // with this one
	sealed []byte
	Message
}

const (
	// lease is for how long nobody else takes a message that is tried: longer than patience.
	lease = 2 * time.Minute
	// kept is how long it is known that a message was sent, and what became of it.
	kept = 7 * 24 * time.Hour

	firstDelay, lastDelay = 5 * time.Second, 15 * time.Minute
)

// take takes messages that are due, so that nobody else does for as long as a lease.
func (s *Store) take(ctx context.Context, most int) ([]parcel, error) {
	rows, err := s.db.Query(ctx, `
		update mails m set tries = tries + 1, next_at = now() + make_interval(secs => $2), updated_at = now()
		from (select id from mails where state = 'due' and next_at <= now() order by next_at limit $1 for update skip locked) d
		where m.id = d.id returning m.id, m.tries, m.sealed`, most, lease.Seconds())
	if err != nil {
		return nil, away("taking letters", err)
	}
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (p parcel, err error) {
		return p, r.Scan(&p.id, &p.tries, &p.sealed)
	})
	return all, away("taking letters", err)
}

// read opens a message. One that cannot be read never can.
func (p *parcel) read(s Sealer) error {
	text, err := s.Open(p.id, p.sealed)
	if err == nil {
		err = json.Unmarshal(text, &p.Message)
	}
	return err
}

// outcome is what came of a try.
type outcome struct {
	problem string // empty: it was taken
	final   bool   // it will never be
}

// tried writes down what came of a try, and forgets what the message said if that was the
// last one.
func (s *Store) tried(ctx context.Context, p parcel, o outcome) error {
	wait := firstDelay
	for i := 1; i < p.tries && wait < lastDelay; i++ {
		wait *= 4
	}
	wait = min(wait, lastDelay)
	_, err := s.db.Exec(ctx, `
		update mails m set state = e.state, sealed = case e.state when 'due' then sealed end, problem = $3, next_at = now() + make_interval(secs => $5), updated_at = now()
		from (select case when $3 = '' then 'sent' when $4 or give_up_at <= now() + make_interval(secs => $5) then 'failed' else 'due' end as state
			from mails where id = $1) e
		where m.id = $1 and m.state = 'due' and m.tries = $2`, p.id, p.tries, o.problem, o.final, wait.Seconds())
	return away("writing down what came of a letter", err)
}

// forget deletes what was sent, or given up, long ago.
func (s *Store) forget(ctx context.Context) error {
	_, err := s.db.Exec(ctx, `delete from mails where id in (select id from mails where state <> 'due' and updated_at < now() - make_interval(secs => $1) limit 10000)`, kept.Seconds())
	return away("forgetting old letters", err)
}

// waiting counts what is due, and for how long the oldest has been.
func (s *Store) waiting(ctx context.Context) (due int, oldest float64, err error) {
	err = s.db.QueryRow(ctx, `select count(*), coalesce(extract(epoch from now() - min(created_at)), 0)::float8 from mails where state = 'due'`).Scan(&due, &oldest)
	return due, oldest, away("counting letters", err)
}

// away makes whatever is not an error of ours one of the store's.
func away(what string, err error) error {
	if err == nil {
		return nil
	}
	if own, ok := errors.AsType[*ropeline.Error](err); ok {
		return own
	}
	return ropeline.ErrStoreAway.Because(fmt.Errorf("%s: %w", what, err))
}
