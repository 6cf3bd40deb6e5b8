package order

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// groupMetrics is what a store counts.
type groupMetrics struct {
	sizes    prometheus.Histogram
	broken   prometheus.Counter
	troubles *prometheus.CounterVec
}

func newGroupMetrics() groupMetrics {
	return groupMetrics{
		sizes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ropeline_booking_group_size", Help: "Purchases that were written together, in one transaction.",
			Buckets: []float64{1, 2, 4, 8, 16, 32, groupSize},
		}),
		broken: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ropeline_booking_groups_broken_total", Help: "Groups of purchases that could not be written together and were written one by one.",
		}),
		troubles: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ropeline_payment_troubles_total",
			Help: "What became of payments that staff should know of: late money that was reseated, let_go, refunding, refunded, or failed to go back.",
		}, []string{"kind", "state"}),
	}
}

// Watch tells what the groups do.
func (s *Store) Watch(reg prometheus.Registerer) {
	if reg == nil {
		return
	}
	reg.MustRegister(s.counts.sizes, s.counts.broken, s.counts.troubles, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ropeline_booking_group_waiting", Help: "Purchases that wait to be written with others.",
	}, func() float64 {
		waiting := 0
		for _, g := range s.groups() {
			waiting += g.wait.Waiting()
		}
		return float64(waiting)
	}))
}

// metrics is what a worker counts.
type metrics struct {
	did      *prometheus.CounterVec
	failed   *prometheus.CounterVec
	troubles *prometheus.GaugeVec
	started  time.Time
	last     map[string]*atomic.Int64 // ns after started, when a task was done last
}

// The tasks of a worker.
const (
	taskSweep   = "sweep"
	taskSettle  = "settle"
	taskCompare = "compare"
	taskRefund  = "refund"
)

func newMetrics(reg prometheus.Registerer) *metrics {
	add := promauto.With(reg)
	m := &metrics{
		did: add.NewCounterVec(prometheus.CounterOpts{
			Name: "ropeline_worker_done_total", Help: "Holds that ran out and whose units were put back on sale (sweep), payment attempts that were settled (settle), payments of the provider's that were compared with ours (compare), and cancellations whose units and money went back after all (refund).",
		}, []string{"task"}),
		failed: add.NewCounterVec(prometheus.CounterOpts{
			Name: "ropeline_worker_errors_total", Help: "Rounds, or attempts, of a worker's tasks that failed.",
		}, []string{"task"}),
		troubles: add.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ropeline_payment_troubles_open",
			Help: "Payments about which somebody has to do something, when they were last compared with the provider's: late money that is not settled or could not be given back, unknown attempts, unpaid tickets, another amount, refunds of canceled tickets that were refused, and disputes that are not decided.",
		}, []string{"kind"}),
		started: time.Now(), last: map[string]*atomic.Int64{},
	}
	m.did.WithLabelValues(taskRefund)
	m.failed.WithLabelValues(taskRefund)
	for _, task := range []string{taskSweep, taskSettle, taskCompare} {
		at := new(atomic.Int64)
		m.last[task] = at
		m.did.WithLabelValues(task)
		m.failed.WithLabelValues(task)
		add.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ropeline_worker_" + task + "_age_seconds",
			Help: "How long ago a round of this task was done without an error; since the start, if none was.",
		}, func() float64 { return (time.Since(m.started) - time.Duration(at.Load())).Seconds() })
	}
	return m
}

// round counts what came of a round.
func (m *metrics) round(task string, n int, err error) {
	m.did.WithLabelValues(task).Add(float64(n))
	if err != nil {
		m.failed.WithLabelValues(task).Inc()
		return
	}
	m.last[task].Store(int64(time.Since(m.started)))
}
