package webhook

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// model is what an integrator may rely on: what happened, by subject, in its order.
type model struct {
	*shop
	r        *receiver
	w        *Sender
	endpoint Endpoint
	subjects []string
	happened map[string][]string // ids of a subject's events
	answers  func() int          // of the receiver
}

// Whatever happens to receiver, sender and the machine: each event comes at least once
// in the end, nothing comes that did not happen, and those of one subject come first in
// their order.
func TestDeliveriesBehaveLikeTheModel(t *testing.T) {
	t.Parallel()
	shared := open(t)
	r := receive(t)
	rapid.Check(t, func(t *rapid.T) {
		m := &model{shop: shared, r: r, w: shared.sender(), subjects: []string{uuid.NewString(), uuid.NewString()}, happened: map[string][]string{}}
		defer m.w.client.CloseIdleConnections()
		m.exec(`delete from webhook_endpoints`)
		r.taken, r.secrets, r.problems = nil, nil, nil
		m.endpoint = m.add(r, OrderPaid)
		m.answers = func() int { return http.StatusOK }
		r.answer = func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(m.answers()) }
		t.Repeat(map[string]func(*rapid.T){
			"happen": m.happens, "roll back": m.rollsBack, "answer": m.answersWith, "round": m.delivers, "die": m.dies,
			"again": m.again, "rotate": m.rotates, "": m.check,
		})
		m.answers = func() int { return http.StatusOK }
		for due := 1; due > 0; {
			m.delivers(t)
			m.must(m.db.QueryRow(context.Background(), `select count(*) from webhook_deliveries where state = 'due'`).Scan(&due))
		}
		m.check(t)
		for _, events := range m.happened {
			for _, id := range events {
				if !m.took(id) {
					t.Fatalf("event %s never came", id)
				}
			}
		}
		if len(r.problems) > 0 {
			t.Fatal(r.problems)
		}
	})
}

func (m *model) took(id string) bool {
	for _, e := range m.r.taken {
		if e.id == id {
			return true
		}
	}
	return false
}

func (m *model) tell(subject string, commit bool) (id string) {
	tx, err := m.db.Begin(context.Background())
	m.must(err)
	_, err = tx.Exec(context.Background(), `select webhook_tell($1, $2, '{}')`, OrderPaid, subject)
	m.must(err)
	m.must(tx.QueryRow(context.Background(), `select id from webhook_events order by n desc limit 1`).Scan(&id))
	if commit {
		m.must(tx.Commit(context.Background()))
	} else {
		m.must(tx.Rollback(context.Background()))
	}
	return id
}

func (m *model) happens(t *rapid.T) {
	subject := rapid.SampledFrom(m.subjects).Draw(t, "subject")
	m.happened[subject] = append(m.happened[subject], m.tell(subject, true))
}

func (m *model) rollsBack(t *rapid.T) {
	m.tell(rapid.SampledFrom(m.subjects).Draw(t, "subject"), false)
}

func (m *model) answersWith(t *rapid.T) {
	answers := rapid.SliceOfN(rapid.SampledFrom([]int{200, 204, 302, 400, 500, 503}), 1, 3).Draw(t, "answers")
	var mu sync.Mutex
	n := 0
	m.answers = func() int {
		mu.Lock()
		defer mu.Unlock()
		n++
		return answers[n%len(answers)]
	}
}

// delivers once, at a time at which all is due that may be.
func (m *model) delivers(*rapid.T) {
	m.exec(`update webhook_deliveries set next_at = now() where state = 'due'`)
	m.w.drive(context.Background(), m.endpoint.ID)
}

// dies between any two of taking, sending and writing down.
func (m *model) dies(t *rapid.T) {
	m.exec(`update webhook_deliveries set next_at = now() where state = 'due'`)
	batch, err := m.store.take(context.Background(), m.endpoint.ID, abreast)
	m.must(err)
	if rapid.Bool().Draw(t, "sent") {
		for _, p := range batch {
			m.w.post(context.Background(), p)
		}
	}
}

func (m *model) again(t *rapid.T) {
	events := m.happened[m.subjects[0]]
	if len(events) == 0 {
		t.Skip()
	}
	m.must(m.store.Redeliver(context.Background(), m.endpoint.ID, rapid.SampledFrom(events).Draw(t, "event")))
}

func (m *model) rotates(*rapid.T) {
	e, err := m.store.Endpoint(context.Background(), m.endpoint.ID)
	m.must(err)
	_, secret, err := m.store.Rotate(context.Background(), e.ID, e.Generation, time.Hour)
	m.must(err)
	if len(m.r.secrets) < 2 || m.r.n%2 == 0 { // now and then the receiver learns late
		m.r.secrets = append(m.r.secrets, secret)
		return
	}
	m.r.secrets = []string{m.r.secrets[len(m.r.secrets)-1], secret}
}

// check looks at what came for the first time.
func (m *model) check(t *rapid.T) {
	next, seen := map[string]int{}, map[string]bool{}
	for _, e := range m.r.taken {
		if seen[e.id] {
			continue
		}
		seen[e.id] = true
		found := false
		for subject, events := range m.happened {
			if n := next[subject]; n < len(events) && events[n] == e.id {
				next[subject], found = n+1, true
			}
		}
		if !found {
			t.Fatalf("event %s came, which did not happen, or not yet: %v", e.id, m.happened)
		}
	}
}
