package edge

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
)

// visit is how one fan of a crowd at a safety net came in.
type visit struct {
	sent, answered time.Time // of the join
	number         int64     // of the offer; 0: let in at once
	offered        time.Time // by the line's own clock
}

// comeAndGo walks a fan in and out again. inside counts who is in.
func (g *rig) comeAndGo(inside func(change int64)) visit {
	app := g.atShop()
	app.client.Jar, app.app = nil, true
	v := visit{sent: time.Now()}
	s := app.join()
	v.answered = time.Now()
	if s.State != ropeline.PlaceActive {
		g.until("the turn comes", func() bool { s = app.poll(); return s.State == ropeline.PlaceOffered })
		v.number, v.offered = s.Offer.Number, s.Offer.ClaimBy.Add(-g.sale.ClaimWindow.Duration())
	}
	app.claim()
	inside(1)
	inside(-1) // before the slot can be free
	wantStatus(g.TB, app.do("DELETE", "session", ""), http.StatusNoContent)
	return v
}

// crowd lets so many at once come and go, each often enough for so many visits.
func (g *rig) crowd(atOnce, visits int, inside func(change int64)) []visit {
	var (
		mu   sync.Mutex
		all  []visit
		fans sync.WaitGroup
	)
	for range atOnce {
		fans.Go(func() {
			for range visits / atOnce {
				v := g.comeAndGo(inside)
				mu.Lock()
				all = append(all, v)
				mu.Unlock()
			}
		})
	}
	fans.Wait()
	return all
}

// A crowd of more than fits in meets the limits again and again: all get in, never
// more than the cap at once, nobody passes anybody by who waits, and the line is
// by arrival. When fewer come than fit in, nobody waits any more.
func TestACrowdAtASafetyNetIsServedByArrival(t *testing.T) {
	t.Parallel()
	const slots = 4
	g := newNet(t, slots)
	ctx, stop := context.WithCancel(t.Context())
	var controller sync.WaitGroup
	defer controller.Wait()
	defer stop()
	controller.Go(func() {
		for ticker := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; <-ticker.C {
			g.tick()
		}
	})
	var in, most atomic.Int64
	inside := func(change int64) {
		if n := in.Add(change); n > most.Load() {
			most.Store(n)
		}
	}
	visits := g.crowd(12, 60, inside)
	if t.Failed() {
		t.FailNow()
	}
	var waited, pairs int
	for _, b := range visits {
		if b.number != 0 {
			waited++
		}
		for _, a := range visits {
			if a.number == 0 || !a.answered.Before(b.sent) {
				continue // whoever was in at once was passed by nobody; or b was not surely later
			}
			pairs++
			if b.number != 0 && b.number < a.number || b.number == 0 && a.offered.After(b.answered) {
				t.Errorf("who joined at %v was offered at %v as number %d; who came later, at %v, was let in before: number %d", a.answered, a.offered, a.number, b.sent, b.number)
			}
		}
	}
	state := g.snapshot()
	t.Logf("%d visits, %d of which waited, %d pairs compared; %d slots of %d in use at most", len(visits), waited, pairs, state.MaxInUse, slots)
	if len(visits) != 60 || waited < 12 || pairs < 300 {
		t.Errorf("%d visits, of which %d waited, %d pairs: want 60, a crowd that meets the limits", len(visits), waited, pairs)
	}
	if most.Load() > slots || state.MaxInUse > slots || !state.Proof.Holds() {
		t.Errorf("%d were in at once, by the line %d, of %d; proof %+v", most.Load(), state.MaxInUse, slots, state.Proof)
	}
	g.until("all have gone", func() bool { s := g.snapshot(); return s.Active+s.Offered == 0 && s.Waiting() == 0 })
	if few := g.crowd(2, 8, inside); slices.ContainsFunc(few, func(v visit) bool { return v.number != 0 }) {
		t.Errorf("two at a time, and somebody waits at a net of %d: %+v", slots, few)
	}
}
