package find

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// What cannot be meant is refused, and the detail says what it is.
func TestOddQuestionsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		asked Asked
		says  string
	}{
		{Asked{Text: strings.Repeat("ü", MaxText+1)}, "100 characters"},
		{Asked{Text: "fado\x00"}, "printed"},
		{Asked{Text: "fado\nlisboa"}, "printed"},
		{Asked{Text: "\u202eodaf"}, "printed"}, // turns the direction of what follows
		{Asked{Text: "fado\xff"}, "printed"},
		{Asked{Text: "!!!"}, "letters or digits"},
		{Asked{Text: "   "}, "letters or digits"},
		{Asked{Text: "a b c d e f g h i j k"}, "10 words"},
		{Asked{Kind: "Event"}, "kind"},
		{Asked{Category: "Music'; drop table events; --"}, "category"},
		{Asked{From: "2026-02-30"}, "from is a day"},
		{Asked{From: "tomorrow"}, "from is a day"},
		{Asked{To: "2026-1-1"}, "to is a day"},
		{Asked{To: "9999-12-31"}, "to is a day"},
		{Asked{From: "2026-12-31", To: "2026-12-30"}, "before the first"},
		{Asked{City: strings.Repeat("x", 101)}, "100 characters"},
		{Asked{Country: "pt"}, "country"},
		{Asked{Near: "38.7"}, "latitude"},
		{Asked{Near: "91,0"}, "latitude"},
		{Asked{Near: "0,181"}, "latitude"},
		{Asked{Near: "NaN,0"}, "latitude"},
		{Asked{Near: "1e1,0"}, "latitude"},
		{Asked{Near: "38.7,-9.1,5"}, "latitude"},
		{Asked{Near: "38.7,-9.1", Radius: "0.5"}, "radius"},
		{Asked{Near: "38.7,-9.1", Radius: "501"}, "radius"},
		{Asked{Near: "38.7,-9.1", Radius: "10km"}, "radius"},
		{Asked{Radius: "10"}, "place to be near"},
		{Asked{PriceTo: "100"}, "currency"},
		{Asked{PriceTo: "-1", Currency: "EUR"}, "price_to"},
		{Asked{PriceTo: "9223372036854775808", Currency: "EUR"}, "price_to"},
		{Asked{PriceFrom: "12.50", Currency: "EUR"}, "price_from"},
		{Asked{PriceFrom: "200", PriceTo: "100", Currency: "EUR"}, "below the lowest"},
		{Asked{Currency: "euro"}, "currency"},
		{Asked{Available: "yes"}, "available"},
		{Asked{Order: "newest"}, "order"},
		{Asked{Order: "relevant"}, "relevant"},
		{Asked{Kind: "venue", From: "2026-12-31"}, "those of events"},
		{Asked{Kind: "performer", Order: "soonest"}, "those of events"},
	} {
		_, err := Understand(c.asked)
		own, ok := errors.AsType[*ropeline.Error](err)
		if !ok || own.Code != ErrInvalid.Code || !strings.Contains(own.Detail, c.says) {
			t.Errorf("%+v: %v, want %q", c.asked, err, c.says)
		}
	}
	for _, cursor := range []string{"x", "p", "p0123456789abcdef", "s00000000000000000193a000-0000-7000-8000-000000000001", "p7ff000000000000001939f4e-7a00-7000-8000-000000000001", "pzzzzzzzzzzzzzzzz01939f4e-7a00-7000-8000-000000000001"} {
		if _, err := Understand(Asked{Page: booking.Page{Cursor: cursor}}); !errors.Is(err, booking.ErrPage) {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
}

func TestScriptsOfAllDirectionsAreText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"שלום", "می\u200cخواهم", "東京ドーム", "Москва 2026", "नमस्ते", "1"} {
		if _, err := Understand(Asked{Text: text}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Whatever is asked for is understood or refused with a reason. What is understood is
// within its bounds, and its mark is read as it was written.
func FuzzAQuestionIsUnderstoodOrRefused(f *testing.F) {
	f.Add("fado", "event", "music", "2026-01-01", "2026-12-31", "Lisboa", "38.72,-9.14", "10", "4500", "soonest", "s0000000000000000")
	f.Add("' or 1=1 --", "", "", "", "", "%", "-90,180", "500", "", "popular", "p406800000000000001939f4e-7a00-7000-8000-000000000001")
	f.Fuzz(func(t *testing.T, text, kind, category, from, to, city, near, radius, price, order, cursor string) {
		q, err := Understand(Asked{Text: text, Kind: kind, Category: category, From: from, To: to, City: city, Near: near, Radius: radius, PriceTo: price, Currency: "EUR",
			Order: order, Page: booking.Page{Cursor: cursor}})
		if err != nil {
			if own, ok := errors.AsType[*ropeline.Error](err); !ok || own.Kind != ropeline.Invalid || own.Detail == "" {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if utf8.RuneCountInString(q.text) > MaxText || !utf8.ValidString(q.text) || strings.ContainsAny(q.text, "\x00\n\u202e") {
			t.Fatalf("understood %q", q.text)
		}
		if c := q.circle; c != nil {
			if south, north, west, east := c.box(); !(south < c.latitude && c.latitude < north && west >= -180 && east <= 180) {
				t.Fatalf("%+v is in a box from %g to %g and %g to %g", *c, south, north, west, east)
			}
		}
		if q.after != nil {
			m := *q.after
			m.show = m.id
			if m.text(q.order) != cursor && !strings.EqualFold(m.text(q.order), cursor) {
				t.Fatalf("cursor %q is written as %q", cursor, m.text(q.order))
			}
		}
	})
}
