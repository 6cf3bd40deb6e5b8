package paper_test

import (
	"bytes"
	"compress/zlib"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline/booking/paper"
	"github.com/ropeline/ropeline/booking/tariff"
)

// A page says what may be done with its ticket, by the organizer's rules and the clocks of the venue.
func TestAPageSaysWhatMayBeDoneWithItsTicket(t *testing.T) {
	t.Parallel()
	e := paper.Occasion{StartsAt: time.Date(2030, 5, 1, 19, 0, 0, 0, time.UTC), Zone: "Europe/Lisbon"}
	for want, rules := range map[string]tariff.Tariff{
		"cannot be canceled. Tickets cannot be exchanged for others. Tickets cannot be given to others.": {},
		"Tickets can be given to others on their page until Monday, 29 April 2030, 20:00 WEST;":          {Transfer: tariff.Transfer{Before: 2 * 86_400}},
		"Tickets can be canceled on the page of the order until Tuesday, 30 April 2030, 20:00 WEST.":     {Refund: tariff.Refund{Before: 86_400}},
	} {
		if got := strings.Join(e.Rules(rules), " "); !strings.Contains(got, want) {
			t.Errorf("it says %q, without %q", got, want)
		}
	}
}

var written = regexp.MustCompile(`BT [\d.]+ (-?[\d.]+) Td`)

// With a picture, long names and all rules there are, the last rules were written over the
// foot of the page, and below it.
func TestTheFootOfAPageIsItsOwn(t *testing.T) {
	t.Parallel()
	all := tariff.Tariff{Refund: tariff.Refund{Before: 7 * 86_400, KeepRate: 1050, KeepFee: true}, Exchange: tariff.Exchange{Before: 86_400, Fee: 250}, Transfer: tariff.Transfer{Before: 86_400}}
	for _, name := range []string{"Gala", scripts["long"], scripts["word"]} {
		for _, state := range []string{"scheduled", "postponed"} {
			for _, address := range []string{"", strings.Repeat(name+"\n", 10)} {
				e := event(name).Under(all)
				e.State, e.Address = state, address
				file, err := e.Print(of(1, name), picture(t, 300, 100), site+"/tickets/0192f0a1-7c3d-7000-8000-00000000abcd")
				if err != nil {
					t.Fatal(err)
				}
				// From the bottom, in points: the foot, and what is next above it.
				if at := heights(t, file); len(at) < 10 || at[1]-at[0] < 14 {
					t.Errorf("%.10s, %s: lines are at %.5v", name, state, at)
				}
				if !bytes.Contains(file, []byte("/Subtype /Image")) {
					t.Errorf("%.10s, %s: it has no picture", name, state)
				}
			}
		}
	}
}

// heights are where lines are, from the bottom.
func heights(t *testing.T, file []byte) (at []float64) {
	t.Helper()
	for _, s := range stream.FindAllSubmatch(file, -1) {
		z, err := zlib.NewReader(bytes.NewReader(s[1]))
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range written.FindAllSubmatch(content, -1) {
			y, err := strconv.ParseFloat(string(m[1]), 64)
			if err != nil {
				t.Fatal(err)
			}
			at = append(at, y)
		}
	}
	slices.Sort(at)
	return at
}
