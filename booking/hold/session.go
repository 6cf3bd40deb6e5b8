package hold

import (
	"context"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
)

// Listed begins the sessions of those to whom the returns list has offered something: they
// are in no line, and no slot of the shop is kept for them.
const Listed = "returns:"

// Sessions are told how long a fan's session must not end, because it holds
// something or pays: its slot in the shop is kept until then. queue.Store is one.
type Sessions interface {
	// Keep fails with ErrSessionOver's code if the session is over.
	Keep(ctx context.Context, sale ropeline.SaleID, session, hold string, until time.Time, pays bool) error
	LetGo(ctx context.Context, sale ropeline.SaleID, session, hold string) error
}

// Keeping returns the Store with sessions that are told. Without, nothing is kept.
func (s *Store) Keeping(sessions Sessions) *Store {
	other := *s
	other.sessions = sessions
	return &other
}

// keep keeps the session of a hold for as long as the hold lives. It is part of
// holding: a hold is answered only if its session will be there.
func (s *Store) keep(ctx context.Context, h Hold) error {
	if s.sessions == nil || !h.Live() || strings.HasPrefix(h.Session, Listed) {
		return nil
	}
	return s.sessions.Keep(ctx, h.Sale, h.Session, h.ID, h.Expires, h.State == Paying)
}

// follow lets the session know what became of a hold. If that cannot be told,
// the slot is counted until the time that was told before.
func (s *Store) follow(ctx context.Context, h Hold) {
	switch {
	case s.sessions == nil || h.ID == "" || strings.HasPrefix(h.Session, Listed):
	case h.Live():
		_ = s.sessions.Keep(ctx, h.Sale, h.Session, h.ID, h.Expires, h.State == Paying)
	default:
		_ = s.sessions.LetGo(ctx, h.Sale, h.Session, h.ID)
	}
}

// EndOf releases what a session that was ended holds of these performances. What
// is being paid for stays: the payment decides.
func (s *Store) EndOf(ctx context.Context, ids []ropeline.PerformanceID, session string) error {
	for _, id := range ids {
		h, live, err := s.Of(ctx, id, session)
		if err != nil {
			return err
		}
		if !live || h.State != Held {
			continue
		}
		if _, err := s.call(ctx, release, id, h.ID, session); err != nil {
			return err
		}
	}
	return nil
}
