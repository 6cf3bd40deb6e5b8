package newsletter

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/optin"
	"github.com/ropeline/ropeline/booking/wording"
	"github.com/ropeline/ropeline/internal/periodic"
)

const (
	// Every is how often a Poster looks for what is due, and writes some letters of a
	// newsletter: so many of one leave in a second at most.
	Every = time.Second
	// batch is how many: 100,000 are written in 17 minutes. under is how many may be on their
	// way, if the mail server is slow: whoever withdraws before theirs is written has none.
	batch, under = 100, 300
	// asks is how many letters a round writes that ask whether an address wants one.
	asks = 50
	// lease is for how long others leave a newsletter to whoever has taken it.
	lease = 10 * time.Second
	// again is when it is looked at again what became of letters, once all are written.
	again = 3 * time.Second
	// patience is how long a round may take.
	patience = 30 * time.Second
	// tried is for how long the mail server may take to take a letter.
	tried = 3 * 24 * time.Hour
	// unanswered is for how long an address is kept that nobody has confirmed.
	unanswered = 30 * 24 * time.Hour
)

// Poster writes the letters of newsletters, and those that ask whether somebody wants one.
// Several may run.
type Poster struct {
	store *Store
	out   *mail.Store
	keys  optin.Keys
	site  string
	log   *slog.Logger
}

// NewPoster returns a Poster whose letters lead to a site.
func NewPoster(s *Store, out *mail.Store, keys optin.Keys, site string, log *slog.Logger) *Poster {
	return &Poster{s, out, keys, site, log}
}

// Run writes until ctx ends.
func (p *Poster) Run(ctx context.Context) error {
	return periodic.Drain(ctx, Every, p.log, "newsletters are not sent", func(ctx context.Context) (more bool, err error) {
		asked, err := p.ask(ctx)
		if err == nil {
			more, err = p.round(ctx)
		}
		return more || asked == asks, err
	})
}

// ask writes to some of those who ticked a box, once their order is paid, and says to how many.
func (p *Poster) ask(ctx context.Context) (written int, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = pgx.BeginFunc(ctx, p.store.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `delete from newsletter_consents where id in (select id from newsletter_consents where state = 'asked' and asked_at < now() - $1::interval limit 100)`, unanswered); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			select c.id::text, c.email, c.language, coalesce(c.person_id::text, ''), g.name, extract(epoch from c.asked_at)::bigint
			from newsletter_consents c join organizations g on g.id = c.organization_id
			where c.state = 'asked' and c.written_at is null and exists (select from orders o where o.performance_id = c.performance_id and o.id = c.order_id and o.state = 'paid')
			order by c.asked_at limit $1 for update of c skip locked`, asks)
		if err != nil {
			return err
		}
		type wish struct {
			id, email, lang, person, sender string
			at                              int64
		}
		all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (w wish, err error) {
			return w, r.Scan(&w.id, &w.email, &w.lang, &w.person, &w.sender, &w.at)
		})
		if err != nil {
			return err
		}
		for _, w := range all {
			lang := wording.Choose(w.lang)
			says, err := wording.Ours(wording.Newsletter, lang)
			if err != nil {
				return err
			}
			l, err := says.Write(wording.Values{"organization": w.sender, "link": p.keys.Link(p.site, w.id, optin.Confirm)}, wording.Frame{Language: lang, Sender: w.sender})
			if err != nil {
				return err
			}
			m := mail.Message{To: w.email, Subject: l.Subject, Text: l.Text, HTML: l.HTML}
			if _, err := p.out.Post(ctx, tx, m, mail.Slip{Person: w.person, Cause: "newsletter-ask:" + w.id + ":" + strconv.FormatInt(w.at, 10), For: tried}); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `update newsletter_consents set written_at = now() where id = $1`, w.id); err != nil {
				return err
			}
		}
		written = len(all)
		return nil
	})
	return written, away("asking who wants a newsletter", err)
}

// round goes on with the newsletter that has waited longest, and reports whether there was one.
func (p *Poster) round(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var id, sender string
	var d Draft
	err = p.store.db.QueryRow(ctx, `
		update newsletters n set due_at = now() + make_interval(secs => $1) from organizations g
		where g.id = n.organization_id and n.id = (select id from newsletters where done_at is null and due_at <= now() order by due_at limit 1 for update skip locked)
		returning n.id, n.subject, n.body, g.name`, lease.Seconds()).Scan(&id, &d.Subject, &d.Text, &sender)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, away("taking a newsletter", err)
	}
	if err := p.gather(ctx, id); err != nil {
		return true, err
	}
	if err := p.write(ctx, id, sender, d); err != nil {
		return true, err
	}
	_, err = p.store.db.Exec(ctx, `
		update newsletters set due_at = now() + make_interval(secs => case when d.due then $2::float8 else $3::float8 end), done_at = case when not d.due and not d.posted then now() end
		from (select exists (select from newsletter_recipients where newsletter_id = $1 and state = 'due') due, exists (select from newsletter_recipients where newsletter_id = $1 and state = 'posted') posted) d
		where id = $1`, id, Every.Seconds(), again.Seconds())
	return true, away("going on with a newsletter", err)
}

// gather looks what became of letters. One that is gone was taken back, or of somebody who was
// erased.
func (p *Poster) gather(ctx context.Context, id string) error {
	_, err := p.store.db.Exec(ctx, `
		update newsletter_recipients r set state = coalesce(m.state, 'left'), mail_id = m.id
		from newsletter_recipients o left join mails m on m.id = o.mail_id
		where o.newsletter_id = $1 and o.state = 'posted' and (m.id is null or m.state <> 'due') and r.newsletter_id = o.newsletter_id and r.consent_id = o.consent_id and r.state = 'posted'`, id)
	return away("looking what became of a newsletter", err)
}

// reader is somebody whose letter is written.
type reader struct{ consent, email, lang, person string }

// write writes some letters. Who withdraws meanwhile waits, and has what is written taken back;
// so does whoever erases an account.
func (p *Poster) write(ctx context.Context, id, sender string, d Draft) error {
	return away("writing letters of a newsletter", pgx.BeginFunc(ctx, p.store.db, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select consent_id::text from newsletter_recipients where newsletter_id = $1 and state = 'due' and (select count(*) from newsletter_recipients where state = 'posted') < $3
			order by consent_id limit $2 for update skip locked`, id, batch, under)
		if err != nil {
			return err
		}
		due, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(due) == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, `select from people where id in (select person_id from newsletter_consents where id = any($1)) order by id for share`, due); err != nil {
			return err
		}
		rows, err = tx.Query(ctx, `select id::text, email, language, coalesce(person_id::text, '') from newsletter_consents where id = any($1) and state = 'given' order by id for update`, due)
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (w reader, err error) {
			return w, r.Scan(&w.consent, &w.email, &w.lang, &w.person)
		})
		if err != nil {
			return err
		}
		var emails []string
		for _, r := range all {
			emails = append(emails, r.email)
		}
		refusing, err := p.out.Refusing(ctx, tx, emails)
		if err != nil {
			return err
		}
		letters := map[string]*string{}
		for _, r := range all {
			if refusing[r.email] {
				continue
			}
			leave := p.keys.Link(p.site, r.consent, optin.Leave)
			l, err := wording.Plain(d.Subject, d.Text, frame(wording.Choose(r.lang), sender, leave))
			if err != nil {
				return err
			}
			m := mail.Message{To: r.email, Subject: l.Subject, Text: l.Text, HTML: l.HTML, Unsubscribe: leave}
			posted, err := p.out.Post(ctx, tx, m, mail.Slip{Person: r.person, Cause: "newsletter:" + id + ":" + r.consent, For: tried, Bulk: true})
			if err != nil {
				return err
			}
			letters[r.consent] = &posted
		}
		ids := make([]*string, len(due)) // nil: none
		for i, consent := range due {
			ids[i] = letters[consent]
		}
		_, err = tx.Exec(ctx, `update newsletter_recipients r set state = case when u.letter is null then 'left' else 'posted' end, mail_id = u.letter
			from unnest($2::uuid[], $3::uuid[]) u (consent, letter) where r.newsletter_id = $1 and r.consent_id = u.consent`, id, due, ids)
		return err
	}))
}
