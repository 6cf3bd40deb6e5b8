package tidings_test

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/tidings"
)

func (r *rig) remind() {
	r.t.Helper()
	if err := tidings.NewReminder(r.db, slog.New(slog.DiscardHandler)).Remind(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// soon has the performance be so far ahead that whoever wants to know two days before is due.
func (r *rig) soon() {
	r.exec(`update performances set starts_at = now() + interval '30 hours', doors_at = now() + interval '29 hours'`)
}

// old drops the jobs that are not about reminders, and has orders be of long ago.
func (r *rig) old() {
	r.exec(`delete from river_job where args->>'what' <> 'reminder'`)
	r.exec(`update orders set created_at = now() - interval '20 days'`)
}

// Whatever clocks do in between, it is ten in the morning where it is.
func TestAReminderComesInTheMorningOfTheVenue(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	zones := []string{"Europe/Lisbon", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "Pacific/Apia", "UTC"}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		zone, days := rapid.SampledFrom(zones).Draw(t, "zone"), rapid.IntRange(1, tidings.MostDays).Draw(t, "days")
		starts := from.Add(time.Duration(rapid.IntRange(0, 3*365*24*60).Draw(t, "minute")) * time.Minute)
		place, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		there := starts.In(place)
		want := time.Date(there.Year(), there.Month(), there.Day()-days, 10, 0, 0, 0, place)
		var got time.Time
		if err := r.db.QueryRow(r.t.Context(), `select reminder_at($1, $2, $3)`, starts, zone, days).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if !got.Equal(want) {
			t.Errorf("of %v in %s, %d days before, it is %v, not %v", starts, zone, days, got.In(place), want)
		}
	})
	var nowhere time.Time
	if err := r.db.QueryRow(t.Context(), `select reminder_at('2030-05-01T19:00:00Z', 'Mars/Base', 1)`).Scan(&nowhere); err != nil || !nowhere.Equal(time.Date(2030, 4, 30, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("where nobody knows the clocks it is %v, %v", nowhere, err)
	}
}

// Who wants to know two days before is told then, once, and who has said something else is not.
func TestHoldersAreRemindedAsTheyWish(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	settings := tidings.NewSettings(r.db)
	far, none := uuid.NewString(), uuid.NewString()
	for _, p := range []string{far, none} {
		r.exec(`insert into people (id, email_mac, wrapped, sealed, state) values ($1, $2, 'b', 'c', 'active')`, p, []byte(p))
	}
	of := func(email, person string) string {
		o := r.sell(email, "en")
		r.exec(`update buyers set person_id = nullif($2, '')::uuid where id = (select buyer_id from orders where id = $1)`, o, person)
		r.pay(o)
		return o
	}
	ada := of("ada@example.org", "")
	of("ADA@example.org", "")
	off, early := of("off@example.org", ""), of("early@example.org", none)
	of("never@example.org", none)
	of("far@example.org", far)
	back := of("back@example.org", "")
	late := of("late@example.org", "")
	r.old()
	r.cancel(back, "")
	r.exec(`delete from river_job`)
	r.exec(`update orders set created_at = now() where id = $1`, late) // a moment ago: all is in the confirmation
	for _, set := range []error{settings.SetOrder(t.Context(), off, 0), settings.SetOrder(t.Context(), early, 2), settings.SetPerson(t.Context(), none, 0), settings.SetPerson(t.Context(), far, 14)} {
		if set != nil {
			t.Fatal(set)
		}
	}
	r.exec(`update performances set starts_at = now() + interval '20 days'`)
	r.remind()
	if n := r.count(`select count(*) from river_job where args->>'what' = 'reminder'`); n != 0 {
		t.Errorf("%d are reminded 20 days before", n)
	}
	if s, err := settings.OfOrder(t.Context(), ada); err != nil || s.Days != 2 || s.At == nil || s.At.Before(time.Now().Add(16*24*time.Hour)) {
		t.Errorf("ada is to be reminded %+v, %v", s, err)
	}
	r.exec(`update performances set starts_at = now() + interval '14 days 6 hours', doors_at = now() + interval '14 days 5 hours'`)
	r.remind()                                                                                  // it may be due, or be so in the morning
	if n := r.count(`select count(*) from river_job where args->>'what' = 'reminder'`); n > 1 { // who wants it so early, alone
		t.Errorf("%d are reminded 14 days before", n)
	}
	r.soon()
	r.exec(`delete from river_job where args->>'what' = 'change'`)
	r.remind()
	r.remind()
	r.again() // a job whose worker died is done again
	r.serve(r.done)
	got := r.heard()
	if len(got) != 3 {
		t.Errorf("there came %v", slices.Sorted(maps.Keys(got)))
	}
	for _, to := range []string{"ada@example.org", "early@example.org", "far@example.org"} { // the last one late: it was moved
		l, ok := got[to+": Soon: Gala"]
		if !ok {
			l, ok = got[strings.Replace(to, "ada", "ADA", 1)+": Soon: Gala"]
		}
		if !ok || !strings.Contains(l.Text, "Opera, Largo 1, Lisboa") || !strings.Contains(l.Text, "Doors open at ") || !strings.Contains(l.Text, "?reminder#key") {
			t.Errorf("%s reads %q", to, l.Text)
		}
	}
	if s, err := settings.OfOrder(t.Context(), off); err != nil || s.Days != 0 || s.At != nil {
		t.Errorf("who wants none is to be reminded %+v, %v", s, err)
	}
	if s, err := settings.OfPerson(t.Context(), far); err != nil || s.Days != 14 {
		t.Errorf("who wants it early is to be reminded %+v, %v", s, err)
	}
	for what, err := range map[string]error{"15 days": settings.SetOrder(t.Context(), ada, 15), "less than none": settings.SetPerson(t.Context(), far, -1)} {
		if !errors.Is(err, tidings.ErrDays) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := settings.SetOrder(t.Context(), uuid.NewString(), 1); !errors.Is(err, order.ErrUnknown) {
		t.Errorf("of an order that there is not: %v", err)
	}
}

// What is moved, postponed or over when the letter is to be written is not reminded of; of
// another date people are reminded again.
func TestNobodyIsRemindedOfWhatIsNotSo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sql  string
		want int
	}{
		"as it was": {``, 1}, "postponed": {`update performances set state = 'postponed'`, 0}, "over": {`update performances set starts_at = now() - interval '1 hour', doors_at = null`, 0},
		"begun by then": {`with p as (update performances set starts_at = now() - interval '1 hour', doors_at = null returning starts_at, venue_id)
			update river_job set args = args || (select jsonb_build_object('day', guide_date(p.starts_at, v.time_zone)::text) from p join venues v on v.id = p.venue_id) where args->>'what' = 'reminder'`, 0},
		"on another day": {`update performances set starts_at = starts_at + interval '5 days'`, 0}, "given to somebody": {`update tickets set holder = gen_random_uuid()`, 0}, "given back": {`update tickets set state = 'canceled'`, 0},
		"erased": {`update buyers set email = ''`, 0}, "to an address that refuses letters": {`insert into mail_marks (email_mac, kind, problem) values ('mac of ada@example.org', 'bounce', '550')`, 0},
		"to one beside it": {`insert into mail_marks (email_mac, kind, problem) values ('mac of ida@example.org', 'bounce', '550')`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.pay(r.sell("ada@example.org", "en"))
			r.soon()
			r.old()
			r.remind()
			if c.sql != "" {
				r.exec(c.sql)
			}
			r.exec(`delete from river_job where args->>'what' = 'change'`)
			r.serve(r.done)
			if n := len(r.box.Letters()); n != c.want {
				t.Errorf("there came %d letters, not %d", n, c.want)
			}
			if name == "on another day" {
				r.soon()
				r.exec(`update performances set starts_at = starts_at + interval '1 hour'`)
				r.exec(`update reminders set day = day - 1`) // as if it had been another
				r.exec(`delete from reminder_rounds`)
				r.exec(`delete from river_job where args->>'what' = 'change'`)
				r.remind()
				r.serve(r.done)
				if n := len(r.box.Letters()); n != 1 {
					t.Errorf("of the new date there came %d letters", n)
				}
			}
		})
	}
}

// Nobody is due of what will not be, or not so, of what is over or long ahead, and who was
// told by the confirmation, or has no address; who has said nothing is due two days before.
func TestWhoIsDueForAReminder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sql  string
		want int
	}{
		"as it is": {``, 1}, "postponed": {`update performances set state = 'postponed'`, 0}, "not public": {`update events set state = 'draft'`, 0},
		"begun": {`update performances set starts_at = now() - interval '1 minute', doors_at = null`, 0}, "in four days": {`update performances set starts_at = now() + interval '4 days', doors_at = null`, 0},
		"no address": {`update buyers set email = ''`, 0}, "bought since it was due": {`update orders set created_at = now()`, 0}, "not paid": {`update orders set state = 'canceled'`, 0},
		"of another day":    {`insert into reminders (performance_id, order_id, day) select performance_id, id, '2020-01-01' from orders`, 1},
		"told before":       {`insert into reminders (performance_id, order_id, day) select o.performance_id, o.id, guide_date(p.starts_at, v.time_zone) from orders o join performances p on p.id = o.performance_id join venues v on v.id = p.venue_id`, 0},
		"all were told":     {`insert into reminder_rounds (performance_id, day, days) select p.id, guide_date(p.starts_at, v.time_zone), 2 from performances p join venues v on v.id = p.venue_id`, 0},
		"others were told":  {`insert into reminder_rounds (performance_id, day, days) select p.id, guide_date(p.starts_at, v.time_zone) - n, 3 - n from performances p join venues v on v.id = p.venue_id cross join generate_series(0, 1) n`, 1},
		"others of the day": {`insert into reminder_rounds (performance_id, day, days) select gen_random_uuid(), guide_date(p.starts_at, v.time_zone), 2 from performances p join venues v on v.id = p.venue_id`, 1},
		"the day before":    {`update buyers set reminder_days = 1`, 0}, "three days before": {`update buyers set reminder_days = 3`, 1}, "not at all": {`update buyers set reminder_days = 0`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.pay(r.sell("ada@example.org", "en"))
			// It has been ten two days before, and will be the day before, whatever time it is now.
			r.exec(`update venues set time_zone = 'UTC'`)
			r.exec(`update performances set starts_at = date_trunc('day', now() - interval '10 hours') + interval '2 days 19 hours', doors_at = null`)
			r.old()
			if c.sql != "" {
				r.exec(c.sql)
			}
			r.exec(`delete from river_job`)
			r.remind()
			if n := r.count(`select count(*) from river_job where args->>'what' = 'reminder'`); n != c.want {
				t.Errorf("%d are reminded, want %d", n, c.want)
			}
			r.remind()
			if n := r.count(`select count(*) from river_job where args->>'what' = 'reminder'`); n != c.want {
				t.Errorf("%d are reminded when it is looked again, want %d", n, c.want)
			}
		})
	}
}

// Ten thousand who are due at once have a letter each, once, whoever else looks who is due;
// and a confirmation does not stand behind them.
func TestTenThousandAreRemindedAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const many = 10_000
	r.exec(`insert into buyers (id, email, language) select md5('b' || n)::uuid, 'fan-' || n || '@example.org', 'en' from generate_series(1, $1) n`, many)
	r.exec(`insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key, request_mac, units, amount, currency, method, state)
		select $1, md5('a' || n)::uuid, gen_random_uuid(), 's', gen_random_uuid()::text, '', 'k', '', array[n + 100], 4500, 'EUR', 'm', 'done' from generate_series(1, $2) n`, r.show.ID, many)
	r.exec(`insert into orders (performance_id, id, sale_id, session_id, place_id, attempt_id, buyer_id, state, amount, currency)
		select $1, md5('o' || n)::uuid, 's', '', '', md5('a' || n)::uuid, md5('b' || n)::uuid, 'paid', 4500, 'EUR' from generate_series(1, $2) n`, r.show.ID, many)
	r.exec(`insert into tickets (performance_id, id, order_id, unit, tier_id, label, amount, currency, state, code)
		select $1, gen_random_uuid(), md5('o' || n)::uuid, n + 100, (select id from tiers limit 1), '', 4500, 'EUR', 'valid', gen_random_uuid()::text from generate_series(1, $2) n`, r.show.ID, many)
	r.soon()
	r.old()
	r.exec(`analyze buyers, orders, tickets, attempts`) // which Postgres does by itself, when it comes to it
	began := time.Now()
	var g errgroup.Group
	for range 3 {
		g.Go(func() error { return tidings.NewReminder(r.db, slog.New(slog.DiscardHandler)).Remind(t.Context()) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	r.remind() // whoever found somebody else at it has gone away
	t.Logf("who is reminded was found out in %v", time.Since(began))
	if all, orders := r.count(`select count(*) from river_job`), r.count(`select count(distinct args->>'order') from river_job where queue = 'bulk'`); all != many || orders != many {
		t.Fatalf("%d letters are to be written to %d, want %d", all, orders, many)
	}
	waits := r.sell("waits@example.org", "en")
	var posted time.Time
	sold := false
	r.serve(func() bool {
		if !sold && r.count(`select count(*) from mails`) > 50 { // they are being written
			r.pay(waits)
			posted, sold = time.Now(), true
		}
		return sold && r.count(`select count(*) from mails where cause like 'confirmation:%' and state = 'sent'`) == 1
	})
	left := r.count(`select count(*) from river_job where state <> 'completed' and queue = 'bulk'`)
	t.Logf("a confirmation beside them took %v, with %d to go", time.Since(posted), left)
	if left < many/2 {
		t.Errorf("only %d were to go", left)
	}
	// Of the rest a part is written at once: all of them take half a minute.
	rows, err := r.db.Query(t.Context(), `select args->>'order', args->>'day' from river_job where args->>'what' = 'reminder' order by id limit 2000`)
	if err != nil {
		t.Fatal(err)
	}
	causes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c mail.Cause, err error) {
		c.What, c.Performance = "reminder", string(r.show.ID)
		return c, row.Scan(&c.Order, &c.Day)
	})
	if err != nil {
		t.Fatal(err)
	}
	var rest errgroup.Group
	rest.SetLimit(8)
	for _, c := range causes {
		rest.Go(func() error { return r.writer.Write(t.Context(), c) })
	}
	if err := rest.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := r.count(`select count(*) from mails where cause like 'reminder:%'`); n != len(causes) {
		t.Errorf("%d letters were written, want %d", n, len(causes))
	}
	t.Logf("these were written in %v", time.Since(began))
}
