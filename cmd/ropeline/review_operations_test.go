package main

import (
	"net/http"

	"github.com/ropeline/ropeline/internal/tenant"
)

// reviewOperations are what staff do with what somebody has asked: one post, whose id is b.link,
// signed with the key of its buyer.
func (s *shop) reviewOperations() []operation {
	asked := func(b *buyer) {
		if _, err := s.db.Exec(s.t.Context(), `delete from review_settings`); err != nil {
			s.t.Fatal(err)
		}
		err := s.db.QueryRow(s.t.Context(), `
			with p as (insert into people (id, email_mac, wrapped, sealed, password) values (gen_random_uuid(), gen_random_uuid()::text::bytea, '', '', 'x') returning id)
			insert into posts (id, organization_id, event_id, kind, person_id, name, body, state) select gen_random_uuid(), v.organization_id, v.event_id, 'question', p.id, $2, 'Is it long?', 'waiting'
			from performances v, p where v.id = $1 returning id::text`, s.sale.Performances[0], b.key).Scan(&b.link)
		if err != nil {
			s.t.Fatal(err)
		}
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
