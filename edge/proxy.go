package edge

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
)

var errCoreAway = &ropeline.Error{
	Kind: ropeline.Unavailable, Code: "core-away", Status: http.StatusBadGateway, RetryAfter: 2 * time.Second,
	Detail: "The part of our system that does this cannot be reached at the moment. Please try again.",
}

// Connections to an upstream. Go keeps 2 idle by default, so that under load
// nearly every request would open one.
const (
	upstreamIdle        = 256
	upstreamIdleTimeout = 90 * time.Second
	upstreamPatience    = 30 * time.Second // until the answer's header
)

// newProxy forwards requests to an upstream, path and method unchanged. cookie
// names the cookies that are the upstream's business; others, the place
// ticket and other sales' tokens among them, stay here.
func (s *Server) newProxy(to *url.URL, cookie func(http.Header) []string) http.Handler {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil // an upstream is ours; HTTP_PROXY is not for it
	transport.DisableCompression = true
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = upstreamIdle, upstreamIdle
	transport.IdleConnTimeout = upstreamIdleTimeout
	transport.ResponseHeaderTimeout = upstreamPatience
	s.transports = append(s.transports, transport)
	return &httputil.ReverseProxy{
		Transport:  transport,
		BufferPool: &buffers{},
		ErrorLog:   slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(to)
			p.Out.Host = p.In.Host // upstreams compare it with Origin
			cleanHeader(p.Out.Header, cookie(p.In.Header)...)
			if client := s.client(p.In); client.IsValid() {
				p.Out.Header.Set("X-Forwarded-For", client.String())
			}
			p.Out.Header.Set(requestID, p.In.Header.Get(requestID))
		},
		ModifyResponse: func(r *http.Response) error {
			s.obey(r)
			if r.StatusCode >= http.StatusInternalServerError {
				s.coreFailed(r.Request)
			}
			r.Header.Del(requestID) // ours is set already
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			abandon(r, err) // the client's fault, not the core's
			s.coreFailed(r)
			s.fail(w, r, errCoreAway.Because(err))
		},
	}
}

// admissionCookie is the cookie of the sale that the request names.
func admissionCookie(h http.Header) string {
	return token.Cookie(ropeline.SaleID(h.Get(token.SaleHeader)))
}

// bookingCookies are that, who is signed in, and who is about to elsewhere.
func bookingCookies(h http.Header) []string {
	return []string{admissionCookie(h), ropeline.AccountCookie, ropeline.FlowCookie}
}

// staffCookies are of who steers the line: a key, or the badge of an account. The sign-in of
// the account itself is none of the admission part's business.
func staffCookies(http.Header) []string {
	return []string{ropeline.StaffCookie, ropeline.BadgeCookie}
}

// deskCookies are that, and who is signed in: an account may work for an organization.
func deskCookies(http.Header) []string {
	return []string{ropeline.StaffCookie, ropeline.AccountCookie}
}

// cleanHeader removes from a request what only we may say to an upstream, and
// all but some cookies.
func cleanHeader(h http.Header, kept ...string) {
	for name := range h {
		if strings.HasPrefix(name, "X-Ropeline-") || strings.HasPrefix(name, "X-Forwarded-") {
			delete(h, name)
		}
	}
	for _, name := range []string{"Ropeline-Session", "Forwarded", "X-Real-Ip", requestID} {
		h.Del(name)
	}
	var pairs []string
	for _, name := range kept {
		if cookies := (&http.Request{Header: h}).CookiesNamed(name); len(cookies) > 0 {
			pairs = append(pairs, name+"="+cookies[0].Value)
		}
	}
	h.Del("Cookie")
	if len(pairs) > 0 {
		h.Set("Cookie", strings.Join(pairs, "; "))
	}
}

// forward makes a handler of a proxy. Every upstream's routes are JSON routes
// of ours, so a body is small: it is read here, whole, before the upstream hears
// of the request. A body that is cut, malformed or slow is the client's error
// then and never looks like the upstream's, and none is sent in chunks.
func forward(proxy http.Handler) handler { return forwardUpTo(ropeline.MaxBody, proxy) }

// mostFiles is how many files of organizers are read at once: they are kept in memory.
const mostFiles = 4

var errFilesBusy = &ropeline.Error{Kind: ropeline.Unavailable, Code: "files-busy", RetryAfter: 5 * time.Second,
	Detail: "Several files are being sent to us already. Please try again in a moment. Nothing was changed."}

// forwardFiles is forward for routes that take a file of an organizer's.
func forwardFiles(proxy http.Handler) handler {
	small, large, free := forward(proxy), forwardUpTo(ropeline.MaxDocument, proxy), make(chan struct{}, mostFiles)
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.ContentLength >= 0 && r.ContentLength <= ropeline.MaxBody {
			return small(w, r)
		}
		select {
		case free <- struct{}{}:
			defer func() { <-free }()
			return large(w, r)
		default:
			return errFilesBusy
		}
	}
}

func forwardUpTo(most int64, proxy http.Handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
			return ropeline.ErrBodyEncoded
		}
		if r.ContentLength > most {
			return ropeline.ErrBodyTooLarge
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return ropeline.ErrBodyTooLarge
		}
		if err != nil {
			return ropeline.ErrBodyMalformed.Because(err)
		}
		r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
		if len(body) == 0 {
			r.Body = http.NoBody
		}
		// No upstream of ours switches protocols, and a switched connection
		// would carry requests past every check made here.
		r.Header.Del("Upgrade")
		r.Header.Set(requestID, w.Header().Get(requestID))
		proxy.ServeHTTP(w, r)
		return nil
	}
}

// buffers lends the proxy its copy buffers.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if buf, ok := b.pool.Get().(*[]byte); ok {
		return *buf
	}
	return make([]byte, bufferSize)
}

func (b *buffers) Put(buf []byte) { b.pool.Put(&buf) }
