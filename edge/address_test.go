package edge

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestClientAddressBelievesOnlyTrustedProxies(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"no proxy", "192.0.2.7:4000", nil, "192.0.2.7"},
		{"a client may not name itself", "192.0.2.7:4000", []string{"203.0.113.9"}, "192.0.2.7"},
		{"one proxy", "10.0.0.1:80", []string{"203.0.113.9"}, "203.0.113.9"},
		{"the rightmost untrusted counts, not the leftmost", "10.0.0.1:80", []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		{"two proxies, two header lines", "10.0.0.1:80", []string{"198.51.100.1, 203.0.113.9", "10.0.0.2"}, "203.0.113.9"},
		{"proxies only", "10.0.0.1:80", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"garbage ends belief", "10.0.0.1:80", []string{"203.0.113.9, unknown"}, "10.0.0.1"},
		{"garbage behind a proxy", "10.0.0.1:80", []string{"203.0.113.9, <script>, 10.0.0.2"}, "10.0.0.2"},
		{"header missing", "10.0.0.1:80", nil, "10.0.0.1"},
		{"entry with a port", "10.0.0.1:80", []string{"203.0.113.9:5123"}, "203.0.113.9"},
		{"IPv6 in brackets with a port", "[fd00::1]:80", []string{"[2001:db8::5]:99"}, "2001:db8::5"},
		{"IPv4 mapped into IPv6 is IPv4", "[::ffff:10.0.0.1]:80", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"zones are dropped", "[fe80::1%eth0]:80", nil, "fe80::1"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": c.forwarded}}
		if got := clientAddress(r, trusted).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	proxied := &http.Request{RemoteAddr: "@", Header: http.Header{"X-Forwarded-For": {"198.51.100.1, 203.0.113.9, 10.0.0.2"}}}
	if got := clientAddress(proxied, trusted).String(); got != "203.0.113.9" {
		t.Errorf("a proxy at a Unix socket asks for 203.0.113.9, not %s", got)
	}
	if got := clientAddress(&http.Request{RemoteAddr: "@"}, trusted); got.IsValid() {
		t.Errorf("a Unix socket has no address, got %s", got)
	}
}

func TestLimitKeyCountsASubscriber(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"203.0.113.9":            "203.0.113.9",
		"2001:db8:1:2:3:4:5:6":   "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::1":   "2001:db8:1:2::/64",
		"2001:db8:1:3::1":        "2001:db8:1:3::/64",
		"::ffff:203.0.113.9":     "203.0.113.9",
		"[2001:db8:1:2::9]:1234": "2001:db8:1:2::/64",
	} {
		a, ok := parseAddress(in)
		if got := limitKey(a); !ok || got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if got := limitKey(netip.Addr{}); got != "local" {
		t.Errorf("no address: %s, want local", got)
	}
}

// FuzzClientAddress holds two rules: an untrusted peer is always itself,
// whatever it sends, and the result always makes a key.
func FuzzClientAddress(f *testing.F) {
	f.Add("192.0.2.7:4000", "203.0.113.9")
	f.Add("10.0.0.1:80", "198.51.100.1, 203.0.113.9,, [::1]:80")
	f.Add("[::1%lo]:80", "%,%2c")
	f.Add("@", "\x00")
	f.Add("0", "1.100.1, 203.0.113.9,, [::") // nobody's address is not a socket's
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, remote, forwarded string) {
		r := &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {forwarded}}}
		got := clientAddress(r, trusted)
		if peer, _ := parseAddress(remote); !within(peer, trusted) && !onSocket(remote) && got != peer {
			t.Errorf("untrusted %q became %s through %q", remote, got, forwarded)
		}
		if key := limitKey(got); key == "" {
			t.Errorf("%q with %q has no key", remote, forwarded)
		}
	})
}
