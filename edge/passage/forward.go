package passage

import (
	"net/http"
	"slices"

	"github.com/ropeline/ropeline"
)

// ErrForwardUnclear is the answer to a proxy that does not say, or says in two
// ways, what it was asked for.
var ErrForwardUnclear = &ropeline.Error{Kind: ropeline.Invalid, Code: "forward-unclear", Status: http.StatusBadRequest,
	Detail: "The proxy does not say in one way what it was asked for."}

// Asked is what a proxy in front of us was asked for.
type Asked struct{ Method, Host, Target string }

// ReadForwarded reads what a proxy says that it was asked for: X-Original-URI
// and X-Original-Method as nginx is told to, or X-Forwarded-Uri and
// -Method, as Caddy and Traefik do. Whoever calls must trust the proxy.
//
// A proxy overwrites the headers that it knows and passes the others on as its
// client sent them. So two that do not say the same are refused: one of them is
// a forgery.
func ReadForwarded(h http.Header, host string) (Asked, error) {
	var asked Asked
	var inOneWay [3]bool
	asked.Method, inOneWay[0] = either(h["X-Original-Method"], h["X-Forwarded-Method"])
	asked.Target, inOneWay[1] = either(h["X-Original-Uri"], h["X-Forwarded-Uri"])
	asked.Host, inOneWay[2] = either(h["X-Original-Host"], h["X-Forwarded-Host"])
	if inOneWay != [3]bool{true, true, true} {
		return Asked{}, ErrForwardUnclear
	}
	if asked.Host == "" {
		asked.Host = host
	}
	if asked.Method == "" || asked.Target == "" {
		return Asked{}, ErrForwardUnclear
	}
	return asked, nil
}

// either is what the values of one header say, or of the other, or of both; not ok
// if two of them differ.
func either(a, b []string) (said string, ok bool) {
	if len(a) == 0 {
		a, b = b, a
	}
	if len(a) == 0 {
		return "", true
	}
	differs := func(v string) bool { return v != a[0] }
	return a[0], !slices.ContainsFunc(a, differs) && !slices.ContainsFunc(b, differs)
}

// DecideForwarded is Decide for a proxy that forwards the address as it came: it
// must be normal already, or what is matched would not be what is forwarded. And it
// is not one of the room's: those the proxy sends to us, and to no shop.
func (t *Table) DecideForwarded(a Asked) (Passage, error) {
	p, err := t.Decide(a.Method, a.Host, a.Target)
	if err == nil && !p.Path.Exact {
		return Passage{Host: p.Host}, ErrPathInvalid
	}
	if err == nil && p.Route == nil {
		return Passage{Host: p.Host}, ErrRouteClosed
	}
	return p, err
}
