package webhook

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics is what a Sender counts.
type metrics struct {
	tries     *prometheus.CounterVec
	endpoints *prometheus.GaugeVec
	due       prometheus.Gauge
	oldest    prometheus.Gauge
	late      prometheus.Gauge
	failing   prometheus.Gauge
	started   time.Time
	looked    *atomic.Int64 // ns after started, when a Sender looked last
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
		late: add.NewGauge(prometheus.GaugeOpts{Name: "ropeline_webhook_late_seconds",
			Help: "For how long a webhook has waited that could be sent now: its endpoint is on, its next try is due, and none before it of the same order is still to be taken."}),
		failing: add.NewGauge(prometheus.GaugeOpts{Name: "ropeline_webhook_failing_seconds",
			Help: "For how long the endpoint that has failed longest, of those that are on, has taken nothing; 0 if none fails."}),
		started: time.Now(), looked: new(atomic.Int64),
	}
	add.NewGaugeFunc(prometheus.GaugeOpts{Name: "ropeline_webhook_look_age_seconds",
		Help: "How long ago a sender looked for webhooks that are due; since the start, if none did."},
		func() float64 { return (time.Since(m.started) - time.Duration(m.looked.Load())).Seconds() })
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
	var oldest, late, failing float64
	err := s.db.QueryRow(ctx, `
		select count(*) filter (where state = 'on'), count(*) filter (where state = 'off'), count(*) filter (where state = 'broken'),
			coalesce(extract(epoch from now() - min(failing_since) filter (where state = 'on')), 0)::float8, d.due, d.oldest, l.late
		from (select count(*) due, coalesce(extract(epoch from now() - min(v.at)), 0)::float8 oldest
			from webhook_deliveries w join webhook_events v on v.id = w.event_id where w.state = 'due') d
		cross join (select coalesce(extract(epoch from now() - min(w.next_at)), 0)::float8 late
			from webhook_deliveries w join webhook_endpoints e on e.id = w.endpoint_id and e.state = 'on' where w.state = 'due' and w.next_at <= now()
			and not exists (select from webhook_deliveries b where b.endpoint_id = w.endpoint_id and b.subject = w.subject and b.n < w.n and b.state = 'due')) l
		left join webhook_endpoints on true group by d.due, d.oldest, l.late`).Scan(&on, &off, &broken, &failing, &due, &oldest, &late)
	if err != nil {
		return away("counting webhooks", err)
	}
	for state, n := range map[State]int{On: on, Off: off, Broken: broken} {
		m.endpoints.WithLabelValues(string(state)).Set(float64(n))
	}
	m.due.Set(float64(due))
	m.oldest.Set(oldest)
	m.late.Set(late)
	m.failing.Set(failing)
	m.looked.Store(int64(time.Since(m.started)))
	return nil
}
