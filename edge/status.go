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
	return wire.SaleStatus{
		ID: id, Phase: v.Phase(), OpensAt: v.OpensAt, Now: v.Now,
		Paused: v.Paused, Reason: v.Reason, Entrants: v.Waiting(),
	}
}

// statusOf says where a place stands. Position and Served come from one view,
// so that they fit together.
func statusOf(id ropeline.SaleID, v *queue.View, p queue.Place) wire.Status {
	s := wire.Status{State: p.State, Sale: saleStatus(id, v)}
	switch p.State {
	case ropeline.PlaceWaiting:
		if p.Ordinal < 0 || outdated(v, p) {
			break // no order yet, or one that this view does not know
		}
		position, served := v.Position(p.Ordinal), v.LastOffer
		s.Position, s.Served, s.Epoch = &position, &served, v.Epoch
		if low, high, ok := v.Wait(position); ok {
			s.Wait = &wire.Wait{Low: int64(low / time.Second), High: int64((high + time.Second - 1) / time.Second)}
		}
	case ropeline.PlaceOffered:
		if p.Offer != nil {
			s.Offer = &wire.Offer{Number: p.Offer.Number, ClaimBy: p.Offer.ClaimBy}
		}
	case ropeline.PlaceActive:
		if p.Session != nil {
			s.Session = &wire.Session{ID: p.Session.ID, EndsAt: p.Session.EndsAt}
		}
	}
	return s
}

// outdated reports whether the view knows another order than the one in which
// the place's ordinal holds, so that the place must be looked up again. A
// fresh join carries no epoch: its ordinal is of the current one.
func outdated(v *queue.View, p queue.Place) bool {
	switch p.State {
	case ropeline.PlaceCollected:
		return v.Phase() == ropeline.PhaseOpen
	case ropeline.PlaceWaiting:
		return p.Epoch != "" && p.Epoch != v.Epoch
	}
	return false
}

// overdue reports whether the line has passed a place without a word of an
// offer having come here: the message may be lost, so look.
func overdue(v *queue.View, p queue.Place) bool {
	return p.State == ropeline.PlaceWaiting && p.Ordinal >= 0 && !outdated(v, p) && p.Ordinal < v.Cursor
}

// final reports whether nothing can become of a place any more.
func final(state ropeline.PlaceState) bool {
	return state == ropeline.PlaceLeft || state == ropeline.PlaceExpired || state == ropeline.PlaceDone
}

// changed reports whether a fan would see a difference, and whether it may
// not wait: what the fan must act upon, and what explains a standstill.
func changed(shown, next wire.Status) (different, urgent bool) {
	urgent = shown.State != next.State || shown.Sale.Phase != next.Sale.Phase ||
		shown.Sale.Paused != next.Sale.Paused || shown.Sale.Reason != next.Sale.Reason ||
		!same(shown.Offer, next.Offer) || !same(shown.Session, next.Session)
	different = urgent || shown.Epoch != next.Epoch || !same(shown.Position, next.Position) || !alike(shown.Wait, next.Wait) ||
		shown.Sale.Entrants != next.Sale.Entrants || !shown.Sale.OpensAt.Equal(next.Sale.OpensAt)
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
	return near(a.Low, b.Low) && near(a.High, b.High)
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
	case final(s.State):
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
