package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"syscall"
	"testing"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/internal/devstack/mailbox"
)

// mailServer takes what the workers of a shop send.
func mailServer(t *testing.T) (box *mailbox.Box, url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	box = &mailbox.Box{}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- box.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return box, "smtp://" + ln.Addr().String()
}

// noticeOperations write to everybody who holds a ticket: all buyers have one address, and who
// was given one by an operation before has another. Of a buyer, key is the subject.
func (s *shop) noticeOperations() []operation {
	send := func(b *buyer) int {
		status, _ := s.do(&buyer{token: s.staff}, http.MethodPost, "/api/v1/organizer/events/"+b.event+"/notices", map[string]any{"subject": b.key, "text": "Bring a coat."}, b.key)
		return status
	}
	held := func(b *buyer) {
		// An operation before may have sold tickets of another event.
		if s.count(`select count(*) from tickets where performance_id = $1 and state = 'valid'`, s.sale.Performances[0]) == 0 {
			s.bought(s.buyer())
		}
		b.units = nil
		if err := s.db.QueryRow(s.t.Context(), `select event_id::text from performances where id = $1`, s.sale.Performances[0]).Scan(&b.event); err != nil {
			s.t.Fatal(err)
		}
		// Those of kills before are over: an event has so many a day.
		_, err := s.db.Exec(s.t.Context(), `with over as (update notices set created_at = created_at - interval '1 day', done_at = now()) update mails set state = 'failed', sealed = null where state = 'due'`)
		if err != nil {
			s.t.Fatal(err)
		}
	}
	sent := func(b *buyer) {
		held(b)
		if status := send(b); status != http.StatusCreated {
			s.t.Fatalf("writing to holders: %d", status)
		}
	}
	state := func(b *buyer, is string) bool {
		return s.count(`select count(*) from notices n where n.subject = $1 and exists (select from notice_recipients r where r.notice_id = n.id)
			and not exists (select from notice_recipients r where r.notice_id = n.id and r.state <> $2)`, b.key, is) == 1
	}
	worker := func(b *buyer) int {
		s.await("the message is done", func() bool {
			return s.count(`select count(*) from notices where subject = $1 and done_at is not null`, b.key) == 1 || s.dead.Load()
		})
		if s.dead.Load() {
			return 0
		}
		return http.StatusOK
	}
	came := func(b *buyer) string {
		_, err := s.db.Exec(s.t.Context(), `with leased as (update notices set due_at = now()), tried as (update mails set next_at = now() where state = 'due')
			update river_job set state = 'available', scheduled_at = now() where state in ('running', 'retryable', 'scheduled')`)
		if err != nil {
			s.t.Fatal(err)
		}
		pid := s.work()
		s.await("the letter is sent after all", func() bool { return state(b, "sent") })
		_ = syscall.Kill(pid, syscall.SIGKILL)
		ids := map[string]int{}
		for _, l := range s.box.Letters() {
			if l.Subject == b.key {
				ids[l.ID]++
			}
		}
		end := "the letter came"
		for _, n := range ids {
			if n == 2 {
				end = "the letter came twice"
			} else if n != 1 {
				s.t.Errorf("a letter came %d times", n)
			}
		}
		if to := s.count(`select count(*) from notices n join notice_recipients r on r.notice_id = n.id where n.subject = $1`, b.key); len(ids) != to {
			s.t.Errorf("%d letters came to %d people", len(ids), to)
		}
		return end
	}
	givenUp := func(b *buyer) {
		b.link = uuid.NewString()
		_, err := s.db.Exec(s.t.Context(), `insert into mails (id, cause, state, sealed, give_up_at) values ($1, $2, 'failed', 'x', now())`, b.link, b.key)
		if err != nil {
			s.t.Fatal(err)
		}
	}
	retry := func(b *buyer) int {
		status, _ := s.do(&buyer{token: s.staff}, http.MethodPost, "/api/v1/organizer/dead-letters/"+b.link+"/retry", struct{}{}, "")
		return status
	}
	return []operation{
		{name: "send a letter again", routes: []string{"retry-letter"}, prepare: givenUp, act: retry, want: http.StatusOK, finish: func(b *buyer) string {
			if status := retry(b); status != http.StatusOK || s.count(`select count(*) from river_job where args ->> 'letter' = $1`, b.link) != 1 {
				s.t.Errorf("asked again: %d", status)
			}
			if _, err := s.db.Exec(s.t.Context(), `delete from mails where id = $1`, b.link); err != nil { // nobody could read it
				s.t.Fatal(err)
			}
			return "one job"
		}},
		{name: "write to holders", routes: []string{"create-notice"}, prepare: held, act: send, want: http.StatusCreated, finish: func(b *buyer) string {
			if status := send(b); status != http.StatusCreated || !state(b, "due") {
				s.t.Errorf("asked again: %d", status)
			}
			return "one message"
		}},
		{always: true, name: "worker writes to holders", worker: true, prepare: sent, act: worker, want: http.StatusOK, finish: came},
	}
}
