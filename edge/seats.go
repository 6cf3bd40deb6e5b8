package edge

import (
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/hub"
	"github.com/ropeline/ropeline/edge/seats"
)

// seatSocket is one WebSocket of somebody who watches a performance's units, as a
// hub.Teller.
type seatSocket struct {
	server *Server
	viewer *seats.Viewer
	counted
}

// Tell tells the next frame.
func (k *seatSocket) Tell(body []byte) (frame []byte, again time.Duration, end *hub.Ending) {
	if k.surplus {
		return nil, 0, tooMany
	}
	frame, again, err := k.viewer.Tell(body)
	if err != nil {
		k.server.log.Error("a frame of seats", "err", err)
		return nil, 0, restarting
	}
	return frame, again, nil
}

// Gone ends what the socket held.
func (k *seatSocket) Gone() {
	k.viewer.Leave()
	k.server.sockets.leave(k.counted)
}

var errSeqInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "seq-invalid", Detail: "seq is the number of the last frame that you have, and feed is of the last one that had a feed."}

// watchSeats upgrades to the WebSocket that tells what becomes of the units of a
// performance. It needs Redis alone: the map shows what is free while the booking core
// is away.
func (s *Server) watchSeats(w http.ResponseWriter, r *http.Request) error {
	if err := checkHandshake(r); err != nil {
		return err
	}
	id := r.PathValue("id")
	if parsed, err := uuid.Parse(id); err != nil || parsed.String() != id {
		return errPerformanceUnknown
	}
	name, seq, err := lastSeen(r)
	if err != nil {
		return err
	}
	feed, viewer, err := s.feeds.Watch(r.Context(), ropeline.PerformanceID(id), name, seq)
	if err != nil {
		return err
	}
	// Its viewers share the sockets of this process with the lines as those of a sale
	// would: ids of performances are slugs, and none of a sale.
	entered, err := s.sockets.enter(ropeline.SaleID(id), limitKey(s.client(r)), s.rooms.len()+s.feeds.Len())
	if err != nil {
		viewer.Leave()
		return err
	}
	k := &seatSocket{server: s, viewer: viewer, counted: entered}
	conn, early, err := upgrade(w, r)
	if err != nil {
		k.Gone()
		return nil // Accept has answered
	}
	s.hub.Socket(k).Open(conn, early, &feed.Viewers)
	return nil
}

var errPerformanceUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "performance-unknown", Detail: "There is no such performance."}

// lastSeen is the frame that a viewer has, who comes back.
func lastSeen(r *http.Request) (name string, seq int64, err error) {
	query := r.URL.Query()
	name = query.Get("feed")
	text := query.Get("seq")
	if name == "" && text == "" {
		return "", 0, nil
	}
	if seq, err = strconv.ParseInt(text, 10, 64); err != nil || seq < 1 || name == "" || len(name) > 64 {
		return "", 0, errSeqInvalid
	}
	return name, seq, nil
}
