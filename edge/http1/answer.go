package http1

import (
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// heldMost is how much of an answer is held back: a short one is sent with its
// length.
const heldMost = 2 << 10

// answer is the http.ResponseWriter of one request.
type answer struct {
	c      *conn
	method string
	header http.Header // the handler's
	closes bool        // the connection does not carry another request

	status   int
	fixed    http.Header // as it was when the status was written
	declared int64       // length, -1 for none
	written  int64
	sent     bool // the head is in the buffer, or on its way
	chunked  bool
	held     []byte
}

var errShort = errors.New("http1: the handler wrote less than it declared")

// Header is of an http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader is of an http.ResponseWriter. What stands before the final status
// (103) is not sent.
func (a *answer) WriteHeader(status int) {
	if a.status != 0 || status < 200 {
		return
	}
	a.status, a.fixed = status, a.header
	if said := a.header["Content-Length"]; len(said) > 0 {
		a.declared = length(said[0])
	}
	switch {
	case a.declared >= 0 || !a.bodied():
		a.send()
	case a.header["Trailer"] != nil:
		a.chunked = true
		a.send()
	default:
		a.fixed = maps.Clone(a.header) // what the handler changes later is not meant
	}
}

// bodied reports whether the status allows a body.
func (a *answer) bodied() bool {
	return a.status != http.StatusNoContent && a.status != http.StatusNotModified
}

// Write is of an http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if !a.bodied() {
		return 0, http.ErrBodyNotAllowed
	}
	if a.declared >= 0 && a.written+int64(len(p)) > a.declared {
		return 0, http.ErrContentLength
	}
	if !a.sent && len(a.held)+len(p) > heldMost {
		a.chunked = true
		if err := a.release(p); err != nil {
			return 0, err
		}
	}
	a.written += int64(len(p))
	if !a.sent {
		a.held = append(a.held, p...)
		return len(p), nil
	}
	return len(p), a.put(p)
}

// release sends the head, and what was held back; p is what follows.
func (a *answer) release(p []byte) error {
	if _, typed := a.fixed["Content-Type"]; !typed {
		a.guess(p)
	}
	a.send()
	held := a.held
	a.held = held[:0]
	return a.put(held)
}

// guess finds a type for what the handler wrote.
func (a *answer) guess(p []byte) {
	if first := append(a.held, p...); len(first) > 0 && a.fixed["Content-Encoding"] == nil {
		a.fixed["Content-Type"] = []string{http.DetectContentType(first)}
	}
}

// put writes a part of the body.
func (a *answer) put(p []byte) error {
	if len(p) == 0 || a.method == http.MethodHead {
		return nil
	}
	w := a.c.out
	if !a.chunked {
		_, err := w.Write(p)
		return err
	}
	_, _ = w.WriteString(strconv.FormatInt(int64(len(p)), 16)) // w keeps its error
	_, _ = w.WriteString("\r\n")
	_, _ = w.Write(p)
	_, err := w.WriteString("\r\n")
	return err
}

// send writes the head.
func (a *answer) send() {
	a.sent = true
	w, h := a.c.out, a.fixed
	_, _ = w.WriteString("HTTP/1.1 ")
	_, _ = w.Write(strconv.AppendInt(w.AvailableBuffer(), int64(a.status), 10))
	_ = w.WriteByte(' ')
	_, _ = w.WriteString(http.StatusText(a.status))
	_, _ = w.WriteString("\r\n")
	if h["Date"] == nil {
		a.field("Date", a.c.server.today(time.Now()))
	}
	for _, said := range h["Connection"] {
		a.closes = a.closes || strings.EqualFold(said, "close")
	}
	if a.c.server.closing.Load() {
		a.closes = true
	}
	for name, values := range h {
		switch {
		case name == "Content-Length" && (a.declared < 0 || !a.bodied()), name == "Content-Type" && a.status == http.StatusNotModified,
			name == "Connection", name == "Transfer-Encoding", !isToken(name), strings.HasPrefix(name, http.TrailerPrefix):
			continue
		}
		for _, v := range values {
			a.field(name, v)
		}
	}
	if a.chunked {
		a.field("Transfer-Encoding", "chunked")
	}
	if a.closes {
		a.field("Connection", "close")
	}
	_, _ = w.WriteString("\r\n")
}

var oneLine = strings.NewReplacer("\r", " ", "\n", " ")

func (a *answer) field(name, value string) {
	if strings.IndexByte(value, '\n') >= 0 || strings.IndexByte(value, '\r') >= 0 {
		value = oneLine.Replace(value)
	}
	w := a.c.out
	_, _ = w.WriteString(name)
	_, _ = w.WriteString(": ")
	_, _ = w.WriteString(value)
	_, _ = w.WriteString("\r\n")
}

// finish sends what is left, when the handler is done.
func (a *answer) finish() error {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	var trailers []string
	if a.declared < 0 {
		trailers = a.trailers()
	}
	if !a.sent {
		if a.chunked = len(trailers) > 0; !a.chunked && (a.method != http.MethodHead || len(a.held) > 0) {
			a.declared = int64(len(a.held))
			a.fixed["Content-Length"] = []string{strconv.Itoa(len(a.held))}
		}
		if err := a.release(nil); err != nil {
			return err
		}
	}
	if a.chunked && a.method != http.MethodHead {
		_, _ = a.c.out.WriteString("0\r\n")
		for i := 0; i < len(trailers); i += 2 {
			a.field(trailers[i], trailers[i+1])
		}
		_, _ = a.c.out.WriteString("\r\n")
	}
	if err := a.c.out.Flush(); err != nil {
		return err
	}
	if a.declared > a.written && a.method != http.MethodHead && a.bodied() {
		return errShort
	}
	return nil
}

// trailers are name, value, name, …: those that were announced, and those with
// net/http's prefix.
func (a *answer) trailers() (found []string) {
	for _, line := range a.fixed["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			for _, v := range a.header[name] {
				found = append(found, name, v)
			}
		}
	}
	for name, values := range a.header {
		if rest, ok := strings.CutPrefix(name, http.TrailerPrefix); ok && isToken(rest) {
			for _, v := range values {
				found = append(found, rest, v)
			}
		}
	}
	return found
}

// FlushError, EnableFullDuplex and the deadlines are of an
// http.ResponseController.
func (a *answer) FlushError() error {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if !a.sent {
		a.chunked = true
		if err := a.release(nil); err != nil {
			return err
		}
	}
	return a.c.out.Flush()
}

// Flush is of an http.Flusher.
func (a *answer) Flush() { _ = a.FlushError() }

// EnableFullDuplex says what is so here anyway.
func (*answer) EnableFullDuplex() error { return nil }

// SetReadDeadline is for the rest of the body.
func (a *answer) SetReadDeadline(t time.Time) error { return a.c.SetReadDeadline(t) }

// SetWriteDeadline is for the rest of the answer.
func (a *answer) SetWriteDeadline(t time.Time) error { return a.c.SetWriteDeadline(t) }
