package passage

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
)

const shopFile = `
rooms: [tickets.example]
hosts:
  - host: [shop.example, www.shop.example]
    upstream: http://127.0.0.1:9000
    sale: lanterns
    connections: 64
    routes:
      - paths: [/static/**, /favicon.ico, "/img/*.png"]
        methods: [GET, HEAD]
        token: none
        fail: open
      - paths: /webhooks/pay
        methods: [POST]
        token: none
        fail: open
        body: 64KiB
      - paths: [/cart, /Checkout/**]
        token: required
        fail: closed
        timeout: 5s
      - paths: [/api/**]
        methods: [GET]
        token: required
        fail: open
      - paths: [/, /api/**, /shows/*]
        token: none
        fail: closed
  - host: other.example
    sale: comets
    routes: [{paths: /**, token: required, fail: closed, body: any}]
`

func table(tb testing.TB) *Table {
	tb.Helper()
	t, err := Parse([]byte(shopFile))
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// decided is a decision in words.
func decided(t *Table, method, host, target string) string {
	p, err := t.Decide(method, host, target)
	if e, ok := errors.AsType[*ropeline.Error](err); ok {
		return e.Code
	}
	switch {
	case p.Route == nil:
		return "room"
	case p.Route.Token:
		return "token of " + string(p.Host.Sale) + ", " + string(p.Route.Fail)
	}
	return "free, " + string(p.Route.Fail)
}

func TestTheFirstRouteThatFitsDecides(t *testing.T) {
	t.Parallel()
	shop := table(t)
	for _, c := range []struct{ method, target, want string }{
		{"GET", "/static/a/b.css", "free, open"},
		{"GET", "/static", "free, open"},
		{"GET", "/STATIC/x", "free, open"},
		{"POST", "/static/a", "route-closed"},
		{"GET", "/favicon.ico", "free, open"},
		{"GET", "/img/a.png", "free, open"},
		{"GET", "/img/a/b.png", "route-closed"},
		{"GET", "/img/a.png.php", "route-closed"},
		{"POST", "/webhooks/pay", "free, open"},
		{"POST", "/webhooks/pay/", "free, open"},
		{"POST", "/webhooks/pay/x", "route-closed"},
		{"GET", "/webhooks/pay", "route-closed"},
		{"GET", "/cart", "token of lanterns, closed"},
		{"POST", "/CART/", "token of lanterns, closed"},
		{"GET", "/cartoon", "route-closed"},
		{"PUT", "/checkout/x/y?z=1", "token of lanterns, closed"},
		{"GET", "/cHeCkOuT", "token of lanterns, closed"},
		{"GET", "/api/x", "token of lanterns, open"},
		{"POST", "/api/x", "route-closed"}, // the route that is free comes later
		{"GET", "/", "free, closed"},
		{"GET", "/?a=/../b", "free, closed"},
		{"GET", "/shows/x", "free, closed"},
		{"GET", "/shows/", "route-closed"},
		{"GET", "/nothing", "route-closed"},
		{"TRACE", "/cart", "route-closed"},
		{"CONNECT", "/cart", "route-closed"},
		{"get", "/cart", "route-closed"},
		{"GET", "/sales/lanterns", "room"},
		{"GET", "/sales/lanterns/draw", "room"},
		{"POST", "/api/v1/sales/lanterns/place", "room"},
		{"GET", "/ropeline/waiting.js", "room"},
		{"GET", "/sales/lanterns2", "route-closed"},
		{"GET", "/sales/comets", "route-closed"},
		{"GET", "/ropelines", "route-closed"},
	} {
		if got := decided(shop, c.method, "shop.example", c.target); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.target, got, c.want)
		}
	}
}

func TestEveryWayToWriteAPathMeetsItsRouteOrIsRefused(t *testing.T) {
	t.Parallel()
	shop := table(t)
	const guarded, bad = "token of lanterns, closed", "path-invalid"
	for target, want := range map[string]string{
		"/checkout/a":          guarded,
		"//checkout/a":         guarded,
		"/checkout//a":         guarded,
		"/checkout/":           guarded,
		"/%63heckout/a":        guarded,
		"/%43HECKOUT/a":        guarded,
		"/CHEC\u212aout/a":     guarded, // the Kelvin sign is a K to some
		"/checkout/caf%C3%A9":  guarded,
		"/checkout/100%25":     guarded,
		"/checkout?next=../..": guarded,
		"/ｃheckout/a":          guarded, // a full-width c

		"/./checkout/a":                bad,
		"/static/../checkout/a":        bad,
		"/static/..":                   bad,
		"/..":                          bad,
		"/static/%2e%2e/checkout":      bad,
		"/static/.%2e/checkout":        bad,
		"/static/%2E/checkout":         bad,
		"/static%2f..%2fcheckout":      bad,
		"/checkout%2fa":                bad,
		"/static%5c..%5ccheckout":      bad,
		`/static\..\checkout`:          bad,
		"/checkout%00.png":             bad,
		"/static/%252e%252e/checkout":  bad,
		"/static/%25%32%65/checkout":   bad,
		"/%252fcheckout":               bad,
		"/%u0063heckout":               bad,
		"/%25u0063heckout":             bad,
		"/static/%c0%af../checkout":    bad,
		"/static/%c0%ae%c0%ae/x":       bad,
		"/static/%e0%80%af/x":          bad,
		"/%ff":                         bad,
		"/static/..;/checkout":         bad,
		"/checkout;v=1":                bad,
		"/checkout%3bv=1":              bad,
		"/checkout.":                   bad,
		"/checkout%20":                 bad,
		"/checkout%20/x":               bad,
		"/checkout/x...":               bad,
		"/static/．．/checkout":          bad, // full-width dots
		"/static／..／checkout":          bad,
		"/static/\u2025/x":             bad, // two dots in one character
		"/checkout#x":                  bad,
		"/checkout?a#b":                bad,
		"/check out":                   bad,
		"/checkout\t":                  bad,
		"/checkout%0d%0aHost:x":        bad,
		"/checkout\r\nX: y":            bad,
		"/checkout%7f":                 bad,
		"/checkout%":                   bad,
		"/checkout%4":                  bad,
		"/checkout%zz":                 bad,
		"http://shop.example/checkout": bad,
		"http://u@shop.example/x":      bad,
		"*":                            bad,
		"shop.example:443":             bad,
		"":                             bad,
		"?":                            bad,
	} {
		if got := decided(shop, "GET", "shop.example", target); got != want {
			t.Errorf("%q: %s, want %s", target, got, want)
		}
	}
}

func TestHostsAreReadInOneWay(t *testing.T) {
	t.Parallel()
	shop := table(t)
	for host, want := range map[string]string{
		"shop.example":        "token of lanterns, closed",
		"SHOP.example":        "token of lanterns, closed",
		"shop.example.":       "token of lanterns, closed",
		"shop.example:8080":   "token of lanterns, closed",
		"shop.example.:443":   "token of lanterns, closed",
		"www.shop.example":    "token of lanterns, closed",
		"other.example":       "token of comets, closed",
		"shop.example..":      "host-unknown",
		"xshop.example":       "host-unknown",
		"shop.example:":       "host-unknown",
		"shop.example:0":      "host-unknown",
		"shop.example:99999":  "host-unknown",
		"shop.example:80:80":  "host-unknown",
		"shop.example@evil":   "host-unknown",
		"u@shop.example":      "host-unknown",
		"shop.example/x":      "host-unknown",
		"shop.example, x":     "host-unknown",
		"shop.example\x00":    "host-unknown",
		"":                    "host-unknown",
		".":                   "host-unknown",
		"tickets.example":     "host-unknown", // the edge's own
		"[::1]:80":            "host-unknown",
		"[shop.example]":      "host-unknown",
		"ｓhop.example":        "host-unknown",
		"shop.example:+8":     "host-unknown",
		"localhost":           "host-unknown",
		"127.0.0.1":           "host-unknown",
		"shop.example#":       "host-unknown",
		" shop.example":       "host-unknown",
		"shop.example.evil.x": "host-unknown",
	} {
		if got := decided(shop, "GET", host, "/cart"); got != want {
			t.Errorf("%q: %s, want %s", host, got, want)
		}
	}
	if !shop.IsRoom("Tickets.example:443") || shop.IsRoom("shop.example") || shop.IsRoom("x@tickets.example") {
		t.Error("the edge's own hosts are not told from others")
	}
}

func TestWhatWasMatchedIsForwarded(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"//a///b/":       "/a/b/",
		"/%61%2Db?x=%2f": "/a-b?x=%2f",
		"/caf%c3%a9":     "/caf%C3%A9",
		"/café":          "/caf%C3%A9",
		"/A/b":           "/A/b",
		"/a%3fb%23c":     "/a%3Fb%23c",
		"/100%25?":       "/100%25",
	} {
		p, err := ReadPath(target)
		if err != nil || p.Target() != want {
			t.Errorf("%s is forwarded as %s (%v), want %s", target, p.Target(), err, want)
		}
	}
}

func TestATableSaysWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown field":      {"connections: 64", "conections: 64", "line 7: field conections is not known here"},
		"unknown in route":   {"timeout: 5s", "retries: 5", "line 21: field retries is not known here"},
		"no failure mode":    {"        fail: closed\n        timeout: 5s", "        timeout: 5s", `line 18: fail: say "open" or "closed"`},
		"odd failure mode":   {"fail: closed\n        timeout", "fail: maybe\n        timeout", `line 20: fail: say`},
		"no token":           {"token: required\n        fail: closed\n        timeout", "fail: closed\n        timeout", "line 18: token: say"},
		"odd method":         {"[POST]", "[BREW]", `line 14: methods: "BREW" is none of GET`},
		"trace":              {"[POST]", "[TRACE]", `methods: "TRACE"`},
		"stars inside":       {"/static/**", "/**/x", `line 9: paths: "**" stands at the end only`},
		"path with dots":     {"/static/**", "/a/../b", "line 9: paths: \"/a/../b\" is no plain path"},
		"relative path":      {"/static/**", "static", "no plain path"},
		"query in path":      {"/static/**", "\"/a?b\"", "no plain path"},
		"host with port":     {"www.shop.example]", "\"www.shop.example:80\"]", "line 4: host:"},
		"host twice":         {"host: other.example", "host: shop.example", `line 29: host: "shop.example" is given twice`},
		"room is a shop":     {"rooms: [tickets.example]", "rooms: [shop.example]", "line 2: rooms:"},
		"odd sale":           {"sale: comets", "sale: Com ets", "line 30: sale:"},
		"ftp upstream":       {"http://127.0.0.1:9000", "ftp://127.0.0.1:9000", "line 5: upstream:"},
		"ca in the clear":    {"connections: 64", "connections: 64\n    ca: x.pem", "line 8: ca:"},
		"upstream with user": {"http://127.0.0.1:9000", "http://u:p@127.0.0.1:9000", "line 5: upstream:"},
		"upstream with path": {"http://127.0.0.1:9000", "http://127.0.0.1:9000/x", "line 5: upstream:"},
		"no connections":     {"connections: 64", "connections: 0", "line 7: connections:"},
		"odd size":           {"64KiB", "64 furlongs", "line 17: body:"},
		"negative size":      {"64KiB", "-1", "line 17: body:"},
		"no time":            {"timeout: 5s", "timeout: 0s", "line 21: timeout:"},
		"a second document":  {"rooms: [tickets.example]", "rooms: []\n---", "second document"},
		"no yaml":            {"rooms: [tickets.example]", "rooms: [", "line"},
	} {
		if !strings.Contains(shopFile, c.old) {
			t.Errorf("%s: %q is not in the file", name, c.old)
		}
		_, err := Parse([]byte(strings.Replace(shopFile, c.old, c.new, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "passage.") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for _, empty := range []string{"", "{}", "hosts: []", "null"} {
		if _, err := Parse([]byte(empty)); err == nil {
			t.Errorf("%q was accepted", empty)
		}
	}
}

func TestATableIsReadFromAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "routes.json")
	const doc = `{"hosts":[{"host":"shop.example","sale":"lanterns","routes":[{"paths":["/**"],"token":"required","fail":"closed","body":"any","timeout":"2s"}]}]}`
	if err := os.WriteFile(path, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	shop, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := shop.Decide("POST", "shop.example", "/x")
	if err != nil || p.Route.Body != -1 || p.Route.Timeout != 2*time.Second || p.Host.Connections != defaultConnections {
		t.Errorf("%+v, %v", p.Route, err)
	}
	if _, err := Load(path + "x"); err == nil {
		t.Error("a file that is not there was read")
	}
}

func TestBookingWritesNeverFailOpen(t *testing.T) {
	t.Parallel()
	booking := &url.URL{Scheme: "http", Host: "127.0.0.1:9000"}
	if err := table(t).CheckOwn(booking); err == nil || !strings.Contains(err.Error(), "line 13") {
		t.Errorf("%v: a webhook that fails open is a write", err)
	}
	reads := strings.ReplaceAll(shopFile, "[POST]", "[GET]")
	reading, err := Parse([]byte(reads))
	if err != nil {
		t.Fatal(err)
	}
	if err := reading.CheckOwn(booking); err != nil {
		t.Errorf("reads that fail open: %v", err)
	}
	if err := table(t).CheckOwn(&url.URL{Host: "127.0.0.1:9001"}); err != nil {
		t.Errorf("a foreign upstream: %v", err)
	}
}

func TestAProxyMustSayInOneWayWhatItWasAskedFor(t *testing.T) {
	t.Parallel()
	good := Asked{"POST", "shop.example", "/cart?a=1"}
	for name, c := range map[string]struct {
		header []string
		want   *Asked
	}{
		"nginx":           {[]string{"X-Original-URI", "/cart?a=1", "X-Original-Method", "POST"}, &good},
		"caddy":           {[]string{"X-Forwarded-Uri", "/cart?a=1", "X-Forwarded-Method", "POST", "X-Forwarded-Host", "shop.example"}, &good},
		"both, the same":  {[]string{"X-Original-URI", "/cart?a=1", "X-Forwarded-Uri", "/cart?a=1", "X-Original-Method", "POST"}, &good},
		"no address":      {[]string{"X-Original-Method", "POST"}, nil},
		"no method":       {[]string{"X-Original-URI", "/cart"}, nil},
		"two addresses":   {[]string{"X-Original-URI", "/cart", "X-Forwarded-Uri", "/static/x", "X-Original-Method", "POST"}, nil},
		"twice":           {[]string{"X-Original-URI", "/cart", "X-Original-URI", "/static/x", "X-Original-Method", "POST"}, nil},
		"two methods":     {[]string{"X-Original-URI", "/cart", "X-Original-Method", "POST", "X-Forwarded-Method", "GET"}, nil},
		"two hosts":       {[]string{"X-Original-URI", "/cart", "X-Original-Method", "POST", "X-Forwarded-Host", "a", "X-Original-Host", "b"}, nil},
		"an empty second": {[]string{"X-Original-URI", "/cart", "X-Forwarded-Uri", "", "X-Original-Method", "POST"}, nil},
	} {
		h := http.Header{}
		for i := 0; i < len(c.header); i += 2 {
			h.Add(c.header[i], c.header[i+1])
		}
		got, err := ReadForwarded(h, "shop.example")
		if c.want == nil && !errors.Is(err, ErrForwardUnclear) || c.want != nil && (err != nil || got != *c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// nginx forwards the address as it came, so what we would have made of it does not count.
	if _, err := table(t).DecideForwarded(Asked{"GET", "shop.example", "//cart"}); !errors.Is(err, ErrPathInvalid) {
		t.Errorf("two slashes: %v", err)
	}
	for _, room := range []string{"/sales/lanterns", "/ropeline/x", "/gate/verify"} {
		if _, err := table(t).DecideForwarded(Asked{"GET", "shop.example", room}); !errors.Is(err, ErrRouteClosed) {
			t.Errorf("%s, which no shop may get: %v", room, err)
		}
	}
	if _, err := table(t).DecideForwarded(Asked{"GET", "shop.example", "/%63art"}); err != nil {
		t.Errorf("an encoded letter: %v", err)
	}
}

// FuzzDecide holds what the whole gate rests on: a path that passes is plain, is
// read again as the same one, and is matched the same in whichever case.
func FuzzDecide(f *testing.F) {
	for _, seed := range []string{"/cart", "//a/%2e/b", "/%252e", "/caf%C3%A9?x", "/a;b", "/static/..%2f", "/\u212a", "/．．/", "/%F0%9F%8E%9F"} {
		f.Add("shop.example", seed)
	}
	shop := table(f)
	f.Fuzz(func(t *testing.T, host, target string) {
		p, err := shop.Decide("GET", host, target)
		if err != nil && p.Path.Plain == "" {
			return
		}
		if p.Host == nil || shop.Shop(strings.ToUpper(host)) != p.Host && host == strings.ToLower(host) {
			t.Errorf("host %q is one in one case only", host)
		}
		plain := p.Path.Plain
		if !strings.HasPrefix(plain, "/") || strings.ContainsAny(plain, "\\;\x00\r\n") || strings.Contains(plain, "//") ||
			strings.Contains(plain+"/", "/./") || strings.Contains(plain+"/", "/../") {
			t.Errorf("%q passes as %q", target, plain)
		}
		again, err := ReadPath(p.Path.Target())
		if err != nil || again.Plain != plain || !again.Exact || again.Query != p.Path.Query || again.key != p.Path.key {
			t.Errorf("%q is forwarded as %q, which is read as %+v (%v)", target, p.Path.Target(), again, err)
		}
		if u, err := url.ParseRequestURI(p.Path.Target()); err != nil || u.Path != plain {
			t.Errorf("another server reads %q of %q", u, p.Path.Target())
		}
		// Not EqualFold, by which some letters are one that have no common lower case.
		upper, lower := strings.ToUpper(plain), strings.ToLower(plain)
		if keyOf(upper) != p.Path.key && strings.ToLower(upper) == lower {
			t.Errorf("%q has two keys", plain)
		}
	})
}
