package loadtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	gatefiles "github.com/ropeline/ropeline/docs/gate"
)

// foreign is a shop that knows nothing of us, with a real nginx in front of it
// that asks the gate (auth_request). It counts for itself who is in.
type foreign struct {
	clock   *clock
	address string // of nginx
	folder  string
	server  *http.Server
	nginx   *exec.Cmd
	ended   chan struct{} // closed when nginx has been waited for

	mu        sync.Mutex // guards what follows
	visits    map[string]*Visit
	requests  int
	strangers []string // who came in without a session
	turned    []string // who was not let in with a good token
}

// Visit is a session as the foreign shop saw it.
type Visit struct{ First, Last Moment }

// Abroad is what the foreign shop saw in all.
type Abroad struct {
	Requests  int // of sessions
	Visits    []Visit
	Strangers []string
	Turned    []string
}

// The host of the foreign shop; the edge's own pages are at 127.0.0.1.
const foreignHost = "localhost"

// foreignRoutes is the documented table for the sale of a load test.
func foreignRoutes(sale string) (string, error) {
	return gateFile("routes.yaml", "tickets.example", "127.0.0.1", "shop.example", foreignHost, "lanterns", sale)
}

// gateFile reads a documented file and puts other values in the place of its own.
func gateFile(name string, pairs ...string) (string, error) {
	raw, err := gatefiles.Files.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("reading the gate's files: %w", err)
	}
	return strings.NewReplacer(pairs...).Replace(string(raw)), nil
}

// openForeign starts the shop and its nginx in front of a stack.
func openForeign(ctx context.Context, s *Stack, c *clock) (f *foreign, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("opening the foreign shop: %w", err)
	}
	f = &foreign{clock: c, visits: map[string]*Visit{}}
	f.server = &http.Server{Handler: f, ReadHeaderTimeout: patience}
	go func() { _ = f.server.Serve(ln) }() // ends with Close
	if err := f.front(ctx, ln.Addr().String(), s); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// front starts nginx with the documented configuration.
func (f *foreign) front(ctx context.Context, shop string, s *Stack) error {
	program, err := exec.LookPath("nginx")
	if err != nil {
		return errors.New("nginx is not installed; install it with: apt-get install nginx (Debian, Ubuntu) or brew install nginx (macOS)")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("looking for a port: %w", err)
	}
	f.address = free.Addr().String()
	_ = free.Close()
	if f.folder, err = os.MkdirTemp("", folderPattern); err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	temp := "http {\n  access_log off;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temp += fmt.Sprintf("  %s_temp_path %s/%s;\n", kind, f.folder, kind)
	}
	conf, err := gateFile("nginx.conf", "127.0.0.1:8000", f.address, "127.0.0.1:8080", hostOf(s.Edge), "127.0.0.1:9000", shop,
		"shop.example", foreignHost, "lanterns", s.Sale, "http {\n", temp)
	if err != nil {
		return err
	}
	file := filepath.Join(f.folder, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return fmt.Errorf("writing nginx's configuration: %w", err)
	}
	f.nginx = exec.Command(program, "-p", f.folder, "-c", file, "-e", filepath.Join(f.folder, "log"),
		"-g", "daemon off; worker_rlimit_nofile 4096; pid "+filepath.Join(f.folder, "pid")+";")
	f.nginx.SysProcAttr, f.ended = attributes(), make(chan struct{})
	go func() { // on one thread, see Stack.attend
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(f.ended)
		_ = f.nginx.Run()
	}()
	for deadline := time.Now().Add(startLimit); time.Now().Before(deadline); {
		if conn, err := net.Dial("tcp", f.address); err == nil {
			return conn.Close()
		}
		select {
		case <-f.ended:
			said, _ := os.ReadFile(filepath.Join(f.folder, "log"))
			return fmt.Errorf("nginx ended while starting: %s", said)
		default:
		}
		if !sleep(ctx, 10*time.Millisecond) {
			return ctx.Err()
		}
	}
	return errors.New("nginx does not answer")
}

// url is where fans go.
func (f *foreign) url() string {
	_, port, _ := net.SplitHostPort(f.address)
	return "http://" + net.JoinHostPort(foreignHost, port)
}

// Close ends nginx and the shop.
func (f *foreign) Close() error {
	var errs []error
	if f.nginx != nil && f.nginx.Process != nil {
		_ = f.nginx.Process.Signal(os.Interrupt)
		<-f.ended
	}
	errs = append(errs, f.server.Close())
	if f.folder != "" {
		errs = append(errs, os.RemoveAll(f.folder))
	}
	return errors.Join(errs...)
}

// ServeHTTP is the shop. It reads an address as leniently as any server might:
// decoded twice, backslashes as slashes, parameters cut off, case ignored.
func (f *foreign) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	session := r.Header.Get("X-Ropeline-Session")
	now := f.clock.since()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case session != "":
		f.requests++
		if v := f.visits[session]; v != nil {
			v.Last = now
		} else {
			f.visits[session] = &Visit{First: now, Last: now}
		}
	case !isFree(r):
		f.strangers = append(f.strangers, r.Method+" "+r.RequestURI)
	}
	_, _ = io.WriteString(w, "{}")
}

func isFree(r *http.Request) bool {
	read, _, _ := strings.Cut(r.RequestURI, "?")
	for range 2 {
		if again, err := url.PathUnescape(read); err == nil {
			read = again
		}
	}
	read = strings.ToLower(strings.ReplaceAll(read, `\`, "/"))
	read, _, _ = strings.Cut(read, "\x00")
	var plain []string
	for segment := range strings.SplitSeq(read, "/") {
		segment, _, _ = strings.Cut(segment, ";")
		plain = append(plain, segment)
	}
	read = path.Clean(strings.Join(plain, "/"))
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	return reads && (read == "/favicon.ico" || read == "/static" || strings.HasPrefix(read, "/static/")) ||
		r.Method == http.MethodPost && (read == "/webhooks" || strings.HasPrefix(read, "/webhooks/"))
}

func (f *foreign) saw() *Abroad {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := &Abroad{Requests: f.requests, Strangers: f.strangers, Turned: f.turned}
	for _, v := range f.visits {
		a.Visits = append(a.Visits, *v)
	}
	return a
}

// tricks are request lines that must not reach what needs a token.
var tricks = []string{
	"GET /buy", "GET //buy", "GET /BUY", "GET /./buy", "GET /static/../buy", "GET /static/x/../../buy", "GET /static/%2e%2e/buy", "GET /static/.%2e/buy",
	"GET /static%2f..%2fbuy", "GET /static/..%2fbuy", "GET /static/..%5cbuy", `GET /static/..\buy`, "GET /static/%252e%252e/buy", "GET /static/..;/buy",
	"GET /static/%c0%ae%c0%ae/buy", "GET /buy%00/static", "GET /buy.", "GET /buy#/static/x", "GET http://localhost/buy", "POST /static/x", "PUT /webhooks/x",
	"GET /webhooks/x", "GET /gate/verify",
}

// frauds are headers that must not help.
var frauds = []string{
	"", "X-Original-URI: /static/x\r\n", "X-Forwarded-Uri: /static/x\r\nX-Forwarded-Method: GET\r\n", "X-Rewrite-URL: /buy\r\n",
	"X-Ropeline-Session: forged\r\nX-Ropeline-Sale: loadtest\r\n", "X_Ropeline_Session: forged\r\n", "Authorization: Bearer a.b.c\r\n",
	"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", "Connection: X-Original-URI, close\r\n",
}

// intrude tries the tricks, with each of the frauds, until ctx ends. What comes of
// them is what the shop sees.
func (f *foreign) intrude(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		line, more := tricks[n%len(tricks)], frauds[n/len(tricks)%len(frauds)]
		if conn, err := net.Dial("tcp", f.address); err == nil {
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, _ = io.WriteString(conn, line+" HTTP/1.1\r\nHost: "+foreignHost+"\r\n"+more+"\r\n")
			_, _ = bufio.NewReader(conn).ReadString('\n')
			_ = conn.Close()
		}
		sleep(ctx, 20*time.Millisecond)
	}
}

// visit looks around in the foreign shop with the fan's token.
func (f *fan) visit(ctx context.Context) {
	f.h.End = "shopped abroad"
	for n := range 4 {
		ask := request{method: http.MethodGet, path: fmt.Sprintf("/buy/%d", n), bearer: f.token}
		if f.byGate() {
			ask.page, ask.bearer, ask.cookie = true, "", admissionCookie+string(f.hall.sale)+"="+f.token
		}
		a := f.insist(ctx, f.rng, tries, ask)
		if a.token != "" {
			f.take(a.token, a.Call)
		}
		if !a.ok() && a.Status != 0 && time.Until(f.exp) > 2*time.Second {
			f.hall.abroad.turn(fmt.Sprintf("fan %d: %d %s", f.h.Fan, a.Status, a.Code))
		}
		if !f.pauseALittle(ctx) {
			return
		}
	}
}

func (f *foreign) turn(who string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turned = append(f.turned, who)
}
