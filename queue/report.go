package queue

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// keyReports is a hash from edges to what each last said of itself.
const keyReports = "ropeline:{edges}:reports"

//go:embed lua/report.lua
var reportSource string
var reportScript = newScript("report", reportSource)

//go:embed lua/reports.lua
var reportsSource string
var reportsScript = newScript("reports", reportsSource)

// Report is what an edge says of itself once a second, for the staff.
type Report struct {
	Edge string        `json:"edge"` // its name among the edges, new with each start
	Host string        `json:"host"` // where it runs
	Age  time.Duration `json:"-"`    // how long ago it said so, by Redis's clock

	StartedAt   time.Time `json:"started_at"`
	Sockets     int64     `json:"sockets"`
	SocketsMost int64     `json:"sockets_most"`
	Rooms       int       `json:"rooms"` // sales that it follows
	Away        int       `json:"away"`  // those of them whose line it does not hear of
	Shedding    bool      `json:"shedding"`
}

// Edge is the name of this process among the edges, new with each start.
func (s *Store) Edge() string { return s.edge }

// SayReport keeps what this edge says of itself.
func (s *Store) SayReport(ctx context.Context, r Report) error {
	r.Edge = s.edge
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("writing a report: %w", err)
	}
	_, err = s.run(ctx, reportScript, []string{keyReports}, s.edge, text)
	return err
}

// EndReports takes this edge off, which ends in good order.
func (s *Store) EndReports(ctx context.Context) error {
	_, err := s.run(ctx, reportScript, []string{keyReports}, s.edge, "")
	return err
}

// Reports returns what every edge last said of itself, by host and name. An edge
// that died is among them for ten minutes or more.
func (s *Store) Reports(ctx context.Context) ([]Report, error) {
	reply, err := s.run(ctx, reportsScript, []string{keyReports})
	if err != nil {
		return nil, err
	}
	var r reader
	r.fields, _ = reply.([]any)
	now := r.integer()
	reports := []Report{}
	for len(r.fields) > 0 {
		_ = r.text() // the edge, which is in the report as well
		at, doc, _ := strings.Cut(r.text(), " ")
		ms, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("reading a report: %w", err)
		}
		var report Report
		if err := json.Unmarshal([]byte(doc), &report); err != nil {
			return nil, fmt.Errorf("reading a report: %w", err)
		}
		report.Age = max(0, time.Duration(now)*time.Microsecond-time.Duration(ms)*time.Millisecond)
		reports = append(reports, report)
	}
	slices.SortFunc(reports, func(a, b Report) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Edge, b.Edge)) })
	return reports, r.failed("reports")
}
