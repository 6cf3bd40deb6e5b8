package edge

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/edge/passage"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// The routes of the tests: those of the documentation, with addresses and the
// sale put in.
func docRoutes(t testing.TB, sale ropeline.SaleID, upstream string) *passage.Table {
	t.Helper()
	table, err := passage.Parse([]byte(fromDocs(t, "routes.yaml", "lanterns", string(sale), "127.0.0.1:9000", upstream)))
	must(t, err)
	return table
}

// fromDocs reads a file of the documentation and puts other values in the place
// of its own. Each must be there.
func fromDocs(t testing.TB, name string, pairs ...string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "docs", "gate", name))
	must(t, err)
	text := string(raw)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("docs/gate/%s does not have %q", name, pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

const shopHost = "shop.example"

// newGated returns a rig with a gate in front of its upstream, which is a foreign
// shop. The gate sees.
func newGated(t testing.TB, options ...option) *rig {
	t.Helper()
	g := newRig(t, append([]option{opened, withPages, func(c *Config, s *ropeline.Sale) { gated(t, c, s) }}, options...)...)
	g.draw()
	g.until("the gate sees", func() bool {
		_, err := g.server.config.Sight.Ended("")
		return err == nil
	})
	return g
}

// gated puts the parts of a gate into a configuration.
func gated(t testing.TB, c *Config, s *ropeline.Sale) {
	keys, ok := c.Signer.(interface{ KeySet() token.KeySet })
	if !ok {
		t.Fatal("the signer has no keys")
	}
	sight := queue.NewRevocations(c.Store, "gate-"+random(t), c.Log)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sight.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-done
	})
	c.Sight, c.Gate = sight, gate.New(token.NewCache(token.NewVerifier(keys.KeySet(), time.Now), 0), sight, sight)
	c.Routes = docRoutes(t, s.ID, strings.TrimPrefix(c.BookingURL.String(), "http://"))
	c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	// Not the booking core: a shop of somebody else's.
	core := *c.BookingURL
	core.Host = "127.0.0.1:1"
	c.BookingURL = &core
}

// at returns a browser that reaches the shop through address.
func (g *rig) at(address string) *fan {
	f := g.browser()
	f.client.Transport = &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	g.Cleanup(f.client.CloseIdleConnections)
	f.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := *g
	c.url = "http://" + shopHost
	f.rig = &c
	return f
}

// page is what a browser sends when somebody opens a page.
var page = []string{"Sec-Fetch-Mode", "navigate", "Accept", "text/html"}

// enter takes a fan through the room into the shop.
func (f *fan) enter() {
	f.Helper()
	before := f.snapshot().LastOffer
	f.join()
	f.admit(before + 1)
	f.claim()
}

// send writes bytes to an address and reads the answer.
func send(t *testing.T, address, request string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, request)
	must(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, string(body)
}

// nginx runs the documented configuration in front of the shop and returns its
// address.
func (g *rig) nginx(t *testing.T) string { return g.nginxWith(t) }

// nginxWith puts other values into the file, too.
func (g *rig) nginxWith(t *testing.T, pairs ...string) string {
	t.Helper()
	dir, at := t.TempDir(), devtest.FreePort(t)
	conf := fromDocs(t, "nginx.conf", append(pairs, "127.0.0.1:8000", at, "127.0.0.1:8080", strings.TrimPrefix(g.url, "http://"),
		"127.0.0.1:9000", g.upstream.url.Host, "lanterns", string(g.sale.ID),
		"http {\n", fmt.Sprintf(`http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
`, dir))...)
	file := filepath.Join(dir, "nginx.conf")
	must(t, os.WriteFile(file, []byte(conf), 0o600))
	devtest.Program(t, at, "nginx", "-p", dir, "-c", file, "-e", "stderr",
		"-g", "daemon off; master_process off; pid "+filepath.Join(dir, "pid")+";")
	return at
}

// tokenOf signs a token of a sale for somebody.
func (g *rig) tokenOf(t testing.TB, sale ropeline.SaleID) string {
	t.Helper()
	now := time.Now().Truncate(time.Second)
	return mustSign(t, g, token.Claims{
		Sale: sale, Place: "AAAAAAAAAAAAAAAAAAAAAA", Session: "01939f4e-7a00-7000-8000-000000000001",
		IssuedAt: now, Expires: now.Add(time.Minute), SessionEnds: now.Add(time.Hour),
	})
}

// count is how many requests came.
func (u *upstream) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.seen)
}

// caddy runs the documented configuration in front of the shop.
func (g *rig) caddy(t *testing.T) string {
	t.Helper()
	dir, at := t.TempDir(), devtest.FreePort(t)
	_, port, err := net.SplitHostPort(at)
	must(t, err)
	conf := fromDocs(t, "Caddyfile", ":8000", ":"+port, "127.0.0.1:8080", strings.TrimPrefix(g.url, "http://"),
		"127.0.0.1:9000", g.upstream.url.Host, "lanterns", string(g.sale.ID),
		"admin off\n", "admin off\n\tstorage file_system "+dir+"\n")
	file := filepath.Join(dir, "Caddyfile")
	must(t, os.WriteFile(file, []byte(conf), 0o600))
	_, err = exec.LookPath("caddy")
	must(t, err)
	// It would save the configuration beside the machine's own.
	devtest.Program(t, at, "env", "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir, "caddy", "run", "--adapter", "caddyfile", "--config", file)
	return at
}

// haproxy runs the documented configuration in front of the shop.
func (g *rig) haproxy(t *testing.T) string {
	t.Helper()
	dir, at := t.TempDir(), devtest.FreePort(t)
	conf := fromDocs(t, "haproxy.cfg", "127.0.0.1:8000", at, "127.0.0.1:8080", strings.TrimPrefix(g.url, "http://"),
		"127.0.0.1:9000", g.upstream.url.Host, "lanterns", string(g.sale.ID))
	file := filepath.Join(dir, "haproxy.cfg")
	must(t, os.WriteFile(file, []byte(conf), 0o600))
	action := fromDocs(t, "ropeline.lua", "127.0.0.1:8080", strings.TrimPrefix(g.url, "http://"))
	must(t, os.WriteFile(filepath.Join(dir, "ropeline.lua"), []byte(action), 0o600))
	devtest.Program(t, at, "haproxy", "-db", "-f", file)
	return at
}
