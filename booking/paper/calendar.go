package paper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	ics "github.com/arran4/golang-ical"

	"github.com/ropeline/ropeline/booking/order"
)

// Calendar writes an order's entry for a calendar (RFC 5545). It is of the same id always,
// and its sequence goes up with what is changed, so that a calendar that has it takes the
// newer one. Times are UTC: no calendar has to know the venue's clocks. It has no key of
// the order: calendars are shared. An order without valid tickets makes an entry that
// takes itself off. Errors: ErrPending.
func (s *Store) Calendar(ctx context.Context, o order.Order) ([]byte, error) {
	tickets, err := valid(o)
	if err != nil && !errors.Is(err, ErrNone) {
		return nil, err
	}
	e, err := s.Occasion(ctx, o.Performance)
	if err != nil {
		return nil, err
	}
	return e.calendar(o, tickets, s.page(o))
}

func (e Occasion) calendar(o order.Order, tickets []order.Ticket, page string) ([]byte, error) {
	entry := ics.NewEvent("order-" + o.ID + "@ropeline")
	entry.SetDtStampTime(o.CreatedAt)
	entry.SetSequence(e.sequence + len(o.Tickets) - len(tickets))
	entry.SetStartAt(e.StartsAt)
	if e.EndsAt != nil {
		entry.SetEndAt(*e.EndsAt)
	}
	entry.SetSummary(line(e.Title))
	entry.SetLocation(line(strings.Join(append([]string{e.Venue}, e.place()...), ", ")))
	if e.Latitude != nil && e.Longitude != nil {
		entry.SetGeo(fmt.Sprintf("%.6f", *e.Latitude), fmt.Sprintf("%.6f", *e.Longitude))
	}
	entry.SetDescription(e.says(o, tickets))
	entry.SetStatus(ics.ObjectStatusConfirmed)
	switch {
	case e.State == "canceled" || len(tickets) == 0:
		entry.SetStatus(ics.ObjectStatusCancelled)
	case e.State == "postponed":
		entry.SetStatus(ics.ObjectStatusTentative)
	}
	if page != "" {
		entry.SetURL(page)
	}
	c := ics.NewCalendarFor("Ropeline")
	c.SetProductId("-//Ropeline//Tickets//EN")
	c.SetMethod(ics.MethodPublish)
	c.AddVEvent(entry)
	var b bytes.Buffer
	if err := c.SerializeTo(&b, ics.WithNewLineWindows); err != nil { // which is the standard's, too
		return nil, fmt.Errorf("writing a calendar entry of %s: %w", o.ID, err)
	}
	return b.Bytes(), nil
}

// says is a line for each ticket, and when doors open.
func (e Occasion) says(o order.Order, tickets []order.Ticket) string {
	var lines []string
	if e.State == "postponed" {
		lines = append(lines, "Postponed: the new date is not known yet.")
	}
	if e.DoorsAt != nil {
		lines = append(lines, "Doors "+e.DoorsAt.In(e.zone()).Format("15:04 MST"))
	}
	for _, t := range tickets {
		seat := e.Tiers[t.Tier]
		if t.Label != "" {
			seat = t.Label + ", " + seat
		}
		lines = append(lines, line(seat))
	}
	return strings.Join(append(lines, "Order "+o.ID), "\n")
}
