package insight

import (
	"context"
	"strings"
	"time"

	"github.com/ropeline/ropeline/booking/order"
)

// What tests have to see.
const (
	MostPoints  = mostPoints
	MostCounted = mostCounted
	Pace        = pace
)

func SpanOf(from, to time.Time) int { return spanOf(from, to) }

func (c *Counter) Write(ctx context.Context) { c.write(ctx) }

// ReportLines are the lines of a report, their cells divided by bars.
func ReportLines(of []Show, sums []order.PerformanceSettlement) (lines []string) {
	for _, l := range reportLines(of, sums) {
		lines = append(lines, strings.Join(l.cells, "|"))
	}
	return lines
}
