// Package tidings writes the letters about orders: that one is paid, that tickets of one were
// canceled, that money of one went back, and that what it is for was changed, postponed or
// canceled.
//
// What happens to an order has a job written, by a trigger, in the transaction in which it
// happens (migration 58): none is forgotten, and there is none of what was rolled back. From
// the job a letter is written, one of each cause however often that is done, and sent (package
// mail). It says what is so when it is written; who has given no address, or was erased, has
// none.
package tidings

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/wording"
)

// Writer writes letters. It is a mail.Writer.
type Writer struct {
	db    *pgxpool.Pool
	out   *mail.Store
	words *wording.Store
	link  func(order string) string // the page of an order, with what opens it

	Tickets func(transfer string) string // the page of a ticket that somebody has given, with what opens it
}

// New returns a Writer whose letters lead to pages of orders.
func New(db *pgxpool.Pool, out *mail.Store, link func(order string) string) *Writer {
	return &Writer{db: db, out: out, words: wording.New(db), link: link}
}

// tried is for how long the mail server may take to take a letter.
const tried = 3 * 24 * time.Hour

// told is what a letter is about.
type told struct {
	order, buyer, person, email, language string

	organization, sender, event, venue, zone string
	starts                                   time.Time
	state                                    string     // of the performance
	wasStart                                 *time.Time // before a change
	wasPlace                                 string
	amount                                   int64
	currency, reason                         string
	labels                                   []string
}

// Write writes the letter of a cause.
func (w *Writer) Write(ctx context.Context, c mail.Cause) error {
	switch c.What {
	case "confirmation", "cancellation", "refund":
	case "change":
		if c.Order == "" {
			return w.spread(ctx, c)
		}
	case "transfer", "given":
		return w.passOn(ctx, c)
	default:
		return fmt.Errorf("nobody knows a letter about %q", c.What)
	}
	t, found, err := w.look(ctx, c)
	if err != nil || !found || t.email == "" {
		return err
	}
	lang, kind := wording.Choose(t.language), t.kind(c)
	says, err := w.words.One(ctx, t.organization, kind, lang)
	if err != nil {
		return err
	}
	money := wording.Money(lang, t.amount, t.currency)
	l, err := says.Write(wording.Values{"event": t.event, "venue": t.venue, "date": wording.Date(lang, t.starts, t.zone), "before": t.was(lang), "tickets": strings.Join(t.labels, "\n"),
		"total": money, "amount": money, "order": t.order, "reason": t.reason, "link": w.link(t.order), "organization": t.sender}, wording.Frame{Language: lang, Sender: t.sender})
	if err != nil {
		return err
	}
	m := mail.Message{Subject: l.Subject, Text: l.Text, HTML: l.HTML}
	if kind == wording.Confirmation {
		m.Encloses = t.order
	}
	return w.post(ctx, c, t, m)
}

// look reads what a letter is about: of a cancellation its own tickets, else those that are
// the buyer's.
func (w *Writer) look(ctx context.Context, c mail.Cause) (t told, found bool, err error) {
	err = w.db.QueryRow(ctx, `
		select o.id::text, b.id::text, coalesce(b.person_id::text, ''), b.email, b.language, p.organization_id::text, g.name, e.title,
			venue_line(v.name, v.address, v.city), v.time_zone, p.starts_at, p.state, h.starts_at, coalesce(h.place, ''),
			coalesce(x.amount, o.amount), o.currency, coalesce(x.reason, ''),
			array(select k.label from tickets k where k.performance_id = o.performance_id and k.order_id = o.id
				and case when x.id is null then k.state in ('valid', 'blocked') else k.unit = any(x.units) end order by k.unit)
		from orders o join buyers b on b.id = o.buyer_id join performances p on p.id = o.performance_id join events e on e.id = p.event_id
			join organizations g on g.id = p.organization_id join venues v on v.id = p.venue_id
			left join cancellations x on x.performance_id = o.performance_id and x.order_id = o.id and x.id = nullif($3, '')::uuid
			left join performance_changes h on h.performance_id = p.id and h.id = nullif($4, '')::uuid
		where o.performance_id = $1 and o.id = $2`, c.Performance, c.Order, c.Cancellation, c.Change).
		Scan(&t.order, &t.buyer, &t.person, &t.email, &t.language, &t.organization, &t.sender, &t.event, &t.venue, &t.zone, &t.starts, &t.state, &t.wasStart, &t.wasPlace, &t.amount, &t.currency, &t.reason, &t.labels)
	if errors.Is(err, pgx.ErrNoRows) {
		return t, false, nil
	}
	if err != nil {
		return t, false, fmt.Errorf("reading what to write about: %w", err)
	}
	return t, true, nil
}

// post has it sent. Whoever has an account is not erased meanwhile: erasing takes their
// letters away, those that are written first.
func (w *Writer) post(ctx context.Context, c mail.Cause, t told, m mail.Message) error {
	err := pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `select from people where id = (select person_id from buyers where id = $1) for share`, t.buyer)
		if err != nil {
			return err
		}
		var person string
		if err := tx.QueryRow(ctx, `select email, coalesce(person_id::text, '') from buyers where id = $1`, t.buyer).Scan(&m.To, &person); err != nil || m.To == "" {
			return err
		}
		_, err = w.out.Post(ctx, tx, m, mail.Slip{Person: person, Cause: c.What + ":" + c.Order + ":" + c.Cancellation + c.Change, For: tried, Bulk: c.Change != ""})
		return err
	})
	if err != nil {
		return fmt.Errorf("writing a letter about an order: %w", err)
	}
	return nil
}
