package edge

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/ropeline/ropeline"
)

// handler answers a request or returns the error to answer with. It must not
// have written anything when it returns an error.
type handler func(http.ResponseWriter, *http.Request) error

// fail answers with the problem document of an error, or with a page for people
// without scripts. Causes are logged and
// never sent.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // the client went away; there is nobody to answer
	}
	s.metrics.refused(err)
	var status int
	if isPlain(r) {
		status = s.plainProblem(w, r, err)
	} else {
		status = ropeline.WriteProblem(w, err)
	}
	if status >= http.StatusInternalServerError {
		level := slog.LevelError
		if status == http.StatusServiceUnavailable {
			level = slog.LevelWarn // a store that is away, not a fault of this process
		}
		s.log.LogAttrs(r.Context(), level, "request failed", slog.String("request", w.Header().Get(requestID)),
			slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", status), slog.Any("err", err))
	}
}
