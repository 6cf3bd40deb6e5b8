package venue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/ropeline/ropeline"
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
			return &placed{(*l)[i].kind(), name, i, err}
		}
	}
	return nil
}

// placed is what is wrong with a member of a list.
type placed struct {
	kind, name string
	i          int
	err        error
}

func (p *placed) Error() string {
	where := which(p.kind, p.name, p.i)
	if _, deeper := p.err.(*placed); deeper { //nolint:errorlint // it was made here
		return where + ", " + p.err.Error()
	}
	return where + ": " + p.err.Error()
}

func (p *placed) Unwrap() error { return p.err }

// pointerOf says where an error of reading is, as far as it is in a list.
func pointerOf(err error) string {
	p, ok := errors.AsType[*placed](err)
	if !ok {
		return ""
	}
	return member(p.kind, p.i) + pointerOf(p.err)
}

// member points to one of a list, whose name is the plural of a kind.
func member(kind string, i int) string {
	list := kind + "s"
	if kind == "category" {
		list = "categories"
	}
	return "/" + list + "/" + strconv.Itoa(i)
}

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

// unread says what is wrong with a text that could not be read. Where it is not JSON at
// all, that is in a line.
func unread(err error, text []byte) ropeline.Fault {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		line := lineOf(text, min(syntax.Offset, int64(len(text))))
		return ropeline.Fault{Detail: fmt.Sprintf("line %d: it is no JSON: %s", line, syntax), Line: line}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return ropeline.Fault{Detail: "it is no JSON: it ends too early", Line: lineOf(text, int64(len(text)))}
	}
	faults := Faults{{Detail: inWords(err), Pointer: pointerOf(err)}}
	faults.locate(text)
	return faults[0]
}

// lineOf counts from 1.
func lineOf(text []byte, offset int64) int { return 1 + bytes.Count(text[:offset], []byte("\n")) }

// locate finds the lines of faults by their pointers, in a text that is JSON. It reads it
// once more, which takes half a second of the largest there are.
func (f Faults) locate(text []byte) {
	wanted := map[string][]int{}
	for i := range f {
		if f[i].Pointer != "" {
			wanted[f[i].Pointer] = append(wanted[f[i].Pointer], i)
		}
	}
	if len(wanted) == 0 {
		return
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	_ = walk(d, nil, func(path []byte) {
		for _, i := range wanted[string(path)] {
			f[i].Line = lineOf(text, d.InputOffset())
		}
	})
}

// walk calls at the beginning of each value, with the pointer to it. Names are read as
// encoding/json takes them, in any case. All calls share what path is written in.
func walk(d *json.Decoder, path []byte, begin func(path []byte)) error {
	opening, err := d.Token()
	if err != nil {
		return err
	}
	begin(path)
	if opening != json.Delim('{') && opening != json.Delim('[') {
		return nil
	}
	for i := 0; d.More(); i++ {
		below := append(path, '/')
		if opening == json.Delim('[') {
			below = strconv.AppendInt(below, int64(i), 10)
		} else {
			name, err := d.Token()
			if err != nil {
				return err
			}
			text, _ := name.(string)
			below = append(below, strings.ToLower(text)...)
		}
		if err := walk(d, below, begin); err != nil {
			return err
		}
	}
	_, err = d.Token() // the end
	return err
}

// inWords says what is wrong with a value.
func inWords(err error) string {
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
