package edge

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
)

// Whatever is hidden in a request to a free path, nobody gets a second one past
// the gate: not one without a token, and not one to a free path either.
func TestNothingIsSmuggledThroughTheGate(t *testing.T) {
	t.Parallel()
	g := newGated(t, func(c *Config, _ *ropeline.Sale) { c.Limits.Header = 8 << 10 })
	at := strings.TrimPrefix(g.url, "http://")
	const inner = "GET /static/hidden HTTP/1.1\r\nHost: shop.example\r\n\r\nGET /buy/hidden HTTP/1.1\r\nHost: shop.example\r\n\r\n"
	post := func(fields string) string {
		return "POST /webhooks/x HTTP/1.1\r\nHost: shop.example\r\n" + fields + "\r\n"
	}
	const last = "GET /static/last HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"
	get := func(fields string) string {
		return "GET /static/x HTTP/1.1\r\nHost: shop.example\r\n" + fields + "\r\n"
	}
	chunked := post("Transfer-Encoding: chunked\r\n")
	length := fmt.Sprintf("Content-Length: %d\r\n", len(inner))
	const refused, passes = 0, 1 // how many requests the shop sees
	for name, c := range map[string]struct {
		request string
		reaches int
		status  int // the first answer's, 0: any refusal
	}{
		"one length":                 {post(length) + inner, passes, http.StatusTeapot},
		"one length twice":           {post(length+length) + inner, refused, 400},
		"two lengths":                {post("Content-Length: 0\r\n"+length) + inner, refused, 400},
		"lengths in a list":          {post("Content-Length: 3, 3\r\n") + "abc" + inner, refused, 400},
		"a length with a sign":       {post("Content-Length: +3\r\n") + "abc" + inner, refused, 400},
		"a length and chunks":        {post(length+"Transfer-Encoding: chunked\r\n") + "0\r\n\r\n" + inner, refused, 400},
		"chunks and a length":        {post("Transfer-Encoding: chunked\r\n"+length) + "0\r\n\r\n" + inner, refused, 400},
		"a length of a GET":          {get(length) + inner, passes, http.StatusTeapot},
		"a folded encoding":          {post("X-A: b\r\n Transfer-Encoding: chunked\r\n"+length) + "0\r\n\r\n" + inner, refused, 400},
		"a folded value":             {post("Transfer-Encoding:\r\n chunked\r\n") + "0\r\n\r\n" + inner, refused, 400},
		"a bare LF":                  {post("X-A: b\nTransfer-Encoding: chunked\r\n"+length) + "0\r\n\r\n" + inner, refused, 400},
		"lines of LF":                {"POST /webhooks/x HTTP/1.1\nHost: shop.example\n" + "Content-Length: 3\n\nabc" + inner, refused, 400},
		"a bare CR":                  {post("X-A: b\rTransfer-Encoding: chunked\r\n"+length) + "0\r\n\r\n" + inner, refused, 400},
		"a NUL":                      {post("X-A: b\x00\r\n") + inner, refused, 400},
		"a space before the colon":   {post("Transfer-Encoding : chunked\r\n") + "0\r\n\r\n" + inner, refused, 400},
		"another encoding":           {post("Transfer-Encoding: xchunked\r\n") + "0\r\n\r\n" + inner, refused, 501},
		"an encoding of a tab":       {post("Transfer-Encoding:\x0bchunked\r\n") + "0\r\n\r\n" + inner, refused, 400},
		"two encodings":              {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n") + "0\r\n\r\n" + inner, refused, 400},
		"an encoding of HTTP/1.0":    {strings.Replace(chunked, "1.1", "1.0", 1) + "0\r\n\r\n" + inner, refused, 0},
		"chunks":                     {chunked + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(inner), inner) + inner, passes, http.StatusTeapot},
		"a chunk's extension":        {chunked + "3;a=\"\n\"\r\nabc\r\n0\r\n\r\n" + inner, refused, 0},
		"a chunk of no size":         {chunked + "zz\r\nabc\r\n0\r\n\r\n" + inner, refused, 0},
		"a chunk with a sign":        {chunked + "+3\r\nabc\r\n0\r\n\r\n" + inner, refused, 0},
		"a chunk in hexadecimal":     {chunked + "0x3\r\nabc\r\n0\r\n\r\n" + inner, refused, 0},
		"a giant chunk":              {chunked + "fffffffffffffffff\r\nabc\r\n0\r\n\r\n" + inner, refused, 0},
		"a chunk that goes on":       {chunked + "3\r\nabcXX0\r\n\r\n" + inner, refused, 0},
		"two hosts":                  {get("Host: tickets.example\r\n") + inner, refused, 400},
		"a host in another case":     {get("hOST: shop.example\r\n") + inner, refused, 400},
		"an address of another host": {"GET http://tickets.example/static/x HTTP/1.1\r\nHost: shop.example\r\n\r\n" + inner, refused, 0},
		"an address and its host":    {"GET http://shop.example/static/x HTTP/1.1\r\nHost: shop.example\r\n\r\n" + inner, refused, 400},
		"a space in the target":      {"GET /static/x /buy HTTP/1.1\r\nHost: shop.example\r\n\r\n" + inner, refused, 0},
		"a giant head":               {get("X-A: "+strings.Repeat("a", 20<<10)+"\r\n") + inner, refused, 431},
		"an upgrade to nothing":      {get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n") + inner, passes, http.StatusTeapot},
		"something expected":         {post("Expect: 100-continue\r\nContent-Length: 0\r\n") + inner, passes, http.StatusTeapot},
	} {
		before := g.upstream.count()
		conn, err := net.Dial("tcp", at)
		must(t, err)
		must(t, conn.SetDeadline(time.Now().Add(patience)))
		_, err = io.WriteString(conn, c.request+last)
		must(t, err)
		answers := bufio.NewReader(conn)
		resp, err := http.ReadResponse(answers, nil)
		must(t, err)
		if resp.StatusCode != c.status && (c.status != 0 || resp.StatusCode < 400 || resp.StatusCode == http.StatusTeapot) {
			t.Errorf("%s: %d, want %d", name, resp.StatusCode, c.status)
		}
		_, _ = io.Copy(io.Discard, answers) // to the connection's end: what comes after it reaches nobody
		_ = conn.Close()
		came := 0
		for _, r := range g.upstream.since(before) {
			if came++; r.URL.Path == "/static/last" {
				came--
			} else if strings.Contains(r.URL.Path, "hidden") {
				t.Errorf("%s: %s reached the shop", name, r.URL)
			}
		}
		if came != c.reaches {
			t.Errorf("%s: %d requests reached the shop, want %d", name, came, c.reaches)
		}
	}
	// Requests that follow each other are several, and each is judged.
	conn, err := net.Dial("tcp", at)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, get("")+inner)
	must(t, err)
	answers := bufio.NewReader(conn)
	for i, want := range []int{http.StatusTeapot, http.StatusTeapot, http.StatusUnauthorized} {
		resp, err := http.ReadResponse(answers, nil)
		must(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		must(t, err)
		if resp.StatusCode != want {
			t.Errorf("request %d of three: %d, want %d", i, resp.StatusCode, want)
		}
	}
}

// since returns the requests that came after so many.
func (u *upstream) since(n int) []*http.Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.seen[n:]
}
