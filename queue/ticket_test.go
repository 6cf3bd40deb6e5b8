package queue

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

// FuzzTicketIsOursToTheLastBit: whatever is presented, only the exact text
// that we signed is believed.
func FuzzTicketIsOursToTheLastBit(f *testing.F) {
	store := New(nil, testKeys)
	ours := Ticket{Sale: "demo", Lane: MainLane, Place: "cGxhY2U", Visitor: "v", Score: "4503599627370497", Epoch: "e"}
	good, err := store.SignTicket(ours)
	if err != nil {
		f.Fatal(err)
	}
	elsewhere, _ := New(nil, Keys{Place: bytes.Repeat([]byte{9}, 32)}).SignTicket(ours)
	other := ours
	other.Sale = "other"
	foreign, _ := store.SignTicket(other)
	for _, seed := range []string{good, elsewhere, foreign, good[:len(good)-1], good + "A", good + "\n", good[:len(good)-3] + "\r\n" + good[len(good)-3:], "1..", "", strings.Repeat(".", 50),
		strings.Replace(good, "1.", "2.", 1), base64.StdEncoding.EncodeToString([]byte(good))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := store.ReadTicket("demo", raw)
		if (err == nil) != (raw == good) {
			t.Fatalf("ReadTicket(%q) = %+v, %v", raw, got, err)
		}
		if err == nil && got != ours {
			t.Fatalf("read %+v, signed %+v", got, ours)
		}
		if err != nil && !errors.Is(err, ErrTicketInvalid) {
			t.Fatalf("ReadTicket(%q): %v", raw, err)
		}
	})
}
