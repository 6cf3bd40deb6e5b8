package loadtest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

// tries is how often a fan asks again when the servers say "not now" or
// nothing at all: with the pauses between, half a minute and more.
const tries = 14

// fan is one simulated person. All of it belongs to the fan's goroutine.
type fan struct {
	Persona
	*client
	rng  *rand.Rand
	hall *hall
	h    History

	party *party // the friends with whom the fan comes; nil: alone

	woke  bool   // nothing was heard of the place since the nap
	place string // path of the place's routes

	ticket string // place ticket
	token  string // admission token
	exp    time.Time
}

// hall is what all fans of a run share: the sale they came for, and how the
// run stands.
type hall struct {
	sale  ropeline.SaleID
	about wire.Sale
	plan  *seating
	board *board

	abroad *foreign // the shop that fans come for; nil: our own
	rooms  *target  // the edges' own host

	presale    *presale // nil: the sale has one lane
	checksDraw bool     // everybody of the lobby does
	glances    bool     // who had a turn looks at the place afterwards
}

func newFan(n int, p Persona, rng *rand.Rand, c *client, h *hall) *fan {
	return &fan{Persona: p, client: c, rng: rng, hall: h,
		h:     History{Fan: n, Poller: p.Poller, Steady: !p.Poller && p.Reconnects == 0 && p.Naps == 0, End: "cut off"},
		place: "/api/v1/sales/" + string(h.sale)}
}

// live walks the whole way. It returns when the fan is done, or when patient
// (the waiting) or ctx (everything) ends.
func (f *fan) live(ctx, patient context.Context) {
	defer f.rest()
	if !f.arrive(ctx) {
		f.h.End = "no place"
		return
	}
	f.redeem(ctx)
	if f.hall.checksDraw && !f.h.Late {
		f.note(ctx)
		defer func() { f.checkDraw(ctx) }()
	}
	f.hall.board.waiting.Add(1)
	turn := f.h.let() || f.wait(patient)
	f.hall.board.waiting.Add(-1)
	if !f.h.let() {
		f.h.Stood = f.clock.since()
	}
	switch {
	case turn:
		f.enter(ctx)
		f.glance(ctx)
	case f.h.left():
		f.lookBack(ctx)
	case patient.Err() != nil:
		f.h.Stayed = true
		f.h.End = "still waiting"
	}
}

// pauseALittle waits for a person's moment of thought.
func (f *fan) pauseALittle(ctx context.Context) bool {
	return sleep(ctx, f.think/2+time.Duration(f.rng.Int64N(int64(f.think)+1)))
}

// join asks for a place. A join whose answer was lost is asked again without a
// ticket, so the line may hold a place that nobody knows of: it gets its turn
// and lets it pass, like a no-show. Not where a proof is asked for, which brings
// one place.
func (f *fan) join(ctx context.Context) bool {
	if f.present(ctx) {
		return true
	}
	credential, err := f.credential(ctx)
	if err != nil {
		f.meter.count("proofs not made")
		return false
	}
	if key := f.pass(); key != "" {
		by := wire.Join{Bypass: key, Attempt: fmt.Sprintf("colleague-%016x", f.rng.Uint64())}
		if f.stands(f.do(ctx, request{method: http.MethodPost, path: f.place + "/place", body: by})) {
			f.h.Bypassed = true
			return true
		}
	}
	a := f.insist(ctx, f.rng, tries, request{method: http.MethodPost, path: f.place + "/place", bearer: f.ticket, body: credential})
	return f.stands(a)
}

// stands takes in the answer of a join, and reports whether there is a place.
func (f *fan) stands(a answer) bool {
	var s wire.Status
	if !a.ok() || a.decode(&s) != nil || s.Ticket == "" {
		return false
	}
	if f.hall.about.SafetyNet && f.h.Came.Sent == 0 {
		f.h.Came = a.Call
	}
	if f.hall.about.SafetyNet && s.State == ropeline.PlaceActive {
		f.let(a)
	} else {
		f.h.Join = a.Call
	}
	f.h.Late = a.Sent > f.clock.at(f.hall.about.LobbyClosesAt)
	f.meter.took(spanJoin, a.Answered-a.Sent)
	f.see(s)
	return true
}

// see takes in a status and remembers what it says.
func (f *fan) see(s wire.Status) {
	if s.Ticket != "" {
		f.ticket = s.Ticket
	}
	now := f.clock.since()
	if s.Lane != "" {
		f.h.Lane = s.Lane
	}
	f.wake(s)
	if s.State == ropeline.PlaceWaiting && s.Position != nil && s.Served != nil {
		f.h.show(Shown{At: now, Position: *s.Position, Served: *s.Served, Epoch: s.Epoch})
		f.h.estimate(estimateOf(now, s))
		if s.Odds != nil {
			f.h.tell(Told{At: now, Chance: s.Odds.Chance})
		}
	}
	if s.Offer != nil && f.h.Offer != 0 && s.Offer.Number != f.h.Offer && !s.Offer.Beside && !slices.Contains(f.h.Again, s.Offer.Number) {
		f.h.Again = append(f.h.Again, s.Offer.Number)
	}
	if s.Offer != nil && f.h.Offer == 0 {
		f.h.Offer, f.h.OfferedAt, f.h.ClaimBy = s.Offer.Number, now, f.clock.at(s.Offer.ClaimBy)
		f.h.Beside = s.Offer.Beside
		if s.Party != nil {
			f.h.Size, f.h.Left = s.Party.Size, s.Sale.Stock.Free
		}
		f.hall.board.offer(now)
		made := f.clock.at(s.Offer.ClaimBy.Add(-f.hall.about.ClaimWindow.Duration()))
		f.h.MadeAt = made
		if !f.Poller {
			f.meter.took(spanPush, now-made)
		}
		f.meter.took(spanOffer, now-max(f.h.Join.Answered, f.clock.at(f.hall.about.Status.OpensAt)))
	}
}

func estimateOf(now Moment, s wire.Status) Estimate {
	if s.Wait == nil {
		return Estimate{At: now, None: true}
	}
	return Estimate{At: now, Low: time.Duration(s.Wait.Low) * time.Second, High: time.Duration(s.Wait.High) * time.Second, Longer: s.Wait.Longer}
}

// wake notes what had become of the place during a nap.
func (f *fan) wake(s wire.Status) {
	if !f.woke {
		return
	}
	f.woke = false
	n := &f.h.Naps[len(f.h.Naps)-1]
	n.Over = s.State == ropeline.PlaceExpired
	n.Passed = n.Over || s.State == ropeline.PlacePassed || s.Back
	n.Return = s.ReturnBy != nil
}

// enter claims the offer, does the errand and goes.
func (f *fan) enter(ctx context.Context) {
	if f.NoShow && !f.h.let() {
		f.h.End = "no-show"
		f.missOut(ctx)
		return
	}
	if !f.pauseALittle(ctx) || f.token == "" && !f.claim(ctx) {
		return
	}
	f.hall.board.inside.Add(1)
	f.shop(ctx)
	f.part(ctx)
	f.hall.board.inside.Add(-1)
}

// missOut stays until the offer has run out, and asks for it then: a late
// claim must not be served.
func (f *fan) missOut(ctx context.Context) {
	if !sleep(ctx, f.hall.about.ClaimWindow.Duration()+time.Second) {
		return
	}
	if a := f.insist(ctx, f.rng, tries, request{method: http.MethodPost, path: f.place + "/place/claim", bearer: f.ticket}); a.ok() {
		f.admitted(a) // counts towards the cap like any other
		f.h.End = "claimed too late"
	}
}

// claimSlack is how near its end an offer may be refused: clocks are compared.
const claimSlack = 300 * time.Millisecond

// claim turns the offer into a session.
func (f *fan) claim(ctx context.Context) bool {
	ask := request{method: http.MethodPost, path: f.place + "/place/claim", bearer: f.ticket}
	a := f.insist(ctx, f.rng, tries, ask)
	if !f.admitted(a) {
		if !a.unavailable() && (a.Answered < f.h.ClaimBy-claimSlack || f.h.let()) {
			f.h.Refused = fmt.Sprintf("%d %s", a.Status, a.Code)
		}
		f.h.End = "claim refused: " + a.Code
		return false
	}
	f.meter.took(spanClaim, a.Answered-a.Sent)
	if f.ClaimTwice {
		f.admitted(f.insist(ctx, f.rng, tries, ask))
	}
	return true
}

// renew asks for the session's next token.
func (f *fan) renew(ctx context.Context) bool {
	return f.admitted(f.insist(ctx, f.rng, tries, request{method: http.MethodPost, path: f.place + "/session", bearer: f.ticket}))
}

// admitted takes in a token: which session it is of and until when it lives is
// read from the token itself, as any service would.
func (f *fan) admitted(a answer) bool {
	var adm wire.Admission
	if !a.ok() || a.decode(&adm) != nil {
		return false
	}
	return f.take(adm.Token, a.Call)
}

// take keeps a token that answered a request.
func (f *fan) take(token string, c Call) bool {
	claims, err := readToken(token)
	if err != nil {
		return false
	}
	exp := time.Unix(claims.Expires, 0)
	f.token, f.exp = token, exp
	for i := range f.h.Sessions {
		if s := &f.h.Sessions[i]; s.ID == claims.Session {
			s.Expires = max(s.Expires, f.clock.at(exp))
			return true
		}
	}
	f.h.Sessions = append(f.h.Sessions, Session{ID: claims.Session, Asked: c.Sent, First: c.Answered, Expires: f.clock.at(exp)})
	return true
}

// session is the one that the fan's token is of.
func (f *fan) session() *Session { return &f.h.Sessions[len(f.h.Sessions)-1] }

// claims is the part of a token that a fan reads.
type claims struct {
	Session string `json:"sid"`
	Expires int64  `json:"exp"`
}

// readToken reads a token without checking its signature: it is what the fan
// was given, whatever it is worth.
func readToken(token string) (claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}, fmt.Errorf("reading token: %d parts", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims{}, fmt.Errorf("reading token: %w", err)
	}
	var c claims
	if err := json.Unmarshal(text, &c); err != nil {
		return claims{}, fmt.Errorf("reading token: %w", err)
	}
	if c.Session == "" || c.Expires == 0 {
		return claims{}, fmt.Errorf("reading token: sid or exp is missing")
	}
	return c, nil
}

// part ends the session in the fan's way, and knocks once more with the token
// that must not open any more.
func (f *fan) part(ctx context.Context) {
	path := f.place + "/session"
	switch {
	case f.byGate() || f.Parting == WalkAway || f.Errand == Browse || f.Errand == Drop:
		f.outstay(ctx)
		return
	case f.Parting == GivePlace:
		path = f.place + "/place"
	}
	a := f.insist(ctx, f.rng, tries, request{method: http.MethodDelete, path: path, bearer: f.ticket})
	f.session().End = a.Call
	f.meter.took(spanEnd, a.Answered-a.Sent)
	if a.Status == http.StatusNoContent {
		f.knock(ctx, "ended")
	}
}

// outstay lets the token run out, and knocks when nobody may accept it any
// more.
func (f *fan) outstay(ctx context.Context) {
	if f.rng.IntN(2) == 0 { // half of them; the others close the tab
		if sleep(ctx, time.Until(f.exp.Add(ropeline.TokenMargin))) {
			f.knock(ctx, "expired")
		}
	}
}

// glance looks at the place for a while after the turn, however it went: a line
// that was lost may not offer it again. Only such a run has that to see.
func (f *fan) glance(ctx context.Context) {
	for until := time.Now().Add(glanceFor); f.hall.glances && time.Now().Before(until); {
		if !sleep(ctx, time.Second+time.Duration(f.rng.Int64N(int64(2*time.Second)))) {
			return
		}
		s, a := f.look(ctx)
		if !a.ok() {
			return
		}
		f.see(s)
		f.rest()
	}
}

// glanceFor is longer than a lost line takes to be put together and to offer
// again.
const glanceFor = 20 * time.Second

// lookBack asks a place that was given up what it says of itself, now and
// later, and tries to claim with it: nothing may come of that.
func (f *fan) lookBack(ctx context.Context) {
	f.h.End = "left"
	for try := range 3 {
		if try > 0 && !sleep(ctx, time.Duration(f.rng.Int64N(int64(4*time.Second)))) {
			return
		}
		s, a := f.look(ctx)
		if try == 0 && s.State == ropeline.PlaceExpired {
			// The offer had come and run out, between two polls, before the leave.
			f.h.Passed, f.h.Leave, f.h.End = true, Call{}, "turn missed"
			return
		}
		switch {
		case a.Status == http.StatusGone:
			f.h.AfterLeaving = append(f.h.AfterLeaving, ropeline.PlaceLeft)
		case a.ok():
			f.h.AfterLeaving = append(f.h.AfterLeaving, s.State)
		}
	}
	if a := f.do(ctx, request{method: http.MethodPost, path: f.place + "/place/claim", bearer: f.ticket}); f.admitted(a) {
		f.h.AfterLeaving = append(f.h.AfterLeaving, ropeline.PlaceActive)
	}
}
