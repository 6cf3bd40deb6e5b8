package main

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"net/http"
)

// guideOperations keep what people read of what is on. Several edits are one operation
// each: the matrix takes every step of all of them. Of a buyer, key begins the keys and
// names, order is the event, link its performance, hold a venue.
func (s *shop) guideOperations() []operation {
	const desk = "/api/v1/organizer"
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 100, 100))); err != nil {
		s.t.Fatal(err)
	}
	send := func(method, path string, body any, key string, headers ...string) (int, string) {
		status, answer := s.do(&buyer{token: s.staff}, method, desk+path, body, key, headers...)
		id, _ := answer["id"].(string)
		return status, id
	}
	type made struct{ picture, performer, tour, event, copied string }
	of := map[*buyer]*made{}
	// all sends one thing after the other, as far as it comes.
	all := func(steps ...func() int) (status int) {
		for _, step := range steps {
			if status = step(); status < http.StatusOK || status >= http.StatusMultipleChoices {
				return status
			}
		}
		return status
	}
	create := func(b *buyer) int {
		m := &made{}
		of[b] = m
		post := func(path string, body any, id *string) func() int {
			return func() (status int) {
				status, *id = send(http.MethodPost, path, body, b.key+path[1:3])
				return status
			}
		}
		return all(
			post("/pictures", append(picture.Bytes(), b.key...), &m.picture), // another file for each
			func() int {
				return post("/performers", map[string]any{"name": b.key, "picture": m.picture}, &m.performer)()
			},
			func() int { return post("/tours", map[string]any{"name": b.key}, &m.tour)() },
			func() int {
				return post("/events", map[string]any{"title": b.key, "performers": []string{m.performer}, "tour": m.tour}, &m.event)()
			},
			func() (status int) {
				status, m.copied = send(http.MethodPost, "/events/"+m.event+"/copy", nil, b.key+"copy")
				return status
			})
	}
	// written counts what was written down of things.
	written := func(want int, subjects ...string) string {
		var n int
		if err := s.db.QueryRow(s.t.Context(), `select count(*) from catalogue_changes where subject = any($1)`, subjects).Scan(&n); err != nil || n != want {
			s.t.Errorf("%d changes were written down, want %d: %v", n, want, err)
		}
		return "written once"
	}
	again := func(b *buyer, act func(*buyer) int, want ...int) {
		status := act(b)
		for _, good := range want {
			if status == good {
				return
			}
		}
		s.t.Errorf("asked again: %d", status)
	}
	put := func(path string, body any, version int) func() int {
		return func() int {
			status, _ := send(http.MethodPut, path+"?reason=better", body, "", "If-Match", fmt.Sprintf(`"%d"`, version))
			return status
		}
	}
	prepare := func(b *buyer) {
		if status := create(b); status != http.StatusCreated {
			s.t.Fatalf("preparing: %d", status)
		}
		m := of[b]
		if err := s.db.QueryRow(s.t.Context(), `insert into venues (id, name) values (gen_random_uuid(), 'Hall') returning id`).Scan(&b.hold); err != nil {
			s.t.Fatal(err)
		}
		if _, err := s.db.Exec(s.t.Context(), `insert into venue_maps (venue_id, version, document) values ($1, 1, '{}')`, b.hold); err != nil {
			s.t.Fatal(err)
		}
		err := s.db.QueryRow(s.t.Context(), `insert into performances (id, event_id, venue_id, venue_version, starts_at, units)
			values (gen_random_uuid(), $1, $2, 1, '2037-05-01T18:00Z', 10) returning id`, m.event, b.hold).Scan(&b.link)
		if err != nil {
			s.t.Fatal(err)
		}
	}
	change := func(b *buyer) int {
		m := of[b]
		return all(
			put("/performers/"+m.performer, map[string]any{"name": "Another"}, 1),
			put("/tours/"+m.tour, map[string]any{"name": "Another"}, 1),
			put("/venues/"+b.hold+"/details", map[string]any{"time_zone": "Europe/Lisbon"}, 1),
			put("/venues/"+b.hold+"/approvals/"+m.event, map[string]any{"version": 1, "approved": true, "reason": "fits"}, 1),
			put("/events/"+m.event, map[string]any{"title": "Another"}, 1),
			put("/performances/"+b.link+"/state", map[string]any{"state": "canceled"}, 2),
			put("/events/"+m.event+"/state", map[string]any{"state": "published"}, 3))
	}
	// Of a draft nothing is written down: it says by its version how often it was kept.
	drafted := func(b *buyer) int {
		m := of[b]
		draft := func(method string, body any, header, seen string) func() int {
			return func() int {
				status, _ := send(method, "/events/"+m.copied+"/draft", body, "", header, seen)
				return status
			}
		}
		typed := func(n int) any { return map[string]any{"document": map[string]int{"typed": n}} }
		return all(draft(http.MethodPut, typed(1), "If-None-Match", "*"), draft(http.MethodPut, typed(2), "If-Match", `"1"`), draft(http.MethodDelete, nil, "If-Match", `"2"`))
	}
	remove := func(b *buyer) int {
		status, _ := send(http.MethodDelete, "/events/"+of[b].copied+"?reason=no", nil, "", "If-Match", `"1"`)
		return status
	}
	return []operation{
		{name: "make an event", routes: []string{"create-picture", "create-performer", "create-tour", "create-event", "copy-event"}, prepare: func(*buyer) {}, act: create, want: http.StatusCreated,
			finish: func(b *buyer) string {
				again(b, create, http.StatusCreated)
				m := of[b]
				return written(5, m.picture, m.performer, m.tour, m.event, m.copied)
			}},
		{name: "change an event", routes: []string{"put-performer", "put-tour", "put-venue-details", "approve-seating", "put-event", "set-performance-state", "set-event-state"},
			prepare: prepare, act: change, want: http.StatusOK, finish: func(b *buyer) string {
				again(b, change, http.StatusOK)
				m := of[b]
				return written(10, m.performer, m.tour, m.event, b.hold)
			}},
		{name: "keep a draft", routes: []string{"put-draft", "delete-draft"}, prepare: prepare, act: drafted, want: http.StatusNoContent, finish: func(b *buyer) string {
			var version int
			var document string
			if err := s.db.QueryRow(s.t.Context(), `select version, document from drafts where event_id = $1`, of[b].copied).Scan(&version, &document); err == nil && (version > 2 || document != fmt.Sprintf(`{"typed":%d}`, version)) {
				s.t.Errorf("version %d of a draft is %s", version, document)
			}
			return "kept once"
		}},
		{name: "delete an event", routes: []string{"delete-event"}, prepare: prepare, act: remove, want: http.StatusNoContent, finish: func(b *buyer) string {
			again(b, remove, http.StatusNoContent, http.StatusNotFound)
			return written(2, of[b].copied)
		}},
	}
}
