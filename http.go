package ropeline

import (
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

// MaxBody is the largest body our own JSON routes read, in bytes.
const MaxBody = 64 << 10

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
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client may be gone
	return nil
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
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, MaxBody))
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
