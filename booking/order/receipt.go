package order

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/tariff"
	"github.com/ropeline/ropeline/booking/ticket"
)

// Receipt is what an order cost, ticket by ticket, and what went back.
type Receipt struct {
	Order         Order
	Show          *catalogue.Map
	Parts         []tariff.Part // of each ticket, in their order
	Back          []int64       // for each, what canceling it now, with those before it, would give back
	Closes        time.Time     // until when buyers may cancel; zero: they may not
	Cancellations []Cancellation

	From, To       []Exchanged // orders that this one was exchanged for, and those that were exchanged for it
	ExchangeCloses time.Time   // until when buyers may exchange; zero: they may not
}

// Receipt draws up an order's receipt.
func (d *Desk) Receipt(ctx context.Context, id string) (Receipt, error) {
	o, err := d.store.Order(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	p, err := d.catalogue.Performance(ctx, o.Performance)
	if err != nil {
		return Receipt{}, err
	}
	rates := p.Map.Tariff
	r := Receipt{Order: o, Show: p.Map, Closes: rates.Closes(p.Map.StartsAt), ExchangeCloses: rates.ExchangeCloses(p.Map.StartsAt), Back: make([]int64, len(o.Tickets))}
	if r.Parts, err = rates.Split(o.Total.Amount, o.Fee, column(o.Tickets, func(t Ticket) int64 { return t.Price.Amount })); err != nil {
		return Receipt{}, err
	}
	left, err := owing(ctx, d.store.db, o)
	if err != nil {
		return Receipt{}, away("reading what is owing of", o.ID, err)
	}
	for i, k := range o.Tickets {
		if k.State != ticket.Valid || !d.now().Before(r.Closes) {
			continue
		}
		part := r.Parts[i]
		part.Paid = min(part.Paid, left)
		part.Fee = min(part.Fee, part.Paid)
		left -= part.Paid
		r.Back[i] = rates.Refund.Cancel(part).Refund
	}
	if r.Cancellations, err = d.store.Cancellations(ctx, o); err != nil {
		return Receipt{}, err
	}
	r.From, r.To, err = d.store.exchanges(ctx, o)
	return r, err
}

// LedgerEntry is a row of the ledger.
type LedgerEntry struct {
	ID     int64     `json:"id"`
	Entry  string    `json:"entry"`
	Ticket string    `json:"ticket,omitempty" doc:"that it is about; left out: the whole order"`
	Amount int64     `json:"amount"`
	Who    string    `json:"who" doc:"system, buyer, or staff: and a name"`
	Tender Tender    `json:"tender,omitempty" enum:"cash,terminal,complimentary" doc:"of money that moved at the counter"`
	At     time.Time `json:"at"`
}

// Ledger reads what happened to an order.
func (s *Store) Ledger(ctx context.Context, o Order, p booking.Page) (page []LedgerEntry, next string, err error) {
	size, err := p.Size()
	if err != nil {
		return nil, "", err
	}
	after := int64(0)
	if p.Cursor != "" {
		if after, err = strconv.ParseInt(p.Cursor, 10, 64); err != nil || after < 1 {
			return nil, "", booking.ErrPage
		}
	}
	rows, err := s.db.Query(ctx, `select id, entry, coalesce(ticket_id::text, ''), amount, who, tender, at from order_ledger
		where performance_id = $1 and order_id = $2 and id > $3 order by id limit $4`, o.Performance, o.ID, after, size+1)
	if err != nil {
		return nil, "", away("reading the ledger of", o.ID, err)
	}
	entries, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (e LedgerEntry, err error) {
		err = r.Scan(&e.ID, &e.Entry, &e.Ticket, &e.Amount, &e.Who, &e.Tender, &e.At)
		e.At = e.At.UTC()
		return e, err
	})
	if err != nil {
		return nil, "", away("reading the ledger of", o.ID, err)
	}
	page, next = booking.Cut(entries, size, func(e LedgerEntry) string { return strconv.FormatInt(e.ID, 10) })
	return page, next, nil
}
