package ropeline

import (
	"errors"
	"net/http"
	"time"
)

// Kind says in one word what sort of trouble an Error is. It decides the HTTP
// status and nothing else; the Code decides what the fan reads.
type Kind string

// The kinds of error that cross a border between parts.
const (
	Invalid         Kind = "invalid"         // the request can never succeed as it is
	Unauthenticated Kind = "unauthenticated" // no credential, or one that does not hold
	Declined        Kind = "declined"        // the payment was refused
	Forbidden       Kind = "forbidden"       // a good credential, but not for this
	NotFound        Kind = "not-found"
	Conflict        Kind = "conflict" // the state changed; look again
	Gone            Kind = "gone"     // it existed and is over
	TooLarge        Kind = "too-large"
	Limited         Kind = "limited"     // too often; see RetryAfter
	Unavailable     Kind = "unavailable" // a store is away; see RetryAfter
	Internal        Kind = "internal"    // our fault; the cause is logged, never sent
)

var statuses = map[Kind]int{
	Invalid:         http.StatusUnprocessableEntity,
	Unauthenticated: http.StatusUnauthorized,
	Declined:        http.StatusPaymentRequired,
	Forbidden:       http.StatusForbidden,
	NotFound:        http.StatusNotFound,
	Conflict:        http.StatusConflict,
	Gone:            http.StatusGone,
	TooLarge:        http.StatusRequestEntityTooLarge,
	Limited:         http.StatusTooManyRequests,
	Unavailable:     http.StatusServiceUnavailable,
	Internal:        http.StatusInternalServerError,
}

// Error is the one error type that crosses borders between parts. Code and
// Detail may be shown to anybody; Err never leaves the process.
type Error struct {
	Kind       Kind
	Code       string        // stable, lower-case with hyphens: "hold-expired"
	Detail     string        // one plain sentence for people
	Status     int           // overrides the kind's HTTP status when not 0 (400 for malformed JSON)
	RetryAfter time.Duration // 0: no advice
	Reference  string        // by which staff find what this is about; often empty
	Faults     []Fault       // of a document that was sent, each with where it is; mostly none
	Err        error         // the internal cause, for the log
}

// Fault is something wrong with a document that was sent.
type Fault struct {
	Detail  string `json:"detail"`
	Pointer string `json:"pointer,omitempty" doc:"where in the document, as a JSON Pointer (RFC 6901)"`
	Line    int    `json:"line,omitempty" doc:"of the text that was sent, from 1"`
}

// Error joins the code, the detail and the internal cause. It is for logs;
// people are shown a Problem.
func (e *Error) Error() string {
	text := e.Code
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the internal cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is match on the code, so that a package can export
// ErrX = &Error{Code: …} and return copies of it with more detail.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Because returns a copy of e that carries the internal cause.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.Err = cause
	return &c
}

// Problem is an RFC 9457 problem document, the only form in which an error
// leaves over HTTP (media type application/problem+json).
type Problem struct {
	Type   string `json:"type" pattern:"^urn:ropeline:problem:[a-z0-9-]+$" doc:"stable: programs go by it"` // "urn:ropeline:problem:" and the code
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty" doc:"for people; it may change"`

	Reference string `json:"reference,omitempty" doc:"for whoever asks the organizer about it"`

	Errors []Fault `json:"errors,omitempty" doc:"what is wrong with a document that was sent, one by one"`
}

// ProblemType prefixes a code to make the stable type of a problem document.
const ProblemType = "urn:ropeline:problem:"

// ProblemOf describes any error without giving internals away: an error that
// is no *Error is an internal one. It also returns how long to wait before
// trying again, 0 for no advice.
func ProblemOf(err error) (Problem, time.Duration) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Kind: Internal, Code: "internal", Detail: "Something went wrong on our side. Please try again."}
	}
	status := e.Status
	if status == 0 {
		status = statuses[e.Kind]
	}
	if status == 0 {
		status = http.StatusInternalServerError
	}
	return Problem{Type: ProblemType + e.Code, Title: http.StatusText(status), Status: status, Detail: e.Detail, Reference: e.Reference, Errors: e.Faults}, e.RetryAfter
}

// Errors that more than one part answers with. Each part exports its own
// others beside the code that returns them.
var (
	ErrSaleUnknown    = &Error{Kind: NotFound, Code: "sale-unknown", Detail: "There is no such sale."}
	ErrBodyTooLarge   = &Error{Kind: TooLarge, Code: "body-too-large", Detail: "The request body is larger than this address takes."}
	ErrBodyMalformed  = &Error{Kind: Invalid, Code: "body-malformed", Detail: "The request body is not valid JSON for this route.", Status: http.StatusBadRequest}
	ErrBodyEncoded    = &Error{Kind: Invalid, Code: "body-encoded", Detail: "Send the request body as it is, without Content-Encoding.", Status: http.StatusUnsupportedMediaType}
	ErrRateLimited    = &Error{Kind: Limited, Code: "rate-limited", Detail: "Too many requests. Please wait a moment."}
	ErrStoreAway      = &Error{Kind: Unavailable, Code: "store-away", Detail: "We cannot reach our store at the moment. Nothing is lost; please try again.", RetryAfter: 2 * time.Second}
	ErrRouteUnknown   = &Error{Kind: NotFound, Code: "route-unknown", Detail: "There is nothing at this address."}
	ErrMethodUnknown  = &Error{Kind: Invalid, Code: "method-unknown", Detail: "This address does not take that method.", Status: http.StatusMethodNotAllowed}
	ErrStaffRequired  = &Error{Kind: Unauthenticated, Code: "staff-required", Detail: "Sign in as staff to do this."}
	ErrOriginMismatch = &Error{Kind: Forbidden, Code: "origin-mismatch", Detail: "State-changing requests must come from our own pages or carry an Authorization header."}
)
