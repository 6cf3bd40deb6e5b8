package tidings

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/wording"
)

// passOn writes to whom a ticket is offered, and to who gave it once it is accepted. An offer
// that nobody waits for any more is told to nobody.
func (w *Writer) passOn(ctx context.Context, c mail.Cause) error {
	kind := wording.Kind(c.What)
	var t told
	var transfer, given, giver, state, label string
	err := w.db.QueryRow(ctx, `
		select x.id::text, x.email, case when x.giver = '' then '' else coalesce(f.email, b.email) end, x.state, x.language, coalesce(f.language, b.language),
			coalesce(f.person_id::text, b.person_id::text, ''), coalesce(f.id::text, o.id::text), p.organization_id::text, g.name, e.title,
			venue_line(v.name, v.address, v.city),
			v.time_zone, p.starts_at, case when k.label = '' then r.name else k.label end
		from transfers x join orders o on o.performance_id = x.performance_id and o.id = x.order_id join buyers b on b.id = o.buyer_id
			left join transfers f on f.id = x.from_transfer join tickets k on k.performance_id = x.performance_id and k.id = x.ticket_id
			join tiers r on r.performance_id = k.performance_id and r.id = k.tier_id join performances p on p.id = x.performance_id
			join events e on e.id = p.event_id join organizations g on g.id = p.organization_id join venues v on v.id = p.venue_id
		where x.id = nullif($1, '')::uuid and x.performance_id = $2`, c.Transfer, c.Performance).
		Scan(&transfer, &t.email, &giver, &state, &t.language, &given, &t.person, &t.order, &t.organization, &t.sender, &t.event, &t.venue, &t.zone, &t.starts, &label)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("reading what to write about: %w", err)
	}
	to, person, link := t.email, "", w.Tickets(transfer)
	if kind == wording.Given {
		to, person, t.language, link = giver, t.person, given, w.link(t.order)
		if t.order != c.Order { // who had it by a transfer themselves
			link = w.Tickets(t.order)
		}
	} else if state != "offered" {
		return nil
	}
	if to == "" {
		return nil
	}
	lang := wording.Choose(t.language)
	says, err := w.words.One(ctx, t.organization, kind, lang)
	if err != nil {
		return err
	}
	l, err := says.Write(wording.Values{"event": t.event, "venue": t.venue, "date": wording.Date(lang, t.starts, t.zone), "tickets": label, "giver": giver, "holder": t.email, "link": link, "organization": t.sender},
		wording.Frame{Language: lang, Sender: t.sender})
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error {
		// Who is erased meanwhile takes the letter away, or it is not written (post).
		if person != "" {
			if tag, err := tx.Exec(ctx, `select from people where id = $1 and state <> 'erased' for share`, person); err != nil || tag.RowsAffected() == 0 {
				return err
			}
		}
		_, err := w.out.Post(ctx, tx, mail.Message{To: to, Subject: l.Subject, Text: l.Text, HTML: l.HTML},
			mail.Slip{Person: person, Cause: c.What + ":" + transfer, For: tried})
		return err
	})
	if err != nil {
		return fmt.Errorf("writing a letter about a ticket: %w", err)
	}
	return nil
}
