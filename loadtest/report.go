package loadtest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// Report is what a run found out.
type Report struct {
	Profile  string    `json:"profile"`
	Seed     uint64    `json:"seed"`
	Began    time.Time `json:"began"`
	Seconds  float64   `json:"seconds"` // from the first arrival to the last fan's going
	Fans     int       `json:"fans"`
	Units    int       `json:"units"`
	Offers   int       `json:"offers"`
	Sessions int       `json:"sessions"`
	Orders   int       `json:"orders"`
	Sold     int       `json:"sold"` // units

	AdmittedPerSecond float64 `json:"admitted_per_second"` // from the opening to the last offer
	RequestsPerSecond float64 `json:"requests_per_second"`

	Steps    int            `json:"steps,omitempty"` // of the profile, done in the middle
	Outage   *Outage        `json:"outage,omitempty"`
	Ends     map[string]int `json:"ends"`
	Counts   map[string]int `json:"counts"`
	Answers  map[string]int `json:"answers"`
	Spans    []Span         `json:"spans"`
	Verdicts []Verdict      `json:"invariants"`
	Passed   bool           `json:"passed"`
}

// Span is how long one thing took, in milliseconds.
type Span struct {
	Name  string  `json:"name"`
	Count int64   `json:"count"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// Outage is a crash in the middle of a run, and what was there across it.
type Outage struct {
	From    Moment `json:"from_ns"`
	To      Moment `json:"to_ns"`
	Waiting int    `json:"waiting"` // fans who stood in the line when it began, and did not leave
	Kept    int    `json:"kept"`    // of these, how many had their turn afterwards
	Orders  int    `json:"orders"`  // confirmed by then
}

// count fills in what the fans saw.
func (o *Outage) count(fans []History) {
	for _, h := range fans {
		if h.Join.Answered != 0 && h.Join.Answered < o.From && !h.left() && (h.Offer == 0 || h.OfferedAt > o.From) {
			o.Waiting++
			if h.offered() {
				o.Kept++
			}
		}
		for _, a := range h.Attempts {
			if a.Outcome == Confirmed && a.ConfirmedAt < o.From {
				o.Orders++
			}
		}
	}
}

// report sums the evidence up.
func (r *run) report(e Evidence, lasted Moment) *Report {
	rep := &Report{Profile: r.Profile.Name, Seed: r.Seed, Began: r.clock.start.UTC(), Seconds: lasted.Seconds(),
		Fans: len(e.Fans), Units: r.hall.plan.units(), Ends: map[string]int{}, Counts: r.meter.counts, Answers: r.meter.statuses,
		Spans: r.meter.summary(), Verdicts: Judge(e, r.Profile.Promised())}
	rep.Passed = Passed(rep.Verdicts)
	rep.Steps = r.done
	for _, h := range e.Fans {
		rep.Ends[h.End]++
		rep.Sessions += len(h.Sessions)
		if h.Offer != 0 {
			rep.Offers++
		}
		for _, a := range h.Attempts {
			if a.Outcome == Confirmed {
				rep.Orders++
				rep.Sold += len(a.Units)
			}
		}
		if h.Skipped > 0 {
			rep.Counts["positions not kept"] += h.Skipped
		}
	}
	if r.outage != nil {
		r.outage.count(e.Fans)
		rep.Outage = r.outage
	}
	moving := Moment(r.hall.board.lastOffer.Load()) - max(0, r.clock.at(r.hall.about.Status.OpensAt))
	if moving > 0 {
		rep.AdmittedPerSecond = float64(rep.Sessions) / moving.Seconds()
	}
	rep.RequestsPerSecond = float64(e.Faults.Answers) / lasted.Seconds()
	return rep
}

// summary reads the percentiles.
func (m *meter) summary() []Span {
	var spans []Span
	for _, name := range spanNames {
		h := m.spans[name]
		ms := func(percent float64) float64 { return float64(h.ValueAtPercentile(percent)) / 1000 }
		if h.TotalCount() > 0 {
			spans = append(spans, Span{name, h.TotalCount(), ms(50), ms(90), ms(99), float64(h.Max()) / 1000})
		}
	}
	return spans
}

// JSON writes the report for programs.
func (r *Report) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// Text writes the report for people.
func (r *Report) Text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "profile %s, seed %d: %d fans for %d units, %.1f s\n", r.Profile, r.Seed, r.Fans, r.Units, r.Seconds)
	fmt.Fprintf(t, "%d offers seen, %d sessions (%.1f a second), %d orders of %d units, %.0f requests a second, %d frames\n\n",
		r.Offers, r.Sessions, r.AdmittedPerSecond, r.Orders, r.Sold, r.RequestsPerSecond, r.Counts["frames"])

	if o := r.Outage; o != nil {
		fmt.Fprintf(t, "killed at %.1f s with %d orders confirmed, back %.1f s later; %d of %d waiting fans had their turn afterwards\n\n",
			o.From.Seconds(), o.Orders, (o.To - o.From).Seconds(), o.Kept, o.Waiting)
	}
	fmt.Fprintln(t, "how it went\tfans")
	for _, end := range byCount(r.Ends) {
		fmt.Fprintf(t, "  %s\t%d\n", end, r.Ends[end])
	}
	fmt.Fprintln(t, "\nmilliseconds\tcount\tp50\tp90\tp99\tmax")
	for _, s := range r.Spans {
		fmt.Fprintf(t, "  %s\t%d\t%.1f\t%.1f\t%.1f\t%.1f\n", s.Name, s.Count, s.P50, s.P90, s.P99, s.Max)
	}
	fmt.Fprintln(t, "\nanswers other than success\ttimes")
	for _, line := range byCount(r.Answers) {
		if !successful(line) {
			fmt.Fprintf(t, "  %s\t%d\n", line, r.Answers[line])
		}
	}
	fmt.Fprintln(t, "\ninvariant\tstate\tfacts\t")
	for _, v := range r.Verdicts {
		state := string(v.State)
		if !v.Promised {
			state += ", not promised"
		}
		fmt.Fprintf(t, "  %s\t%s\t%d\t%s\n", v.Name, state, v.Facts, v.remark())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, v := range r.Verdicts {
		for _, x := range v.Examples {
			fmt.Fprintf(w, "  %s: %s\n", v.Name, x)
		}
	}
	_, err := fmt.Fprintf(w, "\n%s\n", map[bool]string{true: "all promised invariants held", false: "FAILED: not every promised invariant held"}[r.Passed])
	return err
}

func (v Verdict) remark() string {
	if v.State == Broken {
		return fmt.Sprintf("%d times: %s", v.Broken, v.Text)
	}
	if v.Seen != "" {
		return v.Text + ": " + v.Seen
	}
	return v.Text
}

// byCount lists keys, the most frequent first.
func byCount(counts map[string]int) []string {
	keys := slices.Sorted(maps.Keys(counts))
	slices.SortStableFunc(keys, func(a, b string) int { return counts[b] - counts[a] })
	return keys
}

// successful reports whether a line of the answers is about a 2xx.
func successful(line string) bool {
	var method, path string
	var status int
	_, err := fmt.Sscan(line, &method, &path, &status)
	return err == nil && status < 300
}
