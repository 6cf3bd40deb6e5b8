package queue

import (
	"time"

	"github.com/ropeline/ropeline"
)

// A poller is told when to come back. One that comes before is answered from
// memory, and so cheaply that nobody counts it: reloading a page in the hurry of
// an opening must not use up what its address may ask.

// earlyMost is how many polls of a place are not counted before it was told to
// come back: its tabs and a few reloads. What is more is a program gone wild.
const earlyMost = 20

// Expect notes when a place that polls was told to come back.
func (l *Line) Expect(id ropeline.PlaceID, at time.Time) {
	l.guests.mu.Lock()
	defer l.guests.mu.Unlock()
	if g := l.guests.byPlace[id]; g != nil {
		g.dueAt = at.UnixMilli()
	}
}

// Early takes one of the uncounted polls of a place, and reports whether there
// was one. With a place that is not known here there is none.
func (l *Line) Early(id ropeline.PlaceID, now time.Time) bool {
	l.guests.mu.Lock()
	defer l.guests.mu.Unlock()
	g := l.guests.byPlace[id]
	switch {
	case g == nil || l.guests.dirty[id] || g.asking:
		return false
	case now.UnixMilli() >= g.dueAt:
		g.early = 0
		return false
	case g.early == earlyMost:
		return false
	}
	g.early++
	return true
}

// Due is when a place was told to come back, in the past if it was not.
func (l *Line) Due(id ropeline.PlaceID) time.Time {
	l.guests.mu.Lock()
	defer l.guests.mu.Unlock()
	if g := l.guests.byPlace[id]; g != nil {
		return time.UnixMilli(g.dueAt)
	}
	return time.Time{}
}
