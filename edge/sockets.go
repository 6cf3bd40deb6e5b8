package edge

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/ropeline/ropeline"
)

// sockets counts the open sockets of this process.
type sockets struct {
	mu   sync.Mutex // guards the rest
	most int64
	open int64
}

var (
	errSocketsFull = &ropeline.Error{
		Kind: ropeline.Unavailable, Code: "sockets-full", RetryAfter: 10 * time.Second,
		Detail: "This server holds as many live connections as it can. Please poll instead.",
	}
	errUpgradeMissing = &ropeline.Error{
		Kind: ropeline.Invalid, Code: "upgrade-required", Status: http.StatusUpgradeRequired,
		Detail: "This address speaks WebSocket (RFC 6455, version 13) only.",
	}
)

// polite is how many sockets are open at most: those beyond most only for as
// long as it takes to tell them.
func polite(most int64) int64 { return most + most/50 + 1 }

// enter counts a socket in and reports whether it is one too many. Some of
// those are let in for as long as it takes to say so, because a page cannot
// read why a handshake was refused; the others get errSocketsFull.
func (k *sockets) enter() (surplus bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open >= polite(k.most) {
		return false, errSocketsFull
	}
	k.open++
	return k.open > k.most, nil
}

func (k *sockets) leave() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open--
}

func (k *sockets) count() (open, most int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.open, k.most
}

// live upgrades to the WebSocket that pushes the status of a place.
func (s *Server) live(w http.ResponseWriter, r *http.Request) error {
	if err := checkHandshake(r); err != nil {
		return err
	}
	room, ticket, err := s.caller(w, r)
	if err != nil {
		return err
	}
	if _, err := room.view(r.Context()); err != nil {
		return err
	}
	place, err := s.whereabouts(r.Context(), room, ticket, isPhone(r))
	if err != nil {
		return err
	}
	surplus, err := s.sockets.enter()
	if err != nil {
		return err
	}
	conn, early, err := upgrade(w, r)
	if err != nil {
		s.sockets.leave()
		return nil // Accept has answered
	}
	k := &socket{server: s, room: room, phone: isPhone(r), member: ticket.Member, terms: ticket.Terms, reads: languages(r), surplus: surplus, phase: rand.N(s.pace.far)}
	k.out = s.hub.Socket(k)
	if !surplus {
		k.link = room.line.Attend(ticket, place, k.phone, k.wake)
	}
	k.out.Open(conn, early, &room.sockets)
	return nil
}
