package people

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Keys keep what is known of people from whoever has the database alone.
type Keys struct{ wrap, email, token, mail []byte }

// NewKeys derives them from a secret of 32 bytes or more.
func NewKeys(secret []byte) (Keys, error) {
	if len(secret) < 32 {
		return Keys{}, errors.New("the key of people has less than 32 bytes")
	}
	var k Keys
	for name, key := range map[string]*[]byte{"wrap": &k.wrap, "email": &k.email, "token": &k.token, "mail": &k.mail} {
		made, err := hkdf.Key(sha256.New, secret, nil, "ropeline people "+name, 32)
		if err != nil {
			return Keys{}, fmt.Errorf("deriving the key of people: %w", err)
		}
		*key = made
	}
	return k, nil
}

// Are reports whether there are keys: the zero value has none.
func (k Keys) Are() bool { return len(k.wrap) > 0 }

// emailMAC is by what an account is found. Addresses that differ in capitals alone are
// one: no house of today keeps two.
func (k Keys) emailMAC(email string) []byte { return mac(k.email, strings.ToLower(email)) }

// EmailMAC is by what it is kept that an address refuses letters.
func (k Keys) EmailMAC(email string) []byte { return k.emailMAC(email) }

// tokenHash is what is kept of a secret that somebody else has. Secrets are random, so
// that no salt is needed.
func (k Keys) tokenHash(token string) []byte { return mac(k.token, token) }

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// Seal and Open keep a letter that is to be sent, by its id.
func (k Keys) Seal(id string, text []byte) ([]byte, error) { return seal(k.mail, id, text) }

// Open undoes Seal.
func (k Keys) Open(id string, sealed []byte) ([]byte, error) { return unseal(k.mail, id, sealed) }

// errSealed answers for what cannot be opened: it was sealed with another key, for
// another person, or was changed.
var errSealed = errors.New("what is known of a person cannot be opened with this key")

// seal encrypts for a person: what was sealed for one does not open for another.
func seal(key []byte, person string, text []byte) ([]byte, error) {
	aead, err := gcm(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(text)+aead.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	return aead.Seal(nonce, nonce, text, []byte(person)), nil
}

func unseal(key []byte, person string, sealed []byte) ([]byte, error) {
	aead, err := gcm(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, errSealed
	}
	text, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], []byte(person))
	if err != nil {
		return nil, errSealed
	}
	return text, nil
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	return aead, nil
}

// own is the key of a person, as it is kept and as it is used.
type own struct{ wrapped, key []byte }

// newOwn makes a key for a person.
func (k Keys) newOwn(person string) (o own, err error) {
	o.key = make([]byte, 32)
	if _, err := rand.Read(o.key); err != nil {
		return own{}, fmt.Errorf("making a person's key: %w", err)
	}
	o.wrapped, err = seal(k.wrap, person, o.key)
	return o, err
}

// unwrap is the key of a person from how it is kept.
func (k Keys) unwrap(person string, wrapped []byte) (own, error) {
	key, err := unseal(k.wrap, person, wrapped)
	return own{wrapped, key}, err
}

// sealJSON and openJSON seal what a person is known by.
func (o own) sealJSON(person string, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("writing what is known of a person: %w", err)
	}
	return seal(o.key, person, text)
}

func (o own) openJSON(person string, sealed []byte, v any) error {
	text, err := unseal(o.key, person, sealed)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("reading what is known of a person: %w", err)
	}
	return nil
}
