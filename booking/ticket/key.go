package ticket

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// KeyOverlap is for how long a new key is only believed before it is derived from: by
// then all processes were started again, and doors have fetched lists that know it.
const KeyOverlap = 24 * time.Hour

// KeyID names one of the installation's keys: the first bytes of a hash of it.
type KeyID [2]byte

// String is the id in hexadecimal digits.
func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// Public is the public half of an issue's key: the coordinates x and y of 32 bytes each.
// (WebCrypto imports it with a byte 4 before it; compressed it would be half of that,
// and browsers refuse it.)
type Public [64]byte

// Keys are the installation's keys, of which tickets' own are derived. The zero value
// has none: then phones have no codes.
type Keys struct {
	list []secret // by since, the newest first
}

type secret struct {
	id    KeyID
	bytes []byte
	since time.Time // when it is first derived from
}

// ParseKeys reads a key file: a key a line, 64 hexadecimal digits and, if it is not the
// first one ever, the time from which phones get keys of it. All are believed.
func ParseKeys(file string) (Keys, error) {
	var k Keys
	for line := range strings.Lines(file) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		bytes, err := hex.DecodeString(fields[0])
		if err != nil || len(bytes) != 32 || len(fields) > 2 {
			return Keys{}, errors.New("a ticket key is damaged: want 64 hexadecimal digits and a time")
		}
		s := secret{id: idOf(bytes), bytes: bytes}
		if len(fields) == 2 {
			if s.since, err = time.Parse(time.RFC3339, fields[1]); err != nil {
				return Keys{}, fmt.Errorf("a ticket key is damaged: reading since when it is used: %w", err)
			}
		}
		if _, known := k.find(s.id); known {
			return Keys{}, errors.New("two ticket keys have one id")
		}
		k.list = append(k.list, s)
	}
	slices.SortStableFunc(k.list, func(a, b secret) int { return b.since.Compare(a.since) })
	return k, nil
}

// Text is the key file, the newest key first.
func (k Keys) Text() string {
	var b strings.Builder
	for _, s := range k.list {
		b.WriteString(hex.EncodeToString(s.bytes))
		if !s.since.IsZero() {
			b.WriteString(" " + s.since.UTC().Format(time.RFC3339))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// Are reports whether there is any.
func (k Keys) Are() bool { return len(k.list) > 0 }

// Add returns the keys and a new one, that phones get keys of after KeyOverlap. If the
// old ones have leaked they are forgotten, and the new one is used at once.
func (k Keys) Add(now time.Time, leaked bool) (added Keys, since time.Time) {
	since = now.Add(KeyOverlap).UTC().Truncate(time.Second)
	if leaked {
		k.list, since = nil, now.UTC().Truncate(time.Second)
	}
	bytes := make([]byte, 32)
	for {
		rand.Read(bytes) // never fails; it ends the process instead
		if _, taken := k.find(idOf(bytes)); !taken {
			return Keys{append([]secret{{idOf(bytes), bytes, since}}, k.list...)}, since
		}
	}
}

func idOf(bytes []byte) KeyID {
	sum := sha256.Sum256(append([]byte("ropeline ticket key\x00"), bytes...))
	return KeyID(sum[:2])
}

func (k Keys) find(id KeyID) (secret, bool) {
	i := slices.IndexFunc(k.list, func(s secret) bool { return s.id == id })
	if i < 0 {
		return secret{}, false
	}
	return k.list[i], true
}

// Public derives the public half of a ticket's issue, of the key that a code names. A
// key that is not ours makes it ErrForeign. 20 µs.
func (k Keys) Public(key KeyID, ticket string, issue int) (Public, error) {
	s, known := k.find(key)
	if !known {
		return Public{}, ErrForeign
	}
	p, err := s.private(ticket, issue)
	return p.Public(), err
}

// Publics derives the public halves of all keys, for a list that doors have: each
// KeyID that a code may name has its own.
func (k Keys) Publics(ticket string, issue int) (map[KeyID]Public, error) {
	all := make(map[KeyID]Public, len(k.list))
	for _, s := range k.list {
		p, err := s.private(ticket, issue)
		if err != nil {
			return nil, err
		}
		all[s.id] = p.Public()
	}
	return all, nil
}

// Private derives the private half of a ticket's issue, of the newest key that is in
// use. It goes to nobody but the ticket's holder. Without keys it is an error.
func (k Keys) Private(ticket string, issue int, now time.Time) (Private, error) {
	for _, s := range k.list {
		if !now.Before(s.since) {
			return s.private(ticket, issue)
		}
	}
	return Private{}, errors.New("there is no ticket key in use")
}

// Private is the key of a ticket's issue.
type Private struct {
	of  Code
	key *ecdsa.PrivateKey
}

// private derives the key of a ticket's issue.
func (s secret) private(ticket string, issue int) (Private, error) {
	d, err := s.number(ticket, issue)
	if err != nil {
		return Private{}, err
	}
	key, err := keyOf(d)
	if err != nil {
		return Private{}, fmt.Errorf("deriving the key of ticket %s: %w", ticket, err)
	}
	return Private{Code{Key: s.id, Ticket: uuid.MustParse(ticket).String(), Issue: issue}, key}, nil
}

// number derives what a ticket's issue is signed with.
func (s secret) number(ticket string, issue int) (*big.Int, error) {
	id, err := uuid.Parse(ticket)
	if err != nil || issue < 1 || issue > 0xffff {
		return nil, fmt.Errorf("ticket %q has no issue %d", ticket, issue)
	}
	d, err := s.derive(string(binary.BigEndian.AppendUint16(append([]byte("ropeline ticket 1\x00"), id[:]...), uint16(issue))))
	if err != nil {
		return nil, fmt.Errorf("deriving the key of ticket %s: %w", ticket, err)
	}
	return d, nil
}

// derive makes the number of something that info names, by FIPS 186-5, A.2.1: of 128 bits
// more than the order has, so that the remainder prefers none.
func (s secret) derive(info string) (*big.Int, error) {
	wide, err := hkdf.Key(sha256.New, s.bytes, nil, info, 48)
	if err != nil {
		return nil, err
	}
	most := new(big.Int).Sub(elliptic.P256().Params().N, big.NewInt(1))
	d := new(big.Int).SetBytes(wide)
	return d.Add(d.Mod(d, most), big.NewInt(1)), nil
}

func keyOf(d *big.Int) (*ecdsa.PrivateKey, error) {
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), d.FillBytes(make([]byte, 32)))
}

// listInfo names the key that signs what scanners decide by without a network.
const listInfo = "ropeline door list 1"

func (s secret) listKey() (*ecdsa.PrivateKey, error) {
	d, err := s.derive(listInfo)
	if err != nil {
		return nil, err
	}
	return keyOf(d)
}

// SignList signs a door's list with the newest key in use: ECDSA, SHA-256, r and s of 32
// bytes each, as WebCrypto verifies them.
func (k Keys) SignList(list []byte, now time.Time) (KeyID, []byte, error) {
	for _, s := range k.list {
		if now.Before(s.since) {
			continue
		}
		key, err := s.listKey()
		if err != nil {
			return s.id, nil, fmt.Errorf("deriving the key of lists: %w", err)
		}
		sum := sha256.Sum256(list)
		r, rest, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			return s.id, nil, fmt.Errorf("signing a list: %w", err)
		}
		return s.id, append(r.FillBytes(make([]byte, 32)), rest.FillBytes(make([]byte, 32))...), nil
	}
	return KeyID{}, nil, errors.New("there is no ticket key in use")
}

// ListKeys are the public halves of all keys that may have signed a list.
func (k Keys) ListKeys() (map[KeyID]Public, error) {
	all := make(map[KeyID]Public, len(k.list))
	for _, s := range k.list {
		key, err := s.listKey()
		if err != nil {
			return nil, fmt.Errorf("deriving the key of lists: %w", err)
		}
		all[s.id] = Private{key: key}.Public()
	}
	return all, nil
}

// Public is the half that doors have.
func (p Private) Public() (public Public) {
	if p.key == nil {
		return Public{}
	}
	b, err := p.key.PublicKey.Bytes()
	if err != nil { // of a point that is not on the curve, which ours are
		return Public{}
	}
	copy(public[:], b[1:])
	return public
}

// KeyID is of which of the installation's keys it is.
func (p Private) KeyID() KeyID { return p.of.Key }

// JWK is a private key as WebCrypto imports it (RFC 7517).
type JWK struct {
	Type  string `json:"kty" enum:"EC"`
	Curve string `json:"crv" enum:"P-256"`
	D     string `json:"d" doc:"the private number, base64url"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

// JWK writes the key for the holder's page.
func (p Private) JWK() (JWK, error) {
	d, err := p.key.Bytes()
	if err != nil {
		return JWK{}, fmt.Errorf("writing the key of ticket %s: %w", p.of.Ticket, err)
	}
	public := p.Public()
	part := base64.RawURLEncoding.EncodeToString
	return JWK{"EC", "P-256", part(d), part(public[:32]), part(public[32:])}, nil
}

// Code writes the text that a phone shows in a period, as the page does.
func (p Private) Code(period int64) (string, error) {
	c := p.of
	c.Period = period
	signed := c.signed()
	sum := sha256.Sum256(signed)
	r, s, err := ecdsa.Sign(rand.Reader, p.key, sum[:])
	if err != nil {
		return "", fmt.Errorf("signing a code of ticket %s: %w", c.Ticket, err)
	}
	r.FillBytes(c.signature[:32])
	s.FillBytes(c.signature[32:])
	return family + version + text.EncodeToString(append(signed[len(family)+len(version):], c.signature[:]...)), nil
}
