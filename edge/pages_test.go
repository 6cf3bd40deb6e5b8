package edge

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ropeline/ropeline"
)

func withPages(c *Config, _ *ropeline.Sale) {
	c.Pages = fstest.MapFS{
		"index.html":               {Data: []byte("<title>index</title>" + strings.Repeat("<p>", 500))},
		"waiting.html":             {Data: []byte("<title>waiting</title>")},
		"shop.html":                {Data: []byte("<title>shop</title>")},
		"draw.html":                {Data: []byte("<title>draw</title>")},
		"receipt.html":             {Data: []byte("<title>receipt</title>")},
		"ledger.html":              {Data: []byte("<title>ledger</title>")},
		"order.html":               {Data: []byte("<title>order</title>")},
		"returns.html":             {Data: []byte("<title>returns</title>")},
		"coupons.html":             {Data: []byte("<title>coupons</title>")},
		"desk.html":                {Data: []byte("<title>desk</title>")},
		"preview.html":             {Data: []byte("<title>preview</title>")},
		"account.html":             {Data: []byte("<title>account</title>")},
		"setup.html":               {Data: []byte("<title>setup</title>")},
		"ops.html":                 {Data: []byte("<title>ops</title>")},
		"ticket.html":              {Data: []byte("<title>ticket</title>")},
		"counter.html":             {Data: []byte("<title>counter</title>")},
		"door.html":                {Data: []byte("<title>door</title>")},
		"sales.html":               {Data: []byte("<title>sales</title>")},
		"money.html":               {Data: []byte("<title>money</title>")},
		"offers.html":              {Data: []byte("<title>offers</title>")},
		"venues.html":              {Data: []byte("<title>venues</title>")},
		"letters.html":             {Data: []byte("<title>letters</title>")},
		"team.html":                {Data: []byte("<title>team</title>")},
		"ropeline/app-x1.js":       {Data: []byte(strings.Repeat("export{};", 300))},
		"ropeline/deep/font.woff2": {Data: []byte(strings.Repeat("w", 3000))},
		".keep":                    {},
	}
}

func TestPagesAreServedWithTheirPolicy(t *testing.T) {
	t.Parallel()
	g := newRig(t, withPages)
	f := g.browser()
	for path, title := range map[string]string{"/": "index", "/search": "index", "/events/e1": "index", "/performers/p1": "index", "/venues/v1": "index", "/tours/t1": "index", "/sales/demo": "waiting", "/sales/demo/shop": "shop", "/sales/demo/draw": "draw", "/sales/demo/ledger": "ledger", "/sales/demo/receipt": "receipt", "/orders/o1": "order", "/tickets/o1": "ticket", "/coupons": "coupons", "/coupons/bag": "coupons", "/account": "account", "/account/orders": "account", "/ops": "ops", "/counter": "counter", "/door": "door", "/desk": "desk", "/desk/setup": "setup", "/desk/sales": "sales", "/desk/money": "money", "/desk/coupons": "offers", "/desk/venues": "venues", "/desk/team": "team"} {
		r := wantStatus(t, f.do("GET", path, ""), http.StatusOK)
		if !strings.Contains(string(r.body), "<title>"+title) {
			t.Errorf("%s: %s", path, r.body)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
			"Content-Security-Policy": policy,
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s %q, want %q", path, name, got, want)
			}
		}
		wantStatus(t, f.do("GET", path, "", "If-None-Match", r.Header.Get("ETag")), http.StatusNotModified)
	}
	r := wantStatus(t, f.do("GET", "/ropeline/app-x1.js", ""), http.StatusOK)
	if r.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || r.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("asset header %v", r.Header)
	}
	wantStatus(t, f.do("GET", "/ropeline/deep/font.woff2", ""), http.StatusOK)
	for path, cache := range map[string]string{"/tickets/worker.js": `"ropeline-tickets-1"`, "/door.js": `"ropeline-door-1"`} { // neither asks to reach further than where it is
		worker := wantStatus(t, f.do("GET", path, ""), http.StatusOK)
		if worker.Header.Get("Content-Type") != "text/javascript; charset=utf-8" || worker.Header.Get("Cache-Control") != "no-cache" || worker.Header.Get("Service-Worker-Allowed") != "" ||
			!bytes.Contains(worker.body, []byte(cache)) || bytes.Contains(worker.body, []byte("{page}")) || bytes.Contains(worker.body, []byte("{name}")) {
			t.Errorf("worker %v %s", worker.Header, worker.body)
		}
	}
	for _, path := range []string{"/ropeline/none.js", "/ropeline/", "/ropeline/deep", "/index.html", "/.keep", "/ropeline/.keep"} {
		wantProblem(t, f.do("GET", path, ""), http.StatusNotFound, "route-unknown")
	}
	head := wantStatus(t, f.do("HEAD", "/", ""), http.StatusOK)
	if len(head.body) != 0 || head.Header.Get("Content-Length") == "" {
		t.Errorf("HEAD: %q %v", head.body, head.Header)
	}
}

// A letter is shown in a frame of the desk's page, which has to do with that page's policy:
// it may have the one style that letters have, and nothing else that is inline.
func TestALetterIsShownInItsOwnStyle(t *testing.T) {
	t.Parallel()
	letter, err := os.ReadFile("../booking/wording/letter.html")
	must(t, err)
	_, rest, _ := strings.Cut(string(letter), "<style>")
	style, _, found := strings.Cut(rest, "</style>")
	if !found || strings.Contains(style, "{{") || strings.Contains(string(letter), "style=") {
		t.Fatal("letters have one style, which is the same in all")
	}
	sum := sha256.Sum256([]byte(style))
	want := policy + "; style-src 'self' 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	r := wantStatus(t, newRig(t, withPages).browser().do("GET", "/desk/letters", ""), http.StatusOK)
	if got := r.Header.Get("Content-Security-Policy"); got != want {
		t.Errorf("the policy is %q, want %q", got, want)
	}
}

// Where the provider's fields for cards are wanted, the pages on which somebody pays may
// load them, and no other page anything but ours.
func TestCardFieldsAreWhereOnePays(t *testing.T) {
	t.Parallel()
	g := newRig(t, func(c *Config, sale *ropeline.Sale) {
		withPages(c, sale)
		c.CardFields = true
	})
	f := g.browser()
	for path, want := range map[string]string{"/": policy, "/sales/demo": policy, "/sales/demo/shop": fieldsPolicy, "/orders/o1": fieldsPolicy, "/returns/r1": fieldsPolicy, "/ops": policy, "/counter": policy, "/door": policy} {
		r := wantStatus(t, f.do("GET", path, ""), http.StatusOK)
		if got := r.Header.Get("Content-Security-Policy"); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if !strings.HasPrefix(fieldsPolicy, policy) || strings.Contains(fieldsPolicy, "unsafe") || strings.Contains(fieldsPolicy, "*") {
		t.Errorf("the policy is %q", fieldsPolicy)
	}
}

func TestPagesAreCompressedForThoseWhoCan(t *testing.T) {
	t.Parallel()
	g := newRig(t, withPages)
	f := g.browser()
	r := wantStatus(t, f.do("GET", "/", "", "Accept-Encoding", "br, gzip;q=0.8"), http.StatusOK)
	if r.Header.Get("Content-Encoding") != "gzip" || r.Header.Get("Vary") != "Accept-Encoding" {
		t.Fatalf("header %v", r.Header)
	}
	z, err := gzip.NewReader(bytes.NewReader(r.body))
	must(t, err)
	text, err := io.ReadAll(z)
	must(t, err)
	plain := wantStatus(t, f.do("GET", "/", "", "Accept-Encoding", "identity, gzip;q=0"), http.StatusOK)
	if !bytes.Equal(text, plain.body) || plain.Header.Get("Content-Encoding") != "" || plain.Header.Get("ETag") == r.Header.Get("ETag") {
		t.Errorf("plain %v, compressed %v", plain.Header, r.Header)
	}
	if font := f.do("GET", "/ropeline/deep/font.woff2", "", "Accept-Encoding", "gzip"); font.Header.Get("Content-Encoding") != "" {
		t.Error("a font was compressed twice")
	}
}

func TestWithoutPagesItSaysHowToBuildThem(t *testing.T) {
	t.Parallel()
	for _, tree := range []option{
		func(*Config, *ropeline.Sale) {},
		func(c *Config, _ *ropeline.Sale) { c.Pages = fstest.MapFS{".keep": {}} },
	} {
		r := newRig(t, tree).browser().do("GET", "/", "")
		wantProblem(t, r, http.StatusServiceUnavailable, "pages-not-built")
		if !strings.Contains(string(r.body), "make dev") {
			t.Errorf("%s", r.body)
		}
	}
}
