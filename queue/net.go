package queue

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
)

// A safety net is a sale without lobby and draw that is always open. Whoever
// comes while there is room passes at once: join, offer and claim are one script
// in the capacity's slot, and the line hears nothing of it. Only when a limit is
// met do people stand in line, by arrival, and nobody passes them by.

//go:embed lua/pass.lua
var passSource string
var passScript = newScript("pass", passSource)

// Pass lets a new place into a safety net. It returns false if the place has to
// wait: whoever calls joins the line with it then. Repeating it with the same
// place answers what became of it. It fails with ropeline.ErrSaleUnknown,
// ErrSaleEnded, ErrSettling or ropeline.ErrStoreAway.
func (s *Store) Pass(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID) (Place, bool, error) {
	sid, err := uuid.NewV7()
	if err != nil {
		return Place{}, false, fmt.Errorf("making a session id: %w", err)
	}
	keys := keysOf(sale, "state", "limits", "offered", "active", "numbers", "sessions", "standing", "passed", "stock", "sids", "kept", "passes")
	args := []any{string(id), sid.String(), margin, TickInterval.Milliseconds()}
	reply, err := s.runOn(ctx, sale, passScript, keys, args...)
	if errors.Is(err, ropeline.ErrStoreAway) && ctx.Err() == nil {
		reply, err = s.runOn(ctx, sale, passScript, keys, args...) // the answer may be lost and a slot taken
	}
	if err != nil {
		return Place{}, false, err
	}
	switch reply {
	case "wait":
		return Place{}, false, nil
	case "known":
		p, err := s.Find(ctx, sale, id)
		return p, err == nil, err
	}
	fields, _ := reply.([]any)
	r := reader{fields: fields}
	text, score := r.text(), r.text()
	session, err := readSession(text, r.failed("pass"))
	if err != nil {
		return Place{}, false, err
	}
	return Place{
		ID: id, New: true, State: ropeline.PlaceActive, Ordinal: -1, Score: score, Session: session,
		Offer: &Offer{ClaimBy: time.UnixMilli(0).UTC(), Beside: true},
	}, true, nil
}

//go:embed lua/waits.lua
var waitsSource string
var waitsScript = newScript("waits", waitsSource)

// countWaits tells a safety net how many wait in its lines, as a tick found
// them. While one of the lines is put together again that is not known: nobody
// passes.
func (s *Store) countWaits(ctx context.Context, state State, sale ropeline.SaleID, controller string) error {
	if !s.isNet(sale) {
		return nil
	}
	waits := state.Waiting()
	if state.Settling || !state.Drawn {
		waits = ropeline.MaxCap
	}
	_, err := s.runOn(ctx, sale, waitsScript, keysOf(sale, "leader", "state"), controller, waits)
	return err
}

func (s *Store) isNet(sale ropeline.SaleID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[sale].net
}

// ErrNetFixed refuses a settings document that makes a safety net of another
// kind of sale, or the other way round.
var ErrNetFixed = &ropeline.Error{Kind: ropeline.Conflict, Code: "net-fixed",
	Detail: "The sale is published: whether it is a safety net cannot be changed any more."}

// keepsKind refuses a document of another kind than the one that is published.
func (s *Store) keepsKind(ctx context.Context, sale ropeline.Sale) error {
	old, err := s.Sale(ctx, sale.ID)
	switch {
	case errors.Is(err, ropeline.ErrSaleUnknown), errors.Is(err, ErrSettling):
		return nil
	case err == nil && old.SafetyNet != sale.SafetyNet:
		return ErrNetFixed
	}
	return err
}
