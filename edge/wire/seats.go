package wire

import "time"

// Seats is a frame of the WebSocket of a performance's availability: what has become
// of its units. The first one is of all units, and so is any that names a feed; the
// others say what has changed. What is shown may be a second old and never decides
// who gets a unit.
type Seats struct {
	// Feed names what Seq counts; only a frame of all units has it. Whoever comes back
	// with feed and seq in the query goes on from there, if that is not too long ago.
	Feed string `json:"feed,omitempty"`
	// Seq is one more than in the frame before, or the same where nothing has changed.
	// After any other number a frame was lost: come back without.
	Seq int64 `json:"seq"`
	// AsOf is when the units were looked at, and Stale that they cannot be now.
	AsOf  time.Time `json:"as_of"`
	Stale bool      `json:"stale,omitempty"`
	// Runs are runs of units, from unit 0 on, each an unsigned LEB128 number: how many
	// they are times eight, plus 0 for free, 1 for held (they may return), 2 for sold,
	// 3 for not on sale (yet) or 4 for unchanged. Units behind the last run are free in
	// a frame of all units, and unchanged in another.
	Runs []byte `json:"runs,omitempty"`
}
