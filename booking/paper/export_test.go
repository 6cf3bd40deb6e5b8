package paper

import (
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/tariff"
)

// Print writes tickets of an event that nobody has read.
func (e Occasion) Print(o order.Order, picture []byte, page string) ([]byte, error) {
	return e.pdf(o, o.Tickets, picture, page)
}

// Note writes the calendar entry of such.
func (e Occasion) Note(o order.Order, page string) ([]byte, error) {
	return e.calendar(o, o.Tickets, page)
}

// Rules are what a page says of what may be done with its ticket.
func (e Occasion) Rules(t tariff.Tariff) []string { return (&pdf{event: e.Under(t)}).rules() }

// Under is an event with other rules.
func (e Occasion) Under(t tariff.Tariff) Occasion {
	e.rules = t
	return e
}
