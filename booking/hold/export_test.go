package hold

import "time"

// At is the Store by another clock: what is asked of both at once goes to Redis
// together.
func (s *Store) At(now func() time.Time) *Store {
	other := *s
	other.now = now
	return &other
}
