package edge

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

func TestLobbyPlaceIsKeptOverRefreshSecondTabAndDraw(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	f := g.browser()
	first := wantStatus(t, f.do("POST", "place", ""), http.StatusCreated)
	if s := read[wire.Status](t, first); s.State != ropeline.PlaceCollected || s.Sale.Phase != ropeline.PhaseLobby || s.Position != nil || s.Ticket != "" {
		t.Errorf("first answer in the lobby: %s", first.body)
	}
	before := f.raw()
	wantStatus(t, f.do("POST", "place", "{}"), http.StatusOK) // refresh, second tab
	if f.raw() != before {
		t.Error("a second join replaced the ticket")
	}
	for range 3 {
		g.browser().join()
	}
	g.draw()
	g.until("the edge knows the order", func() bool { return f.poll().Position != nil })
	drawn, err := g.store.ReadTicket(g.sale.ID, f.raw())
	must(t, err)
	lobby, err := g.store.ReadTicket(g.sale.ID, before)
	must(t, err)
	if drawn.Place != lobby.Place || drawn.Epoch == "" || drawn.Score == "" || lobby.Score != "" {
		t.Errorf("ticket after the draw %+v, in the lobby %+v: want the same place, now with score and epoch", drawn, lobby)
	}
	if s := f.poll(); s.State != ropeline.PlaceWaiting || *s.Position > 3 || s.Sale.Entrants != 4 || s.Epoch != drawn.Epoch {
		t.Errorf("after the draw: %+v", s)
	}
}

func TestPlaceCookieIsForItsSaleOnly(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	r := g.browser().do("POST", "place", "")
	c := r.Cookies()
	if len(c) != 1 || c[0].Name != "ropeline_place_"+string(g.sale.ID) || c[0].Path != "/api/v1/sales/"+string(g.sale.ID) ||
		!c[0].HttpOnly || !c[0].Secure || c[0].SameSite != http.SameSiteLaxMode || c[0].Domain != "" || !c[0].Expires.After(g.sale.EndsAt) {
		t.Errorf("place cookie %+v", c)
	}
	if strings.Contains(string(r.body), "ticket") {
		t.Errorf("a browser got its ticket in the body: %s", r.body)
	}
}

func TestArrivalsAfterTheOpeningStandInOrder(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened, shut)
	g.draw()
	var fans []*fan
	for range 5 {
		f := g.browser()
		f.join()
		fans = append(fans, f)
	}
	for i, f := range fans {
		s := f.poll()
		if s.Position == nil || *s.Position != int64(i) || s.Served == nil {
			t.Errorf("fan %d: %+v, want position %d", i, s, i)
		}
	}
	wantStatus(t, fans[1].do("DELETE", "place", ""), http.StatusNoContent)
	g.tick()
	g.until("the leaver is not counted any more", func() bool { return *fans[4].poll().Position == 3 })
	if got := *fans[0].poll().Position; got != 0 {
		t.Errorf("the fan before the leaver moved to %d", got)
	}
}

func TestAppKeepsItsPlaceWithoutCookies(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened)
	g.draw()
	f := g.phone()
	r := wantStatus(t, f.do("POST", "place", "{}"), http.StatusCreated)
	if len(r.Cookies()) != 0 {
		t.Errorf("an app got cookies: %v", r.Cookies())
	}
	f.ticket = read[wire.Status](t, r).Ticket
	again := wantStatus(t, f.do("POST", "place", "{}"), http.StatusOK)
	if s := read[wire.Status](t, again); s.Ticket == "" || *s.Position != 0 || g.snapshot().Size != 1 {
		t.Errorf("rejoin with the ticket: %s", again.body)
	}
	g.admit(1)
	g.until("the app is offered", func() bool { return f.poll().State == ropeline.PlaceOffered })
	r = wantStatus(t, f.do("POST", "place/claim", ""), http.StatusOK)
	if len(r.Cookies()) != 0 || read[wire.Admission](t, r).Token == "" {
		t.Errorf("claim of an app: cookies %v, %s", r.Cookies(), r.body)
	}
	wantStatus(t, f.do("DELETE", "session", ""), http.StatusNoContent)
	if s := f.poll(); s.State != ropeline.PlaceDone {
		t.Errorf("after the end: %s", s.State)
	}
}

func TestTheSameJoinFiveTimesAtOnceIsOnePlace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before option // of the sale
		body   string
	}{
		"in the lobby": {nil, `{"attempt":"an-attempt-of-mine-1"}`},
		"in the line":  {opened, `{"attempt":"an-attempt-of-mine-2"}`},
		"by a ticket":  {opened, `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := []option{shut}
			if c.before != nil {
				options = append(options, c.before)
			}
			g := newRig(t, options...)
			if c.before != nil {
				g.draw()
			}
			holder := g.phone()
			if c.body == "{}" {
				holder.join()
			}
			var all sync.WaitGroup
			tickets := make([]string, 5)
			for i := range tickets {
				f := g.phone()
				f.ticket = holder.ticket
				all.Go(func() { tickets[i] = read[wire.Status](f, f.do("POST", "place", c.body)).Ticket })
			}
			all.Wait()
			places := map[ropeline.PlaceID]bool{}
			for _, raw := range tickets {
				ticket, err := g.store.ReadTicket(g.sale.ID, raw)
				must(t, err)
				places[ticket.Place] = true
			}
			if state := g.snapshot(); len(places) != 1 || state.Collected+state.Size != 1 {
				t.Fatalf("tickets of %d places; %d in the lobby and %d in the line", len(places), state.Collected, state.Size)
			}
			f := g.phone()
			f.ticket = tickets[0]
			wantStatus(t, f.do("DELETE", "place", ""), http.StatusNoContent)
			if f.ticket = ""; c.body == "{}" {
				return
			}
			// An attempt is worth one place; the next one is another wish.
			wantProblem(t, f.do("POST", "place", c.body), http.StatusConflict, "attempt-spent")
			f.join()
			wantProblem(t, f.do("POST", "place", `{"attempt":"short"}`, "Authorization", ""), http.StatusBadRequest, "body-malformed")
		})
	}
}

func TestBadTicketsChangeNothing(t *testing.T) {
	t.Parallel()
	g, other := newRig(t), newRig(t)
	f, foreign := g.phone(), other.phone()
	f.join()
	foreign.join()
	good := f.ticket
	broken := func(change func([]byte)) string {
		b := []byte(good)
		change(b)
		return string(b)
	}
	for name, ticket := range map[string]string{
		"another sale's": foreign.ticket,
		"cut":            good[:len(good)-1],
		"longer":         good + "A",
		"forged":         broken(func(b []byte) { b[len(b)/2] ^= 1 }),
		"signature":      broken(func(b []byte) { b[len(b)-10] ^= 1 }),
		"nonsense":       "let-me-in",
		"huge":           strings.Repeat("A", 8000),
		"dots":           "...",
	} {
		bad := g.phone()
		bad.ticket = ticket
		for _, call := range []struct{ method, path string }{
			{"POST", "place"}, {"GET", "place"}, {"DELETE", "place"}, {"POST", "place/claim"}, {"POST", "session"}, {"DELETE", "session"},
		} {
			r := bad.do(call.method, call.path, "")
			wantProblem(t, r, http.StatusUnauthorized, "place-ticket-invalid")
			if t.Failed() {
				t.Fatalf("%s ticket, %s %s", name, call.method, call.path)
			}
		}
	}
	if s := f.poll(); s.State != ropeline.PlaceCollected || g.snapshot().Collected != 1 {
		t.Errorf("the true place suffered: %+v", s)
	}
}

func TestBadCookieIsRemovedSoThatItsHolderCanJoin(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	f := g.browser()
	r := f.do("POST", "place", "", "Cookie", wire.PlaceCookie(g.sale.ID)+"=stale")
	wantProblem(t, r, http.StatusUnauthorized, "place-ticket-invalid")
	if c := r.Cookies(); len(c) != 1 || c[0].MaxAge >= 0 || c[0].Name != wire.PlaceCookie(g.sale.ID) || c[0].Path != placePath(g.sale.ID) {
		t.Errorf("cookies %+v, want the bad one removed", c)
	}
	f.join()
}

func TestWithoutATicketNothingIsFound(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	f := g.browser()
	wantProblem(t, f.do("GET", "place", ""), http.StatusUnauthorized, "place-ticket-missing")
	wantProblem(t, f.do("DELETE", "place", ""), http.StatusUnauthorized, "place-ticket-missing")
	wantProblem(t, f.do("POST", "place/claim", ""), http.StatusUnauthorized, "place-ticket-missing")
	wantProblem(t, f.do("POST", "session", ""), http.StatusUnauthorized, "place-ticket-missing")
	wantProblem(t, f.do("DELETE", "session", ""), http.StatusUnauthorized, "place-ticket-missing")
	for _, sale := range []string{"no-such-sale", "UPPER", "-", strings.Repeat("a", 65), "a.b", "%20"} {
		for _, path := range []string{"", "/place", "/place/live"} {
			if path == "/place/live" {
				continue // a handshake is asked for first
			}
			wantProblem(t, f.do("GET", "/api/v1/sales/"+sale+path, ""), http.StatusNotFound, "sale-unknown")
		}
		wantProblem(t, f.do("POST", "/api/v1/sales/"+sale+"/place", ""), http.StatusNotFound, "sale-unknown")
	}
	ghost := g.phone() // well signed, but of a place that never joined
	var err error
	ghost.ticket, err = g.store.SignTicket(queue.Ticket{Sale: g.sale.ID, Lane: queue.MainLane, Place: "AAAAAAAAAAAAAAAAAAAAAA"})
	must(t, err)
	wantProblem(t, ghost.do("GET", "place", ""), http.StatusGone, "place-gone")
	wantProblem(t, ghost.do("DELETE", "place", ""), http.StatusGone, "place-gone")
	wantProblem(t, ghost.do("POST", "place/claim", ""), http.StatusConflict, "no-offer")
}

func TestLeavingIsFinalAndJoiningAgainIsTheTail(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened, shut)
	g.draw()
	f, tab := g.browser(), g.phone()
	f.join()
	tab.ticket = f.raw() // a second tab that still has the old ticket
	g.browser().join()
	r := wantStatus(t, f.do("DELETE", "place", ""), http.StatusNoContent)
	if len(r.Cookies()) != 2 || r.Cookies()[0].MaxAge >= 0 || r.Cookies()[1].MaxAge >= 0 {
		t.Errorf("leaving left the cookies %+v", r.Cookies())
	}
	if s := tab.poll(); s.State != ropeline.PlaceLeft || s.NextContact != 0 {
		t.Errorf("the other tab sees %+v, want left", s)
	}
	wantStatus(t, tab.do("DELETE", "place", ""), http.StatusNoContent)
	wantProblem(t, tab.do("POST", "place/claim", ""), http.StatusConflict, "no-offer")
	r = wantStatus(t, tab.do("POST", "place", ""), http.StatusCreated)
	g.tick()
	tab.ticket = read[wire.Status](t, r).Ticket
	g.until("the new place is behind the other fan", func() bool { return *tab.poll().Position == 1 })
}

func TestPollsAreToldWhenToComeBack(t *testing.T) {
	t.Parallel()
	at := func(position int64) wire.Status {
		return wire.Status{State: ropeline.PlaceWaiting, Position: &position}
	}
	lobby := func(left time.Duration) wire.Status {
		now := time.Now()
		return wire.Status{State: ropeline.PlaceCollected, Sale: wire.SaleStatus{Now: now, OpensAt: now.Add(left)}}
	}
	for name, c := range map[string]struct {
		status    wire.Status
		low, high int
	}{
		"at the front":       {at(3), 2, 2},
		"behind the front":   {at(200), 4, 7},
		"far behind":         {at(1_000_000), 16, 24},
		"offered":            {wire.Status{State: ropeline.PlaceOffered}, 2, 2},
		"active":             {wire.Status{State: ropeline.PlaceActive}, 16, 24},
		"order unknown":      {wire.Status{State: ropeline.PlaceWaiting}, 4, 6},
		"long before":        {lobby(time.Hour), 16, 24},
		"just before":        {lobby(5 * time.Second), 2, 2},
		"opening is overdue": {lobby(-time.Minute), 2, 2},
		"left":               {wire.Status{State: ropeline.PlaceLeft}, 0, 0},
	} {
		seen := map[int]bool{}
		for range 300 {
			got := nextContact(c.status)
			if seen[got] = true; got < c.low || got > c.high {
				t.Errorf("%s: come back in %d s, want %d to %d", name, got, c.low, c.high)
			}
		}
		if c.high > 5 && len(seen) < 2 {
			t.Errorf("%s: no jitter", name)
		}
	}
}

func TestPollCarriesRetryAfter(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	f := g.browser()
	f.join()
	r := f.do("GET", "place", "")
	if s := read[wire.Status](t, r); s.NextContact < 2 || r.Header.Get("Retry-After") == "" || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("poll: %s, header %v", r.body, r.Header)
	}
}

func TestForeignOriginsCannotUseACookie(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	f := g.browser()
	f.join()
	g.draw()
	g.admit(1)
	f.claim() // now there is an admission cookie too
	host := strings.TrimPrefix(g.url, "http://")
	for name, c := range map[string]struct {
		header []string
		ok     bool
	}{
		"same origin by Sec-Fetch-Site": {[]string{"Sec-Fetch-Site", "same-origin"}, true},
		"same origin by Origin":         {[]string{"Sec-Fetch-Site", "", "Origin", "http://" + host}, true},
		"cross site":                    {[]string{"Sec-Fetch-Site", "cross-site"}, false},
		"same site, other origin":       {[]string{"Sec-Fetch-Site", "same-site"}, false},
		"cross site with our Origin":    {[]string{"Sec-Fetch-Site", "cross-site", "Origin", "http://" + host}, false},
		"foreign Origin":                {[]string{"Sec-Fetch-Site", "", "Origin", "https://evil.example"}, false},
		"Origin null":                   {[]string{"Sec-Fetch-Site", "", "Origin", "null"}, false},
		"Origin with our name inside":   {[]string{"Sec-Fetch-Site", "", "Origin", "https://" + host + ".evil.example"}, false},
		"neither header":                {[]string{"Sec-Fetch-Site", ""}, false},
	} {
		r := f.do("POST", "place", "", c.header...)
		if c.ok {
			wantStatus(t, r, http.StatusOK)
		} else {
			wantProblem(t, r, http.StatusForbidden, "origin-mismatch")
		}
		for _, call := range [][2]string{{"DELETE", "place"}, {"POST", "place/claim"}, {"DELETE", "session"}, {"POST", "/api/v1/holds"}} {
			if !c.ok {
				wantProblem(t, f.do(call[0], call[1], "", c.header...), http.StatusForbidden, "origin-mismatch")
			}
		}
		if t.Failed() {
			t.Fatal(name)
		}
	}
	if g.upstream.last() != nil {
		t.Error("a request of a foreign origin reached the upstream")
	}
	app := g.phone()
	app.ticket = f.raw()
	f.do("POST", "/api/v1/holds", "")
	if g.upstream.last() == nil {
		t.Error("a request of our own pages did not reach the upstream")
	}
	wantStatus(t, app.do("POST", "place", "", "Sec-Fetch-Site", "cross-site"), http.StatusOK) // nobody can forge the header
	basic := f.do("POST", "place", "", "Sec-Fetch-Site", "cross-site", "Authorization", "Basic YTpi")
	wantProblem(t, basic, http.StatusForbidden, "origin-mismatch") // browsers add Basic by themselves
}

func TestBodiesAreBoundedAndStrict(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	f := g.browser()
	for body, want := range map[string]struct {
		status int
		code   string
	}{
		`{`:       {400, "body-malformed"},
		`[]`:      {400, "body-malformed"},
		`{"a":1}`: {400, "body-malformed"},
		`{} {}`:   {400, "body-malformed"},
		`{}x`:     {400, "body-malformed"},
		"\x00":    {400, "body-malformed"},
		`"` + strings.Repeat("a", ropeline.MaxBody) + `"`: {413, "body-too-large"},
		"{}" + strings.Repeat(" ", ropeline.MaxBody):      {413, "body-too-large"},
	} {
		wantProblem(t, f.do("POST", "place", body), want.status, want.code)
	}
	if n := g.snapshot().Collected; n != 0 {
		t.Errorf("bad bodies joined: %d entrants", n)
	}
	f.join()
	for _, call := range []string{"place/claim", "session"} {
		wantProblem(t, f.do("POST", call, `{`), 400, "body-malformed")
		wantProblem(t, f.do("POST", call, `"`+strings.Repeat("a", ropeline.MaxBody)+`"`), 413, "body-too-large")
	}
}
