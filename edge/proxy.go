package edge

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ropeline/ropeline"
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

// newProxy forwards requests to an upstream, path and method unchanged.
// cookiePrefix names the cookies that are the upstream's business; others, the
// place ticket among them, stay here.
func (s *Server) newProxy(to *url.URL, cookiePrefix string) http.Handler {
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
			cleanHeader(p.Out.Header, cookiePrefix)
			call := callOf(p.In.Context())
			if call.client.IsValid() {
				p.Out.Header.Set("X-Forwarded-For", call.client.String())
			}
			p.Out.Header.Set("X-Request-Id", call.id)
		},
		ModifyResponse: func(r *http.Response) error {
			r.Header.Del("Ropeline-Session")
			r.Header.Del("X-Request-Id") // ours is set already
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			switch _, tooLarge := errors.AsType[*http.MaxBytesError](err); {
			case tooLarge:
				s.fail(w, r, ropeline.ErrBodyTooLarge)
			case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
				// the client went away
			default:
				s.fail(w, r, errCoreAway.Because(err))
			}
		},
	}
}

// cleanHeader removes from a request what only we may say to an upstream, and
// the cookies that are not its business.
func cleanHeader(h http.Header, cookiePrefix string) {
	for name := range h {
		if strings.HasPrefix(name, "X-Ropeline-") || strings.HasPrefix(name, "X-Forwarded-") {
			delete(h, name)
		}
	}
	for _, name := range []string{"Ropeline-Session", "Forwarded", "X-Real-Ip", "X-Request-Id"} {
		h.Del(name)
	}
	var kept []string
	for _, line := range h.Values("Cookie") {
		for pair := range strings.SplitSeq(line, ";") {
			if pair = strings.TrimSpace(pair); strings.HasPrefix(pair, cookiePrefix) {
				kept = append(kept, pair)
			}
		}
	}
	h.Del("Cookie")
	if len(kept) > 0 {
		h.Set("Cookie", strings.Join(kept, "; "))
	}
}

// forward makes a handler of a proxy. Bodies are bounded here too: every
// upstream's routes are JSON routes of ours.
func forward(proxy http.Handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.ContentLength > ropeline.MaxBody {
			return ropeline.ErrBodyTooLarge
		}
		r.Body = http.MaxBytesReader(w, r.Body, ropeline.MaxBody)
		// No upstream of ours switches protocols, and a switched connection
		// would carry requests past every check made here.
		r.Header.Del("Upgrade")
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
