package main

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/ropeline/ropeline/booking/order"
)

// transferOperations give a ticket of an order to somebody else.
func (s *shop) transferOperations() []operation {
	ticket := func(b *buyer) string { return "/api/v1/tickets/" + fmt.Sprint(b.tickets[0]) }
	as := func(b *buyer, method, path string, body any) (int, map[string]any) {
		return s.do(&buyer{token: b.link}, method, path, body, "")
	}
	offer := func(b *buyer) int {
		status, answer := as(b, http.MethodPost, ticket(b)+"/transfer", map[string]any{"email": "fan@example.org"}) // the address that all buyers have: one is written to
		if id, ok := answer["id"].(string); ok {
			b.transfer = id
		}
		return status
	}
	recall := func(b *buyer) int {
		status, _ := as(b, http.MethodDelete, ticket(b)+"/transfer", nil)
		return status
	}
	rename := func(b *buyer) int {
		status, _ := as(b, http.MethodPut, ticket(b)+"/name", map[string]any{"name": "Ada"})
		return status
	}
	theirs := func(what string, body any) func(*buyer) int { // with the link of who is asked
		return func(b *buyer) int {
			status, _ := s.do(&buyer{token: order.Links(s.links).Key(b.transfer)}, http.MethodPost, "/api/v1/transfers/"+b.transfer+"/"+what, body, "")
			return status
		}
	}
	accept, refuse, back := theirs("accept", map[string]any{"name": "Bert"}), theirs("refuse", struct{}{}), theirs("return", struct{}{})
	after := func(steps ...func(*buyer) int) func(*buyer) {
		return func(b *buyer) {
			s.bought(b)
			for _, step := range steps {
				if status := step(b); status != http.StatusOK {
					s.t.Fatalf("on the way to a transfer: %d", status)
				}
			}
		}
	}
	again := func(act func(*buyer) int, end string, holds string, good ...int) func(*buyer) string {
		return func(b *buyer) string {
			if status := act(b); !slices.Contains(good, status) {
				s.t.Errorf("asked again: %d, want one of %v", status, good)
			}
			if n := s.count(`select count(*) from tickets k where id = $1 and `+holds, b.tickets[0]); n != 1 {
				s.t.Errorf("it is not so that %s", holds)
			}
			return end
		}
	}
	const buyers, given = `holder is null and issue = 1`, `holder = (select id from transfers x where x.ticket_id = k.id and state = 'accepted') and issue = 2 and name = 'Bert' and
		1 = (select count(*) from order_ledger l where l.ticket_id = k.id and entry = 'transferred')`
	return []operation{
		{name: "offer a ticket", routes: []string{"offer-ticket"}, prepare: after(), act: offer, want: http.StatusOK,
			finish: again(offer, "offered", buyers+` and 1 = (select count(*) from transfers x where x.ticket_id = k.id)`, http.StatusOK)},
		{name: "call a ticket back", routes: []string{"recall-ticket"}, prepare: after(offer), act: recall, want: http.StatusNoContent,
			finish: again(recall, "called back", buyers+` and not exists (select from transfers x where x.ticket_id = k.id and state = 'offered')`, http.StatusNoContent)},
		{name: "name a ticket", routes: []string{"put-ticket-name"}, prepare: after(), act: rename, want: http.StatusNoContent,
			finish: again(rename, "named", buyers+` and name = 'Ada' and 1 = (select count(*) from order_ledger l where l.ticket_id = k.id and entry = 'renamed')`, http.StatusNoContent)},
		{always: true, name: "accept a ticket", routes: []string{"accept-ticket"}, prepare: after(offer), act: accept, want: http.StatusOK,
			finish: again(accept, "it is theirs", given, http.StatusOK)},
		{name: "refuse a ticket", routes: []string{"refuse-ticket"}, prepare: after(offer), act: refuse, want: http.StatusNoContent,
			finish: again(refuse, "refused", buyers+` and not exists (select from transfers x where x.ticket_id = k.id and state = 'offered')`, http.StatusNoContent)},
		{name: "give a ticket back", routes: []string{"return-ticket"}, prepare: after(offer, accept), act: back, want: http.StatusOK,
			finish: again(back, "given back", `state = 'canceled' and 1 = (select count(*) from order_ledger l where l.ticket_id = k.id and entry = 'canceled')`, http.StatusOK)},
	}
}
