package tidings

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/wording"
)

// kind is what a letter of a cause is about. Of a change it is how things stand when it is
// written: whoever postpones and cancels within minutes tells the latter twice, and nothing
// that is not so.
func (t told) kind(c mail.Cause) wording.Kind {
	switch {
	case c.What != "change":
		return wording.Kind(c.What)
	case t.state == "canceled":
		return wording.CalledOff
	case t.state == "postponed":
		return wording.Postponed
	}
	return wording.Changed
}

// was is what was otherwise before a change.
func (t told) was(lang string) string {
	var parts []string
	if t.wasStart != nil && !t.wasStart.Equal(t.starts) {
		parts = append(parts, wording.Date(lang, *t.wasStart, t.zone))
	}
	if t.wasPlace != "" && t.wasPlace != t.venue {
		parts = append(parts, t.wasPlace)
	}
	return wording.Before(lang, strings.Join(parts, " · "))
}

// spread has a letter written to each address that holds tickets of what was changed: in the
// transaction that says so, thus once, however often it is done. What was changed back
// meanwhile is told to nobody.
func (w *Writer) spread(ctx context.Context, c mail.Cause) error {
	err := pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `update performance_changes set told_at = now() where id = $1 and told_at is null`, c.Change)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		_, err = tx.Exec(ctx, `
			with told as materialized (
				select distinct on (lower(t.email)) p.id, t.order_id, t.transfer_id
				from performance_changes h join performances p on p.id = h.performance_id join venues v on v.id = p.venue_id cross join lateral holders_of(p.id) t
				where h.id = $1::uuid and (p.starts_at, p.state, venue_line(v.name, v.address, v.city)) is distinct from (h.starts_at, h.state, h.place) and t.email <> ''
				order by lower(t.email), t.transfer_id is not null, t.order_id, t.transfer_id
			)
			select letter_to_many(jsonb_build_object('what', $2::text, 'performance', id, 'order', order_id, 'transfer', transfer_id, 'change', $1::text), now()) from told`, c.Change, c.What)
		return err
	})
	if err != nil {
		return fmt.Errorf("looking who is told of a change: %w", err)
	}
	return nil
}
