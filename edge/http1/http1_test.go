package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// net/http waits half a second before it closes a connection whose request it
// did not read to its end. That outlives Shutdown, and nearly all of goleak's patience.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

const patience = 10 * time.Second

// door is a Server with a log, and what became of its connections.
type door struct {
	*Server
	address string

	mu     sync.Mutex
	log    bytes.Buffer
	states []http.ConnState
}

func (d *door) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(p)
}

func (d *door) logged() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

func open(t *testing.T, h http.HandlerFunc, change func(*http.Server)) *door {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	d := &door{address: ln.Addr().String()}
	hs := &http.Server{Handler: h, ReadHeaderTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, IdleTimeout: patience,
		MaxHeaderBytes: 16 << 10, ErrorLog: log.New(d, "", 0), ConnState: func(_ net.Conn, s http.ConnState) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.states = append(d.states, s)
		}}
	if change != nil {
		change(hs)
	}
	d.Server = New(hs)
	over := make(chan error, 1)
	go func() { over <- d.Serve(ln) }()
	t.Cleanup(func() {
		_ = d.Close()
		if err := <-over; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// client writes bytes, and reads answers.
type client struct {
	net.Conn
	*bufio.Reader
	t *testing.T
}

func (d *door) dial(t *testing.T) *client {
	t.Helper()
	c, err := net.Dial("tcp", d.address)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetDeadline(time.Now().Add(patience)))
	return &client{c, bufio.NewReader(c), t}
}

func (c *client) Read(p []byte) (int, error) { return c.Reader.Read(p) }

func (c *client) say(text string) *client {
	c.t.Helper()
	_, err := io.WriteString(c.Conn, text)
	must(c.t, err)
	return c
}

// hear reads an answer to a request of a method.
func (c *client) hear(method string) (*http.Response, string) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.Reader, &http.Request{Method: method})
	must(c.t, err)
	body, err := io.ReadAll(resp.Body)
	must(c.t, err)
	return resp, string(body)
}

func (c *client) wantEnd() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.Reader); err != nil || len(rest) > 0 {
		c.t.Errorf("the connection goes on: %q, %v", rest, err)
	}
}

const get = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"

// Whoever answers, a handler is told and answers the same as with net/http. What
// is not plain ends the connection.
func TestHandlersSeeWhatNetHTTPWouldShowThem(t *testing.T) {
	t.Parallel()
	tell := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		h := maps.Clone(r.Header)
		delete(h, "Connection")
		fmt.Fprintf(w, "%s %s %s %s %d %v %q %v %s %v", r.Method, r.RequestURI, r.Host, r.Proto, r.ContentLength, r.TransferEncoding, body, h, r.URL, err)
	}
	d := open(t, tell, nil)
	plainly := &http.Server{Handler: http.HandlerFunc(tell), ReadHeaderTimeout: patience, MaxHeaderBytes: 16 << 10}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go func() { _ = plainly.Serve(ln) }()
	t.Cleanup(func() { _ = plainly.Close() })
	for name, c := range map[string]struct {
		request string
		closes  bool
	}{
		"plain":            {get, false},
		"a body":           {"POST /p?q=a%20b HTTP/1.1\r\nHost: h:80\r\nContent-Length: 3\r\nX-A: 1\r\nx-a:2\r\nx_b:\t v \r\n\r\nabc", false},
		"no length":        {"PUT /p HTTP/1.1\r\nHost: h\r\n\r\n", false},
		"zero length":      {"DELETE /p HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", false},
		"kept alive":       {"GET /x HTTP/1.1\r\nHost: h\r\nConnection: Keep-Alive\r\n\r\n", false},
		"a long head":      {"GET /x HTTP/1.1\r\nHost: h\r\nCookie: " + strings.Repeat("a", 9000) + "\r\n\r\n", false},
		"odd methods":      {"PROPFIND /x HTTP/1.1\r\nHost: h\r\n\r\n", false},
		"closed":           {"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", true},
		"chunks":           {"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", true},
		"HTTP/1.0":         {"GET /x HTTP/1.0\r\nHost: h\r\n\r\n", true},
		"an upgrade":       {"GET /x HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", true},
		"an absolute one":  {"GET http://h/x HTTP/1.1\r\nHost: i\r\n\r\n", true},
		"a strange host":   {"GET /x HTTP/1.1\r\nHost: a~b\r\n\r\n", true},
		"lower case":       {"get /x HTTP/1.1\r\nHost: h\r\n\r\n", true},
		"a bad percentage": {"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", true},
		"no host":          {"GET /x HTTP/1.1\r\n\r\n", true},
		"HTTP/2":           {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", true},
		"no words":         {"x\r\n\r\n", true},
		"a giant head":     {"GET /x HTTP/1.1\r\nHost: h\r\nCookie: " + strings.Repeat("a", 40_000) + "\r\n\r\n", true},
	} {
		ours := d.dial(t).say(c.request)
		other := (&door{address: ln.Addr().String()}).dial(t).say(c.request)
		a, said := ours.hear("GET")
		b, want := other.hear("GET")
		if a.StatusCode != b.StatusCode || said != want || a.Header.Get("Content-Type") != b.Header.Get("Content-Type") || a.ContentLength != b.ContentLength {
			t.Errorf("%s: %d %.200s %v\nnet/http: %d %.200s %v", name, a.StatusCode, said, a.Header, b.StatusCode, want, b.Header)
		}
		if a.Close != c.closes {
			t.Errorf("%s: closes %v", name, a.Close)
		}
		if c.closes {
			ours.wantEnd()
		} else if _, again := ours.say(c.request).hear("GET"); again != said {
			t.Errorf("%s, again: %s", name, again)
		}
	}
}

// smuggles are heads that two servers may read differently. The rows are those of
// the well-known collections of request smuggling.
var smuggles = map[string]string{
	"two lengths":                 "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\n",
	"one length twice":            "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
	"two lengths in one":          "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\n",
	"a length with a sign":        "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\n",
	"a negative length":           "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\n",
	"a length of nothing":         "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n",
	"a length in hexadecimal":     "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\n",
	"length and chunks":           "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
	"chunks and length":           "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
	"length and an odd encoding":  "POST /p HTTP/1.1\r\nHost: h\r\ncontent-length: 3\r\ntransfer-encoding: xchunked\r\n\r\n",
	"two encodings":               "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
	"a space before the colon":    "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length : 3\r\n\r\n",
	"a tab before the colon":      "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding\t: chunked\r\n\r\n",
	"a folded line":               "GET /x HTTP/1.1\r\nHost: h\r\nX-A: b\r\n Transfer-Encoding: chunked\r\n\r\n",
	"a folded first line":         "GET /x HTTP/1.1\r\n Host: h\r\nHost: h\r\n\r\n",
	"a line without CR":           "GET /x HTTP/1.1\r\nHost: h\r\nX-A: b\nTransfer-Encoding: chunked\r\n\r\n",
	"an end without CR":           "GET /x HTTP/1.1\nHost: h\n\n",
	"a line without LF":           "GET /x HTTP/1.1\r\nHost: h\r\nX-A: b\rTransfer-Encoding: chunked\r\n\r\n",
	"a CR more":                   "GET /x HTTP/1.1\r\nHost: h\r\nX-A: b\r\r\nX-B: c\r\n\r\n",
	"a NUL":                       "GET /x HTTP/1.1\r\nHost: h\r\nX-A: b\x00c\r\n\r\n",
	"a vertical tab":              "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\x0bchunked\r\n\r\n",
	"two hosts":                   "GET /x HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
	"one host twice":              "GET /x HTTP/1.1\r\nHost: h\r\nhost: h\r\n\r\n",
	"a name of nothing":           "GET /x HTTP/1.1\r\nHost: h\r\n: v\r\n\r\n",
	"a name with a space":         "GET /x HTTP/1.1\r\nHost: h\r\nX A: v\r\n\r\n",
	"a name outside ASCII":        "GET /x HTTP/1.1\r\nHost: h\r\nX-\xe9: v\r\n\r\n",
	"a line without a colon":      "GET /x HTTP/1.1\r\nHost: h\r\nnothing\r\n\r\n",
	"another encoding":            "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n",
	"an encoding of two":          "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
	"an encoding within brackets": "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \"chunked\"\r\n\r\n",
}

func TestWhatCanBeReadInTwoWaysIsRefused(t *testing.T) {
	t.Parallel()
	d := open(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s came to the handler", r.Method, r.URL) }, nil)
	for name, head := range smuggles {
		c := d.dial(t).say(head + "abc" + get)
		resp, _ := c.hear("GET")
		if resp.StatusCode < 400 || resp.StatusCode > 501 || !resp.Close {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
		c.wantEnd()
	}
}

func TestAnswersAreFramed(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 1000)
	d := open(t, func(w http.ResponseWriter, r *http.Request) {
		switch h := w.Header(); r.URL.Path {
		case "/long":
			_, _ = io.WriteString(w, long)
		case "/declared":
			h.Set("Content-Length", "5000")
			_, _ = io.WriteString(w, long)
			if _, err := io.WriteString(w, "x"); !errors.Is(err, http.ErrContentLength) {
				t.Errorf("more than declared: %v", err)
			}
		case "/short":
			h.Set("Content-Length", "9")
			_, _ = io.WriteString(w, "abc")
		case "/none":
			w.WriteHeader(http.StatusNoContent)
			if _, err := io.WriteString(w, "x"); !errors.Is(err, http.ErrBodyNotAllowed) {
				t.Errorf("a body of 204: %v", err)
			}
		case "/unchanged":
			h.Set("Content-Length", "7")
			w.WriteHeader(http.StatusNotModified)
		case "/split":
			h.Set("X-A", "b\r\nX-Forged: c")
			h["X Bad"] = []string{"d"}
		case "/late":
			w.WriteHeader(http.StatusAccepted)
			h.Set("X-Late", "x")
			w.WriteHeader(http.StatusTeapot)
		case "/trailers":
			h.Set("Trailer", "X-Sum")
			_, _ = io.WriteString(w, "a")
			h.Set("X-Sum", "1")
			h.Set(http.TrailerPrefix+"X-Other", "2")
		case "/stream":
			for _, part := range []string{"one", "two"} {
				_, _ = io.WriteString(w, part)
				must(t, http.NewResponseController(w).Flush())
			}
		case "/bye":
			h.Set("Connection", "close")
		}
	}, nil)
	c := d.dial(t)
	ask := func(method, path string) (*http.Response, string) {
		t.Helper()
		return c.say(method + " " + path + " HTTP/1.1\r\nHost: h\r\n\r\n").hear(method)
	}
	for _, want := range []struct {
		method, path, body string
		status             int
		length             int64
	}{
		{"GET", "/long", long, 200, -1}, {"HEAD", "/long", "", 200, -1},
		{"GET", "/declared", long, 200, 5000}, {"HEAD", "/declared", "", 200, 5000},
		{"GET", "/none", "", 204, 0}, {"GET", "/unchanged", "", 304, 0}, {"GET", "/split", "", 200, 0}, {"GET", "/late", "", 202, 0},
		{"GET", "/trailers", "a", 200, -1}, {"GET", "/stream", "onetwo", 200, -1}, {"GET", "/nothing", "", 200, 0}, {"HEAD", "/nothing", "", 200, -1},
	} {
		resp, body := ask(want.method, want.path)
		if resp.StatusCode != want.status || body != want.body || resp.ContentLength != want.length || resp.Header.Get("Date") == "" || resp.Close {
			t.Errorf("%s %s: %d, length %d, %v, %.20q", want.method, want.path, resp.StatusCode, resp.ContentLength, resp.Header, body)
		}
		if resp.Header.Get("X-Forged")+resp.Header.Get("X-Late")+resp.Header.Get("X Bad") != "" || want.path == "/split" && resp.Header.Get("X-A") != "b  X-Forged: c" {
			t.Errorf("%s: %v", want.path, resp.Header)
		}
		if want.path == "/trailers" && (resp.Trailer.Get("X-Sum") != "1" || resp.Trailer.Get("X-Other") != "2") {
			t.Errorf("trailers %v", resp.Trailer)
		}
	}
	if resp, _ := ask("GET", "/bye"); !resp.Close {
		t.Error("close is not said")
	}
	c.wantEnd()
	c = d.dial(t).say("GET /short HTTP/1.1\r\nHost: h\r\n\r\n")
	resp, err := http.ReadResponse(c.Reader, nil)
	must(t, err)
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a short answer looks whole: %v", err)
	}
}

// What the handler does not read of a body is no request.
func TestBodiesAreNeverTakenForRequests(t *testing.T) {
	t.Parallel()
	d := open(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/half" {
			_, _ = io.ReadFull(r.Body, make([]byte, 2))
		}
		fmt.Fprint(w, r.URL.Path)
	}, nil)
	for _, path := range []string{"/none", "/half"} {
		c := d.dial(t).say(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", path, len(get), get) + "GET /next HTTP/1.1\r\nHost: h\r\n\r\n")
		if _, body := c.hear("POST"); body != path {
			t.Errorf("%s", body)
		}
		if _, body := c.hear("GET"); body != "/next" {
			t.Errorf("after %s: %s", path, body)
		}
	}
	// Nobody waits for more than a little.
	c := d.dial(t).say("POST /none HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n" + get)
	if resp, _ := c.hear("POST"); !resp.Close {
		t.Error("the connection goes on")
	}
	c.wantEnd()
}

// A handler hears of a client that goes away, if it asks, and when the body was
// read; what a client sends ahead is not lost.
func TestTheContextEndsWithTheClient(t *testing.T) {
	t.Parallel()
	began, ended := make(chan struct{}, 1), make(chan error, 1)
	d := open(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/wait":
			done := r.Context().Done() // before the body was read
			_, _ = io.Copy(io.Discard, r.Body)
			derived, stop := context.WithTimeout(r.Context(), time.Hour)
			defer stop()
			began <- struct{}{}
			<-done
			<-derived.Done()
			ended <- context.Cause(derived)
		case "/ask":
			if r.Context().Done(); r.Context().Err() != nil {
				t.Error("over already")
			}
			began <- struct{}{}
		case "/stay":
			r.Context().Done()
			for late := time.Now().Add(patience); !reads(r.Context()) && time.Now().Before(late); {
				runtime.Gosched()
			}
			began <- struct{}{}
		}
		fmt.Fprint(w, r.URL.Path)
	}, nil)
	for _, request := range []string{"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n", "POST /wait HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"} {
		c := d.dial(t).say(request)
		<-began
		must(t, c.Close())
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	c := d.dial(t)
	for i := range 50 {
		first := "/ask"
		if i%5 == 0 {
			first = "/stay"
		}
		c.say("GET " + first + " HTTP/1.1\r\nHost: h\r\n\r\n")
		<-began
		c.say("GET /next HTTP/1.1\r\nHost: h\r\n\r\n")
		for _, want := range []string{first, "/next"} {
			if _, body := c.hear("GET"); body != want {
				t.Fatalf("%s, want %s", body, want)
			}
		}
	}
}

// reads reports whether somebody watches for a client to go away.
func reads(ctx context.Context) bool {
	k := &ctx.(*watch).c.watching
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.stopped != nil
}

func TestPanicsEndTheirConnectionOnly(t *testing.T) {
	t.Parallel()
	d := open(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/abort":
			w.Header().Set("Content-Length", "9")
			_, _ = io.WriteString(w, "abc")
			panic(http.ErrAbortHandler)
		case "/panic":
			panic("oh")
		}
	}, nil)
	for _, path := range []string{"/abort", "/panic"} {
		c := d.dial(t).say("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
		if resp, err := http.ReadResponse(c.Reader, nil); err == nil {
			if _, err := io.ReadAll(resp.Body); err == nil {
				t.Errorf("%s: looks whole", path)
			}
		}
	}
	if log := d.logged(); !strings.Contains(log, "panic serving 127.0.0.1") || !strings.Contains(log, "oh") || strings.Contains(log, "abort") {
		t.Error(log)
	}
	d.dial(t).say(get).hear("GET")
}

func TestSlowClientsAreLetGo(t *testing.T) {
	t.Parallel()
	d := open(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, err)
	}, func(hs *http.Server) {
		hs.ReadHeaderTimeout, hs.IdleTimeout, hs.ReadTimeout = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	})
	for _, begun := range []string{"", "GET /x HTTP/1.1\r\nHos"} {
		d.dial(t).say(begun).wantEnd()
	}
	c := d.dial(t).say(get)
	c.hear("GET")
	c.wantEnd()
	c = d.dial(t).say("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na")
	if resp, body := c.hear("POST"); !strings.Contains(body, "timeout") || !resp.Close {
		t.Errorf("a slow body: %s", body)
	}
}

// Shutdown lets requests end, on both servers, and no new ones begin.
func TestShutdownWaitsForRequests(t *testing.T) {
	t.Parallel()
	in, goOn := make(chan struct{}), make(chan struct{})
	d := open(t, func(http.ResponseWriter, *http.Request) {
		in <- struct{}{}
		<-goOn
	}, nil)
	idle := d.dial(t)
	ours, theirs := d.dial(t).say(get), d.dial(t).say("GET /x HTTP/1.0\r\n\r\n")
	<-in
	<-in
	over := make(chan error, 1)
	go func() { over <- d.Shutdown(t.Context()) }()
	idle.wantEnd()
	select {
	case err := <-over:
		t.Errorf("it did not wait: %v", err)
	default:
	}
	close(goOn)
	for _, c := range []*client{ours, theirs} {
		if resp, _ := c.hear("GET"); resp.StatusCode != 200 || !resp.Close {
			t.Errorf("%d, closes %v", resp.StatusCode, resp.Close)
		}
		c.wantEnd()
	}
	must(t, <-over)
	d.mu.Lock()
	defer d.mu.Unlock()
	closed := 0
	for _, s := range d.states {
		if s == http.StateClosed {
			closed++
		}
	}
	if closed != 3 {
		t.Errorf("%d connections were told of, want 3: %v", closed, d.states)
	}
}

// A connection that is hijacked brings what the client had sent behind its
// request.
func TestUpgradesAreNetHTTPs(t *testing.T) {
	t.Parallel()
	d := open(t, func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		_, _ = io.CopyN(c, rw.Reader, 7000)
	}, nil)
	early := strings.Repeat("early ", 1000)
	c := d.dial(t).say("GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n" + early)
	resp, err := http.ReadResponse(c.Reader, nil)
	must(t, err)
	c.say(strings.Repeat("late ", 200))
	back, err := io.ReadAll(c.Reader)
	must(t, err)
	if resp.StatusCode != http.StatusSwitchingProtocols || string(back) != early+strings.Repeat("late ", 200) {
		t.Errorf("%d, %d bytes", resp.StatusCode, len(back))
	}
}

// Whatever is taken for plain net/http reads in the same way, and reads no more of
// it.
func FuzzPlain(f *testing.F) {
	f.Add([]byte(get))
	f.Add([]byte("POST /p?q HTTP/1.1\r\nHost: h:1\r\nContent-Length: 3\r\nConnection: close\r\nA: b\r\na:\tc \r\n\r\n"))
	for _, head := range slices.Sorted(maps.Values(smuggles)) {
		f.Add([]byte(head))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		end := bytes.Index(raw, emptyLine)
		if end < 0 {
			return
		}
		head := raw[:end+len(emptyLine)]
		r, fate := plain(t.Context(), head)
		if fate != serve {
			return
		}
		from := bufio.NewReader(bytes.NewReader(append(bytes.Clone(head), "rest"...)))
		want, err := http.ReadRequest(from)
		if err != nil {
			t.Fatalf("net/http does not read %q: %v", head, err)
		}
		size := max(r.ContentLength, 0)
		if want.Method != r.Method || want.RequestURI != r.RequestURI || want.Host != r.Host || want.Proto != r.Proto || want.ContentLength != size ||
			want.TransferEncoding != nil || !reflect.DeepEqual(want.Header, r.Header) || !reflect.DeepEqual(want.URL, r.URL) {
			t.Fatalf("%q:\n%+v\nnet/http:\n%+v", head, r, want)
		}
		if rest, _ := io.ReadAll(from); string(rest) != "rest" {
			t.Fatalf("net/http leaves %q of %q", rest, head)
		}
	})
}
