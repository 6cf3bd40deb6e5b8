package passage

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/ropeline/ropeline"
)

// ErrPathInvalid is the answer to every address that is not plain.
var ErrPathInvalid = &ropeline.Error{
	Kind: ropeline.Invalid, Code: "path-invalid", Status: 400,
	Detail: "This address cannot be opened: it could be read in two ways.",
}

// Path is the path of a request, read.
type Path struct {
	Plain string // decoded and normalized: what is matched
	Exact bool   // it was normal already: whoever has the address as it was sent reads the same
	Query string // as it was sent, without the question mark

	key     string // Plain as patterns see it
	escaped string // Plain as it is forwarded
}

// Target is path and query as they are forwarded.
func (p Path) Target() string {
	if p.Query == "" {
		return p.escaped
	}
	return p.escaped + "?" + p.Query
}

// ReadPath reads the target of a request line. It fails with ErrPathInvalid
// for everything that two servers may read differently:
//
//   - what does not begin with a slash: an absolute address, an authority, "*"
//   - an encoded slash, backslash, dot segment or NUL, and the same unencoded
//   - what is still encoded after it was decoded once ("%252e")
//   - bytes that are no UTF-8 (an overlong "/"), and control characters
//   - ";": some servers cut it off, with what follows, and some do not
//   - a segment that ends in a dot or a space: Windows drops them
//   - characters that some servers take for one of these (a full-width slash)
//   - a fragment, which no client sends
//
// Slashes that follow each other count as one.
func ReadPath(target string) (Path, error) {
	raw, query, _ := strings.Cut(target, "?")
	if !strings.HasPrefix(raw, "/") || !printable(target) {
		return Path{}, ErrPathInvalid
	}
	if plain(raw) {
		return Path{Plain: raw, Exact: true, Query: query, key: keyOf(raw), escaped: raw}, nil
	}
	path, err := decode(raw)
	if err != nil {
		return Path{}, err
	}
	if err := check(path); err != nil {
		return Path{}, err
	}
	// Full-width and similar forms: what they stand for must be harmless, too.
	if wide := norm.NFKC.String(path); wide != path {
		if err := check(wide); err != nil || strings.Count(wide, "/") != strings.Count(path, "/") {
			return Path{}, ErrPathInvalid
		}
	}
	merged := merge(path)
	return Path{
		Plain: merged, Exact: merged == path, Query: query,
		key: keyOf(merged), escaped: (&url.URL{Path: merged}).EscapedPath(),
	}, nil
}

// printable refuses what a request line cannot hold, and a fragment's mark.
func printable(target string) bool {
	for i := 0; i < len(target); i++ {
		if c := target[i]; c <= ' ' || c == 0x7f || c == '#' {
			return false
		}
	}
	return true
}

// plain reports whether a path needs no work: most do not.
func plain(raw string) bool {
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		case c == '/' && (i == 0 || raw[i-1] != '/'):
		case c == '.' && i > 0 && raw[i-1] != '/' && i+1 < len(raw) && raw[i+1] != '/':
		default:
			return false
		}
	}
	return true
}

// decode decodes once. A slash must not come out of it, and nothing that could
// be decoded again.
func decode(raw string) (string, error) {
	path, err := url.PathUnescape(raw)
	if err != nil || strings.Count(path, "/") != strings.Count(raw, "/") {
		return "", ErrPathInvalid
	}
	for i := 0; i+2 < len(path); i++ {
		if path[i] == '%' && (isHex(path[i+1]) && isHex(path[i+2]) || path[i+1] == 'u' || path[i+1] == 'U') {
			return "", ErrPathInvalid
		}
	}
	return path, nil
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// check looks at a decoded path.
func check(path string) error {
	if !utf8.ValidString(path) || strings.ContainsAny(path, `\;`) {
		return ErrPathInvalid
	}
	for _, r := range path {
		if unicode.IsControl(r) {
			return ErrPathInvalid
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment != "" && strings.ContainsRune(". ", rune(segment[len(segment)-1])) {
			return ErrPathInvalid // "." and ".." among them
		}
	}
	return nil
}

func merge(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// keyOf is a path as patterns see it: case does not count, nor a slash at the
// end, nor how wide the letters are.
func keyOf(path string) string {
	if path != "/" {
		path = strings.TrimSuffix(path, "/")
	}
	upper := false
	for i := 0; i < len(path); i++ {
		if path[i] >= utf8.RuneSelf {
			return strings.Map(foldRune, norm.NFKC.String(path))
		}
		upper = upper || path[i] >= 'A' && path[i] <= 'Z'
	}
	if upper {
		return strings.ToLower(path)
	}
	return path
}

// foldRune gives all letters that differ by case only (K, k and the Kelvin
// sign) the same one.
func foldRune(r rune) rune {
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return unicode.ToLower(least)
}
