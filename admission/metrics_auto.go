package admission

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/auto"
)

// flown is the automatic mode of a sale as its leader last flew it.
type flown struct {
	on, flies    bool
	rate         float64   // that it would have, people a minute
	slow, failed float64   // shares of the last reading that said something
	knewAt       time.Time // when that was; before the first when it began to fly
	decisions    map[string]int64
}

// causes are what the automatic mode gives as a reason, by how its words begin: a
// reason has figures in it, a label must not.
var causes = []struct{ begins, label string }{
	{"core slow", "slow"}, {"core fails", "errors"}, {"core busy", "in_flight"}, {"probe ", "probe"},
	{"nobody says", "blind"}, {"the shop is well", "well"}, {"", "other"},
}

func causeOf(why string) string {
	for _, c := range causes {
		if strings.HasPrefix(why, c.begins) {
			return c.label
		}
	}
	return "other"
}

// flies notes whether the automatic mode of a sale is on, and whether it steers.
func (m *metrics) flies(sale ropeline.SaleID, on, flies bool, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := &m.standing(sale, now).flown
	if flies && !f.flies {
		f.knewAt, f.slow, f.failed = now, 0, 0
	}
	f.on, f.flies = on, flies
}

// flew notes what was read of the shop, the rate that came of it, and why, "" if
// it stays.
func (m *metrics) flew(sale ropeline.SaleID, r auto.Reading, rate float64, why string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := &m.standing(sale, now).flown
	f.rate = rate
	if r.Known {
		f.knewAt, f.slow, f.failed = now, share(r.Slow, r.Requests), share(r.Failed, r.Requests)
	}
	if why != "" {
		if f.decisions == nil {
			f.decisions = map[string]int64{}
		}
		f.decisions[causeOf(why)]++
	}
}

func share(part, of float64) float64 {
	if of <= 0 {
		return 0
	}
	return part / of
}

// warned notes whether the pace of a sale is warned of.
func (m *metrics) warned(sale ropeline.SaleID, warns bool, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.standing(sale, now).paceWarns = warns
}

func autoDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("ropeline_auto_"+name, help, append([]string{"sale"}, labels...), nil)
}

func probeDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("ropeline_probe_"+name, help, []string{"probe"}, nil)
}

var (
	autoOn        = autoDesc("on", "1 if the automatic mode of the sale is switched on.")
	autoFlying    = autoDesc("flying", "1 while it steers: on, the sale open in mode run or drain, and the line settled.")
	autoRate      = autoDesc("rate_per_minute", "The rate that the automatic mode would have, people a minute. Absent while it does not steer.")
	autoSlow      = autoDesc("slow_ratio", "Share of the requests that were slow, as the automatic mode last read it. Absent while it does not steer.")
	autoErrors    = autoDesc("error_ratio", "Share of the answers that were errors, as the automatic mode last read it. Absent while it does not steer.")
	autoAge       = autoDesc("reading_age_seconds", "How long ago a reading said how the shop is; before the first since when it steers. Absent while it does not.")
	autoDecisions = autoDesc("decisions_total", "Changes of the rate by the automatic mode, by reason: slow, errors, in_flight, probe, blind (nobody says), well or other.", "reason")
	paceWarning   = lineDesc("pace_warning", "1 while admission as it is would hold everything that is left before the first holds run out.")
	probeFailures = probeDesc("failures_total", "Questions of a probe without an answer of use: none, an error, or no number.")
	probeFailing  = probeDesc("failing", "1 if the last question of a probe had no answer of use.")
	probeRatio    = probeDesc("ratio", "How a probe stands to its limit: 1 is at it. Absent while that is not known.")
)

var autoDescs = []*prometheus.Desc{autoOn, autoFlying, autoRate, autoSlow, autoErrors, autoAge, autoDecisions, paceWarning, probeFailures, probeFailing, probeRatio}

// collect tells of a sale's automatic mode.
func (f flown) collect(tell func(*prometheus.Desc, prometheus.ValueType, float64, ...string), now time.Time) {
	tell(autoOn, prometheus.GaugeValue, truth(f.on))
	tell(autoFlying, prometheus.GaugeValue, truth(f.flies))
	if f.on || f.decisions != nil { // a thousand sales without it need no series for each reason
		for _, c := range causes {
			tell(autoDecisions, prometheus.CounterValue, float64(f.decisions[c.label]), c.label)
		}
	}
	if !f.flies {
		return
	}
	tell(autoRate, prometheus.GaugeValue, f.rate)
	tell(autoSlow, prometheus.GaugeValue, f.slow)
	tell(autoErrors, prometheus.GaugeValue, f.failed)
	tell(autoAge, prometheus.GaugeValue, now.Sub(f.knewAt).Seconds())
}

// collect tells of each probe; the file bounds how many there are.
func (p *Probes) collect(to chan<- prometheus.Metric) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, probe := range p.probes {
		tell := func(d *prometheus.Desc, kind prometheus.ValueType, v float64) {
			to <- prometheus.MustNewConstMetric(d, kind, v, probe.Name)
		}
		tell(probeFailures, prometheus.CounterValue, float64(p.failures[probe.Name]))
		said, asked := p.said[probe.Name]
		if !asked {
			continue
		}
		tell(probeFailing, prometheus.GaugeValue, truth(said.failed))
		if said.err == nil {
			tell(probeRatio, prometheus.GaugeValue, said.stand)
		}
	}
}
