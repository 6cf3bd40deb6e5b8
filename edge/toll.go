package edge

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/passage"
)

// outcome is what came of a request at a gate.
type outcome int

const (
	outPassed  outcome = iota // the shop answered, or a proxy was told that it may
	outWaits                  // it must come through the room
	outRefused                // it may not pass at all, or not now
	outFailed                 // the shop answered with an error of its own, or not at all
	outGone                   // the client left before there was an answer

	outcomes
)

var outcomeNames = [outcomes]string{outPassed: "passed", outWaits: "wait", outRefused: "refused", outFailed: "failed", outGone: "gone"}

// toll counts the requests of one route. Its counters are found when the gate is
// built: a look by label would cost each request half a microsecond.
type toll struct {
	of   [outcomes]prometheus.Counter
	took prometheus.Observer
}

// tolls are those of all routes of a table, and of the requests that fit none.
type tolls struct {
	routes map[*passage.Route]*toll
	others map[*passage.Host]*toll
}

// fitsNone is the label of requests that fit no route.
const fitsNone = "none"

// newTolls registers the gate's metrics; their labels are what the table holds.
func newTolls(reg prometheus.Registerer, table *passage.Table) tolls {
	add := promauto.With(reg)
	requests := add.NewCounterVec(prometheus.CounterOpts{
		Name: "ropeline_edge_gate_requests_total",
		Help: "Requests for a shop behind the gate, by route and by what came of them: passed (the shop answered, or its proxy was told to let them in), wait (led to the room), refused, failed (the shop answered with 5xx, or not at all) or gone (the client left before).",
	}, []string{"sale", "host", "route", "outcome"})
	took := add.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "ropeline_edge_gate_upstream_seconds",
		Help:    "How long shops behind the edge's own proxy took until the head of their answer, by route.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"sale", "host", "route"})
	t := tolls{map[*passage.Route]*toll{}, map[*passage.Host]*toll{}}
	if table == nil {
		return t
	}
	for _, h := range table.Hosts {
		at := func(route string) *toll {
			one := &toll{}
			for o, name := range outcomeNames {
				one.of[o] = requests.WithLabelValues(string(h.Sale), h.Names[0], route, name)
			}
			if h.Upstream != nil && route != fitsNone {
				one.took = took.WithLabelValues(string(h.Sale), h.Names[0], route)
			}
			return one
		}
		t.others[h] = at(fitsNone)
		for _, r := range h.Routes {
			t.routes[r] = at(r.Name)
		}
	}
	return t
}

// at returns the toll of a request, nil if it is for no shop.
func (t tolls) at(p passage.Passage) *toll {
	if p.Route != nil {
		return t.routes[p.Route]
	}
	return t.others[p.Host]
}

func (t *toll) count(o outcome) {
	if t != nil {
		t.of[o].Inc()
	}
}

// turned counts a request that did not get as far as the shop.
func (t *toll) turned(err error) {
	problem, _ := ropeline.ProblemOf(err)
	switch {
	case errors.Is(err, context.Canceled):
		t.count(outGone)
	case problem.Status == http.StatusUnauthorized:
		t.count(outWaits)
	default:
		t.count(outRefused)
	}
}

// answered counts the head of a shop's answer.
func (t *toll) answered(status int, took time.Duration) {
	t.took.Observe(took.Seconds())
	if status >= http.StatusInternalServerError {
		t.count(outFailed)
		return
	}
	t.count(outPassed)
}

// unanswered counts a request that the shop was to get and did not answer; some
// errors of it are the client's own.
func (t *toll) unanswered(err error) {
	if problem, _ := ropeline.ProblemOf(err); problem.Status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
		t.count(outFailed)
		return
	}
	t.turned(err)
}
