package edge

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

// metrics is what an edge counts; what it holds is read when somebody asks.
type metrics struct {
	server   *Server
	joins    *prometheus.CounterVec // by sale
	refusals *prometheus.CounterVec // by code
	frames   prometheus.Counter
	late     prometheus.Histogram
	turned   prometheus.Counter

	bypasses  *prometheus.CounterVec // by sale and rule
	reentries *prometheus.CounterVec // by sale and what
}

func newMetrics(reg prometheus.Registerer, s *Server) *metrics {
	add := promauto.With(reg)
	m := &metrics{
		server: s,
		joins: add.NewCounterVec(prometheus.CounterOpts{
			Name: "ropeline_edge_joins_total", Help: "Places that this edge gave.",
		}, []string{"sale"}),
		refusals: add.NewCounterVec(prometheus.CounterOpts{
			Name: "ropeline_edge_refusals_total", Help: "Requests that this edge answered with a problem document, by its code.",
		}, []string{"code"}),
		frames: add.NewCounter(prometheus.CounterOpts{
			Name: "ropeline_edge_frames_total", Help: "Statuses that were pushed to sockets.",
		}),
		late: add.NewHistogram(prometheus.HistogramOpts{
			Name:    "ropeline_edge_offer_push_seconds",
			Help:    "How long after an edge heard of an offer it was pushed to the socket.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
		bypasses: add.NewCounterVec(prometheus.CounterOpts{
			Name: "ropeline_edge_bypasses_total", Help: "People that this edge let past the line, by the rule of the sale that they came by.",
		}, []string{"sale", "rule"}),
		reentries: add.NewCounterVec(prometheus.CounterOpts{
			Name: "ropeline_edge_reentries_total",
			Help: "Re-entry passes that this edge granted because a shop failed, dropped because it owed too many, or saw used.",
		}, []string{"sale", "what"}),
		turned: add.NewCounter(prometheus.CounterOpts{
			Name: "ropeline_edge_turned_away_total", Help: "Connections that were closed at once because their address had as many as it may.",
		}),
	}
	s.sockets.refused = add.NewCounterVec(prometheus.CounterOpts{
		Name: "ropeline_edge_sockets_refused_total",
		Help: "Sockets that were told to poll, by what was full: all, or the share of their sale or address.",
	}, []string{"full"})
	s.load.off = add.NewCounter(prometheus.CounterOpts{
		Name: "ropeline_edge_polls_put_off_total", Help: "Polls that were told to come later because as many as can be answered at once were under way.",
	})
	gauge := func(name, help string, of func() int64) {
		add.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(of()) })
	}
	gauge("ropeline_edge_sockets", "Open WebSockets.", s.sockets.now)
	gauge("ropeline_edge_sockets_limit", "WebSockets that may be open at once.", func() int64 { return s.sockets.most })
	gauge("ropeline_edge_polls", "Polls that are being answered.", s.load.polls.now)
	gauge("ropeline_edge_polls_limit", "Polls that are answered at once at most.", func() int64 { return s.load.polls.most })
	gauge("ropeline_edge_rooms", "Sales that are followed.", func() int64 { return int64(s.rooms.len()) })
	gauge("ropeline_edge_rooms_limit", "Sales that may be followed at once.", func() int64 { return int64(s.rooms.most) })
	if reg != nil {
		reg.MustRegister(m)
	}
	return m
}

// roomFigure is one number of a sale that is followed here.
type roomFigure struct {
	desc *prometheus.Desc
	of   func(*room, *queue.View) float64
}

var roomFigures = []roomFigure{
	{roomDesc("sockets", "Open WebSockets of the sale."), func(m *room, _ *queue.View) float64 { return float64(m.sockets.Len()) }},
	{roomDesc("guests", "Places that this edge serves, by socket or poll."), func(m *room, _ *queue.View) float64 { return float64(m.line.Guests()) }},
	{roomDesc("heard_age_seconds", "How long ago this edge heard of the line last. A line that is ticked is heard of every second or so."),
		func(m *room, _ *queue.View) float64 { return m.line.HeardAge().Seconds() }},
	{roomDesc("away", "1 while this edge cannot see the line because Redis does not answer."), func(_ *room, v *queue.View) float64 { return truth(v.Away) }},
	{roomDesc("settling", "1 while the line is put together again after a loss of Redis."), func(_ *room, v *queue.View) float64 { return truth(v.Settling) }},
}

func roomDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("ropeline_edge_room_"+name, help, []string{"sale"}, nil)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Describe is of a prometheus.Collector.
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, f := range roomFigures {
		to <- f.desc
	}
}

// Collect tells what is known of each sale that is followed; it asks nobody.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	for _, r := range m.server.rooms.all() {
		view := r.line.View()
		if view == nil {
			continue
		}
		for _, f := range roomFigures {
			to <- prometheus.MustNewConstMetric(f.desc, prometheus.GaugeValue, f.of(r, view), string(r.id))
		}
	}
}

// refused counts an error that is answered. Codes are our own words, so there
// are only so many.
func (m *metrics) refused(err error) {
	problem, _ := ropeline.ProblemOf(err)
	m.refusals.WithLabelValues(problem.Type[len(ropeline.ProblemType):]).Inc()
}

// told counts a frame; of an offer, which the socket was woken for at so many ns,
// also how late it is.
func (m *metrics) told(offeredAt int64, now time.Time) {
	m.frames.Inc()
	if offeredAt != 0 {
		m.late.Observe(time.Duration(now.UnixNano() - offeredAt).Seconds())
	}
}
