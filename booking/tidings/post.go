package tidings

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/wording"
)

// decided writes to who has said something of an event (package review): that it is shown, that
// it is not and why, or what the organizer has answered. What is not so any more is told to nobody.
func (w *Writer) decided(ctx context.Context, c mail.Cause) error {
	if w.Account == nil {
		return errors.New("nobody here can read accounts")
	}
	var person, event, title, sender, state, reason, answer string
	err := w.db.QueryRow(ctx, `select p.person_id::text, e.id::text, e.title, g.name, p.state, p.reason, p.answer
		from posts p join events e on e.id = p.event_id join organizations g on g.id = p.organization_id where p.id = $1 and p.person_id is not null`, c.Post).
		Scan(&person, &event, &title, &sender, &state, &reason, &answer)
	what, _, _ := strings.Cut(c.Change, ":")
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("reading what somebody has said: %w", err)
	case what == "answered" && (state != "shown" || answer == ""), what != "answered" && state != what:
		return nil
	}
	email, language, err := w.Account(ctx, person)
	if err != nil || email == "" {
		return err
	}
	lang := wording.Choose(language)
	says, err := wording.Ours(wording.Kind("post-"+what), lang)
	if err != nil {
		return err
	}
	l, err := says.Write(wording.Values{"event": title, "reason": reason, "answer": answer, "link": w.Site + "/events/" + event, "organization": sender}, wording.Frame{Language: lang, Sender: sender})
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `select from people where id = $1 and state = 'active' for share`, person)
		if err != nil || tag.RowsAffected() == 0 { // erased meanwhile
			return err
		}
		_, err = w.out.Post(ctx, tx, mail.Message{To: email, Subject: l.Subject, Text: l.Text, HTML: l.HTML}, mail.Slip{Person: person, Cause: "post:" + c.Post + ":" + c.Change, For: tried, Bulk: true})
		return err
	})
	if err != nil {
		return fmt.Errorf("writing to who has said something: %w", err)
	}
	return nil
}
