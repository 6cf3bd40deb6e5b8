package api

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline/booking/guide"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/picture"
)

// guideScene is what the guide tells of, two at least of everything.
type guideScene struct{ event, performer, tour, venue, picture string }

// drawing is a PNG of so many pixels in each side.
func drawing(t testing.TB, side int) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, side, side))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func (c *core) guideScene() guideScene {
	c.t.Helper()
	var s guideScene
	made := func(path string, body any) (k struct{ ID string }) {
		text, ok := body.(string)
		if !ok {
			text = c.json(body)
		}
		c.organize(http.MethodPost, path, text, "Idempotency-Key", fmt.Sprintf("%x", sha256.Sum256([]byte(path+text)))).is(http.StatusCreated, &k)
		return k
	}
	s.picture = made(picturesPath, drawing(c.t, 120)).ID
	var list struct{ Events []guide.Listed }
	c.get("/api/v1/events", "").is(http.StatusOK, &list)
	shown := list.Events[0]
	s.venue = shown.Performances[0].VenueID
	for i := range 2 {
		s.performer = made(performersPath, m{"name": fmt.Sprint("Band ", i), "picture": s.picture}).ID
		s.tour = made(toursPath, m{"name": fmt.Sprint("Tour ", i)}).ID
		s.event = made(eventsPath, m{"title": fmt.Sprint("Gala ", i), "performers": []string{s.performer}, "tour": s.tour}).ID
		if _, err := c.db.Exec(c.t.Context(), `update performances set event_id = $1 where id = (select max(id::text)::uuid from performances where event_id = $2) and (select count(*) from performances where event_id = $2) > 1`, s.event, shown.ID); err != nil {
			c.t.Fatal(err)
		}
		venue := made(venuesPath, m{"format": "ropeline-venue/1", "name": fmt.Sprint("Hall ", i), "categories": []string{"Floor"}, "areas": []m{{"name": "Floor", "category": "Floor", "places": 10}}}).ID
		on := made(eventsPath, m{"title": fmt.Sprint("Ball ", i), "tour": s.tour}).ID
		for _, at := range []string{s.venue, venue} {
			if _, err := c.db.Exec(c.t.Context(), `insert into performances (id, event_id, venue_id, venue_version, starts_at, units)
				values (gen_random_uuid(), $1, $2, 1, '2030-05-01T18:00Z', 10)`, on, at); err != nil {
				c.t.Fatal(err)
			}
		}
		c.organize(http.MethodPut, eventsPath+"/"+on+"/state?reason=ready", `{"state":"published"}`, "If-Match", `"1"`).is(http.StatusOK, nil)
	}
	return s
}

const markup = `<b>Loud</b> & "quiet" <script>alert('1')</script>`

// From a draft that nobody sees to an event that everybody reads.
func TestAnOrganizerKeepsAnEvent(t *testing.T) {
	t.Parallel()
	c := start(t)
	var k guide.KeptEvent
	made := c.organize(http.MethodPost, eventsPath, c.json(m{"title": markup, "about": markup, "metadata": m{"note": markup}}), "Idempotency-Key", "k")
	made.is(http.StatusCreated, &k)
	if k.State != guide.Draft || k.Title != markup || k.Metadata["note"] != markup || made.Header.Get("ETag") != `"1"` || made.Header.Get("Location") != eventsPath+"/"+k.ID ||
		!strings.HasPrefix(made.Header.Get("Content-Type"), "application/json") {
		t.Fatalf("it was made as %+v, %v", k, made.Header)
	}
	where := eventsPath + "/" + k.ID
	c.get("/api/v1/events/"+k.ID, "").refused(http.StatusNotFound, "event-unknown")
	put := c.json(m{"title": "Gala", "about": markup})
	c.organize(http.MethodPut, where+"?reason=shorter", put).refused(http.StatusPreconditionRequired, "if-match-missing")
	c.organize(http.MethodPut, where+"?reason=shorter", put, "If-None-Match", "*").refused(http.StatusPreconditionRequired, "if-match-missing")
	c.organize(http.MethodPut, where, put, "If-Match", `"1"`).refused(http.StatusUnprocessableEntity, "reason-invalid")
	c.organize(http.MethodPut, where+"?reason=shorter", put, "If-Match", `"2"`).refused(http.StatusPreconditionFailed, "changed-meanwhile")
	for range 2 { // the same again is no new version
		if c.organize(http.MethodPut, where+"?reason=shorter", put, "If-Match", `"1"`).is(http.StatusOK, &k); k.Version != 2 {
			t.Errorf("it has version %d", k.Version)
		}
	}
	c.organize(http.MethodPut, where+"?reason=shorter", `{"title":"Other"}`, "If-Match", `"1"`).refused(http.StatusPreconditionFailed, "changed-meanwhile")
	if got := c.organize(http.MethodGet, where, "", "If-None-Match", `"2"`); got.Status != http.StatusNotModified {
		t.Errorf("having it: %d", got.Status)
	}
	program := m{"event_id": k.ID, "currency": "EUR",
		"performances": []m{{"venue": c.venue(), "local": m{"starts_at": "2030-07-01T20:00", "doors_at": "2030-07-01T19:00", "ends_at": "2030-07-01T22:30"}, "prices": m{"Floor": 4500}}},
		"sale": m{"id": "gala-night", "title": "Gala", "lobby_closes_at": "2030-01-10T08:59:55Z", "opens_at": "2030-01-10T09:00:00Z", "ends_at": "2030-05-01T16:00:00Z",
			"cap": 500, "rate": 1200, "claim_window": 60, "token_life": 60, "session_max": 1800, "hold": 600, "units_per_hold": 6}}
	c.organize(http.MethodPut, programsPath+"/gala-night", c.json(program), "If-None-Match", "*").is(http.StatusCreated, nil)
	c.organize(http.MethodPut, where+"/state?reason=ready", `{"state":"published"}`, "If-Match", `"2"`).refused(http.StatusPreconditionFailed, "changed-meanwhile") // it has got a performance
	c.organize(http.MethodPut, where+"/state?reason=ready", `{"state":"draft"}`, "If-Match", `"3"`).refused(http.StatusUnprocessableEntity, "request-invalid")
	c.organize(http.MethodPut, where+"/state?reason=ready", `{"state":"published"}`, "If-Match", `"3"`).is(http.StatusOK, &k)
	var e guide.Shown
	c.get("/api/v1/events/"+k.ID, "").is(http.StatusOK, &e)
	if p := e.Performances; e.Title != "Gala" || e.About != markup || len(p) != 1 || p[0].Sale != "gala-night" || p[0].Local != "2030-07-01T20:00" || p[0].TimeZone != "Europe/Lisbon" ||
		p[0].StartsAt != time.Date(2030, 7, 1, 19, 0, 0, 0, time.UTC) || p[0].EndsAt == nil || p[0].EndsAt.Sub(*p[0].DoorsAt) != 210*time.Minute {
		t.Errorf("people read %+v", e)
	}
	c.organize(http.MethodDelete, where+"?reason=no", "", "If-Match", `"4"`).refused(http.StatusConflict, "event-published")
	var copied guide.KeptEvent
	c.organize(http.MethodPost, where+"/copy", "", "Idempotency-Key", "copy").is(http.StatusCreated, &copied)
	if copied.ID == k.ID || copied.Title != "Gala" || copied.State != guide.Draft || len(copied.Performances) != 0 {
		t.Errorf("the copy is %+v", copied)
	}
	c.organize(http.MethodDelete, eventsPath+"/"+copied.ID+"?reason=no", "", "If-Match", `"1"`).is(http.StatusNoContent, nil)
	c.get(eventsPath+"/"+copied.ID, "key-olga").refused(http.StatusNotFound, "event-unknown")
	var changes ChangeList
	c.get(organizer+"/changes?subject="+k.ID, "key-olga").is(http.StatusOK, &changes)
	if len(changes.Changes) != 3 || changes.Changes[0].What != "state" || changes.Changes[0].Who != "staff:olga" || changes.Changes[0].Reason != "ready" {
		t.Errorf("written down: %+v", changes)
	}

	// What there is no such time for is said, and nothing is made.
	for local, code := range map[string]string{`{"starts_at":"2030-03-31T01:30"}`: "local-time-skipped", `{"starts_at":"20:00"}`: "local-time-invalid",
		`{"starts_at":"2030-07-01T20:00","ends_at":"2030-07-01T20:00"}`: "program-invalid"} {
		bad := strings.Replace(c.json(program), c.json(program["performances"].([]m)[0]["local"]), local, 1)
		bad = strings.ReplaceAll(bad, "gala-night", "gala-gap")
		c.organize(http.MethodPut, programsPath+"/gala-gap", bad, "If-None-Match", "*").refused(http.StatusUnprocessableEntity, code)
	}
	c.get(programsPath+"/gala-gap", "key-olga").refused(http.StatusNotFound, "program-unknown")
}

// venue is a hall in Lisbon.
func (c *core) venue() string {
	c.t.Helper()
	var v KeptVenue
	c.organize(http.MethodPost, venuesPath, c.json(m{"format": "ropeline-venue/1", "name": "Hall", "categories": []string{"Floor"}, "areas": []m{{"name": "Floor", "category": "Floor", "places": 10}}}), "Idempotency-Key", "hall").is(http.StatusCreated, &v)
	c.organize(http.MethodPut, venuesPath+"/"+v.ID+"/details?reason=new", c.json(m{"time_zone": "Europe/Lisbon", "city": "Lisboa", "country": "PT"}), "If-Match", `"1"`).is(http.StatusOK, nil)
	return v.ID
}

// What is canceled is sold no more: neither to who comes then, nor to who holds some of it.
func TestNothingIsSoldOfWhatIsCanceled(t *testing.T) {
	t.Parallel()
	c := start(t)
	var list struct{ Events []guide.Listed }
	c.get("/api/v1/events", "").is(http.StatusOK, &list)
	event := eventsPath + "/" + list.Events[0].ID
	buyer, early, late := c.fan(), c.fan(), c.fan()
	c.pay(buyer, "k", c.hold(buyer, 1).ID, sandbox.OK).is(http.StatusCreated, nil)
	held := c.hold(early, 2)
	ask := c.json(m{"performance": c.show.ID, "units": []int{3}})
	state := func(where, to string, version int) answer {
		return c.organize(http.MethodPut, where+"/state?reason=ill", c.json(m{"state": to}), "If-Match", versionTag(version))
	}
	show := organizer + "/performances/" + string(c.show.ID)
	state(show, "postponed", 1).is(http.StatusOK, nil)
	c.do(http.MethodPost, "/api/v1/holds", late, ask).refused(http.StatusConflict, "performance-off-sale")
	c.pay(early, "k", held.ID, sandbox.OK).refused(http.StatusConflict, "performance-off-sale")
	state(show, "scheduled", 2).is(http.StatusOK, nil)
	c.do(http.MethodPost, "/api/v1/holds", late, ask).is(http.StatusCreated, nil)
	state(event, "canceled", 3).is(http.StatusOK, nil)
	c.do(http.MethodPost, "/api/v1/holds", c.fan(), c.json(m{"performance": c.show.ID, "units": []int{4}})).refused(http.StatusConflict, "performance-off-sale")
	c.pay(early, "k2", held.ID, sandbox.OK).refused(http.StatusConflict, "performance-off-sale")
	c.do(http.MethodPost, c.counter("/holds"), "key-counter", c.json(m{"units": []int{40}}), "Idempotency-Key", "k").refused(http.StatusConflict, "performance-off-sale")
	state(event, "published", 4).refused(http.StatusConflict, "event-state")
	state(show, "scheduled", 4).refused(http.StatusConflict, "event-state")
	c.organize(http.MethodDelete, event+"?reason=ill", "", "If-Match", `"4"`).refused(http.StatusConflict, "event-published")
	var sold, charged int
	if err := c.db.QueryRow(t.Context(), `select (select count(*) from orders), (select count(*) from sandbox_payments)`).Scan(&sold, &charged); err != nil || sold != 1 || charged != 1 {
		t.Errorf("there are %d orders and %d payments, %v; want that of before alone", sold, charged, err)
	}
}

// A calendar warns by the clocks of its venue.
func TestAVenueTellsOfClashes(t *testing.T) {
	t.Parallel()
	c := start(t)
	hall := venuesPath + "/" + c.venue()
	on := "/clashes?local=2030-07-01T20:00"
	var got Clashes
	c.get(hall+on, "key-olga").is(http.StatusOK, &got)
	if len(got.Clashes) != 0 || got.At != time.Date(2030, 7, 1, 19, 0, 0, 0, time.UTC) {
		t.Errorf("it tells %+v", got)
	}
	if _, err := c.db.Exec(t.Context(), `update performances set venue_id = $1, venue_version = 1, starts_at = '2030-07-01T16:00Z'`, strings.TrimPrefix(hall, venuesPath+"/")); err != nil {
		t.Fatal(err)
	}
	if c.get(hall+on, "key-olga").is(http.StatusOK, &got); len(got.Clashes) != 1 || got.Clashes[0].Performance != string(c.show.ID) || got.Clashes[0].Title == "" {
		t.Errorf("it tells %+v", got)
	}
	var calendar Calendar
	if c.get(hall+"/calendar?from=2030-07-01T16:00:00Z", "key-olga").is(http.StatusOK, &calendar); calendar.TimeZone != "Europe/Lisbon" || len(calendar.Shows) != 1 || calendar.Shows[0].Local != "2030-07-01T17:00" || calendar.Shows[0].Clash {
		t.Errorf("the calendar is %+v", calendar)
	}
	c.get(hall+"/calendar?from=2030-07-01T16:00:01Z", "key-olga").is(http.StatusOK, &calendar)
	if len(calendar.Shows) != 0 {
		t.Errorf("later there is %+v", calendar)
	}
	c.get(hall+"/calendar?from=1970-01-01T00:00:00Z", "key-olga").refused(http.StatusUnprocessableEntity, "time-missing")
	if c.get(hall+on+"&but="+string(c.show.ID), "key-olga").is(http.StatusOK, &got); len(got.Clashes) != 0 {
		t.Errorf("of itself it tells %+v", got)
	}
	for query, code := range map[string]string{"": "time-missing", on + "&at=2030-07-01T20:00:00Z": "time-missing", "/clashes?local=2030-03-31T01:30": "local-time-skipped"} {
		c.get(hall+"/clashes"+strings.TrimPrefix(query, "/clashes"), "key-olga").refused(http.StatusUnprocessableEntity, code)
	}
	c.get(hall+on+"&but=x", "key-olga").refused(http.StatusNotFound, "performance-unknown")
}

// Whatever is uploaded is drawn anew, or refused: nothing else comes along.
func TestPicturesAreDrawnAnew(t *testing.T) {
	t.Parallel()
	c := start(t)
	upload := func(file, key string) answer {
		return c.organize(http.MethodPost, picturesPath+"?what=A+square", file, "Idempotency-Key", key)
	}
	var b bytes.Buffer
	colored := image.NewRGBA(image.Rect(0, 0, 700, 350))
	colored.Set(1, 1, color.White)
	if err := jpeg.Encode(&b, colored, nil); err != nil {
		t.Fatal(err)
	}
	var k guide.KeptPicture
	upload(b.String()+"<script>alert(1)</script>PK\x03\x04", "polyglot").is(http.StatusCreated, &k)
	for width, want := range map[int]int{0: 320, 500: 640, 9000: 700} {
		got := c.get(fmt.Sprint("/api/v1/pictures/", k.ID, "?width=", width), "")
		got.is(http.StatusOK, nil)
		config, format, err := image.DecodeConfig(bytes.NewReader(got.Body))
		if err != nil || format != "jpeg" || config.Width != want || config.Height != want/2 || got.Header.Get("Content-Type") != "image/jpeg" ||
			!strings.Contains(got.Header.Get("Cache-Control"), "immutable") || bytes.Contains(got.Body, []byte("script")) {
			t.Errorf("asked for %d: %+v %s %v, %v", width, config, format, err, got.Header)
		}
	}
	for what, file := range map[string]string{"a drawing with a script": `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`, "a page": "<!doctype html><script>", "half": b.String()[:b.Len()/2]} {
		if a := upload(file, "bad"); a.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", what, a.Status, a.Body)
		}
	}
	c.announce(http.MethodPost, picturesPath, "key-olga", picture.MaxBytes+1).refused(http.StatusRequestEntityTooLarge, "body-too-large")
	c.announce(http.MethodPost, picturesPath, "key-rosa", picture.MaxBytes).refused(http.StatusRequestEntityTooLarge, "body-too-large")
	upload(drawing(t, 99), "small").refused(http.StatusUnprocessableEntity, "picture-invalid")
	large := drawing(t, 200)
	large += strings.Repeat("\x00", 5<<20)
	upload(large, "large").is(http.StatusCreated, nil)
	c.get("/api/v1/pictures/x", "").refused(http.StatusNotFound, "picture-unknown")
	var n int
	if err := c.db.QueryRow(t.Context(), `select count(*) from pictures`).Scan(&n); err != nil || n != 2 {
		t.Errorf("there are %d pictures, %v", n, err)
	}
}
