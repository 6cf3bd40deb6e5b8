package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/ropeline/ropeline/queue"
)

// watchGate shows what a gate sees.
func watchGate(reg prometheus.Registerer, r *queue.Revocations) {
	gauge := func(name, help string, of func(queue.Sight) float64) {
		promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{Name: "ropeline_gate_" + name, Help: help}, func() float64 { return of(r.Sight()) })
	}
	gauge("blind", "1 if this gate cannot tell which sessions have ended, and so lets nobody in.", func(s queue.Sight) float64 {
		if s.Blind {
			return 1
		}
		return 0
	})
	gauge("beat_age_seconds", "How long ago this gate has read all ended sessions and said so.", func(s queue.Sight) float64 { return s.Age.Seconds() })
	gauge("ended_sessions", "Ended sessions that this gate remembers until their last token has expired.", func(s queue.Sight) float64 { return float64(s.Ended) })
}

// keyIDs tells which keys a part has of those that sign admissions: while they
// change, every gate must trust what an edge signs with.
type keyIDs struct {
	use string
	ids func() []string
}

var keyDesc = prometheus.NewDesc("ropeline_admission_key", "1 for each key of admission tokens that this part signs with or trusts.", []string{"use", "kid"}, nil)

func watchKeys(reg prometheus.Registerer, use string, ids func() []string) {
	if reg != nil {
		reg.MustRegister(keyIDs{use, ids})
	}
}

// Describe is of a prometheus.Collector.
func (keyIDs) Describe(to chan<- *prometheus.Desc) { to <- keyDesc }

// Collect tells the keys of now: files of keys are followed.
func (k keyIDs) Collect(to chan<- prometheus.Metric) {
	for _, id := range k.ids() {
		to <- prometheus.MustNewConstMetric(keyDesc, prometheus.GaugeValue, 1, k.use, id)
	}
}
