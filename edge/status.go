package edge

import (
	"math/rand/v2"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

// saleStatus is the part of a sale that moves, as one view saw it.
func saleStatus(id ropeline.SaleID, v *queue.View) wire.SaleStatus {
	var mode ropeline.Mode
	var reason string
	if v.Paused() {
		mode, reason = v.Mode, v.Reason
	}
	return wire.SaleStatus{
		ID: id, Phase: v.Phase(), OpensAt: v.OpensAt, Now: v.Now,
		Paused: v.Paused(), Mode: mode, Reason: reason, Entrants: v.Waiting(), Comebacks: v.Comebacks, Trouble: trouble(v),
		Terms: v.Board.Newest(), Message: messageNumber(v),
	}
}

func pauseNumber(v *queue.View) int64 {
	if m := v.Pause(); m != nil {
		return m.Number
	}
	return 0
}

func messageNumber(v *queue.View) int64 {
	if m := v.Message(); m != nil {
		return m.Number
	}
	return 0
}

func trouble(v *queue.View) wire.Trouble {
	switch {
	case v.Away:
		return wire.TroubleAway
	case v.Settling:
		return wire.TroubleSettling
	}
	return ""
}

// statusOf says where a place stands. Position and Served come from one view,
// so that they fit together.
func statusOf(id ropeline.SaleID, v *queue.View, p queue.Place, phone bool) wire.Status {
	s := wire.Status{State: p.State, Sale: saleStatus(id, v), Lane: v.LaneName(p.ID), Back: p.Back, Elsewhere: p.Elsewhere}
	s.Reentry = p.Pass.Open() || p.Back && p.Pass.Used()
	if by := p.MissedAt.Add(queue.GraceOf(phone)); !p.MissedAt.IsZero() && by.After(v.Now) {
		s.ReturnBy = &by
	}
	switch p.State {
	case ropeline.PlacePassed:
		if s.ReturnBy == nil {
			s.State = ropeline.PlaceExpired
		}
	case ropeline.PlaceWaiting:
		lane := v.StandIn(p.ID)
		if p.Ordinal < 0 || p.Epoch != lane.Epoch || v.Settling {
			break // no order yet, or one that this view does not know
		}
		position, served := v.Position(p), v.LastOffer
		s.Position, s.Served, s.Epoch = &position, &served, lane.Epoch
		if w, ok := v.Wait(v.LaneOf(p.ID), position); ok {
			s.Wait = &wire.Wait{Low: int64(w.Low.Round(time.Second) / time.Second), High: int64(w.High.Round(time.Second) / time.Second),
				Longer: wire.Longer(w.Longer)}
		}
	case ropeline.PlaceOffered:
		if p.Offer != nil {
			s.Offer = &wire.Offer{Number: p.Offer.Number, ClaimBy: p.Offer.ClaimBy, Beside: p.Offer.Beside}
		}
	case ropeline.PlaceActive:
		if p.Session != nil {
			s.Session = &wire.Session{ID: p.Session.ID, EndsAt: p.Session.EndsAt}
		}
	}
	return s
}

// changed reports whether a fan would see a difference, and whether it may
// not wait: what the fan must act upon, and what explains a standstill.
func changed(shown, next wire.Status) (different, urgent bool) {
	urgent = shown.State != next.State || shown.Sale.Phase != next.Sale.Phase ||
		shown.Sale.Paused != next.Sale.Paused || shown.Sale.Trouble != next.Sale.Trouble || shown.Back != next.Back || shown.Elsewhere != next.Elsewhere || !same(shown.Party, next.Party) || shown.Sale.Reason != next.Sale.Reason || shown.Sale.Mode != next.Sale.Mode ||
		shown.Sale.Message != next.Sale.Message || shown.Sale.Terms != next.Sale.Terms || turned(shown.Odds, next.Odds) ||
		!same(shown.Offer, next.Offer) || !same(shown.Session, next.Session) || shown.Reentry != next.Reentry
	queued := next.State == ropeline.PlaceWaiting || next.State == ropeline.PlaceCollected // others are not shown how many wait, or go first
	different = urgent || shown.Epoch != next.Epoch || !same(shown.Position, next.Position) || !alike(shown.Wait, next.Wait) ||
		queued && (shown.Sale.Entrants != next.Sale.Entrants || shown.Sale.Comebacks != next.Sale.Comebacks) || !sameOdds(shown.Odds, next.Odds) || !shown.Sale.OpensAt.Equal(next.Sale.OpensAt)
	return different, urgent
}

func same[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// alike reports whether two estimates would be told apart by somebody who
// waits: an estimate moves a little with every tick, and a frame to each fan
// for every second of it would be most of all frames.
func alike(a, b *wire.Wait) bool {
	if a == nil || b == nil {
		return a == b
	}
	near := func(x, y int64) bool {
		apart := max(x-y, y-x)
		return apart <= 2 || apart*20 <= x // 5 %
	}
	return near(a.Low, b.Low) && near(a.High, b.High) && a.Longer == b.Longer
}

// When a poller is told to come back, in seconds. The near front must not miss
// an offer's claim window; far back one poll in 20 s is 20 times fewer.
const (
	nearFront   = 100
	pollNear    = 2
	pollFar     = 5
	pollFarMost = 20
)

// nextContact returns when a poller should come back: soon near the front and
// near the opening, else seldom, with a fifth of jitter so that crowds spread.
func nextContact(s wire.Status) int {
	every := float64(pollFar)
	switch {
	case s.State.Final():
		return 0
	case s.State == ropeline.PlaceActive:
		every = pollFarMost
	case s.State == ropeline.PlaceCollected:
		every = min(max(s.Sale.OpensAt.Sub(s.Sale.Now).Seconds()/5, pollNear), pollFarMost)
	case s.State == ropeline.PlaceOffered || s.Position != nil && *s.Position < nearFront:
		every = pollNear
	case s.Position != nil:
		every = min(pollFar+float64(*s.Position)/500, pollFarMost)
	}
	return int(every*(0.8+0.4*rand.Float64()) + 0.5)
}
