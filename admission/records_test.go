package admission

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
	"github.com/ropeline/ropeline/queue/ledger"
)

// told reads one number, without labels or with all that are given, as name=value.
func told(t *testing.T, reg *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var has []string
			for _, l := range m.GetLabel() {
				has = append(has, l.GetName()+"="+l.GetValue())
			}
			if strings.Join(has, ",") == strings.Join(labels, ",") {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	t.Errorf("nobody tells %s of %v", name, labels)
	return -1
}

func TestTheAuditTellsWhatWasNotTaken(t *testing.T) {
	t.Parallel()
	reg, folder := prometheus.NewRegistry(), t.TempDir()
	nobody, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/none")
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	a, err := NewAudit(nobody, folder, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	a.WithMetrics(reg)
	row := AuditRow{Change: uuid.NewString(), Kind: Effective, Sale: "s", Action: "steer", Who: "ada", Role: "sre", Reason: "a reason", Detail: json.RawMessage("{}"), At: time.Now()}
	if err := a.keep(t.Context(), row); err != nil {
		t.Fatalf("with a disk to write to: %v", err)
	}
	is := func(when string, postgres, journal, waiting float64) {
		t.Helper()
		got := [3]float64{told(t, reg, "ropeline_audit_failures_total", "by=postgres"), told(t, reg, "ropeline_audit_failures_total", "by=journal"), told(t, reg, "ropeline_audit_journal_rows")}
		if got != [3]float64{postgres, journal, waiting} {
			t.Errorf("%s: %v failures of Postgres, of the journal, and rows that wait; want %v, %v, %v", when, got, postgres, journal, waiting)
		}
	}
	is("Postgres is away", 1, 0, 1)
	again, err := NewAudit(devtest.Postgres(t), folder, slog.New(slog.DiscardHandler)) // a part that was started anew
	if err != nil || again.waiting.Load() != 1 {
		t.Fatalf("started anew: %d rows wait, %v", again.waiting.Load(), err)
	}
	again.enterFiles(t.Context(), again.files())
	if again.waiting.Load() != 0 {
		t.Errorf("after they were entered %d rows wait", again.waiting.Load())
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := a.keep(t.Context(), row); err == nil {
		t.Error("a row that is nowhere is no error")
	}
	is("the disk is gone, too", 2, 1, 1)
}

func TestAControllerTellsOfEdgesAndTheLedger(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := newMetrics(reg)
	m.sawEdges([]queue.Report{{Edge: "lives"}, {Edge: "too", Age: 4 * time.Second}, {Edge: "died", Age: 6 * time.Second}})
	if n := told(t, reg, "ropeline_edges_alive"); n != 2 {
		t.Errorf("%v edges live, want 2", n)
	}
	now := time.Now()
	led := queue.Ticked{Leads: true}
	m.ticked("s", led, nil, now, now)
	if m.knowsHead("s") {
		t.Error("the head of a ledger is known that nobody has looked at")
	}
	m.appended("s", ledger.Head{Seq: 7}, 0, now.Add(-time.Minute))
	m.wrote("s", now.Add(-10*time.Second))
	m.appended("s", ledger.Head{Seq: 7}, 2, now) // two were lost, and nothing was appended
	for name, want := range map[string]float64{"entries": 7, "head_age_seconds": 60, "written_age_seconds": 10, "lost_total": 2} {
		if got := told(t, reg, "ropeline_ledger_"+name, "sale=s"); got < want || got > want+30 {
			t.Errorf("ropeline_ledger_%s is %v, want %v", name, got, want)
		}
	}
	// Another controller leads, and writes: what this one knew is old.
	m.ticked("s", queue.Ticked{}, nil, now, now)
	m.ticked("s", led, nil, now, now)
	if m.knowsHead("s") {
		t.Error("the head is known though another controller has written since")
	}
}

// The counts come from a controller that runs, not only from a test's hand.
func TestARunningControllerKeepsCountOfTheLedger(t *testing.T) {
	t.Parallel()
	d := newDesk(t, devtest.PrivateRedis(t).Client)
	reg := prometheus.NewRegistry()
	c := NewController(d.store, slog.New(slog.DiscardHandler)).WithMetrics(reg)
	edge := queue.New(d.rdb, queue.Keys{})
	d.must(edge.SayReport(t.Context(), queue.Report{Host: "h"}))
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- c.Run(ctx) }()
	until(t, "the ledger has come to its second entry, and the edge is seen", func() bool {
		c.metrics.mu.Lock()
		defer c.metrics.mu.Unlock()
		s := c.metrics.sales[d.sale.ID]
		return s != nil && s.entries >= 2 && c.metrics.edges.Load() == 1
	})
	cancel()
	d.must(<-over)
}
