// Package mail sends letters over SMTP.
//
// A letter is written down in the transaction of what it tells of (Post), sealed, so that
// none is lost and none is sent of what was rolled back. With it goes a job (river), that
// names it; a Sender hands it over and tries again until it is taken, refused for good, or of
// no use any more. It may be sent twice: if the sender dies after the mail server has taken
// it. Both have one Message-ID.
//
// River wakes the senders, shares letters among them and keeps what somebody waits for apart
// from what goes to many. Whether a letter may be tried is for the letter's own row to say, by
// Postgres's clock (claim): river finds what the dead have left by the clock of a worker.
package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// Message is a letter.
type Message struct {
	To          string `json:"to"`
	Subject     string `json:"subject"`
	Text        string `json:"text"`
	Phone       string `json:"phone,omitempty"`       // a number: it is a text message, and has no To
	HTML        string `json:"html,omitempty"`        // that says the same; empty: the text is all
	Unsubscribe string `json:"unsubscribe,omitempty"` // where one POST ends letters of its kind (RFC 8058); empty: it is no promotion
	Encloses    string `json:"encloses,omitempty"`    // of what files go with it, as an Encloser knows it; empty: none do
}

// Enclosure is a file that goes with a letter.
type Enclosure struct {
	Name, Type string
	Content    []byte
}

// Encloser makes what goes with letters, at the moment at which one is sent: files are never
// kept. What cannot be made may be by the next try; the letter does not wait for it forever.
type Encloser interface {
	Enclose(ctx context.Context, of string) ([]Enclosure, error)
}

// Slip goes with a letter that is posted.
type Slip struct {
	Person string        // whom it is about, who may be erased with it; empty: nobody who has an account
	Cause  string        // what it tells of, and whom: of one cause one letter is sent; empty: this one is
	For    time.Duration // until it is given up
	Brief  bool          // nothing of it is kept once it was sent or given up
	Bulk   bool          // it goes to many, and leaves when nobody waits for another
}

// Sealer keeps messages, by their ids, from whoever has the database alone.
type Sealer interface {
	Seal(id string, text []byte) ([]byte, error)
	Open(id string, sealed []byte) ([]byte, error)
}

// Store keeps what is to be sent in Postgres.
type Store struct {
	db   *pgxpool.Pool
	seal Sealer
	jobs *river.Client[pgx.Tx] // that writes jobs, and does none
}

// The queues of jobs.
const (
	letters = "letters" // somebody waits for each
	bulk    = "bulk"
	texts   = "texts" // to phones, by whom nobody else is held up
)

// letter is what a job says.
type letter struct {
	ID string `json:"letter"`
}

// Kind names the jobs.
func (letter) Kind() string { return "letter" }

// Cause is what a letter is to be written of. Its job is written by the database, in the
// transaction in which it happened.
type Cause struct {
	What         string `json:"what"`
	Performance  string `json:"performance"`
	Order        string `json:"order"`
	Cancellation string `json:"cancellation,omitempty"`
	Change       string `json:"change,omitempty"`   // of a performance; without an order: whoever holds tickets of it is to be told
	Transfer     string `json:"transfer,omitempty"` // of a ticket
	Attempt      string `json:"attempt,omitempty"`  // to pay, that has not gone through or waits for its buyer
	Dispute      string `json:"dispute,omitempty"`  // of a payment
	Day          string `json:"day,omitempty"`      // of which somebody is reminded, as 2030-05-01
	Sale         string `json:"sale,omitempty"`     // that opens
	Person       string `json:"person,omitempty"`   // who is told that
	Wish         string `json:"wish,omitempty"`     // or of whom without an account
	Post         string `json:"post,omitempty"`     // of what somebody has said of an event; Change says what became of it
}

// Kind names the jobs.
func (Cause) Kind() string { return "cause" }

// Writer writes letters: of one cause one, however often it is asked. Of one that many are to
// be told of it has a cause written for each.
type Writer interface {
	Write(ctx context.Context, c Cause) error
}

// enough is how often river may find a letter with a dead sender, or Postgres away, before
// the sweep has it fail in its time. A try of ours counts for none.
const enough = 1000

// New returns a Store over a pool.
func New(db *pgxpool.Pool, s Sealer) *Store {
	// Senders are woken for every transaction: river would wake them ten times a second at most,
	// and a letter that commits after the last of these would wait until somebody looks.
	jobs, err := river.NewClient(riverpgxv5.New(db), &river.Config{FetchCooldown: river.FetchCooldownMin, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err) // of a configuration that is ours, and always the same
	}
	return &Store{db, s, jobs}
}

// Post writes a message down, to be sent once tx is committed. Its id is returned, by which
// it is known for a week after it was sent or given up; none, if there is one of its cause.
func (s *Store) Post(ctx context.Context, tx pgx.Tx, m Message, slip Slip) (id string, err error) {
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
	by, err := s.waysOf(ctx, tx, slip)
	if err != nil {
		return "", err
	}
	state := "due"
	if !by.mail { // there is a row all the same, by which its cause is known
		state, sealed = "sent", nil
	}
	tag, err := tx.Exec(ctx, `insert into mails (id, person_id, cause, sealed, give_up_at, state, brief) values ($1, nullif($2, '')::uuid, nullif($3, ''), $4, now() + $5, $6, $7)
		on conflict (cause) do nothing`, id, slip.Person, slip.Cause, sealed, slip.For, state, slip.Brief)
	if err != nil || tag.RowsAffected() == 0 {
		return "", err
	}
	if by.phone != "" {
		if err := s.text(ctx, tx, by.phone, m, slip); err != nil {
			return "", err
		}
	}
	if err := s.keep(ctx, tx, id, m, slip); err != nil {
		return "", err
	}
	if !by.mail {
		return id, nil
	}
	queue := letters
	if slip.Bulk {
		queue = bulk
	}
	if _, err := s.jobs.InsertTx(ctx, tx, letter{id}, &river.InsertOpts{Queue: queue, MaxAttempts: enough}); err != nil {
		return "", fmt.Errorf("having a letter sent: %w", err)
	}
	return id, nil
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
	lease = patience + time.Minute
	// kept is how long it is known that a message was sent, and what became of it.
	kept = 7 * 24 * time.Hour

	firstDelay, lastDelay = 5 * time.Second, 15 * time.Minute
)

// claimed is what came of the wish to try a message.
type claimed struct {
	parcel
	ok   bool          // it was taken, and nobody else takes it for as long as a lease
	wait time.Duration // else in how long it may be, if ever
}

// claim takes messages that are due.
func (s *Store) claim(ctx context.Context, ids []string) (map[string]claimed, error) {
	all := map[string]claimed{}
	rows, err := s.db.Query(ctx, `
		update mails m set tries = tries + 1, next_at = now() + $2, updated_at = now()
		from (select id from mails where id = any($1::uuid[]) and state = 'due' and next_at <= now() for update skip locked) d
		where m.id = d.id returning m.id::text, m.tries, m.sealed`, ids, lease)
	if err != nil {
		return nil, away("taking letters", err)
	}
	var c claimed
	_, err = pgx.ForEachRow(rows, []any{&c.id, &c.tries, &c.sealed}, func() error {
		c.ok, all[c.id] = true, claimed{parcel: parcel{id: c.id, tries: c.tries, sealed: c.sealed}, ok: true}
		c.sealed = nil
		return nil
	})
	if err != nil || len(all) == len(ids) {
		return all, away("taking letters", err)
	}
	// The others are tried by somebody, are not due yet, or are gone: sent, given up, or with whom they were about.
	rows, err = s.db.Query(ctx, `select id::text, next_at - now() from mails where id = any($1::uuid[]) and state = 'due'`, ids)
	if err != nil {
		return nil, away("taking letters", err)
	}
	var id string
	var wait time.Duration
	_, err = pgx.ForEachRow(rows, []any{&id, &wait}, func() error {
		if _, ours := all[id]; !ours {
			all[id] = claimed{wait: max(wait, time.Millisecond)}
		}
		return nil
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
	problem string        // empty: it was taken
	final   bool          // it will never be
	after   time.Duration // not before, as it was said
}

// attempt is a try, with what came of it.
type attempt struct {
	parcel
	outcome
}

// delay is in how long a message is tried again.
func (a attempt) delay() time.Duration {
	wait := firstDelay
	for i := 1; i < a.tries && wait < lastDelay; i++ {
		wait *= 4
	}
	return min(max(wait, a.after), lastDelay)
}

// tried writes down what came of tries. What the message said is forgotten once it is sent.
// The rows are locked in one order, whoever else does.
func (s *Store) tried(ctx context.Context, all []attempt) error {
	of := func(read func(attempt) string) (values []string) {
		for _, a := range all {
			values = append(values, read(a))
		}
		return values
	}
	_, err := s.db.Exec(ctx, `
		with t as (
			select m.id, m.brief, m.give_up_at, u.problem, u.wait::interval, u.final::boolean
			from unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::text[]) u (id, tries, problem, final, wait)
			join mails m on m.id = u.id and m.state = 'due' and m.tries = u.tries order by m.id for update of m
		), e as (
			select *, case when problem = '' then 'sent' when final or give_up_at <= now() + wait then 'failed' else 'due' end as state from t
		)
		update mails m set state = e.state, sealed = case when e.state = 'sent' or e.state = 'failed' and e.brief then null else sealed end, problem = e.problem, next_at = now() + e.wait, updated_at = now()
		from e where m.id = e.id`,
		of(func(a attempt) string { return a.id }), of(func(a attempt) string { return fmt.Sprint(a.tries) }), of(func(a attempt) string { return a.problem }),
		of(func(a attempt) string { return fmt.Sprint(a.final) }), of(func(a attempt) string { return fmt.Sprint(int(a.delay().Seconds()), " seconds") }))
	return away("writing down what came of letters", err)
}

// sweep deletes what was sent, or given up, long ago, and gives up what is of no use any
// more, which nobody tries: its job was given up.
func (s *Store) sweep(ctx context.Context) error {
	_, err := s.db.Exec(ctx, `delete from mails where id in (select id from mails where state <> 'due' and updated_at < now() - $1::interval limit 10000)`, kept)
	if err != nil {
		return away("forgetting old letters", err)
	}
	_, err = s.db.Exec(ctx, `delete from inbox where id in (select id from inbox where created_at < now() - $1::interval limit 10000)`, inboxKept)
	if err != nil {
		return away("forgetting old messages", err)
	}
	if err := s.sweepMarks(ctx); err != nil {
		return err
	}
	if _, err := s.db.Exec(ctx, `delete from code_counts where since <= now() - interval '1 day'`); err != nil {
		return away("forgetting how many codes were sent", err)
	}
	_, err = s.db.Exec(ctx, `update mails set state = 'failed', sealed = case when brief then null else sealed end, problem = 'it was not sent in time', updated_at = now() where state = 'due' and give_up_at < now() - $1::interval`, lastDelay+lease)
	return away("giving up old letters", err)
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
