package edge

import (
	"net/http"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// TestAnAppDoesEverythingWithoutCookies is docs/app.md as a test.
func TestAnAppDoesEverythingWithoutCookies(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened)
	g.draw()
	first, second := g.phone(), g.phone()
	call := func(f *fan, status int, method, path, body string) reply {
		t.Helper()
		r := wantStatus(t, f.do(method, path, body), status)
		if c := r.Header.Values("Set-Cookie"); len(c) != 0 {
			t.Errorf("%s %s set the cookies %v", method, path, c)
		}
		if s := (struct{ Ticket string }{}); len(r.body) > 0 {
			if s = read[struct{ Ticket string }](t, r); s.Ticket != "" {
				f.ticket = s.Ticket // the newest one is kept
			}
		}
		return r
	}
	call(first, 201, "POST", "place", `{"attempt":"attempt-of-the-app-1"}`)
	call(first, 200, "GET", "place", "")
	live := first.open()
	live.await("the place", in(ropeline.PlaceWaiting))
	code := read[wire.Handover](t, call(first, 201, "POST", "place/handover", "")).Code
	call(second, 201, "POST", "place/handover/exchange", `{"code":"`+code+`","device":"the-second-device"}`)
	live.await("the place is elsewhere", func(s wire.Status) bool { return s.Elsewhere })
	live = second.open()
	g.admit(1)
	live.await("the offer", in(ropeline.PlaceOffered))
	for _, path := range []string{"place/claim", "session"} {
		admission := read[wire.Admission](t, call(second, 200, "POST", path, ""))
		if claims, err := g.verifier().Verify(admission.Token); err != nil || claims.Session != admission.Session.ID {
			t.Errorf("%s: token %+v, %v", path, claims, err)
		}
	}
	call(second, 204, "DELETE", "session", "")
	if s := read[wire.Status](t, call(second, 200, "GET", "place", "")); s.State != ropeline.PlaceDone {
		t.Errorf("after the end: %s", s.State)
	}
	other := g.phone()
	call(other, 201, "POST", "place", "")
	call(other, 204, "DELETE", "place", "")
}

// After a loss of Redis a ticket of before brings its place back, but not that
// of somebody who left; and who held a place that moved still does.
func TestTicketsOfBeforeALossAreWorthTheirPlaceOnly(t *testing.T) {
	t.Parallel()
	server := devtest.PrivateRedis(t)
	g := newRigOn(t, server.Client, opened, shut)
	g.draw()
	stays, leaves, desk, phone := g.phone(), g.phone(), g.phone(), g.phone()
	for _, f := range []*fan{stays, leaves, desk} {
		f.join()
	}
	wantStatus(t, leaves.do("DELETE", "place", ""), http.StatusNoContent)
	phone.take(desk.code().Code)
	g.until("the edge knows of the move", func() bool { return desk.poll().Elsewhere })
	epoch := g.snapshot().Epoch
	beats := map[float64]bool{}
	g.until("the edge has looked after everything twice", func() bool { // the second time it remembers the sale
		edges, err := server.Client.ZRangeWithScores(t.Context(), "ropeline:{"+string(g.sale.ID)+".0}:edges", -1, -1).Result()
		must(t, err)
		beats[edges[0].Score] = true
		return len(beats) > 2
	})

	must(t, server.Client.FlushAll(t.Context()).Err())
	g.until("the line is put together again", func() bool {
		_, _ = g.store.Tick(t.Context(), g.sale.ID, "controller", time.Minute) // refused until an edge brings the sale back
		s, err := g.store.State(t.Context(), g.sale.ID)
		return err == nil && !s.Settling && s.Epoch != "" && s.Epoch != epoch
	})
	g.until("an old ticket finds its place", func() bool {
		s := stays.poll()
		return s.State == ropeline.PlaceWaiting && s.Position != nil && s.Epoch != epoch
	})
	if r := leaves.do("GET", "place", ""); r.StatusCode == http.StatusOK {
		if s := read[wire.Status](t, r); s.State != ropeline.PlaceLeft {
			t.Errorf("who left is %+v", s)
		}
	} else {
		wantProblem(t, r, http.StatusGone, "place-gone")
	}
	g.until("who holds the place that moved is known", func() bool {
		return desk.do("DELETE", "place", "").StatusCode == http.StatusConflict
	})
	if s := phone.poll(); s.Elsewhere || s.State != ropeline.PlaceWaiting {
		t.Errorf("the phone's place is %+v", s)
	}
	if n := g.snapshot().Size; n != 2 {
		t.Errorf("%d places in line, want two", n)
	}
}
