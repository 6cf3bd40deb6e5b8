package ropeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// StaffCookie carries the key of a member of staff who signed in on a page of ours. It is
// HttpOnly and SameSite=Strict, and goes to the operations and to the counter only.
const StaffCookie = "ropeline_staff"

// BadgeCookie carries the badge of an account that may steer the line (package
// admission/badge); a booking core sets it, and it goes to the operations alone.
const BadgeCookie = "ropeline_badge"

// OpsPath is where the operations are.
const OpsPath = "/api/v1/ops"

// AccountCookie says who is signed in. It is HttpOnly and SameSite=Lax, and its prefix
// makes browsers take it from this very host only, over TLS, for all of its paths.
const AccountCookie = "__Host-ropeline_account"

// FlowCookie keeps, sealed and for minutes, what a sign-in elsewhere has to remember.
const FlowCookie = "__Host-ropeline_flow"

// MaxBody is the largest body our own JSON routes read, in bytes.
const MaxBody = 64 << 10

// MaxDocument is the largest file that an organizer may send us, in bytes: the seat
// map of 200,000 seats has about 12 MB.
const MaxDocument = 32 << 20

// WriteProblem answers with the problem document of an error. It returns the
// HTTP status, so that the caller can log what is our own fault.
func WriteProblem(w http.ResponseWriter, err error) int {
	problem, retry := ProblemOf(err)
	if retry > 0 {
		w.Header().Set("Retry-After", RetryAfter(retry))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(problem.Status)
	_ = json.NewEncoder(w).Encode(problem) // the client may be gone
	return problem.Status
}

// RetryAfter renders a wait for the header of that name: whole seconds,
// rounded up.
func RetryAfter(d time.Duration) string {
	return strconv.FormatInt(int64(math.Ceil(d.Seconds())), 10)
}

// WriteJSON answers with a JSON document that nobody caches, unless the
// handler has set Cache-Control.
func WriteJSON(w http.ResponseWriter, status int, doc any) error {
	body, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	SendJSON(w, status, append(body, '\n'))
	return nil
}

// What many answers have in common is made once; nobody may change it.
var (
	typeJSON = []string{"application/json"}
	noStore  = []string{"no-store"}
)

// SendJSON is WriteJSON for a document that is written already. The body is not
// kept.
func SendJSON(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = typeJSON
	if h["Cache-Control"] == nil {
		h["Cache-Control"] = noStore
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}

// Bearer returns what an Authorization header of the bearer scheme carries, ""
// for any other header.
func Bearer(authorization string) string {
	const scheme = "Bearer "
	if len(authorization) > len(scheme) && strings.EqualFold(authorization[:len(scheme)], scheme) {
		return authorization[len(scheme):]
	}
	return ""
}

// CheckOrigin refuses a state change that another site may have made a browser
// send with its cookies: it fails with ErrOriginMismatch. A browser says where
// a request comes from in Sec-Fetch-Site or Origin; a request with our cookies
// that says neither is refused too. A bearer token is nobody's forgery.
func CheckOrigin(method, host string, header func(name string) string) error {
	if method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions ||
		Bearer(header("Authorization")) != "" {
		return nil
	}
	if site := header("Sec-Fetch-Site"); site != "" {
		if site == "same-origin" || site == "none" { // none: the person themselves, no page
			return nil
		}
		return ErrOriginMismatch
	}
	if origin := header("Origin"); origin != "" {
		if u, err := url.Parse(origin); err == nil && u.Host != "" && strings.EqualFold(u.Host, host) {
			return nil
		}
		return ErrOriginMismatch
	}
	if strings.Contains(header("Cookie"), "ropeline_") {
		return ErrOriginMismatch
	}
	return nil
}

// ReadJSON reads one JSON document of at most MaxBody bytes and no unknown
// fields. No body at all leaves into as it is. It fails with ErrBodyTooLarge
// or ErrBodyMalformed.
func ReadJSON(w http.ResponseWriter, r *http.Request, into any) error {
	if r.ContentLength > MaxBody {
		return ErrBodyTooLarge
	}
	var body io.Reader = r.Body
	switch r.ContentLength {
	case 0:
		return nil
	case 2: // {}, which says nothing, is what most people send; a decoder costs 1 KB
		said := make([]byte, 2)
		if n, err := io.ReadFull(r.Body, said); err != nil || string(said) != "{}" {
			body = io.MultiReader(bytes.NewReader(said[:n]), r.Body)
			break
		}
		return nil
	case -1: // else net/http reads no more than that
		body = http.MaxBytesReader(w, r.Body, MaxBody)
	}
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		// A second document, or anything else behind the first, is an error.
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return nil
		}
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return ErrBodyTooLarge
	}
	return ErrBodyMalformed.Because(err)
}
