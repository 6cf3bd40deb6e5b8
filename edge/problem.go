package edge

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/ropeline/ropeline"
)

// handler answers a request or returns the error to answer with. It must not
// have written anything when it returns an error.
type handler func(http.ResponseWriter, *http.Request) error

// fail answers with the problem document of an error. Causes are logged and
// never sent.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // the client went away; there is nobody to answer
	}
	problem, retry := ropeline.ProblemOf(err)
	if problem.Status >= http.StatusInternalServerError {
		s.log.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String("request", requestID(r.Context())),
			slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", problem.Status), slog.Any("error", err))
	}
	if retry > 0 {
		w.Header().Set("Retry-After", seconds(retry))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(problem.Status)
	_ = json.NewEncoder(w).Encode(problem) // the client may be gone
}

// seconds renders a duration for Retry-After: whole seconds, rounded up.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64(math.Ceil(d.Seconds())), 10)
}

// answer writes a JSON document.
func answer(w http.ResponseWriter, status int, doc any) error {
	body, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client may be gone
	return nil
}

// decode reads a JSON body of at most ropeline.MaxBody bytes into into. No
// body at all leaves it as it is.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	if r.ContentLength > ropeline.MaxBody {
		return ropeline.ErrBodyTooLarge
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, ropeline.MaxBody))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		_, err = d.Token() // a second document, or anything else behind the first
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = errors.New("data behind the document")
		}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return ropeline.ErrBodyTooLarge
	}
	return ropeline.ErrBodyMalformed.Because(err)
}
