package plan

import (
	"time"
)

// Period is how long a plan is paid for at a time.
type Period string

// The periods.
const (
	Month Period = "month"
	Year  Period = "year"
)

// After is when the n-th period ends that is counted from a time. What begins on
// the 31st ends on the last day of a shorter month, and on the 31st again in a longer one: all
// are counted from the first.
func (p Period) After(anchor time.Time, n int) time.Time {
	if p == Year {
		n *= 12
	}
	end := anchor.AddDate(0, n, 0)
	if end.Day() != anchor.Day() { // it ran over the end of the month
		end = end.AddDate(0, 0, -end.Day())
	}
	return end
}

// Version is a version of a plan.
type Version struct {
	Plan
	Version int
}

// Subscription is what an account has chosen. The zero value has chosen nothing.
type Subscription struct {
	Has    Version
	Anchor time.Time // from which its periods are counted
	Count  int       // which of them it is, from 1
	Next   string    // the plan that follows; Free: none
}

// Begin is a subscription to a plan from a time on, which goes on by itself.
func Begin(v Version, at time.Time) Subscription {
	return Subscription{Has: v, Anchor: at, Count: 1, Next: v.ID}
}

// Begins and Ends are of the present period.
func (s Subscription) Begins() time.Time { return s.Has.Period.After(s.Anchor, s.Count-1) }

// Ends is when the next one begins, or nothing is left.
func (s Subscription) Ends() time.Time { return s.Has.Period.After(s.Anchor, s.Count) }

// Over reports whether the present period is over at a time.
func (s Subscription) Over(at time.Time) bool { return s.Count == 0 || !at.Before(s.Ends()) }

// Follow is the next period, of the version of the next plan that was the newest when
// it began.
func (s Subscription) Follow(v Version) Subscription {
	if v.ID != s.Has.ID || v.Period != s.Has.Period {
		return Begin(v, s.Ends())
	}
	return Subscription{Has: v, Anchor: s.Anchor, Count: s.Count + 1, Next: v.ID}
}

// Choose is what comes of choosing a plan. What takes nothing away begins at once, all
// else when the present period is over; choosing what one has takes another choice back, and
// choosing the free plan means that nothing follows.
func (s Subscription) Choose(v Version, at time.Time) Subscription {
	none := s.Over(at)
	switch {
	case v.ID == Free && none:
		return s
	case v.ID != Free && (none || v.ID != s.Has.ID && v.Entitlements.Cover(s.Has.Entitlements)):
		return Begin(v, at)
	}
	s.Next = v.ID
	return s
}
