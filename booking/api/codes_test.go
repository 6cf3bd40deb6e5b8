package api

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/presale"
)

// laned gives the sale a lane that is entered with codes.
func (c *core) laned() {
	c.t.Helper()
	c.sale.Lanes = []ropeline.Lane{{Name: "members", Title: "Members", Share: 30, Entry: []ropeline.LaneEntry{ropeline.EntryCode}}}
	if _, err := c.db.Exec(c.t.Context(), `update sales set document = $2 where id = $1`, c.sale.ID, c.json(c.sale)); err != nil {
		c.t.Fatal(err)
	}
}

// Codes are told to whoever asked for them, and to nobody else, and are not made twice.
func TestOrganizersMakePresaleCodes(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.laned()
	c.founded("rival")
	path := salesPath + string(c.sale.ID) + "/codes"
	ask := func(key string, body m) answer {
		return c.organize(http.MethodPost, path, c.json(body), "Idempotency-Key", key)
	}
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	var made, again NewCodes
	ask("k", m{"name": "fan-club", "lane": "members", "count": 500, "uses": 2, "until": until}).is(http.StatusCreated, &made)
	form, seen := regexp.MustCompile(`^([0-9A-HJKMNP-TV-Z]{4}-){2}[0-9A-HJKMNP-TV-Z]{4}$`), map[string]bool{}
	for _, code := range made.Codes {
		if !form.MatchString(code) || seen[code] {
			t.Fatalf("a code %q, or twice", code)
		}
		seen[code] = true
	}
	if len(seen) != 500 || made.Uses != 2 || !made.Until.Equal(until) {
		t.Errorf("made %d of %+v", len(seen), made.Rules)
	}
	ask("k", m{"name": "fan-club", "lane": "members", "count": 500, "uses": 2, "until": until}).is(http.StatusCreated, &again)
	if strings.Join(again.Codes, " ") != strings.Join(made.Codes, " ") {
		t.Error("the same request is told other codes")
	}
	ask("k2", m{"name": "fan-club", "lane": "members", "count": 500}).refused(409, "codes-exist")
	var other NewCodes
	ask("k3", m{"name": "press", "lane": "members", "count": 1}).is(http.StatusCreated, &other)
	if seen[other.Codes[0]] || other.Uses != 1 {
		t.Errorf("another batch has the same codes: %+v", other)
	}

	for why, bad := range map[string]m{
		"no name": {"lane": "members", "count": 1}, "a strange name": {"name": "Fan Club", "lane": "members", "count": 1},
		"no such lane": {"name": "x", "lane": "vips", "count": 1}, "none": {"name": "x", "lane": "members", "count": 0}, "too many": {"name": "x", "lane": "members", "count": 10_001},
		"used too often": {"name": "x", "lane": "members", "count": 1, "uses": 1_000_001}, "over": {"name": "x", "lane": "members", "count": 1, "until": time.Now().Add(-time.Second)},
		"over before it holds": {"name": "x", "lane": "members", "count": 1, "from": until, "until": until}, "after the sale": {"name": "x", "lane": "members", "count": 1, "from": c.sale.EndsAt},
	} {
		a := ask(strings.ReplaceAll(why, " ", "-"), bad)
		if a.Status != http.StatusUnprocessableEntity || !strings.Contains(string(a.Body), "codes-invalid") && !strings.Contains(string(a.Body), "property name") {
			t.Errorf("%s: %d %s", why, a.Status, a.Body)
		}
	}
	list := func() (l CodeList) {
		c.organize(http.MethodGet, path, "").is(http.StatusOK, &l)
		return l
	}
	if l := list(); len(l.Batches) != 2 || l.Batches[0].Name != "fan-club" || l.Batches[0].Codes != 500 || l.Batches[1].Codes != 1 {
		t.Errorf("there are %+v", l)
	}
	for _, key := range []string{"key-rival", "key-rival-counter"} {
		for _, r := range []struct{ method, path, body string }{{http.MethodGet, path, ""}, {http.MethodPost, path, c.json(m{"name": "x", "lane": "members", "count": 1})}, {http.MethodDelete, path + "/press?reason=x", ""}} {
			if a := c.do(r.method, r.path, key, r.body, "Idempotency-Key", "k"); a.Status != http.StatusNotFound && a.Status != http.StatusForbidden {
				t.Errorf("%s %s: %d %s", key, r.method, a.Status, a.Body)
			}
		}
	}
	c.organize(http.MethodDelete, path+"/press", "").refused(422, "reason-invalid")
	c.organize(http.MethodDelete, path+"/nobody?reason=x", "").refused(404, "codes-unknown")
	for range 2 {
		c.organize(http.MethodDelete, path+"/press?reason=they+got+out", "").is(http.StatusNoContent, nil)
	}
	if l := list(); !l.Batches[1].Withdrawn || l.Batches[0].Withdrawn {
		t.Errorf("withdrawn: %+v", l)
	}
	var changes struct {
		Changes []struct{ What, Name, Reason string }
	}
	c.organize(http.MethodGet, organizer+"/changes?subject="+string(c.sale.ID), "").is(http.StatusOK, &changes)
	if len(changes.Changes) != 3 || changes.Changes[0].What != "codes" || changes.Changes[0].Name != "press" || changes.Changes[0].Reason != "they got out" {
		t.Errorf("written down: %+v", changes)
	}
	for i := range presale.MostBatches {
		a := ask("many"+strings.Repeat("x", i), m{"name": "x" + strings.Repeat("x", i%30) + strings.Repeat("y", i/30), "lane": "members", "count": 1})
		if i < presale.MostBatches-2 {
			a.is(http.StatusCreated, nil)
			continue
		}
		a.refused(409, "codes-most")
	}
}
