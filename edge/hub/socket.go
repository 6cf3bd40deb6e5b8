package hub

import (
	"errors"
	"math/rand/v2"
	"net"
	"slices"
)

// Socket is one WebSocket.
type Socket struct {
	writer *writer
	teller Teller
	group  *Group
	at     int // in the group; its lock guards it

	notes note // of the next turn; the writer's lock guards it

	// Of the writer's goroutine, once it is open.
	spoke
	conn    conn
	open    bool
	waiting bool // for a pong
	echoing bool // a ping is to be answered, with echo
	deaf    bool // what the client says does not matter any more
	closing bool // its close frame has been sent
	parted  bool // the client's close frame has come
	end     *Ending
	askAt   moment // its teller
	pingAt  moment // or, waiting, when the peer is dead
	since   moment // when rest began to wait, or the wait for the client's close
	rest    []byte // of what did not fit into the connection
	early   []byte // of a frame that has not come whole
	echo    []byte
	heard   int // bytes since the last ping
}

const (
	readSize   = 4096     // of one turn
	heardMost  = 64 << 10 // between two pings: more is no client of ours
	sendBuffer = 16 << 10 // of the system: what a slow reader can cost, 30 frames or more
)

// Wake gives the socket a turn to tell what is new.
func (s *Socket) Wake(p Priority) { s.writer.leave(s, noteNews, p) }

// Open starts the socket on a connection whose handshake is done. early is what
// the client sent behind it. The hub closes the connection; if it has ended, at
// once.
func (s *Socket) Open(c net.Conn, early []byte, g *Group) {
	s.early, s.group = early, g
	if !s.writer.enter() {
		_ = c.Close()
		s.teller.Gone()
		return
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // else the system's own bound holds
	}
	s.conn = s.writer.hub.watch(s, c)
	g.add(s)
	s.writer.leave(s, noteOpen, Soon)
}

// turn does all that there is to do for the socket now.
func (s *Socket) turn(n note, now moment) {
	w := s.writer
	if n&noteOpen != 0 {
		s.open = true
		s.pingAt = now + rand.N(w.hub.pace.Ping) // at a moment of its own: pings of a crowd spread
		n |= noteReady | noteLast | noteNews     // what came early, and the first message
		if w.told {
			s.end = w.hub.endings.Stopping
		}
	}
	if n&noteNews != 0 {
		s.askAt = now
	}
	if !s.open || n&noteReady != 0 && !s.read(n&noteLast != 0) || !s.write(now) {
		return
	}
	w.wheel.put(s, s.due(), now)
}

// due is when something is to be done even if nothing happens.
func (s *Socket) due() moment {
	pace := &s.writer.hub.pace
	switch {
	case len(s.rest) > 0:
		return s.since + pace.Cut
	case s.closing:
		return s.since + pace.Leave
	}
	return min(s.askAt, s.pingAt)
}

// stop lets the socket end.
func (s *Socket) stop(now moment, e *Ending) {
	if s.end == nil {
		s.end = e
	}
	s.turn(0, now)
}

// drop ends the socket; it returns false, as whoever finds that it is over.
func (s *Socket) drop() bool {
	s.open = false
	_ = s.conn.close() // the last that is done with it
	s.writer.wheel.remove(s)
	s.group.remove(s)
	s.writer.exit()
	s.rest, s.early, s.echo = nil, nil, nil
	s.teller.Gone()
	return false
}

// read takes in some of what has come and reports whether the socket is open
// still. If there may be more, that follows in a turn of its own, so that a
// client who never stops is one among others.
func (s *Socket) read(last bool) bool {
	in := slices.Grow(append(s.writer.in[:0], s.early...), readSize)
	n, err := s.conn.read(in[len(in) : len(in)+readSize])
	in = in[:len(in)+n]
	s.writer.in, s.early = in[:0], nil
	s.hear(in)
	switch {
	case errors.Is(err, errAgain):
	case err != nil: // also a half-closed connection: there is nobody to tell
		return s.drop()
	case n == readSize || last:
		s.writer.leave(s, noteReady|noteLast, Soon)
	}
	return true
}

// hear understands what has been read.
func (s *Socket) hear(in []byte) {
	if s.heard += len(in); s.heard > heardMost {
		s.misheard()
	}
	for !s.deaf {
		c, n, err := parse(in)
		switch {
		case err != nil:
			s.misheard()
			return
		case n == 0:
			s.early = append(s.early, in...)
			return
		}
		in = in[n:]
		switch c.op {
		case opPing:
			s.echoing, s.echo = true, append(s.echo[:0], c.payload...) // only the newest is answered
		case opPong:
			s.waiting = false
		case opClose:
			s.deaf, s.parted = true, true
			if s.end == nil {
				s.end = answer(c)
			}
		}
	}
}

func (s *Socket) misheard() {
	s.deaf = true
	if s.end == nil {
		s.end = s.writer.hub.endings.Unexpected
	}
}

// write sends what there is to send and reports whether the socket is open
// still.
func (s *Socket) write(now moment) bool {
	if len(s.rest) > 0 {
		if done, open := s.finish(now); !done {
			return open
		}
	}
	if !s.closing {
		frames, alive := s.frames(now)
		if !alive || len(frames) > 0 && !s.send(frames, now) {
			return s.drop()
		}
	}
	if s.closing && len(s.rest) == 0 && (s.parted || now >= s.since+s.writer.hub.pace.Leave) {
		return s.drop()
	}
	return true
}

// finish goes on with what did not fit before.
func (s *Socket) finish(now moment) (done, open bool) {
	pace := &s.writer.hub.pace
	n, err := s.conn.write(s.rest)
	s.rest = s.rest[n:]
	switch {
	case err != nil && !errors.Is(err, errAgain), len(s.rest) > 0 && now >= s.since+pace.Cut:
		return false, s.drop()
	case len(s.rest) > 0:
		return false, true
	}
	s.rest = nil
	if now > s.since+pace.Slow && s.end == nil {
		s.end = s.writer.hub.endings.Slow
	}
	s.since = now
	return true, true
}

// frames makes what is to be sent now; alive is false for a dead peer. The
// frames are the writer's until the next turn.
func (s *Socket) frames(now moment) (out []byte, alive bool) {
	w := s.writer
	out = w.out[:0]
	if s.echoing {
		out = appendFrame(out, opPong, s.echo)
		s.echoing, s.echo = false, nil
	}
	if s.end == nil && now >= s.pingAt && s.waiting {
		return nil, false
	}
	pingFrom := s.pingAt
	if s.end == nil && now >= s.askAt {
		message, again, end := s.teller.Tell(w.body[:0])
		if len(message) > 0 {
			out = appendFrame(out, opText, message)
			pingFrom -= w.hub.pace.Ping / 4 // a ping that goes with a message costs no write
		}
		w.body = message[:0]
		s.askAt, s.end = now+max(again, wheelStep), end
	}
	if s.end == nil && !s.waiting && now >= pingFrom {
		out = appendFrame(out, opPing, nil)
		s.waiting, s.pingAt, s.heard = true, now+w.hub.pace.Ping, 0
	}
	if s.end != nil {
		out = appendClose(out, s.end)
		s.closing, s.since = true, now
	}
	w.out = out[:0]
	return out, true
}

// send writes as much as fits and keeps the rest; false if the connection is
// broken.
func (s *Socket) send(frames []byte, now moment) bool {
	n, err := s.conn.write(frames)
	if err != nil && !errors.Is(err, errAgain) {
		return false
	}
	if n < len(frames) {
		s.rest, s.since = append([]byte(nil), frames[n:]...), now
	}
	return true
}
