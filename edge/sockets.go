package edge

import (
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ropeline/ropeline"
)

// sockets counts the open sockets of this process, by sale and by address.
type sockets struct {
	shares           // its lock guards what follows
	perAddress int64 // negative: no limit
	at         map[string]int64
	refused    *prometheus.CounterVec // by why
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

// counted is a socket that was counted in.
type counted struct {
	sale    ropeline.SaleID
	address string
	surplus bool // one too many: for all, its sale or its address
}

// enter counts a socket in and reports whether it is one too many. Some of
// those are let in for as long as it takes to say so, because a page cannot
// read why a handshake was refused; the others get errSocketsFull. Who is one too
// many can poll.
func (k *sockets) enter(sale ropeline.SaleID, address string, sales int) (counted, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.used >= polite(k.most) {
		k.refused.WithLabelValues("all").Inc()
		return counted{}, errSocketsFull
	}
	e := counted{sale: sale, address: address}
	switch {
	case k.perAddress >= 0 && k.at[address] >= k.perAddress:
		e.surplus = true
		k.refused.WithLabelValues("address").Inc()
	case !k.fits(sale, sales):
		e.surplus = true
		k.refused.WithLabelValues("sale").Inc()
	}
	if k.at == nil {
		k.at = map[string]int64{}
	}
	k.add(sale)
	k.at[address]++
	return e, nil
}

func (k *sockets) leave(e counted) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.remove(e.sale)
	if k.at[e.address]--; k.at[e.address] == 0 {
		delete(k.at, e.address)
	}
}

func (k *sockets) count() (open, most int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.used, k.most
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
	entered, err := s.sockets.enter(room.id, limitKey(s.client(r)), s.rooms.len())
	if err != nil {
		return err
	}
	conn, early, err := upgrade(w, r)
	if err != nil {
		s.sockets.leave(entered)
		return nil // Accept has answered
	}
	k := &socket{server: s, room: room, phone: isPhone(r), member: ticket.Member, terms: ticket.Terms, reads: languages(r), counted: entered, phase: rand.N(s.pace.far)}
	k.out = s.hub.Socket(k)
	if !entered.surplus {
		k.link = room.line.Attend(ticket, place, k.phone, k.wake)
	}
	k.out.Open(conn, early, &room.sockets)
	return nil
}
