// Package booking holds the words that everything below it says: money, pages of
// lists, and how ids of holds, orders and tickets are made.
//
// A unit, one sellable place, is a plain int: its number 0 … n-1 within its
// performance. Packages below: catalogue says what is for sale, inventory and
// hold keep who has which unit right now (Redis), order and payment turn a
// hold into tickets (Postgres), ticket draws one, api is the HTTP surface.
// This package knows none of them.
package booking

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
)

// Money is an amount in minor units (cents) of an ISO 4217 currency.
type Money struct {
	Amount   int64  `json:"amount" doc:"in minor units, 4500 is 45.00"`
	Currency string `json:"currency" doc:"ISO 4217"`
}

// NewID returns a UUIDv7: ids made later sort later, which keeps the indexes
// of growing tables dense.
func NewID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("making an id: %w", err)
	}
	return id.String(), nil
}

// MadeAt tells when NewID made an id; it reports false for ids of other kinds.
func MadeAt(s string) (time.Time, bool) {
	id, err := uuid.Parse(s)
	if err != nil || id.Version() != 7 {
		return time.Time{}, false
	}
	return time.Unix(id.Time().UnixTime()).UTC(), true
}

// IsID reports whether s is a UUID in its canonical text form, the only form
// that may become part of a Redis key or a query.
func IsID(s string) bool {
	id, err := uuid.Parse(s)
	return err == nil && id.String() == s
}

// IsTime reports whether somebody who plans something may mean a time. It can be told in
// every form of ours then: JSON knows no year 10000, which the end of 9999 is elsewhere.
func IsTime(t time.Time) bool {
	year := t.UTC().Year()
	return year >= 2000 && year <= 2200
}

// IsPlain reports whether a text can be kept, and shown in a line.
func IsPlain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// IsEmail accepts a bare address with a dot in its domain; whether it exists
// only a mail can tell.
func IsEmail(s string) bool { return ropeline.IsEmail(s) }
