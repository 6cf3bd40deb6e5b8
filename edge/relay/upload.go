package relay

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// upload sends a request's body while its answer may already come: a shop that
// refuses one says so early. nil is that of a request without.
type upload struct {
	whole atomic.Bool           // all of it was read
	done  atomic.Bool           // all of it was sent
	quit  atomic.Bool           // nobody waits for the rest
	fault atomic.Pointer[error] // the client's
	over  chan struct{}         // closed when nothing is sent any more
}

func begin(w http.ResponseWriter, call *Call, c *conn) *upload {
	u := &upload{over: make(chan struct{})}
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex() // else net/http swallows the body before it answers
	// While it is sent, its own times hold; the answer's begins when it was.
	_ = c.SetReadDeadline(time.Time{})
	go func() {
		defer close(u.over)
		client, err := u.send(control, call, c)
		switch {
		case err == nil:
			u.done.Store(true)
			_ = c.SetReadDeadline(time.Now().Add(call.Timeout))
		case client:
			u.fault.Store(&err)
			_ = c.Close() // the upstream must not take a part for the whole
		default:
			// The upstream reads no more. It may have said why.
			_ = c.SetReadDeadline(time.Now().Add(min(call.Timeout, lastWords)))
		}
	}()
	return u
}

// sent reports whether the upstream has all of it.
func (u *upload) sent() bool { return u == nil || u.done.Load() }

// lastWords is how long an upstream that stopped reading has to say why.
const lastWords = 2 * time.Second

// send copies the body and reports, with an error, whether the client is to
// blame for it.
func (u *upload) send(control *http.ResponseController, call *Call, c *conn) (client bool, err error) {
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	chunked, sent := call.In.ContentLength < 0, int64(0)
	for {
		_ = control.SetReadDeadline(time.Now().Add(call.Timeout))
		if u.quit.Load() { // looked at after a deadline is set, for stop's may be the one before
			return true, ErrBody
		}
		n, err := call.In.Body.Read(buf[:])
		if sent += int64(n); call.Body >= 0 && sent > call.Body {
			return true, ErrTooLarge
		}
		if err != nil && err != io.EOF {
			return true, ErrBody.Because(err)
		}
		if !chunked && sent == call.In.ContentLength {
			err = io.EOF // from here on the server watches whether the client goes: its deadline is not ours
		}
		u.whole.Store(err == io.EOF)
		_ = c.SetWriteDeadline(time.Now().Add(call.Timeout))
		if u.quit.Load() {
			return true, ErrBody
		}
		if n > 0 {
			if chunked {
				fmt.Fprintf(c.w, "%x\r\n", n)
			}
			c.w.Write(buf[:n])
			if chunked {
				c.w.WriteString("\r\n")
			}
		}
		if err == io.EOF {
			if chunked {
				c.w.WriteString("0\r\n")
				for name, values := range call.In.Trailer {
					for _, v := range values {
						if !hopByHop[name] && !call.Skip(name) {
							c.writeField(name, v)
						}
					}
				}
				c.w.WriteString("\r\n")
			}
			return false, c.w.Flush()
		}
		if err := c.w.Flush(); err != nil {
			return false, err
		}
	}
}

// settle gives it a moment to end when there is an answer: most come as soon as
// the last byte was sent, and some are faster than the news that it was. A client
// that is not done by then is told that its connection ends with this answer: the
// rest of the body is not read, and would be taken for its next request.
func (u *upload) settle(h http.Header) {
	if u == nil {
		return
	}
	select {
	case <-u.over:
		return
	default:
	}
	late := time.NewTimer(moment)
	defer late.Stop()
	select {
	case <-u.over:
	case <-late.C:
		if !u.whole.Load() {
			h.Set("Connection", "close")
		}
	}
}

// stop ends it after settle, if it has not ended, and returns what the client did
// wrong before that. It lets a body alone that was read whole: the server reads on
// to see whether the client goes away, and one of net/http takes a deadline that
// passes for that, and cancels this request and all that follow on the connection.
func (u *upload) stop(w http.ResponseWriter, c *conn) error {
	if u == nil {
		return nil
	}
	fault := u.fault.Load()
	select {
	case <-u.over:
	default:
		// Nobody waits for the rest of the body.
		u.quit.Store(true)
		_ = c.SetWriteDeadline(time.Unix(1, 0))
		if !u.whole.Load() {
			_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
		}
		<-u.over
	}
	if fault == nil {
		return nil
	}
	return *fault
}
