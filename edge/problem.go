package edge

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/gate"
)

// handler answers a request or returns the error to answer with. It must not
// have written anything when it returns an error.
type handler func(http.ResponseWriter, *http.Request) error

// fail answers with the problem document of an error, or with a page for people
// without scripts. Causes are logged and never sent.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	abandon(r, err)
	s.metrics.refused(err)
	var status int
	if isPlain(r) {
		status = s.plainProblem(w, r, err)
	} else {
		status = ropeline.WriteProblem(w, err)
	}
	level, what := slog.LevelDebug, "request refused"
	switch {
	case status == http.StatusServiceUnavailable:
		level, what = slog.LevelWarn, "request failed" // a store that is away, not a fault of this process
	case status >= http.StatusInternalServerError:
		level, what = slog.LevelError, "request failed"
	}
	if !s.log.Enabled(r.Context(), level) {
		return
	}
	problem, _ := ropeline.ProblemOf(err)
	told := append([]slog.Attr{
		slog.String("request", w.Header().Get(requestID)), slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", status), slog.String("problem", problem.Type),
	}, s.traces(r)...)
	if level > slog.LevelDebug {
		told = append(told, slog.Any("err", err))
	}
	s.log.LogAttrs(r.Context(), level, what, told...)
}

// abandon ends the connection of a client that went away. A handler that returned
// without a word would have the server say 200, and if the client is there after
// all, it would take that for an answer.
func abandon(r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		panic(http.ErrAbortHandler)
	}
}

// traces are by what somebody's trouble is found in the log: the names of sale,
// place and session, which are nobody's secrets, as far as the request shows that
// they are its own.
func (s *Server) traces(r *http.Request) []slog.Attr {
	sale := ropeline.SaleID(r.PathValue("sale"))
	if shop := s.shop(r); shop != nil && sale == "" {
		sale = shop.Sale
	}
	if sale == "" {
		return nil
	}
	var place ropeline.PlaceID
	if raw := rawTicket(r, sale); raw != "" {
		if ticket, err := s.store.ReadTicket(sale, raw); err == nil {
			place = ticket.Place
		}
	}
	session := ""
	for raw := range credentials(r.Header, sale) {
		if s.config.Gate == nil {
			break
		}
		if claims, err := s.config.Gate.Decide(gate.Rule{Sale: sale}, raw); err == nil {
			place, session = claims.Place, claims.Session
		}
	}
	return []slog.Attr{slog.String("sale", string(sale)), slog.String("place", string(place)), slog.String("session", session)}
}
