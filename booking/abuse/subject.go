package abuse

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/netip"

	"github.com/ropeline/ropeline"
)

// Signal says what somebody is slowed down, or blocked, for.
type Signal string

// The signals. Staff is what a person of the staff decided.
const (
	Holds    Signal = "holds"
	Payments Signal = "payments"
	Staff    Signal = "staff"
)

// Kind says what is counted, or blocked.
type Kind string

// The kinds. A place is of one sale and one visitor; an address and a card are the
// same in every sale.
const (
	Place   Kind = "place"
	Address Kind = "address"
	Card    Kind = "card"
)

// Subject is a place by its id, or an address or a card by its HMAC.
type Subject struct {
	Kind Kind   `json:"kind"`
	Name string `json:"subject"`
}

// Who is who asks for something.
type Who struct {
	Sale    ropeline.SaleID
	Place   ropeline.PlaceID
	Address netip.Addr // zero: it is not known
}

// mark is a subject, for one kind of points.
type mark struct {
	signal Signal
	Subject
}

// Keys makes the names of addresses and cards, of a secret.
type Keys []byte

// name is the same for the same thing and tells nobody what it is who lacks the key.
// An address could be guessed from a bare hash: there are not that many.
func (k Keys) name(kind Kind, value string) string {
	m := hmac.New(sha256.New, k)
	m.Write([]byte("abuse " + string(kind) + "\x00" + value))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:16])
}

// Address names an IPv4 address or the /64 of an IPv6 one, which is what one
// subscriber gets.
func (k Keys) Address(a netip.Addr) Subject {
	a = a.Unmap().WithZone("")
	text := a.String()
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil { // there is no other way
			text = p.String()
		}
	}
	return Subject{Address, k.name(Address, text)}
}

// Card names a card by the provider's fingerprint.
func (k Keys) Card(fingerprint string) Subject { return Subject{Card, k.name(Card, fingerprint)} }

// counted are the subjects for which something that somebody does is counted.
func (g *Guard) counted(w Who) []Subject {
	subjects := make([]Subject, 1, 3)
	subjects[0] = Subject{Place, string(w.Place)}
	if g.counts(w.Address) {
		subjects = append(subjects, g.keys.Address(w.Address))
	}
	return subjects
}

func (g *Guard) counts(a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	a = a.Unmap().WithZone("")
	for _, p := range g.policy.Uncounted {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
