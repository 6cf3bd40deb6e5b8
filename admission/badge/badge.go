// Package badge reads what lets an account steer the line: the word of a booking core that
// somebody signed in with a second factor and is an SRE of the installation. A badge is a JWT
// signed with EdDSA (Ed25519) by a key of its own.
//
// The one hard idea is who has to live for it to be good: nobody. The admission part has the
// public key and asks neither a core nor Postgres, because they may be what is down. So a role
// that is taken away, or a sign-in that is ended, opens the operations for as long as the
// newest badge lasts, and that is Life.
//
// The package can verify and cannot sign. Signing is package admission's.
package badge

import (
	"crypto/ed25519"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
)

// Life is how long a badge is good. A page that is open has the next one before.
const Life = 15 * time.Minute

// Who says it, and to whom. An admission token has another issuer, so that neither is ever
// taken for the other, whatever a sale is called and whichever key signed it.
const (
	Issuer   = "ropeline-core"
	Audience = "ropeline-ops"
)

// SRE is the one role that there are badges for.
const SRE = "sre"

// Claims is what a badge says.
type Claims struct {
	Who      string    // sub: as it is written down what they do
	Role     string    // role
	IssuedAt time.Time // iat
	Expires  time.Time // exp, whole seconds
}

// JWT is the JSON form of Claims, shared by who signs and who verifies.
type JWT struct {
	jwt.RegisteredClaims
	Role string `json:"role"`
}

// Verifier checks badges against public keys.
type Verifier struct {
	keys   token.Keys
	parser *jwt.Parser
}

// NewVerifier returns a Verifier that trusts keys and asks now for the time.
func NewVerifier(keys token.Keys, now func() time.Time) *Verifier {
	return &Verifier{keys: keys, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), // never what the header asks for
		jwt.WithIssuer(Issuer),
		jwt.WithAudience(Audience),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),                   // a core whose clock is ahead makes none that last longer
		jwt.WithStrictDecoding(),             // one badge, one text
		jwt.WithLeeway(ropeline.TokenMargin), // clocks may differ
		jwt.WithTimeFunc(now),
	)}
}

// Verify returns what a badge says if one of our keys signed it, it is for the operations, of
// an SRE, and has not expired; else ropeline.ErrStaffRequired, with the cause.
func (v *Verifier) Verify(raw string) (Claims, error) {
	if strings.ContainsAny(raw, "\r\n") { // a base64 decoder would skip them
		return Claims{}, ropeline.ErrStaffRequired
	}
	var c JWT
	_, err := v.parser.ParseWithClaims(raw, &c, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		key, err := v.keys.Key(kid)
		return ed25519.PublicKey(key), err
	})
	if err != nil {
		return Claims{}, ropeline.ErrStaffRequired.Because(err)
	}
	if len(c.Audience) != 1 || c.Subject == "" || c.Role != SRE || c.IssuedAt == nil || c.ExpiresAt.Sub(c.IssuedAt.Time) > Life {
		return Claims{}, ropeline.ErrStaffRequired
	}
	return Claims{Who: c.Subject, Role: c.Role, IssuedAt: c.IssuedAt.Time, Expires: c.ExpiresAt.Time}, nil
}
