package ledger

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxLine bounds a line of a file: an entry's data and what is around it.
const maxLine = 2 * MaxData

// Write writes entries as a file: JSON, a line each.
func Write(w io.Writer, entries []Entry) error {
	out := bufio.NewWriter(w)
	for _, e := range entries {
		line, err := Canonical(e)
		if err != nil {
			return err
		}
		out.Write(line)
		out.WriteByte('\n')
	}
	return out.Flush() // keeps the first error
}

// Read reads a file. It does not say whether the ledger holds: Verify does.
func Read(r io.Reader) ([]Entry, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	var entries []Entry
	for n := 1; lines.Scan(); n++ {
		e, err := Parse(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		entries = append(entries, e)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", len(entries)+1, err)
	}
	return entries, nil
}

// Parse reads one entry.
func Parse(line []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return Entry{}, err
	}
	if e.Seq < 1 || !e.Sale.Valid() || e.Kind == "" {
		return Entry{}, errors.New("no entry of a ledger")
	}
	data, err := object(e.Data)
	if err != nil {
		return Entry{}, fmt.Errorf("data of entry %d: %w", e.Seq, err)
	}
	e.Data = data
	return e, nil
}
