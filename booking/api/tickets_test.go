package api

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/ticket"
)

// phones are the keys of a test's tickets.
var phones = func() ticket.Keys {
	k, err := ticket.ParseKeys(strings.Repeat("07", 32))
	if err != nil {
		panic(err)
	}
	return k
}()

func TestAPhoneGetsTheKeysOfValidTickets(t *testing.T) {
	t.Parallel()
	c := startAfter(t, slog.New(slog.DiscardHandler), `update performances set tariff = '{"refund": {"before": 60}, "exchange": {}}'`)
	fan := c.fan()
	var o, other Order
	c.pay(fan, "k", c.hold(fan, 1, 2).ID, sandbox.OK).is(http.StatusCreated, &o)
	fan = c.fan()
	c.pay(fan, "k", c.hold(fan, 3).ID, sandbox.OK).is(http.StatusCreated, &other)
	at := "/api/v1/orders/" + o.ID

	passes := func() (p Passes) {
		before := time.Now().Add(-time.Millisecond)
		c.get(at+"/passes", o.Key).is(http.StatusOK, &p)
		if p.Order != o.ID || p.Now.Before(before) || p.Now.After(time.Now()) || p.For.Title != "Gala" || p.For.Zone == "" || p.For.State != "scheduled" || p.GiveUntil != nil || len(p.Tickets) != 2 {
			t.Fatalf("passes %+v", p)
		}
		return p
	}
	for i, k := range passes().Tickets {
		private, err := phones.Private(o.Tickets[i].ID, 1, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		key, err := private.JWK()
		if err != nil || k.ID != o.Tickets[i].ID || k.Issue != 1 || k.Key == nil || *k.Key != key || k.KeyID != private.KeyID().String() || k.Code != "" || k.Tier == "" || k.Label != o.Tickets[i].Label {
			t.Errorf("pass %+v, %v", k, err)
		}
	}
	if _, err := c.db.Exec(t.Context(), `update tickets set issue = 2 where id = $1`, o.Tickets[0].ID); err != nil {
		t.Fatal(err)
	}
	if p := passes(); p.Tickets[0].Issue != 2 || *p.Tickets[0].Key == *p.Tickets[1].Key {
		t.Errorf("issued again: %+v", p.Tickets[0])
	}
	first := passes().Tickets[0].Key
	if _, err := c.db.Exec(t.Context(), `update tickets set issue = 3 where id = $1`, o.Tickets[0].ID); err != nil {
		t.Fatal(err)
	}
	if *passes().Tickets[0].Key == *first {
		t.Error("another holder has the same key")
	}

	for _, file := range []string{"/passes", "/tickets.pdf", "/calendar.ics"} {
		c.get(at+file, other.Key).refused(http.StatusNotFound, "order-unknown")
		c.get(at+file, "").refused(http.StatusUnauthorized, "order-key-missing")
		c.get("/api/v1/orders/"+uuid.NewString()+file, o.Key).refused(http.StatusNotFound, "order-unknown")
	}
	c.printed(at, o.Key)

	c.do(http.MethodPost, at+"/cancel", o.Key, c.json(m{"tickets": []string{o.Tickets[0].ID}})).is(http.StatusOK, nil)
	if p := passes(); p.Tickets[0].State != ticket.Canceled || p.Tickets[0].Key != nil || p.Tickets[0].KeyID != "" || p.Tickets[1].Key == nil {
		t.Errorf("one is canceled: %+v", p.Tickets)
	}
	c.do(http.MethodPost, at+"/cancel", o.Key, `{}`).is(http.StatusOK, nil)
	c.get(at+"/tickets.pdf", o.Key).refused(http.StatusConflict, "tickets-none-valid")
	entry := c.get(at+"/calendar.ics", o.Key)
	if entry.Status != http.StatusOK || !bytes.Contains(entry.Body, []byte("STATUS:CANCELLED\r\n")) {
		t.Errorf("the calendar of nothing: %d %s", entry.Status, entry.Body)
	}
}

// printed looks at the files of an order.
func (c *core) printed(at, key string) {
	c.t.Helper()
	for file, want := range map[string][2]string{"/tickets.pdf": {"application/pdf", "%PDF-"}, "/calendar.ics": {"text/calendar; charset=utf-8; method=PUBLISH", "BEGIN:VCALENDAR\r\n"}} {
		a := c.get(at+file, key)
		if a.Status != http.StatusOK || a.Header.Get("Content-Type") != want[0] || !bytes.HasPrefix(a.Body, []byte(want[1])) || a.Header.Get("Cache-Control") != "no-store" {
			c.t.Errorf("%s: %d %v %.40q", file, a.Status, a.Header, a.Body)
		}
		again := c.get(at+file, key, "If-None-Match", a.Header.Get("ETag"))
		if again.Status != http.StatusNotModified || len(again.Body) > 0 {
			c.t.Errorf("%s again: %d with %d bytes", file, again.Status, len(again.Body))
		}
	}
}

func TestNothingIsTakenAlongOfWhatIsNotPaid(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()
	o, _ := c.act(fan, c.hold(fan, 1))
	at := "/api/v1/orders/" + o.ID
	var p Passes
	c.get(at+"/passes", o.Key).is(http.StatusOK, &p)
	if p.Tickets[0].State != ticket.Unpaid || p.Tickets[0].Key != nil || p.Tickets[0].Code != "" {
		t.Errorf("passes %+v", p)
	}
	c.get(at+"/tickets.pdf", o.Key).refused(http.StatusConflict, "order-pending")
	c.get(at+"/calendar.ics", o.Key).refused(http.StatusConflict, "order-pending")
}

func TestWithoutKeysPhonesShowThePrintedCode(t *testing.T) {
	t.Parallel()
	c := startWith(t, slog.New(slog.DiscardHandler), func(_ *core, config *Config) { config.Tickets = ticket.Keys{} })
	fan := c.fan()
	var o Order
	c.pay(fan, "k", c.hold(fan, 1).ID, sandbox.OK).is(http.StatusCreated, &o)
	var p Passes
	c.get("/api/v1/orders/"+o.ID+"/passes", o.Key).is(http.StatusOK, &p)
	if k := p.Tickets[0]; k.Key != nil || k.KeyID != "" || k.Code != o.Tickets[0].Code {
		t.Errorf("pass %+v", k)
	}
}
