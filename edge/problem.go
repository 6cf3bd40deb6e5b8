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
	if status < http.StatusInternalServerError {
		s.logRefusal(r, w.Header().Get(requestID), status, err)
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

// logRefusal tells of a request that was refused for what it is, for who looks
// for somebody's trouble: by the names of request, sale and place, which are
// nobody's secrets.
func (s *Server) logRefusal(r *http.Request, request string, status int, err error) {
	if !s.log.Enabled(r.Context(), slog.LevelDebug) {
		return
	}
	sale := ropeline.SaleID(r.PathValue("sale"))
	var place ropeline.PlaceID
	if raw := rawTicket(r, sale); raw != "" && sale != "" {
		if ticket, err := s.store.ReadTicket(sale, raw); err == nil {
			place = ticket.Place
		}
	}
	problem, _ := ropeline.ProblemOf(err)
	s.log.LogAttrs(r.Context(), slog.LevelDebug, "request refused", slog.String("request", request),
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", status), slog.String("problem", problem.Type),
		slog.String("sale", string(sale)), slog.String("place", string(place)))
}
