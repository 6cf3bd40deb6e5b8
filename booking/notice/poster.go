package notice

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/wording"
	"github.com/ropeline/ropeline/internal/periodic"
)

const (
	// Every is how often a Poster looks for what is due, and writes some letters of a
	// message: so many of one leave in a second at most.
	Every = time.Second
	// batch is how many: 100,000 are written in 17 minutes.
	batch = 100
	// under is how many letters of messages may be on their way, of all organizers, if the
	// mail server is slow: whoever gives all tickets back before theirs is written has none.
	under = 300
	// lease is for how long others leave a message to whoever has taken it.
	lease = 10 * time.Second
	// again is when it is looked at again what became of letters, once all are written.
	again = 3 * time.Second
	// patience is how long a round may take.
	patience = 30 * time.Second
	// tried is for how long the mail server may take to take a letter.
	tried = 3 * 24 * time.Hour
)

// Poster writes the letters of messages. Several may run.
type Poster struct {
	store *Store
	out   *mail.Store
	log   *slog.Logger
}

// NewPoster returns a Poster whose letters go out by a store of those.
func NewPoster(s *Store, out *mail.Store, log *slog.Logger) *Poster { return &Poster{s, out, log} }

// Run writes until ctx ends.
func (p *Poster) Run(ctx context.Context) error {
	return periodic.Drain(ctx, Every, p.log, "messages to holders are not sent", p.round)
}

// round goes on with the message that has waited longest, and reports whether there was one.
func (p *Poster) round(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var id, event, performance string
	var w words
	err = p.store.db.QueryRow(ctx, `
		update notices n set due_at = now() + make_interval(secs => $1) from events e join organizations g on g.id = e.organization_id
		where e.id = n.event_id and n.id = (select id from notices where done_at is null and due_at <= now() order by due_at limit 1 for update skip locked)
		returning n.id, n.event_id, coalesce(n.performance_id::text, ''), n.subject, n.body, g.name, e.title`, lease.Seconds()).
		Scan(&id, &event, &performance, &w.subject, &w.text, &w.sender, &w.title)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, away("taking", "a message to holders", err)
	}
	if err := p.gather(ctx, id); err != nil {
		return true, err
	}
	if err := p.write(ctx, id, event, performance, w); err != nil {
		return true, err
	}
	_, err = p.store.db.Exec(ctx, `
		update notices set due_at = now() + make_interval(secs => case when d.due then $2::float8 else $3::float8 end), done_at = case when not d.due and not d.posted then now() end
		from (select exists (select from notice_recipients where notice_id = $1 and state = 'due') due, exists (select from notice_recipients where notice_id = $1 and state = 'posted') posted) d
		where id = $1`, id, Every.Seconds(), again.Seconds())
	return true, away("going on with message", id, err)
}

// gather looks what became of letters. One that is gone was of somebody who was erased.
func (p *Poster) gather(ctx context.Context, id string) error {
	_, err := p.store.db.Exec(ctx, `
		update notice_recipients r set state = coalesce(m.state, 'left'), problem = coalesce(m.problem, ''), mail_id = m.id
		from notice_recipients o left join mails m on m.id = o.mail_id
		where o.notice_id = $1 and o.state = 'posted' and (m.id is null or m.state <> 'due') and r.notice_id = o.notice_id and r.buyer_id = o.buyer_id and r.state = 'posted'`, id)
	return away("looking what became of message", id, err)
}

// recipient is somebody whose letter is written.
type recipient struct {
	buyer, email, person string
	language             string // that they bought in, or whoever gave them the ticket; empty: none is known
	holds                bool
}

// words are what an organizer says, as it is, and what stands around it.
type words struct{ subject, text, sender, title string }

// in has them framed in a language.
func (w words) in(lang string) (mail.Message, error) {
	l, err := wording.Plain(w.subject, w.text, wording.Frame{Language: lang, Reason: wording.Holds(lang, w.title), Sender: wording.Written(lang, w.sender)})
	return mail.Message{Subject: w.subject, Text: l.Text, HTML: l.HTML}, err
}

// write writes some letters.
func (p *Poster) write(ctx context.Context, id, event, performance string, w words) error {
	return away("writing letters of message", id, pgx.BeginFunc(ctx, p.store.db, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select buyer_id::text from notice_recipients where notice_id = $1 and state = 'due' and (select count(*) from notice_recipients where state = 'posted') < $3
			order by buyer_id limit $2 for update skip locked`, id, batch, under)
		if err != nil {
			return err
		}
		due, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(due) == 0 {
			return err
		}
		all, err := p.addresses(ctx, tx, id, event, performance, due)
		if err != nil {
			return err
		}
		var letters []*string // nil: none
		var buyers []string
		for _, r := range all {
			var letter *string
			if r.holds && r.email != "" {
				m, err := w.in(wording.Choose(r.language))
				if err != nil {
					return err
				}
				m.To = r.email
				posted, err := p.out.Post(ctx, tx, m, mail.Slip{Person: r.person, Cause: "notice:" + id + ":" + r.buyer, For: tried, Bulk: true})
				if err != nil {
					return err
				}
				letter = &posted
			}
			buyers, letters = append(buyers, r.buyer), append(letters, letter)
		}
		_, err = tx.Exec(ctx, `update notice_recipients r set state = case when u.letter is null then 'left' else 'posted' end, mail_id = u.letter
			from unnest($2::uuid[], $3::uuid[]) u (buyer, letter) where r.notice_id = $1 and r.buyer_id = u.buyer`, id, buyers, letters)
		return err
	}))
}

// addresses reads where letters go, and who still holds something. Whoever has an account
// is not erased meanwhile: erasing takes their letters away, those that are written first.
func (p *Poster) addresses(ctx context.Context, tx pgx.Tx, id, event, performance string, due []string) ([]recipient, error) {
	_, err := tx.Exec(ctx, `select from people where id in (
		select b.person_id from notice_recipients r join buyers b on b.id = any(r.buyers) where r.notice_id = $1 and r.buyer_id = any($2::uuid[])
		union select x.person_id from notice_recipients r join transfers x on x.id = any(r.buyers) where r.notice_id = $1 and r.buyer_id = any($2::uuid[])) order by id for share`, id, due)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `
		select r.buyer_id::text, coalesce(b.email, ''), coalesce(b.person_id::text, ''), coalesce(b.language, ''),
			exists (select from `+holders+` and h.id = any(r.buyers))
		from notice_recipients r left join lateral (select email, person_id, language from (
			select email, person_id, id, language from buyers where id = any(r.buyers) and email <> ''
			union all select x.email, x.person_id, x.id, coalesce(nullif(x.language, ''), b.language)
				from transfers x join orders o on o.performance_id = x.performance_id and o.id = x.order_id join buyers b on b.id = o.buyer_id
				where x.id = any(r.buyers) and x.email <> '') a
			order by person_id is null, id limit 1) b on true
		where r.notice_id = $3 and r.buyer_id = any($4::uuid[])`, event, optional(performance), id, due)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r recipient, err error) {
		return r, row.Scan(&r.buyer, &r.email, &r.person, &r.language, &r.holds)
	})
}
