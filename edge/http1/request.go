package http1

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// fate says what becomes of a request, and of its connection.
type fate int

const (
	serve  fate = iota
	hand        // net/http answers
	refuse      // 400
	leave       // the client has gone, or was too slow
)

// plain makes a request of a head, if it is plain.
func plain(ctx context.Context, raw []byte) (*http.Request, fate) {
	first, h, err := ReadHead(raw)
	if err != nil {
		return nil, refuse
	}
	size, err := Length(h)
	if err != nil {
		return nil, refuse
	}
	method, rest, _ := strings.Cut(first, " ")
	target, proto, _ := strings.Cut(rest, " ")
	if h["Transfer-Encoding"] != nil && proto != "HTTP/1.1" {
		return nil, refuse // HTTP/1.0 knows none: some servers heed it there, some do not
	}
	if proto != "HTTP/1.1" || !upper(method) || method == http.MethodConnect || target == "" || target[0] != '/' || !usual(h) {
		return nil, hand
	}
	host := h["Host"]
	if len(host) != 1 || !hostLike(host[0]) {
		return nil, hand
	}
	delete(h, "Host")
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, hand
	}
	r := new(http.Request).WithContext(ctx) // a context is given by copying: while there is nothing to copy
	r.Method, r.URL, r.RequestURI, r.Host, r.Header = method, u, target, host[0], h
	r.Proto, r.ProtoMajor, r.ProtoMinor = proto, 1, 1
	r.ContentLength, r.Body = max(size, 0), http.NoBody
	return r, serve
}

// usual reports whether nothing in a head needs more than a request and its
// answer.
func usual(h http.Header) bool {
	for name := range h {
		switch name {
		case "Transfer-Encoding", "Upgrade", "Expect", "Trailer", "Http2-Settings":
			return false
		}
	}
	for _, said := range h["Connection"] {
		if !strings.EqualFold(said, "keep-alive") && !strings.EqualFold(said, "close") {
			return false
		}
	}
	return true
}

func upper(method string) bool {
	for i := 0; i < len(method); i++ {
		if method[i] < 'A' || method[i] > 'Z' {
			return false
		}
	}
	return method != ""
}

// hostLike leaves to net/http what has other letters than names, addresses and
// ports.
func hostLike(host string) bool {
	for i := 0; i < len(host); i++ {
		c := host[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._:[]", c) >= 0) {
			return false
		}
	}
	return host != ""
}

var emptyLine = []byte("\r\n\r\n")

// bare reports whether a line ends without CR: such a head would never end for
// us.
func bare(head []byte) bool {
	for from := 0; ; {
		i := bytes.IndexByte(head[from:], '\n')
		if i < 0 {
			return false
		}
		if from += i; from == 0 || head[from-1] != '\r' {
			return true
		}
		from++
	}
}

// body is a request's body of known length.
type body struct {
	c    *conn
	left int64
	shut bool
}

func (b *body) Read(p []byte) (int, error) {
	if b.shut {
		return 0, http.ErrBodyReadAfterClose
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.c.read(p[:min(int64(len(p)), b.left)])
	if b.left -= int64(n); b.left == 0 {
		b.c.whole()
		return n, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (b *body) Close() error {
	b.shut = true
	return nil
}
