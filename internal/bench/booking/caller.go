package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
)

// caller is a connection to a server that keeps it open. It costs as little as it
// can: it shares the processors with the server.
type caller struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte // of the last answer
}

// answer is what a caller is answered. The body is good until the next call.
type answer struct {
	status int
	etag   string
	body   []byte
}

func call(ctx context.Context, address string) (*caller, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &caller{conn: conn, in: bufio.NewReader(conn)}, nil
}

// Close hangs up.
func (c *caller) Close() error { return c.conn.Close() }

// ask sends a request and waits for its answer.
func (c *caller) ask(request []byte) (a answer, err error) {
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
	if a.status, err = strconv.Atoi(string(first[9:12])); err != nil {
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
			a.etag = string(bytes.TrimSpace(value))
		}
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	a.body = c.body[:length]
	_, err = io.ReadFull(c.in, a.body)
	return a, err
}
