// Package ledger is the arithmetic of a sale's public ledger: what an entry's
// hash is over, how the head of the chain is signed, and whether a copy of the
// chain holds. Anybody can check a copy with it, offline.
//
// The one hard idea: an entry's hash covers the hash of the entry before it, so
// whoever noted one hash can prove that nothing before it was changed since,
// and whoever has a signed head can prove who said so. That says nothing of what
// was never entered: the sums do, as far as they go (Verify).
//
// docs/ledger.md describes the format for other implementations. The package
// knows no store and holds no secret.
package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gowebpki/jcs"

	"github.com/ropeline/ropeline"
)

// Entry is one entry of a sale's ledger, as it is published.
type Entry struct {
	Sale ropeline.SaleID `json:"sale"`
	Seq  int64           `json:"seq"`  // 1 is the first
	Time string          `json:"time"` // as Time writes it; never before the entry before
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data"` // a JSON object
	Prev string          `json:"prev"` // hash of the entry before; Genesis for the first
	Hash string          `json:"hash"` // SHA-256 in hexadecimal, see Sum
}

// Genesis stands where the first entry has the hash of the one before.
const Genesis = "0000000000000000000000000000000000000000000000000000000000000000"

// MaxData is how large an entry's data may be.
const MaxData = 8 << 10

// The kinds that Verify knows more of than their form.
const (
	KindPublished  = "published"      // a version of the settings: cap, rate and times
	KindCommitted  = "draw-committed" // to a seed
	KindBound      = "draw-bound"     // the entrants, by their root
	KindDrawn      = "drawn"          // the seed is revealed
	KindLimits     = "limits"         // cap or rate were changed
	KindMode       = "mode"           // how the sale admits
	KindAdmissions = "admissions"     // of a minute, and the cap's proof
	KindLost       = "lost"           // what may be missing from here on
	KindSigned     = "signed"         // the head before it, by the organizer's key
	KindKey        = "key"            // which the heads are signed with
)

const timeForm = "2006-01-02T15:04:05.000Z"

// Time writes a time as entries have it: UTC, to the millisecond.
func Time(t time.Time) string { return t.UTC().Format(timeForm) }

// ParseTime reads it, in that one way.
func ParseTime(text string) (time.Time, error) {
	t, err := time.Parse(timeForm, text)
	if err == nil && Time(t) != text {
		err = errors.New("not as we write it")
	}
	return t, err
}

// Canonical is JSON as RFC 8785 (JCS) writes it.
func Canonical(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return jcs.Transform(text)
}

// Sum is the hash of an entry: SHA-256 over the canonical JSON of all of it but
// the hash.
func (e Entry) Sum() (string, error) {
	text, err := Canonical(struct {
		Sale ropeline.SaleID `json:"sale"`
		Seq  int64           `json:"seq"`
		Time string          `json:"time"`
		Kind string          `json:"kind"`
		Data json.RawMessage `json:"data"`
		Prev string          `json:"prev"`
	}{e.Sale, e.Seq, e.Time, e.Kind, e.Data, e.Prev})
	if err != nil {
		return "", fmt.Errorf("writing entry %d canonically: %w", e.Seq, err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// Head is where a chain has come to.
type Head struct {
	Sale ropeline.SaleID
	Seq  int64  // of the last entry; 0 of an empty chain
	Hash string // of it
	Time time.Time
}

// Start is the head of an empty chain.
func Start(sale ropeline.SaleID) Head { return Head{Sale: sale, Hash: Genesis} }

// Next makes the entry behind a head, and the head that it is then. Its time is
// not before the head's, whatever clocks say. Data that is no JSON object, or
// too large, is replaced by saying so: a chain must not stop at what somebody
// told it.
func (h Head) Next(at time.Time, kind string, data json.RawMessage) (Entry, Head, error) {
	at = at.Truncate(time.Millisecond)
	if at.Before(h.Time) {
		at = h.Time
	}
	clean, err := object(data)
	if err != nil {
		clean = json.RawMessage(`{"unreadable":true}`)
	}
	e := Entry{Sale: h.Sale, Seq: h.Seq + 1, Time: Time(at), Kind: kind, Data: clean, Prev: h.Hash}
	if e.Hash, err = e.Sum(); err != nil {
		return Entry{}, h, err
	}
	return e, Head{Sale: h.Sale, Seq: e.Seq, Hash: e.Hash, Time: at}, nil
}

// object is data in its canonical form.
func object(data json.RawMessage) (json.RawMessage, error) {
	if len(data) > MaxData {
		return nil, errors.New("too large")
	}
	clean, err := jcs.Transform(data)
	if err == nil && !strings.HasPrefix(string(clean), "{") {
		err = errors.New("no object")
	}
	return clean, err
}
