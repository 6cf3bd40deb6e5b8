package edge

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

// socket is one WebSocket of one place. It queues nothing: a frame is made
// from the newest view when it is written, so that while a reader is slow the
// newest status replaces those not sent.
type socket struct {
	server   *Server
	room     *room
	conn     *websocket.Conn
	link     *queue.Link
	phone    bool
	received chan error    // what ended the reading; nil for a data frame
	changed  chan struct{} // holds one: the place has changed

	shown  *wire.Status
	sentAt time.Time

	helpers sync.WaitGroup // reader and pings
}

// serve pushes until the socket ends, and waits for all it started.
func (k *socket) serve(surplus bool) {
	k.helpers.Go(func() {
		_, _, err := k.conn.Reader(context.Background()) // answers control frames on the way
		k.received <- err
	})
	end := &ending{wire.CloseOverload, "too many connections here: poll"}
	if !surplus {
		end = k.push()
	}
	if end != gone {
		_ = k.conn.Close(end.code, end.reason) // waits up to 5 s for the client's answer
	}
	_ = k.conn.CloseNow()
	k.helpers.Wait()
}

// ending is how a socket ends.
type ending struct {
	code   websocket.StatusCode
	reason string
}

var (
	gone       = &ending{} // there is nobody to tell
	restarting = &ending{wire.CloseRestart, "the server restarts"}
	tooSlow    = &ending{wire.CloseSlow, "frames were read too slowly"}
	atEnd      = &ending{wire.CloseFinal, "the place has reached its end"}
	unexpected = &ending{wire.CloseInvalid, "no messages are expected"}
)

// push writes a frame whenever there is something new to show, until the
// socket ends.
func (k *socket) push() *ending {
	pace := k.server.pace
	ping := time.NewTimer(rand.N(pace.ping)) // at a moment of its own: pings of a crowd spread
	defer ping.Stop()
	wake := time.NewTimer(0)
	defer wake.Stop()
	for {
		alarm := k.room.alarmed() // before the view is read, so that no change falls between
		if end := k.show(); end != nil {
			return end
		}
		wake.Reset(pace.frame)
		select {
		case <-k.server.sockets.ending:
			return restarting
		case <-k.room.over:
			return restarting
		case err := <-k.received:
			if err == nil {
				return unexpected
			}
			return gone
		case <-k.changed:
		case <-ping.C:
			ping.Reset(pace.ping)
			k.helpers.Go(k.ping)
		case <-alarm:
		case <-wake.C:
		}
	}
}

// ping cuts the connection if no pong comes. It waits in a goroutine of its
// own, which lives for one round trip.
func (k *socket) ping() {
	ctx, cancel := context.WithTimeout(context.Background(), k.server.pace.ping)
	defer cancel()
	if err := k.conn.Ping(ctx); err != nil {
		_ = k.conn.CloseNow()
	}
}

// show writes a frame if it is time for one. It returns nil unless the socket
// is to end.
func (k *socket) show() *ending {
	now, view := k.server.now(), k.room.line.View()
	status := statusOf(k.room.id, view, k.link.Place(), k.phone)
	if k.shown != nil {
		different, urgent := changed(*k.shown, status)
		if !different || !urgent && now.Sub(k.sentAt) < k.server.pace.frame {
			return nil
		}
	}
	if end := k.write(status); end != nil {
		return end
	}
	k.shown, k.sentAt = &status, now
	if status.State.Final() {
		return atEnd
	}
	return nil
}

// wake lets the socket look at its place. It does not block.
func (k *socket) wake() {
	select {
	case k.changed <- struct{}{}:
	default: // it is awake already
	}
}

// write sends one frame. A reader so slow that the frame could not be handed
// over at all is cut; one that took it late is told to come back.
func (k *socket) write(status wire.Status) *ending {
	frame, err := json.Marshal(status)
	if err != nil { // cannot be: a Status has no type that JSON lacks
		k.server.log.Error("a frame could not be made", "err", err)
		return gone
	}
	ctx, cancel := context.WithTimeout(context.Background(), k.server.pace.cut)
	defer cancel()
	began := time.Now() // not the server's clock: this measures the network
	if err := k.conn.Write(ctx, websocket.MessageText, frame); err != nil {
		return gone
	}
	if time.Since(began) > k.server.pace.slow {
		return tooSlow
	}
	return nil
}
