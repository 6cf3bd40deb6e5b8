package queue

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/ropeline/ropeline"
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

// Tickets made by hand are those that encoding/json makes, byte for byte.
func FuzzTicketIsWhatJSONMakesOfIt(f *testing.F) {
	f.Add("demo", "cGxhY2U", "", "", 0, "v", "4503599627370497", "e")
	f.Add("a\"b", "\\", "<&>", "0 x\x00\x7f", 3, "é\xff\u2028", "", "")
	f.Fuzz(func(t *testing.T, sale, place, member, party string, generation int, visitor, score, epoch string) {
		ticket := Ticket{Sale: ropeline.SaleID(sale), Lane: MainLane, Place: ropeline.PlaceID(place), Member: member, Party: Party(party),
			Generation: generation, Visitor: visitor, Score: score, Epoch: epoch, Terms: generation / 2}
		want, err := json.Marshal(ticket)
		if err != nil {
			t.Fatal(err)
		}
		if got := ticket.appendJSON([]byte("before")); string(got) != "before"+string(want) {
			t.Fatalf("ticket\n%s\nwant\n%s", got, want)
		}
	})
}
