package queue

import (
	"context"
	"time"

	"github.com/ropeline/ropeline"
)

// Story is what became of a place, for whoever held it. It names nobody: of its turns there
// are their numbers, whose minutes the public ledger has.
type Story struct {
	Place
	Lobby   bool          // it was there before the lobby closed, and takes part in the draw
	Behind  time.Duration // how long after the close it came, if it was not there
	Claimed bool          // its fan came in
	Bought  bool
}

// firstLate is the score of the first place that comes behind the lobby: FIRST_LATE in the
// prelude. Draws give lower ones.
const firstLate = 1 << 52

// StoryOf tells what became of a place, or ErrPlaceUnknown. It is told for as long as Redis
// has the sale, long after its end; what Redis has lost is lost.
func (s *Store) StoryOf(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID) (Story, error) {
	p, err := s.Find(ctx, sale, id)
	if err != nil {
		return Story{}, err
	}
	score, ordered := scoreOf(p.Score)
	story := Story{Place: p, Lobby: !ordered || score < firstLate, Claimed: p.State == ropeline.PlaceActive || p.State == ropeline.PlaceDone}
	if !story.Lobby {
		story.Behind = time.Duration(score-firstLate) * time.Microsecond
	}
	if p.Offer == nil {
		return story, nil
	}
	pipe := s.rdb.Pipeline()
	session := pipe.HExists(ctx, key(sale, "sessions"), string(id))
	bought := pipe.SIsMember(ctx, key(sale, "bought"), string(id))
	if _, err := pipe.Exec(ctx); err != nil {
		return Story{}, storeError("reading what became of a place", err)
	}
	story.Bought = bought.Val()
	// Who gave an offer back has a session that is none, "left"; who came in again has one of before.
	story.Claimed = story.Claimed || session.Val() && p.State != ropeline.PlaceLeft
	return story, nil
}
