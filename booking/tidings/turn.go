package tidings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/wording"
	"github.com/ropeline/ropeline/internal/periodic"
	"github.com/ropeline/ropeline/internal/tenant"
)

// Turn is a turn in a line that is near, and whose fan has left an address.
type Turn struct {
	Sale, Place     string
	Email, Language string
	Link            string // that carries the place
}

// Line says whose turn is near. It may say so again until it is told that the letter is
// written.
type Line interface {
	Near(ctx context.Context, most int) ([]Turn, error)
	Told(ctx context.Context, t Turn) error
}

const (
	// turnEvery is how often a Turner asks, turnsAtOnce for how many at a time.
	turnEvery, turnsAtOnce = time.Second, 200
	// turnUseful is how long a letter is of use: who comes later has missed the turn.
	turnUseful = 15 * time.Minute
)

// Turner writes to those whose turn is near. Several may run: of each place there is one
// letter.
type Turner struct {
	line   Line
	writer *Writer
	// known finds the account of an address, which may want a text message, too; "": none.
	known func(ctx context.Context, email string) (person string, err error)
	log   *slog.Logger
}

// NewTurner returns a Turner that writes as w does.
func NewTurner(line Line, w *Writer, known func(ctx context.Context, email string) (string, error), log *slog.Logger) *Turner {
	return &Turner{line, w, known, log}
}

// Run writes until ctx ends.
func (t *Turner) Run(ctx context.Context) error {
	return periodic.Run(ctx, turnEvery, t.log, "nobody is told that their turn is near", t.Tell)
}

// Tell writes to all whose turn is near now. One to whom nothing can be written keeps nobody
// else waiting.
func (t *Turner) Tell(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		turns, err := t.line.Near(ctx, turnsAtOnce)
		if err != nil {
			return err
		}
		var failed error
		for _, turn := range turns {
			err := t.write(ctx, turn)
			if err == nil { // who dies here finds that there is one already
				err = t.line.Told(ctx, turn)
			}
			failed = errors.Join(failed, err)
		}
		if failed != nil || len(turns) < turnsAtOnce {
			return failed
		}
	}
}

func (t *Turner) write(ctx context.Context, turn Turn) error {
	w, event, venue, date, sender, organization := t.writer, turn.Sale, "", "", "", tenant.House
	lang := wording.Choose(turn.Language)
	var zone string
	var starts *time.Time
	err := w.db.QueryRow(ctx, `
		select coalesce(e.title, s.document ->> 'title', s.id), coalesce(venue_line(v.name, v.address, v.city), ''), coalesce(v.time_zone, ''), p.starts_at, coalesce(p.organization_id::text, $2), coalesce(g.name, '')
		from sales s left join sale_performances sp on sp.sale_id = s.id left join performances p on p.id = sp.performance_id left join events e on e.id = p.event_id
			left join organizations g on g.id = p.organization_id left join venues v on v.id = p.venue_id
		where s.id = $1 order by p.starts_at limit 1`, turn.Sale, tenant.House).Scan(&event, &venue, &zone, &starts, &organization, &sender)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) { // the shop of a sale may be somebody else's
		return fmt.Errorf("reading whose turn is near: %w", err)
	}
	if starts != nil {
		date = wording.Date(lang, *starts, zone)
	}
	says, err := w.words.One(ctx, organization, wording.Turn, lang)
	if err != nil {
		return err
	}
	l, err := says.Write(wording.Values{"event": event, "venue": venue, "date": date, "link": turn.Link, "organization": sender}, wording.Frame{Language: lang, Sender: sender})
	if err != nil {
		return err
	}
	person, err := t.known(ctx, turn.Email)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error {
		if person != "" { // who is erased meanwhile is nobody whom we know
			tag, err := tx.Exec(ctx, `select from people where id = $1 and state = 'active' for share`, person)
			if err != nil {
				return err
			}
			if tag.RowsAffected() == 0 {
				person = ""
			}
		}
		_, err := w.out.Post(ctx, tx, mail.Message{To: turn.Email, Subject: l.Subject, Text: l.Text, HTML: l.HTML},
			mail.Slip{Person: person, Cause: "turn-near:" + turn.Sale + ":" + turn.Place, For: turnUseful, Brief: true})
		return err
	})
	if err != nil {
		return fmt.Errorf("writing that a turn is near: %w", err)
	}
	return nil
}
