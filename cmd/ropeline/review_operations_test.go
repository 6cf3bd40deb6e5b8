package main

import (
	"net/http"
	"slices"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/tenant"
)

// reviewOperations are what staff do with what somebody has asked: one post, whose id is b.link,
// signed with the key of its buyer.
func (s *shop) reviewOperations() []operation {
	asked := func(b *buyer) {
		if _, err := s.db.Exec(s.t.Context(), `delete from review_settings`); err != nil {
			s.t.Fatal(err)
		}
		b.link = s.question(b)
	}
	staff := func(path func(*buyer) string, body any, headers ...string) func(*buyer) int {
		return func(b *buyer) int {
			status, _ := s.do(&buyer{token: s.staff}, http.MethodPut, "/api/v1/organizer"+path(b), body, "", headers...)
			return status
		}
	}
	at := func(what string) func(*buyer) string {
		return func(b *buyer) string { return "/posts/" + b.link + what }
	}
	show := staff(at("/state"), map[string]string{"state": "shown"}, "If-Match", `"1"`)
	answer := staff(at("/answer"), map[string]string{"text": "Two hours."}, "If-Match", `"1"`)
	set := staff(func(*buyer) string { return "/moderation" }, map[string]bool{"before": false}, "If-None-Match", "*")
	// once asks again, and counts what was written down, and what its writer is told.
	once := func(act func(*buyer) int, said string) func(*buyer) string {
		return func(b *buyer) string {
			if status := act(b); status != http.StatusOK {
				s.t.Errorf("asked again: %d", status)
			}
			if n := s.count(`select count(*) from catalogue_changes where what = 'post' and name = $1`, b.link); n != 1 {
				s.t.Errorf("it was written down %d times", n)
			}
			if n := s.count(`select count(*) from river_job where args->>'post' = $1 and args->>'change' = $2`, b.link, said+":2"); n != 1 {
				s.t.Errorf("its writer is told %d times", n)
			}
			return "decided once"
		}
	}
	return []operation{
		{name: "show a post", routes: []string{"decide-post"}, prepare: asked, act: show, want: http.StatusOK, finish: once(show, "shown")},
		{name: "answer a post", routes: []string{"answer-post"}, prepare: asked, act: answer, want: http.StatusOK, finish: once(answer, "answered")},
		{name: "set the moderation", routes: []string{"put-moderation"}, prepare: asked, act: set, want: http.StatusCreated, finish: func(b *buyer) string {
			if status := set(b); status != http.StatusCreated || s.count(`select count(*) from review_settings where organization_id = $1 and version = 1`, tenant.House) != 1 {
				s.t.Errorf("asked again: %d", status)
			}
			return "made once"
		}},
	}
}

// question is what somebody has asked, who signs as a buyer's key.
func (s *shop) question(b *buyer) (id string) {
	s.t.Helper()
	err := s.db.QueryRow(s.t.Context(), `
		with p as (insert into people (id, email_mac, wrapped, sealed, password) values (gen_random_uuid(), gen_random_uuid()::text::bytea, '', '', 'x') returning id)
		insert into posts (id, organization_id, event_id, kind, person_id, name, body, state) select gen_random_uuid(), v.organization_id, v.event_id, 'question', p.id, $2, 'Is it long?', 'waiting'
		from performances v, p where v.id = $1 returning id::text`, s.sale.Performances[0], b.key).Scan(&id)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// postOperations are what somebody with an account says of an event: words that are signed, and
// kept, with the key of a buyer.
func (s *shop) postOperations() []operation {
	var writer, token string
	guards := s.guards
	signsIn := func(b *buyer) { // at a core with a site: others know nobody
		s.guards = append(slices.Clone(guards), "--site", "https://tickets.example.org")
		s.start()
		s.built(string(s.sale.Performances[0]), 1)
		if writer == "" {
			here, in := s.account("writes@example.org")
			writer, token = here.Person, in
			bought := s.buyer() // and came
			s.bought(bought)
			s.exec(`update buyers set person_id = $2 where id = (select buyer_id from orders where id = $1)`, bought.order, writer)
			s.exec(`insert into door_entries (performance_id, ticket_id, zone, inside, scan_id, at, door, who) values ($1, $2, '', true, gen_random_uuid(), now(), 'A', 'staff:kim')`, s.sale.Performances[0], bought.tickets[0])
		}
		s.exec(`delete from post_reports`)
		s.exec(`delete from posts where parent_id is not null`) // so many a day, and one review
		s.exec(`delete from posts`)
		s.exec(`delete from review_settings`)
		if err := s.db.QueryRow(s.t.Context(), `select event_id::text from performances where id = $1`, s.sale.Performances[0]).Scan(&b.show); err != nil {
			s.t.Fatal(err)
		}
		b.units = nil
	}
	ask := func(b *buyer, method, path string, body any) (int, map[string]any) {
		return s.do(&buyer{}, method, "/api/v1/me"+path, body, b.key, "Cookie", ropeline.AccountCookie+"="+token, "Sec-Fetch-Site", "same-origin")
	}
	says := func(kind string) func(*buyer) int {
		return func(b *buyer) int {
			body := map[string]any{"kind": kind, "event": b.show, "name": b.key, "text": "Long and loud."}
			switch kind {
			case "review":
				body["stars"] = 4
			case "comment":
				body["event"], body["parent"] = "", b.link
			}
			status, answer := ask(b, http.MethodPost, "/posts", body)
			if id, ok := answer["id"].(string); ok && kind != "comment" {
				b.link = id
			}
			return status
		}
	}
	review := says("review")
	reviewed := func(b *buyer) {
		signsIn(b)
		if status := review(b); status != http.StatusCreated {
			s.t.Fatalf("writing a review: %d", status)
		}
	}
	another := func(b *buyer) { // of somebody who has asked
		signsIn(b)
		b.link = s.question(b)
		s.exec(`update posts set state = 'shown' where id = $1`, b.link)
	}
	change := func(b *buyer) int {
		status, _ := ask(b, http.MethodPut, "/posts/"+b.link, map[string]any{"stars": 3, "name": b.key, "text": "Long."})
		return status
	}
	withdraw := func(b *buyer) int {
		status, _ := ask(b, http.MethodDelete, "/posts/"+b.link, nil)
		return status
	}
	report := func(b *buyer) int {
		status, _ := ask(b, http.MethodPut, "/reports/"+b.link, struct{}{})
		return status
	}
	// once asks again, and counts what is there then.
	once := func(act func(*buyer) int, want int, there string) func(*buyer) string {
		return func(b *buyer) string {
			defer func() { s.guards = guards }()
			if status := act(b); status != want {
				s.t.Errorf("asked again: %d, want %d", status, want)
			}
			if n := s.count(`select count(*) from posts where person_id = $1 and `+there, writer); n != 1 || s.count(`select count(*) from posts where person_id = $1`, writer) != 1 {
				s.t.Errorf("there are %d posts of which %s", n, there)
			}
			return "kept once"
		}
	}
	return []operation{
		{name: "write a review", routes: []string{"create-post"}, prepare: signsIn, act: review, want: http.StatusCreated, finish: once(review, http.StatusCreated, `kind = 'review' and state = 'waiting' and stars = 4`)},
		{name: "ask about an event", prepare: signsIn, act: says("question"), want: http.StatusCreated, finish: once(says("question"), http.StatusCreated, `kind = 'question' and state = 'waiting'`)},
		{name: "comment", prepare: another, act: says("comment"), want: http.StatusCreated, finish: once(says("comment"), http.StatusCreated, `kind = 'comment' and parent_id is not null`)},
		{name: "change a review", routes: []string{"put-my-post"}, prepare: reviewed, act: change, want: http.StatusOK, finish: once(change, http.StatusOK, `stars = 3 and body = 'Long.' and version = 2`)},
		{name: "take a review back", routes: []string{"withdraw-post"}, prepare: reviewed, act: withdraw, want: http.StatusNoContent, finish: once(withdraw, http.StatusNoContent, `state = 'gone' and body = '' and version = 2`)},
		{name: "report a post", routes: []string{"report-post"}, prepare: another, act: report, want: http.StatusNoContent, finish: func(b *buyer) string {
			defer func() { s.guards = guards }()
			if status := report(b); status != http.StatusNoContent || s.count(`select reported from posts where id = $1`, b.link) != 1 {
				s.t.Errorf("asked again: %d", status)
			}
			return "reported once"
		}},
	}
}
