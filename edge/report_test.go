package edge

import (
	"slices"
	"testing"
	"time"

	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

func TestAnEdgeTellsTheStaffHowItIs(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	staff := queue.New(devtest.Redis(t), queue.Keys{})
	t.Cleanup(staff.Close)
	edge := g.server.store.Edge()
	var report queue.Report
	for range 2 {
		f := g.browser()
		f.join()
		f.open()
	}
	g.until("it tells of two sockets", func() bool {
		all, err := staff.Reports(t.Context())
		must(t, err)
		i := slices.IndexFunc(all, func(r queue.Report) bool { return r.Edge == edge })
		if i >= 0 {
			report = all[i]
		}
		return report.Sockets == 2
	})
	if report.Host == "" || report.SocketsMost < 2 || report.Rooms != 1 || report.Away != 0 || report.Shedding || report.StartedAt.IsZero() || report.Age > time.Minute {
		t.Errorf("it says %+v", report)
	}
	g.stop()
	all, err := staff.Reports(t.Context())
	must(t, err)
	if slices.ContainsFunc(all, func(r queue.Report) bool { return r.Edge == edge }) {
		t.Error("it ended in good order and is on the list still")
	}
}
