package tidings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/wish"
	"github.com/ropeline/ropeline/booking/wording"
	"github.com/ropeline/ropeline/internal/periodic"
)

// before is how long before its waiting room closes for the draw people are told of a sale: in
// time for whoever reads letters once a day.
const before = "24 hours"

// Opener finds sales that open soon, and who is told. Several may run.
type Opener struct {
	db  *pgxpool.Pool
	log *slog.Logger
}

// NewOpener returns an Opener.
func NewOpener(db *pgxpool.Pool, log *slog.Logger) *Opener { return &Opener{db, log} }

// Run looks until ctx ends.
func (o *Opener) Run(ctx context.Context) error {
	return periodic.Run(ctx, look, o.log, "nobody is told of sales that open", o.Tell)
}

// Tell has a letter written, of each sale that opens soon, to whoever has asked for it or follows
// who performs: in the transaction that says so, thus once. A room that is always open opens
// never, and a sale that is not published yet, or is not called so any more, is told of later.
func (o *Opener) Tell(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := o.db.Exec(ctx, `
		with soon as materialized (
			select s.id from sales s where (s.document ->> 'safety_net')::boolean is not true
				and (s.document ->> 'lobby_closes_at')::timestamptz between now() and now() + $1::interval
				and not exists (select from sale_openings w where w.sale_id = s.id)
		), events_ as materialized (
			select sp.sale_id, p.event_id from soon join sale_performances sp on sp.sale_id = soon.id join performances p on p.id = sp.performance_id join events e on e.id = p.event_id
			where p.state = 'scheduled' and p.starts_at > now() and e.state = 'published' group by sp.sale_id, p.event_id
		), told as (
			insert into sale_openings (sale_id) select distinct sale_id from events_ on conflict do nothing returning sale_id
		), who as materialized (
			select v.sale_id, f.person_id from events_ v join event_performers x on x.event_id = v.event_id join follows f on f.performer_id = x.performer_id
			union select v.sale_id, w.person_id from events_ v join event_watches w on w.event_id = v.event_id
		), guests as (
			select distinct on (v.sale_id, w.email_mac) v.sale_id, w.id from events_ v join opening_wishes w on w.event_id = v.event_id and w.state = 'given'
			where not exists (select from who join people p on p.id = who.person_id where who.sale_id = v.sale_id and p.email_mac = w.email_mac and p.state = 'active')
		)
		select count(*) from told join (select sale_id, jsonb_build_object('person', person_id) as whom from who union all select sale_id, jsonb_build_object('wish', id) from guests) each using (sale_id)
			cross join lateral letter_to_many(jsonb_build_object('what', 'opening', 'performance', '', 'order', '', 'sale', sale_id) || whom, now())`, before)
	if err != nil {
		return fmt.Errorf("looking which sales open: %w", err)
	}
	_, err = o.db.Exec(ctx, `delete from opening_wishes where state = 'asked' and asked_at < now() - $1::interval or asked_at < now() - $2::interval`, wish.Unconfirmed, wish.Kept)
	if err != nil {
		return fmt.Errorf("forgetting addresses that nobody has confirmed: %w", err)
	}
	return nil
}

// opening writes to a person that a sale opens. Once it is open there is nothing to tell.
func (w *Writer) opening(ctx context.Context, c mail.Cause) error {
	if w.Account == nil {
		return errors.New("nobody here can read accounts")
	}
	var event, venue, zone, organization, sender string
	var starts, opens, lobby time.Time
	var left float64
	err := w.db.QueryRow(ctx, `
		select e.title, venue_line(v.name, v.address, v.city), v.time_zone, p.organization_id::text, g.name, p.starts_at,
			(s.document ->> 'opens_at')::timestamptz, (s.document ->> 'lobby_closes_at')::timestamptz, extract(epoch from (s.document ->> 'opens_at')::timestamptz - now())::float8
		from sales s join sale_performances sp on sp.sale_id = s.id join performances p on p.id = sp.performance_id join events e on e.id = p.event_id
			join organizations g on g.id = p.organization_id join venues v on v.id = p.venue_id
		where s.id = $1 and p.state = 'scheduled' and e.state = 'published' order by p.starts_at limit 1`, c.Sale).
		Scan(&event, &venue, &zone, &organization, &sender, &starts, &opens, &lobby, &left)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && left <= 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading which sale opens: %w", err)
	}
	email, language, leave, err := w.waits(ctx, c)
	if err != nil || email == "" {
		return err
	}
	lang := wording.Choose(language)
	says, err := w.words.One(ctx, organization, wording.Opening, lang)
	if err != nil {
		return err
	}
	l, err := says.Write(wording.Values{"event": event, "venue": venue, "date": wording.Date(lang, starts, zone), "opens": wording.Date(lang, opens, zone), "lobby": wording.Date(lang, lobby, zone),
		"link": w.Site + "/sales/" + c.Sale, "organization": sender}, wording.Frame{Language: lang, Sender: sender, Unsubscribe: leave})
	if err != nil {
		return err
	}
	m := mail.Message{To: email, Subject: l.Subject, Text: l.Text, HTML: l.HTML}
	slip := mail.Slip{Person: c.Person, Cause: "opening:" + c.Sale + ":" + c.Person + c.Wish, For: min(tried, time.Duration(left*float64(time.Second))), Bulk: true}
	err = pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error {
		who := `select from people where id = $1 and state = 'active' for share`
		if c.Wish != "" { // it is fulfilled with this letter
			who, m.Unsubscribe, slip.Brief = `delete from opening_wishes where id = $1 and state = 'given'`, leave, true
		}
		tag, err := tx.Exec(ctx, who, c.Person+c.Wish)
		if err != nil || tag.RowsAffected() == 0 { // erased meanwhile, or told
			return err
		}
		_, err = w.out.Post(ctx, tx, m, slip)
		return err
	})
	if err != nil {
		return fmt.Errorf("writing that a sale opens: %w", err)
	}
	return nil
}

// waits is who waits for a sale, what they read, and where they say that they want to hear no
// more; empty: nobody any more.
func (w *Writer) waits(ctx context.Context, c mail.Cause) (email, language, leave string, err error) {
	if c.Wish == "" {
		email, language, err = w.Account(ctx, c.Person)
		return email, language, w.Site + "/account/following", err
	}
	if w.Wishes == nil {
		return "", "", "", errors.New("nobody here can read addresses of guests")
	}
	return w.Wishes.To(ctx, c.Wish)
}
