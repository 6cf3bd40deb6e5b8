package admission

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

// chart keeps how a sale stands, for whoever opens its charts later.
type chart struct{ last queue.Sample }

func (c *chart) keep(ctx context.Context, store *queue.Store, sale ropeline.SaleID, s queue.State) error {
	sample := queue.SampleOf(s)
	if !sample.Due(c.last) {
		return nil
	}
	if err := store.Record(ctx, sale, sample); err != nil {
		return fmt.Errorf("keeping a sample for the charts: %w", err)
	}
	c.last = sample
	return nil
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
