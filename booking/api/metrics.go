package api

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/ropeline/ropeline"
)

// metrics is what a booking core counts.
type metrics struct {
	seconds  *prometheus.HistogramVec
	busy     prometheus.Gauge
	refusals *prometheus.CounterVec
	webhooks *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	add := promauto.With(reg)
	return &metrics{
		seconds: add.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "ropeline_booking_request_seconds",
			Help:    "How long requests took, by route and by how they ended: done, refused (the request's fault) or failed (ours).",
			Buckets: []float64{.005, .01, .025, .05, .1, .2, .3, .5, 1, 2.5, 5, 10, 25},
		}, []string{"route", "result"}),
		busy: add.NewGauge(prometheus.GaugeOpts{Name: "ropeline_booking_requests", Help: "Requests that are being handled."}),
		refusals: add.NewCounterVec(prometheus.CounterOpts{
			Name: "ropeline_booking_refusals_total", Help: "Requests that were answered with a problem document, by its code.",
		}, []string{"code"}),
		webhooks: add.NewCounterVec(prometheus.CounterOpts{
			Name: "ropeline_booking_webhooks_total",
			Help: "Events of payment providers, by what came of them: done, again (it came before), unknown (about nothing that we have), foreign (none of our business), late (too old), forged (no good signature), or failed (it has to come again).",
		}, []string{"provider", "result"}),
	}
}

// done counts a request that has been handled.
func (m *metrics) done(route string, err error, took time.Duration) {
	result := "done"
	if err != nil {
		problem, _ := ropeline.ProblemOf(err)
		result = "refused"
		if problem.Status >= 500 {
			result = "failed"
		}
	}
	m.seconds.WithLabelValues(route, result).Observe(took.Seconds())
}

// refused counts an answer; its codes are our own words.
func (m *metrics) refused(p *problem) {
	m.refusals.WithLabelValues(strings.TrimPrefix(p.Type, ropeline.ProblemType)).Inc()
}
