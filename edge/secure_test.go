package edge

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ropeline/ropeline"
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
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: shop.Certificate().Raw}), 0o600))
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
