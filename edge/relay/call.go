package relay

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Call is one request to forward.
type Call struct {
	In      *http.Request
	Target  string                   // path and query, as they are written
	Skip    func(header string) bool // headers that stay here
	Extra   []string                 // name, value, name, …; empty values are not sent
	Body    int64                    // bytes at most, -1 for any
	Timeout time.Duration            // until the answer's head, and the longest silence after it

	// Sent does what the request need not wait for, while the upstream works on it:
	// it may set headers of the answer. It is called again if the request is sent again.
	Sent func()
	// Answered looks at the answer's head, and may change it, before it goes on.
	Answered func(status int, h http.Header)
	// Still reports whether an answer that takes long, or a tunnel, may go on. It
	// is asked about once a second.
	Still func() bool

	upgrade bool
}

func itoa(n int64) string { return strconv.FormatInt(max(n, 0), 10) }

// Forward answers a request with what the upstream says. When it returns an
// error, nothing has been written. An answer that breaks off is cut for the
// client, too: it panics with http.ErrAbortHandler, as net/http wants it.
func (p *Pool) Forward(w http.ResponseWriter, call Call) error {
	r := call.In
	if call.Body >= 0 && r.ContentLength > call.Body {
		return ErrTooLarge
	}
	call.upgrade = isWebSocket(r)
	if err := p.enter(); err != nil {
		return err
	}
	defer p.leave()
	p.running.Add(1)
	defer p.running.Done()
	for fresh := false; ; fresh = true {
		c, err := p.take(r.Context(), fresh, call.upgrade || !repeatable(r))
		if err != nil {
			return err
		}
		err = p.exchange(w, &call, c)
		// An idle connection may have been closed just now. What has no body and
		// changes nothing is asked again, once, on a new one.
		if err == nil || fresh || !c.used || !errors.Is(err, errUnanswered) || !repeatable(r) {
			return err
		}
	}
}

func repeatable(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions) && noBody(r)
}

func noBody(r *http.Request) bool {
	return r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0
}

// serverPatience is much less than any server lets an answer take.
const serverPatience = 5 * time.Second

// errUnanswered marks an error before the first byte of an answer.
var errUnanswered = errors.New("no answer")

// unanswered marks an error, unless the time ran out: a shop that hangs has the
// request already, and is not helped by a second one.
func unanswered(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return errors.Join(err, errUnanswered)
}

// exchange sends the request on a connection and passes the answer on. It owns
// the connection from here.
func (p *Pool) exchange(w http.ResponseWriter, call *Call, c *conn) error {
	r := call.In
	began := time.Now()
	heed := heed{c: c, ctx: r.Context(), deadline: began.Add(call.Timeout)}
	reuse := false
	defer func() {
		if heed.over() && reuse {
			p.put(c)
		} else {
			p.drop(c)
		}
	}()
	// Not for writing, too: on a busy machine a moment may pass before the first byte.
	soon := min(call.Timeout, moment)
	c.ReadWithin(began, soon/2, soon)
	c.WriteWithin(began, call.Timeout-call.Timeout/16, call.Timeout)
	body := noBody(r)
	if !body {
		heed.begin()
	}
	if err := c.writeHead(call, !body && r.ContentLength < 0); err != nil {
		return failed("sending the request", err)
	}
	var up *upload
	if body {
		if err := c.w.Flush(); err != nil {
			if cause := r.Context().Err(); cause != nil {
				return cause
			}
			return failed("sending the request", unanswered(err))
		}
	} else {
		up = begin(w, call, c)
	}
	if call.Sent != nil {
		call.Sent()
	}
	if body && !c.speaks() {
		heed.begin()
	}
	resp, err := c.answer(call, &heed)
	up.settle(w.Header())
	if err != nil {
		gone := r.Context().Err() // as of now: stop may look like it
		if cause := up.stop(w, c); cause != nil {
			return cause // the client's own fault
		}
		if gone != nil {
			return gone // the client went away
		}
		return failed("waiting for the answer", err)
	}
	if resp.ContentLength < 0 || int64(c.r.Buffered()) < resp.ContentLength {
		heed.begin() // there is more to come
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return p.tunnel(w, call, c, resp)
	}
	whole := pass(w, call, c, resp, began)
	cut := up.stop(w, c) != nil || !up.sent()
	if !whole {
		panic(http.ErrAbortHandler)
	}
	reuse = !resp.Close && !cut && c.r.Buffered() == 0
	return nil
}

// pass writes the answer to the client, and reports whether it was whole.
func pass(w http.ResponseWriter, call *Call, c *conn, resp *http.Response, began time.Time) bool {
	defer resp.Body.Close()
	h, listed := w.Header(), named(resp.Header)
	if call.Answered != nil {
		call.Answered(resp.StatusCode, resp.Header)
	}
	for name, values := range resp.Header {
		if hopByHop[name] || listed[name] {
			continue
		}
		if had := h[name]; had != nil {
			values = append(had, values...)
		}
		h[name] = values
	}
	if h["Content-Type"] == nil {
		h["Content-Type"] = nil // else net/http would guess one
	}
	var announced map[string]bool
	for name := range resp.Trailer {
		if announced == nil {
			announced = map[string]bool{}
		}
		h.Add("Trailer", name)
		announced[name] = true
	}
	// The server's own time for an answer may be shorter than the route's.
	if now := time.Now(); now.Sub(began) > serverPatience {
		_ = http.NewResponseController(w).SetWriteDeadline(now.Add(call.Timeout))
	}
	w.WriteHeader(resp.StatusCode)
	if call.In.Method == http.MethodHead || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified {
		return true
	}
	if !copyAnswer(w, call, c, resp) {
		return false
	}
	for name, values := range resp.Trailer {
		if !announced[name] {
			name = http.TrailerPrefix + name
		}
		h[name] = values
	}
	return true
}

var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// copyAnswer streams: what the upstream sends without saying how much is flushed
// at once, for those who wait for events.
func copyAnswer(w http.ResponseWriter, call *Call, c *conn, resp *http.Response) bool {
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	streams := resp.ContentLength < 0 || strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream")
	small := !streams && resp.ContentLength <= int64(len(buf))
	control := http.NewResponseController(w)
	asked := time.Now()
	for {
		if !small {
			now := time.Now()
			_ = c.SetReadDeadline(now.Add(call.Timeout))
			_ = control.SetWriteDeadline(now.Add(call.Timeout))
			if now.Sub(asked) >= time.Second {
				if asked = now; call.Still != nil && !call.Still() {
					return false
				}
			}
		}
		n, err := resp.Body.Read(buf[:])
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return false
			}
			if streams && control.Flush() != nil {
				return false
			}
		}
		if err == io.EOF {
			return true
		}
		if err != nil {
			return false
		}
	}
}
