// Package venue knows what a seat map is: sections of rows of seats, areas to
// stand in, and to which price category each of them belongs. It reads and writes
// the JSON in which organizers keep one, and says what is wrong with it, by
// section, row and seat.
//
// The one hard idea is the numbering (Layout). A performance has no record of a
// unit, only its number, and everything that is fast about holds rests on that:
// a tier is one run of numbers, and seats are neighbors exactly if they are in one
// Run with numbers that follow each other. A row is cut into several runs where an
// aisle or another category comes in between. The same map gives the same numbers.
//
// The package knows no prices, performances or database.
package venue

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/ropeline/ropeline"
)

// Format names the version of the JSON.
const Format = "ropeline-venue/1"

// Map is a venue's seat map. Its JSON is described in docs/venues.md.
type Map struct {
	Format     string        `json:"format"`
	Name       string        `json:"name"`
	Categories []string      `json:"categories"` // of price, in the order in which they are shown
	Sections   list[Section] `json:"sections"`
	Areas      list[Area]    `json:"areas"`
}

// Section is a part of the house that people know by a name.
type Section struct {
	Name     string    `json:"name"`
	Category string    `json:"category"` // of its seats, unless they say another
	Rows     list[Row] `json:"rows"`
}

// Row is a row of seats, in the order in which they stand.
type Row struct {
	Name     string     `json:"name"`
	Category string     `json:"category,omitempty"`
	Rank     int        `json:"rank,omitempty"` // best available takes the lowest first
	Seats    list[Seat] `json:"seats"`
}

// Seat lies at X, Y, in seat widths; the stage is where Y is small.
type Seat struct {
	Name       string  `json:"name"`
	X          float64 `json:"x"`
	Y          float64 `json:"y"`
	Category   string  `json:"category,omitempty"`
	Aisle      bool    `json:"aisle,omitempty"`      // between it and the seat before: they are no neighbors
	Accessible bool    `json:"accessible,omitempty"` // a place for a wheelchair
	Companion  bool    `json:"companion,omitempty"`  // for who comes with somebody in one
	Restricted bool    `json:"restricted,omitempty"` // the view of the stage is
}

// Area is where people stand, or sit where they like.
type Area struct {
	Name     string  `json:"name"`
	Category string  `json:"category"`
	Places   int     `json:"places"`
	X        float64 `json:"x"`
	Y        float64 `json:"y"`
	Width    float64 `json:"width"`
	Height   float64 `json:"height"`
}

// ErrInvalid answers a map that cannot be used; its cause is Faults.
var ErrInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "venue-invalid"}

// MaxBytes bounds the JSON of a map: 200,000 seats are about 12 MB.
const MaxBytes = ropeline.MaxDocument

// Read reads a map that can be used, or says what is wrong with it.
func Read(r io.Reader) (Map, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return Map{}, fmt.Errorf("reading a seat map: %w", err)
	}
	if len(text) > MaxBytes {
		return Map{}, Faults{{Detail: fmt.Sprintf("it has more than %d bytes", MaxBytes)}}.refuse()
	}
	return Parse(text)
}

// Parse is Read of a text.
func Parse(text []byte) (Map, error) {
	var m Map
	if err := strict(text, &m); err != nil {
		return Map{}, Faults{unread(err, text)}.refuse()
	}
	m.plainZeros()
	if faults := m.faults(); len(faults) > 0 {
		faults.locate(text)
		return m, faults.refuse()
	}
	return m, nil
}

// plainZeros makes -0, which Postgres does not know, 0.
func (m Map) plainZeros() {
	for _, s := range m.Sections {
		for _, r := range s.Rows {
			for i := range r.Seats {
				r.Seats[i].X, r.Seats[i].Y = r.Seats[i].X+0, r.Seats[i].Y+0
			}
		}
	}
	for i := range m.Areas {
		a := &m.Areas[i]
		a.X, a.Y, a.Width, a.Height = a.X+0, a.Y+0, a.Width+0, a.Height+0
	}
}

// Text writes a map as Read reads it, a seat a line, so that people can compare
// two of them. What Read has read is written in the same way each time.
func (m Map) Text() ([]byte, error) {
	w := &writer{}
	w.open("", struct {
		Format     string   `json:"format"`
		Name       string   `json:"name"`
		Categories []string `json:"categories"`
	}{m.Format, m.Name, append([]string{}, m.Categories...)}, "sections")
	for i, s := range m.Sections {
		w.next(i, "  ")
		w.open("  ", struct {
			Name     string `json:"name"`
			Category string `json:"category"`
		}{s.Name, s.Category}, "rows")
		for i, r := range s.Rows {
			w.next(i, "    ")
			w.open("    ", struct {
				Name     string `json:"name"`
				Category string `json:"category,omitempty"`
				Rank     int    `json:"rank,omitempty"`
			}{r.Name, r.Category, r.Rank}, "seats")
			for i, seat := range r.Seats {
				w.next(i, "      ")
				w.value(seat)
			}
			w.b.WriteString("]}")
		}
		w.b.WriteString("]}")
	}
	w.b.WriteString("],\n\"areas\":[")
	for i, a := range m.Areas {
		w.next(i, "  ")
		w.value(a)
	}
	w.b.WriteString("]}\n")
	return w.b.Bytes(), w.err
}

// writer writes values of JSON, each on a line of its own.
type writer struct {
	b   bytes.Buffer
	err error // the first
}

func (w *writer) value(v any) {
	enc := json.NewEncoder(&w.b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil && w.err == nil {
		w.err = fmt.Errorf("writing a seat map: %w", err)
	}
	w.b.Truncate(len(bytes.TrimRight(w.b.Bytes(), "\n")))
}

// open writes an object and leaves it open in its last member, a list.
func (w *writer) open(indent string, head any, list string) {
	w.value(head)
	w.b.Truncate(len(bytes.TrimSuffix(w.b.Bytes(), []byte("}"))))
	if indent == "" {
		w.b.WriteString(",\n")
	} else {
		w.b.WriteByte(',')
	}
	w.b.WriteString(`"` + list + `":[`)
}

// next begins the i-th member of a list.
func (w *writer) next(i int, indent string) {
	if i > 0 {
		w.b.WriteByte(',')
	}
	w.b.WriteString("\n" + indent)
}
