package newsletter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/wording"
)

// MostADay is how many newsletters an organization sends in 24 hours.
const MostADay = 5

// Draft is a newsletter that nobody has yet.
type Draft struct {
	Subject string `json:"subject" doc:"1 to 150 characters in one line"`
	Text    string `json:"text" doc:"1 to 5,000 characters, of several lines; no markup"`
}

// Newsletter is one that was sent off, and how far it is.
type Newsletter struct {
	ID  string    `json:"id"`
	Who string    `json:"who"`
	At  time.Time `json:"at"`
	Draft
	Readers int `json:"readers" doc:"who had consented when it was sent off"`
	Waiting int `json:"waiting" doc:"of whom have no letter yet"`
	Posted  int `json:"posted" doc:"whose letter is on its way to the mail server"`
	Sent    int `json:"sent" doc:"whose letter it has taken"`
	Failed  int `json:"failed" doc:"whose letter it refuses, or has not taken for three days"`
	Left    int `json:"left" doc:"who had withdrawn their consent by then, was erased, or whose address refuses letters"`
}

// Refusals of a newsletter.
var (
	ErrInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "newsletter-invalid"}
	ErrNobody  = &ropeline.Error{Kind: ropeline.Conflict, Code: "readers-none", Detail: "Nobody has asked for your newsletter yet. Nothing was sent."}
	ErrMany    = &ropeline.Error{Kind: ropeline.Conflict, Code: "newsletters-many", Detail: "An organization sends 5 newsletters in 24 hours. Nothing was sent."}
)

func invalid(pointer, format string, args ...any) error {
	e := *ErrInvalid
	e.Detail = fmt.Sprintf(format, args...)
	e.Faults = []ropeline.Fault{{Detail: e.Detail, Pointer: pointer}}
	return &e
}

// normal is a draft as it is kept. A line that ends as Windows has it is one.
func (d Draft) normal() (Draft, error) {
	d.Subject, d.Text = strings.TrimSpace(d.Subject), strings.TrimSpace(strings.ReplaceAll(d.Text, "\r\n", "\n"))
	if n := utf8.RuneCountInString(d.Subject); n == 0 || n > wording.MostSubject || !booking.IsPlain(d.Subject) {
		return d, invalid("/subject", "A subject has 1 to %d characters that can be printed, in one line.", wording.MostSubject)
	}
	odd := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
	if n := utf8.RuneCountInString(d.Text); n == 0 || n > wording.MostText || !utf8.ValidString(d.Text) || strings.ContainsFunc(d.Text, odd) {
		return d, invalid("/text", "A text has 1 to %d characters that can be printed, in lines.", wording.MostText)
	}
	return d, nil
}

// frame stands around a newsletter.
func frame(lang, sender, leave string) wording.Frame {
	return wording.Frame{Language: lang, Sender: sender + ".", Reason: wording.Asked(lang), Unsubscribe: leave}
}

// Preview is a newsletter as it would arrive, and how many would get it.
func (s *Store) Preview(ctx context.Context, organization string, d Draft) (l wording.Letter, readers int, err error) {
	if d, err = d.normal(); err != nil {
		return l, 0, err
	}
	var name string
	err = s.db.QueryRow(ctx, `select g.name, (select count(*) from newsletter_consents c where c.organization_id = g.id and c.state = 'given') from organizations g where g.id = $1`, organization).Scan(&name, &readers)
	if err != nil {
		return l, 0, away("counting readers", err)
	}
	l, err = wording.Plain(d.Subject, d.Text, frame("en", name, "https://tickets.example.org/leave"))
	return l, readers, err
}

// Send sends a newsletter off to who has consented now. The same request with the same key
// sends one.
func (s *Store) Send(ctx context.Context, organization string, d Draft, by audit.Change) (n Newsletter, err error) {
	if d, err = d.normal(); err != nil {
		return n, err
	}
	if err := by.Validate(false); err != nil {
		return n, err
	}
	id, err := booking.NewID()
	if err != nil {
		return n, err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		// Of two at once one waits for the other, and is counted.
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext('newsletter'), hashtext($1))`, organization); err != nil {
			return err
		}
		before, found, err := by.Note(ctx, tx, audit.Edit{What: audit.OfNewsletter, Subject: organization, Name: id}, organization, d.Subject, d.Text)
		if err != nil {
			return err
		}
		if found {
			id = before.Name
			return audit.ErrBefore
		}
		tag, err := tx.Exec(ctx, `insert into newsletters (id, organization_id, subject, body, who) select $2, $1, $3, $4, $5
			where (select count(*) from newsletters where organization_id = $1 and created_at > now() - interval '24 hours') < $6`, organization, id, d.Subject, d.Text, by.Who, MostADay)
		if err == nil && tag.RowsAffected() == 0 {
			return ErrMany
		}
		if err != nil {
			return err
		}
		tag, err = tx.Exec(ctx, `insert into newsletter_recipients (newsletter_id, consent_id) select $2, id from newsletter_consents where organization_id = $1 and state = 'given'`, organization, id)
		if err == nil && tag.RowsAffected() == 0 {
			return ErrNobody
		}
		return err
	})
	if err != nil && !errors.Is(err, audit.ErrBefore) {
		return n, away("sending a newsletter", err)
	}
	return s.One(ctx, organization, id)
}

const columns = `n.id, n.who, n.created_at, n.subject, n.body, c.readers, c.due, c.posted, c.sent, c.failed, c."left"
	from newsletters n cross join lateral (select count(*) readers, count(*) filter (where state = 'due') due, count(*) filter (where state = 'posted') posted,
		count(*) filter (where state = 'sent') sent, count(*) filter (where state = 'failed') failed, count(*) filter (where state = 'left') "left"
		from newsletter_recipients r where r.newsletter_id = n.id) c`

func scan(r pgx.CollectableRow) (n Newsletter, err error) {
	err = r.Scan(&n.ID, &n.Who, &n.At, &n.Subject, &n.Text, &n.Readers, &n.Waiting, &n.Posted, &n.Sent, &n.Failed, &n.Left)
	n.At = n.At.UTC()
	return n, err
}

// One reads a newsletter of an organization.
func (s *Store) One(ctx context.Context, organization, id string) (n Newsletter, err error) {
	rows, err := s.db.Query(ctx, `select `+columns+` where n.organization_id = $1 and n.id = $2`, organization, id)
	if err != nil {
		return n, away("reading a newsletter", err)
	}
	n, err = pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrUnknown
	}
	return n, away("reading a newsletter", err)
}

// List lists the newsletters of an organization, the newest first.
func (s *Store) List(ctx context.Context, organization string, p booking.Page) (page []Newsletter, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := p.After()
	if err != nil {
		return nil, "", err
	}
	rows, err := s.db.Query(ctx, `select `+columns+` where n.organization_id = $1 and ($2::uuid is null or n.id < $2) order by n.id desc limit $3`, organization, after, size+1)
	if err != nil {
		return nil, "", away("listing newsletters", err)
	}
	all, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, "", away("listing newsletters", err)
	}
	page, next = booking.Cut(all, size, func(n Newsletter) string { return n.ID })
	return page, next, nil
}
