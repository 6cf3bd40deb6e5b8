package loadtest

import (
	"math/rand/v2"
	"time"
)

// Errand is what an admitted fan comes for.
type Errand string

// What admitted fans do. Most buy.
const (
	Buy      Errand = "buy"
	BuyTwice Errand = "buy, card declined first"
	BuySlow  Errand = "buy with a slow card"
	Browse   Errand = "look and let the token expire"
	Stroll   Errand = "look and go"
	Drop     Errand = "hold and let it expire"
	Give     Errand = "hold and give it back"
)

// Persona is how one fan behaves, drawn from the run's seed and the fan's
// number, so that a run can be repeated.
type Persona struct {
	Poller     bool
	Leaves     time.Duration // gives up after this long in the line; 0: never
	Reconnects time.Duration // drops the socket every so often; 0: never
	Rejoins    bool          // joins again with the ticket whenever it reconnects
	Phone      bool
	Naps       time.Duration // is away after this long in the line, once; 0: never
	NapsFor    time.Duration
	Moves      bool // comes back from another address
	ToPolling  bool // and polls from then on
	ToRoom     bool // opens the room, and not the shop
	NoShow     bool // never claims
	ClaimTwice bool

	Errand    Errand
	Ask       Ask
	Quantity  int
	Covets    bool // asks for seats that are shown as taken first
	Repeats   bool // repeats the order with its key
	Impatient bool // gives the order's answer up after moments and asks again
	Renews    bool // renews the token once without need
	Parting   Parting

	think time.Duration // about how long between two steps
}

// Ask is how a fan asks for units.
type Ask string

// The ways to ask for units.
const (
	AskSeats   Ask = "chosen seats"
	AskBest    Ask = "best available"
	AskGeneral Ask = "general admission"
)

// Parting is how an admitted fan goes.
type Parting string

// The ways to go.
const (
	EndSession Parting = "ends the session"
	GivePlace  Parting = "gives the place up" // DELETE of the place ends the session too
	WalkAway   Parting = "walks away"         // the token runs out
)

// Mix says how many of a hundred fans behave in which way.
type Mix struct {
	Pollers, Leavers, Reconnecters, NoShows int
	ToRoom                                  int
	Browsers, Droppers, Givers, Strollers   int // of the admitted; the rest buys
	Think                                   time.Duration
	Longest                                 time.Duration // a leaver's longest wait

	Parties  int             // of ten tens: so many come as friends
	Nappers  int             // of a hundred
	NapsFrom time.Duration   // they go in this time after the join, at the latest
	NapsFor  []time.Duration // for one of these, and up to a fifth longer
}

// strollers only look: no shop to be judged, and a stay of one token's life.
var strollers = Mix{Pollers: 12, Leavers: 6, Reconnecters: 8, NoShows: 3, Browsers: 25, Strollers: 75, Think: 150 * time.Millisecond, Longest: 30 * time.Second}

// sociable are strollers of whom some come as friends.
var sociable = func() Mix { m := strollers; m.Parties = 2; return m }()

// flaky are phones and other people who are away for a while: so short that
// they count as present all the time, so long that the line passes them over,
// and a few longer than the grace.
var flaky = Mix{Pollers: 12, Leavers: 3, Reconnecters: 15, NoShows: 2, Browsers: 25, Strollers: 75, Think: 150 * time.Millisecond, Longest: 30 * time.Second,
	Nappers: 45, NapsFrom: 40 * time.Second, NapsFor: []time.Duration{5 * time.Second, 15 * time.Second, 45 * time.Second, 70 * time.Second, 100 * time.Second, 260 * time.Second}}

// rough is the mix of a test: every behaviour often enough to be judged.
var rough = Mix{
	Pollers: 12, Leavers: 10, Reconnecters: 12, NoShows: 4,
	Browsers: 12, Droppers: 14, Givers: 6,
	Think: 150 * time.Millisecond, Longest: 20 * time.Second,
}

// passersBy look around in a shop with a safety net; some open its room. Few wait
// and do not come, which everybody else has to wait for.
var passersBy = func() Mix {
	m := strollers
	m.ToRoom, m.Leavers, m.NoShows, m.Browsers, m.Strollers, m.Think, m.Longest = 25, 9, 2, 15, 85, 350*time.Millisecond, 8*time.Second
	return m
}()

// buyers all want something, and know what.
var buyers = Mix{Pollers: 12, NoShows: 3, Think: 200 * time.Millisecond, Longest: 20 * time.Second}

// gentle is the mix of a demonstration.
var gentle = Mix{
	Pollers: 10, Leavers: 5, Reconnecters: 5, NoShows: 3,
	Browsers: 10, Droppers: 5, Givers: 5,
	Think: 4 * time.Second, Longest: 3 * time.Minute,
}

// hasty is how many of a hundred fans leave within moments, so that even the
// shortest wait sees somebody leave.
func (m Mix) hasty() int { return (m.Leavers + 2) / 3 }

// persona makes one fan's behavior. What a share is promised of is dealt, the
// rest is drawn.
func (m Mix) persona(rng *rand.Rand, d hand) Persona {
	in := func(percent int) bool { return rng.IntN(100) < percent }
	p := Persona{
		ToRoom: d.card(toEnter) < m.ToRoom,
		Poller: d.card(toPoll) < m.Pollers, NoShow: d.card(toMiss) < m.NoShows, ClaimTwice: in(10),
		Errand: m.errand(d.card(toDo)), Quantity: 1 + rng.IntN(4),
		Ask:    []Ask{AskSeats, AskSeats, AskBest, AskGeneral}[rng.IntN(4)],
		Covets: in(8), Repeats: in(30), Impatient: in(10), Renews: in(15),
		Parting: []Parting{EndSession, EndSession, EndSession, EndSession, GivePlace, WalkAway}[rng.IntN(6)],
		think:   m.Think,
	}
	switch card := d.card(toLeave); {
	case card < m.hasty():
		p.Leaves = time.Second + time.Duration(rng.Int64N(int64(time.Second)))
	case card < m.Leavers:
		p.Leaves = time.Second + time.Duration(rng.Int64N(int64(m.Longest)))
	}
	if d.card(toReconnect) < m.Reconnecters && !p.Poller {
		p.Reconnects = 2*time.Second + time.Duration(rng.Int64N(int64(6*time.Second)))
		p.Rejoins = in(50)
	}
	if d.card(toNap) < m.Nappers && p.Leaves == 0 {
		p.Phone = in(50)
		p.Naps = time.Second + time.Duration(rng.Int64N(int64(m.NapsFrom)))
		p.NapsFor = m.NapsFor[rng.IntN(len(m.NapsFor))]
		p.NapsFor += time.Duration(rng.Int64N(int64(p.NapsFor / 5)))
		p.Moves, p.ToPolling = in(40), in(30)
	}
	return p
}

func (m Mix) errand(draw int) Errand {
	buyers := []Errand{Buy, Buy, Buy, Buy, Buy, Buy, BuyTwice, BuySlow}
	switch {
	case draw < m.Browsers:
		return Browse
	case draw < m.Browsers+m.Droppers:
		return Drop
	case draw < m.Browsers+m.Droppers+m.Givers:
		return Give
	case draw < m.Browsers+m.Droppers+m.Givers+m.Strollers:
		return Stroll
	}
	return buyers[draw%len(buyers)]
}

// What is dealt, a deck each.
const (
	toPoll = iota
	toMiss
	toDo
	toLeave
	toReconnect
	toNap
	toEnter
)

// hand is what fan number n of a run is dealt. Of each hundred fans every one
// gets another card of each deck, from 0 to 99: so shares are exact, and a run
// of a hundred meets everything that its mix has one percent of.
type hand struct {
	seed uint64
	n    int
}

func (h hand) card(deck uint64) int {
	shuffled := rand.New(rand.NewPCG(h.seed^(deck+1)<<32, uint64(h.n/100))).Perm(100)
	return shuffled[h.n%100]
}
