package order

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// Mine is an order in the list of a person's.
type Mine struct {
	ID          string                 `json:"id"`
	Performance ropeline.PerformanceID `json:"performance"`
	Event       string                 `json:"event" doc:"its title"`
	Venue       string                 `json:"venue" doc:"its name"`
	StartsAt    time.Time              `json:"starts_at"`
	TimeZone    string                 `json:"time_zone" doc:"of the venue, as Europe/Lisbon"`
	Show        string                 `json:"show" enum:"scheduled,postponed,canceled" doc:"how the performance stands"`
	State       State                  `json:"state" enum:"paid,pending,canceled"`
	Total       booking.Money          `json:"total"`
	CreatedAt   time.Time              `json:"created_at"`
	Tickets     int                    `json:"tickets"`
	Good        int                    `json:"good" doc:"how many of them are valid"`
	Unused      bool                   `json:"unused" doc:"some are valid, and the performance is neither over nor canceled"`

	cursor string
}

// showLasts is how long tickets are taken for unused after a performance has begun.
const showLasts = "6 hours"

// OfPerson lists the orders of an account: first those with unused tickets, by when their
// performances begin, then the others, the newest first.
func (s *Store) OfPerson(ctx context.Context, person string, p booking.Page) (page []Mine, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := parsePlace(p.Cursor)
	if err != nil {
		return nil, "", err
	}
	rows, err := s.db.Query(ctx, `
		with mine as (
			select o.id, o.performance_id, e.title, v.name, p.starts_at, v.time_zone, p.state as show, o.state, o.amount, o.currency, o.created_at, t.all_, t.good,
				t.good > 0 and (p.state = 'postponed' or p.state = 'scheduled' and p.starts_at > now() - interval '`+showLasts+`') as unused
			from buyers b join orders o on o.buyer_id = b.id
			join performances p on p.id = o.performance_id join events e on e.id = p.event_id join venues v on v.id = p.venue_id
			cross join lateral (select count(*) as all_, count(*) filter (where state = 'valid' and holder is null) as good
				from tickets t where t.performance_id = o.performance_id and t.order_id = o.id) t
			where b.person_id = $1
		), placed as (
			select *, case when unused then 0 else 1 end as part,
				(extract(epoch from case when unused then starts_at else created_at end) * 1000000)::bigint * case when unused then 1 else -1 end as at
			from mine
		)
		select id, performance_id, title, name, starts_at, time_zone, show, state, amount, currency, created_at, all_, good, unused, part || '.' || at || '.' || id
		from placed where $2::uuid is null or (part, at, id) > ($3::integer, $4::bigint, $2::uuid)
		order by part, at, id limit $5`, person, after.id, after.part, after.at, size+1)
	if err != nil {
		return nil, "", away("listing the orders of", person, err)
	}
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (m Mine, err error) {
		err = r.Scan(&m.ID, &m.Performance, &m.Event, &m.Venue, &m.StartsAt, &m.TimeZone, &m.Show, &m.State, &m.Total.Amount, &m.Total.Currency, &m.CreatedAt, &m.Tickets, &m.Good, &m.Unused, &m.cursor)
		m.StartsAt, m.CreatedAt = m.StartsAt.UTC(), m.CreatedAt.UTC()
		return m, err
	})
	if err != nil {
		return nil, "", away("listing the orders of", person, err)
	}
	page, next = booking.Cut(all, size, func(m Mine) string { return m.cursor })
	return page, next, nil
}

// place is where a page of OfPerson begins.
type place struct {
	part int
	at   int64
	id   *string // nil: at the beginning
}

func parsePlace(cursor string) (p place, err error) {
	if cursor == "" {
		return p, nil
	}
	where, id, _ := strings.Cut(strings.Replace(cursor, ".", " ", 1), ".")
	if n, err := fmt.Sscanf(where, "%d %d", &p.part, &p.at); err != nil || n != 2 || p.part < 0 || p.part > 1 || !booking.IsID(id) {
		return p, booking.ErrPage
	}
	p.id = &id
	return p, nil
}

// Claim gives an account what its address, which has to be confirmed, has bought as a
// guest, and says how many orders that were. What others have given it goes along.
func (s *Store) Claim(ctx context.Context, person, email string) (n int64, err error) {
	tag, err := s.db.Exec(ctx, `
		with known as materialized (select id from people where id = $1 and state = 'active' for share),
		got as (
			update transfers t set person_id = known.id from known where t.person_id is null and t.state = 'accepted' and lower(t.email) = lower($2)
		)
		update buyers b set person_id = known.id from known where b.person_id is null and b.email <> '' and lower(b.email) = lower($2)`, person, email)
	if err != nil {
		return 0, away("claiming the orders of", person, err)
	}
	return tag.RowsAffected(), nil
}
