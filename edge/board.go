package edge

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"unique"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
	"github.com/ropeline/ropeline/terms"
)

// said is something that the organizer says, as those who wait read it.
type said struct {
	message *queue.Message

	mu sync.Mutex
	by map[string]*wire.Message // by what somebody reads, of the first readersKept
}

// readersKept bounds what is kept of the headers that browsers send: a sale has
// some hundred different ones.
const readersKept = 1_000

// message is what the organizer says now to whoever reads these languages, nil
// if nothing.
func (m *room) message(v *queue.View, accept string) *wire.Message {
	return saidTo(&m.said, v.Message(), accept)
}

// explain puts the reason of a pause into the language of whoever reads these.
func (m *room) explain(v *queue.View, accept string, s wire.SaleStatus) wire.SaleStatus {
	if why := saidTo(&m.pause, v.Pause(), accept); why != nil {
		s.Reason, s.ReasonLang = why.Text, why.Lang
	}
	return s
}

// saidTo is what is said now to whoever reads these languages, nil if nothing. It
// is kept in at.
func saidTo(at *atomic.Pointer[said], now *queue.Message, accept string) *wire.Message {
	if now == nil {
		return nil
	}
	s := at.Load()
	if s == nil || s.message != now {
		s = &said{message: now, by: map[string]*wire.Message{}}
		at.Store(s)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.by[accept]
	if found == nil {
		found = &wire.Message{Number: now.Number}
		found.Lang, found.Text = now.In(accept)
		if !now.Until.IsZero() {
			found.Until = &now.Until
		}
		if len(s.by) < readersKept {
			s.by[accept] = found
		}
	}
	return found
}

// languages is what whoever opens a socket reads. Many read the same, so it is
// kept once.
func languages(r *http.Request) unique.Handle[string] {
	accept := r.Header.Get("Accept-Language")
	return unique.Make(accept[:min(len(accept), 100)])
}

// terms is the version of the terms that somebody joins under now.
func (m *room) terms() int {
	if v := m.line.View(); v != nil {
		return v.Board.Newest()
	}
	return 0
}

var (
	errTermsUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "terms-unknown", Detail: "This sale has no such version of its terms."}
	errTermsVersion = &ropeline.Error{Kind: ropeline.Invalid, Code: "terms-version-invalid", Detail: "A version of the terms is a whole number from 1."}
)

// showTerms answers with a version of the sale's terms, the newest if none is
// asked for.
func (s *Server) showTerms(w http.ResponseWriter, r *http.Request) error {
	room, err := s.room(r)
	if err != nil {
		return err
	}
	view, err := room.view(r.Context())
	if err != nil {
		return err
	}
	newest := view.Board.Newest()
	version := newest
	if asked := r.URL.Query().Get("version"); asked != "" {
		if version, err = strconv.Atoi(asked); err != nil || version < 1 {
			return errTermsVersion
		}
	}
	if version < 1 || version > newest {
		return errTermsUnknown
	}
	signed := view.Board.Terms[version-1]
	text, hash, err := terms.Text(signed)
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusOK, wire.Terms{Version: version, Newest: newest, Hash: hash, Signed: signed, Sheet: text})
}
