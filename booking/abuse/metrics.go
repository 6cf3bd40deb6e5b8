package abuse

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics is what a guard counts. Refusals are counted with all others, by their code.
type metrics struct {
	waits     *prometheus.CounterVec
	blocked   *prometheus.CounterVec
	uncounted prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, g *Guard) *metrics {
	add := promauto.With(reg)
	add.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ropeline_abuse_blocks", Help: "Blocks that hold, as this core knows them.",
	}, func() float64 {
		g.mu.Lock()
		defer g.mu.Unlock()
		return float64(len(g.blocks))
	})
	return &metrics{
		waits: add.NewCounterVec(prometheus.CounterOpts{
			Name: "ropeline_abuse_waits_total", Help: "Waits that began, by what for (holds, payments) and by what is slowed down (place, address, card).",
		}, []string{"signal", "kind"}),
		blocked: add.NewCounterVec(prometheus.CounterOpts{
			Name: "ropeline_abuse_blocked_total", Help: "Blocks that were made, by what for (holds, payments, staff) and by what is blocked (place, address, card).",
		}, []string{"signal", "kind"}),
		uncounted: add.NewCounter(prometheus.CounterOpts{
			Name: "ropeline_abuse_uncounted_total", Help: "Points that could not be counted: Redis did not answer, or too many waited to be counted.",
		}),
	}
}
