package queue

import (
	"context"
	_ "embed"
	"strconv"
	"time"

	"github.com/ropeline/ropeline"
)

// Deadlines are kept in the time of the server, and a server's clock may be set.
// One that jumps ahead would end all sessions while their tokens are good for
// those who check them, so that twice as many were inside as the cap allows;
// one that jumps back would keep every slot, and stop the rate bucket, for as
// long as it went back. Whoever ticks therefore compares that clock with their
// own, which cannot be set, and moves the deadlines along before anything ends.

// clockSlack is how far two clocks may drift apart between two ticks without
// one of them having jumped.
const clockSlack = 2 * time.Second

// clockWatch is what a controller has seen of the clock of a sale's server.
type clockWatch struct {
	theirs       time.Time
	asked, heard time.Time // by our own clock, before and after
	owed         time.Duration
}

// look takes in another reading and returns how far the clock has jumped since
// the one before. The answer may have been made at any moment between asking and
// hearing: a server that was stopped meanwhile has not jumped.
func (w *clockWatch) look(theirs, asked, heard time.Time) time.Duration {
	before := *w
	w.theirs, w.asked, w.heard = theirs, asked, heard
	if before.theirs.IsZero() {
		return 0
	}
	passed := theirs.Sub(before.theirs)
	least, most := asked.Sub(before.heard), heard.Sub(before.asked)
	switch {
	case passed > most+clockSlack:
		return passed - most
	case passed < least-clockSlack:
		return passed - least
	}
	return 0
}

// between returns where the clock must be, if it does not jump, when somebody
// is asked who is asked now and answers at once. look says so of an answer at any
// time; whoever comes later finds the clock too far, and has to be asked again.
func (w *clockWatch) between(asked time.Time) (earliest, latest time.Time) {
	return w.theirs.Add(asked.Sub(w.heard) - clockSlack), w.theirs.Add(asked.Sub(w.asked) + clockSlack)
}

//go:embed lua/jump.lua
var jumpSource string
var jumpScript = newScript("jump", jumpSource)

// payClock moves the deadlines of a sale along by what its server's clock is
// known to have jumped, and returns how far.
func (s *Store) payClock(ctx context.Context, sale ropeline.SaleID, controller string, lease time.Duration) (time.Duration, error) {
	s.mu.Lock()
	owed := time.Duration(0)
	if w := s.clocks[sale]; w != nil {
		owed = w.owed
	}
	s.mu.Unlock()
	if owed == 0 {
		return 0, nil
	}
	reply, err := s.run(ctx, jumpScript, keysOf(sale, "leader", "state", "offered", "active", "sessions", "limits"),
		controller, lease.Milliseconds(), owed.Milliseconds(), margin)
	if err != nil {
		return 0, err // and it is owed still
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clocks[sale].owed -= owed
	if reply != int64(1) { // the one who leads has done it
		return 0, nil
	}
	return owed, nil
}

// clockBetween returns between which times (us) a sale's clock is if it has not
// jumped since it was seen last; "" if that is not known.
func (s *Store) clockBetween(sale ropeline.SaleID, asked time.Time) (earliest, latest string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.clocks[sale]
	if w == nil {
		return "", ""
	}
	from, to := w.between(asked)
	return strconv.FormatInt(from.UnixMicro(), 10), strconv.FormatInt(to.UnixMicro(), 10)
}

// sawClock takes in a reading of a sale's clock.
func (s *Store) sawClock(sale ropeline.SaleID, theirs, asked, heard time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.clocks[sale]
	if w == nil {
		w = &clockWatch{}
		s.clocks[sale] = w
	}
	w.owed += w.look(theirs, asked, heard)
}
