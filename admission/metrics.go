package admission

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
	"github.com/ropeline/ropeline/queue/ledger"
)

// metrics is what a controller counts, and what it last saw of each sale.
type metrics struct {
	ticks   *prometheus.HistogramVec // by how they ended
	jumps   prometheus.Counter
	unknown prometheus.Counter // looks for sales that failed

	edges  atomic.Int64 // that are alive
	probes *Probes      // nil: none

	mu    sync.Mutex // guards the rest
	sales map[ropeline.SaleID]*standing
}

// standing is a sale as its last tick left it.
type standing struct {
	state   queue.State
	leads   bool
	unsure  bool      // of the limits
	at      time.Time // of the last tick that this controller did, monotonic
	watched stall

	entries   int64     // of the ledger, up to its head; 0: not known
	headAt    time.Time // when that was appended
	writtenAt time.Time // when all that was told was in it
	lost      int64     // events that never came into it

	flown     flown
	paceWarns bool
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		ticks: promauto.With(reg).NewHistogramVec(prometheus.HistogramOpts{
			Name:    "ropeline_controller_tick_seconds",
			Help:    "How long ticks took, by how they ended: led, followed (another controller leads the sale) or failed.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .2, .5, 1, 2.5},
		}, []string{"result"}),
		jumps: promauto.With(reg).NewCounter(prometheus.CounterOpts{
			Name: "ropeline_controller_clock_jumps_total",
			Help: "Times that the clock of Redis was set while a sale was ticked.",
		}),
		unknown: promauto.With(reg).NewCounter(prometheus.CounterOpts{
			Name: "ropeline_controller_discovery_errors_total",
			Help: "Looks for published sales that failed.",
		}),
		sales: map[ropeline.SaleID]*standing{},
	}
	promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ropeline_edges_alive",
		Help: "Edges that said in the last five seconds that they live, as this controller sees it.",
	}, func() float64 { return float64(m.edges.Load()) })
	if reg != nil {
		reg.MustRegister(m)
	}
	return m
}

// ticked keeps what came of a tick.
func (m *metrics) ticked(sale ropeline.SaleID, t queue.Ticked, err error, began, now time.Time) {
	result := "followed"
	switch {
	case err != nil:
		result = "failed"
	case t.Leads:
		result = "led"
	}
	m.ticks.WithLabelValues(result).Observe(now.Sub(began).Seconds())
	if t.Jumped != 0 {
		m.jumps.Inc()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.standing(sale, now)
	switch result {
	case "led":
		s.watched.see(t.State, now)
		s.state, s.leads, s.unsure, s.at = t.State, true, t.Unsure, now
	case "followed":
		s.leads, s.watched, s.entries, s.flown, s.paceWarns = false, stall{}, 0, flown{decisions: s.flown.decisions}, false
	}
}

// standing is what is known of a sale. mu is held.
func (m *metrics) standing(sale ropeline.SaleID, now time.Time) *standing {
	s := m.sales[sale]
	if s == nil {
		s = &standing{at: now, headAt: now, writtenAt: now}
		m.sales[sale] = s
	}
	return s
}

// wrote notes that all that was told is in a sale's ledger, and archived.
func (m *metrics) wrote(sale ropeline.SaleID, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.standing(sale, now).writtenAt = now
}

// appended notes where a ledger has come to, and how many events were lost on the way.
func (m *metrics) appended(sale ropeline.SaleID, head ledger.Head, lost int64, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.standing(sale, at)
	if head.Seq != s.entries {
		s.entries, s.headAt = head.Seq, at
	}
	s.lost += lost
}

func (m *metrics) knowsHead(sale ropeline.SaleID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sales[sale]
	return s == nil || s.entries > 0 || !s.leads
}

// edgeAlive is how old the newest report of an edge that lives may be: it says one
// each second.
const edgeAlive = 5 * time.Second

// sawEdges counts the edges that live.
func (m *metrics) sawEdges(reports []queue.Report) {
	n := int64(0)
	for _, r := range reports {
		if r.Age <= edgeAlive {
			n++
		}
	}
	m.edges.Store(n)
}

// stall is for how long a line has stood still that could move.
type stall struct {
	since time.Time // zero: it moves, or need not
	offer int64
}

// stockAmple is how many units must be free for each person inside until the
// stock rule certainly lets another one in: as many as one may take.
const stockAmple = 6

// see takes in what a tick told. A line could move if somebody who is here
// waits and there is room for them.
func (w *stall) see(s queue.State, now time.Time) {
	could := s.Phase() == ropeline.PhaseOpen && !s.Settling && !s.Paused() && s.Rate > 0 &&
		s.Waiting() > 0 && s.Gauge.Here > 0 && s.Offered+s.Active+s.Ghosts < s.Cap &&
		(s.Stock == nil || s.Stock.Free() > stockAmple*(s.Offered+s.Active+1))
	switch {
	case !could:
		*w = stall{}
	case w.since.IsZero() || s.LastOffer != w.offer:
		*w = stall{since: now, offer: s.LastOffer}
	}
}

func (w stall) lasts(now time.Time) time.Duration {
	if w.since.IsZero() {
		return 0
	}
	return now.Sub(w.since)
}

// figure is one number of a sale that its leader tells.
type figure struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(queue.State) float64
}

func lineDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("ropeline_line_"+name, help, append([]string{"sale"}, labels...), nil)
}

func ledgerDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("ropeline_ledger_"+name, help, []string{"sale"}, nil)
}

func gauge(name, help string, of func(queue.State) float64) figure {
	return figure{lineDesc(name, help), prometheus.GaugeValue, of}
}

func counter(name, help string, of func(queue.State) float64) figure {
	return figure{lineDesc(name, help), prometheus.CounterValue, of}
}

func integer(of func(queue.State) int64) func(queue.State) float64 {
	return func(s queue.State) float64 { return float64(of(s)) }
}

// figures are told by the controller that leads a sale only, so that a sum over
// all of them counts nobody twice.
var figures = []figure{
	gauge("waiting", "People who stand in the lobby or in the line.", integer(queue.State.Waiting)),
	gauge("offered", "People who have an offer and did not take it yet.", integer(func(s queue.State) int64 { return s.Offered })),
	gauge("active", "People who are inside: sessions that hold a slot.", integer(func(s queue.State) int64 { return s.Active })),
	gauge("ghosts", "Slots that are kept free because a loss of Redis may have forgotten who is in them.", integer(func(s queue.State) int64 { return s.Ghosts })),
	gauge("cap", "People who may be offered or inside at once, as set.", integer(func(s queue.State) int64 { return s.Cap })),
	gauge("rate_per_minute", "People who may be offered a minute, as set.", integer(func(s queue.State) int64 { return s.Rate })),
	gauge("max_in_use", "The most people that were offered or inside at once, ever.", integer(func(s queue.State) int64 { return s.MaxInUse })),
	gauge("proof_limit", "The limit that the proof of the cap is of; -1 in mode pass, where none holds.", integer(func(s queue.State) int64 { return s.Proof.Limit })),
	gauge("proof_most", "The most people that were offered or inside at once since that limit holds.", integer(func(s queue.State) int64 { return s.Proof.Most })),
	gauge("proof_since_seconds", "Since when that limit holds, in seconds since 1970 by Redis's clock.", func(s queue.State) float64 { return float64(s.Proof.Since.UnixMilli()) / 1000 }),
	gauge("proof_holds", "1 if never more were in use than that limit allows, but for those who were inside when it was lowered; 0 must never be seen.",
		func(s queue.State) float64 { return truth(s.Proof.Holds()) }),
	gauge("limits_version", "Rises with every change of the limits.", integer(func(s queue.State) int64 { return s.Limits.Version })),
	gauge("estimate_seconds", "How long whoever joins now will wait, in the middle of the range that is shown; 0 if it is not known.", queue.State.Estimate),
	gauge("comebacks", "People who were passed over, are here again and go before everybody.", integer(func(s queue.State) int64 { return s.Comebacks })),
	gauge("late", "People who were put back after a loss, beside the line.", integer(func(s queue.State) int64 { return s.Late })),
	gauge("here_ratio", "Share of those next in line who are here.", func(s queue.State) float64 { return s.Gauge.Here }),
	gauge("settling", "1 while the line is put together again after a loss of Redis.", func(s queue.State) float64 { return truth(s.Settling) }),
	counter("offers_total", "Offers made; after a loss of Redis the number jumps ahead.", integer(func(s queue.State) int64 { return s.LastOffer })),
	counter("claims_total", "Offers that were taken.", integer(func(s queue.State) int64 { return s.Claimed })),
	counter("noshows_total", "Offers that ran out.", integer(func(s queue.State) int64 { return s.Missed })),
	counter("departures_total", "Places that left the line before it was their turn.", integer(func(s queue.State) int64 { return s.Departures })),
	counter("losses_total", "Times that the line was put together again.", integer(func(s queue.State) int64 { return s.Losses })),
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

var (
	modeDesc    = lineDesc("mode", "1 for the mode that the sale is in: run, pause, drain, queue, pass or stop.", "mode")
	stockDesc   = lineDesc("stock_units", "Units that the shop still has: free, or held and so perhaps to come back. Absent where no shop says.", "state")
	stockAge    = lineDesc("stock_age_seconds", "How old the newest count of the stock is.")
	phaseDesc   = lineDesc("phase", "1 for the phase that the sale is in.", "phase")
	leadsDesc   = lineDesc("leads", "1 if this controller moves the sale's line, 0 if it stands by.")
	ageDesc     = lineDesc("tick_age_seconds", "How long ago this controller, which leads, ticked the sale last.")
	entriesDesc = ledgerDesc("entries", "Entries of the sale's ledger: the number of its head.")
	headAgeDesc = ledgerDesc("head_age_seconds", "How old the head of the sale's ledger is. An entry comes when something happens, at most one a minute for what fans do.")
	writtenDesc = ledgerDesc("written_age_seconds", "How long ago all that was told of the sale was in its ledger, and archived.")
	lostDesc    = ledgerDesc("lost_total", "Events that were told and were gone before the ledger had them, since this controller was started.")
	unsureDesc  = lineDesc("unconfirmed", "1 while nobody is offered because Redis failed over and the database has not said yet which limits hold.")
	stallDesc   = lineDesc("stalled_seconds", "For how long people who are here have waited and there was room, but nobody was offered.")
)

// Describe is of a prometheus.Collector.
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, f := range figures {
		to <- f.desc
	}
	for _, d := range []*prometheus.Desc{modeDesc, stockDesc, stockAge, phaseDesc, leadsDesc, ageDesc, stallDesc, unsureDesc, entriesDesc, headAgeDesc, writtenDesc, lostDesc} {
		to <- d
	}
	for _, d := range autoDescs {
		to <- d
	}
}

// Collect tells what is known of each sale; it asks nobody.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	now := time.Now()
	m.probes.collect(to)
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, s := range m.sales {
		tell := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(d, kind, v, append([]string{string(id)}, labels...)...)
		}
		tell(leadsDesc, prometheus.GaugeValue, truth(s.leads))
		if !s.leads {
			continue
		}
		for _, f := range figures {
			tell(f.desc, f.kind, f.of(s.state))
		}
		tell(phaseDesc, prometheus.GaugeValue, 1, string(s.state.Phase()))
		tell(modeDesc, prometheus.GaugeValue, 1, string(s.state.Mode))
		if stock := s.state.Stock; stock != nil {
			tell(stockDesc, prometheus.GaugeValue, float64(stock.Free()), "free")
			tell(stockDesc, prometheus.GaugeValue, float64(stock.Held()), "held")
			tell(stockAge, prometheus.GaugeValue, (s.state.Now.Sub(stock.At) + now.Sub(s.at)).Seconds())
		}
		tell(unsureDesc, prometheus.GaugeValue, truth(s.unsure))
		tell(ageDesc, prometheus.GaugeValue, now.Sub(s.at).Seconds())
		tell(writtenDesc, prometheus.GaugeValue, now.Sub(s.writtenAt).Seconds())
		tell(lostDesc, prometheus.CounterValue, float64(s.lost))
		if s.entries > 0 {
			tell(entriesDesc, prometheus.GaugeValue, float64(s.entries))
			tell(headAgeDesc, prometheus.GaugeValue, now.Sub(s.headAt).Seconds())
		}
		tell(stallDesc, prometheus.GaugeValue, s.watched.lasts(now).Seconds())
		s.flown.collect(tell, now)
		tell(paceWarning, prometheus.GaugeValue, truth(s.paceWarns))
	}
}
