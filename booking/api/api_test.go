package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/guide"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/ticket"
)

// The whole way of a fan who was let in: look, hold, extend, pay, print.
func TestFromMapToTicket(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()

	var list struct{ Events []guide.Listed }
	c.get("/api/v1/events", "").is(http.StatusOK, &list)
	if len(list.Events) != 1 || list.Events[0].Performances[0].ID != c.show.ID || list.Events[0].Performances[0].Sale != c.sale.ID {
		t.Fatalf("events %+v", list)
	}
	var m catalogue.Map
	c.get("/api/v1/performances/"+string(c.show.ID), "").is(http.StatusOK, &m)
	if m.Units != 300 || len(m.Tiers) != 4 || m.Rows[0].Count == 0 || m.Sale != c.sale.ID {
		t.Fatalf("map %+v", m)
	}

	h := c.hold(fan, 31, 30)
	if !slices.Equal(h.Units, []int{30, 31}) || h.Total.Amount != 2*7500 || h.Lines[0].Label != m.Label(30) ||
		h.State != hold.Held || h.ExtensionsLeft != 1 || h.Sale != c.sale.ID {
		t.Fatalf("hold %+v", h)
	}
	if left := time.Until(h.ExpiresAt); left < 9*time.Minute || left > 10*time.Minute {
		t.Errorf("the hold lasts %v, want ten minutes", left)
	}
	c.free(t, 0, 98, 2, 0)

	var again struct{ Holds []Hold }
	c.get("/api/v1/holds", fan).is(http.StatusOK, &again)
	if len(again.Holds) != 1 || again.Holds[0].ID != h.ID {
		t.Fatalf("a reload finds %+v", again)
	}
	var longer Hold
	c.do(http.MethodPost, "/api/v1/holds/"+h.ID+"/extend", fan, "").is(http.StatusOK, &longer)
	if longer.ExtensionsLeft != 0 || longer.ExpiresAt.Before(h.ExpiresAt) {
		t.Errorf("extended %+v", longer)
	}

	var o Order
	c.pay(fan, "key-1", h.ID, sandbox.OK).is(http.StatusCreated, &o)
	if o.State != order.Paid || o.Total != h.Total || o.Email != "fan@example.org" || len(o.Tickets) != 2 || o.Key == "" {
		t.Fatalf("order %+v", o)
	}
	c.free(t, 0, 98, 0, 2)
	c.get("/api/v1/holds", fan).is(http.StatusOK, &again)
	if len(again.Holds) != 0 {
		t.Errorf("after the sale: %+v", again)
	}

	var read Order
	c.get("/api/v1/orders/"+o.ID, o.Key).is(http.StatusOK, &read)
	if read.Key != "" {
		t.Error("the order shows its key")
	}
	if read.Key = o.Key; c.json(read) != c.json(o) {
		t.Errorf("read %s, want %s", c.json(read), c.json(o))
	}
	var k Ticket
	c.get("/api/v1/tickets/"+o.Tickets[1].ID, o.Key).is(http.StatusOK, &k)
	if k != o.Tickets[1] || k.State != ticket.Valid || k.Code == "" || !strings.HasPrefix(k.QR, "<svg ") {
		t.Errorf("ticket %+v", k)
	}
	if r := c.inventory(); r.Sold != 2 || r.Free != 298 {
		t.Errorf("inventory %+v", r)
	}
}

// look is what is free now: what is shown may be a moment old, and says so.
func (c *core) look() (a Availability) {
	c.t.Helper()
	asked := time.Now()
	for {
		a = Availability{}
		c.get("/api/v1/performances/"+string(c.show.ID)+"/availability", "").is(http.StatusOK, &a)
		if age := time.Since(a.AsOf); age > glanceLife+5*time.Second {
			c.t.Fatalf("what is shown is %s old", age)
		}
		if !a.AsOf.Before(asked) {
			return a
		}
	}
}

// free checks a tier's counts and that they are what the bitmaps say.
func (c *core) free(t *testing.T, tier, free, held, sold int) {
	t.Helper()
	a := c.look()
	if got := a.Tiers[tier]; got.Free != free || got.Held != held || got.Sold != sold {
		t.Errorf("tier %+v, want free %d, held %d, sold %d", got, free, held, sold)
	}
	taken, marked := inventory.Bitmap(a.Taken), inventory.Bitmap(a.Sold)
	if taken.Count(0, 300) != held+sold || marked.Count(0, 300) != sold || len(a.Taken) != 38 {
		t.Errorf("bitmaps say %d taken and %d sold in %d bytes", taken.Count(0, 300), marked.Count(0, 300), len(a.Taken))
	}
}

// Everything a fan may get wrong with a hold: the right problem, and nothing
// has changed.
func TestBadHolds(t *testing.T) {
	t.Parallel()
	c := start(t)
	taken := c.hold(c.fan(), 0, 1)
	other, show := c.seed(10, 0)
	theirs := show.Tiers[0].ID
	busy := c.fan()
	c.hold(busy, 5)
	many := make([]int, 10_000)
	for i := range many {
		many[i] = i
	}
	id, tier, floor := string(c.show.ID), c.show.Tiers[0].ID, c.show.Tiers[3].ID
	before := c.json(c.inventory())
	for _, b := range []struct {
		name   string
		body   any
		status int
		code   string
	}{
		{"unit taken", m{"performance": id, "units": []int{2, 1}}, 409, "units-taken"},
		{"unit past the end", m{"performance": id, "units": []int{300}}, 422, "units-unknown"},
		{"unit below zero", m{"performance": id, "units": []int{-1}}, 422, "units-unknown"},
		{"unit far away", m{"performance": id, "units": []int64{1 << 60}}, 422, "units-unknown"},
		{"the same unit twice", m{"performance": id, "units": []int{7, 7}}, 422, "quantity-invalid"},
		{"ten thousand units", m{"performance": id, "units": many}, 422, "too-many-units"},
		{"ten thousand of a tier", m{"performance": id, "tier": floor, "quantity": 10_000}, 422, "too-many-units"},
		{"one more than allowed", m{"performance": id, "tier": floor, "quantity": 7}, 422, "too-many-units"},
		{"none", m{"performance": id, "units": []int{}}, 422, "quantity-invalid"},
		{"zero of a tier", m{"performance": id, "tier": tier, "quantity": 0}, 422, "quantity-invalid"},
		{"minus two of a tier", m{"performance": id, "tier": tier, "quantity": -2}, 422, "quantity-invalid"},
		{"neither units nor tier", m{"performance": id}, 422, "quantity-invalid"},
		{"a unit, and none of a tier", m{"performance": id, "units": []int{9}, "tier": tier, "quantity": 0, "tiers": []m{{"tier": tier, "quantity": 0}}}, 422, "quantity-invalid"},
		{"seats and places, one too many together", m{"performance": id, "units": []int{9, 10}, "tier": tier, "quantity": 2, "tiers": []m{{"tier": floor, "quantity": 3}}}, 422, "too-many-units"},
		{"sums that overflow", m{"performance": id, "tiers": []m{{"tier": tier, "quantity": math.MaxInt64}, {"tier": floor, "quantity": math.MaxInt64}}}, 422, "too-many-units"},
		{"a free seat and one that is taken", m{"performance": id, "units": []int{9, 1}, "tiers": []m{{"tier": floor, "quantity": 1}}}, 409, "units-taken"},
		{"no name of a tier", m{"performance": id, "units": []int{9}, "tiers": []m{{"tier": "", "quantity": 1}}}, 422, "units-unknown"},
		{"quantity without tier", m{"performance": id, "quantity": 2}, 422, "units-unknown"},
		{"unknown tier", m{"performance": id, "tier": uuid.NewString(), "quantity": 1}, 422, "units-unknown"},
		{"unknown performance", m{"performance": uuid.NewString(), "units": []int{1}}, 404, "performance-unknown"},
		{"performance is no id", m{"performance": "}:taken", "units": []int{1}}, 404, "performance-unknown"},
		{"a tier of another performance", m{"performance": id, "tier": theirs, "quantity": 1}, 422, "units-unknown"},
		{"Lua for a performance", m{"performance": evilLua, "units": []int{1}}, 404, "performance-unknown"},
		{"Lua for a tier", m{"performance": id, "tier": evilLua, "quantity": 1}, 422, "units-unknown"},
		{"Lua for a unit", m{"performance": id, "units": []string{evilLua}}, 422, "request-invalid"},
		{"another sale's performance", m{"performance": other.Performances[0], "units": []int{1}}, 403, "wrong-sale"},
		{"no performance", m{"units": []int{1}}, 422, "request-invalid"},
		{"half a unit", m{"performance": id, "units": []float64{1.5}}, 422, "request-invalid"},
		{"a unit in words", m{"performance": id, "units": []string{"one"}}, 422, "request-invalid"},
		{"an unknown field", m{"performance": id, "units": []int{9}, "price": 1}, 422, "request-invalid"},
		{"a list", []int{1}, 422, "request-invalid"},
		{"a huge number", json.RawMessage(`{"performance":"` + id + `","units":[1e300]}`), 422, "request-invalid"},
	} {
		t.Run(b.name, func(t *testing.T) {
			c := *c
			c.t = t
			c.do(http.MethodPost, "/api/v1/holds", c.fan(), c.json(b.body)).refused(b.status, b.code)
		})
	}
	good := c.json(m{"performance": id, "units": []int{9}})
	for _, body := range []string{"{", "", "null, {}", `{"performance":`, "\x00", good + good} {
		c.do(http.MethodPost, "/api/v1/holds", c.fan(), body).refused(400, "body-malformed")
	}
	c.do(http.MethodPost, "/api/v1/holds", c.fan(), good, "Content-Type", "text/plain").refused(400, "body-malformed")
	c.announce(http.MethodPost, "/api/v1/holds", c.fan(), ropeline.MaxBody+1).refused(413, "body-too-large")
	c.do(http.MethodPost, "/api/v1/holds", busy, good).refused(409, "hold-exists")
	// Fiber would unpack this without a limit.
	c.do(http.MethodPost, "/api/v1/holds", c.fan(), packed(t, 8<<20), "Content-Encoding", "gzip").refused(415, "body-encoded")
	whole := c.do(http.MethodPost, "/api/v1/holds", c.fan(), `{"performance":"`+string(id)+`","units":[1.0]}`)
	whole.refused(422, "request-invalid")
	if strings.Contains(string(whole.Body), "Go ") {
		t.Errorf("a problem names our types: %s", whole.Body)
	}
	// The edge lets 32 KB of header through; less here would be refused in between.
	if a := c.do(http.MethodGet, "/api/v1/events", "", "", "X-Pad", strings.Repeat("p", 30<<10)); a.Status != 200 {
		t.Errorf("30 KB of header: %d", a.Status)
	}
	evil := []string{"Sec-Fetch-Site", "cross-site", "Cookie", token.Cookie("x") + "=y"}
	c.do(http.MethodPost, "/api/v1/holds", "", good, evil...).refused(403, "origin-mismatch")
	c.do(http.MethodPost, "/api/v1/holds", "", good, append(evil, "Authorization", "Basic eDp5")...).refused(403, "origin-mismatch")

	stranger := c.fan()
	for _, id := range []string{taken.ID, uuid.NewString(), "x", "*", "%00", strings.Repeat("a", 2000)} {
		c.get("/api/v1/holds/"+id, stranger).refused(404, "hold-unknown")
		c.do(http.MethodDelete, "/api/v1/holds/"+id, stranger, "").refused(404, "hold-unknown")
		c.do(http.MethodPost, "/api/v1/holds/"+id+"/extend", stranger, "").refused(404, "hold-unknown")
		c.pay(stranger, "k", id, sandbox.OK).refused(404, "hold-unknown")
	}
	if after := c.json(c.inventory()); after != before {
		t.Errorf("something changed: %s, before %s", after, before)
	}
}

type m map[string]any

// evilLua would mean something to a script, to Redis or to SQL.
const evilLua = "1'] or redis.call('FLUSHALL') --\r\n*1\r\n$8\r\nFLUSHALL\r\n%00{}:taken'; drop table orders; --"

// packed is a gzip of n bytes.
func packed(t *testing.T, n int) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestBadOrders(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()
	h := c.hold(fan, 3, 4)
	before := c.json(c.inventory())
	order := func(body, key string) answer {
		return c.do(http.MethodPost, "/api/v1/orders", fan, body, "Idempotency-Key", key)
	}
	good := m{"hold": h.ID, "email": "fan@example.org", "payment_method": sandbox.OK}
	order(c.json(good), "").refused(422, "idempotency-key-missing")
	order(c.json(good), strings.Repeat("k", 129)).refused(422, "idempotency-key-missing")
	order(c.json(m{"hold": h.ID, "email": "fan", "payment_method": sandbox.OK}), "k1").refused(422, "email-invalid")
	order(c.json(m{"hold": h.ID, "email": "fan\u202egro@example.org", "payment_method": sandbox.OK}), "k7").refused(422, "email-invalid")
	order(c.json(m{"hold": h.ID, "email": "fan@example.org", "payment_method": "gold"}), "k2").refused(422, "payment-method-unknown")
	order(c.json(m{"hold": h.ID, "email": 7, "payment_method": sandbox.OK}), "k3").refused(422, "request-invalid")
	order(c.json(m{"hold": h.ID}), "k4").refused(422, "request-invalid")
	order("{", "k5").refused(400, "body-malformed")
	order(strings.Repeat("[", ropeline.MaxBody+1), "k6").refused(413, "body-too-large")
	if after := c.json(c.inventory()); after != before {
		t.Errorf("something changed: %s, before %s", after, before)
	}

	c.pay(fan, "declined", h.ID, sandbox.Declined).refused(402, "payment-declined")
	c.pay(fan, "declined", h.ID, sandbox.OK).refused(422, "idempotency-key-reused")
	var kept Hold
	c.get("/api/v1/holds/"+h.ID, fan).is(http.StatusOK, &kept)
	if kept.State != hold.Held || kept.ExpiresAt != h.ExpiresAt {
		t.Errorf("after a declined card: %+v, want the hold as it was", kept)
	}
	a := c.pay(fan, "broken", h.ID, sandbox.Error)
	a.refused(503, "payment-unavailable")
	if a.Header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
	}
	var first, second Order
	c.pay(fan, "good", h.ID, sandbox.OK).is(http.StatusCreated, &first)
	c.pay(fan, "good", h.ID, sandbox.OK).is(http.StatusCreated, &second)
	if c.json(first) != c.json(second) {
		t.Errorf("repeated: %s, want %s", c.json(second), c.json(first))
	}
}

func TestHoldsEnd(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()
	h := c.hold(fan, 3, 4)
	path := "/api/v1/holds/" + h.ID
	for range 2 { // releasing twice is fine
		c.do(http.MethodDelete, path, fan, "").is(http.StatusNoContent, nil)
	}
	c.get(path, fan).refused(410, "hold-released")
	c.do(http.MethodPost, path+"/extend", fan, "").refused(410, "hold-released")
	c.pay(fan, "k", h.ID, sandbox.OK).refused(410, "hold-released")
	if r := c.inventory(); r.Free != 300 {
		t.Errorf("inventory %+v", r)
	}

	// A hold leaves its session the time for a payment, however long a hold may last.
	brief := c.claims()
	brief.SessionEnds = time.Now().Add(ropeline.PaymentReserve - time.Second)
	fan = c.sign(brief, jwt.SigningMethodEdDSA, c.key)
	c.do(http.MethodPost, "/api/v1/holds", fan, c.json(m{"performance": c.show.ID, "units": []int{3, 4}})).refused(410, "session-over")
	brief.SessionEnds = time.Now().Add(ropeline.PaymentReserve + 3*time.Second)
	fan = c.sign(brief, jwt.SigningMethodEdDSA, c.key)
	h = c.hold(fan, 3, 4)
	if last := brief.SessionEnds.Add(-ropeline.PaymentReserve); h.ExpiresAt.After(last) {
		t.Errorf("the hold ends at %v, after %v", h.ExpiresAt, last)
	}
	c.do(http.MethodPost, "/api/v1/holds/"+h.ID+"/extend", fan, "").refused(409, "hold-not-extendable")
	for deadline := time.Now().Add(20 * time.Second); c.get("/api/v1/holds/"+h.ID, fan).Status == http.StatusOK; {
		if time.Now().After(deadline) {
			t.Fatal("the hold does not run out")
		}
	}
	c.get("/api/v1/holds/"+h.ID, fan).refused(410, "hold-expired")
	c.do(http.MethodPost, "/api/v1/holds/"+h.ID+"/extend", fan, "").refused(410, "hold-expired")
	c.pay(fan, "k", h.ID, sandbox.OK).refused(410, "hold-expired")
}

func TestBestAvailableAndGeneralAdmission(t *testing.T) {
	t.Parallel()
	c := start(t)
	seated, floor := c.show.Tiers[0], c.show.Tiers[3]
	take := func(tier string, n int) answer {
		return c.do(http.MethodPost, "/api/v1/holds", c.fan(), c.json(m{"performance": c.show.ID, "tier": tier, "quantity": n}))
	}
	var h Hold
	take(seated.ID, 3).is(http.StatusCreated, &h)
	best := c.show.BestRows(seated.ID)[0]
	if want := []int{best.First, best.First + 1, best.First + 2}; !slices.Equal(h.Units, want) {
		t.Errorf("best available %v, want %v", h.Units, want)
	}
	for sold := 0; sold < floor.Count; sold += 5 {
		take(floor.ID, 5).is(http.StatusCreated, &h)
	}
	take(floor.ID, 1).refused(409, "sold-out")
	a := c.look()
	if got := a.Tiers[3]; got.Free != 0 || got.Held != floor.Count {
		t.Errorf("the floor is %+v", got)
	}
}

// A place of the line has so many units and no more, whatever session holds or has
// bought them; a thousand tabs of one session have one hold.
func TestLimitsOfOnePlaceAndOneSession(t *testing.T) {
	t.Parallel()
	c := start(t)
	sale, show := c.seed(40, 0, func(s *ropeline.Sale) { s.UnitsPerPlace = 7 })
	c.built(show.ID)
	fan := func() string {
		claims := c.claims()
		claims.Sale, claims.Place = sale.ID, "AAAAAAAAAAAAAAAAAAAAAA"
		return c.sign(claims, jwt.SigningMethodEdDSA, c.key)
	}
	take := func(fan string, n int) answer {
		return c.do(http.MethodPost, "/api/v1/holds", fan, c.json(m{"performance": show.ID, "tier": show.Tiers[0].ID, "quantity": n}))
	}
	var h Hold
	first := fan()
	take(first, 4).is(http.StatusCreated, &h)
	take(fan(), 4).refused(409, "place-limit")
	c.pay(first, "k", h.ID, sandbox.OK).is(http.StatusCreated, nil)
	take(first, 4).refused(409, "place-limit")
	take(first, 3).is(http.StatusCreated, &h)
	c.do(http.MethodDelete, "/api/v1/holds/"+h.ID, first, "").is(http.StatusNoContent, nil)

	var held, refused atomic.Int64
	var tabs sync.WaitGroup
	for range 50 {
		tabs.Go(func() {
			for range 20 {
				switch a := take(first, 1); a.Status {
				case http.StatusCreated:
					held.Add(1)
				case http.StatusConflict:
					a.refused(409, "hold-exists")
					refused.Add(1)
				}
			}
		})
	}
	tabs.Wait()
	if held.Load() != 1 || refused.Load() != 999 {
		t.Errorf("of a thousand tabs %d held something and %d were told that they do, want 1 and 999", held.Load(), refused.Load())
	}
}

// Seats that were picked, best seats and places of the floor are one hold, all or
// nothing.
func TestSeatsAndPlacesInOneHold(t *testing.T) {
	t.Parallel()
	c := start(t)
	seated, floor := c.show.Tiers[0], c.show.Tiers[3]
	take := func(units []int, tiers ...m) answer {
		return c.do(http.MethodPost, "/api/v1/holds", c.fan(), c.json(m{"performance": c.show.ID, "units": units, "tiers": tiers}))
	}
	best := c.show.BestRows(seated.ID)[0].First
	var h Hold
	take([]int{best, 3 + best}, m{"tier": floor.ID, "quantity": 2}, m{"tier": seated.ID, "quantity": 2}).is(http.StatusCreated, &h)
	// The picked ones are in the way of the best ones, which would be best, best+1.
	if want := []int{best, best + 1, best + 2, best + 3, floor.First, floor.First + 1}; !slices.Equal(h.Units, want) || h.Total.Amount != 4*seated.Price.Amount+2*floor.Price.Amount {
		t.Errorf("held %v for %v, want %v", h.Units, h.Total, want)
	}
	for left := floor.Count - 2; left > 1; left -= 5 {
		take(nil, m{"tier": floor.ID, "quantity": min(5, left-1)}).is(http.StatusCreated, nil)
	}
	before := c.json(c.inventory())
	take([]int{best + 5}, m{"tier": seated.ID, "quantity": 2}, m{"tier": floor.ID, "quantity": 2}).refused(409, "sold-out")
	if after := c.json(c.inventory()); after != before {
		t.Errorf("a part of a refused hold stayed: %s, before %s", after, before)
	}
}

func TestAnswersAreCachedByTheirTag(t *testing.T) {
	t.Parallel()
	c := start(t)
	for _, path := range []string{"", "/availability"} {
		path = "/api/v1/performances/" + string(c.show.ID) + path
		first := c.get(path, "")
		tag := first.Header.Get("ETag")
		if tag == "" || first.Header.Get("Cache-Control") == "" {
			t.Fatalf("%s: headers %v", path, first.Header)
		}
		for _, have := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
			if a := c.get(path, "", "If-None-Match", have); a.Status != http.StatusNotModified || len(a.Body) > 0 {
				t.Errorf("%s: If-None-Match %s answered %d %s", path, have, a.Status, a.Body)
			}
		}
		c.get(path, "", "If-None-Match", `"other"`).is(http.StatusOK, nil)
	}
	path := "/api/v1/performances/" + string(c.show.ID) + "/availability"
	tag := c.get(path, "").Header.Get("ETag")
	c.hold(c.fan(), 1)
	c.look()
	c.get(path, "", "If-None-Match", tag).is(http.StatusOK, nil)
}

// A cookie is only as good as the page that sends it.
func TestCookiesNeedOurOwnOrigin(t *testing.T) {
	t.Parallel()
	c := start(t)
	cookie := token.Cookie(c.sale.ID) + "=" + c.fan()
	post := func(headers ...string) answer {
		return c.do(http.MethodPost, "/api/v1/holds", "", c.json(m{"performance": c.show.ID, "units": []int{1}}),
			append([]string{"Cookie", cookie, "Ropeline-Sale", string(c.sale.ID)}, headers...)...)
	}
	host := strings.TrimPrefix(c.url, "http://")
	for _, foreign := range [][]string{
		{}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"},
		{"Origin", "null"}, {"Sec-Fetch-Site", "cross-site", "Origin", "http://" + host},
	} {
		post(foreign...).refused(403, "origin-mismatch")
	}
	post("Origin", "http://"+host).is(http.StatusCreated, nil)
	post("Sec-Fetch-Site", "same-origin").refused(409, "hold-exists") // let through, and the same fan
	c.get("/api/v1/holds", "", "Cookie", cookie, "Ropeline-Sale", string(c.sale.ID)).is(http.StatusOK, nil)
}

func TestUnknownAddresses(t *testing.T) {
	t.Parallel()
	c := start(t)
	for _, path := range []string{"/", "/api/v1", "/api/v1/nothing", "/docs", "/openapi.json", "/schemas/Hold.json", "/api/v1/events/../holds", "/api/v1/holds/a/b"} {
		if a := c.get(path, ""); a.Status != http.StatusUnauthorized {
			a.refused(404, "route-unknown")
		}
	}
	c.get("/api/v1/performances/"+uuid.NewString(), "").refused(404, "performance-unknown")
	c.get("/api/v1/performances/%7B%7D/availability", "").refused(404, "performance-unknown")
}

// A performance that appears while the core runs is built by the keeper; until
// then its units cannot be held.
func TestNewPerformanceComesOnSale(t *testing.T) {
	t.Parallel()
	c := start(t)
	sale, show := c.seed(10, 0)
	claims := c.claims()
	claims.Sale = sale.ID
	fan := c.sign(claims, jwt.SigningMethodEdDSA, c.key)
	for deadline := time.Now().Add(20 * time.Second); ; {
		a := c.do(http.MethodPost, "/api/v1/holds", fan, c.json(m{"performance": show.ID, "units": []int{1}}))
		if a.Status == http.StatusCreated {
			return
		}
		a.refused(503, "inventory-not-ready")
		if t.Failed() || time.Now().After(deadline) {
			t.Fatalf("the new performance does not come on sale: %s", a.Body)
		}
	}
}

// A hundred fans buy at once: each gets an own place and an own order.
// A thousand tabs of one session want two places and pay for them, each with a key of
// its own or one that others have, too: there is one hold and one order, and one payment.
func TestAThousandTabsOfOneSessionBuyOnce(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan, wish := c.fan(), c.json(m{"performance": c.show.ID, "units": []int{210, 211}})
	var tabs sync.WaitGroup
	var mu sync.Mutex
	held, orders, heard := map[string]bool{}, map[string]bool{}, map[int]int{}
	open := make(chan struct{}, 100) // connections that a browser has at once, and more
	for i := range 1000 {
		tabs.Go(func() {
			open <- struct{}{}
			defer func() { <-open }()
			var h Hold
			if a := c.do(http.MethodPost, "/api/v1/holds", fan, wish); a.Status == http.StatusCreated {
				a.is(http.StatusCreated, &h)
			}
			var list struct{ Holds []Hold }
			if h.ID == "" {
				c.get("/api/v1/holds", fan).is(http.StatusOK, &list)
				if len(list.Holds) != 1 { // it is sold
					return
				}
				h = list.Holds[0]
			}
			a := c.pay(fan, fmt.Sprint("key-", i/2), h.ID, sandbox.OK)
			mu.Lock()
			defer mu.Unlock()
			held[h.ID] = true
			if heard[a.Status]++; a.Status == http.StatusCreated {
				var o Order
				a.is(http.StatusCreated, &o)
				orders[o.ID] = true
			}
		})
	}
	tabs.Wait()
	var attempts, captured, tickets int
	err := c.db.QueryRow(t.Context(), `select (select count(*) from attempts where state <> 'closed'), (select count(*) from sandbox_payments where state <> 'voided'),
		(select count(*) from tickets)`).Scan(&attempts, &captured, &tickets)
	if err != nil || len(held) != 1 || len(orders) != 1 || attempts != 1 || captured != 1 || tickets != 2 || heard[http.StatusInternalServerError] > 0 {
		t.Errorf("%d holds, %d orders, %d attempts, %d payments, %d tickets, answers %v, %v", len(held), len(orders), attempts, captured, tickets, heard, err)
	}
	if r := c.inventory(); r.Sold != 2 {
		t.Errorf("inventory %+v", r)
	}
}

func TestManyFansAtOnceGetTheirOwnAnswers(t *testing.T) {
	t.Parallel()
	c := start(t)
	var wg sync.WaitGroup
	for i := range 100 {
		fan := c.fan()
		wg.Go(func() {
			h := c.hold(fan, 200+i)
			if !slices.Equal(h.Units, []int{200 + i}) {
				t.Errorf("asked for %d, holds %v", 200+i, h.Units)
			}
			var o Order
			c.pay(fan, fmt.Sprint("key-", i), h.ID, sandbox.OK).is(http.StatusCreated, &o)
			if len(o.Tickets) != 1 || o.Tickets[0].Unit != 200+i {
				t.Errorf("asked for %d, bought %+v", 200+i, o.Tickets)
			}
		})
	}
	wg.Wait()
	if r := c.inventory(); r.Sold != 100 {
		t.Errorf("inventory %+v", r)
	}
}
