package passage

import (
	"errors"
	"fmt"
	"strings"
)

// pattern is one path of a route: segments, of which each may hold "*" for any
// text, and at the end "**" for whatever is below, or nothing.
type pattern struct {
	text     string // as it was written
	segments []string
	below    bool
}

func parsePattern(text string) (pattern, error) {
	p := pattern{text: text}
	path, below := strings.CutSuffix(text, "/**")
	if p.below = below; below && path == "" {
		return p, nil
	}
	if strings.Contains(path, "**") {
		return p, errors.New(`"**" stands at the end only, behind a slash`)
	}
	read, err := ReadPath(path)
	if err != nil || !read.Exact || strings.Contains(path, "?") {
		return p, fmt.Errorf("%q is no plain path that begins with a slash", text)
	}
	if key := read.key; key != "/" {
		p.segments = strings.Split(key[1:], "/")
	}
	return p, nil
}

// fits reports whether a path, as patterns see it, is one of the pattern's.
func (p pattern) fits(key string) bool {
	rest := key[1:]
	for _, want := range p.segments {
		if rest == "" {
			return false
		}
		var have string
		have, rest, _ = strings.Cut(rest, "/")
		if !like(have, want) {
			return false
		}
	}
	return p.below || rest == ""
}

// like compares a segment with one that may hold "*".
func like(have, want string) bool {
	head, tail, star := strings.Cut(want, "*")
	if !star {
		return have == want
	}
	if !strings.HasPrefix(have, head) {
		return false
	}
	have = have[len(head):]
	for {
		part, more, star := strings.Cut(tail, "*")
		if !star {
			return strings.HasSuffix(have, tail)
		}
		i := strings.Index(have, part)
		if i < 0 {
			return false
		}
		have, tail = have[i+len(part):], more
	}
}
