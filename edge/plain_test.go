package edge

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/edge/wire"
)

// submit sends a form of the plain page, as a browser does.
func (f *fan) submit(do string, more ...string) reply {
	f.Helper()
	form := url.Values{"do": {do}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return f.do("POST", "plain", form.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Origin", f.url)
}

// still keeps a fan from following redirects.
func (f *fan) still() *fan {
	f.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return f
}

// page loads the plain page and checks what holds for all of them.
func (f *fan) page(scene string) string {
	f.Helper()
	r := wantStatus(f.TB, f.do("GET", "plain", ""), http.StatusOK)
	wantScene(f.TB, r, scene)
	return string(r.body)
}

func wantScene(tb testing.TB, r reply, scene string) {
	tb.Helper()
	text := string(r.body)
	if !strings.Contains(text, `data-scene="`+scene+`"`) {
		tb.Fatalf("want the scene %s: %s", scene, text)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Content-Security-Policy": policy, "Referrer-Policy": "same-origin",
	} {
		if got := r.Header.Get(name); got != want {
			tb.Errorf("%s: %s %q, want %q", scene, name, got, want)
		}
	}
	for _, forbidden := range []string{"<script", "style=", "onclick", "<no value>", "ZgotmplZ"} {
		if strings.Contains(text, forbidden) {
			tb.Errorf("%s: the page contains %s", scene, forbidden)
		}
	}
}

func TestAFanWithoutScriptsGoesFromTheLobbyToTheShop(t *testing.T) {
	t.Parallel()
	g := newRig(t, withPages)
	g.server.pages.files["waiting.html"] = file{plain: []byte(`<link rel="stylesheet" href="/ropeline/x.css"><link rel="modulepreload" href="/y.js">`)}
	f := g.browser().still()
	r := wantStatus(t, f.do("GET", "/sales/"+string(g.sale.ID)+"?plain", ""), http.StatusSeeOther)
	if to := r.Header.Get("Location"); to != plainPath(g.sale.ID) {
		t.Fatalf("the waiting room without scripts is at %s", to)
	}
	if text := f.page("none"); !strings.Contains(text, "/ropeline/x.css") || strings.Contains(text, "y.js") || g.snapshot().Collected != 0 {
		t.Errorf("before the join, with %d in the lobby: %s", g.snapshot().Collected, text)
	}
	joined := wantStatus(t, f.submit("join"), http.StatusSeeOther)
	if joined.Header.Get("Location") != plainPath(g.sale.ID) || len(joined.Cookies()) != 1 {
		t.Errorf("joining: %v", joined.Header)
	}
	wantStatus(t, f.submit("join"), http.StatusSeeOther) // pressed twice
	if n := g.snapshot().Collected; n != 1 {
		t.Errorf("%d places after two presses", n)
	}
	r = f.do("GET", "plain", "")
	wantScene(t, r, "lobby")
	again, to, _ := strings.Cut(r.Header.Get("Refresh"), ";url=")
	if n, err := strconv.Atoi(again); err != nil || n < 5 || n > 30 || to != plainPath(g.sale.ID) {
		t.Errorf("Refresh %q", r.Header.Get("Refresh"))
	}
	before := f.raw()
	g.draw()
	g.until("the order is known", func() bool { return strings.Contains(string(f.do("GET", "plain", "").body), "You are next") })
	f.page("waiting")
	place, err := g.store.ReadTicket(g.sale.ID, f.raw())
	must(t, err)
	if lobby, err := g.store.ReadTicket(g.sale.ID, before); err != nil || lobby.Place != place.Place || place.Score == "" {
		t.Errorf("the ticket was %+v and is %+v, %v", lobby, place, err)
	}
	if s := f.poll(); s.State != ropeline.PlaceWaiting { // the same place as with scripts
		t.Errorf("by the API: %+v", s)
	}
	g.steer(t, ropeline.ModePause, "The band <b>is late</b>.")
	g.tick()
	g.until("the pause and its reason are shown", func() bool {
		return strings.Contains(f.page("waiting"), "The band &lt;b&gt;is late&lt;/b&gt;.")
	})
	g.steer(t, ropeline.ModeRun, "")
	g.admit(1)
	g.until("the offer", func() bool { return strings.Contains(string(f.do("GET", "plain", "").body), `data-scene="offered"`) })
	r = wantStatus(t, f.submit("claim"), http.StatusSeeOther)
	if to := r.Header.Get("Location"); to != "/sales/"+string(g.sale.ID)+"/shop" {
		t.Errorf("the claim leads to %s", to)
	}
	if _, err := g.verifier().Verify(f.cookie(token.Cookie(g.sale.ID), admissionPath+"/holds")); err != nil {
		t.Errorf("the admission cookie: %v", err)
	}
	if text := f.page("active"); !strings.Contains(text, "/shop") {
		t.Errorf("admitted: %s", text)
	}
	wantStatus(t, f.submit("leave"), http.StatusSeeOther)
	f.page("none")
	if n := g.snapshot().Active; n != 0 {
		t.Errorf("%d are in after leaving", n)
	}
}

func TestPlainPagesMoveAPlaceToo(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened, shut)
	g.draw()
	desk, other := g.browser().still(), g.browser().still()
	wantStatus(t, desk.submit("join"), http.StatusSeeOther)
	r := wantStatus(t, desk.submit("handover"), http.StatusOK)
	wantScene(t, r, "handover")
	_, code, _ := strings.Cut(string(r.body), `<h1 class="big words">`)
	code, _, _ = strings.Cut(code, "<")
	if !strings.Contains(string(r.body), `src="data:image/svg&#43;xml;base64,`) || r.Header.Get("Refresh") != "" {
		t.Errorf("the code's page: %s", r.body)
	}
	wrong := other.submit("exchange", "code", "ABCDE-FGHJK")
	wantScene(t, wantStatus(t, wrong, http.StatusNotFound), "problem")
	key := "a-form-of-the-plain-page"
	for range 2 { // the answer was lost
		wantStatus(t, other.submit("exchange", "code", code, "key", key), http.StatusSeeOther)
	}
	if text := desk.page("waiting"); !strings.Contains(text, "Your place is on another device") || strings.Contains(text, "Leave the line") {
		t.Errorf("where the place was: %s", text)
	}
	if text := other.page("waiting"); strings.Contains(text, "Your place is on another device") || g.snapshot().Size != 1 {
		t.Errorf("where the place is: %s", text)
	}
	wantScene(t, desk.do("GET", "plain?ask=leave", ""), "waiting") // it is not its to give up
	for _, do := range []string{"leave", "claim", "handover"} {
		wantScene(t, wantStatus(t, desk.submit(do), http.StatusConflict), "problem")
	}
	for ask, scene := range map[string]string{"leave": "leave", "code": "waiting", "jump": "waiting"} { // no lane here has codes
		r := other.do("GET", "plain?ask="+ask, "")
		wantScene(t, r, scene)
		if stays := scene != "waiting"; stays != (r.Header.Get("Refresh") == "") {
			t.Errorf("asked %s: Refresh %q", ask, r.Header.Get("Refresh"))
		}
	}
	wantStatus(t, other.submit("leave"), http.StatusSeeOther)
	desk.page("left")
}

func TestBadFormsAreRefusedWithAPage(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	f := g.browser().still()
	const form = "application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		body   string
		header []string
		status int
	}{
		"nothing":         {"", []string{"Content-Type", form}, 400},
		"unknown":         {"do=jump", []string{"Content-Type", form}, 400},
		"only in the URL": {"", []string{"Content-Type", form}, 400},
		"no kind":         {"do=join", nil, 400},
		"JSON":            {`{"do":"join"}`, []string{"Content-Type", "application/json"}, 400},
		"plain text":      {"do=join", []string{"Content-Type", "text/plain"}, 400},
		"broken":          {"do=join&a=%zz", []string{"Content-Type", form}, 400},
		"too large":       {"do=join&a=" + strings.Repeat("a", maxForm), []string{"Content-Type", form}, 400},
		"another site":    {"do=join", []string{"Content-Type", form, "Sec-Fetch-Site", "cross-site"}, 403},
		"foreign origin":  {"do=join", []string{"Content-Type", form, "Sec-Fetch-Site", "", "Origin", "https://evil.example"}, 403},
		"no turn":         {"do=claim", []string{"Content-Type", form}, 401},
		"no place":        {"do=leave", []string{"Content-Type", form}, 401},
	} {
		path := "plain"
		if name == "only in the URL" {
			path = "plain?do=join"
		}
		r := f.do("POST", path, c.body, c.header...)
		if r.StatusCode != c.status {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
			continue
		}
		wantScene(t, r, "problem")
	}
	if n := g.snapshot().Collected; n != 0 {
		t.Errorf("bad forms joined: %d", n)
	}
	wantScene(t, wantStatus(t, f.do("GET", "/api/v1/sales/no-such-sale/plain", ""), http.StatusNotFound), "problem")
	wantStatus(t, f.do("GET", "/sales/NOT-A-SALE?plain", ""), http.StatusServiceUnavailable) // no pages are built here

	limited := newRig(t, behindProxy(1, -1))
	from := []string{"Content-Type", form, "X-Forwarded-For", someAddress(t)}
	wantStatus(t, limited.browser().still().do("POST", "plain", "do=join", from...), http.StatusSeeOther)
	r := wantStatus(t, limited.browser().still().do("POST", "plain", "do=join", from...), http.StatusTooManyRequests)
	wantScene(t, r, "problem")
	if r.Header.Get("Refresh") == "" || r.Header.Get("Retry-After") != "" {
		t.Errorf("too often: %v", r.Header)
	}
}

// Every state has a page, and each says when it comes again as long as there is
// something to wait for.
func TestEveryStateHasAPlainPage(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	now := time.Date(2026, 12, 1, 18, 0, 0, 0, time.UTC)
	two, million := int64(2), int64(1_234_567)
	for scene, status := range map[string]wire.Status{
		"lobby":    {State: ropeline.PlaceCollected, NextContact: 7},
		"waiting":  {State: ropeline.PlaceWaiting, NextContact: 7, Position: &million, Wait: &wire.Wait{Low: 600, High: 1200}},
		"passed":   {State: ropeline.PlacePassed, NextContact: 2},
		"offered":  {State: ropeline.PlaceOffered, NextContact: 2, Offer: &wire.Offer{Number: 3, ClaimBy: now.Add(45 * time.Second)}},
		"active":   {State: ropeline.PlaceActive, NextContact: 20, Session: &wire.Session{EndsAt: now.Add(time.Hour)}},
		"done ":    {State: ropeline.PlaceDone, Reentry: true},
		"expired":  {State: ropeline.PlaceExpired, ReturnBy: &now},
		"left":     {State: ropeline.PlaceLeft},
		"done":     {State: ropeline.PlaceDone},
		"ended":    {State: ropeline.PlaceWaiting, NextContact: 5, Sale: wire.SaleStatus{Phase: ropeline.PhaseEnded}},
		"drawing":  {State: ropeline.PlaceCollected, NextContact: 2, Sale: wire.SaleStatus{Phase: ropeline.PhaseDrawing}},
		"waiting ": {State: ropeline.PlaceWaiting, NextContact: 2, Position: &two, Elsewhere: true, Sale: wire.SaleStatus{Trouble: wire.TroubleSettling}},
		" waiting": {State: ropeline.PlaceWaiting, NextContact: 2, Position: &two, Party: &wire.Party{Size: 4, You: 2, TooLarge: true}},
	} {
		status.Sale.Now, status.Sale.OpensAt = now, now.Add(90*time.Minute)
		if status.Sale.Phase == "" && scene == "lobby" {
			status.Sale.Phase = ropeline.PhaseLobby
		}
		v := plainView{Action: "/plain", Status: status, Sale: wire.Sale{Title: "The <Lanterns>", ClaimWindow: 60}}
		v.see()
		w := httptest.NewRecorder()
		must(t, g.server.writePlain(w, http.StatusOK, v))
		r := reply{w.Result(), w.Body.Bytes()}
		wantScene(t, r, strings.TrimSpace(scene))
		if waits := status.NextContact > 0 && scene != "ended"; waits != (r.Header.Get("Refresh") != "") {
			t.Errorf("%s: Refresh %q", scene, r.Header.Get("Refresh"))
		}
		text := w.Body.String()
		if strings.Contains(text, "<Lanterns>") || !strings.Contains(text, "</html>") {
			t.Errorf("%s: %s", scene, text)
		}
		for in, want := range map[string]string{"waiting": "1,234,567", "lobby": "Opens in 90 minutes", "offered": "45 seconds left", "active": "19:00 UTC", "waiting ": "in its old order", "done ": "Come back in",
			" waiting": "a party of 4. It is larger than what is let in at once"} {
			if in == scene && !strings.Contains(text, want) {
				t.Errorf("%s does not say %q: %s", scene, want, text)
			}
		}
	}
}

func TestWordsOfThePlainPage(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %s", n, got)
		}
	}
	for d, want := range map[time.Duration]string{
		-time.Second: "0 seconds", time.Second: "1 second", 99 * time.Second: "99 seconds", 101 * time.Second: "2 minutes", 5 * time.Hour: "5 hours",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is written %s, want %s", d, got, want)
		}
	}
	for w, want := range map[wire.Wait]string{
		{Low: 10, High: 50}: "About a minute or less to go", {Low: 30, High: 150}: "Less than 3 minutes to go",
		{Low: 300, High: 300}: "About 5 minutes to go", {Low: 300, High: 3900}: "About 5 to 65 minutes to go",
		{Low: 60, High: 60, Longer: wire.LongerLimits}: "About a minute or less to go. Longer than before: fewer people are let in",
	} {
		if got := waitText(&w); got != want {
			t.Errorf("%+v is written %s, want %s", w, got, want)
		}
	}
}

func TestFriendsWithoutScriptsShareAPlace(t *testing.T) {
	t.Parallel()
	g := newRig(t, withPages, forFriends)
	host, friend := g.browser().still(), g.browser().still()
	wantStatus(t, host.submit("join"), http.StatusSeeOther)
	invited := wantStatus(t, host.submit("invite"), http.StatusOK)
	wantScene(t, invited, "invite")
	link := g.url + "/sales/" + string(g.sale.ID) + "#" + partyFragment + host.invite().Code
	if text := string(invited.body); !strings.Contains(text, `value="`+link+`"`) || !strings.Contains(text, "Up to 3 people") {
		t.Errorf("want %s: %s", link, text)
	}
	if text := friend.page("none"); !strings.Contains(text, `value="befriend"`) {
		t.Errorf("no way to join friends: %s", text)
	}
	wantScene(t, wantStatus(t, friend.submit("befriend", "code", "https://elsewhere.example/"), http.StatusUnprocessableEntity), "problem")
	lost := g.browser().still() // the same friend, who did not get the first answer
	wantStatus(t, lost.submit("befriend", "code", " "+link+"\n", "key", "a-form-that-is-sent-twice"), http.StatusSeeOther)
	wantStatus(t, friend.submit("befriend", "code", link, "key", "a-form-that-is-sent-twice"), http.StatusSeeOther)
	for _, f := range []*fan{host, friend} {
		g.until("both are told", func() bool { return strings.Contains(f.page("lobby"), "a party of 2") })
	}
	if n := g.snapshot().Collected; n != 1 {
		t.Errorf("%d places in the lobby, want one", n)
	}
	alone := g.browser().still()
	wantStatus(t, alone.submit("join"), http.StatusSeeOther)
	wantScene(t, wantStatus(t, alone.submit("befriend", "code", link), http.StatusConflict), "problem")
	if n := g.snapshot().Collected; n != 2 {
		t.Errorf("%d places in the lobby, want that of the one who is alone, too", n)
	}
}

func TestAPageWithoutScriptsOffersNoPartyWhereThereIsNone(t *testing.T) {
	t.Parallel()
	g := newRig(t, withPages)
	f := g.browser().still()
	before := f.page("none")
	wantStatus(t, f.submit("join"), http.StatusSeeOther)
	if text := before + f.page("lobby"); strings.Contains(text, "befriend") || strings.Contains(text, `value="invite"`) {
		t.Errorf("friends are offered: %s", text)
	}
	wantScene(t, wantStatus(t, f.submit("invite"), http.StatusConflict), "problem")
}
