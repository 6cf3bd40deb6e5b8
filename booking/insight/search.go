package insight

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/order"
)

// Sold is an order as staff find it.
type Sold struct {
	ID          string                 `json:"id"`
	Performance ropeline.PerformanceID `json:"performance"`
	PlacedAt    time.Time              `json:"placed_at"`
	State       string                 `json:"state" enum:"pending,paid,canceled"`
	Tender      string                 `json:"tender,omitempty" enum:"cash,terminal,complimentary" doc:"how it was paid at the counter"`
	Amount      booking.Money          `json:"amount"`
	Email       string                 `json:"email,omitempty" doc:"left out of what was bought at the counter without one"`
	Tickets     []SoldTicket           `json:"tickets"`
}

// SoldTicket is a ticket of it.
type SoldTicket struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	State string `json:"state"`
}

// Wanted is which orders of a performance are looked for; what is empty does not matter.
type Wanted struct {
	Email  string    // as it was typed, or a part of it
	Seat   string    // a part of its label
	State  string    // of the order
	Since  time.Time // that were placed then or later
	Before time.Time // that were placed before
}

// ErrSearch refuses what no order can have.
var ErrSearch = &ropeline.Error{Kind: ropeline.Invalid, Code: "search-invalid", Detail: "Look for an address or a seat of 100 characters at most, and times as in 2026-11-27T10:00:00Z."}

// part makes a pattern of a text, in which nothing means anything but itself.
func part(text string) (string, error) {
	if len(text) > 100 || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return "", ErrSearch
	}
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.TrimSpace(text)) + "%", nil
}

const soldColumns = `o.id::text, o.performance_id, o.created_at, o.state, o.tender, o.amount, o.currency, b.email,
	(select coalesce(jsonb_agg(jsonb_build_object('id', k.id, 'label', k.label, 'state', k.state) order by k.unit), '[]') from tickets k where k.performance_id = o.performance_id and k.order_id = o.id)
	from orders o join buyers b on b.id = o.buyer_id `

func scanSold(r pgx.CollectableRow) (o Sold, err error) {
	err = r.Scan(&o.ID, &o.Performance, &o.PlacedAt, &o.State, &o.Tender, &o.Amount.Amount, &o.Amount.Currency, &o.Email, &o.Tickets)
	o.PlacedAt = o.PlacedAt.UTC()
	return o, err
}

// Find lists orders of a performance, the newest first.
func (s *Store) Find(ctx context.Context, id ropeline.PerformanceID, w Wanted, p booking.Page) (page []Sold, next string, err error) {
	if !booking.IsID(string(id)) {
		return nil, "", catalogue.ErrPerformanceUnknown
	}
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	after, err := p.After()
	if err != nil {
		return nil, "", err
	}
	email, err := part(w.Email)
	if err != nil {
		return nil, "", err
	}
	seat, err := part(w.Seat)
	if err != nil {
		return nil, "", err
	}
	rows, err := s.db.Query(ctx, `select `+soldColumns+`
		where o.performance_id = $1 and ($2::uuid is null or o.id < $2) and ($3 = '' or o.state = $3) and ($4::timestamptz is null or o.created_at >= $4) and ($5::timestamptz is null or o.created_at < $5)
			and ($6 = '%%' or b.email ilike $6)
			and ($7 = '%%' or exists (select from tickets k where k.performance_id = o.performance_id and k.order_id = o.id and k.label ilike $7))
		order by o.id desc limit $8`, id, after, w.State, moment(w.Since), moment(w.Before), email, seat, size+1)
	if err != nil {
		return nil, "", away("looking for orders of", id, err)
	}
	list, err := pgx.CollectRows(rows, scanSold)
	if err != nil {
		return nil, "", away("looking for orders of", id, err)
	}
	page, next = booking.Cut(list, size, func(o Sold) string { return o.ID })
	return page, next, nil
}

// Order finds an order by its id alone.
func (s *Store) Order(ctx context.Context, id string) (Sold, error) {
	if !booking.IsID(id) {
		return Sold{}, order.ErrUnknown
	}
	rows, err := s.db.Query(ctx, `select `+soldColumns+` where o.id = $1`, id)
	if err != nil {
		return Sold{}, away("reading order", id, err)
	}
	o, err := pgx.CollectExactlyOneRow(rows, scanSold)
	if errors.Is(err, pgx.ErrNoRows) {
		return Sold{}, order.ErrUnknown
	}
	if err != nil {
		return Sold{}, away("reading order", id, err)
	}
	return o, nil
}

// moment is a time, nil for none.
func moment(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
