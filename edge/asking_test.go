package edge

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
)

// asked opens the socket on which proxies ask, until the test ends.
func (g *rig) asked(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "asks-") // a socket's path has 100 bytes at most: TempDir may have more
	must(t, err)
	path := filepath.Join(dir, "verify.sock")
	ln, err := net.Listen("unix", path)
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.server.ServeAsking(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		must(t, os.RemoveAll(dir))
	})
	return path
}

// Who may open the socket may ask, whichever addresses are trusted; nothing else is
// answered there.
func TestOnTheSocketOneMayAskAndNothingElse(t *testing.T) {
	t.Parallel()
	g := newGated(t, func(c *Config, _ *ropeline.Sale) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	path := g.asked(t)
	c, err := net.Dial("unix", path)
	must(t, err)
	defer c.Close()
	read := bufio.NewReader(c)
	for _, ask := range []struct {
		target, header string
		want           int
	}{
		{"/gate/verify", "", http.StatusUnauthorized},
		{"/gate/verify", "Cookie: " + token.Cookie(g.sale.ID) + "=" + g.tokenOf(t, g.sale.ID) + "\r\n", http.StatusOK},
		{"/gate/verify?answer=page", "", http.StatusUnauthorized},
		{"/sales/" + string(g.sale.ID), "", http.StatusNotFound},
		{"/api/v1/sales", "", http.StatusNotFound},
		{"/GATE/verify", "", http.StatusNotFound},
		{"/healthz", "", http.StatusNotFound},
		{"/buy", "", http.StatusNotFound},
	} {
		_, err := c.Write([]byte("GET " + ask.target + " HTTP/1.1\r\nHost: x\r\nX-Original-Method: GET\r\nX-Original-URI: /buy\r\nX-Original-Host: " + shopHost + "\r\n" + ask.header + "\r\n"))
		must(t, err)
		resp, err := http.ReadResponse(read, nil)
		must(t, err)
		must(t, resp.Body.Close())
		if resp.StatusCode != ask.want {
			t.Errorf("%s %q: %d, want %d", ask.target, ask.header, resp.StatusCode, ask.want)
		}
	}
	if g.upstream.count() > 0 {
		t.Error("the shop heard of it")
	}
}

// nginx as it is documented, over the socket: the edge trusts no address.
func TestNginxAsksOnTheSocket(t *testing.T) {
	t.Parallel()
	g := newGated(t, func(c *Config, _ *ropeline.Sale) { c.TrustedProxies = nil })
	f := g.at(g.nginxWith(t, "server 127.0.0.1:8080; # asked", "server unix:"+g.asked(t)+";"))
	wantStatus(t, f.do("GET", "/buy/4", "", page...), http.StatusSeeOther)
	wantStatus(t, f.do("POST", "/buy/4", "{}"), http.StatusUnauthorized)
	wantStatus(t, f.do("GET", "/buy/4", "", "Cookie", token.Cookie(g.sale.ID)+"="+g.tokenOf(t, g.sale.ID)), http.StatusTeapot)
	if got := g.upstream.last().Header.Get("X-Ropeline-Sale"); got != string(g.sale.ID) {
		t.Errorf("the shop was told of the sale %q", got)
	}
}
