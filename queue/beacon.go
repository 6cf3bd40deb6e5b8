package queue

import (
	"context"
	_ "embed"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue/draw"
)

//go:embed lua/beacon.lua
var beaconSource string
var beaconScript = newScript("beacon", beaconSource)

// BeaconPendingError means that a draw waits for its beacon. Whoever knows the
// source asks it for its value at that time, from then on, and gives the answer to
// GiveBeacon.
type BeaconPendingError struct {
	Name string
	At   time.Time
}

func (e *BeaconPendingError) Error() string {
	return fmt.Sprintf("the draw waits for the beacon %s of %s", e.Name, e.At.UTC().Format(time.RFC3339))
}

// What may be wrong with a beacon's value that somebody gives.
var (
	ErrBeaconNotAwaited = &ropeline.Error{Kind: ropeline.Conflict, Code: "beacon-not-awaited",
		Detail: "No beacon is waited for: the sale has none, its lobby is open, or the beacon's time has not come."}
	ErrBeaconDecided = &ropeline.Error{Kind: ropeline.Conflict, Code: "beacon-decided",
		Detail: "The draw has used another value of the beacon, or gone on without it. It cannot be changed any more."}
)

// GiveBeacon gives a draw the value of its beacon; nil says that the source was
// asked for it and has none, which counts when the draw has waited for as long as
// was announced. The first one counts. It reports whether the beacon is decided on.
func (s *Store) GiveBeacon(ctx context.Context, sale ropeline.SaleID, value *draw.Hash) (bool, error) {
	d, err := s.Drawing(ctx, sale)
	if err != nil {
		return false, err
	}
	b, ok := ropeline.ParseBeacon(d.Rule)
	if !ok || d.Root == "" {
		return false, ErrBeaconNotAwaited
	}
	text := "absent"
	if value != nil {
		text = hex.EncodeToString(value[:])
	}
	_, decided, err := s.askBeacon(ctx, sale, b, text)
	switch {
	case err != nil || value == nil:
		return decided != "", err
	case decided == "":
		return false, ErrBeaconNotAwaited
	case decided != text:
		return true, ErrBeaconDecided
	}
	return true, nil
}

func (s *Store) askBeacon(ctx context.Context, sale ropeline.SaleID, b ropeline.Beacon, text string) (at time.Time, decided string, err error) {
	reply, err := s.runOn(ctx, sale, beaconScript, keysOf(sale, "draw"), b.After.Duration().Milliseconds(), b.Wait.Duration().Milliseconds(), text)
	if err != nil {
		return time.Time{}, "", err
	}
	r := reader{}
	r.fields, _ = reply.([]any)
	at, decided = milli(r.integer()), r.text()
	return at, decided, r.failed("beacon")
}

// beacon returns the value that goes into a draw whose root is published, or a
// *BeaconPendingError.
func (s *Store) beacon(ctx context.Context, sale ropeline.SaleID, rule string) (draw.Hash, error) {
	if rule == draw.NoBeacon || rule == "" { // "": a loss of Redis forgot the commitment, too
		return draw.Hash{}, nil
	}
	b, ok := ropeline.ParseBeacon(rule)
	if !ok {
		return draw.Hash{}, fmt.Errorf("the draw of %s has the beacon rule %q", sale, rule)
	}
	at, decided, err := s.askBeacon(ctx, sale, b, "")
	if err != nil {
		return draw.Hash{}, err
	}
	if decided == "" {
		return draw.Hash{}, &BeaconPendingError{Name: b.Name, At: at}
	}
	return readHash(decided)
}

// beaconAwaited returns a *BeaconPendingError if a draw waits for its beacon: it
// spares reading all entrants just to see that.
func (s *Store) beaconAwaited(ctx context.Context, sale ropeline.SaleID) (Drawing, error) {
	d, err := s.Drawing(ctx, sale)
	if err != nil || d.Root == "" {
		return d, err
	}
	_, err = s.beacon(ctx, sale, d.Rule)
	return d, err
}

func readHash(text string) (h draw.Hash, err error) {
	if n, err := hex.Decode(h[:], []byte(text)); err != nil || n != len(h) || len(text) != 2*len(h) {
		return h, fmt.Errorf("reading the draw: %q is no hash", text)
	}
	return h, nil
}
