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

// Visit notes that a place polled and returns when it should come back: after
// every, or when it was told before if it came early. Until twice that it counts
// as present.
func (l *Line) Visit(t Ticket, p Place, phone bool, now time.Time, every time.Duration) time.Duration {
	l.guests.mu.Lock()
	defer l.guests.mu.Unlock()
	g := l.guests.welcome(t, p, phone)
	if g == nil {
		return every
	}
	if rest := time.UnixMilli(g.dueAt).Sub(now); rest > 0 {
		every = min(every, rest)
	}
	g.dueAt = now.Add(every).UnixMilli()
	g.here(t.Generation, now.Add(max(2*every, PresentAfterClose)))
	return every
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
