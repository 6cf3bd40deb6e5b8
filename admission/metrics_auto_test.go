package admission

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/auto"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// lead lets metrics tell of a sale, which only the leader's do.
func (m *metrics) lead(sale ropeline.SaleID) {
	m.ticked(sale, queue.Ticked{Leads: true}, nil, time.Now(), time.Now())
}

// tells reports whether anybody tells a metric.
func tells(t *testing.T, reg *prometheus.Registry, name string) bool {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return true
		}
	}
	return false
}

func TestTheAutomaticModeTellsWhatItSawAndDid(t *testing.T) {
	t.Parallel()
	f := fly(t, `{"on":true,"target_ms":300}`)
	reg := prometheus.NewRegistry()
	m := newMetrics(reg)
	f.pilot.metrics = m
	f.now = f.now.Add(-time.Minute) // so that ages can be told in a test's time
	m.lead(f.sale)
	of := "sale=" + string(f.sale)
	is := func(when string, want map[string]float64) {
		t.Helper()
		for name, v := range want {
			if got := told(t, reg, "ropeline_auto_"+name, of); got < v-0.001 || got > v+0.001 {
				t.Errorf("%s: ropeline_auto_%s is %v, want %v", when, name, got, v)
			}
		}
	}
	decided := func(reason string) float64 {
		t.Helper()
		return told(t, reg, "ropeline_auto_decisions_total", "reason="+reason, of)
	}

	for range 4 {
		f.second(60, 0)
	}
	s := f.second(60, 45)
	is("a slow core", map[string]float64{"on": 1, "flying": 1, "slow_ratio": 0.75, "error_ratio": 0})
	if got := told(t, reg, "ropeline_auto_rate_per_minute", of); int64(got) != s.Rate {
		t.Errorf("it would have %v a minute, and set %d", got, s.Rate)
	}
	if decided("slow") != 1 || decided("blind") != 0 {
		t.Errorf("decisions: %v slow, %v blind; want 1, 0", decided("slow"), decided("blind"))
	}

	// The core is gone: what was read stays, and grows old.
	age := func() float64 { return told(t, reg, "ropeline_auto_reading_age_seconds", of) }
	before := age()
	for range 8 {
		f.now = f.now.Add(time.Second)
		f.pilot.shop.at, f.pilot.shop.last = f.now, sight{} // as one looks where nobody says anything
		if err := f.pilot.fly(t.Context(), f.store, "pilot", f.sale, f.tick(), f.now); err != nil {
			t.Fatal(err)
		}
	}
	if got := age(); got < before || got < 50 {
		t.Errorf("a reading of 55 s ago is %v old", got)
	}
	is("a core that is gone", map[string]float64{"slow_ratio": 0.75})

	mode := ropeline.ModePause
	if _, err := f.store.Steer(t.Context(), f.sale, queue.Change{Set: queue.Settings{Mode: &mode}, By: "sre", Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	f.second(60, 0)
	is("paused", map[string]float64{"on": 1, "flying": 0})
	if tells(t, reg, "ropeline_auto_reading_age_seconds") || tells(t, reg, "ropeline_auto_rate_per_minute") {
		t.Error("a sale that is paused tells of a reading, and would alarm")
	}
	mode = ropeline.ModeRun
	if _, err := f.store.Steer(t.Context(), f.sale, queue.Change{Set: queue.Settings{Mode: &mode}, By: "sre", Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	f.now = time.Now()
	f.second(60, 0)
	if got := age(); got > 30 {
		t.Errorf("it has just begun to steer, and is blind for %v s", got)
	}
	m.ticked(f.sale, queue.Ticked{}, nil, f.now, f.now) // another controller leads
	if tells(t, reg, "ropeline_auto_on") || tells(t, reg, "ropeline_line_pace_warning") {
		t.Error("who does not lead tells of the automatic mode")
	}
	if m.lead(f.sale); tells(t, reg, "ropeline_auto_reading_age_seconds") {
		t.Error("who leads again tells of a reading of before, and would alarm")
	}
}

// Each cause that the law gives has a label of its own: the law's words and the
// labels must not drift apart.
func TestEveryCauseHasItsLabel(t *testing.T) {
	t.Parallel()
	set, err := auto.Parse([]byte(`{"on":true,"in_flight":10}`))
	if err != nil {
		t.Fatal(err)
	}
	// well: enough come in for the rate to be what keeps people out.
	reading := auto.Reading{Took: time.Second, Known: true, Kind: auto.Kind{Requests: 100}, Offered: 10}
	for label, spoil := range map[string]func(*auto.Reading){
		"slow":      func(r *auto.Reading) { r.Slow = 90 },
		"errors":    func(r *auto.Reading) { r.Failed = 90 },
		"in_flight": func(r *auto.Reading) { r.InFlight = 900 },
		"probe":     func(r *auto.Reading) { r.Probe, r.Probes = "shop", 20 },
		"blind":     func(r *auto.Reading) { *r = auto.Reading{Took: time.Second} },
		"well":      func(*auto.Reading) {},
	} {
		var law auto.Law
		rate, why, r := 600.0, "", reading
		spoil(&r)
		for i := 0; why == "" && i < 60; i++ {
			next, because := law.Step(set, auto.Bounds{Least: 30, Most: 6000}, rate, r)
			if next != rate {
				rate, why = next, because
			}
		}
		if got := causeOf(why); got != label {
			t.Errorf("%q is labeled %s, want %s", why, got, label)
		}
	}
	if got := causeOf("something new"); got != "other" {
		t.Errorf("an unknown reason is labeled %s", got)
	}
}

func TestProbesTellThatTheyFail(t *testing.T) {
	t.Parallel()
	broken := atomic.Bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		io.WriteString(w, `{"a":3}`)
	}))
	t.Cleanup(s.Close)
	reg := prometheus.NewRegistry()
	p := probesOf(t, Probe{Name: "number", URL: s.URL, Path: "a", Limit: 2}, Probe{Name: "page", URL: s.URL, Limit: 1e6})
	// In this order the parts are put together.
	NewController(queue.New(devtest.PrivateRedis(t).Client, queue.Keys{}), slog.New(slog.DiscardHandler)).WithMetrics(reg).WithProbes(p)
	if tells(t, reg, "ropeline_probe_failing") || told(t, reg, "ropeline_probe_failures_total", "probe=page") != 0 {
		t.Error("probes that nobody asked have failed")
	}
	ask := func() {
		for _, probe := range p.probes {
			p.hear(probe.Name, p.ask(t.Context(), probe))
		}
	}
	is := func(when string, name string, want float64) {
		t.Helper()
		for _, probe := range []string{"number", "page"} {
			if got := told(t, reg, "ropeline_probe_"+name, "probe="+probe); got != want {
				t.Errorf("%s: ropeline_probe_%s of %s is %v, want %v", when, name, probe, got, want)
			}
		}
	}
	ask()
	is("well", "failing", 0)
	is("well", "failures_total", 0)
	if got := told(t, reg, "ropeline_probe_ratio", "probe=number"); got != 1.5 {
		t.Errorf("3 of 2 is a ratio of %v", got)
	}
	broken.Store(true)
	ask()
	ask()
	is("broken", "failing", 1)
	is("broken", "failures_total", 2)
	if got := told(t, reg, "ropeline_probe_ratio", "probe=page"); got != badly {
		t.Errorf("a page that answers with an error stands at %v", got)
	}
	broken.Store(false)
	ask()
	is("well again", "failing", 0)
	is("well again", "failures_total", 2)
}

func TestTheLeaderTellsThatThePaceIsWarnedOf(t *testing.T) {
	t.Parallel()
	d := newDesk(t, devtest.PrivateRedis(t).Client)
	reg := prometheus.NewRegistry()
	m := newMetrics(reg)
	m.lead(d.sale.ID)
	var p pacer
	warns := func(s queue.State) bool {
		t.Helper()
		d.must(p.look(t.Context(), d.store, m, d.sale.ID, s, d.now))
		return told(t, reg, "ropeline_line_pace_warning", "sale="+string(d.sale.ID)) == 1
	}
	s := queue.State{Stock: &ropeline.Stock{Basket: 2, Conversion: 0.5, Tiers: []ropeline.TierStock{{Units: 1000, Free: 5}}}}
	s.Rate, s.Mode, s.Drawn, s.Size = 60, ropeline.ModeRun, true, 5000 // a hold of this sale lasts 5 s: that is 5 units
	if !warns(s) {
		t.Error("all is held before the first hold runs out, and nobody is warned")
	}
	s.Stock.Tiers[0].Free = 500
	if !warns(s) {
		t.Error("it looks again within a second")
	}
	if d.wait(time.Second); warns(s) {
		t.Error("there is enough, and it is warned")
	}
	d.wait(time.Second)
	if s.Stock = nil; warns(s) {
		t.Error("nobody tells the stock, and it is warned")
	}
}

// What is told comes from a controller that runs.
func TestARunningControllerTellsOfTheAutomaticMode(t *testing.T) {
	t.Parallel()
	f := fly(t, `{"on":true}`)
	reg := prometheus.NewRegistry()
	c := NewController(f.store, slog.New(slog.DiscardHandler)).WithMetrics(reg)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- c.Run(ctx) }()
	until(t, "the automatic mode flies", func() bool { return tells(t, reg, "ropeline_auto_reading_age_seconds") })
	cancel()
	if err := <-over; err != nil {
		t.Error(err)
	}
	if on := told(t, reg, "ropeline_auto_on", "sale="+string(f.sale)); on != 1 {
		t.Errorf("it is on: %v", on)
	}
}
