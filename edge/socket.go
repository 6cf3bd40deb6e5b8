package edge

import (
	"sync/atomic"
	"time"
	"unique"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/hub"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

// socket is one WebSocket of one place, as a hub.Teller. It queues nothing: a
// frame is made from the newest view when it is written, so that while a reader
// is slow the newest status replaces those not sent.
type socket struct {
	server  *Server
	room    *room
	out     *hub.Socket
	link    *queue.Link
	phone   bool
	member  string                // of a party, as the ticket says
	terms   int                   // the version that it joined under, as the ticket says
	reads   unique.Handle[string] // languages
	counted                       // if it is a surplus, it is open for as long as it takes to say so
	phase   time.Duration         // when in its pace it looks: a crowd's frames spread

	offeredAt atomic.Int64 // ns, when it was woken for an offer that it did not tell yet

	told   bool // what follows
	shown  wire.Status
	sentAt time.Time
}

var (
	restarting = &hub.Ending{Code: wire.CloseRestart, Reason: "the server restarts"}
	tooSlow    = &hub.Ending{Code: wire.CloseSlow, Reason: "frames were read too slowly"}
	tooMany    = &hub.Ending{Code: wire.CloseOverload, Reason: "too many connections here: poll"}
	atEnd      = &hub.Ending{Code: wire.CloseFinal, Reason: "the place has reached its end"}
	unexpected = &hub.Ending{Code: wire.CloseInvalid, Reason: "no messages are expected"}
)

// pace holds the times of sockets; tests use short ones.
type pace struct {
	near time.Duration // between two frames of one socket in front
	far  time.Duration // and of the others
	hub.Pace
}

var usualPace = pace{
	near: time.Second, far: 5 * time.Second,
	Pace: hub.Pace{Ping: 20 * time.Second, Slow: 5 * time.Second, Cut: 10 * time.Second, Leave: 5 * time.Second},
}

// front is how many places are in front: their fans see every step.
const front = 1000

func (p *pace) of(s wire.Status) time.Duration {
	if s.Position != nil && *s.Position < front {
		return p.near
	}
	return p.far
}

// Tell tells the status of the place if it is time for that.
func (k *socket) Tell(body []byte) (message []byte, again time.Duration, end *hub.Ending) {
	if k.surplus {
		return nil, 0, tooMany
	}
	select {
	case <-k.room.over:
		return nil, 0, restarting
	default:
	}
	now, view := k.server.now(), k.room.line.View()
	place := k.link.Place()
	status := seated(statusOf(k.room.id, view, place, k.phone), view, place, queue.Ticket{Member: k.member, Terms: k.terms})
	status = k.room.weigh(view, place.ID, status)
	status.Sale = k.room.explain(view, k.reads.Value(), status.Sale)
	pace := k.server.pace.of(status)
	again = pace - (time.Duration(now.UnixNano())+k.phase)%pace
	if k.told {
		// A turn may come a little late, and the next one in time: a quarter of slack.
		different, urgent := changed(k.shown, status)
		if !different || !urgent && now.Sub(k.sentAt) < pace*3/4 {
			return nil, again, nil
		}
	}
	if !k.told || k.shown.Sale.Message != status.Sale.Message {
		status.Message = k.room.message(view, k.reads.Value())
	}
	k.told, k.shown, k.sentAt = true, status, now
	k.server.metrics.told(k.offeredAt.Swap(0), now)
	if status.State.Final() {
		end = atEnd
	}
	return k.room.encode(body, view, status), again, end
}

// Gone ends what the socket held.
func (k *socket) Gone() {
	if k.link != nil {
		k.link.Close()
	}
	k.server.sockets.leave(k.counted)
}

// wake lets the socket look at its place: an offer before all else.
func (k *socket) wake(state ropeline.PlaceState) {
	if state == ropeline.PlaceOffered {
		k.offeredAt.Store(k.server.now().UnixNano())
		k.out.Wake(hub.First)
		return
	}
	k.out.Wake(hub.Soon)
}
