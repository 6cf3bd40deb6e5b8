package queue

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ropeline/ropeline"
)

// State is a line at one moment: what every edge is told each tick, as JSON.
type State struct {
	Now         time.Time `json:"now"` // the line's clock
	Epoch       string    `json:"epoch"`
	Seq         int64     `json:"seq"`    // rises by one a tick; a gap means a missed message
	Cursor      int64     `json:"cursor"` // everybody before this ordinal has been reached
	CursorScore string    `json:"cursor_score"`
	LastOffer   int64     `json:"last_offer"` // the number of the newest offer
	Gone        int64     `json:"gone"`       // departed at or behind the cursor
	Drawn       bool      `json:"drawn"`
	ClosesAt    time.Time `json:"closes_at"` // the lobby
	OpensAt     time.Time `json:"opens_at"`
	EndsAt      time.Time `json:"ends_at"`
	MaxInUse    int64     `json:"max_in_use"` // the most that offered + active ever was
	Cap         int64     `json:"cap"`
	Rate        int64     `json:"rate"`
	Paused      bool      `json:"paused"`
	Reason      string    `json:"reason"`
	Size        int64     `json:"size"`      // places in the line, reached or not, departed or not
	Collected   int64     `json:"collected"` // places in the lobby
	Offered     int64     `json:"offered"`
	Active      int64     `json:"active"`
	LastExpiry  time.Time `json:"last_expiry"` // when the last slot in use runs out
	PastAge     int64     `json:"past_age"`    // how long ago PastOffer was the last one, about 60 s; 0 unknown
	PastOffer   int64     `json:"past_offer"`
}

// Outflow is how many people a second were offered over the last minute, or
// since the opening; 0 if that is not known yet.
func (s State) Outflow() float64 {
	span := min(float64(s.PastAge), s.Now.Sub(s.OpensAt).Seconds())
	if span < 1 {
		return 0
	}
	return float64(s.LastOffer-s.PastOffer) / span
}

// Phase says where the sale was at Now.
func (s State) Phase() ropeline.Phase {
	switch {
	case !s.Now.Before(s.EndsAt):
		return ropeline.PhaseEnded
	case s.Drawn:
		return ropeline.PhaseOpen
	case s.Now.Before(s.ClosesAt):
		return ropeline.PhaseLobby
	}
	return ropeline.PhaseDrawing
}

// Waiting is how many people stand in the lobby or in the line.
func (s State) Waiting() int64 {
	if !s.Drawn {
		return s.Collected
	}
	return s.Size - s.Cursor - s.Gone
}

// message is what a tick publishes: the state and the ordinals that departed
// since the message before.
type message struct {
	State
	Left []int64 `json:"left,omitempty"`
}

//go:embed lua/admit.lua
var admitSource string
var admitScript = newScript("admit", admitSource)

// Tick moves a line once: it ends what has run out, offers places to the next
// living people as far as the limits in Redis allow, and tells the edges. more
// reports that another tick at once has work. Any number of callers may tick.
func (s *Store) Tick(ctx context.Context, sale ropeline.SaleID) (state State, more bool, err error) {
	keys := []string{key(sale, "state"), key(sale, "limits"), key(sale, "order"), key(sale, "collected"), key(sale, "departed"),
		key(sale, "left"), key(sale, "offered"), key(sale, "active"), key(sale, "numbers"), key(sale, "offers"), key(sale, "pace")}
	reply, err := s.run(ctx, admitScript, keys, TickInterval.Milliseconds(), tickMost)
	if err != nil {
		return State{}, false, err
	}
	fields, _ := reply.([]any)
	if len(fields) != 4 {
		return State{}, false, fmt.Errorf("admit: unexpected reply of %d fields", len(fields))
	}
	m := message{}
	if m.State, err = readState(fields[0]); err != nil {
		return State{}, false, err
	}
	left, _ := fields[1].([]any)
	r := reader{fields: left}
	for range left {
		m.Left = append(m.Left, r.integer())
	}
	if err := r.failed("admit"); err != nil {
		return State{}, false, err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return State{}, false, fmt.Errorf("admit: writing the message: %w", err)
	}
	if err := s.rdb.Publish(ctx, key(sale, "ticks"), text).Err(); err != nil {
		return State{}, false, storeError("publishing a tick", err)
	}
	return m.State, fields[3] == int64(1), nil
}

//go:embed lua/snapshot.lua
var snapshotSource string
var snapshotScript = newScript("snapshot", snapshotSource)

// State returns a line as it is. It changes nothing.
func (s *Store) State(ctx context.Context, sale ropeline.SaleID) (State, error) {
	state, _, err := s.snapshot(ctx, sale, 0)
	return state, err
}

// Snapshot returns a line as it is and its departed bitmap (bit i of the
// ordinal i, most significant first). It changes nothing.
func (s *Store) Snapshot(ctx context.Context, sale ropeline.SaleID) (State, []byte, error) {
	return s.snapshot(ctx, sale, 1)
}

func (s *Store) snapshot(ctx context.Context, sale ropeline.SaleID, bitmap int) (State, []byte, error) {
	keys := []string{key(sale, "state"), key(sale, "limits"), key(sale, "order"), key(sale, "collected"), key(sale, "departed"),
		key(sale, "offered"), key(sale, "active"), key(sale, "pace")}
	reply, err := s.run(ctx, snapshotScript, keys, bitmap)
	if err != nil {
		return State{}, nil, err
	}
	fields, _ := reply.([]any)
	if len(fields) != 2 {
		return State{}, nil, fmt.Errorf("snapshot: unexpected reply of %d fields", len(fields))
	}
	state, err := readState(fields[0])
	if err != nil {
		return State{}, nil, err
	}
	if state.EndsAt.IsZero() {
		return State{}, nil, ropeline.ErrSaleUnknown
	}
	raw, _ := fields[1].(string)
	return state, []byte(raw), nil
}

// readState reads what describe in prelude.lua returns.
func readState(reply any) (State, error) {
	fields, _ := reply.([]any)
	r := reader{fields: fields}
	s := State{
		Now: time.UnixMicro(r.integer()).UTC(), Epoch: r.text(), Seq: r.integer(), Cursor: r.integer(), CursorScore: r.text(),
		LastOffer: r.integer(), Gone: r.integer(), Drawn: r.integer() == 1,
		ClosesAt: milli(r.integer()), OpensAt: milli(r.integer()), EndsAt: milli(r.integer()), MaxInUse: r.integer(),
		Cap: r.integer(), Rate: r.integer(), Paused: r.integer() == 1, Reason: r.text(),
		Size: r.integer(), Collected: r.integer(), Offered: r.integer(), Active: r.integer(), LastExpiry: milli(r.integer()),
		PastAge: r.integer(), PastOffer: r.integer(),
	}
	return s, r.failed("state of a line")
}

//go:embed lua/steer.lua
var steerSource string
var steerScript = newScript("steer", steerSource)

// ErrLimitsChanged means that somebody else changed the limits meanwhile.
var ErrLimitsChanged = &ropeline.Error{Kind: ropeline.Conflict, Code: "limits-changed",
	Detail: "Somebody else changed the limits meanwhile. Look at the new values and try again."}

// Limits are cap and rate, as an SRE sees and sets them.
type Limits struct {
	Cap  int64 `json:"cap"`  // people offered or admitted at any instant
	Rate int64 `json:"rate"` // people offered per minute
}

// SetLimits changes cap and rate if they are still what was expected, else
// ErrLimitsChanged.
func (s *Store) SetLimits(ctx context.Context, sale ropeline.SaleID, expect, to Limits) error {
	return s.steer(ctx, sale, expect.Cap, expect.Rate, to.Cap, to.Rate, "", "")
}

// SetPaused stops or restarts admission; everybody keeps their place. The
// reason of a pause is shown to the fans.
func (s *Store) SetPaused(ctx context.Context, sale ropeline.SaleID, paused bool, reason string) error {
	flag := 0
	if paused {
		flag = 1
	}
	return s.steer(ctx, sale, "", "", "", "", flag, reason)
}

func (s *Store) steer(ctx context.Context, sale ropeline.SaleID, args ...any) error {
	reply, err := s.run(ctx, steerScript, []string{key(sale, "limits")}, args...)
	if err != nil {
		return err
	}
	if reply != int64(1) {
		return ErrLimitsChanged
	}
	return nil
}

//go:embed lua/lead.lua
var leadSource string
var leadScript = newScript("lead", leadSource)

// Lead takes or keeps the lease of the controller that ticks a sale. The lease
// only saves work: two that tick do no harm.
func (s *Store) Lead(ctx context.Context, sale ropeline.SaleID, controller string, lease time.Duration) (bool, error) {
	reply, err := s.run(ctx, leadScript, []string{key(sale, "leader")}, controller, lease.Milliseconds())
	return reply == int64(1), err
}
