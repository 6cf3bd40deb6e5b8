package queue

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/ropeline/ropeline"
)

// Message is what the organizer tells everybody who waits: plain text, in one or
// more languages.
type Message struct {
	Number  int64             `json:"-"`               // of the board when it was posted
	Texts   map[string]string `json:"texts,omitempty"` // by language, BCP 47
	Default string            `json:"default"`         // the language of whoever reads none of the others
	Until   time.Time         `json:"until,omitzero"`  // of the line's clock; zero: until it is replaced
}

// Bounds of a message: it goes to every socket at once.
const (
	maxMessage          = 500 // characters in each language
	maxMessageLanguages = 30
)

// ErrMessageInvalid is a message that nobody could be shown.
var ErrMessageInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "message-invalid", Detail: fmt.Sprintf(
	"A message is plain text of at most %d characters in each of at most %d languages, named by BCP 47 tags, one of which is the default; it may end at a time to come.",
	maxMessage, maxMessageLanguages)}

// Check says what is wrong with a message at a time: ErrMessageInvalid.
func (m Message) Check(now time.Time) error {
	wrong := func(format string, args ...any) error { return ErrMessageInvalid.Because(fmt.Errorf(format, args...)) }
	if len(m.Texts) == 0 || len(m.Texts) > maxMessageLanguages {
		return wrong("%d languages", len(m.Texts))
	}
	if _, ok := m.Texts[m.Default]; !ok {
		return wrong("no text in the default language %q", m.Default)
	}
	if !m.Until.IsZero() && !m.Until.After(now) {
		return wrong("it ended at %s", m.Until)
	}
	for tag, text := range m.Texts {
		if t, err := language.Parse(tag); err != nil || t.String() != tag {
			return wrong("%q is no language tag, or not written as BCP 47 writes it", tag)
		}
		if strings.TrimSpace(text) == "" || !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxMessage ||
			strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
			return wrong("the text in %s", tag)
		}
	}
	return nil
}

// maxAccept bounds how much of an Accept-Language header is read.
const maxAccept = 100

// In returns the text for whoever reads these languages (a value of
// Accept-Language), and its language.
func (m Message) In(accept string) (tag, text string) {
	names := []string{m.Default} // the first is what a matcher falls back on
	for name := range m.Texts {
		if name != m.Default {
			names = append(names, name)
		}
	}
	slices.Sort(names[1:])
	tags := make([]language.Tag, len(names))
	for i, name := range names {
		tags[i] = language.Make(name)
	}
	wanted, _, _ := language.ParseAcceptLanguage(accept[:min(len(accept), maxAccept)])
	_, i, _ := language.NewMatcher(tags).Match(wanted...)
	return names[i], m.Texts[names[i]]
}

// MessageOf is a message of texts without a default: that is English, or else the
// first by its tag.
func MessageOf(texts map[string]string) Message {
	m := Message{Texts: texts, Default: "en"}
	if _, ok := texts["en"]; !ok && len(texts) > 0 {
		m.Default = slices.Min(slices.Collect(maps.Keys(texts)))
	}
	return m
}

// Pause is why the sale is paused in the languages in which that was given, nil
// if it is not, or has one text only. The words on the board are those of the
// limits if they say the same: either may be older after a loss.
func (v *View) Pause() *Message {
	if v.Board == nil || v.Board.Pause == nil || !v.Paused() {
		return nil
	}
	if m := v.Board.Pause; m.Texts[m.Default] == v.Reason {
		return m
	}
	return nil
}

// Message is what the organizer says now, nil if nothing.
func (v *View) Message() *Message {
	if v.Board == nil || v.Board.Message == nil {
		return nil
	}
	if m := v.Board.Message; m.Until.IsZero() || v.Now.Before(m.Until) {
		return m
	}
	return nil
}
