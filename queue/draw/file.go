package draw

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
)

// File is a whole draw as it is published: everything that is needed to check
// it.
type File struct {
	Terms
	Commitment Hash
	Seed       Hash
	Root       Hash
	RootAt     int64              // when it was published, ms since 1970; of a draw with a beacon only
	Value      Hash               // of the beacon
	Places     []ropeline.PlaceID // in drawn order
}

// The versions in a file's first line: without a beacon, and with one.
const (
	format       = "ropeline-draw 1"
	formatBeacon = "ropeline-draw 2"
)

// Bounds of what Read takes: more than the largest line is designed for.
const (
	maxPlaces = 20_000_000
	maxLine   = 1024
)

// Write writes the file: a line a field, an empty line, a line a place.
func (f File) Write(w io.Writer) error {
	out := bufio.NewWriter(w)
	version, rootAt := format, ""
	if f.Beacon != NoBeacon {
		version, rootAt = formatBeacon, fmt.Sprintf("root-at: %d\n", f.RootAt)
	}
	fmt.Fprintf(out, "%s\nsale: %s\nclose: %d\nbeacon-rule: %s\ncommitment: %x\nroot: %x\n%sseed: %x\nbeacon: %x\ncount: %d\n\n",
		version, f.Sale, f.Close, f.Beacon, f.Commitment, f.Root, rootAt, f.Seed, f.Value, len(f.Places))
	for _, id := range f.Places {
		out.WriteString(string(id))
		out.WriteByte('\n')
	}
	return out.Flush() // keeps the first error
}

// Read reads a file strictly: fields in their order, nothing missing, nothing
// behind the last place. It does not say whether the draw holds: Verify does.
func Read(r io.Reader) (File, error) {
	l := lines{in: bufio.NewReaderSize(r, maxLine)}
	var f File
	first := l.next()
	if l.err == nil && first != format && first != formatBeacon {
		return File{}, fmt.Errorf("line 1: want %q or %q", format, formatBeacon)
	}
	f.Sale = ropeline.SaleID(l.field("sale"))
	f.Close = l.integer("close")
	f.Beacon = l.field("beacon-rule")
	if l.err == nil && (first == format) != (f.Beacon == NoBeacon) {
		l.fail("a draw of this version has another beacon rule")
	}
	f.Commitment, f.Root = l.hash("commitment"), l.hash("root")
	if first == formatBeacon {
		f.RootAt = l.integer("root-at")
	}
	f.Seed, f.Value = l.hash("seed"), l.hash("beacon")
	count := l.integer("count")
	if empty := l.next(); l.err == nil && empty != "" {
		l.fail("want an empty line before the places")
	}
	if l.err == nil && (count < 0 || count > maxPlaces) {
		l.fail("the count is out of bounds")
	}
	for range count {
		id := l.next()
		if l.err != nil {
			break
		}
		if id == "" {
			l.fail("a place is missing")
			break
		}
		f.Places = append(f.Places, ropeline.PlaceID(id))
	}
	if l.err == nil {
		if _, err := l.in.ReadByte(); !errors.Is(err, io.EOF) {
			l.fail("there are more lines than the count says")
		}
	}
	if l.err != nil {
		return File{}, l.err
	}
	if !f.Sale.Valid() {
		return File{}, fmt.Errorf("%q is no sale", f.Sale)
	}
	return f, nil
}

// lines reads a file line by line and keeps the first error.
type lines struct {
	in  *bufio.Reader
	n   int
	err error
}

func (l *lines) fail(why string) {
	if l.err == nil {
		l.err = fmt.Errorf("line %d: %s", l.n, why)
	}
}

// next returns a line without its end, which is a single line feed.
func (l *lines) next() string {
	if l.err != nil {
		return ""
	}
	l.n++
	text, err := l.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		l.fail("the line is too long")
	case err != nil:
		l.fail("the file ends here")
	default:
		return string(text[:len(text)-1])
	}
	return ""
}

func (l *lines) field(name string) string {
	value, ok := strings.CutPrefix(l.next(), name+": ")
	if !ok || strings.TrimSpace(value) != value {
		l.fail("want " + name + ": and a value")
	}
	return value
}

// integer takes the one way in which Write writes a number.
func (l *lines) integer(name string) int64 {
	text := l.field(name)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != text {
		l.fail(name + " is no number")
	}
	return n
}

func (l *lines) hash(name string) (h Hash) {
	text := l.field(name)
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(h) || hex.EncodeToString(raw) != text {
		l.fail(name + " is no SHA-256 value in lower-case hexadecimal")
		return h
	}
	return Hash(raw)
}

// Check is one thing that was looked at.
type Check struct {
	What string
	Err  error // nil if it holds
}

// Verify checks everything that a draw promises, in the order in which a fan
// would ask.
func (f File) Verify() []Check {
	sorted := slices.Sorted(slices.Values(f.Places))
	key := Key(f.Seed, f.Root, f.Value)
	return []Check{
		{"the seed is the one that was committed to", differ(Commitment(f.Terms, f.Seed), f.Commitment)},
		{"the beacon has the form that the rule gives it", f.checkBeacon()},
		{"no place is there twice", unique(sorted)},
		{"the places are those of the root: nobody slipped in or out", differ(Root(sorted), f.Root)},
		{"the order is the one that seed and root give", f.checkOrder(key)},
	}
}

func differ(got, want Hash) error {
	if got != want {
		return fmt.Errorf("it comes out as %x, and the file says %x", got, want)
	}
	return nil
}

func (f File) checkBeacon() error {
	switch _, ok := ropeline.ParseBeacon(f.Beacon); {
	case f.Beacon == NoBeacon && f.Value != (Hash{}):
		return errors.New("there is a value although the rule says that there is none")
	case f.Beacon != NoBeacon && !ok:
		return errors.New("the rule is none that a draw can have")
	case f.Beacon != NoBeacon && f.RootAt < f.Close:
		return errors.New("the root was published before the lobby closed")
	}
	return nil
}

// BeaconSource says whose value went into the draw and what its time was: who
// wants to be sure asks the source, or what others have kept of it, for that.
// there is false if it had not come in time, and false, too, without a beacon.
func (f File) BeaconSource() (name string, at time.Time, there bool) {
	b, ok := ropeline.ParseBeacon(f.Beacon)
	if !ok {
		return "", time.Time{}, false
	}
	return b.Name, b.At(time.UnixMilli(f.RootAt)).UTC(), f.Value != (Hash{})
}

func unique(sorted []ropeline.PlaceID) error {
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			return fmt.Errorf("%s is", sorted[i])
		}
	}
	return nil
}

func (f File) checkOrder(key Hash) error {
	for i, id := range Order(key, f.Places) {
		if f.Places[i] != id {
			return fmt.Errorf("place %d should be %s and is %s", i+1, id, f.Places[i])
		}
	}
	return nil
}
