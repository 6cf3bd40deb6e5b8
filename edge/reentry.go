package edge

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/queue"
)

// The re-entry pass: whoever is in the middle of buying when the shop fails may
// come in again without standing in line. An edge sees a shop fail, so it gives
// the pass; staff and shops can, too (package admission).

// owed are the sessions that this edge owes a pass. Often a shop fails because
// the store is away; then the pass is written when it is back.
type owed struct {
	some chan struct{} // has one if there are any

	mu   sync.Mutex // guards the rest
	sale map[string]ropeline.SaleID
}

// owedMost bounds them: more sessions than one edge's shops have inside.
const (
	owedMost  = 20_000
	owedAgain = time.Second
)

func newOwed() owed { return owed{some: make(chan struct{}, 1), sale: map[string]ropeline.SaleID{}} }

// add notes a session and reports whether there was room.
func (o *owed) add(session string, sale ropeline.SaleID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := o.sale[session]; !known && len(o.sale) >= owedMost {
		return false
	}
	o.sale[session] = sale
	select {
	case o.some <- struct{}{}:
	default:
	}
	return true
}

// take returns all of them.
func (o *owed) take() map[string]ropeline.SaleID {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := o.sale
	o.sale = map[string]ropeline.SaleID{}
	return all
}

// owe gives the fan of a token a pass, soon.
func (s *Server) owe(c token.Claims) {
	if c.Session != "" && !s.owed.add(c.Session, c.Sale) {
		s.metrics.reentries.WithLabelValues(string(c.Sale), "dropped").Inc()
	}
}

// payOwed writes passes until ctx ends.
func (s *Server) payOwed(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), owedAgain)
			defer cancel()
			s.grant(last, s.owed.take())
			return
		case <-s.owed.some:
		}
		if s.grant(ctx, s.owed.take()) {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(owedAgain):
		}
	}
}

// grant writes passes, and keeps those that the store could not take. It reports
// whether it took all.
func (s *Server) grant(ctx context.Context, all map[string]ropeline.SaleID) bool {
	took, away := true, false
	for session, sale := range all {
		if away {
			s.owed.add(session, sale)
			continue
		}
		err := s.store.Grant(ctx, sale, session, false)
		away = errors.Is(err, ropeline.ErrStoreAway) || ctx.Err() != nil
		switch {
		case err == nil:
			s.metrics.reentries.WithLabelValues(string(sale), "granted").Inc()
			s.log.Info("a shop failed a session, which may come in again", "sale", sale, "session", session)
		case away, errors.Is(err, queue.ErrSettling):
			took = false
			s.owed.add(session, sale)
		default:
			s.log.Debug("no re-entry pass", "sale", sale, "session", session, "err", err)
		}
	}
	return took
}

// buys reports whether a request to the booking core is one at which a fan buys.
func buys(r *http.Request) bool {
	path := r.URL.Path
	return r.Method == http.MethodPost && (strings.HasPrefix(path, "/api/v1/holds") || strings.HasPrefix(path, "/api/v1/orders"))
}

// coreFailed owes a pass to the fan of a request that the core did not answer, or
// with an error of its own. The token was good when the request was made.
func (s *Server) coreFailed(r *http.Request) {
	if !buys(r) {
		return
	}
	for _, at := range []time.Time{s.now(), s.now().Add(-upstreamPatience)} {
		if c, ok := s.admitted(r, at); ok {
			s.owe(c)
			return
		}
	}
}

// shopFailed reports whether a shop that is not ours failed a request at which
// somebody may buy: it did not answer, or with an error of its own.
func shopFailed(method string, status int) bool {
	return method == http.MethodPost && status >= http.StatusInternalServerError
}

// reenter lets a fan whose session is over, and who asks for a place again, come
// in by the pass if there is one.
func (s *Server) reenter(r *http.Request, m *room, ticket queue.Ticket, place queue.Place) (queue.Place, error) {
	if place.Party.Seat(ticket) == 0 {
		return place, nil
	}
	if err := s.store.Hold(r.Context(), m.id, ticket); err != nil {
		if errors.Is(err, queue.ErrPlaceMoved) {
			return place, nil // it comes in when its holder asks
		}
		return place, err
	}
	again, err := s.store.Reenter(r.Context(), m.id, ticket)
	if err != nil || !again {
		return place, err
	}
	s.metrics.reentries.WithLabelValues(string(m.id), "used").Inc()
	return s.store.Find(r.Context(), m.id, place.ID)
}
