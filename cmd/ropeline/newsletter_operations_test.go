package main

import (
	"net/http"
	"slices"
	"strings"
	"syscall"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/newsletter"
	"github.com/ropeline/ropeline/booking/optin"
	"github.com/ropeline/ropeline/internal/tenant"
)

// newsletterOperations write to who has consented: one reader, whose consent is b.link. Of a
// buyer, key is the subject.
func (s *shop) newsletterOperations() []operation {
	secret, err := s.keys.secret(orderKey)
	if err != nil {
		s.t.Fatal(err)
	}
	reader := func(b *buyer) {
		b.link = uuid.NewString()
		// Newsletters of kills before are over: an organization has so many a day.
		for _, sql := range []string{`update newsletters set created_at = created_at - interval '1 day', done_at = now()`, `delete from newsletter_consents`,
			`update mails set state = 'failed', sealed = null where state = 'due'`} {
			if _, err := s.db.Exec(s.t.Context(), sql); err != nil {
				s.t.Fatal(err)
			}
		}
		_, err := s.db.Exec(s.t.Context(), `insert into newsletter_consents (id, organization_id, email, state, place, words, language, given_at) values ($1, $2, 'reader@example.org', 'given', 'checkout', 'W', 'en', now())`, b.link, tenant.House)
		if err != nil {
			s.t.Fatal(err)
		}
	}
	send := func(b *buyer) int {
		status, _ := s.do(&buyer{token: s.staff}, http.MethodPost, "/api/v1/organizer/newsletters", map[string]any{"subject": b.key, "text": "Come."}, b.key)
		return status
	}
	plain := s.post
	sent := func(b *buyer) {
		s.post = append(slices.Clone(plain), "--site", "https://tickets.example.org")
		reader(b)
		if status := send(b); status != http.StatusCreated {
			s.t.Fatalf("sending a newsletter: %d", status)
		}
	}
	leave := func(b *buyer) int {
		return s.leave(newsletter.Keys(secret).Link(s.core.address, b.link, optin.Leave))
	}
	state := func(b *buyer, is string) bool {
		return s.count(`select count(*) from newsletters n join newsletter_recipients r on r.newsletter_id = n.id where n.subject = $1 and r.state = $2`, b.key, is) == 1
	}
	worker := func(b *buyer) int {
		s.await("the newsletter is done", func() bool {
			return s.count(`select count(*) from newsletters where subject = $1 and done_at is not null`, b.key) == 1 || s.dead.Load()
		})
		if s.dead.Load() {
			return 0
		}
		return http.StatusOK
	}
	came := func(b *buyer) string {
		for _, sql := range []string{`update newsletters set due_at = now()`, `update mails set next_at = now() where state = 'due'`,
			`update river_job set state = 'available', scheduled_at = now() where state in ('running', 'retryable', 'scheduled')`} {
			if _, err := s.db.Exec(s.t.Context(), sql); err != nil {
				s.t.Fatal(err)
			}
		}
		s.post = append(slices.Clone(plain), "--site", "https://tickets.example.org")
		pid := s.work()
		s.post = plain
		s.await("the letter is sent after all", func() bool { return state(b, "sent") })
		_ = syscall.Kill(pid, syscall.SIGKILL)
		ids := map[string]int{}
		for _, l := range s.box.Letters() {
			if l.Subject == b.key {
				ids[l.ID]++
			}
		}
		return s.came(ids)
	}
	return []operation{
		{name: "write a newsletter", routes: []string{"create-newsletter"}, prepare: reader, act: send, want: http.StatusCreated, finish: func(b *buyer) string {
			if status := send(b); status != http.StatusCreated || !state(b, "due") {
				s.t.Errorf("asked again: %d", status)
			}
			return "one newsletter"
		}},
		{name: "end a newsletter", routes: []string{"take-newsletter-step"}, prepare: reader, act: leave, want: http.StatusOK, finish: func(b *buyer) string {
			if status := leave(b); status != http.StatusOK || s.count(`select count(*) from newsletter_consents where id = $1 and state = 'withdrawn'`, b.link) != 1 {
				s.t.Errorf("asked again: %d", status)
			}
			return "ended"
		}},
		{always: true, name: "worker writes a newsletter", worker: true, prepare: sent, act: worker, want: http.StatusOK, finish: came},
	}
}

// leave follows a link of a letter as mail programs do whose reader wants no more of them.
func (s *shop) leave(link string) int {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, link, strings.NewReader("List-Unsubscribe=One-Click"))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Close = true
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}
