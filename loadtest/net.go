package loadtest

import (
	"context"
	"net/http"
	"time"
)

// A safety net in front of a foreign shop: fans come one by one while it is quiet,
// then too many at once, and one by one again when those are through. Most open a
// page of the shop and know nothing of a waiting room; the others open the room,
// as an app does.

// Calm is who comes while a safety net is quiet: so many before everybody else,
// and as many after.
type Calm struct {
	Fans int
	For  time.Duration
}

const (
	netHead = time.Second // a net that has just been published has not been counted yet
	netEbb  = time.Second // the line is empty for so long before the net counts as quiet
)

// around is the pace of fans who come in the given time, in the middle of the calm.
func (c Calm) around(fans int, span time.Duration) Pace {
	return Pace{{netHead, c.For, c.Fans}, {netHead + c.For, span, fans}, {netHead + c.For + span, c.For, c.Fans}}
}

// pace says when fans come, where the lobby closes in so long.
func (p Profile) pace(left time.Duration) Pace {
	if p.Demo.SafetyNet {
		return p.Calm.around(p.Late, p.Span)
	}
	return NewPace(p.Lobby, p.Late, left, p.Span)
}

// ebb waits until everybody who has come is in, or has gone, or nothing moves any
// more. How long that takes is the line's business; when the calm comes back, the
// pace is what it was.
func (r *run) ebb(ctx context.Context) {
	b, began := r.hall.board, r.clock.since()
	stall := r.Profile.stall(r.hall.about.ClaimWindow.Duration())
	for through := began; r.clock.since()-through < netEbb && r.clock.since()-max(began, Moment(b.lastOffer.Load())) < stall; {
		if !sleep(ctx, 50*time.Millisecond) {
			return
		}
		if b.arrived.Load()-b.finished.Load() > b.inside.Load() {
			through = r.clock.since()
		}
	}
	r.Log.Info("the crowd is through", "inside", b.inside.Load(), "waiting", b.waiting.Load())
}

// open asks for a page of the shop, as a browser that knows nothing of us. It is
// let in with that, or sent to the room, where it joins.
func (f *fan) open(ctx context.Context) bool {
	a := f.insist(ctx, f.rng, tries, request{method: http.MethodGet, path: "/buy/0", page: true})
	f.h.Came = a.Call
	switch {
	case a.ok() && a.token != "":
		f.let(a)
		f.take(a.token, a.Call)
		return true
	case a.Status == http.StatusSeeOther:
		return f.join(ctx)
	}
	return false
}

// let notes that the net let the fan in without a turn in a line.
func (f *fan) let(a answer) {
	f.h.In = a.Call
	f.meter.took(spanLet, a.Answered-a.Sent)
}

// byGate reports whether the fan has a token and no place's ticket: a browser that
// was let in with a page of the shop.
func (f *fan) byGate() bool { return f.ticket == "" }
