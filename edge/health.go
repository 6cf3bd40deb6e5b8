package edge

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/ropeline/ropeline"
)

// healthz says that the process answers.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n")
	return nil
}

// readyTimeout bounds the look at Redis: balancers ask every second or so.
const readyTimeout = time.Second

// readyz says that the line can be served, which takes Redis and nothing else.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := s.store.Ping(ctx); err != nil {
		return ropeline.ErrStoreAway.Because(err)
	}
	w.Header().Set("Cache-Control", "no-store")
	return s.healthz(w, r)
}

// document serves bytes that do not change while the process runs.
func (s *Server) document(body []byte, kind, cache string) handler {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", cache)
		_, _ = w.Write(body)
		return nil
	}
}

// jwks answers with the keys as they are now: they may be rotated while we run.
func (s *Server) jwks(w http.ResponseWriter, r *http.Request) error {
	if s.config.JWKS == nil {
		return ropeline.ErrRouteUnknown
	}
	return s.document(s.config.JWKS(), "application/jwk-set+json", "public, max-age=60")(w, r)
}
