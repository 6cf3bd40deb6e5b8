package queue

import (
	"context"

	"github.com/ropeline/ropeline"
)

// Funnel counts the people of a sale since it began: who stood in line, who was offered a
// turn, and who took it. After a loss of Redis offers are counted higher than they were.
func (s *Store) Funnel(ctx context.Context, sale ropeline.SaleID) (joined, offered, admitted int64, err error) {
	state, err := s.State(ctx, sale)
	if err != nil {
		return 0, 0, 0, err
	}
	joined = state.Collected
	if state.Drawn {
		joined = state.Size
	}
	return joined + state.Brought, state.LastOffer + state.Friends, state.Claimed, nil
}
