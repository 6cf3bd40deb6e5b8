package main

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ropeline/ropeline/booking/order"
)

// tidingOperations are letters of what has happened to an order since it was paid, to a ticket of
// it, and to what somebody has said.
func (s *shop) tidingOperations() []operation {
	asked := func(b *buyer, as, method, path string, body any, want int) map[string]any {
		status, answer := s.do(&buyer{token: as}, method, path, body, "", "If-Match", `"1"`)
		if status != want {
			s.t.Fatalf("%s %s: %d %v", method, path, status, answer)
		}
		return answer
	}
	canceled := func(b *buyer) {
		s.bought(b)
		asked(b, s.staff, http.MethodPost, "/api/v1/organizer/orders/"+b.order+"/cancel", map[string]any{"reason": "the band is ill"}, http.StatusOK)
		s.settle()
	}
	disputed := func(b *buyer) {
		s.bought(b)
		s.told(b, func(b *buyer) error { return s.money.Contest(s.t.Context(), s.charge(b)) })
	}
	offered := func(b *buyer) {
		s.bought(b)
		answer := asked(b, b.link, http.MethodPost, "/api/v1/tickets/"+fmt.Sprint(b.tickets[0])+"/transfer", map[string]any{"email": "bert@example.org"}, http.StatusOK)
		b.transfer, _ = answer["id"].(string)
	}
	given := func(b *buyer) {
		offered(b)
		asked(b, order.Links(s.links).Key(b.transfer), http.MethodPost, "/api/v1/transfers/"+b.transfer+"/accept", map[string]any{"name": "Bert"}, http.StatusOK)
	}
	var writer string
	decided := func(b *buyer) {
		b.units = nil
		if writer == "" {
			here, _ := s.account("says@example.org")
			writer = here.Person
		}
		err := s.db.QueryRow(s.t.Context(), `insert into posts (id, organization_id, event_id, kind, person_id, name, body, state)
			select gen_random_uuid(), organization_id, event_id, 'question', $2, 'Ada', 'Is it long?', 'waiting' from performances where id = $1 returning id::text`,
			s.sale.Performances[0], writer).Scan(&b.event)
		if err != nil {
			s.t.Fatal(err)
		}
		asked(b, s.staff, http.MethodPut, "/api/v1/organizer/posts/"+b.event+"/state", map[string]string{"state": "shown"}, http.StatusOK)
		b.event, b.link = "", b.event
	}
	// of leaves a worker the letter of one cause to write.
	of := func(prepare func(*buyer), what string, cause func(*buyer) string) func(*buyer) {
		return func(b *buyer) {
			prepare(b)
			b.cause = what + ":" + cause(b)
			s.exec(`with over as (update mails set state = 'failed' where state = 'due') update river_job set state = 'completed', finalized_at = now()
				where state <> 'completed' and not (args ->> 'what' = $1 and $2 in (args ->> 'order', args ->> 'transfer', args ->> 'post'))`, what, strings.TrimSuffix(cause(b), ":%"))
			s.writes()
		}
	}
	byOrder := func(b *buyer) string { return b.order + ":%" }
	byTransfer := func(b *buyer) string { return b.transfer }
	byPost := func(b *buyer) string { return b.link + ":%" }
	letter := func(name string, prepare func(*buyer)) operation {
		return operation{name: name, worker: true, prepare: prepare, act: s.letterSent, want: http.StatusOK, finish: s.letterCame}
	}
	return []operation{
		letter("worker tells of a cancel", of(canceled, "cancellation", byOrder)),
		letter("worker tells of a refund", of(canceled, "refund", byOrder)),
		letter("worker tells of a refund that is refused", of(s.refused, "refund-failed", byOrder)),
		letter("worker tells of a dispute", of(disputed, "dispute", byOrder)),
		letter("worker tells of a ticket that is offered", of(offered, "transfer", byTransfer)),
		letter("worker tells of a ticket that is accepted", of(given, "given", byTransfer)),
		letter("worker tells what became of a post", of(decided, "post", byPost)),
	}
}

// letterOf: whatever a letter is written of has an operation in which the worker that writes it is killed.
var letterOf = map[string]string{
	"confirmation": "worker confirms", "reminder": "worker reminds", "payment": "worker tells of a payment", "change": "worker tells of a change", "opening": "worker tells that a sale opens",
	"cancellation": "worker tells of a cancel", "refund": "worker tells of a refund", "refund-failed": "worker tells of a refund that is refused", "dispute": "worker tells of a dispute",
	"transfer": "worker tells of a ticket that is offered", "given": "worker tells of a ticket that is accepted", "post": "worker tells what became of a post",
}

// everyTidingIn wants one for each that package tidings knows.
func everyTidingIn(t *testing.T, operations []operation) {
	t.Helper()
	text, err := os.ReadFile("../../booking/tidings/tidings.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "switch c.What {")
	rest, _, _ = strings.Cut(rest, "\tdefault:")
	known := regexp.MustCompile(`"([a-z-]+)"`).FindAllStringSubmatch(rest, -1)
	if len(known) < 12 {
		t.Errorf("package tidings writes of %d things", len(known))
	}
	for _, what := range known {
		if !slices.ContainsFunc(operations, func(o operation) bool { return o.worker && o.name == letterOf[what[1]] }) {
			t.Errorf("no operation of the matrix is about a letter of %s", what[1])
		}
	}
}
