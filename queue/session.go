package queue

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
)

// Session is an admitted fan's time in the protected zone and the times of its
// newest token, all in whole seconds.
type Session struct {
	ID        string
	IssuedAt  time.Time // of the newest token
	ExpiresAt time.Time // of the newest token
	EndsAt    time.Time // however often it is renewed
	Slot      time.Time // its slot is counted until then; set by Find alone
}

//go:embed lua/claim.lua
var claimSource string
var claimScript = newScript("claim", claimSource)

// Claim turns an offer into a session. Repeating it answers the same session,
// and so the same token. It fails with ErrNoOffer, ErrOfferExpired or
// ErrSessionOver.
func (s *Store) Claim(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID) (Session, error) {
	return s.ClaimAs(ctx, sale, Ticket{Place: id})
}

// ClaimAs is Claim for the member of a party that the ticket names: any member's
// claim takes the offer for all, and each gets the token of the one session. It
// also fails with ErrParted.
func (s *Store) ClaimAs(ctx context.Context, sale ropeline.SaleID, t Ticket) (Session, error) {
	sid, err := uuid.NewV7()
	if err != nil {
		return Session{}, fmt.Errorf("making a session id: %w", err)
	}
	keys := keysOf(sale, "state", "offered", "active", "numbers", "sessions", "parties", "limits", "sids")
	return s.session(ctx, sale, t.Place, claimScript, keys, string(t.Place), sid.String(), margin, t.tag())
}

//go:embed lua/renew.lua
var renewSource string
var renewScript = newScript("renew", renewSource)

// Renew gives a session its next token, up to the session's end. It fails with
// ErrSessionOver.
func (s *Store) Renew(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID) (Session, error) {
	return s.RenewAs(ctx, sale, Ticket{Place: id})
}

// RenewAs is Renew for the member of a party that the ticket names. It also
// fails with ErrParted.
func (s *Store) RenewAs(ctx context.Context, sale ropeline.SaleID, t Ticket) (Session, error) {
	keys := keysOf(sale, "state", "active", "sessions", "parties", "limits")
	return s.session(ctx, sale, t.Place, renewScript, keys, string(t.Place), margin, t.tag())
}

func (s *Store) session(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID, sc script, keys []string, args ...any) (Session, error) {
	reply, err := s.runOn(ctx, sale, sc, keys, args...)
	if err != nil {
		return Session{}, err
	}
	text, _ := reply.(string)
	session, err := readSession(text, nil)
	if err != nil {
		return Session{}, fmt.Errorf("%s: %w", sc.name, err)
	}
	s.announce(ctx, sale, id)
	return *session, nil
}

//go:embed lua/end.lua
var endSource string
var endScript = newScript("end", endSource)

//go:embed lua/free.lua
var freeSource string
var freeScript = newScript("free", freeSource)

//go:embed lua/find_session.lua
var findSessionSource string
var findSessionScript = newScript("find session", findSessionSource)

//go:embed lua/tell_ended.lua
var tellEndedSource string
var tellEndedScript = newScript("tell ended", tellEndedSource)

//go:embed lua/unheard.lua
var unheardSource string
var unheardScript = newScript("unheard", unheardSource)

// How the end of a session reaches the gates. A gate that has not been able to
// say that it lives for gateBlind refuses everybody; one that has been silent
// for gateSilent, which is longer, is therefore not waited for.
const (
	gateBeat   = 500 * time.Millisecond
	gateBlind  = 2 * time.Second
	gateSilent = 3 * time.Second

	endWait   = time.Second      // the longest that End waits for gates
	endedKept = 15 * time.Minute // an entry outlives any token (MaxTokenLife)
)

// End ends a place's session: its token is renewed no more, every living gate
// of ours is told, and once all have acknowledged the slot is free. If they
// have not within a second, acknowledged is false and the slot stays counted
// until the last token has expired; one that is paying keeps it until the
// payment is over. What it holds is released by whoever follows the ends (FollowEnded).
// Ending twice is no error.
func (s *Store) End(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID) (acknowledged bool, err error) {
	return s.end(ctx, sale, id, "", true)
}

// EndSession is End for the session of this id alone. Unless forced it fails with
// ErrSessionHolds while the session holds something or pays. It fails with
// ErrSessionUnknown.
func (s *Store) EndSession(ctx context.Context, sale ropeline.SaleID, sid string, force bool) (acknowledged bool, err error) {
	reply, err := s.runOn(ctx, sale, findSessionScript, keysOf(sale, "sids", "sessions"), sid)
	if err != nil {
		return false, err
	}
	place, _ := reply.(string)
	if place == "" {
		return false, ErrSessionUnknown
	}
	return s.end(ctx, sale, ropeline.PlaceID(place), sid, force)
}

// EndThis is End for this session of the place alone.
func (s *Store) EndThis(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID, sid string) (acknowledged bool, err error) {
	return s.end(ctx, sale, id, sid, true)
}

func (s *Store) end(ctx context.Context, sale ropeline.SaleID, id ropeline.PlaceID, sid string, force bool) (acknowledged bool, err error) {
	reply, err := s.runOn(ctx, sale, endScript, keysOf(sale, "active", "sessions", "state", "kept", "passes"), string(id), sid, flag(force))
	if err != nil {
		return false, err
	}
	text, _ := reply.(string)
	words := strings.Fields(text)
	if len(words) < 2 {
		return true, nil
	}
	s.announce(ctx, sale, id)
	entry, err := s.tellGates(ctx, sale, words[0], words[1])
	if err != nil {
		return false, err
	}
	if len(words) > 2 && s.now == nil { // with a test's clock no gate lives
		// Redis may have forgotten the gates: let each tell again that it lives.
		select {
		case <-ctx.Done():
			return false, nil
		case <-time.After(2 * gateBeat):
		}
	}
	if heard, err := s.awaitGates(ctx, entry); !heard || err != nil {
		return false, err
	}
	reply, err = s.run(ctx, freeScript, keysOf(sale, "active", "sessions", "kept"), string(id))
	freed, _ := reply.(int64)
	return err == nil && freed >= 0, err
}

func (s *Store) tellGates(ctx context.Context, sale ropeline.SaleID, sid, exp string) (entry string, err error) {
	reply, err := s.run(ctx, tellEndedScript, []string{keyEnded}, sid, exp, string(sale), endedKept.Milliseconds())
	entry, _ = reply.(string)
	return entry, err
}

func (s *Store) awaitGates(ctx context.Context, entry string) (heard bool, err error) {
	deadline := time.Now().Add(endWait)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		reply, err := s.run(ctx, unheardScript, []string{keyGatesSeen, keyGatesAcked, keyEnded}, entry, gateSilent.Milliseconds())
		// A read cut off by the deadline may be told before ctx is.
		if ctx.Err() != nil || !time.Now().Before(deadline) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		switch reply {
		case int64(0):
			return true, nil
		case int64(-1): // nobody will hear of it any more
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-time.After(pause):
		}
	}
}
