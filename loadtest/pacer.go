package loadtest

import "time"

// Stretch is a part of the arrivals: Fans people, evenly over For, beginning
// at From after the run's start.
//
//	rate
//	  │ ▄▄▄▄▄▄▄▄ lobby
//	  │ ████████        ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄ after the close
//	  └─────────┴──────┴───────────────→ time
type Stretch struct {
	From time.Duration
	For  time.Duration
	Fans int
}

// Pace says when fans arrive, as a pure function of their number: arrivals
// never wait for answers.
type Pace []Stretch

// Fans is how many arrive in all.
func (p Pace) Fans() int {
	n := 0
	for _, s := range p {
		n += s.Fans
	}
	return n
}

// At is when fan i arrives, counted from 0. Past the last fan it is the end of
// the last stretch.
func (p Pace) At(i int) time.Duration {
	var end time.Duration
	for _, s := range p {
		if i < s.Fans {
			return s.From + s.For*time.Duration(i)/time.Duration(s.Fans)
		}
		i -= s.Fans
		end = s.From + s.For
	}
	return end
}

// Rate is how many fans a second arrive at t.
func (p Pace) Rate(t time.Duration) float64 {
	rate := 0.0
	for _, s := range p {
		if t >= s.From && t < s.From+s.For {
			rate += float64(s.Fans) / s.For.Seconds()
		}
	}
	return rate
}

// Two margins keep every arrival clearly on one side of the lobby's close: a
// request sent this long before it is processed before it, unless the server
// is slower than that, and then nothing is claimed about that fan.
const (
	beforeClose = 300 * time.Millisecond
	afterClose  = 100 * time.Millisecond
)

// NewPace lets lobby fans arrive from now until just before the close (in
// untilClose; negative if it is over) and the later ones over the span after
// it. With the lobby over, or none wanted, everybody comes in the span.
func NewPace(lobby, late int, untilClose, span time.Duration) Pace {
	if open := untilClose - beforeClose; lobby > 0 && open > 0 {
		return Pace{{For: open, Fans: lobby}, {From: untilClose + afterClose, For: span, Fans: late}}
	}
	return Pace{{From: max(0, untilClose) + afterClose, For: span, Fans: lobby + late}}
}
