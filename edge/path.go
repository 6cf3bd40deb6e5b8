package edge

import (
	"net/http"
	"strings"

	"github.com/ropeline/ropeline"
)

var errPathInvalid = &ropeline.Error{
	Kind: ropeline.Invalid, Code: "path-invalid", Status: http.StatusBadRequest,
	Detail: "This address cannot be opened: it could be read in two ways.",
}

// checkMethod refuses methods that no route of ours takes before an upstream
// answers them in words of its own.
func checkMethod(r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return nil
	}
	return ropeline.ErrMethodUnknown
}

// checkPath refuses every path that this edge and an upstream could read
// differently: what is not refused means the same before and after decoding,
// so the path that was matched is the path that is forwarded.
func checkPath(r *http.Request) error {
	path := r.URL.Path
	if !strings.HasPrefix(path, "/") {
		return errPathInvalid // "OPTIONS *", CONNECT
	}
	if raw := r.URL.EscapedPath(); strings.Contains(raw, "%") {
		raw = strings.ToLower(raw)
		for _, encoded := range []string{"%2f", "%5c", "%2e", "%00", "%25", "%3b"} {
			if strings.Contains(raw, encoded) {
				return errPathInvalid
			}
		}
	}
	if strings.ContainsAny(path, "\\\x00;") || strings.Contains(path, "//") {
		return errPathInvalid
	}
	if !strings.Contains(path, "/.") {
		return nil
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return errPathInvalid
		}
	}
	return nil
}
