package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/gate/fibergate"
)

// ErrRequestInvalid refuses a body that is JSON but not what the route takes.
var ErrRequestInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "request-invalid", Detail: "The request is not what this route takes."}

const problemType = "application/problem+json"

// problem is a ropeline.Problem as huma wants an error to be.
type problem struct {
	ropeline.Problem
	retry time.Duration
}

func newProblem(err error) *problem {
	p, retry := ropeline.ProblemOf(err)
	return &problem{Problem: p, retry: retry}
}

func (p *problem) Error() string             { return p.Type + ": " + p.Detail }
func (p *problem) GetStatus() int            { return p.Status }
func (p *problem) ContentType(string) string { return problemType }

func (p *problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retry > 0 {
		h.Set(fiber.HeaderRetryAfter, ropeline.RetryAfter(p.retry))
	}
	return h
}

// ownErrors makes huma answer with our problem documents. Its hooks are
// variables of the package, so they are set once for the process.
var ownErrors = sync.OnceFunc(func() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return newProblem(ofHuma(status, message, errs))
	}
	huma.NewErrorWithContext = func(_ huma.Context, status int, message string, errs ...error) huma.StatusError {
		return newProblem(ofHuma(status, message, errs))
	}
})

// ofHuma translates huma's own complaints about a request.
func ofHuma(status int, message string, errs []error) error {
	for _, err := range errs {
		if d, ok := err.(huma.ErrorDetailer); ok {
			if place, found := strings.CutPrefix(d.ErrorDetail().Message, misfit); found {
				e := *ErrRequestInvalid
				e.Detail = place + ": this number is too large, or is not written in digits alone."
				return &e
			}
		}
	}
	switch status {
	case http.StatusBadRequest, http.StatusUnsupportedMediaType:
		return ropeline.ErrBodyMalformed
	case http.StatusRequestEntityTooLarge:
		return ropeline.ErrBodyTooLarge
	case http.StatusUnprocessableEntity:
		e := *ErrRequestInvalid
		for _, err := range errs { // the first one is enough to go on
			if d, ok := err.(huma.ErrorDetailer); ok {
				message := d.ErrorDetail().Message
				if strings.HasPrefix(message, "json: ") { // names of our types are nobody's business
					message = "not of the type that the document of this interface asks for"
				}
				e.Detail = d.ErrorDetail().Location + ": " + message + "."
				break
			}
		}
		return &e
	}
	return errors.New(message)
}

// failure is what a handler answers with: the error's problem document, and
// a line in the log if it is our own fault.
func (s *server) failure(ctx context.Context, id string, err error) error {
	p := newProblem(err)
	s.metrics.refused(p)
	s.tell(ctx, p, err, "route", id)
	return p
}

// tell writes a line of the log: at error if it is our own fault, else at debug. It
// has the names by which somebody's trouble is found, which are nobody's secrets.
func (s *server) tell(ctx context.Context, p *problem, err error, more ...any) {
	level, what := slog.LevelDebug, "request refused"
	if p.Status >= http.StatusInternalServerError {
		level, what = slog.LevelError, "request failed"
		more = append(more, "err", err)
	}
	if !s.log.Enabled(ctx, level) {
		return
	}
	if id, ok := ctx.Value(requestName{}).(string); ok {
		more = append(more, "request", id)
	}
	if claims, ok := fibergate.Claims(ctx); ok {
		more = append(more, "sale", claims.Sale, "place", claims.Place, "session", claims.Session)
	}
	s.log.Log(ctx, level, what, append(more, "status", p.Status, "problem", p.Type)...)
}

// refuse answers errors that arise outside of huma: in guards, in Fiber
// itself (a body past the limit) and in a handler that panicked.
func (s *server) refuse(c *fiber.Ctx, err error) error {
	if f, ok := errors.AsType[*fiber.Error](err); ok {
		switch f.Code {
		case http.StatusRequestEntityTooLarge:
			err = ropeline.ErrBodyTooLarge
		case http.StatusNotFound:
			err = ropeline.ErrRouteUnknown
		case http.StatusMethodNotAllowed:
			err = ropeline.ErrMethodUnknown
		default:
			if f.Code < http.StatusInternalServerError {
				err = &ropeline.Error{Kind: ropeline.Invalid, Code: "request-malformed", Detail: "This is not a request we understand.", Status: f.Code}
			}
		}
	}
	p := newProblem(err)
	s.metrics.refused(p)
	s.tell(c.Context(), p, err, "method", c.Method(), "path", strings.Clone(c.Path()))
	for name, values := range p.GetHeaders() {
		c.Set(name, values[0])
	}
	return c.Status(p.Status).JSON(p.Problem, problemType)
}
