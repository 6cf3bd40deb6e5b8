package api

import (
	"net/http"
	"testing"
)

// What is answered from memory is, to the last header, what its handler answers.
func TestWhatIsInMemoryIsAnsweredAsItsHandlerDoes(t *testing.T) {
	t.Parallel()
	c := start(t)
	_, l := c.listing(1)
	event, hall := "/api/v1/events/"+l.Events[0].ID, "/api/v1/performances/"+string(c.show.ID)+"/availability"
	for _, path := range []string{"/api/v1/listing", event, hall} {
		for range 3 { // a look in between may make another one of it
			slow := c.get(path+"?by=handler", "")
			quick := c.get(path, "")
			if slow.Header.Get("ETag") != quick.Header.Get("ETag") {
				continue
			}
			slow.Header.Del("Date")
			for name := range slow.Header {
				if got, want := quick.Header.Get(name), slow.Header.Get(name); name != "Date" && got != want {
					t.Errorf("%s: %s is %q in memory, and %q of the handler", path, name, got, want)
				}
			}
			if len(quick.Header) != len(slow.Header)+1 || quick.Status != slow.Status || path != hall && string(quick.Body) != string(slow.Body) {
				t.Errorf("%s: in memory %d %v %s, of the handler %d %v %s", path, quick.Status, quick.Header, quick.Body, slow.Status, slow.Header, slow.Body)
			}
			have := quick.Header.Get("ETag")
			if again := c.get(path, "", "If-None-Match", `"older", W/`+have); again.Status != http.StatusNotModified || len(again.Body) > 0 || again.Header.Get("ETag") != have {
				t.Errorf("%s: who has it is answered %d %s", path, again.Status, again.Body)
			}
			break
		}
	}
	c.get(event, "", "Content-Encoding", "gzip").refused(http.StatusUnsupportedMediaType, "body-encoded")
	c.get("/api/v1/events/none", "").refused(http.StatusNotFound, "event-unknown")
}

// A look that is answered from memory counts as one that is looked up.
func TestALookFromMemoryMakesPopular(t *testing.T) {
	t.Parallel()
	c := start(t)
	_, l := c.listing(1)
	id, before := l.Events[0].ID, 0.0
	popularity := `select popularity from find_entries where kind = 'event' and id = $1`
	if err := c.db.QueryRow(t.Context(), popularity, id).Scan(&before); err != nil {
		t.Fatal(err)
	}
	const looks = 40
	for range looks {
		c.get("/api/v1/events/"+id, "").is(http.StatusOK, nil)
	}
	if err := c.api.server.finder.WriteSeen(t.Context()); err != nil {
		t.Fatal(err)
	}
	var counted float64
	err := c.db.QueryRow(t.Context(), `select power(2, popularity - find_moment(now())) - power(2, $2::float8 - find_moment(now())) from find_entries where kind = 'event' and id = $1`, id, before).Scan(&counted)
	if err != nil || counted < looks-0.01 || counted > looks+0.01 {
		t.Errorf("%d looks counted %g, %v", looks, counted, err)
	}
}
