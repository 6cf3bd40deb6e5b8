// Package caller asks a server over HTTP/1.1, as cheaply as it can: it shares the processors
// with what is measured.
package caller

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
)

// Conn is a connection that a server keeps open. One goroutine uses it at a time.
type Conn struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte // of the last answer
}

// Answer is what was answered. The body is good until the next call.
type Answer struct {
	Status int
	ETag   string
	Body   []byte
}

// Dial connects to host:port.
func Dial(ctx context.Context, address string) (*Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &Conn{conn: conn, in: bufio.NewReader(conn)}, nil
}

// Close hangs up.
func (c *Conn) Close() error { return c.conn.Close() }

// Ask sends a request, as it is, and waits for its answer, which says how long it is.
func (c *Conn) Ask(request []byte) (a Answer, err error) {
	if _, err := c.conn.Write(request); err != nil {
		return a, err
	}
	first, err := c.in.ReadSlice('\n')
	if err != nil {
		return a, err
	}
	if len(first) < len("HTTP/1.1 200") {
		return a, fmt.Errorf("odd answer %q", first)
	}
	if a.Status, err = strconv.Atoi(string(first[9:12])); err != nil {
		return a, fmt.Errorf("odd answer: %w", err)
	}
	length := 0
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return a, err
		}
		if len(line) <= 2 {
			break
		}
		switch name, value, _ := bytes.Cut(line, []byte(":")); {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return a, err
			}
		case bytes.EqualFold(name, []byte("ETag")):
			a.ETag = string(bytes.TrimSpace(value))
		}
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	a.Body = c.body[:length]
	_, err = io.ReadFull(c.in, a.Body)
	return a, err
}
