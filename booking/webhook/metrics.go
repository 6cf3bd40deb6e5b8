package webhook

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics is what a Sender counts.
type metrics struct {
	tries     *prometheus.CounterVec
	endpoints *prometheus.GaugeVec
	due       prometheus.Gauge
	oldest    prometheus.Gauge
}

// NewMetrics registers what a Sender counts; nil registers nothing.
func NewMetrics(reg prometheus.Registerer) *metrics {
	add := promauto.With(reg)
	m := &metrics{
		tries: add.NewCounterVec(prometheus.CounterOpts{Name: "ropeline_webhook_tries_total",
			Help: "Times that a webhook was sent, by whether its receiver took it (yes) or not (no)."}, []string{"taken"}),
		endpoints: add.NewGaugeVec(prometheus.GaugeOpts{Name: "ropeline_webhook_endpoints",
			Help: "Endpoints of webhooks, by state: on, off (by staff) or broken (switched off because it took nothing for days)."}, []string{"state"}),
		due: add.NewGauge(prometheus.GaugeOpts{Name: "ropeline_webhook_due",
			Help: "Webhooks that are still to be delivered."}),
		oldest: add.NewGauge(prometheus.GaugeOpts{Name: "ropeline_webhook_oldest_seconds",
			Help: "How old the oldest webhook is that is still to be delivered."}),
	}
	m.tries.WithLabelValues("yes")
	m.tries.WithLabelValues("no")
	for _, s := range []State{On, Off, Broken} {
		m.endpoints.WithLabelValues(string(s))
	}
	return m
}

func (m *metrics) tried(taken bool) {
	m.tries.WithLabelValues(map[bool]string{true: "yes", false: "no"}[taken]).Inc()
}

// measure counts what stands in the tables.
func (s *Store) measure(ctx context.Context, m *metrics) error {
	var on, off, broken, due int
	var oldest float64
	err := s.db.QueryRow(ctx, `
		select count(*) filter (where state = 'on'), count(*) filter (where state = 'off'), count(*) filter (where state = 'broken'), d.due, d.oldest
		from (select count(*) due, coalesce(extract(epoch from now() - min(v.at)), 0)::float8 oldest
			from webhook_deliveries w join webhook_events v on v.id = w.event_id where w.state = 'due') d
		left join webhook_endpoints on true group by d.due, d.oldest`).Scan(&on, &off, &broken, &due, &oldest)
	if err != nil {
		return away("counting webhooks", err)
	}
	for state, n := range map[State]int{On: on, Off: off, Broken: broken} {
		m.endpoints.WithLabelValues(string(state)).Set(float64(n))
	}
	m.due.Set(float64(due))
	m.oldest.Set(oldest)
	return nil
}
