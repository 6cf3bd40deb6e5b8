package loadtest

import (
	"fmt"
	"slices"
	"time"
)

// Evidence is what a run leaves to be judged. Nothing in it is a number that
// the judged code keeps about itself, except the answer of the inventory check,
// which compares two of its stores.
type Evidence struct {
	Cap       int64 // admitted at once at most; 0: unknown to the tester
	Rate      int64 // a minute at most, unless it was changed
	Core      bool  // the booking core's own address is known: it must be probed too
	Emptied   bool  // the run ended because nobody was left, or nothing moved any more
	Fans      []History
	Probes    []Probe // of the intruders; a fan's own are in its history
	Faults    Faults
	Shelf     *Shelf   // the units at the end, as any visitor sees them; nil: not looked at
	HoldsOver Moment   // every hold that was not being paid for had run out
	Books     *Books   // rows of Postgres; nil: not audited
	Pauses    []Period // by us
	SoldOutAt Moment   // the last unit was sold; 0: some are left
	// Unforeseen is what no estimate can know of before: changes of the limits,
	// losses.
	Unforeseen []Period
	Abroad     *Abroad       // what a foreign shop saw; nil: there was none
	Stock      *Inventory    // what the inventory check said; nil: not asked
	Quiet      []QuietFan    // of other sales
	Slow       Period        // the shop's database was slow
	Service    time.Duration // and for so long it was busy with each order then

	// Of a sale with lanes.
	Codes, Guesses, Hits, Ejected int
	Looked                        int           // guesses that were compared with codes
	Guessing                      time.Duration // how long that went on
}

// Faults counts answers that should never be given.
type Faults struct {
	Answers  int      // all answers read
	Internal int      // 500 among them
	Examples []string // some of these
}

// Shelf is the availability at the end of the run, a bit a unit.
type Shelf struct {
	At          Moment
	Taken, Sold []bool
}

// Verdict is what became of one invariant.
type Verdict struct {
	Name     string   `json:"name"`
	Text     string   `json:"text"`
	State    State    `json:"state"`
	Promised bool     `json:"promised"` // the profile promises it: it must be held
	Facts    int      `json:"facts"`    // how many facts were judged
	Broken   int      `json:"broken"`
	Seen     string   `json:"seen,omitempty"` // what the facts amounted to
	Examples []string `json:"examples,omitempty"`
}

// State of an invariant after a run.
type State string

// The states. An invariant that nothing was seen of is not judged, which fails
// a run that promises it.
const (
	Held      State = "held"
	Broken    State = "BROKEN"
	NotJudged State = "not judged"
)

// finding gathers facts and breaches of one invariant.
type finding struct {
	facts, broken int
	seen          string
	examples      []string
}

const maxExamples = 5

func (f *finding) breach(format string, args ...any) {
	f.broken++
	if len(f.examples) < maxExamples {
		f.examples = append(f.examples, fmt.Sprintf(format, args...))
	}
}

// unjudged says why there is no judgement, as the only example.
func unjudged(format string, args ...any) finding {
	return finding{examples: []string{fmt.Sprintf(format, args...)}}
}

// Invariant is one promise and how it is judged.
type Invariant struct {
	Name  string
	Text  string
	judge func(Evidence) finding
}

// Names of the invariants, for profiles and mutants.
const (
	InvCap        = "cap"
	InvCapOffered = "cap-offered"
	InvGate       = "gate"
	InvOrder      = "order"
	InvLobby      = "lobby-first"
	InvPosition   = "position"
	InvFalling    = "position-falls"
	InvKept       = "order-kept"
	InvOnce       = "offered-once"
	InvHonored    = "offers-honored"
	InvReturns    = "returns"
	InvEstimate   = "estimate"
	InvLonger     = "longer-why"
	InvDraw       = "draw"
	InvForgotten  = "nobody-forgotten"
	InvLeavers    = "leavers"
	InvNumbers    = "offer-numbers"
	InvParty      = "parties"
	InvShares     = "shares"
	InvLanes      = "lanes"
	InvCodes      = "codes"
	InvBypass     = "bypass"
	InvUnits      = "units-once"
	InvConfirmed  = "confirmed-kept"
	InvAccounted  = "orders-known"
	InvTickets    = "tickets-ordered"
	InvHolds      = "holds-return"
	InvInventory  = "inventory"
	InvRepeats    = "repeats"
	InvSoldOut    = "sold-out"
	InvOdds       = "odds"
	InvForeign    = "foreign-shop"
	InvNoInternal = "no-fault"
	InvQuiet      = "quiet-sales"
	InvAutomatic  = "automatic"
	InvNetRoom    = "net-room"
	InvNetOrder   = "net-order"
	InvNetRate    = "net-rate"
)

// Invariants lists every promise in the order of the report.
func Invariants() []Invariant {
	return []Invariant{
		{InvCap, "never more than the cap admitted at once", judgeCap},
		{InvCapOffered, "never more than the cap offered or admitted at once", judgeCapOffered},
		{InvGate, "nobody without a valid token got past the gate, at the edge or at the booking core", judgeGate},
		{InvOrder, "who had joined before another one asked was offered first", judgeOrder},
		{InvLobby, "everybody of the lobby was offered before who came later", judgeLobby},
		{InvPosition, "no more people were offered before a fan than the position shown", judgePosition},
		{InvFalling, "a shown position never rose within an epoch", judgeFalling},
		{InvKept, "who stood before another one was offered first, also across a loss of the line", judgeKept},
		{InvOnce, "nobody was offered twice, but for a turn that was missed", judgeOnce},
		{InvHonored, "no offer was refused while it stood", judgeHonored},
		{InvReturns, "who was away when the turn came and came back within the grace had it after all", judgeReturns},
		{InvEstimate, "the true wait was in the range shown for four of five, a tenth off its middle in the median", judgeEstimate},
		{InvLonger, "no estimate rose without a reason", judgeLonger},
		{InvDraw, "everybody of the lobby found the draw right, and their place in it", judgeDraw},
		{InvForgotten, "everybody who stayed until the line was empty was offered", judgeForgotten},
		{InvLeavers, "nobody was offered after the leave was answered", judgeLeavers},
		{InvNumbers, "no two places were given the same offer number", judgeNumbers},
		{InvParty, "friends who share a place had one turn and one session, and were counted", judgeParty},
		{InvShares, "while people waited in all lanes, each had its share of the turns", judgeShares},
		{InvLanes, "whoever had a right to a lane stood in it, and nobody else; one letter brought one place", judgeLanes},
		{InvCodes, "each code was used as often as it may be, wrong ones cost nothing, and guessing led nowhere", judgeCodes},
		{InvBypass, "no more came past the line than the share of the rule", judgeBypass},
		{InvUnits, "no unit was sold twice", judgeUnits},
		{InvConfirmed, "every confirmed order is in Postgres, paid, with its tickets and one captured payment", judgeConfirmed},
		{InvAccounted, "every order and captured payment in Postgres is one that a fan asked for", judgeAccounted},
		{InvTickets, "no ticket is without a living order", judgeTickets},
		{InvHolds, "units of holds that ran out or were given back are on sale again, or sold", judgeHolds},
		{InvInventory, "the inventory in Redis is the one that follows from Postgres", judgeInventory},
		{InvRepeats, "an order repeated with its key is the same order", judgeRepeats},
		{InvSoldOut, "when everything was sold, everybody heard of it within two seconds, and nobody was offered any more", judgeSoldOut},
		{InvOdds, "most who were told of a good chance got something, and few who were told of a slim one", judgeOdds},
		{InvForeign, "a shop of somebody else's behind the gate saw nobody without a session, and never more at once than the cap", judgeForeign},
		{InvNoInternal, "no request was answered with an internal error", judgeNoInternal},
		{InvQuiet, "who came to a quiet sale had a place in a second and the turn in two more, whatever the crowd next door", judgeQuiet},
		{InvAutomatic, "when the database became slow, orders were quick again in 15 s, at nine tenths of the best fixed rate, within a fifth of the mean", judgeAutomatic},
		{InvNetRoom, "nobody waited at the safety net while there was room, and who came then was in within a second", judgeNetRoom},
		{InvNetOrder, "nobody who came to the safety net was let in before who stood in its line", judgeNetOrder},
		{InvNetRate, "no more were let in by the safety net, in any stretch of time, than the rate allows", judgeNetRate},
	}
}

// Judge passes a verdict on every invariant. Those in promised must be held.
func Judge(e Evidence, promised []string) []Verdict {
	var verdicts []Verdict
	for _, inv := range Invariants() {
		f := inv.judge(e)
		v := Verdict{Name: inv.Name, Text: inv.Text, State: Held, Promised: slices.Contains(promised, inv.Name),
			Facts: f.facts, Broken: f.broken, Seen: f.seen, Examples: f.examples}
		switch {
		case f.broken > 0:
			v.State = Broken
		case f.facts == 0:
			v.State = NotJudged
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// Passed reports whether everything promised is held and nothing else is
// broken unless the profile excuses it by not promising it.
func Passed(verdicts []Verdict) bool {
	return !slices.ContainsFunc(verdicts, func(v Verdict) bool { return v.Promised && v.State != Held })
}
