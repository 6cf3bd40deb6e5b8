package relay

import (
	"net/http"
	"strings"
)

// Hop-by-hop headers are each connection's own.
var hopByHop = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Connection": true, "Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Http2-Settings": true,
}

// named returns the headers that a Connection header makes hop-by-hop, nil for
// none.
func named(h http.Header) map[string]bool {
	var names map[string]bool
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); name != "" && !hopByHop[name] && name != "Close" {
				if names == nil {
					names = map[string]bool{}
				}
				names[name] = true
			}
		}
	}
	return names
}

// isWebSocket reports whether a request asks for the one protocol that we
// switch to.
func isWebSocket(r *http.Request) bool {
	if r.Method != http.MethodGet || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return false
	}
	for _, line := range r.Header["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(name), "upgrade") {
				return true
			}
		}
	}
	return false
}

// writeHead writes a request's head, and whether its body goes in chunks.
func (c *conn) writeHead(call *Call, chunked bool) error {
	r, w := call.In, c.w
	// Nothing of this fails before Flush does: bufio keeps the first error.
	w.WriteString(r.Method)
	w.WriteByte(' ')
	w.WriteString(call.Target)
	w.WriteString(" HTTP/1.1\r\nHost: ")
	w.WriteString(r.Host)
	w.WriteString("\r\n")
	listed := named(r.Header)
	for name, values := range r.Header {
		if hopByHop[name] || listed[name] || name == "Content-Length" || name == "Expect" || name == "Host" || call.Skip(name) {
			continue
		}
		for _, v := range values {
			c.writeField(name, v)
		}
	}
	for i := 0; i+1 < len(call.Extra); i += 2 {
		if call.Extra[i+1] != "" {
			c.writeField(call.Extra[i], call.Extra[i+1])
		}
	}
	switch {
	case call.upgrade:
		w.WriteString("Connection: Upgrade\r\nUpgrade: websocket\r\n")
	case chunked:
		w.WriteString("Transfer-Encoding: chunked\r\n")
	case r.ContentLength > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch:
		w.WriteString("Content-Length: ")
		w.WriteString(itoa(r.ContentLength))
		w.WriteString("\r\n")
	}
	if strings.Contains(strings.ToLower(r.Header.Get("Te")), "trailers") {
		w.WriteString("Te: trailers\r\n")
	}
	_, err := w.WriteString("\r\n")
	return err
}

// writeField writes one header. net/http has refused line breaks in it.
func (c *conn) writeField(name, value string) {
	c.w.WriteString(name)
	c.w.WriteString(": ")
	c.w.WriteString(value)
	c.w.WriteString("\r\n")
}
