package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/internal/bench"
)

// desk is a private Postgres with one performance to sell.
type desk struct {
	server *bench.Postgres
	shows  *catalogue.Store
	orders *order.Store
	sale   ropeline.Sale
	show   ropeline.PerformanceID
	tier   catalogue.Tier
	sold   int // orders that there must be; each has two tickets, of the next units
}

// hall is how many units there are to sell.
type hall struct{ seats, general int }

// endless has more places than any bench sells.
var endless = hall{general: 4_000_000}

func newDesk(ctx context.Context, sells hall, out io.Writer) (d *desk, err error) {
	d = &desk{}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if d.server, err = bench.StartPostgres(ctx); err != nil {
		return d, err
	}
	shows := catalogue.New(d.server.Pool, time.Now)
	opens := time.Now().UTC().Truncate(time.Second)
	d.sale, err = shows.Seed(ctx, catalogue.Plan{
		Sale: ropeline.Sale{
			ID: "bench", Version: 1, Title: "Bench", LobbyClosesAt: opens.Add(-time.Second), OpensAt: opens, EndsAt: opens.Add(time.Hour),
			Cap: 10, Rate: 60, ClaimWindow: 60, TokenLife: 60, SessionMax: 1800, Hold: 600, UnitsPerHold: 6,
		},
		Venue: "Bench", StartsAt: opens.Add(time.Hour), Seats: sells.seats, General: sells.general,
	})
	if err != nil {
		return d, err
	}
	p, err := shows.Performance(ctx, d.sale.Performances[0])
	if err != nil {
		return d, err
	}
	d.shows, d.orders, d.show, d.tier = shows, order.NewStore(d.server.Pool, shows), p.Map.ID, p.Map.Tiers[0]
	var version, commit string
	err = d.server.Pool.QueryRow(ctx, `select current_setting('server_version'), current_setting('synchronous_commit')`).Scan(&version, &commit)
	fmt.Fprintf(out, "Postgres %s, synchronous_commit %s\n", version, commit)
	return d, err
}

// Close stops the Postgres and removes what it wrote.
func (d *desk) Close() error {
	if d.orders != nil {
		d.orders.Close()
	}
	if d.server == nil {
		return nil
	}
	return d.server.Close()
}

// sale is an attempt to buy two units, and the order that comes of it.
type sale struct {
	order.Attempt
	order order.Order
}

// draft draws up so many sales of the next units.
func (d *desk) draft(n int) ([]sale, error) {
	sales := make([]sale, n)
	for i := range sales {
		var ids [6]string
		for k := range ids {
			var err error
			if ids[k], err = booking.NewID(); err != nil {
				return nil, err
			}
		}
		total := booking.Money{Amount: 2 * d.tier.Price.Amount, Currency: d.tier.Price.Currency}
		s := sale{
			Attempt: order.Attempt{ID: ids[0], Performance: d.show, Hold: ids[1], Sale: "bench", Session: ids[2], Place: "place",
				Key: ids[2], MAC: make([]byte, 32), Amount: total, Method: "sandbox_ok", Ref: "ref"},
			order: order.Order{ID: ids[3], Performance: d.show, Sale: "bench", Total: total, Email: "fan@example.org"},
		}
		for k := range 2 {
			unit := 2*(d.sold+i) + k
			s.Units = append(s.Units, unit)
			s.order.Tickets = append(s.order.Tickets, order.Ticket{ID: ids[4+k], Unit: unit, Label: fmt.Sprint("Standing-", unit), Tier: d.tier.ID,
				Price: d.tier.Price, Code: fmt.Sprintf("%016x%s", uint32(unit)*2654435761, ids[3][20:])})
		}
		sales[i] = s
	}
	return sales, nil
}

// each does something with every sale, so many at a time, and returns how long
// all took.
func each(ctx context.Context, sales []sale, callers int, do func(context.Context, sale) error) (time.Duration, error) {
	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for c := range callers {
		g.Go(func() error {
			for i := c; i < len(sales); i += callers {
				if err := do(ctx, sales[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := g.Wait()
	return time.Since(began), err
}

func (d *desk) start(ctx context.Context, s sale) error {
	started, err := d.orders.Start(ctx, s.Attempt)
	if err == nil && !started {
		err = errors.New("an attempt was in the way of another")
	}
	return err
}

func (d *desk) record(ctx context.Context, s sale) error {
	return d.orders.Record(ctx, s.Attempt, &s.order)
}

// purchase takes all steps that are written.
func (d *desk) purchase(ctx context.Context, s sale) error {
	for _, do := range []func() error{
		func() error { return d.start(ctx, s) },
		func() error { return d.record(ctx, s) },
		func() error { _, err := d.orders.Paid(ctx, s.Attempt); return err },
		func() error { return d.orders.Done(ctx, s.Attempt) },
	} {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// count checks that so many more orders are there, with all that belongs to each.
func (d *desk) count(ctx context.Context, more int, w work) error {
	d.sold += more
	var orders, tickets, ledger, attempts int
	err := d.server.Pool.QueryRow(ctx, `select (select count(*) from orders), (select count(*) from tickets),
		(select count(*) from order_ledger), (select count(*) from attempts where state = $1)`, w.state).Scan(&orders, &tickets, &ledger, &attempts)
	if err == nil && (orders != d.sold || tickets != 2*d.sold || ledger != w.entries*d.sold || attempts != d.sold) {
		err = fmt.Errorf("%d orders, %d tickets, %d entries of the ledger, %d attempts %s; want those of %d orders",
			orders, tickets, ledger, attempts, w.state, d.sold)
	}
	return err
}
