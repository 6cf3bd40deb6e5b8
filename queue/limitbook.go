package queue

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/ropeline/ropeline"
)

// What is kept of changes of the limits where a loss of Redis does not reach it.
//
// A change is made in Redis first, where it takes effect, and is answered when the book
// has it. A server that took over may lack the last ones. Edges write back what they
// know, but one may be slow, and then an emergency stop would be over for as long. So
// whoever leads a sale compares its limits with the book once in each life of a
// server, and nobody is offered before that.

// LimitBook keeps changes of limits for good.
type LimitBook interface {
	// LimitChanges returns what LimitChange.Change of the newest changes was, from this
	// version on, at most so many, in their order.
	LimitChanges(ctx context.Context, sale ropeline.SaleID, from int64, most int) ([]json.RawMessage, error)
}

// LimitChange is a change of limits as the book keeps it.
type LimitChange struct {
	Version int64           `json:"version"` // of the limits after it; no other change of the sale may have it
	Change  json.RawMessage `json:"change"`  // all limits after it, and what is told of it: from a script, for a script

	id string
}

// changesCompared bounds what one comparison takes: a server loses a second or so.
// After a loss of everything it is what the public is told of anew.
const changesCompared = 100

// UseLimitBook lets limits be compared with what is kept there. Call it before
// anything else.
func (s *Store) UseLimitBook(b LimitBook) { s.limitBook = b }

// readLimitChange reads what steer.lua answers.
func readLimitChange(text string) (*LimitChange, error) {
	var head struct {
		Change string `json:"change"`
		Limits struct {
			Version string `json:"version"`
		} `json:"limits"`
	}
	err := json.Unmarshal([]byte(text), &head)
	version, malformed := strconv.ParseInt(head.Limits.Version, 10, 64)
	if err != nil || malformed != nil {
		return nil, fmt.Errorf("reading a change of limits %.100q: %w", text, err)
	}
	return &LimitChange{Version: version, Change: json.RawMessage(text), id: head.Change}, nil
}

//go:embed lua/limits_known.lua
var limitsKnownSource string
var limitsKnownScript = newScript("limits known", limitsKnownSource)

//go:embed lua/mend_limits.lua
var mendLimitsSource string
var mendLimitsScript = newScript("mend limits", mendLimitsSource)

// knownLimits is what a server knows of the changes of a sale's limits.
type knownLimits struct {
	run      string // of the server
	compared bool   // with the book, in this life of the server
	version  int64
	change   string // the id of the newest; "" unknown
	from     int64  // up to there nothing is missing
}

func (s *Store) limitsKnown(ctx context.Context, sale ropeline.SaleID) (knownLimits, error) {
	reply, err := s.runOn(ctx, sale, limitsKnownScript, keysOf(sale, "state", "limits"))
	if err != nil {
		return knownLimits{}, err
	}
	var r reader
	r.fields, _ = reply.([]any)
	k := knownLimits{run: r.text(), compared: r.integer() == 1, version: r.integer(), change: r.text(), from: r.integer()}
	return k, r.failed("limits known")
}

// MendLimits compares the limits of a sale with the book, if its server has not been
// since it started or took over, and puts back what it lost. It reports whether it
// did. Any number may.
func (s *Store) MendLimits(ctx context.Context, sale ropeline.SaleID) (bool, error) {
	if s.limitBook == nil {
		return false, nil
	}
	known, err := s.limitsKnown(ctx, sale)
	if err != nil || known.compared {
		return false, err
	}
	return s.mendLimits(ctx, sale, known)
}

// ConfirmLimits makes sure that a change which the book has is in force, or a later
// one: the server where it was made may be gone, and the one that took over have been
// compared with the book before that had it.
func (s *Store) ConfirmLimits(ctx context.Context, sale ropeline.SaleID, c LimitChange) error {
	if s.limitBook == nil {
		return nil
	}
	known, err := s.limitsKnown(ctx, sale)
	if err != nil || known.version > c.Version || known.version == c.Version && (known.change == c.id || known.change == "") {
		return err
	}
	_, err = s.mendLimits(ctx, sale, known)
	return err
}

// UndoLimits takes back a change that the book refused, because it has another one of
// that number: which is in force after this.
func (s *Store) UndoLimits(ctx context.Context, sale ropeline.SaleID, c LimitChange) error {
	return s.ConfirmLimits(ctx, sale, LimitChange{Version: c.Version})
}

// mendLimits brings a server to what the book says, that of which this is known.
func (s *Store) mendLimits(ctx context.Context, sale ropeline.SaleID, known knownLimits) (bool, error) {
	changes, err := s.limitBook.LimitChanges(ctx, sale, known.from, changesCompared)
	if err != nil {
		return false, err
	}
	args := []any{string(sale), known.run}
	for _, c := range changes {
		args = append(args, string(c))
	}
	reply, err := s.runOn(ctx, sale, mendLimitsScript, keysOf(sale, "state", "limits", "offered", "active", "sessions", "events", "board", "steered"), args...)
	return err == nil && reply != int64(0), err
}
