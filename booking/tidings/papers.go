package tidings

import (
	"context"
	"errors"
	"fmt"

	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/paper"
)

// mostPDF is how many bytes of tickets go with a letter: many mail servers take 10 MB, and what
// is enclosed grows by a third. A thousand tickets are fewer.
const mostPDF = 5 << 20

// Papers makes what goes with a confirmation: the order's tickets and its entry for a calendar,
// as they are when it is sent. It is a mail.Encloser.
type Papers struct {
	orders *order.Store
	papers *paper.Store
}

// NewPapers returns Papers.
func NewPapers(o *order.Store, p *paper.Store) *Papers { return &Papers{o, p} }

// Enclose makes the files of an order. Of one that has no valid ticket any more there are none.
func (p *Papers) Enclose(ctx context.Context, id string) ([]mail.Enclosure, error) {
	o, err := p.orders.Order(ctx, id)
	if err != nil {
		return nil, err
	}
	tickets, err := p.papers.PDF(ctx, o)
	if errors.Is(err, paper.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("drawing tickets: %w", err)
	}
	entry, err := p.papers.Calendar(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("writing a calendar entry: %w", err)
	}
	all := []mail.Enclosure{{Name: "tickets.pdf", Type: "application/pdf", Content: tickets}, {Name: "calendar.ics", Type: "text/calendar; charset=utf-8; method=PUBLISH", Content: entry}}
	if len(tickets) > mostPDF {
		all = all[1:]
	}
	return all, nil
}
