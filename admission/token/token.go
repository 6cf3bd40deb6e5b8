// Package token reads admission tokens: the signed proof that a fan was let
// in. A token is a JWT signed with EdDSA (Ed25519); any service can check one
// offline with the public keys at /.well-known/jwks.json.
//
// The one hard idea is time. The cap counts a session until nobody would
// accept its last token any more, so a verifier's leeway and the clocks' skew
// are part of the contract: see ropeline.TokenMargin.
//
// The package can verify and cannot sign: whoever imports it holds no secret.
// Signing is package admission's. It does not know about sessions that ended
// early either; package gate adds that.
package token

import (
	"crypto/ed25519"
	"errors"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ropeline/ropeline"
)

// Issuer is the iss claim of every admission token.
const Issuer = "ropeline"

// SaleHeader names the sale whose admission cookie a request uses. A client
// that sends its token as "Authorization: Bearer" does not need it.
const SaleHeader = "Ropeline-Sale"

// Cookie names the cookie that carries a sale's admission token.
func Cookie(sale ropeline.SaleID) string { return cookiePrefix + string(sale) }

const cookiePrefix = "ropeline_admission_"

// Claims is what an admission token says. Those of a token that was verified are
// shared by all who verify it: nobody may change them.
type Claims struct {
	Sale        ropeline.SaleID  // aud
	Place       ropeline.PlaceID // sub
	Session     string           // sid
	IssuedAt    time.Time        // iat
	Expires     time.Time        // exp, whole seconds
	SessionEnds time.Time        // end: however often renewed, whole seconds
}

// The ways in which a token does not open a gate.
var (
	ErrMissing = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "token-missing", Detail: "This needs an admission token: join the line first."}
	ErrInvalid = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "token-invalid", Detail: "This admission token is not one of ours."}
	ErrExpired = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "token-expired", Detail: "This admission token has expired."}
	ErrRevoked = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "token-revoked", Detail: "This session is over."}
)

// JWT is the JSON form of Claims, shared by signer and verifier.
type JWT struct {
	jwt.RegisteredClaims
	Session     string           `json:"sid"`
	SessionEnds *jwt.NumericDate `json:"end"`
}

// Verifier checks admission tokens against public keys.
type Verifier struct {
	keys   Keys
	now    func() time.Time
	parser *jwt.Parser
}

// NewVerifier returns a Verifier that trusts keys and asks now for the time.
func NewVerifier(keys Keys, now func() time.Time) *Verifier {
	return &Verifier{keys: keys, now: now, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), // never what the header asks for
		jwt.WithIssuer(Issuer),
		jwt.WithExpirationRequired(),
		jwt.WithStrictDecoding(), // no spare bits: one token, one text
		jwt.WithLeeway(ropeline.TokenLeeway),
		jwt.WithTimeFunc(now),
	)}
}

// verified is a token that was checked, and the key that signed it.
type verified struct {
	kid    string
	key    ed25519.PublicKey
	claims Claims
}

// Verify returns what a token says if one of our keys signed it and it has
// not expired; else ErrMissing, ErrInvalid, ErrExpired or ErrKeysAway.
func (v *Verifier) Verify(raw string) (*Claims, error) {
	found, err := v.check(raw)
	if err != nil {
		return nil, err
	}
	return &found.claims, nil
}

func (v *Verifier) check(raw string) (verified, error) {
	if raw == "" {
		return verified{}, ErrMissing
	}
	if strings.ContainsAny(raw, "\r\n") {
		return verified{}, ErrInvalid // a base64 decoder would skip them: one token, one text
	}
	var c JWT
	var by verified
	_, err := v.parser.ParseWithClaims(raw, &c, func(t *jwt.Token) (_ any, err error) {
		by.kid, _ = t.Header["kid"].(string)
		by.key, err = v.keys.Key(by.kid)
		return by.key, err
	})
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return verified{}, ErrExpired
	case errors.Is(err, ErrKeysAway):
		return verified{}, ErrKeysAway
	case err != nil:
		return verified{}, ErrInvalid.Because(err)
	}
	if len(c.Audience) != 1 || !ropeline.SaleID(c.Audience[0]).Valid() || c.Subject == "" || c.Session == "" ||
		c.IssuedAt == nil || c.SessionEnds == nil {
		return verified{}, ErrInvalid
	}
	by.claims = Claims{
		Sale: ropeline.SaleID(c.Audience[0]), Place: ropeline.PlaceID(c.Subject), Session: c.Session,
		IssuedAt: c.IssuedAt.Time, Expires: c.ExpiresAt.Time, SessionEnds: c.SessionEnds.Time,
	}
	return by, nil
}

// Raw finds the token in a request, given how to read a header: an Authorization
// header first, else the cookie of the sale that SaleHeader names. It returns ""
// where there is none.
func Raw(header func(name string) string) string {
	return RawOf(ropeline.SaleID(header(SaleHeader)), header)
}

// RawOf is Raw where it is known which sale the request is about.
func RawOf(sale ropeline.SaleID, header func(name string) string) string {
	if bearer := ropeline.Bearer(header("Authorization")); bearer != "" {
		return bearer
	}
	for raw := range Cookies(header("Cookie"), sale) {
		return raw
	}
	return ""
}

// Header reads a header of net/http as Raw wants it: several lines of cookies, as
// some proxies make of one, are one.
func Header(h http.Header) func(name string) string {
	return func(name string) string {
		if name == "Cookie" {
			return strings.Join(h[name], ";")
		}
		return h.Get(name)
	}
}

// Cookies finds the admission cookies of a sale in a Cookie header: a browser may
// send several of one name. Every request at a gate comes by here: it allocates
// nothing and does not look at other cookies' values.
func Cookies(header string, sale ropeline.SaleID) iter.Seq[string] {
	return func(yield func(string) bool) {
		for pair, rest, more := "", header, sale.Valid(); more; {
			pair, rest, more = strings.Cut(rest, ";")
			own, ours := strings.CutPrefix(strings.TrimLeft(pair, " "), cookiePrefix)
			if !ours {
				continue
			}
			value, ours := strings.CutPrefix(own, string(sale))
			if ours && strings.HasPrefix(value, "=") && !yield(strings.TrimRight(value[1:], " ")) {
				return
			}
		}
	}
}
