package tidings

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/wording"
)

// Attempt is what somebody wants to pay for.
type Attempt struct {
	Performance   ropeline.PerformanceID
	Hold, Session string
	Units         []int
}

// Held is how what they want stands.
type Held struct {
	Live   bool // it may be paid for, and nobody does in this moment
	Until  time.Time
	Labels []string // of its units
}

// Holds reads how holds stand.
type Holds struct {
	holds *hold.Store
	shows *catalogue.Store
}

// NewHolds returns Holds.
func NewHolds(h *hold.Store, c *catalogue.Store) *Holds { return &Holds{h, c} }

// Of is how the hold of an attempt stands.
func (h *Holds) Of(ctx context.Context, a Attempt) (Held, error) {
	p, err := h.shows.Performance(ctx, a.Performance)
	if err != nil {
		return Held{}, err
	}
	lines, _, err := p.Map.Lines(a.Units)
	if err != nil {
		return Held{}, err
	}
	var held Held
	for _, l := range lines {
		held.Labels = append(held.Labels, l.Label)
	}
	now, err := h.holds.Get(ctx, a.Performance, a.Hold, a.Session)
	if errors.Is(err, hold.ErrUnknown) {
		return held, nil
	}
	held.Live, held.Until = now.State == hold.Held, now.Expires
	return held, err
}

// tellable are the outcomes of attempts that are told by letter, with what is said of them. Of
// all others the fan has to choose anew what they want to pay for.
var tellable = map[string]string{order.ErrDeclined.Code: "declined", order.ErrFailed.Code: "failed", order.ErrUnavailable.Code: "failed"}

// payment writes to who has tried to pay, and may still do so: because it failed and their places
// are held still, or because their bank waits for them. Who has paid meanwhile, or tries
// again, and whose hold is gone, hears nothing. Whatever comes of it, the address is forgotten: an order
// has one of its own.
func (w *Writer) payment(ctx context.Context, c mail.Cause) error {
	if w.Held == nil {
		return errors.New("nobody here can read holds")
	}
	var t told
	var a Attempt
	var step, outcome, sale string
	var again bool // they have tried once more, which is told by itself
	var now time.Time
	err := w.db.QueryRow(ctx, `
		select a.performance_id, a.hold_id::text, a.session_id, a.sale_id, a.units, a.state, a.outcome, a.amount, a.currency,
			coalesce(nullif(a.email, ''), b.email, ''), coalesce(nullif(a.language, ''), b.language, ''), coalesce(a.person_id::text, b.person_id::text, ''),
			p.organization_id::text, g.name, e.title, venue_line(v.name, v.address, v.city), v.time_zone, p.starts_at, now(),
			exists (select from attempts x where x.performance_id = a.performance_id and x.hold_id = a.hold_id and x.id > a.id)
		from attempts a left join orders o on o.performance_id = a.performance_id and o.attempt_id = a.id left join buyers b on b.id = o.buyer_id
			join performances p on p.id = a.performance_id join events e on e.id = p.event_id join organizations g on g.id = p.organization_id join venues v on v.id = p.venue_id
		where a.performance_id = $1 and a.id = $2`, c.Performance, c.Attempt).
		Scan(&a.Performance, &a.Hold, &a.Session, &sale, &a.Units, &step, &outcome, &t.amount, &t.currency, &t.email, &t.language, &t.person,
			&t.organization, &t.sender, &t.event, &t.venue, &t.zone, &t.starts, &now, &again)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading what to write about: %w", err)
	}
	why := tellable[outcome]
	if step == string(order.Acting) {
		why = "acting"
	}
	var held Held
	if step == string(order.Acting) || step == string(order.Voiding) || step == string(order.Closed) {
		if held, err = w.Held(ctx, a); err != nil {
			return err
		}
	}
	if step == string(order.Acting) { // its hold is paying, and nobody else can have it
		held.Until, held.Live = order.ConfirmBy(c.Attempt)
	}
	left := held.Until.Sub(now)
	if again || !held.Live || left <= 0 || why == "" || t.email == "" {
		return w.forget(ctx, w.db, c)
	}
	t.labels = held.Labels
	return w.trouble(ctx, c, t, sale, why, held.Until, left)
}

// trouble writes that a payment has not gone through. The letter is of no use once the hold is gone.
func (w *Writer) trouble(ctx context.Context, c mail.Cause, t told, sale, why string, until time.Time, useful time.Duration) error {
	lang := w.reads(ctx, t)
	says, err := w.words.One(ctx, t.organization, wording.Payment, lang)
	if err != nil {
		return err
	}
	l, err := says.Write(wording.Values{"event": t.event, "venue": t.venue, "date": wording.Date(lang, t.starts, t.zone), "tickets": strings.Join(t.labels, "\n"),
		"total": wording.Money(lang, t.amount, t.currency), "reason": wording.Trouble(lang, why), "until": wording.Clock(lang, until, t.zone),
		"link": w.Site + "/sales/" + sale + "/shop", "organization": t.sender}, wording.Frame{Language: lang, Sender: t.sender})
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error {
		// Who is erased meanwhile takes the letter away, or it is not written (post).
		if t.person != "" {
			if tag, err := tx.Exec(ctx, `select from people where id = $1 and state <> 'erased' for share`, t.person); err != nil || tag.RowsAffected() == 0 {
				return err
			}
		}
		if _, err := w.out.Post(ctx, tx, mail.Message{To: t.email, Subject: l.Subject, Text: l.Text, HTML: l.HTML},
			mail.Slip{Person: t.person, Cause: "payment:" + c.Attempt, For: useful}); err != nil {
			return err
		}
		return w.forget(ctx, tx, c)
	})
	if err != nil {
		return fmt.Errorf("writing a letter about a payment: %w", err)
	}
	return nil
}

// execer is a pool, or a transaction.
type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// forget forgets the address that is with an attempt.
func (w *Writer) forget(ctx context.Context, db execer, c mail.Cause) error {
	_, err := db.Exec(ctx, `update attempts set email = '', language = '', person_id = null where performance_id = $1 and id = $2 and email <> '' and state in ('voiding', 'closed')`, c.Performance, c.Attempt)
	if err != nil {
		return fmt.Errorf("forgetting who paid: %w", err)
	}
	return nil
}
