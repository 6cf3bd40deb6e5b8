package paper_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline/booking/paper"
	"github.com/ropeline/ropeline/booking/tariff"
)

// A page says what may be done with its ticket, by the organizer's rules and the clocks of the venue.
func TestAPageSaysWhatMayBeDoneWithItsTicket(t *testing.T) {
	t.Parallel()
	e := paper.Occasion{StartsAt: time.Date(2030, 5, 1, 19, 0, 0, 0, time.UTC), Zone: "Europe/Lisbon"}
	for want, rules := range map[string]tariff.Tariff{
		"cannot be canceled. Tickets cannot be exchanged for others. Tickets cannot be given to others.": {},
		"Tickets can be given to others on their page until Monday, 29 April 2030, 20:00 WEST;":          {Transfer: tariff.Transfer{Before: 2 * 86_400}},
		"Tickets can be canceled on the page of the order until Tuesday, 30 April 2030, 20:00 WEST.":     {Refund: tariff.Refund{Before: 86_400}},
	} {
		if got := strings.Join(e.Rules(rules), " "); !strings.Contains(got, want) {
			t.Errorf("it says %q, without %q", got, want)
		}
	}
}
