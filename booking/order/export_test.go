package order

import (
	"time"

	"github.com/ropeline/ropeline/internal/batch"
)

// GroupsOf lets groups hold so many purchases, and so many wait for one. Nobody
// may have come yet. A group has as long as a slow machine needs.
func (s *Store) GroupsOf(size, backlog int) {
	for _, g := range s.groups() {
		g.wait = batch.New(size, backlog, time.Minute, g.run)
	}
}

// Waiting is how many purchases wait: to start, and to be recorded.
func (s *Store) Waiting() (start, record int) {
	return s.starting.wait.Waiting(), s.recording.wait.Waiting()
}

// At lets a settler take it for another time, and compare what was just made.
func (s *Settler) At(now func() time.Time) *Settler {
	s.now, s.young = now, -time.Hour
	return s
}
