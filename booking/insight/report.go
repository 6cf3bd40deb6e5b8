package insight

import (
	"context"
	"io"
	"strconv"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"github.com/jackc/pgx/v5"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/tariff"
)

// mostReported is how many performances a report has at most: 1,000 are 30 pages.
const mostReported = 1000

// ErrReport refuses a report of more.
var ErrReport = &ropeline.Error{Kind: ropeline.Invalid, Code: "report-long", Detail: "A report has 1,000 performances at most: take the sales one by one."}

// reportHead names the columns of a report.
var reportHead = []string{"Performance", "Orders", "Taken", "Given back", "Fee", "Tax", "Net"}

// Report writes what performances came to, one by one and in all, to be printed. It is what
// their settlements say at one instant.
func (s *Store) Report(ctx context.Context, of []Show, title string) (*File, error) {
	if len(of) > mostReported {
		return nil, ErrReport
	}
	return s.write(ctx, "report.pdf", func(ctx context.Context, w io.Writer) error {
		var sums []order.PerformanceSettlement
		at := s.now().UTC()
		err := s.snapshot(ctx, "writing a report of", ids(of), func(tx pgx.Tx) (err error) {
			sums, err = order.SettleAll(ctx, tx, ids(of))
			return err
		})
		if err != nil {
			return err
		}
		if err := printed(title, at, reportLines(of, sums)).Output(w); err != nil {
			return away("writing a report of", ids(of), err)
		}
		return nil
	})
}

// reportLine is a line of a report; a heading's is bold.
type reportLine struct {
	bold  bool
	cells []string
}

// reportLines are a line for each performance and currency, and one for each currency in all.
func reportLines(of []Show, sums []order.PerformanceSettlement) (lines []reportLine) {
	came := map[ropeline.PerformanceID][]order.Settlement{}
	var all []order.Settlement
	for _, p := range sums {
		came[p.Performance] = append(came[p.Performance], p.Settlement)
		all = plus(all, p.Settlement)
	}
	for _, p := range of {
		name := p.Title + ", " + p.StartsAt.UTC().Format("2006-01-02 15:04 MST") + ", " + p.Venue
		if len(came[p.ID]) == 0 {
			lines = append(lines, reportLine{false, []string{name, "0", "–", "–", "–", "–", "–"}})
		}
		for _, t := range came[p.ID] {
			lines = append(lines, reportLine{false, append([]string{name}, reportCells(t)...)})
		}
	}
	for _, t := range all {
		lines = append(lines, reportLine{true, append([]string{"In all, " + t.Currency}, reportCells(t)...)})
	}
	return lines
}

func plus(all []order.Settlement, t order.Settlement) []order.Settlement {
	for i := range all {
		if all[i].Currency == t.Currency {
			all[i] = all[i].Plus(t)
			return all
		}
	}
	return append(all, t)
}

func reportCells(t order.Settlement) []string {
	cells := []string{strconv.Itoa(t.Orders)}
	for _, n := range []int64{t.Taken + t.Cash + t.Terminal + t.Exchanged, t.Refunded + t.ToRefund + t.Disputed + t.Charged, t.Fee, t.Tax, t.Net} {
		cells = append(cells, tariff.Decimal(n, t.Currency)+" "+t.Currency)
	}
	return cells
}

// Of an A4 page on its side, in millimeters: 277 between the margins.
var reportWidths = []float64{103, 19, 34, 34, 27, 27, 33}

const (
	rowHeight = 6.0
	lastRow   = 190.0
)

// printed lays a report out. The fonts know Latin, Greek and Cyrillic letters; what they do not
// know is an empty box.
func printed(title string, at time.Time, lines []reportLine) *fpdf.Fpdf {
	f := fpdf.New("L", "mm", "A4", "")
	f.AddUTF8FontFromBytes("go", "", goregular.TTF)
	f.AddUTF8FontFromBytes("go", "B", gobold.TTF)
	f.SetTitle(plain(title), true)
	f.SetCreationDate(at)
	f.SetLang("en")
	f.SetAutoPageBreak(false, 0)
	f.AliasNbPages("{pages}")
	f.SetFooterFunc(func() {
		f.SetY(-12)
		f.SetFont("go", "", 8)
		f.CellFormat(0, 5, "As of "+at.Format("2006-01-02 15:04:05 MST")+" · page "+strconv.Itoa(f.PageNo())+" of {pages}", "", 0, "R", false, 0, "")
	})
	begin := func() {
		f.AddPage()
		f.SetFont("go", "B", 14)
		f.CellFormat(0, 10, fitted(f, title, 277), "", 1, "L", false, 0, "")
		row(f, reportLine{true, reportHead})
	}
	begin()
	for _, l := range lines {
		if f.GetY()+rowHeight > lastRow {
			begin()
		}
		row(f, l)
	}
	return f
}

func row(f *fpdf.Fpdf, l reportLine) {
	style := ""
	if l.bold {
		style = "B"
	}
	f.SetFont("go", style, 9)
	for i, text := range l.cells {
		align := "R"
		if i == 0 {
			align = "L"
		}
		f.CellFormat(reportWidths[i], rowHeight, fitted(f, text, reportWidths[i]-2), "B", 0, align, false, 0, "")
	}
	f.Ln(rowHeight)
}

// fitted cuts a text that is wider than it may be. Amounts of the widest are not.
func fitted(f *fpdf.Fpdf, text string, width float64) string {
	text = plain(text)
	if f.GetStringWidth(text) <= width {
		return text
	}
	runes := []rune(text)
	for len(runes) > 0 && f.GetStringWidth(string(runes)+"…") > width {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}

// plain is a text without what the library cannot write, and without line breaks.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r == 0x7f:
			return ' '
		case r > 0xffff:
			return '\ufffd'
		}
		return r
	}, text)
}
