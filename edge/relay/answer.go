package relay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/ropeline/ropeline/edge/http1"
)

// moment is how long an answer may take before anybody asks whether the client
// still waits for it: most come sooner, and asking costs a goroutine.
const moment = 50 * time.Millisecond

// heed cuts a connection when the client of its request goes away.
type heed struct {
	c        *conn
	ctx      context.Context
	deadline time.Time // of the upstream, from here on
	stop     func() bool
}

func (h *heed) begin() {
	if h.stop == nil {
		c := h.c // h stays on the stack
		_ = c.SetDeadline(h.deadline)
		h.stop = context.AfterFunc(h.ctx, func() { _ = c.Close() })
	}
}

// over ends it, and reports whether the connection was not cut.
func (h *heed) over() bool { return h.stop == nil || h.stop() }

// speaks waits a moment for the answer's first byte. It is false if it must be
// waited for; what else is wrong shows when it is read.
func (c *conn) speaks() bool {
	_, err := c.r.Peek(1)
	return err == nil || !errors.Is(err, os.ErrDeadlineExceeded)
}

// answer reads the head of the answer; those before the final one (100, 103) are
// dropped.
func (c *conn) answer(call *Call, heed *heed) (*http.Response, error) {
	c.head.left = mostHead
	defer func() { c.head.left = -1 }()
	if _, err := c.r.Peek(1); err != nil {
		return nil, unanswered(err)
	}
	if resp := c.plain(call); resp != nil {
		return resp, nil
	}
	heed.begin() // its head may not be whole yet
	for {
		resp, err := http.ReadResponse(c.r, call.In)
		if err != nil {
			return nil, err
		}
		switch {
		case resp.StatusCode == http.StatusSwitchingProtocols && !call.upgrade:
			return nil, errors.New("it switches protocols unasked")
		case resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols:
			return resp, nil
		}
	}
}

// plain reads the head of an answer of known length, if all of it is here: most
// are. It is for the cost (net/http takes three times as long), and leaves every
// other answer to net/http.
func (c *conn) plain(call *Call) *http.Response {
	here, _ := c.r.Peek(c.r.Buffered()) // which cannot fail
	end := bytes.Index(here, []byte("\r\n\r\n"))
	if end < 0 || call.In.Method == http.MethodHead {
		return nil
	}
	first, h, err := http1.ReadHead(here[:end+4])
	if err != nil || h["Transfer-Encoding"] != nil || h["Trailer"] != nil || h["Upgrade"] != nil {
		return nil
	}
	said := h["Connection"]
	if len(said) > 1 || len(said) == 1 && !strings.EqualFold(said[0], "keep-alive") {
		return nil
	}
	status, size := statusOf(first), int64(-1)
	if size, err = http1.Length(h); err != nil || size < 0 || status < 200 || status == http.StatusNoContent || status == http.StatusNotModified {
		return nil
	}
	_, _ = c.r.Discard(end + 4)
	return &http.Response{StatusCode: status, Header: h, ContentLength: size, Body: &part{from: c.r, left: size}}
}

// statusOf reads "HTTP/1.1 200 OK"; 0 is anything else.
func statusOf(line string) int {
	rest, ok := strings.CutPrefix(line, "HTTP/1.1 ")
	if !ok || len(rest) < 3 || len(rest) > 3 && rest[3] != ' ' {
		return 0
	}
	status := 0
	for _, c := range []byte(rest[:3]) {
		if c < '0' || c > '9' {
			return 0
		}
		status = status*10 + int(c-'0')
	}
	return status
}

// part is a body of known length.
type part struct {
	from *bufio.Reader
	left int64
}

func (b *part) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	switch b.left -= int64(n); {
	case b.left == 0:
		return n, io.EOF
	case err == io.EOF:
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

func (*part) Close() error { return nil }
