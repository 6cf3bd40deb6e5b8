package review

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking"
)

// there is whether a ticket of person $1 has opened a door of event $2: one that they have
// bought, or had been given by then. A ticket that was used changes hands no more; of one whose
// scanner had no network, and that was given away before its scan came in, nobody says who came.
// A scan that is taken back takes the entry away (package door).
const there = `exists (
	select from buyers b join orders o on o.buyer_id = b.id join performances p on p.id = o.performance_id and p.event_id = $2
		join tickets k on k.performance_id = o.performance_id and k.order_id = o.id and k.holder is null
		join door_entries d on d.performance_id = k.performance_id and d.ticket_id = k.id
	where b.person_id = $1)
	or exists (
	select from transfers t join performances p on p.id = t.performance_id and p.event_id = $2
		join tickets k on k.performance_id = t.performance_id and k.id = t.ticket_id and k.holder = t.id
		join door_entries d on d.performance_id = k.performance_id and d.ticket_id = k.id and d.at >= t.updated_at
	where t.person_id = $1 and t.state = 'accepted')`

// before is whether staff of an organization look at a post before it is shown.
const before = `coalesce((select s.before from review_settings s where s.organization_id = %s), true)`

const mine = `p.id::text, p.kind, p.event_id::text, e.title, coalesce(p.parent_id::text, ''), p.created_at, p.name, coalesce(p.stars, 0), p.body, p.state, p.reason, p.answer, p.version`

func scanMine(r pgx.CollectableRow) (m Own, err error) {
	err = r.Scan(&m.ID, &m.Kind, &m.Event, &m.Title, &m.Parent, &m.At, &m.Name, &m.Stars, &m.Text, &m.State, &m.Reason, &m.Answer, &m.Version)
	m.At = m.At.UTC()
	return m, err
}

// Create keeps a post. The same request with the same key keeps one.
func (s *Store) Create(ctx context.Context, person, key string, d Draft) (m Own, err error) {
	if !booking.IsKey(key) {
		return m, booking.ErrKey
	}
	if d, err = d.normal(); err != nil {
		return m, err
	}
	id, err := booking.NewID()
	if err != nil {
		return m, err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if err := lockPerson(ctx, tx, person); err != nil {
			return err
		}
		if was, found, err := again(ctx, tx, person, key, d.sum()); err != nil || found {
			id = was
			return err
		}
		if err := d.mayWrite(ctx, tx, person); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			insert into posts (id, organization_id, event_id, parent_id, kind, person_id, name, stars, body, state, key, request)
			select $1, e.organization_id, e.id, nullif($3, '')::uuid, $4, $5, $6, nullif($7, 0), $8, case when `+fmt.Sprintf(before, "e.organization_id")+` then 'waiting' else 'shown' end, $9, $10
			from events e where e.state <> 'draft' and e.id = case when $3 = '' then nullif($2, '')::uuid else (select event_id from posts where id = nullif($3, '')::uuid) end
			on conflict (event_id, person_id) where kind = 'review' and state <> 'gone' and person_id is not null do nothing`,
			id, d.Event, d.Parent, d.Kind, person, d.Name, d.Stars, d.Text, key, d.sum())
		if err == nil && tag.RowsAffected() == 0 {
			return ErrEvent // it was taken off the air in between
		}
		return err
	})
	if err != nil {
		return m, away("keeping a post", err)
	}
	return s.Mine(ctx, person, id)
}

func (d Draft) normal() (Draft, error) {
	var err error
	switch d.Kind {
	case Review, Question:
		if !booking.IsID(d.Event) || d.Parent != "" {
			return d, ErrEvent
		}
	case Comment:
		if !booking.IsID(d.Parent) || d.Event != "" {
			return d, ErrUnknown
		}
	default:
		return d, invalid("/kind", "A post is a review, a question or a comment.")
	}
	d.Words, err = d.Words.normal(d.Kind)
	return d, err
}

func (d Draft) sum() []byte {
	h := sha256.New()
	for _, part := range []string{string(d.Kind), d.Event, d.Parent, fmt.Sprint(d.Stars), d.Name, d.Text} {
		fmt.Fprintf(h, "%d %s", len(part), part)
	}
	return h.Sum(nil)
}

// lockPerson has whatever one person writes come one after the other, and before they are
// erased or after that.
func lockPerson(ctx context.Context, tx pgx.Tx, person string) error {
	tag, err := tx.Exec(ctx, `select from people where id = $1 and state = 'active' for no key update`, person)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrUnknown
	}
	return err
}

// again finds what a request with the same key has written.
func again(ctx context.Context, tx pgx.Tx, person, key string, sum []byte) (id string, found bool, err error) {
	var request []byte
	err = tx.QueryRow(ctx, `select id::text, request from posts where person_id = $1 and key = $2`, person, key).Scan(&id, &request)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", false, nil
	case err == nil && !bytes.Equal(request, sum):
		return "", false, booking.ErrKeyReused
	}
	return id, err == nil, err
}

// mayWrite refuses what somebody may not write now.
func (d Draft) mayWrite(ctx context.Context, tx pgx.Tx, person string) error {
	switch d.Kind {
	case Comment:
		var is bool
		err := tx.QueryRow(ctx, `select exists (select from posts where id = $1 and state = 'shown' and kind <> 'comment')`, d.Parent).Scan(&is)
		if err == nil && !is {
			err = ErrUnknown
		}
		if err != nil {
			return err
		}
	default:
		var is, was, wrote bool
		err := tx.QueryRow(ctx, `select exists (select from events where id = $2 and state <> 'draft'), `+there+`,
			exists (select from posts where event_id = $2 and person_id = $1 and kind = 'review' and state <> 'gone')`, person, d.Event).Scan(&is, &was, &wrote)
		switch {
		case err != nil:
			return err
		case !is:
			return ErrEvent
		case d.Kind == Review && !was:
			return ErrNotThere
		case d.Kind == Review && wrote:
			return ErrTwice
		}
	}
	var n int
	var wait float64
	err := tx.QueryRow(ctx, `select count(*), coalesce(extract(epoch from min(created_at) + interval '24 hours' - now()), 0)::float8
		from posts where person_id = $1 and created_at > now() - interval '24 hours'`, person).Scan(&n, &wait)
	if err == nil && n >= MostADay {
		e := *ErrMany
		e.RetryAfter = time.Duration(wait * float64(time.Second))
		return &e
	}
	return err
}

// Put has a person change a review of theirs. It is looked at again, where reviews are looked
// at before they are shown, and wherever it was refused.
func (s *Store) Put(ctx context.Context, person, id string, w Words) (m Own, err error) {
	if !booking.IsID(id) {
		return m, ErrUnknown
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if err := lockPerson(ctx, tx, person); err != nil {
			return err
		}
		var kind Kind
		var event string
		err := tx.QueryRow(ctx, `select kind, event_id::text from posts where id = $1 and person_id = $2 and state <> 'gone' for update`, id, person).Scan(&kind, &event)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ErrUnknown
		case err == nil && kind != Review:
			return ErrFixed
		case err == nil:
			w, err = w.normal(kind)
		}
		if err != nil {
			return err
		}
		var was bool
		if err := tx.QueryRow(ctx, `select `+there, person, event).Scan(&was); err != nil {
			return err
		}
		if !was {
			return ErrNotThere
		}
		_, err = tx.Exec(ctx, `update posts set name = $2, stars = $3, body = $4, version = version + 1, edited_at = now(), reason = '',
				state = case when state = 'refused' or `+fmt.Sprintf(before, "posts.organization_id")+` then 'waiting' else 'shown' end
			where id = $1 and (name, stars, body) is distinct from ($2, $3::smallint, $4)`, id, w.Name, w.Stars, w.Text)
		return err
	})
	if err != nil {
		return m, away("changing a post", err)
	}
	return s.Mine(ctx, person, id)
}

// Withdraw has a person take a post of theirs back. Its words are forgotten. Again it is the same.
func (s *Store) Withdraw(ctx context.Context, person, id string) error {
	if !booking.IsID(id) {
		return ErrUnknown
	}
	tag, err := s.db.Exec(ctx, `update posts set state = 'gone', body = '', name = '', stars = null, reason = '', reported = 0, version = version + case when state = 'gone' then 0 else 1 end
		where id = $1 and person_id = $2`, id, person)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrUnknown
	}
	return away("taking a post back", err)
}

// Report keeps that somebody finds that staff should look at a post. Again it counts for nothing.
func (s *Store) Report(ctx context.Context, person, id string) error {
	if !booking.IsID(id) {
		return ErrUnknown
	}
	return away("reporting a post", pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if err := lockPerson(ctx, tx, person); err != nil {
			return err
		}
		var is, done bool
		var n int
		err := tx.QueryRow(ctx, `select exists (select from posts where id = $2 and state = 'shown'), exists (select from post_reports where post_id = $2 and person_id = $1),
			(select count(*) from post_reports where person_id = $1 and created_at > now() - interval '24 hours')`, person, id).Scan(&is, &done, &n)
		switch {
		case err != nil:
			return err
		case !is:
			return ErrUnknown
		case done:
			return nil
		case n >= MostReports:
			return ErrReports
		}
		if _, err := tx.Exec(ctx, `insert into post_reports (post_id, person_id) values ($1, $2)`, id, person); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `update posts set reported = reported + 1 where id = $1 and state = 'shown'`, id)
		return err
	}))
}

// Mine reads a post of a person.
func (s *Store) Mine(ctx context.Context, person, id string) (m Own, err error) {
	rows, err := s.db.Query(ctx, `select `+mine+` from posts p join events e on e.id = p.event_id where p.person_id = $1 and p.id = $2`, person, id)
	if err == nil {
		m, err = pgx.CollectExactlyOneRow(rows, scanMine)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrUnknown
	}
	return m, away("reading a post", err)
}

// OfPerson lists what a person has written and not taken back, the newest first.
func (s *Store) OfPerson(ctx context.Context, person string, p booking.Page) (page []Own, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := p.After()
	if err != nil {
		return nil, "", err
	}
	rows, err := s.db.Query(ctx, `select `+mine+` from posts p join events e on e.id = p.event_id
		where p.person_id = $1 and p.state <> 'gone' and ($2::uuid is null or p.id < $2) order by p.id desc limit $3`, person, after, size+1)
	if err != nil {
		return nil, "", away("listing posts", err)
	}
	all, err := pgx.CollectRows(rows, scanMine)
	if err != nil {
		return nil, "", away("listing posts", err)
	}
	page, next = booking.Cut(all, size, func(m Own) string { return m.ID })
	return page, next, nil
}

// Standing is what a person may say of an event, and their review of it, if there is one.
type Standing struct {
	There  bool `json:"there" doc:"a ticket of theirs has opened a door of it: they may write a review"`
	Review *Own `json:"review,omitempty"`
}

// Standing reads that.
func (s *Store) Standing(ctx context.Context, person, event string) (st Standing, err error) {
	if !booking.IsID(event) {
		return st, ErrEvent
	}
	var is bool
	if err := s.db.QueryRow(ctx, `select exists (select from events where id = $2 and state <> 'draft'), `+there, person, event).Scan(&is, &st.There); err != nil {
		return st, away("reading who was there", err)
	}
	if !is {
		return st, ErrEvent
	}
	rows, err := s.db.Query(ctx, `select `+mine+` from posts p join events e on e.id = p.event_id where p.event_id = $2 and p.person_id = $1 and p.kind = 'review' and p.state <> 'gone'`, person, event)
	if err != nil {
		return st, away("reading a review", err)
	}
	all, err := pgx.CollectRows(rows, scanMine)
	if len(all) > 0 {
		st.Review = &all[0]
	}
	return st, away("reading a review", err)
}
