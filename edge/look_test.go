package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/look"
)

// fullLook has everything, as long as it may be.
var fullLook = look.Look{
	Title:   "Ópera de Lisboa — Teatro Nacional de São Carlos, temporada 2037 / 2038, galas",
	Message: "Welcome! Doors open at seven. Please have the names of your guests ready, and a card: cash is not taken. One person buys six tickets, for one evening <3.",
	Help:    &look.Help{Text: "Questions? Our box office helps by telephone and by e-mail.", URL: "https://example.org/help/waiting-room?from=ropeline&lang=pt#frequently-asked"},
	Colors:  look.Colors{Light: look.Palette{Accent: "#0a5c8a", Ground: "#f2f7fb"}, Dark: look.Palette{Accent: "#8ecae6", Ground: "#0b1620"}},
	Domains: []string{"tickets.opera.example"},
}

// withWaiting serves the source of the waiting page, which is as large as the built one.
func withWaiting(t *testing.T) option {
	source, err := os.ReadFile("../web/waiting.html")
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config, s *ropeline.Sale) {
		withPages(c, s)
		c.Hosts = []string{"127.0.0.1", "rooms.example"}
		files := c.Pages.(fstest.MapFS)
		files["waiting.html"] = &fstest.MapFile{Data: source}
	}
}

// shows tells the edge how a sale looks, as a booking core does, and waits until it knows.
func (g *rig) shows(version int, l look.Look, logo []byte) {
	g.Helper()
	p := look.Posted{Version: version, Title: g.sale.Title, Look: l}
	if logo != nil {
		p.Logo = &look.PostedLogo{Width: 480, Height: 160, JPEG: logo}
	}
	doc, err := json.Marshal(p)
	must(g, err)
	index, err := json.Marshal(look.Index{g.sale.ID: {Version: version, Domains: l.Domains}})
	must(g, err)
	must(g, g.store.PostLook(context.Background(), g.sale.ID, doc))
	must(g, g.store.PostLooks(context.Background(), index))
	must(g, g.server.looks.read(context.Background()))
}

// onHost asks for something on a host.
func (g *rig) onHost(host, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	g.server.Handler().ServeHTTP(w, r)
	return w
}

func TestPagesAreShownInTheLookOfTheirSale(t *testing.T) {
	t.Parallel()
	private := devtest.PrivateRedis(t)
	g := newRigOn(t, private.Client, withWaiting(t))
	f, path := g.browser(), "/sales/"+string(g.sale.ID)
	before := wantStatus(t, f.do("GET", path, ""), http.StatusOK)
	wantProblem(t, f.do("GET", path+"/logo", ""), http.StatusNotFound, "logo-unknown")

	g.shows(1, fullLook, []byte("a jpeg"))
	page := wantStatus(t, f.do("GET", path, ""), http.StatusOK)
	written, err := fullLook.Page(g.sale.Title, &look.Logo{Address: path + "/logo?v=1", Width: 480, Height: 160})
	must(t, err)
	for _, part := range []string{"<style>" + written.Style + "</style></head>", string(written.Head) + pageMark + string(written.Foot), "--velvet:#0a5c8a", "evening &lt;3."} {
		if !strings.Contains(string(page.body), part) {
			t.Errorf("the page lacks %s:\n%s", part, page.body)
		}
	}
	if got, want := page.Header.Get("Content-Security-Policy"), policy+"; style-src 'self' "+written.Hash(); got != want {
		t.Errorf("policy %s, want %s", got, want)
	}
	if page.Header.Get("ETag") == before.Header.Get("ETag") {
		t.Error("the page has the ETag of the plain one")
	}
	wantStatus(t, f.do("GET", path, "", "If-None-Match", page.Header.Get("ETag")), http.StatusNotModified)
	logo := wantStatus(t, f.do("GET", path+"/logo?v=1", ""), http.StatusOK)
	if string(logo.body) != "a jpeg" || logo.Header.Get("Content-Type") != "image/jpeg" || !strings.Contains(logo.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("logo %q %v", logo.body, logo.Header)
	}
	plain := wantStatus(t, f.do("GET", "/api/v1"+path+"/plain", ""), http.StatusOK)
	if !strings.Contains(string(plain.body), string(written.Head)) || !strings.Contains(plain.Header.Get("Content-Security-Policy"), written.Hash()) {
		t.Errorf("the page without scripts: %s", plain.body)
	}
	if other := wantStatus(t, f.do("GET", "/coupons", ""), http.StatusOK); strings.Contains(string(other.body), "<style>") {
		t.Error("a page of no sale is dressed")
	}

	// The next version is shown, and stays when Redis has lost everything.
	next := fullLook
	next.Title = "Another"
	g.shows(2, next, nil)
	must(t, private.Client.FlushAll(t.Context()).Err())
	must(t, g.server.looks.read(t.Context()))
	if page = wantStatus(t, f.do("GET", path, ""), http.StatusOK); strings.Contains(string(page.body), ">Another<") {
		t.Error("nobody has asked for the second version before it was lost")
	}
	g.shows(2, next, nil)
	page = wantStatus(t, f.do("GET", path, ""), http.StatusOK)
	must(t, private.Client.FlushAll(t.Context()).Err())
	must(t, g.server.looks.read(t.Context()))
	if again := wantStatus(t, f.do("GET", path, ""), http.StatusOK); !strings.Contains(string(again.body), ">Another<") || !bytes.Equal(again.body, page.body) {
		t.Errorf("after the loss: %s", again.body)
	}
	wantProblem(t, f.do("GET", path+"/logo", ""), http.StatusNotFound, "logo-unknown")
}

// What the vite build leaves below 15,000 bytes is enough for any look.
func TestALookIsSmall(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../web/waiting.html")
	must(t, err)
	plain, err := newFile("waiting.html", source)
	must(t, err)
	page, err := fullLook.Page("The Lanterns", &look.Logo{Address: logoPath("the-lanterns", 12), Width: 480, Height: 160})
	must(t, err)
	worn, err := (&dress{page: page, files: map[string]file{}}).wear("waiting.html", plain)
	must(t, err)
	const most = 780 // see web/vite.config.ts
	if more := len(worn.gzipped) - len(plain.gzipped); more > most || !strings.Contains(string(worn.plain), "</footer>") {
		t.Errorf("a look adds %d bytes, %d at most", more, most)
	}
}

func TestDomainsOfOrganizersShowTheirSales(t *testing.T) {
	t.Parallel()
	g := newRigOn(t, devtest.PrivateRedis(t).Client, withWaiting(t))
	l := fullLook
	l.Domains = []string{"tickets.opera.example", "rooms.example"} // the second is ours, whoever names it
	g.shows(1, l, nil)
	room := "/sales/" + string(g.sale.ID)
	for _, c := range []struct {
		host, path string
		status     int
		says       string
	}{
		{"tickets.opera.example", room, 200, "Teatro Nacional"},
		{"Tickets.Opera.Example.:8443", room, 200, "Teatro Nacional"},
		{"tickets.opera.example", "/api/v1" + room, 200, string(g.sale.ID)},
		{"tickets.opera.example", "/api/v1/sales", 200, string(g.sale.ID)},
		{"tickets.opera.example", "/sales/other", 404, "sale-unknown"},
		{"tickets.opera.example", "/api/v1/sales/other/place", 404, "sale-unknown"},
		{"tickets.opera.example", "/ops", 404, "route-unknown"},
		{"tickets.opera.example", "/api/v1/ops/sales", 404, "route-unknown"},
		{"tickets.opera.example", "/api/v1/organizer/changes", 404, "route-unknown"},
		{"evil.example", room, 400, "host-unknown"},
		{"evil.example", "/", 400, "host-unknown"},
		{"evil.tickets.opera.example", room, 400, "host-unknown"},
		{"evil.example", "/healthz", 200, ""},
		{"rooms.example", "/", 200, "<title>index"},
		{"rooms.example", "/ops", 200, "<title>ops"},
		{"127.0.0.1", domainPath + "?domain=tickets.opera.example", 204, ""},
		{"127.0.0.1", domainPath + "?domain=rooms.example", 204, ""},
		{"127.0.0.1", domainPath + "?domain=evil.example", 404, "domain-unknown"},
	} {
		if w := g.onHost(c.host, c.path); w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s%s: %d %s, want %d with %q", c.host, c.path, w.Code, w.Body, c.status, c.says)
		}
	}
	if w := g.onHost("tickets.opera.example", "/"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != room {
		t.Errorf("the front of a domain: %d %v", w.Code, w.Header())
	}
}

// What another version of ours, or somebody in Redis, left there does no harm.
func TestALookThatIsNoneIsNotShown(t *testing.T) {
	t.Parallel()
	g := newRigOn(t, devtest.PrivateRedis(t).Client, withWaiting(t))
	bad := look.Look{Colors: look.Colors{Light: look.Palette{Accent: "red}</style><script>"}}}
	g.shows(1, bad, nil)
	page := wantStatus(t, g.browser().do("GET", "/sales/"+string(g.sale.ID), ""), http.StatusOK)
	if strings.Contains(string(page.body), "red}") || page.Header.Get("Content-Security-Policy") != policy {
		t.Errorf("%s", page.body)
	}
}

// The edge notices a look by itself.
func TestALookIsNoticed(t *testing.T) {
	t.Parallel()
	g := newRigOn(t, devtest.PrivateRedis(t).Client, withWaiting(t))
	index, err := json.Marshal(look.Index{g.sale.ID: {Version: 1, Domains: []string{"tickets.opera.example"}}})
	must(t, err)
	must(t, g.store.PostLooks(t.Context(), index))
	late := time.After(patience)
	for again := time.NewTicker(10 * time.Millisecond); g.server.looks.known.Load().domains["tickets.opera.example"] == nil; {
		select {
		case <-again.C:
		case <-late:
			t.Fatal("it is not noticed")
		}
	}
}

// A button on another site may ask what it shows, and nothing else.
func TestAButtonMayStandOnAnotherSite(t *testing.T) {
	t.Parallel()
	g := newRigOn(t, devtest.PrivateRedis(t).Client, withWaiting(t))
	f, path := g.browser(), "/api/v1/sales/"+string(g.sale.ID)
	ask := func() (b embedded) {
		t.Helper()
		r := wantStatus(t, f.do("GET", path+"/button", "", "Origin", "https://opera.example", "Sec-Fetch-Site", "cross-site"), http.StatusOK)
		if r.Header.Get("Access-Control-Allow-Origin") != "*" || r.Header.Get("Set-Cookie") != "" || r.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%v", r.Header)
		}
		must(t, json.Unmarshal(r.body, &b))
		return b
	}
	if b := ask(); b.Title != g.sale.Title || b.Phase != ropeline.PhaseLobby || b.Light.Background != "#8c1537" || b.Dark.Text != "#fff6ee" {
		t.Errorf("%+v", b)
	}
	g.shows(1, fullLook, nil)
	if b := ask(); b.Light.Background != "#0a5c8a" || b.Dark.Background != "#8ecae6" {
		t.Errorf("in its look: %+v", b)
	}
	for _, other := range []string{path, path + "/stock", "/sales/" + string(g.sale.ID)} {
		if r := f.do("GET", other, "", "Origin", "https://opera.example"); r.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s may be read by any site", other)
		}
	}
	script := wantStatus(t, f.do("GET", "/embed.js", ""), http.StatusOK)
	if script.Header.Get("Content-Type") != "text/javascript; charset=utf-8" || script.Header.Get("Cross-Origin-Resource-Policy") != "cross-origin" || !bytes.Equal(script.body, embedScript) {
		t.Errorf("%v", script.Header)
	}
	// No page is framed by another site; the preview by our own desk alone.
	for page, ancestors := range map[string]string{"/sales/" + string(g.sale.ID): "'none'", "/desk": "'none'", "/desk/preview": "'self'"} {
		if r := wantStatus(t, f.do("GET", page, ""), http.StatusOK); !strings.Contains(r.Header.Get("Content-Security-Policy"), "frame-ancestors "+ancestors) {
			t.Errorf("%s: %s", page, r.Header.Get("Content-Security-Policy"))
		}
	}
}
