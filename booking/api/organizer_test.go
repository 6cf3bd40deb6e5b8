package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
)

// organize calls an organizer's route.
func (c *core) organize(method, path, body string, headers ...string) answer {
	c.t.Helper()
	return c.do(method, path, "key-olga", body, headers...)
}

func operaHouse(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/venue.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// newVenue keeps the seat map of the documentation.
func (c *core) newVenue(t *testing.T, key string) KeptVenue {
	t.Helper()
	var v KeptVenue
	c.organize(http.MethodPost, venuesPath, operaHouse(t), "Idempotency-Key", key).is(http.StatusCreated, &v)
	return v
}

// A seat map is put as it is documented, what is wrong with it is told by its row,
// and of two who edit it at once one is told to look again.
func TestVenuesAreEditedOverHTTP(t *testing.T) {
	t.Parallel()
	c := start(t)
	text := operaHouse(t)
	v := c.newVenue(t, "k")
	path := venuesPath + "/" + v.ID
	if v.Version != 1 || v.Units != 213 || v.Name != "Opera House" {
		t.Errorf("kept %+v", v)
	}
	if again := c.newVenue(t, "k"); again != v {
		t.Errorf("the same request again made %+v, want %+v", again, v)
	}
	changed := strings.Replace(text, `"x":3.5`, `"x":3.6`, 1)
	c.organize(http.MethodPost, venuesPath, changed, "Idempotency-Key", "k").refused(422, "idempotency-key-reused")
	c.organize(http.MethodPost, venuesPath, text).refused(422, "idempotency-key-missing")

	got := c.organize(http.MethodGet, path, "")
	if got.Status != http.StatusOK || string(got.Body) != text || got.Header.Get("ETag") != `"1"` {
		t.Fatalf("read %d %s %s", got.Status, got.Header.Get("ETag"), got.Body)
	}
	if a := c.organize(http.MethodGet, path, "", "If-None-Match", `"1"`); a.Status != http.StatusNotModified || len(a.Body) > 0 {
		t.Errorf("having it: %d %s", a.Status, a.Body)
	}
	put := func(body, reason string, headers ...string) answer {
		t.Helper()
		return c.organize(http.MethodPut, path+reason, body, headers...)
	}
	why := "?reason=An+aisle+is+wider+%E2%80%94+for+all"
	put(changed, why).refused(428, "if-match-missing")
	put(changed, why, "If-None-Match", "*").refused(428, "if-match-missing")
	for _, other := range []string{`"2"`, `"0"`, `1`, `W/"1"`, `*`, `"x"`} {
		put(changed, why, "If-Match", other).refused(412, "changed-meanwhile")
	}
	put(changed, "", "If-Match", `"1"`).refused(422, "reason-invalid")
	put(changed, "?reason=a%0Ab", "If-Match", `"1"`).refused(422, "reason-invalid")
	for body, fault := range map[string]string{
		strings.Replace(text, `{"name":"4","x":3,"y":0}`, `{"name":"4","x":2,"y":0}`, 1): `section "Stalls", row "A", seat "4": lies where section "Stalls", row "A", seat "3" does`,
		strings.Replace(text, `"x":-1,"y":6.5`, `"x":-1,"y":"back"`, 1):                  `section "Circle-Left", row "AA", seat "103"`,
		strings.Replace(text, `"places":200`, `"places":200,"sort":1`, 1):                `area "Floor": unknown field "sort"`,
		`{"format":`: "it ends too early",
	} {
		a := put(body, why, "If-Match", `"1"`)
		a.refused(422, "venue-invalid")
		var p ropeline.Problem
		if err := json.Unmarshal(a.Body, &p); err != nil || !strings.Contains(p.Detail, fault) || len(p.Errors) != 1 || !strings.Contains(p.Errors[0].Detail, fault) || p.Errors[0].Line == 0 {
			t.Errorf("%s\nwant %s", a.Body, fault)
		}
	}
	var next KeptVenue
	a := put(changed, why, "If-Match", `"1"`)
	a.is(http.StatusOK, &next)
	if next.Version != 2 || a.Header.Get("ETag") != `"2"` {
		t.Errorf("changed to %+v %s", next, a.Header.Get("ETag"))
	}
	put(changed, why, "If-Match", `"1"`).is(http.StatusOK, &next) // the answer was lost
	if next.Version != 2 {
		t.Errorf("the same again is version %d", next.Version)
	}
	if old := c.organize(http.MethodGet, path+"?version=1", ""); string(old.Body) != text {
		t.Errorf("the first version is %s", old.Body)
	}

	var won, lost int
	var mu sync.Mutex
	var editors sync.WaitGroup
	for i := range 4 {
		editors.Go(func() {
			a := put(strings.Replace(text, `"x":3.5`, fmt.Sprintf(`"x":3.%d`, 70+i), 1), why, "If-Match", `"2"`)
			mu.Lock()
			defer mu.Unlock()
			switch a.Status {
			case http.StatusOK:
				won++
			case http.StatusPreconditionFailed:
				lost++
			}
		})
	}
	if editors.Wait(); won != 1 || lost != 3 {
		t.Errorf("of four editors at once %d won and %d were told to look again", won, lost)
	}
	c.organize(http.MethodPut, venuesPath+"/"+uuid.NewString()+why, text, "If-Match", `"1"`).refused(404, "venue-unknown")
	for _, version := range []string{"9", "2147483648", "9223372036854775807"} { // the last two were once a store that is away
		c.organize(http.MethodGet, path+"?version="+version, "").refused(404, "venue-unknown")
		c.organize(http.MethodGet, programsPath+"/"+string(c.sale.ID)+"?version="+version, "").refused(404, "program-unknown")
		c.organize(http.MethodGet, plansPath+"/free?version="+version, "").refused(404, "plan-unknown")
	}

	var log ChangeList
	c.organize(http.MethodGet, organizer+"/changes?subject="+v.ID, "").is(http.StatusOK, &log)
	if len(log.Changes) != 3 || log.Changes[1].Who != "staff:olga" || log.Changes[1].Reason != "An aisle is wider — for all" || log.Changes[1].Version != 2 || log.Changes[2].Version != 1 {
		t.Errorf("changes %+v", log)
	}
	if _, err := c.db.Exec(t.Context(), `update catalogue_changes set who = 'staff:eve'`); err == nil {
		t.Error("what was changed can be rewritten")
	}
}

// A hall of 20,000 seats is taken, of an organizer and of nobody else.
func TestLargeSeatMapsAreTakenOfOrganizersOnly(t *testing.T) {
	t.Parallel()
	c := start(t)
	var b bytes.Buffer
	b.WriteString(`{"format":"ropeline-venue/1","name":"Arena","categories":["All"],"sections":[{"name":"Block","category":"All","rows":[`)
	for row := range 100 {
		if row > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"%d","seats":[`, row+1)
		for seat := range 200 {
			if seat > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"name":"%d","x":%d,"y":%d}`, seat+1, seat, row)
		}
		b.WriteString(`]}`)
	}
	b.WriteString(`]}],"areas":[]}`)
	var v KeptVenue
	c.organize(http.MethodPost, venuesPath, b.String(), "Idempotency-Key", "k").is(http.StatusCreated, &v)
	if v.Units != 20_000 {
		t.Errorf("kept %+v of %d bytes", v, b.Len())
	}
	// Who signed in on a page has it in a cookie.
	c.do(http.MethodPost, venuesPath, "", b.String(), "Idempotency-Key", "page", "Cookie", ropeline.StaffCookie+"=key-olga", "Sec-Fetch-Site", "same-origin").is(http.StatusCreated, &v)
	for _, bearer := range []string{"", "x", "key-rosa", staffCookie + "key-rosa"} { // of what is only announced: a core that closes early may be heard or not
		c.announce(http.MethodPost, venuesPath, bearer, ropeline.MaxBody+1).refused(413, "body-too-large")
	}
	c.announce(http.MethodPost, venuesPath, "key-olga", ropeline.MaxDocument+1).refused(413, "body-too-large")
	c.announce(http.MethodPost, organizer+"/performances/"+string(c.show.ID)+"/reserves", "key-olga", ropeline.MaxBody+1).refused(413, "body-too-large")
}

func (c *core) evening(venue string) string {
	c.t.Helper()
	return c.json(m{
		"event": "An Evening", "currency": "EUR", "tariff": m{"fee_rate": 250},
		"performances": []m{
			{"venue": venue, "starts_at": "2027-05-01T20:00:00+02:00", "prices": m{"Stalls": 7500, "Circle": 5500, "Floor": 4500},
				"reserves": []m{{"name": "Camera", "kind": "blocked", "seats": []string{"Stalls-A-5"}}}},
			{"venue": venue, "starts_at": "2027-05-02T18:00:00Z", "prices": m{"Stalls": 7500, "Circle": 5500, "Floor": 4500}},
		},
		"sale": m{"id": "evening", "title": "Evenings", "lobby_closes_at": "2027-01-10T08:59:55Z", "opens_at": "2027-01-10T09:00:00Z", "ends_at": "2027-05-01T16:00:00Z",
			"cap": 500, "rate": 1200, "claim_window": 60, "token_life": 60, "session_max": 1800, "hold": 600, "hold_extensions": 1, "units_per_hold": 6},
	})
}

// A program makes a sale, once; what it says may be changed but for what was sold
// by it.
func TestProgramsAreEditedOverHTTP(t *testing.T) {
	t.Parallel()
	c := start(t)
	v := c.newVenue(t, "k")
	text := c.evening(v.ID)
	const path = programsPath + "/evening"
	put := func(body string, headers ...string) answer {
		t.Helper()
		return c.organize(http.MethodPut, path+"?reason=A+better+price", body, headers...)
	}
	fresh := []string{"If-None-Match", "*"}
	put(text).refused(428, "if-match-missing")
	put(text, "If-Match", `"1"`).refused(404, "program-unknown")
	c.organize(http.MethodPut, programsPath+"/other", text, fresh...).refused(422, "program-invalid")
	for body, fault := range map[string]string{
		strings.Replace(text, `"Circle":5500`, `"Gallery":5500`, 1):       `Category "Circle" of Opera House has no price`,
		strings.Replace(text, `"Circle":5500`, `"Circle":-1`, 1):          `Performance 1: the price of "Circle"`,
		strings.Replace(text, `Stalls-A-5`, `Stalls-Z-5`, 1):              `Reserve "Camera": there is no seat, row or section "Stalls-Z-5"`,
		strings.Replace(text, `"cap":500`, `"cap":500,"colour":"red"`, 1): "unknown field",
	} {
		a := put(body, fresh...)
		a.refused(422, map[bool]string{true: "reserve-invalid", false: "program-invalid"}[strings.HasPrefix(fault, "Reserve")])
		var p ropeline.Problem
		if err := json.Unmarshal(a.Body, &p); err != nil || !strings.Contains(p.Detail, fault) {
			t.Errorf("%s\nwant %s", a.Body, fault)
		}
	}
	var made, again, read catalogue.Program
	put(text, fresh...).is(http.StatusCreated, &made)
	put(text, fresh...).is(http.StatusOK, &again) // the answer was lost
	a := c.organize(http.MethodGet, path, "")
	a.is(http.StatusOK, &read)
	if c.json(again) != c.json(made) || c.json(read) != c.json(made) || a.Header.Get("ETag") != `"1"` || len(made.Sale.Performances) != 2 || made.Performances[0].Version != 1 {
		t.Fatalf("made %s\nagain %s\nread %s %s", c.json(made), c.json(again), a.Header.Get("ETag"), a.Body)
	}
	put(string(a.Body), "If-Match", `"1"`).is(http.StatusOK, nil) // what is read may be put
	if a := c.organize(http.MethodGet, path, "", "If-None-Match", `"1"`); a.Status != http.StatusNotModified {
		t.Errorf("having it: %d, so what was read and put was a change", a.Status)
	}

	dearer := strings.Replace(strings.Replace(text, `"Stalls":7500`, `"Stalls":7900`, 1), `"cap":500`, `"cap":600`, 1)
	put(dearer, fresh...).refused(412, "changed-meanwhile")
	put(dearer, "If-Match", `"7"`).refused(412, "changed-meanwhile")
	c.organize(http.MethodPut, path, dearer, "If-Match", `"1"`).refused(422, "reason-invalid")
	put(dearer, "If-Match", `"1"`).is(http.StatusOK, &made)
	shows := catalogue.New(c.db, time.Now) // as a core that has not read it yet
	p, err := shows.Performance(t.Context(), made.Sale.Performances[0])
	if err != nil || p.Map.Tiers[0].Price.Amount != 7900 || p.Sale.Cap != 600 || p.Sale.Version != 2 || p.Map.StartsAt.Hour() != 18 {
		t.Errorf("after the change: %+v %+v %v", p.Map, p.Sale, err)
	}
	if other, err := shows.Performance(t.Context(), made.Sale.Performances[1]); err != nil || other.Map.Tiers[0].Price.Amount != 7500 {
		t.Errorf("the other performance: %+v %v", other.Map, err)
	}
	for name, body := range map[string]string{
		"currency":     strings.Replace(dearer, `"EUR"`, `"USD"`, 1),
		"tariff":       strings.Replace(dearer, `"fee_rate":250`, `"fee_rate":260`, 1),
		"venue":        strings.Replace(dearer, v.ID, c.newVenue(t, "k2").ID, 1),
		"reserves":     strings.Replace(dearer, `Stalls-A-5`, `Stalls-A-6`, 1),
		"performances": strings.Replace(dearer, `"id":"evening"`, `"id":"evening","performances":["`+uuid.NewString()+`"]`, 1),
	} {
		a := put(body, "If-Match", `"2"`)
		if a.refused(409, "program-fixed"); t.Failed() {
			t.Fatal(name)
		}
	}
	if old := c.organize(http.MethodGet, path+"?version=1", ""); !strings.Contains(string(old.Body), `"Stalls":7500`) {
		t.Errorf("the first version is %s", old.Body)
	}
	var list ProgramList
	c.organize(http.MethodGet, programsPath, "").is(http.StatusOK, &list)
	if line := list.Programs[0]; len(list.Programs) != 2 || line.Sale != "evening" || line.Version != 2 || line.Shows != 2 || line.Title != "Evenings" {
		t.Errorf("programs %+v", list)
	}
	c.organize(http.MethodGet, programsPath+"/none", "").refused(404, "program-unknown")
	c.organize(http.MethodGet, programsPath+"/%27--", "").refused(404, "program-unknown")
}

// Reserves are made once and released once, by somebody and for a reason.
func TestReservesAreMadeAndReleasedOverHTTP(t *testing.T) {
	t.Parallel()
	c := start(t)
	path := organizer + "/performances/" + string(c.show.ID) + "/reserves"
	floor := c.show.Tiers[3]
	guests := c.json(m{"name": "Guest list", "kind": "guests", "area": floor.Name, "places": 10})
	make := func(body, key string) answer {
		return c.organize(http.MethodPost, path+"?reason=The+band", body, "Idempotency-Key", key)
	}
	var r, again Reserve
	make(guests, "k").is(http.StatusCreated, &r)
	make(guests, "k").is(http.StatusCreated, &again)
	if r.Units != 10 || c.json(again) != c.json(r) || r.Ranges[0] != (catalogue.Range{First: floor.First + floor.Count - 10, Count: 10}) {
		t.Errorf("made %+v, again %+v", r, again)
	}
	make(guests, "k2").refused(409, "reserve-exists")
	make(strings.Replace(guests, "10", "11", 1), "k").refused(422, "idempotency-key-reused")
	make(guests, "").refused(422, "idempotency-key-missing")
	make(c.json(m{"name": "Row", "kind": "blocked", "seats": []string{"Nowhere-Z"}}), "k3").refused(422, "reserve-invalid")
	make(c.json(m{"name": "Row", "kind": "lost", "seats": []string{"Nowhere-Z"}}), "k3").refused(422, "request-invalid")
	// It was made once, and neither it nor the list could be told any more: in UTC that is the
	// year 10000, which JSON has not.
	for _, never := range []string{"9999-12-31T23:59:59-12:00", "0000-01-01T00:00:00+12:00"} {
		make(c.json(m{"name": "Never", "kind": "batch", "area": floor.Name, "places": 1, "release_at": never}), "k4").refused(422, "reserve-invalid")
	}
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	make(c.json(m{"name": "Second batch", "kind": "batch", "area": floor.Name, "places": 20, "release_at": soon}), "k3").is(http.StatusCreated, &again)
	var list ReserveList
	c.organize(http.MethodGet, path, "").is(http.StatusOK, &list)
	if len(list.Reserves) != 2 || list.Reserves[1].ReleaseAt == nil || !list.Reserves[1].ReleaseAt.Equal(soon) {
		t.Errorf("reserves %s", c.json(list))
	}

	release := func(id string, body m) answer {
		return c.organize(http.MethodPost, path+"/"+id+"/release", c.json(body))
	}
	release(r.ID, m{}).refused(422, "request-invalid")
	release(r.ID, m{"reason": ""}).refused(422, "reason-invalid")
	release(uuid.NewString(), m{"reason": "r"}).refused(404, "reserve-unknown")
	release("x", m{"reason": "r"}).refused(404, "reserve-unknown")
	release(again.ID, m{"reason": "never", "at": "9999-12-31T23:59:59-12:00"}).refused(422, "reserve-invalid")
	later := soon.Add(time.Hour)
	release(again.ID, m{"reason": "later", "at": later}).is(http.StatusOK, &again)
	if !again.ReleaseAt.Equal(later) {
		t.Errorf("moved to %v, want %v", again.ReleaseAt, later)
	}
	var done, once Reserve
	release(r.ID, m{"reason": "The band brings nobody"}).is(http.StatusOK, &done)
	release(r.ID, m{"reason": "The band brings nobody"}).is(http.StatusOK, &once)
	if c.json(once) != c.json(done) || done.ReleaseAt.After(time.Now().Add(time.Minute)) {
		t.Errorf("released %s, again %s", c.json(done), c.json(once))
	}
	if c.organize(http.MethodGet, path, "").is(http.StatusOK, &list); len(list.Reserves) != 1 {
		t.Errorf("after the release: %s", c.json(list))
	}
	c.organize(http.MethodGet, organizer+"/performances/"+uuid.NewString()+"/reserves", "").refused(404, "performance-unknown")
	c.organize(http.MethodGet, organizer+"/performances/x/reserves", "").refused(404, "performance-unknown")

	var log ChangeList
	c.organize(http.MethodGet, organizer+"/changes?subject="+string(c.show.ID), "").is(http.StatusOK, &log)
	if len(log.Changes) != 4 || log.Changes[0].Reason != "The band brings nobody" || log.Changes[0].What != "release" || log.Changes[0].Name != r.ID ||
		log.Changes[3].Reason != "The band" || log.Changes[3].Who != "staff:olga" {
		t.Errorf("changes %s", c.json(log))
	}
}
