package token

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/MicahParks/jwkset"

	"github.com/ropeline/ropeline"
)

// KeySet maps key ids to the public keys that a Verifier trusts.
type KeySet map[string]ed25519.PublicKey

// Keys finds the key of an id among those that are trusted at this moment:
// keys come and go while a Verifier uses them. It fails with ErrKeysAway if
// that cannot be told, and with any other error if no such key is trusted.
type Keys interface {
	Key(id string) (ed25519.PublicKey, error)
}

// ErrKeysAway means that there are no keys to check a token with: not yet, or
// none that is recent enough.
var ErrKeysAway = &ropeline.Error{Kind: ropeline.Unavailable, Code: "keys-away", RetryAfter: 2 * time.Second,
	Detail: "We cannot check your admission at the moment. Nothing is lost; please try again."}

// Key finds a key by its id. A KeySet is Keys that never change.
func (k KeySet) Key(id string) (ed25519.PublicKey, error) {
	key, ok := k[id]
	if !ok {
		return nil, fmt.Errorf("no key with id %q", id)
	}
	return key, nil
}

// ParseKeySet reads a JWK set. Keys that are not Ed25519 are an error: we
// publish no others.
func ParseKeySet(doc []byte) (KeySet, error) {
	var m jwkset.JWKSMarshal
	if err := json.Unmarshal(doc, &m); err != nil {
		return nil, fmt.Errorf("reading key set: %w", err)
	}
	keys := make(KeySet, len(m.Keys))
	for _, k := range m.Keys {
		jwk, err := jwkset.NewJWKFromMarshal(k, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
		if err != nil {
			return nil, fmt.Errorf("reading key %q: %w", k.KID, err)
		}
		pub, ok := jwk.Key().(ed25519.PublicKey)
		if !ok || k.KID == "" {
			return nil, fmt.Errorf("key %q is not an Ed25519 public key with an id", k.KID)
		}
		keys[k.KID] = pub
	}
	if len(keys) == 0 {
		return nil, errors.New("key set is empty")
	}
	return keys, nil
}

// LoadKeySet reads a JWK set from a file.
func LoadKeySet(path string) (KeySet, error) {
	doc, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("loading key set: %w", err)
	}
	return ParseKeySet(doc)
}

// JWKS renders the set as the JSON document that /.well-known/jwks.json
// serves.
func (k KeySet) JWKS() ([]byte, error) {
	store := jwkset.NewMemoryStorage()
	ctx := context.Background()
	for kid, pub := range k {
		jwk, err := jwkset.NewJWKFromKey(pub, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{
			ALG: jwkset.AlgEdDSA, KID: kid, USE: jwkset.UseSig,
		}})
		if err != nil {
			return nil, fmt.Errorf("describing key %q: %w", kid, err)
		}
		if err := store.KeyWrite(ctx, jwk); err != nil {
			return nil, fmt.Errorf("describing key %q: %w", kid, err)
		}
	}
	return store.JSONPublic(ctx)
}
