package admission

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ropeline/ropeline/admission/token"
)

// keyPrefix makes a private key file unmistakable.
const keyPrefix = "ROPELINE-PRIVATE-KEY"

// Signer signs admission tokens. Whoever holds its key can admit anybody, so
// only edges and the admission part have the file.
type Signer struct {
	id  string
	key ed25519.PrivateKey
}

// GenerateKey returns a new private key in its text form: one line of the
// prefix, the key id and the seed.
func GenerateKey() (string, error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("generating admission key: %w", err)
	}
	return fmt.Sprintf("%s %s %s\n", keyPrefix, keyID(pub), base64.RawURLEncoding.EncodeToString(key.Seed())), nil
}

// keyID names a public key by its hash, so that two keys never share a name.
func keyID(pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// ParseSigner reads a private key in its text form.
func ParseSigner(text string) (*Signer, error) {
	fields := strings.Fields(text)
	if len(fields) != 3 || fields[0] != keyPrefix {
		return nil, errors.New("not an admission key: want one line of " + keyPrefix + ", key id and seed")
	}
	seed, err := base64.RawURLEncoding.DecodeString(fields[2])
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, errors.New("not an admission key: the seed is damaged")
	}
	key := ed25519.NewKeyFromSeed(seed)
	if keyID(key.Public().(ed25519.PublicKey)) != fields[1] {
		return nil, errors.New("not an admission key: id and seed do not belong together")
	}
	return &Signer{id: fields[1], key: key}, nil
}

// LoadSigner reads a private key from a file.
func LoadSigner(path string) (*Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("loading admission key: %w", err)
	}
	s, err := ParseSigner(string(text))
	if err != nil {
		return nil, fmt.Errorf("loading admission key %s: %w", path, err)
	}
	return s, nil
}

// KeySet returns the public key under its id.
func (s *Signer) KeySet() token.KeySet {
	return token.KeySet{s.id: s.key.Public().(ed25519.PublicKey)}
}

// Sign returns the token for these claims. EdDSA is deterministic: the same
// claims give the same token, so a repeated claim cannot make a second one.
func (s *Signer) Sign(c token.Claims) (string, error) {
	return s.sign("admission token", token.JWT{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: token.Issuer, Subject: string(c.Place), Audience: jwt.ClaimStrings{string(c.Sale)},
			IssuedAt: jwt.NewNumericDate(c.IssuedAt), ExpiresAt: jwt.NewNumericDate(c.Expires),
		},
		Session: c.Session, SessionEnds: jwt.NewNumericDate(c.SessionEnds),
	})
}

func (s *Signer) sign(what string, claims jwt.Claims) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	t.Header["kid"] = s.id
	raw, err := t.SignedString(s.key)
	if err != nil {
		return "", fmt.Errorf("signing %s: %w", what, err)
	}
	return raw, nil
}
