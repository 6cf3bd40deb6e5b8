package ropeline

// Mode is how a sale admits, as its SRE steers it.
type Mode string

// The modes. In each of them whoever waits keeps the place.
const (
	ModeRun   Mode = "run"   // as cap and rate allow
	ModePause Mode = "pause" // nobody is offered; open offers may be claimed, sessions go on, bypass rules hold
	ModeDrain Mode = "drain" // nobody joins any more; whoever waits is still let in
	ModeQueue Mode = "queue" // everybody waits: as pause, and nobody passes by a bypass rule or an empty safety net either

	// ModePass lets everybody pass without waiting: cap and rate do not hold.
	ModePass Mode = "pass"
	// ModeStop lets nobody pass: offers wait, and every gate refuses every
	// session until it is over.
	ModeStop Mode = "stop"
)

// Known reports whether it is one of the modes.
func (m Mode) Known() bool {
	switch m {
	case ModeRun, ModePause, ModeDrain, ModeQueue, ModePass, ModeStop:
		return true
	}
	return false
}
