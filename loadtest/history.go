package loadtest

import (
	"fmt"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

// Moment is a time since the run began, by the monotonic clock of this
// process. Times that a server states (the exp of a token) are converted with
// the wall clock of the run's start: servers and fans share a machine.
type Moment = time.Duration

// Call is one request as its sender saw it.
type Call struct {
	Sent     Moment
	Answered Moment // 0: no answer came
	Status   int
	Lost     Moment // an earlier try was sent then, and may have been done although its answer was lost; 0: none
}

// Shown is a position as a fan was shown it.
type Shown struct {
	At               Moment
	Position, Served int64
	Epoch            string
}

// Estimate is a waiting time as a fan was shown it; None if there was none.
type Estimate struct {
	At        Moment
	Low, High time.Duration
	Longer    wire.Longer // why it rose
	None      bool
}

// Nap is a time in which a fan was away.
type Nap struct {
	From, To Moment        // To 0: did not come back
	Grace    time.Duration // a turn that came meanwhile is theirs for so long
	Passed   bool          // the turn had come meanwhile
	Over     bool          // and the place was over, because it was not taken
	Return   bool          // but might be had again
}

// Period is a stretch of the run.
type Period struct{ From, To Moment }

// maxShown bounds what one fan remembers: a frame a second for an hour. More
// are counted, not kept.
const maxShown = 3600

// Session is an admitted fan's time in the protected zone.
type Session struct {
	ID      string
	Asked   Moment // the request was sent that the first token answered
	First   Moment // the first token was read
	Expires Moment // exp of the last token
	End     Call   // the request that ended it; Status 204 says that it did
}

// Fate says what a fan did with a hold.
type Fate string

// What becomes of a hold.
const (
	Dropped  Fate = "dropped"  // left to expire
	Released Fate = "released" // given back by request
	Ordered  Fate = "ordered"  // paid for, or tried to
)

// Hold is a reservation that a fan was given.
type Hold struct {
	ID       string
	Units    []int
	Granted  Moment // it was read then
	Expires  Moment // if it is let go and not paid for
	Released Moment // the answer to giving it back was read; 0: it was not given back
	Fate     Fate
}

// Outcome says what a fan knows of an order it asked for.
type Outcome string

// What a fan knows of an order.
const (
	Unknown   Outcome = "unknown"   // no answer: it may exist
	Confirmed Outcome = "confirmed" // 201 paid
	Refused   Outcome = "refused"   // a final answer that it does not exist
)

// Attempt is one order under one idempotency key, however often it was asked
// for.
type Attempt struct {
	Key, Session string
	Hold         string
	Units        []int
	Amount       int64
	Currency     string
	Outcome      Outcome
	Told         string   // the answer that said so last, as far as it is kept
	Orders       []string // ids answered, one per confirming answer
	ConfirmedAt  Moment   // when the first of them was read
	Took         Moment   // from when that was asked for; 0: not known, or a slow card's
	Last         Moment   // when the last of its requests was answered or given up
}

// Probe is a request that must be refused.
type Probe struct {
	Kind   string // what is wrong with its token
	Where  string // "edge" or "core"
	What   string // method and path
	Status int
}

// History is everything one fan saw. It belongs to the fan's goroutine until
// the run is over.
type History struct {
	Fan    int
	Poller bool

	Came Call // the first request to a safety net
	In   Call // the one with which it let the fan in, if that was without a turn

	Join     Call   // the request that was given the place
	Lane     string // in which it is, where the sale has several
	Code     string // by which it came there
	Tried    []int  // what wrong codes were answered with
	Bypassed bool   // it came by a rule, past the line

	Letter    letter // what it had to join a lane with
	Invitee   string // whom that names
	Presented int    // and what it was answered with

	Late bool // it was sent after the lobby's close

	Party int   // number of the party whose place the fan shares, from 1; 0: none
	Guest bool  // a friend had taken the place: the join says nothing of its order
	Size  int   // of the party, as told with the offer
	Left  int64 // units that were free, as told with the offer to a party

	Shown   []Shown
	Waits   []Estimate
	Chances []Told // of something being left
	Steady  bool   // it has a socket, and keeps it
	Skipped int    // shown positions and estimates beyond maxShown

	Naps     []Nap
	Regained bool // a missed turn was had again

	Commitment  string // to the draw's seed, noted in the lobby
	DrawChecked bool   // the draw was fetched and found to be right
	DrawFault   string // or not

	Offer     int64   // its number; 0: none seen
	Beside    bool    // it did not come by the order of the line, so no position counts it
	OfferedAt Moment  // it was seen then
	MadeAt    Moment  // and was made then, as its end says
	Refused   string  // why the claim of an offer that still stood was refused
	Again     []int64 // numbers of later offers that came by the order of the line
	ClaimBy   Moment  // until then the offer stood
	Passed    bool    // the place ended as expired without the fan having seen the offer
	Gone      bool    // the place was unknown to the line although the fan had not left it

	Stood        Moment                // it stood in line until then; 0: never
	Leave        Call                  // the request that gave the place up, with an offer that had just come, or without
	AfterLeaving []ropeline.PlaceState // what the place said of itself after the leave's answer
	Stayed       bool                  // was still waiting when the run ended

	Sessions []Session
	Holds    []Hold
	Attempts []Attempt
	Probes   []Probe

	End string // how it went, in a word, for the report
}

// show remembers a position unless nothing changed.
func (h *History) show(s Shown) {
	if n := len(h.Shown); n > 0 {
		last := h.Shown[n-1]
		if last.Epoch == s.Epoch {
			s.Epoch = last.Epoch // one string per epoch, not one per frame
		}
		if last.Position == s.Position && last.Served == s.Served && last.Epoch == s.Epoch {
			return
		}
	}
	if len(h.Shown) >= maxShown {
		h.Skipped++
		return
	}
	h.Shown = append(h.Shown, s)
}

// estimate remembers an estimate unless nothing changed.
func (h *History) estimate(e Estimate) {
	if n := len(h.Waits); n > 0 {
		last := h.Waits[n-1]
		last.At = e.At
		if last == e && e.At-h.Waits[n-1].At < estimateEvery {
			return
		}
	}
	if len(h.Waits) >= maxShown {
		h.Skipped++
		return
	}
	h.Waits = append(h.Waits, e)
}

// left reports whether the fan asked to leave while it waited. What the line
// did with such a fan before it read the request is nobody's fault.
func (h *History) left() bool { return h.Leave.Sent != 0 }

// let reports whether a safety net let the fan in without a turn.
func (h *History) let() bool { return h.In.Answered != 0 }

// turn names the fan's offer.
func (h *History) turn() string {
	if h.Beside {
		return fmt.Sprintf("offer %d, beside the line", h.Offer)
	}
	return fmt.Sprintf("offer %d", h.Offer)
}

// offered reports whether the fan had its turn, seen or missed.
func (h *History) offered() bool { return h.Offer != 0 || h.Passed }
