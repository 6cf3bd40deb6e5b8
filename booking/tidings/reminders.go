package tidings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/internal/periodic"
)

const (
	// Days is how many days before somebody is reminded who has said nothing, MostDays how many
	// they may say.
	Days, MostDays = 2, 14

	// look is how often a Reminder looks for what is due, patience how long that may take.
	look, patience = 20 * time.Second, 2 * time.Minute
	// some is how many are reminded in a transaction, which is a few milliseconds of Postgres.
	some = 500
	// forgotten is when it is forgotten who was reminded of what is over.
	forgotten = "30 days"
)

// ErrDays refuses what is no number of days.
var ErrDays = &ropeline.Error{Kind: ropeline.Invalid, Code: "reminder-invalid", Detail: "A reminder comes 1 to 14 days before, or, with 0, not at all."}

// Reminder reminds who holds tickets, days before, in the morning of the venue. Several may run.
type Reminder struct {
	db  *pgxpool.Pool
	log *slog.Logger
}

// NewReminder returns a Reminder.
func NewReminder(db *pgxpool.Pool, log *slog.Logger) *Reminder { return &Reminder{db, log} }

// Run reminds until ctx ends.
func (r *Reminder) Run(ctx context.Context) error {
	return periodic.Run(ctx, look, r.log, "nobody is reminded", r.Remind)
}

// round is a performance of which those are reminded who are so many days before.
type round struct {
	performance, day string
	days             int
	due              time.Time
}

// Remind has a letter written to all who are due now: jobs, that leave when nobody waits for
// another letter.
func (r *Reminder) Remind(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rows, err := r.db.Query(ctx, `
		select p.id::text, guide_date(p.starts_at, v.time_zone)::text, d.days, reminder_at(p.starts_at, v.time_zone, d.days) as due
		from performances p join events e on e.id = p.event_id join venues v on v.id = p.venue_id cross join generate_series(1, $1::integer) d (days)
		where p.state = 'scheduled' and e.state = 'published' and p.starts_at between now() and now() + make_interval(days => $1 + 2)
			and reminder_at(p.starts_at, v.time_zone, d.days) <= now()
			and not exists (select from reminder_rounds w where w.performance_id = p.id and w.day = guide_date(p.starts_at, v.time_zone) and w.days = d.days)
		order by due`, MostDays)
	if err != nil {
		return fmt.Errorf("looking who is to be reminded: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d round, err error) {
		return d, row.Scan(&d.performance, &d.day, &d.days, &d.due)
	})
	if err != nil {
		return fmt.Errorf("looking who is to be reminded: %w", err)
	}
	for _, d := range all {
		for more := true; more; {
			if more, err = r.some(ctx, d); err != nil {
				return fmt.Errorf("reminding of %s: %w", d.performance, err)
			}
		}
	}
	_, err = r.db.Exec(ctx, `with w as (delete from reminder_rounds where day < now() - $1::interval) delete from reminders where day < now() - $1::interval`, forgotten)
	if err != nil {
		return fmt.Errorf("forgetting reminders: %w", err)
	}
	return nil
}

// some has letters written to some of those who are due, one to each address: in the
// transaction that says so. Who has bought since then has just read all of it.
func (r *Reminder) some(ctx context.Context, d round) (more bool, err error) {
	err = pgx.BeginFunc(ctx, r.db, func(tx pgx.Tx) error {
		var ours bool
		if err := tx.QueryRow(ctx, `select pg_try_advisory_xact_lock(hashtext('reminders'), hashtext($1))`, d.performance).Scan(&ours); err != nil || !ours {
			return err // somebody else is at it
		}
		var chosen int
		err := tx.QueryRow(ctx, `
			with due as materialized (
				select h.order_id, h.transfer_id, lower(h.email) as address from holders_of($1::uuid) h left join reminder_settings s on s.person_id = h.person_id
				where h.email <> '' and coalesce(h.reminder_days, s.days, $2) = $3 and h.since < $4
					and not exists (select from reminders w where w.performance_id = $1::uuid and w.order_id = coalesce(h.transfer_id, h.order_id) and w.day = $5::date)
			), chosen as materialized (
				select distinct on (address) address, order_id, transfer_id from due order by address, transfer_id is not null, order_id, transfer_id limit $6
			), noted as (
				insert into reminders (performance_id, order_id, day) select $1::uuid, coalesce(d.transfer_id, d.order_id), $5::date from due d join chosen using (address)
			)
			select count(*) from chosen cross join lateral letter_to_many(jsonb_build_object('what', 'reminder', 'performance', $1::text, 'order', order_id, 'transfer', transfer_id, 'day', $5::text), now())`,
			d.performance, Days, d.days, d.due, d.day, some).Scan(&chosen)
		if more = chosen == some; err != nil || more {
			return err
		}
		_, err = tx.Exec(ctx, `insert into reminder_rounds (performance_id, day, days) values ($1, $2, $3) on conflict do nothing`, d.performance, d.day, d.days)
		return err
	})
	return more, err
}

// Setting is when somebody is reminded.
type Setting struct {
	Days int        `json:"days" minimum:"0" maximum:"14" doc:"so many days before, at ten in the morning where it is; 0: not at all"`
	At   *time.Time `json:"at,omitempty" doc:"of an order: when, if that is to come"`
}

// Settings keeps when people are reminded.
type Settings struct{ db *pgxpool.Pool }

// NewSettings returns Settings.
func NewSettings(db *pgxpool.Pool) *Settings { return &Settings{db} }

// OfPerson is when a person is reminded of what they buy.
func (s *Settings) OfPerson(ctx context.Context, person string) (set Setting, err error) {
	err = s.db.QueryRow(ctx, `select coalesce((select days from reminder_settings where person_id = $1), $2)`, person, Days).Scan(&set.Days)
	return set, away("reading when somebody is reminded", err)
}

// SetPerson changes that, for all that they have not said anything else of.
func (s *Settings) SetPerson(ctx context.Context, person string, days int) error {
	if days < 0 || days > MostDays {
		return ErrDays
	}
	_, err := s.db.Exec(ctx, `
		with one as materialized (select id from people where id = $1 and state = 'active' for share)
		insert into reminder_settings (person_id, days) select id, $2 from one on conflict (person_id) do update set days = excluded.days`, person, days)
	return away("changing when somebody is reminded", err)
}

// OfOrder is when the buyer of an order is reminded of it.
func (s *Settings) OfOrder(ctx context.Context, id string) (set Setting, err error) {
	err = s.db.QueryRow(ctx, `
		select d.days, case when d.days > 0 and b.email <> '' and o.state = 'paid' and p.state = 'scheduled' and reminder_at(p.starts_at, v.time_zone, d.days) > now() then reminder_at(p.starts_at, v.time_zone, d.days) end
		from orders o join buyers b on b.id = o.buyer_id left join reminder_settings s on s.person_id = b.person_id
			join performances p on p.id = o.performance_id join venues v on v.id = p.venue_id cross join lateral (select coalesce(b.reminder_days, s.days, $2) as days) d
		where o.id = $1`, id, Days).Scan(&set.Days, &set.At)
	if errors.Is(err, pgx.ErrNoRows) {
		return set, order.ErrUnknown
	}
	if set.At != nil {
		*set.At = set.At.UTC()
	}
	return set, away("reading when the buyer of an order is reminded", err)
}

// SetOrder changes that for this order alone.
func (s *Settings) SetOrder(ctx context.Context, id string, days int) error {
	if days < 0 || days > MostDays {
		return ErrDays
	}
	tag, err := s.db.Exec(ctx, `update buyers set reminder_days = $2 where id = (select buyer_id from orders where id = $1)`, id, days)
	if err == nil && tag.RowsAffected() == 0 {
		return order.ErrUnknown
	}
	return away("changing when the buyer of an order is reminded", err)
}

// away makes whatever is not an error of ours one of the store's.
func away(what string, err error) error {
	if err == nil {
		return nil
	}
	return ropeline.ErrStoreAway.Because(fmt.Errorf("%s: %w", what, err))
}
