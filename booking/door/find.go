package door

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/ticket"
)

// mostFound is how many tickets a look-up shows: whoever has more asks more closely.
const mostFound = 20

// Found is a ticket that staff have looked up.
type Found struct {
	Ticket string       `json:"ticket"`
	Order  string       `json:"order"`
	State  ticket.State `json:"state"`
	Seat   string       `json:"seat,omitempty"`
	Tier   string       `json:"tier"`
	Holder string       `json:"holder,omitempty" doc:"the name that the ticket bears, or the address of who has it"`
	Used   *Use         `json:"used,omitempty" doc:"the last scan that let it in or out"`
	Inside bool         `json:"inside"`
}

// Find looks tickets of a performance up by the beginning of their holder's address, a part of the name that
// they bear, by seat, or by the number of ticket or order (its first eight characters will do): 20 at most.
func (s *Store) Find(ctx context.Context, id ropeline.PerformanceID, q string) ([]Found, error) {
	q = strings.ToLower(strings.TrimSpace(q))
	if len([]rune(q)) < 2 || len([]rune(q)) > 254 || !booking.IsPlain(q) {
		return nil, badScan("Look for 2 to 254 characters of an address, a seat or a number.")
	}
	rows, err := s.db.Query(ctx, `
		select k.id::text, k.order_id::text, k.state, k.label, r.name, coalesce(nullif(k.name, ''), x.email, b.email), d.scan_id::text, d.at, coalesce(d.door, ''), coalesce(d.who, ''), coalesce(d.inside, false)
		from tickets k join tiers r on r.performance_id = k.performance_id and r.id = k.tier_id
			join orders o on o.performance_id = k.performance_id and o.id = k.order_id join buyers b on b.id = o.buyer_id
			left join transfers x on x.id = k.holder
			left join lateral (select scan_id, at, door, who, inside from door_entries d where d.performance_id = k.performance_id and d.ticket_id = k.id order by at desc limit 1) d on true
		where k.performance_id = $1 and (starts_with(lower(coalesce(x.email, b.email)), $2) or k.name <> '' and strpos(lower(k.name), $2) > 0 or lower(k.label) = $2
			or length($2) >= 8 and (starts_with(k.id::text, $2) or starts_with(k.order_id::text, $2)))
		order by k.state <> 'valid', b.email, k.unit limit $3`, id, q, mostFound)
	if err != nil {
		return nil, away("looking tickets up of", id, err)
	}
	found, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (f Found, err error) {
		var (
			scan *string
			at   *time.Time
			u    Use
		)
		if err := r.Scan(&f.Ticket, &f.Order, &f.State, &f.Seat, &f.Tier, &f.Holder, &scan, &at, &u.Door, &u.Who, &f.Inside); err != nil {
			return f, err
		}
		if scan != nil && at != nil {
			u.Scan, u.At = *scan, at.UTC()
			f.Used = &u
		}
		return f, nil
	})
	return found, away("looking tickets up of", id, err)
}

// Uses are when and where tickets of a performance were let in first, by their ids.
func (s *Store) Uses(ctx context.Context, id ropeline.PerformanceID, order string) (map[string]Use, error) {
	rows, err := s.db.Query(ctx, `select distinct on (d.ticket_id) d.ticket_id::text, d.scan_id::text, d.at, d.door, d.who
		from tickets k join door_entries d on d.performance_id = k.performance_id and d.ticket_id = k.id
		where k.performance_id = $1 and k.order_id = $2 order by d.ticket_id, d.at`, id, order)
	if err != nil {
		return nil, away("reading who came in of", order, err)
	}
	uses := map[string]Use{}
	_, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (of string, err error) {
		var u Use
		err = r.Scan(&of, &u.Scan, &u.At, &u.Door, &u.Who)
		u.At = u.At.UTC()
		uses[of] = u
		return of, err
	})
	return uses, away("reading who came in of", order, err)
}
