package wording

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// Kind is what a letter is about.
type Kind string

// The kinds of letters. Those of orders, of what is changed and of tickets that change
// hands an organizer may word in their own way; those of accounts and of messages are the installation's.
const (
	Confirmation Kind = "confirmation"
	Cancellation Kind = "cancellation"
	Refund       Kind = "refund"
	Changed      Kind = "change"
	Postponed    Kind = "postponement"
	CalledOff    Kind = "called-off"
	Reminder     Kind = "reminder"
	Opening      Kind = "opening"
	Turn         Kind = "turn-near"
	Payment      Kind = "payment"       // that it has not gone through, to who may still pay
	RefundFailed Kind = "refund-failed" // that money could not be given back
	Dispute      Kind = "dispute"       // that the buyer's bank wants the money back

	Offered Kind = "transfer" // a ticket, to who may accept it
	Given   Kind = "given"    // that they have, to who gave it

	Confirm Kind = "account-confirm"
	Reset   Kind = "account-reset"
	Email   Kind = "account-email"
	Invited Kind = "account-invited"
	Left    Kind = "account-left"
	Exists  Kind = "account-exists"

	PhoneCode Kind = "phone-code" // a text message; its subject is nowhere

	Newsletter Kind = "newsletter-confirm"
	Wished     Kind = "wish-confirm" // to be told when a sale opens

	PostShown    Kind = "post-shown" // to who wrote it
	PostRefused  Kind = "post-refused"
	PostAnswered Kind = "post-answered"
)

// placeholders are what may stand in a letter of each kind.
var placeholders = map[Kind][]string{
	Confirmation: {"event", "venue", "date", "tickets", "total", "order", "link", "organization"},
	Cancellation: {"event", "venue", "date", "tickets", "order", "reason", "link", "organization"},
	Refund:       {"event", "amount", "order", "link", "organization"},
	Changed:      {"event", "venue", "date", "before", "order", "link", "organization"},
	Postponed:    {"event", "venue", "date", "order", "link", "organization"},
	CalledOff:    {"event", "venue", "date", "order", "link", "organization"},
	Reminder:     {"event", "venue", "date", "doors", "tickets", "order", "link", "organization"},
	Opening:      {"event", "venue", "date", "lobby", "opens", "link", "organization"},
	Turn:         {"event", "venue", "date", "link", "organization"},

	Payment:      {"event", "venue", "date", "tickets", "total", "reason", "until", "link", "organization"},
	RefundFailed: {"event", "amount", "order", "link", "organization"},
	Dispute:      {"event", "amount", "order", "link", "organization"},

	Offered: {"event", "venue", "date", "tickets", "giver", "link", "organization"},
	Given:   {"event", "tickets", "holder", "link", "organization"},

	Confirm: {"site", "link"},
	Reset:   {"site", "link"},
	Email:   {"site", "link"},
	Invited: {"site", "link", "organization", "roles"},
	Left:    {"site"},
	Exists:  {"site", "link"},

	PhoneCode: {"site", "code"},

	Newsletter: {"organization", "link"},
	Wished:     {"event", "link"},

	PostShown:    {"event", "link", "organization"},
	PostRefused:  {"event", "reason", "link", "organization"},
	PostAnswered: {"event", "answer", "link", "organization"},
}

// editable are the kinds that organizers may word.
var editable = []Kind{Confirmation, Cancellation, Refund, Changed, Postponed, CalledOff, Reminder, Opening, Turn, Payment, RefundFailed, Dispute, Offered, Given}

// MostSubject and MostText bound a template, in characters.
const (
	MostSubject = 150
	MostText    = 5000
)

// Refusals of a template.
var (
	ErrUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "wording-unknown", Detail: "There is no such letter, or not in this language."}
	ErrInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "wording-invalid"}
)

func invalid(pointer, format string, args ...any) error {
	e := *ErrInvalid
	e.Detail = fmt.Sprintf(format, args...)
	e.Faults = []ropeline.Fault{{Detail: e.Detail, Pointer: pointer}}
	return &e
}

// Template is what a letter says, before anything is put in.
type Template struct {
	Subject string `json:"subject" doc:"1 to 150 characters in one line, with placeholders as {event}"`
	Text    string `json:"text" doc:"1 to 5,000 characters, of several lines, with placeholders; no markup. A paragraph that is {link} alone is shown as a button"`
}

// Normal is a template as it is kept. A line that ends as Windows has it is one.
func (t Template) Normal() Template {
	t.Subject, t.Text = strings.TrimSpace(t.Subject), strings.TrimSpace(strings.ReplaceAll(t.Text, "\r\n", "\n"))
	return t
}

// Validate refuses what is no template of a kind. It says where, by a JSON pointer.
func (t Template) Validate(k Kind) error {
	if n := utf8.RuneCountInString(t.Subject); n == 0 || n > MostSubject || !booking.IsPlain(t.Subject) {
		return invalid("/subject", "A subject has 1 to %d characters that can be printed, in one line.", MostSubject)
	}
	odd := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
	if n := utf8.RuneCountInString(t.Text); n == 0 || n > MostText || !utf8.ValidString(t.Text) || strings.ContainsFunc(t.Text, odd) {
		return invalid("/text", "A text has 1 to %d characters that can be printed, in lines.", MostText)
	}
	for _, part := range []struct{ pointer, text string }{{"/subject", t.Subject}, {"/text", t.Text}} {
		for _, p := range parse(part.text) {
			if p.name != "" && !slices.Contains(placeholders[k], p.name) {
				return invalid(part.pointer, "There is no placeholder {%s} in this letter. There are: {%s}.", p.name, strings.Join(placeholders[k], "}, {"))
			}
		}
	}
	for _, p := range parse(t.Subject) {
		if p.name == "link" || p.name == "tickets" {
			return invalid("/subject", "{%s} does not fit into a subject.", p.name)
		}
	}
	return nil
}

// piece is a part of a template: a text, or the name of a placeholder.
type piece struct{ text, name string }

// parse takes a template apart. A brace that begins no placeholder is a brace.
func parse(t string) (all []piece) {
	text := 0 // where it begins
	for i := 0; i < len(t); i++ {
		if t[i] != '{' {
			continue
		}
		end := i + 1
		for end < len(t) && (t[end] >= 'a' && t[end] <= 'z' || t[end] == '_') {
			end++
		}
		if end == i+1 || end == len(t) || t[end] != '}' {
			continue
		}
		if i > text {
			all = append(all, piece{text: t[text:i]})
		}
		all = append(all, piece{name: t[i+1 : end]})
		i, text = end, end+1
	}
	if text < len(t) {
		all = append(all, piece{text: t[text:]})
	}
	return all
}

//go:embed texts/*.txt
var files embed.FS

// ours are the texts of an installation, by language.
var ours = read()

// read reads them. They are part of the program: what is wrong with one is found by any test.
func read() map[string]map[Kind]Template {
	all := map[string]map[Kind]Template{}
	names, err := files.ReadDir("texts")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		text, err := files.ReadFile("texts/" + name.Name())
		if err != nil {
			panic(err)
		}
		all[strings.TrimSuffix(name.Name(), ".txt")] = sections(string(text))
	}
	return all
}

// sections reads a file of texts: "== kind", the subject, an empty line, the text.
func sections(file string) map[Kind]Template {
	all := map[Kind]Template{}
	for _, section := range strings.Split("\n"+file, "\n== ")[1:] {
		kind, rest, _ := strings.Cut(section, "\n")
		subject, text, _ := strings.Cut(rest, "\n\n")
		all[Kind(kind)] = Template{subject, text}.Normal()
	}
	return all
}

// Languages are those that there are texts in; the first is that of who says none.
func Languages() []string {
	rest := slices.Sorted(maps.Keys(ours))
	return append([]string{"en"}, slices.DeleteFunc(rest, func(l string) bool { return l == "en" })...)
}

var matcher = language.NewMatcher(func() (tags []language.Tag) {
	for _, l := range Languages() {
		tags = append(tags, language.MustParse(l))
	}
	return tags
}())

// Choose is the language, of those that there are, that somebody reads best who wishes for
// these, in this order: as BCP 47, or as a browser says it.
func Choose(wishes ...string) string {
	_, i := language.MatchStrings(matcher, wishes...)
	return Languages()[i]
}

// Ours is the installation's text of a kind in a language.
func Ours(k Kind, lang string) (Template, error) {
	t, ok := ours[lang][k]
	if !ok {
		return Template{}, ErrUnknown
	}
	return t, nil
}
