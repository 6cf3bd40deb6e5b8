package edge

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

func TestNobodyJoinsALineThatIsDrained(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened)
	g.draw()
	inside := g.browser()
	inside.join()
	g.steer(t, ropeline.ModeDrain, "We close at eight.")
	g.tick()
	g.until("nobody can join", func() bool { return g.browser().do("POST", "place", "").StatusCode == http.StatusConflict })
	wantProblem(t, g.browser().do("POST", "place", ""), http.StatusConflict, "line-closed")
	if s := read[wire.Sale](t, g.browser().do("GET", "", "")); s.Status.Paused || s.Status.Reason != "" {
		t.Errorf("a line that is drained is shown as %+v", s.Status)
	}
	inside.join() // who is in it is
	g.admit(1)
	inside.claim()
}

func TestAStoppedSaleSaysWhyAndGoesOn(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened)
	f, _ := admitted(g)
	late := g.browser()
	late.join()
	g.admit(2)
	g.steer(t, ropeline.ModeStop, "The hall has no power.")
	for fan, path := range map[*fan]string{f: "session", late: "place/claim"} {
		r := fan.do("POST", path, "{}")
		wantProblem(t, r, http.StatusServiceUnavailable, "sale-stopped")
		if !strings.Contains(string(r.body), "The hall has no power.") || r.Header.Get("Retry-After") == "" {
			t.Errorf("%s answers %s", path, r.body)
		}
	}
	g.tick()
	g.until("the stop is shown", func() bool {
		s := read[wire.Sale](t, late.do("GET", "", "")).Status
		return s.Paused && s.Reason == "The hall has no power."
	})
	g.steer(t, ropeline.ModeRun, "")
	late.claim()
	wantStatus(t, f.do("POST", "session", "{}"), http.StatusOK)
}
