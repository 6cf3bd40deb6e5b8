package wording

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// Every letter says in every language what it says in English, with the same placeholders.
func TestEveryLanguageHasEveryLetter(t *testing.T) {
	t.Parallel()
	if l := Languages(); l[0] != "en" || len(l) < 2 {
		t.Fatalf("there are texts in %v", l)
	}
	for _, lang := range Languages() {
		if got, want := slices.Sorted(maps.Keys(ours[lang])), slices.Sorted(maps.Keys(placeholders)); !slices.Equal(got, want) {
			t.Errorf("in %s there are %v, want %v", lang, got, want)
		}
		for k, text := range ours[lang] {
			if err := text.Validate(k); err != nil {
				t.Errorf("%s in %s: %v", k, lang, err)
			}
			if got, want := used(text), used(ours["en"][k]); !slices.Equal(got, want) {
				t.Errorf("%s in %s has %v, want %v", k, lang, got, want)
			}
		}
		for what := range frames["en"] {
			if frames[lang][what] == "" {
				t.Errorf("the frame has no %q in %s", what, lang)
			}
		}
	}
}

func used(t Template) (names []string) {
	for _, p := range parse(t.Subject + "\n" + t.Text) {
		if p.name != "" && !slices.Contains(names, p.name) {
			names = append(names, p.name)
		}
	}
	slices.Sort(names)
	return names
}

func TestALetterIsInTheLanguageThatItsReaderReadsBest(t *testing.T) {
	t.Parallel()
	for wish, want := range map[string]string{"": "en", "de": "de", "de-AT": "de", "pt": "en", "fr;q=0.9, de;q=0.8": "de", "en-GB, de": "en", "x\r\ny": "en", strings.Repeat("a", 5000): "en"} {
		if got := Choose(wish); got != want {
			t.Errorf("who wishes for %.20q reads %s, want %s", wish, got, want)
		}
	}
}

var frame = Frame{Language: "en", Sender: "Opera <House>", Reason: "You have bought this."}

// Whatever somebody types, in a template or as a name, is shown and does nothing.
func TestWhatIsTypedIsShownAsText(t *testing.T) {
	t.Parallel()
	evil := `<script>alert(1)</script><img src=x onerror=alert(1)>"'&{{.Sender}}`
	template := Template{Subject: "For {event}", Text: evil + "\n{event}, {tickets}\n\n{link}\n\nor {link}."}
	if err := template.Validate(Confirmation); err != nil {
		t.Fatal(err)
	}
	l, err := template.Write(Values{"event": evil + "\r\nBcc: all@example.org {link}", "tickets": "A 1 <b>\nA 2", "link": "https://tickets.example.org/o?a=1&b=<2>"}, frame)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(l.Subject, "\r\n") || !strings.HasSuffix(l.Subject, " Bcc: all@example.org {link}") {
		t.Errorf("the subject is %q", l.Subject)
	}
	tags := map[string]int{}
	var text strings.Builder
	var hrefs []string
	z := html.NewTokenizer(strings.NewReader(l.HTML))
	for z.Next() != html.ErrorToken {
		switch token := z.Token(); token.Type {
		case html.StartTagToken, html.SelfClosingTagToken:
			tags[token.Data]++
			for _, a := range token.Attr {
				if a.Key == "href" {
					hrefs = append(hrefs, a.Val)
				}
			}
		case html.TextToken:
			text.WriteString(token.Data)
		}
	}
	if tags["script"]+tags["img"]+tags["b"] != 0 || tags["br"] != 2 || tags["h1"] != 1 {
		t.Errorf("it has %v", tags)
	}
	if !strings.Contains(text.String(), evil) || !strings.Contains(text.String(), "A 1 <b>") || !strings.Contains(text.String(), "Opera <House>") {
		t.Errorf("it shows %q", text.String())
	}
	if want := "https://tickets.example.org/o?a=1&b=%3c2%3e"; len(hrefs) != 2 || hrefs[0] != want || hrefs[1] != want {
		t.Errorf("it leads to %q", hrefs)
	}
	if !strings.Contains(l.Text, evil) || !strings.HasSuffix(l.Text, "\n\n-- \nYou have bought this. Opera <House>\n") || strings.Contains(l.Text, "\r") {
		t.Errorf("the text is %q", l.Text)
	}
}

func TestALinkLeadsToAPageOrNowhere(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "javascript:alert(1)", "data:text/html,x", "//example.org", "https://", "http://[", "mailto:a@example.org"} {
		l, err := Template{Subject: "S", Text: "{link}"}.Write(Values{"link": address}, Frame{Unsubscribe: address})
		if err != nil || strings.Contains(l.HTML, "<a ") {
			t.Errorf("%q: %v %s", address, err, l.HTML)
		}
	}
}

// A paragraph into which nothing was put is left out.
func TestNothingLeavesNoGap(t *testing.T) {
	t.Parallel()
	l, err := Template{Subject: "S", Text: "One.\n\n{reason}\n\nTwo."}.Write(Values{}, Frame{})
	if err != nil || l.Text != "One.\n\nTwo.\n" || strings.Contains(l.HTML, "<p></p>") {
		t.Errorf("%v %q %s", err, l.Text, l.HTML)
	}
}

func TestWhatIsNoTemplate(t *testing.T) {
	t.Parallel()
	for pointer, bad := range map[string][]Template{
		"/subject": {{"", "T"}, {" ", "T"}, {"a\nb", "T"}, {"a\r\nBcc: x", "T"}, {"\u202egalA", "T"}, {"{code}", "T"}, {"{link}", "T"}, {"{tickets}", "T"}, {strings.Repeat("s", MostSubject+1), "T"}},
		"/text":    {{"S", ""}, {"S", "a\x00"}, {"S", "\xff"}, {"S", "{amount}"}, {"S", "{event} {secret_key}"}, {"S", strings.Repeat("t", MostText+1)}},
	} {
		for _, template := range bad {
			err := template.Normal().Validate(Confirmation)
			if !errors.Is(err, ErrInvalid) || !strings.Contains(pointerOf(err), pointer) {
				t.Errorf("%.40q: %v at %q", template, err, pointerOf(err))
			}
		}
	}
	for _, text := range []string{"{", "}", "{}", "{ event }", "{Event}", "{event", "{{event}}", ":-{ {event}"} {
		if err := (Template{"S", text}).Validate(Confirmation); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What is put together of a template's pieces is the template; what is put in is put in once.
func FuzzTemplate(f *testing.F) {
	f.Add("Dear {event}, {", "{link}")
	f.Add("{{event}}", "<script>")
	f.Fuzz(func(t *testing.T, text, value string) {
		var again strings.Builder
		for _, p := range parse(text) {
			if p.name == "" {
				again.WriteString(p.text)
			} else {
				again.WriteString("{" + p.name + "}")
			}
		}
		if again.String() != text {
			t.Errorf("%q became %q", text, again.String())
		}
		l, err := Template{Subject: text, Text: text}.Write(Values{"event": value, "link": value, "tickets": value}, Frame{Language: "en"})
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(l.Subject, "\r\n\x00\u2028") {
			t.Errorf("the subject is %q", l.Subject)
		}
		z := html.NewTokenizer(strings.NewReader(l.HTML))
		for z.Next() != html.ErrorToken {
			if tag := z.Token(); (tag.Type == html.StartTagToken || tag.Type == html.SelfClosingTagToken) &&
				!slices.Contains([]string{"html", "head", "meta", "title", "style", "body", "div", "h1", "p", "a", "br"}, tag.Data) {
				t.Errorf("%q and %q make a %s", text, value, tag.Data)
			}
		}
	})
}

func TestDatesAndMoneyAreSaidAsTheirReadersSayThem(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 5, 1, 19, 30, 0, 0, time.UTC)
	for _, c := range []struct{ got, want string }{
		{Date("en", at, "Europe/Lisbon"), "Wednesday, 1 May 2030, 20:30"},
		{Date("de", at, "Asia/Tokyo"), "Donnerstag, 2. Mai 2030, 04:30 Uhr"},
		{Date("xx", at, "Nowhere/Else"), "Wednesday, 1 May 2030, 19:30"},
		{Money("en", 4505, "EUR"), "45.05 EUR"}, {Money("de", 5, "EUR"), "0,05 EUR"}, {Money("en", -1200, "EUR"), "-12.00 EUR"}, {Money("en", 4500, "JPY"), "4500 JPY"}, {Money("en", 4500, "KWD"), "4.500 KWD"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestAPreviewIsInItsLanguage(t *testing.T) {
	t.Parallel()
	for lang, want := range map[string]string{"en": "Wednesday, 1 May 2030, 20:00 for 90.00 EUR", "de": "Mittwoch, 1. Mai 2030, 20:00 Uhr for 90,00 EUR"} {
		if l, err := Preview(Confirmation, lang, "Opera", Template{"S", "{date} for {total}"}); err != nil || !strings.Contains(l.Text, want) {
			t.Errorf("%v: %q", err, l.Text)
		}
	}
}

// A preview of a payment's trouble gave the reason of a cancellation, and that in English.
func TestAPreviewGivesAReasonOfItsKind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind       Kind
		lang, want string
	}{
		{Cancellation, "en", "The singer is ill."}, {Cancellation, "de", "Die Sängerin ist krank."},
		{Payment, "en", "Your bank, or your card, has said no."}, {Payment, "de", "Ihre Bank oder Ihre Karte hat abgelehnt."},
	} {
		if l, err := Preview(c.kind, c.lang, "Opera", Template{"S", "{reason}"}); err != nil || l.Text != c.want+"\n\n-- \nOpera\n" {
			t.Errorf("%s in %s: %v %q, want %q", c.kind, c.lang, err, l.Text, c.want)
		}
	}
}

// Who is invited reads in which roles, and no words of programs.
func TestRolesHaveNamesInEveryLanguage(t *testing.T) {
	t.Parallel()
	roles := []string{"organizer", "venue", "boxoffice", "door", "supervisor", "sre", "admin"} // of package people
	seen := map[string]bool{}
	for lang := range ours {
		for _, role := range roles {
			if frames[lang][role] == "" {
				t.Errorf("%s has no name in %s", role, lang)
			}
		}
		seen[Roles(lang, roles)] = true
	}
	if len(seen) != len(ours) || !seen["organizer, venue manager, box office, door staff, door supervisor, operations, administrator"] {
		t.Errorf("they are said %v", seen)
	}
	if got := Roles("de", []string{"boxoffice", "tomorrow's"}); got != "Abendkasse, tomorrow's" {
		t.Errorf("one of later is said %q", got)
	}
}

func TestATimeIsToldByTheClockOfAPlace(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 7, 1, 9, 12, 0, 0, time.UTC)
	for _, c := range []struct{ lang, zone, want string }{{"en", "Europe/Lisbon", "10:12 WEST"}, {"de", "Europe/Berlin", "11:12 Uhr (CEST)"}, {"en", "Mars/Base", "09:12 UTC"}} {
		if got := Clock(c.lang, at, c.zone); got != c.want {
			t.Errorf("in %s, in %s, it is %q, want %q", c.zone, c.lang, got, c.want)
		}
	}
}
