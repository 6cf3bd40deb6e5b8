// Package tidings writes the letters about orders: that one is paid, that tickets of one were
// canceled, that money of one went back, and that what it is for was changed, postponed or
// canceled; and about what people say of events.
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
	"github.com/ropeline/ropeline/booking/wish"
	"github.com/ropeline/ropeline/booking/wording"
)

// Writer writes letters. It is a mail.Writer.
type Writer struct {
	db    *pgxpool.Pool
	out   *mail.Store
	words *wording.Store
	link  func(order string) string // the page of an order, with what opens it

	Tickets func(transfer string) string // the page of a ticket that somebody has given, with what opens it
	// Account is the address of an account and what it reads, as BCP 47; empty: they have not
	// said. It is set before letters are written; nil: nobody here can read accounts.
	Account func(ctx context.Context, person string) (email, language string, err error)
	// Wishes are those of who has no account. Set before letters are written; nil: they are told nothing.
	Wishes *wish.Store
	// Site is where our pages are.
	Site string
	// Held says how a hold stands; nil: nobody here can tell.
	Held func(ctx context.Context, a Attempt) (Held, error)
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
	transfer                                 string     // by which who is written to holds a ticket; empty: they bought
	state                                    string     // of the performance
	wasStart                                 *time.Time // before a change
	wasPlace                                 string
	doors                                    *time.Time
	day                                      string  // of the performance, where it is
	left                                     float64 // seconds until it starts
	amount                                   int64
	currency, reason                         string
	labels                                   []string
}

// Write writes the letter of a cause.
func (w *Writer) Write(ctx context.Context, c mail.Cause) error {
	switch c.What {
	case "confirmation", "cancellation", "refund", "refund-failed", "dispute", "reminder":
	case "payment":
		return w.payment(ctx, c)
	case "opening":
		return w.opening(ctx, c)
	case "change":
		if c.Order == "" {
			return w.spread(ctx, c)
		}
	case "transfer", "given":
		return w.passOn(ctx, c)
	case "post":
		return w.decided(ctx, c)
	default:
		return fmt.Errorf("nobody knows a letter about %q", c.What)
	}
	t, found, err := w.look(ctx, c)
	if err != nil || !found || t.email == "" || c.Day != "" && !t.stands(c.Day) {
		return err
	}
	lang, kind := w.reads(ctx, t), t.kind(c)
	says, err := w.words.One(ctx, t.organization, kind, lang)
	if err != nil {
		return err
	}
	frame, doors, link := wording.Frame{Language: lang, Sender: t.sender}, "", w.link(t.order)
	if t.transfer != "" {
		link = w.Tickets(t.transfer)
	}
	switch { // where it is said when a reminder comes, or that there is to be none
	case kind == wording.Reminder && t.transfer == "":
		frame.Unsubscribe = strings.Replace(link, "#", "?reminder#", 1)
	case kind == wording.Reminder && t.person != "":
		frame.Unsubscribe = w.Site + "/account/profile"
	}
	if t.doors != nil {
		doors = wording.Doors(lang, *t.doors, t.zone)
	}
	money := wording.Money(lang, t.amount, t.currency)
	l, err := says.Write(wording.Values{"event": t.event, "venue": t.venue, "date": wording.Date(lang, t.starts, t.zone), "doors": doors, "before": t.was(lang), "tickets": strings.Join(t.labels, "\n"),
		"total": money, "amount": money, "order": t.order, "reason": t.reason, "link": link, "organization": t.sender}, frame)
	if err != nil {
		return err
	}
	m := mail.Message{Subject: l.Subject, Text: l.Text, HTML: l.HTML}
	if kind == wording.Confirmation {
		m.Encloses = t.order
	}
	return w.post(ctx, c, t, m)
}

// reads is the language in which somebody reads a letter: that of their account, or else of the
// browser that they bought with. Which one is not worth to lose a letter for.
func (w *Writer) reads(ctx context.Context, t told) string {
	if t.person == "" || w.Account == nil {
		return wording.Choose(t.language)
	}
	if _, own, err := w.Account(ctx, t.person); err == nil && own != "" {
		return wording.Choose(own)
	}
	return wording.Choose(t.language)
}

// stands reports whether it is to be on a day still, and somebody holds tickets of it.
func (t told) stands(day string) bool {
	return t.state == "scheduled" && t.day == day && t.left > 0 && len(t.labels) > 0
}

// look reads what a letter is about: of a cancellation its own tickets, else those that whoever
// is written to holds, the buyer or who has one by a transfer.
func (w *Writer) look(ctx context.Context, c mail.Cause) (t told, found bool, err error) {
	err = w.db.QueryRow(ctx, `
		select o.id::text, b.id::text, coalesce(f.id::text, ''), coalesce(case when f.id is null then b.person_id else f.person_id end::text, ''), coalesce(f.email, b.email), coalesce(f.language, b.language), p.organization_id::text, g.name, e.title,
			venue_line(v.name, v.address, v.city), v.time_zone, p.starts_at, p.state, h.starts_at, coalesce(h.place, ''),
			p.doors_at, guide_date(p.starts_at, v.time_zone)::text, extract(epoch from p.starts_at - now())::float8,
			coalesce(d.amount, x.amount, o.amount), o.currency, coalesce(x.reason, ''),
			array(select k.label from tickets k where k.performance_id = o.performance_id and k.order_id = o.id
				and case when x.id is null then k.state in ('valid', 'blocked') and k.holder is not distinct from f.id else k.unit = any(x.units) end order by k.unit)
		from orders o join buyers b on b.id = o.buyer_id join performances p on p.id = o.performance_id join events e on e.id = p.event_id
			join organizations g on g.id = p.organization_id join venues v on v.id = p.venue_id
			left join cancellations x on x.performance_id = o.performance_id and x.order_id = o.id and x.id = nullif($3, '')::uuid
			left join transfers f on f.performance_id = o.performance_id and f.order_id = o.id and f.id = nullif($6, '')::uuid
			left join order_disputes d on d.id = nullif($5, '')::uuid
			left join performance_changes h on h.performance_id = p.id and h.id = nullif($4, '')::uuid
		where o.performance_id = $1 and o.id = $2`, c.Performance, c.Order, c.Cancellation, c.Change, c.Dispute, c.Transfer).
		Scan(&t.order, &t.buyer, &t.transfer, &t.person, &t.email, &t.language, &t.organization, &t.sender, &t.event, &t.venue, &t.zone, &t.starts, &t.state, &t.wasStart, &t.wasPlace, &t.doors, &t.day, &t.left, &t.amount, &t.currency, &t.reason, &t.labels)
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
	useful := tried
	if c.Day != "" {
		useful = min(tried, time.Duration(t.left*float64(time.Second)))
	}
	err := pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error {
		table, id := "buyers", t.buyer
		if t.transfer != "" {
			table, id = "transfers", t.transfer
		}
		_, err := tx.Exec(ctx, `select from people where id = (select person_id from `+table+` where id = $1) for share`, id)
		if err != nil {
			return err
		}
		var person string
		if err := tx.QueryRow(ctx, `select email, coalesce(person_id::text, '') from `+table+` where id = $1`, id).Scan(&m.To, &person); err != nil || m.To == "" {
			return err
		}
		if c.Day != "" { // nobody waits for a reminder: an address that refuses letters has none
			if refusing, err := w.out.Refusing(ctx, tx, []string{m.To}); err != nil || refusing[m.To] {
				return err
			}
		}
		_, err = w.out.Post(ctx, tx, m, mail.Slip{Person: person, Cause: c.What + ":" + c.Order + ":" + c.Cancellation + c.Change + c.Dispute + c.Day + c.Transfer, For: useful, Bulk: c.Change+c.Day != ""})
		return err
	})
	if err != nil {
		return fmt.Errorf("writing a letter about an order: %w", err)
	}
	return nil
}
