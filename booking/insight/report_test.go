package insight_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline/booking/insight"
	"github.com/ropeline/ropeline/booking/order"
)

// A report says what the settlements say, in each currency and in all.
func TestAReportAddsUp(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 24, 20, 0, 0, 0, time.UTC)
	shows := []insight.Show{{ID: "a", Title: "Gala", Venue: "Opera", StartsAt: at}, {ID: "b", Title: "Gala", Venue: "Arena", StartsAt: at}, {ID: "c", Title: "Nothing sold", Venue: "Opera", StartsAt: at}}
	sum := func(currency string, taken, cash, refunded, fee, tax int64) order.Settlement {
		return order.Settlement{}.Plus(order.Settlement{Currency: currency, Orders: 2, Taken: taken, Cash: cash, Refunded: refunded, Fee: fee, Tax: tax}) // which sums it
	}
	named := func(s order.Settlement, currency string) order.Settlement { s.Currency = currency; return s }
	lines := insight.ReportLines(shows, []order.PerformanceSettlement{
		{Performance: "a", Settlement: named(sum("EUR", 10_000, 500, 2_000, 250, 600), "EUR")}, {Performance: "b", Settlement: named(sum("EUR", 1, 0, 0, 0, 0), "EUR")},
		{Performance: "b", Settlement: named(sum("JPY", 4500, 0, 0, 0, 0), "JPY")},
	})
	want := []string{
		"Gala, 2026-12-24 20:00 UTC, Opera|2|105.00 EUR|20.00 EUR|2.50 EUR|6.00 EUR|76.50 EUR",
		"Gala, 2026-12-24 20:00 UTC, Arena|2|0.01 EUR|0.00 EUR|0.00 EUR|0.00 EUR|0.01 EUR",
		"Gala, 2026-12-24 20:00 UTC, Arena|2|4500 JPY|0 JPY|0 JPY|0 JPY|4500 JPY",
		"Nothing sold, 2026-12-24 20:00 UTC, Opera|0|–|–|–|–|–",
		"In all, EUR|4|105.01 EUR|20.00 EUR|2.50 EUR|6.00 EUR|76.51 EUR",
		"In all, JPY|2|4500 JPY|0 JPY|0 JPY|0 JPY|4500 JPY",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("the lines are\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

// Whatever performances are called, the report is a whole PDF of as many pages as it takes.
func TestAReportIsWhole(t *testing.T) {
	t.Parallel()
	b := open(t)
	m := b.sale()
	b.sold(m, 1, "a@example.org", "paid", "EUR", entry{"placed", 4500, ""}, entry{"captured", 4500, ""})
	one := b.of(insight.Scope{Performance: m.ID})[0]
	var many []insight.Show
	for range 100 {
		for _, title := range []string{"Gala", "Ω Ж ü ł", "🎫 שלום 你好 \u202e", "a\nb\x7f\tc", strings.Repeat("W", 300), ") Tj ET /JS (alert(1)"} {
			p := one
			p.Title = title
			many = append(many, p)
		}
	}
	f, err := b.Report(t.Context(), many, strings.Repeat("Tour ", 100)+"🎫")
	b.must(err)
	text, err := io.ReadAll(f)
	b.must(err)
	b.must(f.Close())
	if !bytes.HasPrefix(text, []byte("%PDF-")) || !bytes.HasSuffix(bytes.TrimSpace(text), []byte("%%EOF")) || int64(len(text)) != f.Size {
		t.Errorf("%d bytes, of %d, from %.10q to %.10q", len(text), f.Size, text, text[len(text)-10:])
	}
	if pages := bytes.Count(text, []byte("<</Type /Page\n")); pages < 15 || pages > 30 {
		t.Errorf("600 lines are on %d pages", pages)
	}
	if bytes.Contains(text, []byte("/JS")) {
		t.Error("a title is a script of the report")
	}
	if _, err := b.Report(t.Context(), make([]insight.Show, 1001), "x"); !errors.Is(err, insight.ErrReport) {
		t.Errorf("a report of 1,001 performances: %v", err)
	}
}
