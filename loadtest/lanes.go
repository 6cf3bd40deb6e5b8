package loadtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

// presale is what a run with lanes has of codes and keys.
type presale struct {
	codes   []string
	letters *letters // nil: nobody can write any, for the installation is not ours

	guesses  int           // by the attacker
	looked   int           // that were compared with codes; the others had too many before them
	hits     int           // that led anywhere
	ejected  int           // guesses after which the attacker's own place was not there any more
	guessing time.Duration // how long that went on
}

// The lanes of the presale, and the key that lets colleagues past the line.
const (
	laneMembers = "members" // by code
	laneShare   = 30
	laneCircle  = "circle" // by invitation, or signed in at the seller's
	circleShare = 20
	bypassShare = 5
	bypassKey   = "the key of the colleagues of a load test"
)

func presaleLanes() []ropeline.Lane {
	return []ropeline.Lane{
		{Name: laneMembers, Title: "Members", Share: laneShare, Entry: []ropeline.LaneEntry{ropeline.EntryCode}},
		{Name: laneCircle, Title: "Circle", Share: circleShare, Entry: []ropeline.LaneEntry{ropeline.EntryInvitation}},
	}
}

func presaleBypass() []ropeline.Bypass {
	sum := sha256.Sum256([]byte(bypassKey))
	return []ropeline.Bypass{{Name: "staff", Title: "Colleagues", Share: bypassShare, Keys: []string{hex.EncodeToString(sum[:])}}}
}

// code is the code that fan n has, "" for none: every fifth has one, and every
// twenty-fifth has passed a copy on to the next. Nobody has a letter, too.
func (p *presale) code(n int) string {
	at := n / 5
	if p == nil || letterOf(n) != "" || at >= len(p.codes) || n%5 != 0 && n%25 != 1 {
		return ""
	}
	return p.codes[at]
}

// mistypes reports whether fan n brings wrong codes first.
func mistypes(n int) bool { return n%7 == 3 || n%35 == 5 }

// makeCodes asks the staff's API for codes, one for every fifth fan, and for the
// keys of those who sign letters.
func (r *run) makeCodes(ctx context.Context) error {
	if len(r.hall.about.Lanes) == 0 {
		return nil
	}
	c := newClient(source(addressStaff), r.target, r.clock, r.meter)
	defer c.rest()
	var made struct {
		Codes []string `json:"codes"`
	}
	a := c.do(ctx, request{method: http.MethodPost, path: "/api/v1/ops/sales/" + string(r.hall.sale) + "/codes", bearer: r.Access.StaffKey,
		body: map[string]any{"lane": laneMembers, "count": (r.Profile.Lobby+r.Profile.Late)/5 + 1, "uses": 1, "reason": reason}})
	if !a.ok() {
		return fmt.Errorf("making codes: the staff's API answered %d %s", a.Status, a.Code)
	}
	if err := a.decode(&made); err != nil {
		return err
	}
	r.hall.presale = &presale{codes: made.Codes}
	if r.Stack == nil {
		return nil
	}
	var err error
	r.hall.presale.letters, err = r.Stack.letters()
	return err
}

// redeem brings the codes that the fan has: wrong ones first, which may cost
// nothing, and then the good one, whose lost answer is had again.
func (f *fan) redeem(ctx context.Context) {
	p := f.hall.presale
	if p == nil || f.h.Beside {
		return
	}
	path := f.place + "/place/code"
	if mistypes(f.h.Fan) {
		for n := range 2 {
			a := f.do(ctx, request{method: http.MethodPost, path: path, bearer: f.ticket, body: wire.LaneCode{Code: fmt.Sprintf("WRONG-%d-%06d", n, f.h.Fan), Confirm: true}})
			f.h.Tried = append(f.h.Tried, a.Status)
		}
	}
	code := p.code(f.h.Fan)
	if code == "" {
		return
	}
	a := f.insist(ctx, f.rng, tries, request{method: http.MethodPost, path: path, bearer: f.ticket, body: wire.LaneCode{Code: code, Confirm: true}})
	var s wire.Status
	if !a.ok() || a.decode(&s) != nil || s.Ticket == "" {
		return // somebody else had used it, or the turn came
	}
	f.h.Code, f.h.Shown, f.h.Waits = code, nil, nil
	f.stands(a)
}

// pass lets every tenth of the late ones come by the rule for colleagues.
func (f *fan) pass() string {
	if f.hall.presale == nil || f.h.Fan%10 != 9 || f.clock.since() < f.clock.at(f.hall.about.Status.OpensAt) {
		return ""
	}
	return bypassKey
}

// guess is an attacker with a place of its own who tries codes until ctx ends.
func (r *run) guess(ctx context.Context) {
	p := r.hall.presale
	if p == nil {
		return
	}
	c := newClient(source(addressGuesser), r.target, r.clock, r.meter)
	defer c.rest()
	rng := rand.New(rand.NewPCG(r.Seed, addressGuesser))
	place := "/api/v1/sales/" + string(r.hall.sale) + "/place"
	var s wire.Status
	if a := c.insist(ctx, rng, tries, request{method: http.MethodPost, path: place}); !a.ok() || a.decode(&s) != nil {
		return
	}
	begin := r.clock.since()
	for sleep(ctx, 20*time.Millisecond) {
		p.guessing = r.clock.since() - begin
		a := c.do(ctx, request{method: http.MethodPost, path: place + "/code", bearer: s.Ticket,
			body: wire.LaneCode{Code: fmt.Sprintf("GUESS%08d", rng.IntN(1e8)), Confirm: true}})
		p.guesses++
		switch {
		case a.Status == http.StatusCreated:
			p.hits++
		case a.Status == http.StatusGone:
			p.ejected++
		case a.Status != http.StatusTooManyRequests && a.Status != 0 && a.Status != http.StatusServiceUnavailable:
			p.looked++
		}
	}
}

// judgeShares looks at the offers from the opening on until a lane had nobody
// left of those who were there from the beginning: each had its share of them.
func judgeShares(e Evidence) finding {
	if e.Codes == 0 {
		return unjudged("the sale has one lane")
	}
	given, last := map[string][]int64{}, map[string]int64{}
	for _, h := range e.Fans {
		if h.Offer != 0 && !h.Beside && !h.Late {
			given[h.Lane] = append(given[h.Lane], h.Offer)
			last[h.Lane] = max(last[h.Lane], h.Offer)
		}
	}
	shares := map[string]int{laneMembers: laneShare, laneCircle: circleShare, ropeline.MainLane: 100 - laneShare - circleShare}
	until := min(last[ropeline.MainLane], last[laneMembers], last[laneCircle])
	took, all := map[string]int{}, 0
	for lane := range shares {
		for _, number := range given[lane] {
			if number <= until {
				took[lane]++
				all++
			}
		}
	}
	f := finding{facts: all, seen: fmt.Sprintf("%d, %d and %d of %d", took[ropeline.MainLane], took[laneMembers], took[laneCircle], until)}
	for lane, share := range shares {
		// Some of those offered were seen by nobody, so rounding is not all.
		want := float64(all*share) / 100
		if off := float64(took[lane]) - want; off > 2+want/10 || off < -2-want/10 {
			f.breach("of the first %d offers %d of %d went to the lane %q with %d of 100", until, took[lane], all, lane, share)
		}
	}
	return f
}

// placeGuesses is how many wrong codes a place has in a minute, as docs/visitors.md
// says. Whoever begins in the middle of one has those of two.
const placeGuesses = 5

// judgeCodes counts who came in by which code, and what guessing came to.
func judgeCodes(e Evidence) finding {
	if e.Codes == 0 {
		return unjudged("the sale has no codes")
	}
	by := map[string]int{}
	var f finding
	for _, h := range e.Fans {
		if h.Code != "" {
			f.facts++
			if by[h.Code]++; by[h.Code] > 1 {
				f.breach("%d came in by a code for one", by[h.Code])
			}
			if h.Lane != laneMembers {
				f.breach("fan %d came by a code and stands in %q", h.Fan, h.Lane)
			}
		}
		for _, status := range h.Tried {
			f.facts++
			if status != http.StatusNotFound && status != 0 && status != http.StatusServiceUnavailable && status != http.StatusTooManyRequests {
				f.breach("a wrong code of fan %d was answered with %d", h.Fan, status)
			}
		}
	}
	if e.Hits > 0 || e.Ejected > 0 {
		f.breach("of %d guesses %d led to a lane, and %d cost the place", e.Guesses, e.Hits, e.Ejected)
	}
	if most := placeGuesses * (2 + int(e.Guessing/time.Minute)); e.Looked > most {
		f.breach("%d of %d guesses in %v were looked at, and at most %d may be", e.Looked, e.Guesses, e.Guessing, most)
	}
	f.seen = fmt.Sprintf("%d of %d codes used, %d guesses, of which %d were looked at", len(by), e.Codes, e.Guesses, e.Looked)
	return f
}

// judgeBypass counts who came by the rule: no more than its share.
func judgeBypass(e Evidence) finding {
	if e.Codes == 0 {
		return unjudged("the sale has no rules")
	}
	var f finding
	var passed, last int64
	for _, h := range e.Fans {
		last = max(last, h.Offer)
		if h.Bypassed {
			f.facts++
			passed++
		}
	}
	if most := max(5, last*bypassShare/100); passed > most {
		f.breach("%d of %d came by a rule for %d of 100", passed, last, bypassShare)
	}
	f.seen = fmt.Sprintf("%d of %d", passed, last)
	return f
}
