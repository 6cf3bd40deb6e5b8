package http1

import (
	"errors"
	"net/http"
	"net/textproto"
	"strings"
)

// errHead is what no head may look like. Nobody is told more than that.
var errHead = errors.New("the head can be read in more than one way")

// ReadHead reads the first line and the fields of a request or an answer. raw
// ends with the empty line. It takes what has one meaning only: each line ends with
// CR and LF, which stand nowhere else, none is folded, names are tokens and stand
// before a colon, and length, host and encoding are said once, a length not
// beside an encoding.
func ReadHead(raw []byte) (first string, h http.Header, err error) {
	text := string(raw) // the fields are parts of it
	first, text, err = line(text)
	if err != nil {
		return "", nil, err
	}
	lines := strings.Count(text, "\n") - 1
	h = make(http.Header, lines)
	values := make([]string, 0, lines)
	for {
		var field string
		if field, text, err = line(text); err != nil {
			return "", nil, err
		}
		if field == "" {
			break
		}
		name, value, ok := strings.Cut(field, ":")
		if !ok || !isToken(name) {
			return "", nil, errHead
		}
		name, value = textproto.CanonicalMIMEHeaderKey(name), strings.Trim(value, " \t")
		if had, again := h[name]; again {
			if once(name) {
				return "", nil, errHead
			}
			h[name] = append(had, value)
			continue
		}
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	if text != "" || h["Content-Length"] != nil && h["Transfer-Encoding"] != nil {
		return "", nil, errHead
	}
	return first, h, nil
}

func once(name string) bool {
	return name == "Content-Length" || name == "Host" || name == "Transfer-Encoding"
}

// line cuts off a line and looks at its bytes.
func line(text string) (first, rest string, err error) {
	i := strings.IndexByte(text, '\n')
	if i < 1 || text[i-1] != '\r' {
		return "", "", errHead
	}
	first, rest = text[:i-1], text[i+1:]
	for j := 0; j < len(first); j++ {
		if c := first[j]; c < ' ' && c != '\t' || c == 0x7f {
			return "", "", errHead
		}
	}
	return first, rest, nil
}

// tokens are the bytes of a name (RFC 9110, 5.6.2).
var tokens = func() (t [256]bool) {
	for c := '0'; c <= 'z'; c++ {
		t[c] = c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a'
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !tokens[s[i]] {
			return false
		}
	}
	return s != ""
}

// length reads digits, -1 for anything else.
func length(s string) int64 {
	if s == "" || len(s) > 18 {
		return -1
	}
	n := int64(0)
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n
}

// Length is the value of a Content-Length, -1 if there is none. It fails for one
// that is no plain number.
func Length(h http.Header) (int64, error) {
	said := h["Content-Length"]
	if said == nil {
		return -1, nil
	}
	n := length(said[0])
	if n < 0 {
		return -1, errHead
	}
	return n, nil
}
