package venue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// list is a list whose reader says which of its members is wrong, and takes no
// member with a name that it does not know.
type list[T thing] []T

// thing has a kind in words.
type thing interface{ kind() string }

func (Section) kind() string { return "section" }
func (Row) kind() string     { return "row" }
func (Seat) kind() string    { return "seat" }
func (Area) kind() string    { return "area" }

// UnmarshalJSON reads the list.
func (l *list[T]) UnmarshalJSON(text []byte) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	*l = make([]T, len(raw))
	for i, r := range raw {
		if err := strict(r, &(*l)[i]); err != nil {
			var named struct{ Name any }
			_ = json.Unmarshal(r, &named) // what is no object has no name
			name, _ := named.Name.(string)
			return &placed{which((*l)[i].kind(), name, i), err}
		}
	}
	return nil
}

// placed is what is wrong with a member of a list.
type placed struct {
	where string
	err   error
}

func (p *placed) Error() string {
	if _, deeper := p.err.(*placed); deeper { //nolint:errorlint // it was made here
		return p.where + ", " + p.err.Error()
	}
	return p.where + ": " + p.err.Error()
}

func (p *placed) Unwrap() error { return p.err }

// strict reads one value and nothing beside it.
func strict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its end")
	}
	return nil
}

// inWords says what is wrong with a text that could not be read. Where it is not
// JSON at all, that is in a line.
func inWords(err error, text []byte) string {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at := min(int(syntax.Offset), len(text))
		return fmt.Sprintf("line %d: it is no JSON: %s", 1+bytes.Count(text[:at], []byte("\n")), syntax)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "it is no JSON: it ends too early"
	}
	words := err.Error()
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		what := "it must"
		if kind.Field != "" {
			what = fmt.Sprintf("%q must", kind.Field)
		}
		words = strings.TrimSuffix(words, kind.Error()) + what + " not be " + article(kind.Value)
	}
	return strings.Replace(words, "json: unknown field", "unknown field", 1)
}

// article puts one before a kind of JSON value.
func article(kind string) string {
	if strings.HasPrefix(kind, "number ") {
		return "the " + kind // it is too large, or not whole
	}
	if strings.ContainsAny(kind[:1], "ao") {
		return "an " + kind
	}
	return "a " + kind
}

// which names one of many: by its name if it has one, else by its number.
func which(kind, name string, i int) string {
	if name == "" {
		return fmt.Sprintf("%s number %d", kind, i+1)
	}
	if len(name) > 3*MaxName {
		name = strings.ToValidUTF8(name[:3*MaxName], "") + "…"
	}
	return fmt.Sprintf("%s %q", kind, name)
}
