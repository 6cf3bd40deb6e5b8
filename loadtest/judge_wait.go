package loadtest

import (
	"fmt"
	"slices"
	"time"
)

// What is wanted of the estimated wait, and where: of one sample a fan in ten
// seconds, those at least half a minute before the offer.
const (
	estimateEvery  = 10 * time.Second
	estimateBefore = 30 * time.Second
	estimateWidth  = 0.6  // of its middle, at most
	estimateInside = 0.8  // of the samples, at least
	estimateError  = 0.1  // of the true wait, in the median, at most
	estimateFew    = 30   // samples that prove something
	estimateRound  = 1500 // ms: whole seconds are shown
)

// judgeEstimate compares what was shown with the wait that followed, pauses
// subtracted. Nobody can foresee a change of the limits or a loss, so a wait that
// spans one is not judged: what is said after it is.
func judgeEstimate(e Evidence) finding {
	var f finding
	var errors []float64
	inside, wide := 0, 0
	for _, h := range e.Fans {
		if h.Offer == 0 || h.Beside || len(h.Naps) > 0 {
			continue
		}
		next := Moment(-1)
		for _, w := range h.Waits {
			real := h.OfferedAt - w.At - e.paused(w.At, h.OfferedAt)
			if w.At < next || w.None || real < estimateBefore || e.unforeseen(w.At, h.OfferedAt) {
				continue
			}
			next = w.At + estimateEvery
			f.facts++
			middle := (w.Low + w.High).Seconds() / 2
			errors = append(errors, max(middle-real.Seconds(), real.Seconds()-middle)/real.Seconds())
			if (w.High - w.Low).Seconds() > estimateWidth*middle {
				wide++
				f.example("fan %d was shown %v to %v at %v: too wide", h.Fan, w.Low, w.High, w.At)
			}
			if w.Low <= real && real <= w.High {
				inside++
			} else {
				f.example("fan %d was shown %v to %v at %v and waited %v", h.Fan, w.Low, w.High, w.At, real)
			}
		}
	}
	if f.facts < estimateFew {
		return unjudged("only %d estimates were shown early enough", f.facts)
	}
	slices.Sort(errors)
	share, median := float64(inside)/float64(f.facts), errors[len(errors)/2]
	f.seen = fmt.Sprintf("%.0f %% inside, median error %.1f %%, %d too wide", 100*share, 100*median, wide)
	if share >= estimateInside && median <= estimateError && wide == 0 {
		f.examples = nil // of the allowed fifth
	} else {
		f.broken = max(1, f.facts-inside)
	}
	return f
}

func (f *finding) example(format string, args ...any) {
	if len(f.examples) < maxExamples {
		f.examples = append(f.examples, fmt.Sprintf(format, args...))
	}
}

// paused is how long of a stretch the line was paused.
func (e Evidence) paused(from, to Moment) (d time.Duration) {
	for _, p := range e.Pauses {
		d += max(0, min(to, p.To)-max(from, p.From))
	}
	return d
}

// unforeseen reports whether something happened in a stretch that no estimate
// can know of.
func (e Evidence) unforeseen(from, to Moment) bool {
	return slices.ContainsFunc(e.Unforeseen, func(s Period) bool { return s.To > from && s.From < to })
}

// judgeLonger wants a reason with every estimate that is higher than the one
// before.
func judgeLonger(e Evidence) finding {
	var f finding
	for _, h := range e.Fans {
		last := -1
		for i, w := range h.Waits {
			if w.None {
				continue
			}
			if last >= 0 {
				f.facts++
				old := h.Waits[last]
				if rose := (w.Low + w.High - old.Low - old.High) / 2; w.Longer == "" && rose > estimateRound*time.Millisecond {
					f.breach("fan %d was shown %v to %v at %v, and %v to %v at %v without a reason",
						h.Fan, old.Low, old.High, old.At, w.Low, w.High, w.At)
				}
			}
			last = i
		}
	}
	return f
}

// judgeKept looks at fans who saw their positions in one epoch: who stood before
// another one is offered first, whatever became of the line since. A stood
// before B if A was shown a lower position than B was later, for positions only
// fall.
func judgeKept(e Evidence) finding {
	var f finding
	for _, b := range e.Fans {
		if b.Offer == 0 || b.Beside || len(b.Shown) == 0 {
			continue
		}
		for _, last := range b.lastOfEpochs() {
			for _, a := range e.Fans {
				if a.lot() == b.lot() || a.Offer == 0 || a.Beside {
					continue
				}
				if seen, ok := a.shownBefore(last); ok && seen.Position < last.Position {
					f.facts++
					if a.Offer > b.Offer {
						f.breach("fan %d was shown %d ahead at %v and got offer %d; fan %d was shown %d at %v and got offer %d",
							a.Fan, seen.Position, seen.At, a.Offer, b.Fan, last.Position, last.At, b.Offer)
					}
				}
			}
		}
	}
	f.seen = fmt.Sprintf("%d inversions", f.broken)
	return f
}

// lastOfEpochs are the last positions shown in each epoch while somebody was
// ahead.
func (h History) lastOfEpochs() (all []Shown) {
	for _, s := range h.Shown {
		switch n := len(all); {
		case s.Position == 0:
		case n > 0 && all[n-1].Epoch == s.Epoch:
			all[n-1] = s
		default:
			all = append(all, s)
		}
	}
	return all
}

// shownBefore is the last position that was true before another one of the same
// epoch was: by the offers made until then, for frames overtake each other.
func (h History) shownBefore(other Shown) (last Shown, ok bool) {
	for _, s := range h.Shown {
		if s.Epoch == other.Epoch && s.Served < other.Served {
			last, ok = s, true
		}
	}
	return last, ok
}

// judgeOnce wants one turn for each place: another one only where the first was
// missed, and then beside the line.
func judgeOnce(e Evidence) finding {
	var f finding
	for _, h := range e.Fans {
		if h.Offer == 0 {
			continue
		}
		f.facts++
		for _, number := range h.Again {
			f.breach("fan %d got offer %d and later, in its turn, offer %d", h.Fan, h.Offer, number)
		}
	}
	return f
}

// judgeHonored wants every claim in time to be taken, whatever was lost between
// offer and claim.
func judgeHonored(e Evidence) finding {
	var f finding
	for _, h := range e.Fans {
		if len(h.Sessions) > 0 {
			f.facts++
		} else if h.Refused != "" {
			f.facts++
			f.breach("fan %d was offered at %v, until %v, and refused: %s", h.Fan, h.OfferedAt, h.ClaimBy, h.Refused)
		}
	}
	return f
}

// judgeReturns looks at who was away and came back within the grace: the turn is
// still theirs.
func judgeReturns(e Evidence) finding {
	if !e.Emptied {
		return unjudged("the run was cut off while the line still moved")
	}
	var f finding
	for _, h := range e.Fans {
		if h.left() {
			continue
		}
		for i, n := range h.Naps {
			if n.To == 0 || n.To-n.From > n.Grace || !n.Passed {
				continue // still away, too long, or nothing had happened meanwhile
			}
			f.facts++
			switch {
			case n.Over && i == 0 && !n.Return:
				f.breach("fan %d was away from %v to %v, and the place was over then", h.Fan, n.From, n.To)
			case h.Offer == 0 && h.Stayed:
				f.breach("fan %d was passed over, was back at %v, and was never offered", h.Fan, n.To)
			}
		}
	}
	return f
}

// judgeDraw believes no draw that a fan of the lobby has not checked.
func judgeDraw(e Evidence) finding {
	var f finding
	for _, h := range e.Fans {
		switch {
		case h.Late || h.Commitment == "":
		case h.DrawFault != "":
			f.facts++
			f.breach("fan %d: %s", h.Fan, h.DrawFault)
		case h.DrawChecked:
			f.facts++
		}
	}
	return f
}
