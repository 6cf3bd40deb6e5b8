package relay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/ropeline/ropeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// front is a server that relays everything to a shop.
type front struct {
	*httptest.Server
	pool *Pool
	call Call // of every request; In and Target are each one's own
	sent func(http.ResponseWriter)
}

func newFront(t *testing.T, shop http.Handler, change func(*Call)) *front {
	t.Helper()
	up := httptest.NewServer(shop)
	t.Cleanup(up.Close)
	return newFrontAt(t, up.Listener.Addr().String(), 8, change)
}

func newFrontAt(t *testing.T, address string, connections int, change func(*Call)) *front {
	t.Helper()
	f := &front{pool: New(address, nil, connections), call: Call{
		Skip: func(name string) bool { return name == "X-Stays" }, Body: -1, Timeout: patience,
	}}
	if change != nil {
		change(&f.call)
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := f.call
		call.In, call.Target = r, r.URL.RequestURI()
		if f.sent != nil {
			call.Sent = func() { f.sent(w) }
		}
		if err := f.pool.Forward(w, call); err != nil {
			t.Logf("%s %s: %v", r.Method, call.Target, err)
			ropeline.WriteProblem(w, err)
		}
	}))
	t.Cleanup(func() {
		f.Server.CloseClientConnections()
		f.Server.Close()
		f.pool.Close()
	})
	return f
}

func (f *front) address() string { return f.Listener.Addr().String() }

// dial opens a connection that a test writes bytes to.
func (f *front) dial(t *testing.T) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", f.address())
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetDeadline(time.Now().Add(patience)))
	return c, bufio.NewReader(c)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(body)
}

func TestRequestsAndAnswersPassWhole(t *testing.T) {
	t.Parallel()
	f := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Add("X-Two", "1")
		w.Header().Add("X-Two", "2")
		w.Header().Set("Keep-Alive", "timeout=5")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, "%s %s %s cl=%d te=%v stays=%q hop=%q none=%q %s", r.Method, r.RequestURI, r.Host, r.ContentLength, r.TransferEncoding,
			r.Header.Get("X-Stays"), r.Header.Get("X-Hop"), r.Header.Get("Te")+r.Header.Get("Upgrade")+r.Header.Get("Proxy-Authorization"), body)
	}), func(c *Call) { c.Extra = []string{"X-Extra", "e", "X-Empty", ""} })
	for _, c := range []struct{ request, want string }{
		{"GET /a?b=c HTTP/1.1\r\nHost: shop\r\nX-Stays: x\r\nX-Hop: y\r\nConnection: x-hop, close\r\nTe: gzip\r\nUpgrade: h2c\r\nProxy-Authorization: z\r\n\r\n",
			`GET /a?b=c shop cl=0 te=[] stays="" hop="" none="" `},
		{"POST /p HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", `POST /p shop cl=3 te=[] stays="" hop="" none="" abc`},
		{"POST /p HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", `POST /p shop cl=0 te=[] stays="" hop="" none="" `},
		{"PUT /p HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
			`PUT /p shop cl=-1 te=[chunked] stays="" hop="" none="" abcde`},
		{"GET / HTTP/1.0\r\nHost: shop\r\n\r\n", `GET / shop cl=0 te=[] stays="" hop="" none="" `},
	} {
		conn, r := f.dial(t)
		_, err := io.WriteString(conn, c.request)
		must(t, err)
		resp, err := http.ReadResponse(r, nil)
		must(t, err)
		body, err := io.ReadAll(resp.Body)
		must(t, err)
		if resp.StatusCode != 202 || string(body) != c.want || len(resp.Header["X-Two"]) != 2 || resp.Header.Get("Keep-Alive") != "" {
			t.Errorf("%q: %d %v\n%s, want\n%s", c.request, resp.StatusCode, resp.Header, body, c.want)
		}
	}
}

// What is done after a request was sent holds up neither the shop nor the answer.
func TestTheShopWorksMeanwhile(t *testing.T) {
	t.Parallel()
	got := make(chan struct{}, 1)
	f := newFront(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got <- struct{}{} }), nil)
	f.sent = func(w http.ResponseWriter) {
		select {
		case <-got: // the shop has it
		case <-time.After(patience):
			t.Error("the shop does not have it yet")
		}
		w.Header().Set("X-Sent", "yes")
	}
	for _, request := range []string{"GET / HTTP/1.1\r\nHost: shop\r\n\r\n", "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 1\r\n\r\na"} {
		conn, r := f.dial(t)
		_, err := io.WriteString(conn, request)
		must(t, err)
		resp, err := http.ReadResponse(r, nil)
		must(t, err)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Sent") != "yes" {
			t.Errorf("%q: %d %v", request, resp.StatusCode, resp.Header)
		}
	}
}

// What a front end and a shop may read differently is refused, or written anew
// so that they cannot: the shop sees one request or none.
func TestNothingIsSmuggled(t *testing.T) {
	t.Parallel()
	var seen atomic.Int64
	var last atomic.Value
	f := newFront(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen.Add(1)
		last.Store(r.RequestURI + " " + string(body))
	}), nil)
	const inner = "GET /admin HTTP/1.1\r\nHost: shop\r\n\r\n"
	for name, c := range map[string]struct {
		request string
		want    string // what the shop may see; "" for nothing
	}{
		"length and chunks":         {"POST /p HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n" + inner, "/p "},
		"chunks and length":         {"POST /p HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\nContent-Length: 100\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\n\r\n", "/p a"},
		"two lengths":               {"POST /p HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\nabc" + inner, ""},
		"two lengths in one":        {"POST /p HTTP/1.1\r\nHost: shop\r\nContent-Length: 3, 3\r\n\r\nabc", ""},
		"a length with a sign":      {"POST /p HTTP/1.1\r\nHost: shop\r\nContent-Length: +3\r\n\r\nabc", ""},
		"two hosts":                 {"GET /p HTTP/1.1\r\nHost: shop\r\nHost: evil\r\n\r\n", ""},
		"no host":                   {"GET /p HTTP/1.1\r\n\r\n", ""},
		"another encoding":          {"POST /p HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", ""},
		"two encodings":             {"POST /p HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", ""},
		"an encoding with a tab":    {"POST /p HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", ""},
		"a space before the colon":  {"POST /p HTTP/1.1\r\nHost: shop\r\nContent-Length : 3\r\n\r\nabc", ""},
		"a folded line":             {"GET /p HTTP/1.1\r\nHost: shop\r\nX-A: b\r\n Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n", "/p "},
		"a folded first line":       {"GET /p HTTP/1.1\r\n Host: shop\r\n\r\n", ""},
		"a chunk's length too long": {"POST /p HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nfffffffffffffffff\r\n", ""},
		"a negative chunk":          {"POST /p HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n-1\r\n", ""},
		"a chunk without its end":   {"POST /p HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\naXX0\r\n\r\n", ""},
		"a line break in the line":  {"GET /p\rHTTP/1.1\r\nHost: shop\r\n\r\n", ""},
		"a NUL in a header":         {"GET /p HTTP/1.1\r\nHost: shop\r\nX: a\x00b\r\n\r\n", ""},
		"spaces in the line":        {"GET  /p  HTTP/1.1\r\nHost: shop\r\n\r\n", ""},
	} {
		before := seen.Load()
		conn, r := f.dial(t)
		_, err := io.WriteString(conn, c.request)
		must(t, err)
		answer, _ := io.ReadAll(r)
		switch n := seen.Load() - before; {
		case c.want == "" && n == 0 && !bytes.HasPrefix(answer, []byte("HTTP/1.1 200")):
		case c.want != "" && n == 1 && last.Load() == c.want:
		default:
			t.Errorf("%s: the shop saw %d requests, the last %q; answered %q", name, n, last.Load(), answer)
		}
	}
}

func TestPipelinedRequestsAreAnsweredInTurn(t *testing.T) {
	t.Parallel()
	f := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s=%s", r.URL.Path, body)
	}), nil)
	conn, r := f.dial(t)
	_, err := io.WriteString(conn, "GET /1 HTTP/1.1\r\nHost: s\r\n\r\nPOST /2 HTTP/1.1\r\nHost: s\r\nContent-Length: 2\r\n\r\nabGET /3 HTTP/1.1\r\nHost: s\r\n\r\n")
	must(t, err)
	for _, want := range []string{"/1=", "/2=ab", "/3="} {
		resp, err := http.ReadResponse(r, nil)
		must(t, err)
		if body, _ := io.ReadAll(resp.Body); string(body) != want {
			t.Errorf("%s, want %s", body, want)
		}
	}
}

func TestLargeBodiesStreamBothWays(t *testing.T) {
	t.Parallel()
	const size = 64 << 20
	f := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, _ := io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%d %x", n, sum.Sum(nil))
	}), nil)
	sum := sha256.New()
	resp, err := http.Post(f.URL, "application/octet-stream", io.TeeReader(io.LimitReader(zeros{}, size), sum))
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	if want := fmt.Sprintf("%d %x", size, sum.Sum(nil)); string(body) != want {
		t.Errorf("%s, want %s", body, want)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestBodiesAreBoundedAsTheRouteSays(t *testing.T) {
	t.Parallel()
	f := newFront(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }), func(c *Call) { c.Body = 1000 })
	for size, status := range map[int64]int{1000: 200, 1001: 413, 1 << 20: 413} {
		for _, chunked := range []bool{false, true} {
			req, err := http.NewRequest("POST", f.URL, io.LimitReader(zeros{}, size))
			must(t, err)
			if req.ContentLength = size; chunked {
				req.ContentLength = -1
			}
			resp, err := http.DefaultClient.Do(req)
			must(t, err)
			resp.Body.Close()
			if resp.StatusCode != status {
				t.Errorf("%d bytes, in chunks %v: %d, want %d", size, chunked, resp.StatusCode, status)
			}
		}
	}
}

// A shop that refuses an upload says so while it is sent; a client that waits for
// 100-continue is told by us, after the check.
func TestAnAnswerMayComeBeforeTheBodyEnds(t *testing.T) {
	t.Parallel()
	f := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusForbidden)
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}), nil)
	conn, r := f.dial(t)
	_, err := io.WriteString(conn, "POST /no HTTP/1.1\r\nHost: s\r\nContent-Length: 1000000\r\n\r\nabc")
	must(t, err)
	resp, err := http.ReadResponse(r, nil)
	must(t, err)
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("%d", resp.StatusCode)
	}
	conn, r = f.dial(t)
	_, err = io.WriteString(conn, "POST /yes HTTP/1.1\r\nHost: s\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
	must(t, err)
	line, err := r.ReadString('\n')
	must(t, err)
	if !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Fatalf("%q", line)
	}
	_, _ = r.ReadString('\n')
	_, err = io.WriteString(conn, "abc")
	must(t, err)
	resp, err = http.ReadResponse(r, nil)
	must(t, err)
	if body, _ := io.ReadAll(resp.Body); string(body) != "abc" {
		t.Errorf("%q", body)
	}
}

// late is a connection on which each write begins, and is known to be done, a good
// while after it should: as on a busy machine.
type late struct{ net.Conn }

func (l late) Write(p []byte) (int, error) {
	wait := func() { <-time.After(2 * moment) }
	wait()
	defer wait()
	return l.Conn.Write(p)
}

// A shop may answer before anybody here knows that the request was sent. The
// client's connection is good for the next request then: one of net/http took the
// deadline that ended the upload for the client's going, and canceled what came
// after, which was answered with 200 and nothing.
func TestAnAnswerThatOvertakesTheBodyHarmsNothing(t *testing.T) {
	t.Parallel()
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Method) }))
	t.Cleanup(shop.Close)
	f := newFrontAt(t, shop.Listener.Addr().String(), 8, nil)
	conn, r := f.dial(t)
	for _, method := range []string{"POST", "POST", "GET", "PUT", "GET "} {
		length := "Content-Length: 2\r\n\r\n{}"
		if method == "GET " { // without a body, nobody asks for a moment whether the client goes
			method, length = "GET", "\r\n"
		}
		nc, err := net.Dial("tcp", shop.Listener.Addr().String())
		must(t, err)
		c := newConn(late{nc}) // as if it were new: what fails on it is not tried again
		c.since = time.Now()
		f.pool.mu.Lock()
		f.pool.idle = append(f.pool.idle, c)
		f.pool.mu.Unlock()
		_, err = io.WriteString(conn, method+" / HTTP/1.1\r\nHost: s\r\n"+length)
		must(t, err)
		resp, err := http.ReadResponse(r, nil)
		must(t, err)
		if body, _ := io.ReadAll(resp.Body); string(body) != method || resp.Close {
			t.Fatalf("%s: %d %q, closing %v", method, resp.StatusCode, body, resp.Close)
		}
	}
}

// A shop that thinks for longer than a moment is waited for on a new connection,
// too: those answers were given up as silent.
func TestAShopMayThink(t *testing.T) {
	t.Parallel()
	f := newFront(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-time.After(3 * moment) }), nil)
	for range 2 { // on a new connection, and on a used one
		if status, body := get(t, f.URL); status != http.StatusOK {
			t.Errorf("%d %s", status, body)
		}
	}
}

// Whoever is answered in the middle of their body is told that the connection ends
// with it, and the rest is nobody's request.
func TestTheRestOfABodyIsNoRequest(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"Content-Length: 500\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"} {
		f := newFrontAt(t, rawShop(t, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"), 8, nil)
		conn, r := f.dial(t)
		_, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: s\r\n"+encoding)
		must(t, err)
		resp, err := http.ReadResponse(r, nil)
		must(t, err)
		if body, _ := io.ReadAll(resp.Body); string(body) != "no" || !resp.Close {
			t.Errorf("%d %q, closing %v", resp.StatusCode, body, resp.Close)
		}
		_, _ = io.WriteString(conn, "GET /admin HTTP/1.1\r\nHost: s\r\n\r\n") // it may be closed already
		if rest, _ := io.ReadAll(r); len(rest) > 0 {
			t.Errorf("answered %q", rest)
		}
	}
}

// A shop that does not read what it is sent, but answers, holds nobody up.
func TestAShopThatDoesNotReadHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	f := newFrontAt(t, rawShop(t, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"), 8, func(c *Call) { c.Timeout = 2 * patience })
	conn, r := f.dial(t)
	go func() {
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 100000000\r\n\r\n")
		_, _ = io.Copy(conn, io.LimitReader(zeros{}, 100_000_000))
	}()
	resp, err := http.ReadResponse(r, nil)
	must(t, err)
	if body, _ := io.ReadAll(resp.Body); string(body) != "no" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

// Somebody who sends half a body must not leave the shop with a request that
// looks whole.
func TestACutBodyIsCutForTheShop(t *testing.T) {
	t.Parallel()
	var whole atomic.Int64
	shop := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err == nil {
			whole.Add(1)
		}
	}))
	t.Cleanup(shop.Close)
	f := newFrontAt(t, shop.Listener.Addr().String(), 8, nil)
	for _, head := range []string{"Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n5\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"} {
		conn, r := f.dial(t)
		_, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: s\r\n"+head)
		must(t, err)
		must(t, conn.(*net.TCPConn).CloseWrite())
		if answer, _ := io.ReadAll(r); bytes.HasPrefix(answer, []byte("HTTP/1.1 2")) {
			t.Errorf("%q: %q", head, answer)
		}
	}
	shop.Close() // waits for who is at work
	if n := whole.Load(); n > 0 {
		t.Errorf("the shop took %d for whole", n)
	}
}

func TestEventsComeAsTheyAreSent(t *testing.T) {
	t.Parallel()
	next := make(chan string)
	f := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for event := range next {
			fmt.Fprintf(w, "data: %s\n\n", event)
			_ = http.NewResponseController(w).Flush()
		}
	}), nil)
	go func() { next <- "0" }()
	resp, err := http.Get(f.URL)
	must(t, err)
	defer resp.Body.Close()
	r := bufio.NewReader(resp.Body)
	for i := range 3 {
		if i > 0 {
			next <- fmt.Sprint(i) // only after the one before was read
		}
		line, err := r.ReadString('\n')
		must(t, err)
		if line != fmt.Sprintf("data: %d\n", i) {
			t.Errorf("%q", line)
		}
		_, _ = r.ReadString('\n')
	}
	close(next)
}

func TestTrailersAndHeadAndNoContent(t *testing.T) {
	t.Parallel()
	f := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/none" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprintf(w, "%s %s", body, r.Trailer.Get("X-Mine"))
		w.Header().Set("X-Sum", "7")
		w.Header().Set(http.TrailerPrefix+"X-Late", "8")
	}), nil)
	conn, r := f.dial(t)
	_, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: s\r\nTrailer: X-Mine\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Mine: m\r\n\r\n")
	must(t, err)
	resp, err := http.ReadResponse(r, nil)
	must(t, err)
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	if string(body) != "a m" || resp.Trailer.Get("X-Sum") != "7" || resp.Trailer.Get("X-Late") != "8" {
		t.Errorf("%q %v", body, resp.Trailer)
	}
	head, err := http.Head(f.URL)
	must(t, err)
	head.Body.Close()
	if head.StatusCode != 200 {
		t.Errorf("HEAD: %d", head.StatusCode)
	}
	for range 3 { // the connection to the shop stays good
		if status, body := get(t, f.URL+"/none"); status != 204 || body != "" {
			t.Errorf("%d %q", status, body)
		}
	}
}

func TestWebSocketsAreTunnels(t *testing.T) {
	t.Parallel()
	f := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, data, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, append([]byte("echo "), data...)) != nil {
				return
			}
		}
	}), nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, f.URL, nil)
	must(t, err)
	for _, text := range []string{"a", strings.Repeat("b", 20_000)} {
		must(t, c.Write(ctx, websocket.MessageText, []byte(text)))
		_, data, err := c.Read(ctx)
		must(t, err)
		if string(data) != "echo "+text {
			t.Errorf("%.20q", data)
		}
	}
	if n := f.pool.Busy(); n != 1 {
		t.Errorf("%d slots in use, want that of the tunnel", n)
	}
	must(t, c.Close(websocket.StatusNormalClosure, ""))
}

// A tunnel ends with the session, whether or not anything is said.
func TestATunnelEndsWhenItMayNotGoOn(t *testing.T) {
	t.Parallel()
	var may atomic.Bool
	may.Store(true)
	f := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err == nil {
			_, _, _ = c.Read(r.Context())
			c.CloseNow()
		}
	}), func(c *Call) { c.Still, c.Timeout = may.Load, 400*time.Millisecond*5 })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, f.URL, nil)
	must(t, err)
	defer c.CloseNow()
	may.Store(false)
	if _, _, err := c.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("it goes on: %v", err)
	}
}

// An upstream that switches to another protocol, or unasked, gets no tunnel.
func TestOnlyWebSocketsAreSwitchedTo(t *testing.T) {
	t.Parallel()
	shop := rawShop(t, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
	f := newFrontAt(t, shop, 8, nil)
	for _, upgrade := range []string{"", "Connection: Upgrade\r\nUpgrade: websocket\r\n", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"} {
		conn, r := f.dial(t)
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: s\r\n"+upgrade+"\r\n")
		must(t, err)
		resp, err := http.ReadResponse(r, nil)
		must(t, err)
		if resp.StatusCode != http.StatusBadGateway {
			t.Errorf("%q: %d", upgrade, resp.StatusCode)
		}
	}
}

// rawShop answers each connection's first request with these bytes, once, and
// keeps the connection.
func rawShop(t *testing.T, answer string) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var open []net.Conn
		for {
			c, err := ln.Accept()
			if err != nil {
				for _, c := range open {
					c.Close()
				}
				return
			}
			open = append(open, c)
			_, _ = c.Read(make([]byte, 4096))
			_, _ = io.WriteString(c, answer)
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}

func TestABadUpstreamIsAClearError(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, gone.Close())
	for name, c := range map[string]struct {
		address, code string
		status        int
	}{
		"away":                {gone.Addr().String(), "upstream-away", 502},
		"silent":              {rawShop(t, ""), "upstream-silent", 504},
		"half a head":         {rawShop(t, "HTTP/1.1 200 OK\r\nX-A: b\r\n"), "upstream-silent", 504},
		"no HTTP":             {rawShop(t, "SSH-2.0-OpenSSH\r\n\r\n"), "upstream-away", 502},
		"a head without end":  {rawShop(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("a", mostHead+4<<10)), "upstream-away", 502},
		"two lengths":         {rawShop(t, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "upstream-away", 502},
		"informational, then": {rawShop(t, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), "", 200},
	} {
		f := newFrontAt(t, c.address, 8, func(call *Call) {
			if c.code == "upstream-silent" {
				call.Timeout = 200 * time.Millisecond // a megabyte of head takes as long on a busy machine
			}
		})
		if status, body := get(t, f.URL); status != c.status || !strings.Contains(body, c.code) {
			t.Errorf("%s: %d %s", name, status, body)
		}
		if n := f.pool.Busy(); n != 0 {
			t.Errorf("%s: %d slots stay taken", name, n)
		}
	}
}

// An answer that breaks off must not look whole.
func TestACutAnswerIsCutForTheClient(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"by length": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", "in chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
	} {
		f := newFrontAt(t, rawShop(t, answer), 8, func(c *Call) { c.Timeout = 200 * time.Millisecond })
		resp, err := http.Get(f.URL)
		if err != nil {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil {
			t.Errorf("%s: %q looks whole", name, body)
		}
	}
}

func TestAnUpstreamIsNotAskedMoreThanItTakes(t *testing.T) {
	t.Parallel()
	hold, in := make(chan struct{}), make(chan struct{}, 2)
	up := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { in <- struct{}{}; <-hold }))
	t.Cleanup(up.Close)
	f := newFrontAt(t, up.Listener.Addr().String(), 2, nil)
	done := make(chan int, 2)
	for range 2 {
		go func() {
			status, _ := get(t, f.URL)
			done <- status
		}()
	}
	<-in
	<-in
	if status, body := get(t, f.URL); status != http.StatusServiceUnavailable || !strings.Contains(body, "upstream-full") {
		t.Errorf("%d %s", status, body)
	}
	close(hold)
	if a, b := <-done, <-done; a != 200 || b != 200 {
		t.Errorf("%d, %d", a, b)
	}
	if status, _ := get(t, f.URL); status != 200 {
		t.Errorf("%d after it was full", status)
	}
}

// Shops close idle connections whenever they like: nobody may see it, and nothing
// may be bought twice for it.
func TestAConnectionThatWasClosedMeanwhileIsNotNoticed(t *testing.T) {
	t.Parallel()
	var seen atomic.Int64
	up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen.Add(1) }))
	t.Cleanup(up.Close)
	f := newFrontAt(t, up.Listener.Addr().String(), 8, nil)
	for i := range int64(6) {
		var status int
		if i%2 == 0 {
			status, _ = get(t, f.URL)
		} else {
			resp, err := http.Post(f.URL, "text/plain", strings.NewReader("x"))
			must(t, err)
			resp.Body.Close()
			status = resp.StatusCode
		}
		if status != 200 || seen.Load() != i+1 {
			t.Fatalf("request %d: %d, the shop saw %d", i, status, seen.Load())
		}
		up.CloseClientConnections()
	}
}

// A shop that hangs gets a request once, and its client waits once: an idle
// connection that says nothing is not one that was closed.
func TestAShopThatHangsIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	var seen atomic.Int64
	release := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if seen.Add(1) > 1 {
			<-release
		}
	}))
	t.Cleanup(up.Close)
	t.Cleanup(func() { close(release) })
	f := newFrontAt(t, up.Listener.Addr().String(), 8, func(c *Call) { c.Timeout = 300 * time.Millisecond })
	if status, body := get(t, f.URL); status != 200 {
		t.Fatalf("the first request: %d %s", status, body)
	}
	if status, body := get(t, f.URL); status != 504 || !strings.Contains(body, "upstream-silent") {
		t.Errorf("a shop that hangs: %d %s", status, body)
	}
	if n := seen.Load(); n != 2 {
		t.Errorf("the shop was asked %d times for two requests", n)
	}
}

func TestWhoGoesAwayFreesTheSlot(t *testing.T) {
	t.Parallel()
	in := make(chan struct{}, 1)
	f := newFront(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { in <- struct{}{}; <-r.Context().Done() }), nil)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", f.URL, nil)
	must(t, err)
	done := make(chan error, 1)
	go func() { _, err := http.DefaultClient.Do(req); done <- err }()
	<-in
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	deadline := time.After(patience)
	for f.pool.Busy() > 0 {
		select {
		case <-deadline:
			t.Fatal("the slot stays taken")
		case <-time.After(time.Millisecond):
		}
	}
}
