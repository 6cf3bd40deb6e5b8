package insight

import (
	"encoding/csv"
	"io"
	"strings"

	"github.com/ropeline/ropeline/booking/tariff"
)

// table writes CSV by RFC 4180.
type table struct{ w *csv.Writer }

func newTable(w io.Writer, head ...string) (table, error) {
	t := table{csv.NewWriter(w)}
	t.w.UseCRLF = true
	return t, t.w.Write(head)
}

// Harmless is a text as a cell of a table. A spreadsheet takes what begins with one of
// these for a formula, which may read and send what is in other cells; with an apostrophe
// before it is a text. Numbers are no texts: a minus stays one.
func Harmless(text string) string {
	if strings.ContainsAny(text[:min(1, len(text))], "=+-@\t\r\n") || strings.HasPrefix(text, "＝") || strings.HasPrefix(text, "＋") || strings.HasPrefix(text, "－") || strings.HasPrefix(text, "＠") {
		return "'" + text
	}
	return text
}

// money are amounts as people write them, in the currency of their line.
func money(currency string, amounts ...int64) []string {
	cells := make([]string, len(amounts))
	for i, a := range amounts {
		cells[i] = tariff.Decimal(a, currency)
	}
	return cells
}
