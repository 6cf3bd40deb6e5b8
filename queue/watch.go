package queue

import "time"

// Estimate is about how many seconds whoever joins now will wait; 0 if that is
// not known.
func (s State) Estimate() float64 {
	if !s.Drawn || s.Settling {
		return 0
	}
	seconds, _ := s.Gauge.wait(float64(s.Waiting()), float64(s.inUse()))
	return seconds
}

// Sight is what a gate sees of the sessions that have ended.
type Sight struct {
	Blind bool
	Age   time.Duration // since the last beat that may be trusted; 0 before the first
	Ended int           // sessions that are known to be over
}

// Sight tells what this gate sees now.
func (r *Revocations) Sight() Sight {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s := Sight{Blind: r.beatAt.IsZero() || time.Since(r.beatAt) > gateBlind, Ended: len(r.ended)}
	if !r.beatAt.IsZero() {
		s.Age = time.Since(r.beatAt)
	}
	return s
}
