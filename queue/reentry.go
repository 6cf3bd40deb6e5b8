package queue

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"github.com/ropeline/ropeline"
)

//go:embed lua/grant.lua
var grantSource string
var grantScript = newScript("grant", grantSource)

//go:embed lua/reenter.lua
var reenterSource string
var reenterScript = newScript("reenter", reenterSource)

// Pass is what is kept of a place's re-entry passes: how many it had, what came
// of the last, and of which session that was.
type Pass string

// Open reports whether there is one that can be used.
func (p Pass) Open() bool { return strings.Contains(string(p), " open ") }

// Used reports whether the last one was used.
func (p Pass) Used() bool { return strings.Contains(string(p), " used ") }

// What is said of a re-entry pass that is not given.
var (
	ErrPassHad = &ropeline.Error{Kind: ropeline.Conflict, Code: "reentry-had",
		Detail: "This session has had its re-entry pass. There is one for each session."}
	ErrPassMost = &ropeline.Error{Kind: ropeline.Conflict, Code: "reentry-most",
		Detail: "This place has had two re-entry passes, which is the most there are."}
	ErrPassOver = &ropeline.Error{Kind: ropeline.Conflict, Code: "reentry-over",
		Detail: "This session was ended by somebody, or the sale is over: there is no re-entry."}
)

// Grant gives the place of a session the right to come in once more, without
// standing in line again, because the shop failed its fan. decided says that
// somebody looked at it: then a session that was ended on purpose may have one,
// too. It fails with ErrPassHad, ErrPassMost, ErrPassOver or ErrSessionUnknown.
func (s *Store) Grant(ctx context.Context, sale ropeline.SaleID, session string, decided bool) error {
	keys := keysOf(sale, "passes", "sessions", "sids", "state", "counts", "events")
	reply, err := s.runOn(ctx, sale, grantScript, keys, session, flag(decided))
	if err != nil {
		return err
	}
	fields, _ := reply.([]any)
	r := reader{fields: fields}
	what, place := r.text(), ropeline.PlaceID(r.text())
	if err := r.failed("grant"); err != nil {
		return err
	}
	switch what {
	case "new":
		s.announce(ctx, sale, place)
		return nil
	case "had":
		return ErrPassHad
	case "most":
		return ErrPassMost
	case "over":
		return ErrPassOver
	case "":
		return ErrSessionUnknown
	}
	return fmt.Errorf("grant: unexpected answer %q", what)
}

// Reenter uses the pass of a place whose session is over: it stands before
// everybody then, and is offered the next slot. It reports whether it stands there.
func (s *Store) Reenter(ctx context.Context, sale ropeline.SaleID, t Ticket) (bool, error) {
	keys := keysOf(sale, "state", "numbers", "sessions", "offered", "active", "sids", "kept", "passes", "bought", "limits", "counts", "events")
	reply, err := s.runOn(ctx, sale, reenterScript, keys, string(t.Place))
	if err != nil || reply != int64(1) {
		return false, err
	}
	return s.comeBack(ctx, sale, t, true)
}
