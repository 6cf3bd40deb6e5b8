package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ropeline/ropeline/booking/guide"
)

// What is typed is kept as it is, by version: of two who type one is told so.
func TestADraftIsKeptAsItIsTyped(t *testing.T) {
	t.Parallel()
	c := start(t)
	var event guide.KeptEvent
	c.organize(http.MethodPost, eventsPath, `{"title":"Gala"}`, "Idempotency-Key", "k").is(http.StatusCreated, &event)
	path := eventsPath + "/" + event.ID + "/draft"
	of := func(document string) string { return `{"document":` + document + `}` }
	c.organize(http.MethodGet, path, "").refused(404, "draft-unknown")
	c.organize(http.MethodPut, path, of(`{"a":1}`)).refused(428, "if-match-missing")
	c.organize(http.MethodPut, path, of(`{"a":1}`), "If-Match", `"1"`).refused(404, "draft-unknown")
	var d guide.SaleDraft
	c.organize(http.MethodPut, path, of(`{ "a": "<b>" }`), "If-None-Match", "*").is(http.StatusCreated, &d)
	if d.Version != 1 || string(d.Document) != `{"a":"<b>"}` || d.Who != "staff:olga" {
		t.Errorf("%+v", d)
	}
	c.organize(http.MethodPut, path, of(`{"a":"<b>"}`), "If-None-Match", "*").is(http.StatusCreated, &d) // the answer was lost
	c.organize(http.MethodPut, path, of(`{"a":2}`), "If-None-Match", "*").refused(412, "changed-meanwhile")
	c.organize(http.MethodPut, path, of(`{"a":2}`), "If-Match", `"1"`).is(http.StatusOK, &d)
	c.organize(http.MethodPut, path, of(`{"a":2}`), "If-Match", `"1"`).is(http.StatusOK, &d)
	c.organize(http.MethodPut, path, of(`{"a":3}`), "If-Match", `"1"`).refused(412, "changed-meanwhile")
	c.do(http.MethodPut, path, "key-sre", of(`{"a":2}`), "If-Match", `"1"`).refused(412, "changed-meanwhile") // not theirs
	if d.Version != 2 {
		t.Errorf("%+v", d)
	}
	if a := c.organize(http.MethodGet, path, "", "If-None-Match", `"2"`); a.Status != http.StatusNotModified {
		t.Errorf("%d", a.Status)
	}
	for _, bad := range []string{`[]`, `"text"`, `null`, `1`, `{"a":"` + strings.Repeat("x", guide.MaxDraft) + `"}`} {
		c.organize(http.MethodPut, path, of(bad), "If-Match", `"2"`).refused(422, "draft-invalid")
	}
	c.organize(http.MethodPut, eventsPath+"/"+strings.Repeat("0", 8)+"-0000-7000-8000-000000000000/draft", of(`{}`), "If-None-Match", "*").refused(404, "event-unknown")
	c.organize(http.MethodDelete, path, "", "If-Match", `"1"`).refused(412, "changed-meanwhile")
	c.organize(http.MethodDelete, path, "", "If-Match", `"2"`).is(http.StatusNoContent, nil)
	c.organize(http.MethodDelete, path, "", "If-Match", `"2"`).refused(404, "draft-unknown")

	// An event that is deleted takes its draft along.
	c.organize(http.MethodPut, path, of(`{}`), "If-None-Match", "*").is(http.StatusCreated, nil)
	c.organize(http.MethodDelete, eventsPath+"/"+event.ID+"?reason=no", "", "If-Match", `"1"`).is(http.StatusNoContent, nil)
	c.organize(http.MethodGet, path, "").refused(404, "draft-unknown")
}

// Whoever has the keys publishes what was asked for; what it was asked of must be what was seen.
func TestAPublicationIsAskedFor(t *testing.T) {
	t.Parallel()
	c := start(t)
	path := salesPath + string(c.sale.ID) + "/publication"
	shows := c.api.server.shows
	ctx, stop := context.WithTimeout(t.Context(), patience) // as whoever takes them has it
	defer stop()
	ask := func(version int, reason string) string {
		return fmt.Sprintf(`{"version":%d,"reason":%q}`, version, reason)
	}
	c.organize(http.MethodGet, salesPath+"nothing/publication", "").refused(404, "sale-unknown")
	c.organize(http.MethodGet, path, "").refused(404, "publication-unknown")
	c.organize(http.MethodPut, path, ask(2, "")).refused(412, "changed-meanwhile")
	var p Publication
	c.organize(http.MethodPut, path, ask(1, "")).is(http.StatusOK, &p)
	if p.State != "asked" || p.Version != 1 || p.Who != "staff:olga" || p.DoneAt != nil {
		t.Errorf("asked %+v", p)
	}
	first := p.AskedAt
	c.organize(http.MethodPut, path, ask(1, "")).is(http.StatusOK, &p)
	if !p.AskedAt.Equal(first) {
		t.Errorf("asked anew: %+v", p)
	}
	taken, found, err := shows.TakePublication(ctx)
	if err != nil || !found || taken.Sale != c.sale.ID || taken.Version != 1 {
		t.Fatalf("taken %+v, %v, %v", taken, found, err)
	}
	if again, found, err := shows.TakePublication(ctx); err != nil || found {
		t.Errorf("taken twice: %+v, %v", again, err)
	}
	if _, err := c.db.Exec(t.Context(), `update publications set tried_at = tried_at - interval '11 seconds'`); err != nil { // whoever took it is gone
		t.Fatal(err)
	}
	if _, found, err := shows.TakePublication(ctx); err != nil || !found {
		t.Errorf("nobody takes it over: %v", err)
	}
	c.organize(http.MethodPut, path, ask(1, "another")).is(http.StatusOK, &p) // asked anew meanwhile
	if err := shows.ClosePublication(ctx, taken); err != nil {
		t.Fatal(err)
	}
	c.organize(http.MethodGet, path, "").is(http.StatusOK, &p)
	if p.State != "asked" || p.Reason != "another" {
		t.Errorf("what was asked for anew is closed: %+v", p)
	}
	taken, _, err = shows.TakePublication(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := shows.ClosePublication(ctx, taken); err != nil {
		t.Fatal(err)
	}
	c.organize(http.MethodGet, path, "").is(http.StatusOK, &p)
	if p.State != "done" || p.DoneAt == nil {
		t.Errorf("done: %+v", p)
	}

	if _, err := c.db.Exec(t.Context(), `update events set state = 'draft' where id = (select event_id from performances where id = $1)`, c.show.ID); err != nil {
		t.Fatal(err)
	}
	c.organize(http.MethodPut, path, ask(1, "")).refused(409, "event-draft")
}
