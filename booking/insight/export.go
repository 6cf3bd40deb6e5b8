package insight

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking/order"
)

// Orders writes a line for each order of performances. With mails it says who bought.
func (s *Store) Orders(ctx context.Context, of []Show, mails bool) (*File, error) {
	return s.write(ctx, "orders.csv", func(ctx context.Context, w io.Writer) error {
		head := []string{"performance", "title", "venue", "starts_at", "sale", "order", "placed_at", "state", "tender", "tickets", "canceled", "seats", "currency", "prices", "discount", "amount", "fee"}
		if mails {
			head = append(head, "email")
		}
		t, err := newTable(w, head...)
		if err != nil {
			return away("writing orders of", ids(of), err)
		}
		return s.snapshot(ctx, "writing orders of", ids(of), func(tx pgx.Tx) error { return t.orders(ctx, tx, of, mails) })
	})
}

func (t table) orders(ctx context.Context, tx pgx.Tx, of []Show, mails bool) error {
	rows, err := tx.Query(ctx, `
		select p.id::text, e.title, v.name, p.starts_at, o.sale_id, o.id::text, o.created_at, o.state, o.tender,
			k.live, k.gone, coalesce(k.seats, ''), o.currency, coalesce(k.prices, 0), o.amount, o.fee, case when $2 then b.email else '' end
		from orders o join performances p on p.id = o.performance_id join events e on e.id = p.event_id join venues v on v.id = p.venue_id
		join buyers b on b.id = o.buyer_id
		cross join lateral (select count(*) filter (where state <> 'canceled') live, count(*) filter (where state = 'canceled') gone,
			string_agg(label, ', ' order by unit) seats, sum(amount)::bigint prices from tickets where performance_id = o.performance_id and order_id = o.id) k
		where o.performance_id = any($1) order by p.starts_at, p.id, o.id`, ids(of), mails)
	if err != nil {
		return err
	}
	var performance, title, venue, sale, id, state, tender, seats, currency, email string
	var starts, placed time.Time
	var live, gone int
	var prices, amount, fee int64
	_, err = pgx.ForEachRow(rows, []any{&performance, &title, &venue, &starts, &sale, &id, &placed, &state, &tender, &live, &gone, &seats, &currency, &prices, &amount, &fee, &email}, func() error {
		line := []string{performance, Harmless(title), Harmless(venue), instant(starts), sale, id, instant(placed), state, tender,
			strconv.Itoa(live), strconv.Itoa(gone), Harmless(seats), currency}
		line = append(line, money(currency, prices, prices-amount, amount, fee)...)
		if mails {
			line = append(line, Harmless(email))
		}
		return t.w.Write(line)
	})
	return t.end(err)
}

// Accounts writes what each order of performances came to: the lines of a performance are
// its settlement, to the cent.
func (s *Store) Accounts(ctx context.Context, of []Show) (*File, error) {
	return s.write(ctx, "accounting.csv", func(ctx context.Context, w io.Writer) error {
		t, err := newTable(w, "performance", "title", "starts_at", "account", "order", "placed_at", "currency", "taken", "cash", "terminal", "exchanged",
			"refunded", "to_refund", "disputed", "dispute_fees", "fee", "tax", "owed", "net")
		if err != nil {
			return away("writing the accounts of", ids(of), err)
		}
		return s.snapshot(ctx, "writing the accounts of", ids(of), func(tx pgx.Tx) error {
			return t.end(order.EachSettled(ctx, tx, ids(of), func(o order.SettledOrder) error {
				line := []string{string(o.Performance), Harmless(o.Title), instant(o.StartsAt), o.Account, o.Order, instant(o.PlacedAt), o.Currency}
				return t.w.Write(append(line, money(o.Currency, o.Taken, o.Cash, o.Terminal, o.Exchanged, o.Refunded, o.ToRefund, o.Disputed, o.Charged, o.Fee, o.Tax, o.Owed, o.Net)...))
			}))
		})
	})
}

// end is what became of a table.
func (t table) end(err error) error {
	t.w.Flush()
	if err == nil {
		err = t.w.Error()
	}
	return err
}

func instant(at time.Time) string { return at.UTC().Format(time.RFC3339) }
