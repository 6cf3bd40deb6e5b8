// Package notice carries what an organizer writes to everybody who holds tickets of an
// event, or of one of its performances.
//
// Who gets a letter is written down with the message, a row for each address (Send); a
// Poster makes letters of them (package mail), some every second, and tells what became of
// each. A letter is written in the transaction that says so: whoever dies in between, an
// address has one letter for each message. As every letter it may arrive twice, if the mail
// server's answer is lost. Who has given all of their tickets back by then gets none.
//
// A message has one text for all: which language somebody reads is sealed with what is
// known of them, and most buy as guests.
package notice

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
)

const (
	// MostSubject and MostText bound a message, in characters.
	MostSubject, MostText = 150, 5000
	// MostADay is how many messages an event has in 24 hours.
	MostADay = 20
)

// Draft is a message that nobody has yet.
type Draft struct {
	Performance ropeline.PerformanceID `json:"performance,omitempty" doc:"to its holders alone; left out: to those of all performances of the event"`
	Subject     string                 `json:"subject" doc:"1 to 150 characters in one line"`
	Text        string                 `json:"text" doc:"1 to 5,000 characters, of several lines; no markup"`
}

// Notice is a message that was sent off, and how far it is.
type Notice struct {
	ID    string    `json:"id"`
	Event string    `json:"event"`
	Who   string    `json:"who"`
	At    time.Time `json:"at"`
	Draft
	Holders int `json:"holders" doc:"addresses that it goes to, when it was sent off"`
	Waiting int `json:"waiting" doc:"of which have no letter yet"`
	Posted  int `json:"posted" doc:"whose letter is on its way to the mail server"`
	Sent    int `json:"sent" doc:"whose letter it has taken"`
	Failed  int `json:"failed" doc:"whose letter it refuses, or has not taken for three days"`
	Left    int `json:"left" doc:"who held nothing any more, or whose address was erased, before there was a letter"`
}

// Failure is an address that a message does not come to.
type Failure struct {
	Email   string `json:"email,omitempty" doc:"left out if it was erased since"`
	Order   string `json:"order" doc:"one that was bought with it"`
	Problem string `json:"problem"`
	cursor  string
}

// Audience is who would get a message.
type Audience struct {
	Holders int `json:"holders" doc:"addresses: who has several orders has one letter"`
	Silent  int `json:"silent" doc:"orders without an address, from the box office or of people who were erased"`
}

// Refusals.
var (
	ErrInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "notice-invalid"}
	ErrUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "notice-unknown", Detail: "There is no such message."}
	ErrShow    = &ropeline.Error{Kind: ropeline.Invalid, Code: "notice-invalid", Detail: "This performance is none of the event's."}
	ErrNobody  = &ropeline.Error{Kind: ropeline.Conflict, Code: "holders-none", Detail: "Nobody holds a ticket with an address to write to. Nothing was sent."}
	ErrMany    = &ropeline.Error{Kind: ropeline.Conflict, Code: "notices-many", Detail: "An event has 20 messages in 24 hours. Nothing was sent."}
)

func invalid(format string, args ...any) error {
	e := *ErrInvalid
	e.Detail = fmt.Sprintf(format, args...)
	return &e
}

// normal is a draft as it is kept. A line that ends as Windows has it is one.
func (d Draft) normal() Draft {
	d.Subject, d.Text = strings.TrimSpace(d.Subject), strings.TrimSpace(strings.ReplaceAll(d.Text, "\r\n", "\n"))
	return d
}

func (d Draft) validate() error {
	if n := utf8.RuneCountInString(d.Subject); n == 0 || n > MostSubject || !booking.IsPlain(d.Subject) {
		return invalid("A subject has 1 to %d characters that can be printed, in one line.", MostSubject)
	}
	odd := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
	if n := utf8.RuneCountInString(d.Text); n == 0 || n > MostText || !utf8.ValidString(d.Text) || strings.ContainsFunc(d.Text, odd) {
		return invalid("A text has 1 to %d characters that can be printed, in lines.", MostText)
	}
	if d.Performance != "" && !booking.IsID(string(d.Performance)) {
		return ErrShow
	}
	return nil
}

// Store keeps messages in Postgres.
type Store struct{ db *pgxpool.Pool }

// New returns a Store.
func New(db *pgxpool.Pool) *Store { return &Store{db} }

// holders h are those who hold tickets of the performances of an event $1, or of the one of
// them that is $2: buyers, and those who were given one.
const holders = `performances p cross join lateral holders_of(p.id) h where p.event_id = $1 and ($2::uuid is null or p.id = $2)`

// optional is an id, or nothing.
func optional[S ~string](id S) *string {
	if id == "" {
		return nil
	}
	text := string(id)
	return &text
}

// Audience counts who would get a message of an event, or of one of its performances.
func (s *Store) Audience(ctx context.Context, event string, performance ropeline.PerformanceID) (a Audience, err error) {
	if err := s.isOf(ctx, event, performance); err != nil {
		return a, err
	}
	err = s.db.QueryRow(ctx, `select count(distinct lower(h.email)) filter (where h.email <> ''), count(*) filter (where h.email = '') from `+holders, event, optional(performance)).Scan(&a.Holders, &a.Silent)
	return a, away("counting the holders of", event, err)
}

// isOf refuses a performance that is none of an event's.
func (s *Store) isOf(ctx context.Context, event string, performance ropeline.PerformanceID) error {
	if performance == "" {
		return nil
	}
	if !booking.IsID(string(performance)) {
		return ErrShow
	}
	var is bool
	err := s.db.QueryRow(ctx, `select exists (select from performances where id = $1 and event_id = $2)`, performance, event).Scan(&is)
	if err == nil && !is {
		return ErrShow
	}
	return away("looking whose performance it is", string(performance), err)
}

// Send sends a message off to whoever holds a ticket now: their addresses are written down
// with it. The same request with the same key sends one.
func (s *Store) Send(ctx context.Context, event string, d Draft, by audit.Change) (Notice, error) {
	d = d.normal()
	if err := errors.Join(d.validate(), by.Validate(false)); err != nil {
		return Notice{}, first(err)
	}
	if err := s.isOf(ctx, event, d.Performance); err != nil {
		return Notice{}, err
	}
	id, err := booking.NewID()
	if err != nil {
		return Notice{}, err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		before, found, err := by.Note(ctx, tx, audit.Edit{What: audit.OfNotice, Subject: event, Name: id}, event, string(d.Performance), d.Subject, d.Text)
		if err != nil {
			return err
		}
		if found {
			id = before.Name
			return audit.ErrBefore
		}
		tag, err := tx.Exec(ctx, `insert into notices (id, event_id, performance_id, subject, body, who) select $3, $1, $2, $4, $5, $6
			where (select count(*) from notices where event_id = $1 and created_at > now() - interval '24 hours') < $7`, event, optional(d.Performance), id, d.Subject, d.Text, by.Who, MostADay)
		if err == nil && tag.RowsAffected() == 0 {
			return ErrMany
		}
		if err != nil {
			return err
		}
		tag, err = tx.Exec(ctx, `insert into notice_recipients (notice_id, buyer_id, buyers)
			select $3, (array_agg(h.id order by h.id))[1], array_agg(distinct h.id) from `+holders+` and h.email <> '' group by lower(h.email)`, event, optional(d.Performance), id)
		if err == nil && tag.RowsAffected() == 0 {
			return ErrNobody
		}
		return err
	})
	if err != nil && !errors.Is(err, audit.ErrBefore) {
		return Notice{}, away("sending a message to the holders of", event, err)
	}
	return s.One(ctx, event, id)
}

const columns = `n.id, n.event_id, n.who, n.created_at, coalesce(n.performance_id::text, ''), n.subject, n.body, c.holders, c.due, c.posted, c.sent, c.failed, c."left"
	from notices n cross join lateral (select count(*) holders, count(*) filter (where state = 'due') due, count(*) filter (where state = 'posted') posted,
		count(*) filter (where state = 'sent') sent, count(*) filter (where state = 'failed') failed, count(*) filter (where state = 'left') "left"
		from notice_recipients r where r.notice_id = n.id) c`

func scan(r pgx.CollectableRow) (n Notice, err error) {
	err = r.Scan(&n.ID, &n.Event, &n.Who, &n.At, &n.Performance, &n.Subject, &n.Text, &n.Holders, &n.Waiting, &n.Posted, &n.Sent, &n.Failed, &n.Left)
	n.At = n.At.UTC()
	return n, err
}

// One reads a message of an event.
func (s *Store) One(ctx context.Context, event, id string) (Notice, error) {
	if !booking.IsID(event) || !booking.IsID(id) {
		return Notice{}, ErrUnknown
	}
	rows, err := s.db.Query(ctx, `select `+columns+` where n.event_id = $1 and n.id = $2`, event, id)
	if err != nil {
		return Notice{}, away("reading message", id, err)
	}
	n, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrUnknown
	}
	return n, away("reading message", id, err)
}

// List lists the messages of an event, the newest first.
func (s *Store) List(ctx context.Context, event string, p booking.Page) (page []Notice, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := p.After()
	if err != nil || !booking.IsID(event) {
		return []Notice{}, "", err
	}
	rows, err := s.db.Query(ctx, `select `+columns+` where n.event_id = $1 and ($2::uuid is null or n.id < $2) order by n.id desc limit $3`, event, after, size+1)
	if err != nil {
		return nil, "", away("listing the messages of", event, err)
	}
	all, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, "", away("listing the messages of", event, err)
	}
	page, next = booking.Cut(all, size, func(n Notice) string { return n.ID })
	return page, next, nil
}

// Failures lists the addresses that a message does not come to.
func (s *Store) Failures(ctx context.Context, event, id string, p booking.Page) (page []Failure, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := p.After()
	if err != nil {
		return nil, "", err
	}
	if _, err := s.One(ctx, event, id); err != nil {
		return nil, "", err
	}
	rows, err := s.db.Query(ctx, `
		select o.email, o.id, r.problem, r.buyer_id from notice_recipients r cross join lateral (
			select o.id::text, b.email from buyers b join orders o on o.buyer_id = b.id where b.id = r.buyer_id and o.performance_id in (select p.id from performances p where p.event_id = $1)
			union all select x.order_id::text, x.email from transfers x where x.id = r.buyer_id
			order by 1 limit 1) o
		where r.notice_id = $2 and r.state = 'failed' and ($3::uuid is null or r.buyer_id > $3) order by r.buyer_id limit $4`, event, id, after, size+1)
	if err != nil {
		return nil, "", away("listing who did not get message", id, err)
	}
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (f Failure, err error) {
		return f, r.Scan(&f.Email, &f.Order, &f.Problem, &f.cursor)
	})
	if err != nil {
		return nil, "", away("listing who did not get message", id, err)
	}
	page, next = booking.Cut(all, size, func(f Failure) string { return f.cursor })
	return page, next, nil
}

// first is the first of errors that are joined: people are told one at a time.
func first(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) > 0 {
		return joined.Unwrap()[0]
	}
	return err
}

// away makes whatever is not an error of ours one of the store's.
func away(what, of string, err error) error {
	if err == nil {
		return nil
	}
	if own, ok := errors.AsType[*ropeline.Error](err); ok {
		return own
	}
	return ropeline.ErrStoreAway.Because(fmt.Errorf("%s %s: %w", what, of, err))
}
