package edge

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/ropeline/ropeline"
)

// pages holds the built pages in memory, compressed once: they are a few
// hundred KB and everybody asks for them at the same moment.
type pages struct {
	files map[string]file // by path, as index.html or ropeline/waiting-x1.js
}

type file struct {
	kind    string // media type
	etag    string
	plain   []byte
	gzipped []byte // nil where it would not be smaller
}

// loadPages reads all files of a tree; nil and an empty tree are no pages.
func loadPages(tree fs.FS) (*pages, error) {
	p := &pages{files: map[string]file{}}
	if tree == nil {
		return p, nil
	}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		content, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		p.files[name], err = newFile(name, content)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("loading pages: %w", err)
	}
	return p, nil
}

func newFile(name string, content []byte) (file, error) {
	sum := sha256.Sum256(content)
	f := file{
		kind: mediaType(name), plain: content,
		etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`,
	}
	if !compressible[path.Ext(name)] {
		return f, nil
	}
	var zipped bytes.Buffer
	z, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return file{}, err
	}
	_, err = z.Write(content)
	if err := errors.Join(err, z.Close()); err != nil {
		return file{}, err
	}
	if zipped.Len() < len(content) {
		f.gzipped = zipped.Bytes()
	}
	return f, nil
}

var compressible = map[string]bool{".html": true, ".js": true, ".css": true, ".svg": true, ".json": true, ".webmanifest": true, ".txt": true}

// mediaType does not ask the machine's own tables for what pages are made of:
// they differ from one system to the next.
func mediaType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	default:
		if kind := mime.TypeByExtension(ext); kind != "" {
			return kind
		}
		return "application/octet-stream"
	}
}

// policy lets a page load from us alone: no inline script, no foreign frame.
const policy = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"

// fieldsPolicy lets a page load the payment provider's own fields for cards besides: its
// script, its frames, and what the script asks of it. Nothing of it is ever served by us.
const fieldsPolicy = policy + "; script-src 'self' https://js.stripe.com; frame-src https://js.stripe.com https://hooks.stripe.com; connect-src 'self' https://api.stripe.com"

// letterPolicy lets the page that shows letters in a frame have their style
// (booking/wording/letter.html); a frame without an address of its own has its page's policy.
const letterPolicy = policy + "; style-src 'self' 'sha256-FsiVGvRV7cVPUWFug6AzNQjA5uaESeDHRNGRmrmYixk='"

// policyOf is the policy of a page: cards are typed in on the shop's, and where
// an offer of the returns list, or the difference of an exchange, is paid for.
func (s *Server) policyOf(name string) string {
	if name == "preview.html" { // in the desk's own frame; there is nothing in it to be clicked
		return strings.Replace(policy, "frame-ancestors 'none'", "frame-ancestors 'self'", 1)
	}
	if name == "letters.html" {
		return letterPolicy
	}
	if s.cardFields && (name == "shop.html" || name == "returns.html" || name == "order.html") {
		return fieldsPolicy
	}
	return policy
}

var errPagesMissing = &ropeline.Error{
	Kind: ropeline.Unavailable, Code: "pages-not-built", Detail: "The pages are not built: make dev",
}

// page serves one HTML page. Its name does not change with its content, so
// browsers ask each time and are mostly answered 304.
func (s *Server) page(name string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		f, ok := s.pages.files[name]
		if !ok {
			s.log.Warn("pages are not built: make dev", "page", name)
			return errPagesMissing
		}
		pageHeader(w.Header(), s.policyOf(name))
		serveFile(w, r, f)
		return nil
	}
}

func pageHeader(h http.Header, policy string) {
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "same-origin") // the fragment of an order link is never in it
}

// asset serves what the pages load. Built names carry a hash of the content.
func (s *Server) asset(w http.ResponseWriter, r *http.Request) error {
	f, ok := s.pages.files["ropeline/"+r.PathValue("path")]
	if !ok {
		return ropeline.ErrRouteUnknown
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	serveFile(w, r, f)
	return nil
}

func serveFile(w http.ResponseWriter, r *http.Request, f file) {
	h, body, etag := w.Header(), f.plain, f.etag
	if f.gzipped != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			h.Set("Content-Encoding", "gzip")
			body, etag = f.gzipped, strings.TrimSuffix(f.etag, `"`)+`-gzip"`
		}
	}
	h.Set("Content-Type", f.kind)
	h.Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may be gone
	}
}

// acceptsGzip reads Accept-Encoding as far as browsers write it.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == "gzip" && strings.TrimSpace(weight) != "q=0" {
			return true
		}
	}
	return false
}
