package edge

import (
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/ropeline/ropeline"
)

// sockets counts the open sockets of this process and ends them.
type sockets struct {
	most    int64
	running sync.WaitGroup

	mu     sync.Mutex // guards the rest
	open   int64
	ending chan struct{}
	ended  bool
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

// enter counts a socket in and reports whether it is one too many. Some of
// those are let in for as long as it takes to say so, because a page cannot
// read why a handshake was refused; the others get errSocketsFull.
func (k *sockets) enter() (surplus bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	polite := k.most + k.most/50 + 1
	switch {
	case k.ended:
		return false, errStarting
	case k.open >= polite:
		return false, errSocketsFull
	}
	k.open++
	k.running.Add(1)
	return k.open > k.most, nil
}

func (k *sockets) leave() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open--
	k.running.Done()
}

// close tells all sockets to end and waits until they have.
func (k *sockets) close() {
	k.mu.Lock()
	if !k.ended {
		k.ended = true
		close(k.ending)
	}
	k.mu.Unlock()
	k.running.Wait()
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
	surplus, err := s.sockets.enter()
	if err != nil {
		return err
	}
	defer s.sockets.leave()
	room.sockets.Add(1)
	defer room.sockets.Add(-1)
	place, err := s.whereabouts(r.Context(), room, ticket, isPhone(r))
	if err != nil {
		return err
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return nil // Accept has answered
	}
	k := &socket{server: s, room: room, conn: conn, phone: isPhone(r), received: make(chan error, 1), changed: make(chan struct{}, 1)}
	k.link = room.line.Attend(ticket, place, k.phone, k.wake)
	defer k.link.Close()
	k.serve(surplus)
	return nil
}

// checkHandshake refuses with a problem document what Accept would refuse with
// plain text.
func checkHandshake(r *http.Request) error {
	keys := r.Header.Values("Sec-WebSocket-Key")
	upgrades := r.Method == http.MethodGet && r.ProtoAtLeast(1, 1) && len(keys) == 1 &&
		r.Header.Get("Sec-WebSocket-Version") == "13" && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") &&
		strings.Contains(strings.ToLower(strings.Join(r.Header.Values("Connection"), ",")), "upgrade")
	if !upgrades {
		return errUpgradeMissing
	}
	if key, err := base64.StdEncoding.DecodeString(keys[0]); err != nil || len(key) != 16 {
		return errUpgradeMissing
	}
	return checkSocketOrigin(r)
}
