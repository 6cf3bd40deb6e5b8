package visitor

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/edge/wire"
)

// Accounts takes for a visitor whoever a foreign login has signed a token for: the
// seller's own, which knows its customers. The token is a JWT with iss, aud (the
// sale), sub (the account) and exp; lane names a lane.
type Accounts struct {
	parsers map[string]issuer // by iss
	now     func() time.Time
}

// Login is one foreign login that is believed, as accounts.json lists them. One of
// Keys and Secret is given: files beside it.
type Login struct {
	Issuer string `json:"issuer"`           // the token's iss
	Keys   string `json:"keys,omitempty"`   // a JWK set of Ed25519 keys: tokens are EdDSA
	Secret string `json:"secret,omitempty"` // 64 hexadecimal digits: tokens are HS256
}

type issuer struct {
	alg string
	key jwt.Keyfunc
}

// accountLeeway is how far the clock of a foreign login may be from ours.
const accountLeeway = 30 * time.Second

// maxAccountToken bounds what is looked at.
const maxAccountToken = 4096

var account = regexp.MustCompile(`^[\x21-\x7e]{1,255}$`)

// LoadAccounts reads which logins are believed. A file that is not there is none:
// every token is refused then.
func LoadAccounts(path string, now func() time.Time) (*Accounts, error) {
	a := &Accounts{parsers: map[string]issuer{}, now: now}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return a, nil
	}
	if err != nil {
		return nil, fmt.Errorf("loading logins: %w", err)
	}
	var logins []Login
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&logins); err != nil {
		return nil, fmt.Errorf("loading logins %s: %w", path, err)
	}
	for _, l := range logins {
		if l.Issuer == "" || (l.Keys == "") == (l.Secret == "") {
			return nil, fmt.Errorf("loading logins %s: want of each an issuer, and either keys or a secret", path)
		}
		if _, twice := a.parsers[l.Issuer]; twice {
			return nil, fmt.Errorf("loading logins %s: %s is there twice", path, l.Issuer)
		}
		if a.parsers[l.Issuer], err = l.open(filepath.Dir(path)); err != nil {
			return nil, fmt.Errorf("loading logins %s: %s: %w", path, l.Issuer, err)
		}
	}
	return a, nil
}

// open reads the keys of a login. Which algorithm its tokens have follows from
// them, and never from a token.
func (l Login) open(folder string) (issuer, error) {
	if l.Keys != "" {
		keys, err := token.LoadKeySet(filepath.Join(folder, l.Keys))
		return issuer{jwt.SigningMethodEdDSA.Alg(), func(t *jwt.Token) (any, error) {
			kid, _ := t.Header["kid"].(string)
			return keys.Key(kid)
		}}, err
	}
	text, err := os.ReadFile(filepath.Join(folder, l.Secret))
	if err != nil {
		return issuer{}, fmt.Errorf("loading the secret: %w", err)
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(secret) < 32 {
		return issuer{}, errors.New("the secret is damaged: want 64 hexadecimal digits or more")
	}
	return issuer{jwt.SigningMethodHS256.Alg(), func(*jwt.Token) (any, error) { return secret, nil }}, nil
}

// What may be wrong with a token. None of it costs the fan anything.
var (
	ErrTokenNeeded = &ropeline.Error{Kind: ropeline.Unauthenticated, Code: "account-needed",
		Detail: "This sale is for those who are signed in at the seller’s. Please sign in there and come back."}
	ErrTokenInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "account-invalid",
		Detail: "The seller’s sign-in was not understood. Please sign in there again."}
	ErrTokenForeign = &ropeline.Error{Kind: ropeline.Forbidden, Code: "account-foreign",
		Detail: "This sign-in is for another sale."}
	ErrTokenExpired = &ropeline.Error{Kind: ropeline.Gone, Code: "account-expired",
		Detail: "This sign-in has expired. Please sign in at the seller’s again."}
)

// accountClaims are what is read of a token.
type accountClaims struct {
	jwt.RegisteredClaims
	Lane string `json:"lane"`
}

// Recognize checks a token. The visitor is the account at its issuer, so a token
// that is brought again, or a new one of the same account, finds the same place.
func (a *Accounts) Recognize(sale ropeline.Sale, join wire.Join) (who, attempt string, err error) {
	if join.Token == "" {
		return "", "", ErrTokenNeeded
	}
	if join.Attempt != "" && (len(join.Attempt) < 16 || len(join.Attempt) > 64) {
		return "", "", ErrAttemptInvalid
	}
	claims, err := a.read(join.Token)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return "", "", ErrTokenExpired
	case err != nil:
		return "", "", ErrTokenInvalid.Because(err)
	case len(claims.Audience) != 1 || claims.Audience[0] != string(sale.ID):
		return "", "", ErrTokenForeign
	case !account.MatchString(claims.Subject):
		return "", "", ErrTokenInvalid.Because(errors.New("it names nobody"))
	}
	return claims.Issuer + "\n" + claims.Subject, join.Attempt, nil
}

// Lane is the lane that a token names which Recognize has believed.
func (a *Accounts) Lane(join wire.Join) string {
	claims, err := a.read(join.Token)
	if err != nil {
		return ""
	}
	return claims.Lane
}

// read checks signature and times. Who is said to have issued a token decides
// which keys it is checked with, and nothing else of it is believed before.
func (a *Accounts) read(raw string) (accountClaims, error) {
	var claims accountClaims
	if len(raw) > maxAccountToken || strings.ContainsAny(raw, "\r\n") { // which base64 decoders skip
		return claims, errors.New("it has not the form of a token")
	}
	var said jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(raw, &said); err != nil {
		return claims, err
	}
	by, ok := a.parsers[said.Issuer]
	if !ok {
		return claims, errors.New("nobody believes its issuer")
	}
	_, err := jwt.ParseWithClaims(raw, &claims, by.key, jwt.WithValidMethods([]string{by.alg}), jwt.WithIssuer(said.Issuer),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(accountLeeway), jwt.WithTimeFunc(a.now), jwt.WithStrictDecoding())
	return claims, err
}
