// Package gate decides whether a request may pass: it carries a good
// admission token and its session has not been ended early.
//
// The one hard idea: a slot may be given to the next fan before the old token
// expires only if every gate refuses the old token from then on. So a Gate
// asks Sessions on every request, and an error of Sessions (it lost touch with
// Redis and is no longer sure) closes the gate too.
//
// Package fibergate is the middleware for Fiber.
package gate

import "github.com/ropeline/ropeline/admission/token"

// Verifier checks a token's signature and times. token.Verifier is one.
type Verifier interface {
	Verify(raw string) (token.Claims, error)
}

// Sessions knows which sessions ended before their tokens expired.
type Sessions interface {
	// Ended reports whether the session is over, or an error when that cannot
	// be told.
	Ended(session string) (bool, error)
}

// Gate admits holders of admission tokens. It is safe for concurrent use.
type Gate struct {
	verifier Verifier
	sessions Sessions
}

// New returns a Gate.
func New(v Verifier, s Sessions) *Gate { return &Gate{verifier: v, sessions: s} }

// Check returns the claims of a token that opens the gate, else the error to
// answer with.
func (g *Gate) Check(raw string) (token.Claims, error) {
	c, err := g.verifier.Verify(raw)
	if err != nil {
		return token.Claims{}, err
	}
	ended, err := g.sessions.Ended(c.Session)
	switch {
	case err != nil:
		return token.Claims{}, err
	case ended:
		return token.Claims{}, token.ErrRevoked
	}
	return c, nil
}
