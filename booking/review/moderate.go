package review

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
)

// Case is a post as staff read it. Whose account it is they are not told.
type Case struct {
	Post
	Event    string     `json:"event" doc:"its id"`
	Title    string     `json:"title" doc:"of the event"`
	On       string     `json:"on,omitempty" doc:"of a comment: the text that it is on"`
	State    State      `json:"state" enum:"waiting,shown,refused"`
	Reason   string     `json:"reason,omitempty" doc:"why it is not shown"`
	Reported int        `json:"reported" doc:"by how many people, since staff have last decided on it"`
	Version  int        `json:"version" doc:"send it as If-Match"`
	By       string     `json:"decided_by,omitempty"`
	Decided  *time.Time `json:"decided_at,omitempty"`
}

// Which are the parts of a queue.
type Which string

// The parts.
const (
	OfWaiting  Which = "waiting"
	OfReported Which = "reported"
	OfShown    Which = "shown"
	OfRefused  Which = "refused"
)

var parts = map[Which]string{
	OfWaiting: `p.state = 'waiting'`, OfReported: `p.reported > 0 and p.state = 'shown'`, OfShown: `p.state = 'shown'`, OfRefused: `p.state = 'refused'`,
}

const item = `p.id::text, p.kind, p.created_at, p.edited_at, p.name, coalesce(p.stars, 0), p.body, p.answer, p.answered_at, g.name,
	(select count(*) from posts c where c.parent_id = p.id and c.state = 'shown'), p.event_id::text, e.title, coalesce(o.body, ''), p.state, p.reason, p.reported, p.version, p.decided_by, p.decided_at
	from posts p join organizations g on g.id = p.organization_id join events e on e.id = p.event_id left join posts o on o.id = p.parent_id`

func scanCase(r pgx.CollectableRow) (i Case, err error) {
	var a Reply
	var at *time.Time
	err = r.Scan(&i.ID, &i.Kind, &i.At, &i.Edited, &i.Name, &i.Stars, &i.Text, &a.Text, &at, &a.By,
		&i.Comments, &i.Event, &i.Title, &i.On, &i.State, &i.Reason, &i.Reported, &i.Version, &i.By, &i.Decided)
	i.At = i.At.UTC()
	for _, t := range []*time.Time{i.Edited, i.Decided} {
		if t != nil {
			*t = t.UTC()
		}
	}
	if at != nil {
		a.At = at.UTC()
		i.Answer = &a
	}
	return i, err
}

// Queue lists posts of an organization's events: those that wait the oldest first, and others
// the newest.
func (s *Store) Queue(ctx context.Context, organization string, w Which, p booking.Page) (page []Case, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := p.After()
	if err != nil {
		return nil, "", err
	}
	which, ok := parts[w]
	if !ok {
		return nil, "", booking.ErrPage
	}
	order := ` and ($2::uuid is null or p.id < $2) order by p.id desc`
	if w == OfWaiting {
		order = ` and ($2::uuid is null or p.id > $2) order by p.id`
	}
	rows, err := s.db.Query(ctx, `select `+item+` where p.organization_id = $1 and `+which+order+` limit $3`, organization, after, size+1)
	if err != nil {
		return nil, "", away("listing posts", err)
	}
	all, err := pgx.CollectRows(rows, scanCase)
	if err != nil {
		return nil, "", away("listing posts", err)
	}
	page, next = booking.Cut(all, size, func(i Case) string { return i.ID })
	return page, next, nil
}

// One reads a post of an organization's events.
func (s *Store) One(ctx context.Context, organization, id string) (i Case, err error) {
	if !booking.IsID(id) {
		return i, ErrUnknown
	}
	rows, err := s.db.Query(ctx, `select `+item+` where p.organization_id = $1 and p.id = $2 and p.state <> 'gone'`, organization, id)
	if err == nil {
		i, err = pgx.CollectExactlyOneRow(rows, scanCase)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrUnknown
	}
	return i, away("reading a post", err)
}

// Decision is what staff say to a post.
type Decision struct {
	State  State  `json:"state" enum:"shown,refused"`
	Reason string `json:"reason,omitempty" doc:"why it is not shown, 1 to 200 characters; its writer is told"`
}

// Decide shows a post, or does not. What was decided already is not decided again; of two who
// decide differently the second has to look again.
func (s *Store) Decide(ctx context.Context, organization, id string, d Decision, by audit.Change) (i Case, err error) {
	switch {
	case d.State == Shown && d.Reason != "":
		return i, invalid("/reason", "What is shown needs no reason.")
	case d.State == Refused && (d.Reason == "" || utf8.RuneCountInString(d.Reason) > 200 || !readable(d.Reason, false)):
		return i, invalid("/reason", "Its writer is told why it is not shown: 1 to 200 characters that can be printed.")
	case d.State != Shown && d.State != Refused:
		return i, invalid("/state", "A post is shown or refused.")
	}
	by.Reason = d.Reason
	err = s.change(ctx, organization, id, by, func(tx pgx.Tx, was Case) error {
		if was.State == d.State && was.Reason == d.Reason && was.Reported == 0 {
			return audit.ErrBefore
		}
		return nil
	}, `update posts set state = $2, reason = $3, reported = 0, version = version + 1, decided_at = now(), decided_by = $4 where id = $1`, d.State, d.Reason, by.Who)
	if err != nil {
		return i, away("deciding on a post", err)
	}
	return s.One(ctx, organization, id)
}

// Answer has an organization answer a review or a question; an empty text takes the answer
// away. What waited is shown with it.
func (s *Store) Answer(ctx context.Context, organization, id, text string, by audit.Change) (i Case, err error) {
	if text != "" {
		if text, err = plain("/text", text); err != nil {
			return i, err
		}
	}
	err = s.change(ctx, organization, id, by, func(tx pgx.Tx, was Case) error {
		had := ""
		if was.Answer != nil {
			had = was.Answer.Text
		}
		switch {
		case was.Kind == Comment:
			return ErrTalk
		case was.State == Refused:
			return ErrHidden
		case had == text && was.State == Shown:
			return audit.ErrBefore
		}
		return nil
	}, `update posts set answer = $2, answered_at = case when $2 <> '' then now() end, state = 'shown', version = version + 1, decided_at = now(), decided_by = $3 where id = $1`, text, by.Who)
	if err != nil {
		return i, away("answering a post", err)
	}
	return s.One(ctx, organization, id)
}

// change has staff change a post that they have seen, and writes down that they did.
func (s *Store) change(ctx context.Context, organization, id string, by audit.Change, judge func(pgx.Tx, Case) error, sql string, args ...any) error {
	if err := by.Validate(false); err != nil {
		return err
	}
	if !booking.IsID(id) {
		return ErrUnknown
	}
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select `+item+` where p.organization_id = $1 and p.id = $2 and p.state <> 'gone' for update of p`, organization, id)
		if err != nil {
			return err
		}
		was, err := pgx.CollectExactlyOneRow(rows, scanCase)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrUnknown
		}
		if err != nil {
			return err
		}
		if err := judge(tx, was); err != nil {
			return err
		}
		if by.Seen != was.Version {
			return audit.ErrChanged
		}
		if _, _, err := by.Note(ctx, tx, audit.Edit{What: audit.OfPost, Subject: was.Event, Name: id}); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, sql, append([]any{id}, args...)...)
		return err
	})
	if errors.Is(err, audit.ErrBefore) {
		return nil
	}
	return err
}

// Settings are how an organization has posts looked at.
type Settings struct {
	Before  bool `json:"before" doc:"staff look at a post before it is shown; else it is shown at once, and they look at what is reported"`
	Version int  `json:"version" doc:"0: nobody has set it"`
}

// Settings reads them.
func (s *Store) Settings(ctx context.Context, organization string) (k Settings, err error) {
	err = s.db.QueryRow(ctx, `select before, version from review_settings where organization_id = $1`, organization).Scan(&k.Before, &k.Version)
	if errors.Is(err, pgx.ErrNoRows) {
		return Settings{Before: true}, nil
	}
	return k, away("reading how posts are looked at", err)
}

// PutSettings sets them. What waits already waits on.
func (s *Store) PutSettings(ctx context.Context, organization string, before bool, by audit.Change) (k Settings, err error) {
	if err := by.Validate(false); err != nil {
		return k, err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `insert into review_settings as s (organization_id, version, before) select $1, 1, $2 where $3 = 0
			on conflict on constraint review_settings_pkey do nothing`, organization, before, by.Seen)
		if err == nil && by.Seen > 0 {
			tag, err = tx.Exec(ctx, `update review_settings set before = $2, version = version + 1, changed_at = now() where organization_id = $1 and version = $3`, organization, before, by.Seen)
		}
		if err == nil && tag.RowsAffected() == 0 {
			var again bool // the same request, whose answer was lost
			err = tx.QueryRow(ctx, `select exists (select from review_settings where organization_id = $1 and version = $2 + 1 and before = $3)`, organization, by.Seen, before).Scan(&again)
			if err == nil && !again {
				err = audit.ErrChanged
			}
			return err
		}
		if err != nil {
			return err
		}
		_, _, err = by.Note(ctx, tx, audit.Edit{What: audit.OfModeration, Subject: organization, Version: by.Seen + 1})
		return err
	})
	if err != nil {
		return k, away("setting how posts are looked at", err)
	}
	return s.Settings(ctx, organization)
}
