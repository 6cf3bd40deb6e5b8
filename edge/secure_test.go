package edge

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/edge/passage"
)

// A shop behind https is reached if its certificate is good for the name in the
// routes, and by an authority that is known.
func TestTheShopsCertificateIsChecked(t *testing.T) {
	t.Parallel()
	shop := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Name", r.TLS.ServerName)
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(shop.Close)
	ca := authority(t, shop)
	_, port, _ := strings.Cut(shop.Listener.Addr().String(), ":")
	for _, c := range []struct {
		name, upstream, ca string
		status             int
	}{
		{"known", "https://127.0.0.1:" + port, "ca: " + ca, http.StatusTeapot},
		{"by an unknown authority", "https://127.0.0.1:" + port, "", http.StatusBadGateway},
		{"another's name", "https://localhost:" + port, "ca: " + ca, http.StatusBadGateway},
	} {
		g := newGated(t, func(e *Config, s *ropeline.Sale) {
			table, err := passage.Parse([]byte("hosts:\n  - host: shop.example\n    upstream: " + c.upstream + "\n    sale: " + string(s.ID) + "\n    " + c.ca + "\n    routes:\n      - {paths: /**, token: none, fail: closed}\n"))
			must(t, err)
			e.Routes = table
		})
		f := g.at(strings.TrimPrefix(g.url, "http://"))
		for _, method := range []string{"GET", "POST", "GET"} { // on one connection
			if r := f.do(method, "/x", ""); r.StatusCode != c.status {
				t.Errorf("%s: %s %d %s, want %d", c.name, method, r.StatusCode, r.body, c.status)
			}
		}
	}
	for what, text := range map[string]string{"no file": "", "no certificate": "nothing"} {
		file := filepath.Join(t.TempDir(), "x")
		if text != "" {
			must(t, os.WriteFile(file, []byte(text), 0o600))
		}
		table, err := passage.Parse([]byte("hosts:\n  - {host: h, upstream: 'https://h', ca: " + file + ", sale: s, routes: [{paths: /**, token: none, fail: closed}]}\n"))
		must(t, err)
		if _, err := newPools(table); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
}

// A WebSocket reaches a shop behind https, and ends there when the fan's end does.
func TestAWebSocketReachesAShopBehindHTTPS(t *testing.T) {
	t.Parallel()
	over := make(chan bool, 1)
	shop := httptest.NewTLSServer(echo(func(r *http.Request) { over <- r.TLS != nil }))
	t.Cleanup(shop.Close)
	ca := authority(t, shop)
	g := newGated(t, func(e *Config, s *ropeline.Sale) {
		table, err := passage.Parse([]byte("hosts:\n  - {host: shop.example, upstream: '" + shop.URL + "', ca: " + ca + ", sale: " + string(s.ID) + ", routes: [{paths: /**, token: required, fail: closed}]}\n"))
		must(t, err)
		e.Routes = table
	})
	f := g.at(strings.TrimPrefix(g.url, "http://"))
	f.enter()
	dial := func(cookie string) (*websocket.Conn, *http.Response, error) {
		return websocket.Dial(t.Context(), "http://"+shopHost+"/live", &websocket.DialOptions{
			HTTPClient: &http.Client{Transport: f.client.Transport}, HTTPHeader: http.Header{"Cookie": {cookie}},
		})
	}
	if _, resp, err := dial(""); err == nil || resp.StatusCode != http.StatusUnauthorized {
		t.Fatalf("without a token: %v", err)
	}
	c, _, err := dial(token.Cookie(g.sale.ID) + "=" + f.cookie(token.Cookie(g.sale.ID), "/"))
	must(t, err)
	defer c.CloseNow()
	for _, said := range []string{"hello", strings.Repeat("long ", 6000)} { // more than one buffer, and more than one record of TLS
		must(t, c.Write(t.Context(), websocket.MessageText, []byte(said)))
		_, data, err := c.Read(t.Context())
		must(t, err)
		if string(data) != said {
			t.Errorf("%d bytes came back as %d", len(said), len(data))
		}
	}
	must(t, c.CloseNow())
	select {
	case secure := <-over:
		if !secure {
			t.Error("the shop was reached in the clear")
		}
	case <-time.After(patience):
		t.Error("the shop's end stays open")
	}
}

// authority writes the certificate of a shop into a file.
func authority(t *testing.T, shop *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: shop.Certificate().Raw}), 0o600))
	return file
}
