package queue

import (
	"context"
	_ "embed"
	"errors"

	"github.com/ropeline/ropeline"
)

//go:embed lua/leave.lua
var leaveSource string
var leaveScript = newScript("leave", leaveSource)

//go:embed lua/drop.lua
var dropSource string
var dropScript = newScript("drop", dropSource)

// drop gives up the place's turn and says what it was. One that the line has
// come to may have had a turn that a loss forgot: then it is ErrSettling.
func (s *Store) drop(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID, reached bool) (string, error) {
	reply, err := s.runOn(ctx, sale, dropScript, keysOf(sale, "offered", "active", "numbers", "sessions", "state", "passes"), string(id), flag(reached))
	was, _ := reply.(string)
	return was, err
}

// Leave gives a place up for ever: a waiting fan departs, an offer's slot is
// free at once, a session is ended as End does. It reports whether every gate
// acknowledged the end of a session (true where there was none; false, too, while
// a loss may have forgotten one, which ends with its last token then). Leaving
// twice is no error; an unknown place is ErrPlaceUnknown.
func (s *Store) Leave(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID) (acknowledged bool, err error) {
	was, err := s.drop(ctx, sale, id, false)
	if err != nil {
		return false, err
	}
	if was == "" {
		l, err := s.lineOf(ctx, sale, id)
		if err != nil {
			return false, err
		}
		reply, err := s.runOn(ctx, sale, leaveScript,
			l.keys("line", "order", "collected", "pending", "departed", "left", "quit", "comebacks", "late", "edges"),
			string(id), l.presence())
		if err != nil {
			return false, err
		}
		switch reply {
		case "unknown":
			return false, ErrPlaceUnknown
		case "reached": // offered between the two calls, perhaps
			was, err = s.drop(ctx, sale, id, true)
			if errors.Is(err, ErrSettling) { // a turn that a loss forgot ends with its last token
				s.announce(ctx, sale, id)
				return false, nil
			}
			if err != nil {
				return false, err
			}
		}
	}
	switch was {
	case "active":
		return s.End(ctx, sale, id)
	case "final":
		return true, nil
	}
	s.announce(ctx, sale, id)
	return true, nil
}
