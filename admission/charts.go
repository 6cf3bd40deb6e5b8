package admission

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

// chart keeps how a sale stands, for whoever opens its charts later.
type chart struct {
	shop  *shop
	last  queue.Sample
	cores map[string]ropeline.Health // as the last sample saw them
}

func (c *chart) keep(ctx context.Context, store *queue.Store, sale ropeline.SaleID, s queue.State) error {
	sample := queue.SampleOf(s)
	if !sample.Due(c.last) {
		return nil
	}
	cores := c.shop.look(ctx, store, time.Now()).cores
	sample.Core, c.cores = coreSample(c.cores, cores), cores
	if err := store.Record(ctx, sale, sample); err != nil {
		return fmt.Errorf("keeping a sample for the charts: %w", err)
	}
	c.last = sample
	return nil
}

// coreSample is how cores did between two looks at them; one that was started in
// between counts from the next.
func coreSample(before, after map[string]ropeline.Health) queue.CoreSample {
	s := queue.CoreSample{P50: -1, P95: -1, InFlight: -1}
	var requests int64
	var slower [len(ropeline.HealthSteps)]int64
	for name, h := range after {
		s.InFlight = max(0, s.InFlight) + h.InFlight
		was, met := before[name]
		if !met || h.Requests < was.Requests || len(h.Slower) != len(slower) || len(was.Slower) != len(slower) {
			continue
		}
		requests += h.Requests - was.Requests
		for i := range slower {
			slower[i] += h.Slower[i] - was.Slower[i]
		}
	}
	if requests > 0 {
		s.P50, s.P95 = step(slower[:], requests/2), step(slower[:], requests/20)
	}
	return s
}

// step is the first of ropeline.HealthSteps that no more than so many requests
// took longer than; the last one if all are passed.
func step(slower []int64, most int64) int64 {
	for i, n := range slower {
		if n <= most {
			return ropeline.HealthSteps[i]
		}
	}
	return ropeline.HealthSteps[len(ropeline.HealthSteps)-1]
}

var errAfterInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "after-invalid", Detail: "after is a time in whole seconds since 1970, as of the last sample you have."}

// history returns how a sale stood in each second of the last quarter of an
// hour, or since the sample that the caller has.
func (o *Ops) history(w http.ResponseWriter, r *http.Request) error {
	after := int64(0)
	if text := r.URL.Query().Get("after"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return errAfterInvalid
		}
		after = n
	}
	sale := ropeline.SaleID(r.PathValue("sale"))
	if err := o.known(r, sale); err != nil {
		return err
	}
	samples, err := o.store.History(r.Context(), sale, after)
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusOK, struct {
		Samples []queue.Sample `json:"samples"`
	}{samples})
}

// edgeReport is what an SRE sees of an edge.
type edgeReport struct {
	queue.Report
	AgeMS int64 `json:"age_ms"`
}

// edges returns what each edge last said of itself.
func (o *Ops) edges(w http.ResponseWriter, r *http.Request) error {
	reports, err := o.store.Reports(r.Context())
	if err != nil {
		return err
	}
	doc := struct {
		Edges []edgeReport `json:"edges"`
	}{Edges: make([]edgeReport, len(reports))}
	for i, report := range reports {
		doc.Edges[i] = edgeReport{report, report.Age.Milliseconds()}
	}
	return ropeline.WriteJSON(w, http.StatusOK, doc)
}
