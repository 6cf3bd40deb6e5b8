package loadtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
)

// Profile is one kind of run: who comes when, to which sale, and what is
// promised of it.
type Profile struct {
	Name   string
	About  string
	Demo   Demo
	Lobby  int           // fans who come before the close
	Late   int           // fans who come after it
	Span   time.Duration // over which the late ones come
	Mix    Mix
	Limit  time.Duration // of the whole run, without start and audit
	Settle time.Duration // the longest to wait at the end for units to come back
	Abroad bool          // a foreign shop behind nginx is what fans come for
	Crash  bool          // kill everything in the middle, and start it again
	Calm   Calm          // who comes before and after the crowd, to a safety net
	Edges  int           // further ones, beside the stack's own
	Steps  []Step        // what happens meanwhile

	ChecksDraw bool     // everybody of the lobby does
	Quiet      Quiet    // what goes on beside
	Excuse     []string // invariants that are judged, and not promised
}

// untilAllAreBack is the longest that a unit stays with a fan who went.
const untilAllAreBack = settling + paymentGrace + noticing

// Profiles lists them. Sales are short: a token lives 6 seconds and a hold 5,
// so that expiries happen while somebody is looking. The rate is far above what
// the cap lets through, so that it is the cap that holds fans back.
func Profiles() []Profile {
	demo := Demo{
		Sale: "loadtest", Title: "Load test", LobbyClose: 2,
		ClaimWindow: 4, TokenLife: 6, SessionMax: 1800, Hold: 5, HoldExtensions: 1, UnitsPerHold: 6,
	}
	large, small := demo, demo
	large.OpensIn, large.Cap, large.Rate, large.Seats, large.General = 15, 160, 6000, 300, 100
	small.OpensIn, small.Cap, small.Rate, small.Seats, small.General = 8, 40, 2400, 90, 230 // enough for all: nobody has a turn once it is sold out
	sellOut := demo
	sellOut.OpensIn, sellOut.Cap, sellOut.Rate, sellOut.Seats, sellOut.General = 10, 24, 600, 0, 120 // a single seat is not what most look for
	eager := rough
	eager.Browsers, eager.Droppers, eager.Parties = 30, 8, 3
	fewStay := rough
	fewStay.Longest = 12 * time.Second
	crash := small
	crash.TokenLife = 15
	lobby, surge, phones, loss, wait, friends, presale := demo, demo, demo, demo, demo, demo, demo
	presale.OpensIn, presale.Cap, presale.Rate, presale.Lanes, presale.Bypass = 10, 400, 900, presaleLanes(), presaleBypass()
	lobby.OpensIn, lobby.Cap, lobby.Rate = 20, 400, 3000
	surge.OpensIn, surge.Cap, surge.Rate = 12, 400, 600
	phones.OpensIn, phones.Cap, phones.Rate = 10, 400, 180
	loss.OpensIn, loss.Cap, loss.Rate, loss.TokenLife = 12, 60, 1200, 6
	wait.OpensIn, wait.Cap, wait.Rate = 8, 400, 480
	friends.OpensIn, friends.Cap, friends.Rate = 8, 24, 2400
	slow := demo
	slow.OpensIn, slow.Cap, slow.Rate, slow.Seats, slow.General = 12, 400, automaticMost, 0, 4400
	lobby.PartyMax, surge.PartyMax, friends.PartyMax, sellOut.PartyMax = partyMost, partyMost, partyMost, partyMost
	// Little work: it is that of all fans, and this machine does nothing else well meanwhile.
	lobby.Visitor = ropeline.VisitorRule{Kind: ropeline.VisitorBrowser, Work: 4, PerNetwork: 10_000}
	crowd := sociable
	crowd.Parties = 5
	for _, d := range []*Demo{&lobby, &surge, &phones, &loss, &wait, &friends, &presale} {
		d.Seats, d.General = 60, 20
	}
	abroad := demo
	abroad.OpensIn, abroad.Cap, abroad.Rate, abroad.Seats, abroad.General, abroad.Gate = 8, 20, 2400, 60, 20, true
	net := abroad
	net.SafetyNet, net.OpensIn, net.LobbyClose, net.TokenLife, net.Cap, net.Rate = true, 0, 0, 5, 20, 420
	hot := demo
	hot.OpensIn, hot.Cap, hot.Rate, hot.Seats, hot.General = 35, 400, 3000, 60, 500
	hot.Quiet = 999
	return []Profile{
		{Name: "default", About: "2,000 fans for 400 units", Demo: large,
			Lobby: 120, Late: 1880, Span: 20 * time.Second, Mix: rough, Limit: 2 * time.Minute, Settle: untilAllAreBack, Excuse: unless()},
		{Name: "mutant", About: "200 fans for 320 units, short", Demo: small,
			Lobby: 100, Late: 100, Span: 8 * time.Second, Mix: fewStay, Limit: time.Minute, Settle: 20 * time.Second, Excuse: unless()},
		{Name: "sell-out", About: "500 fans for 120 units, until the last is sold; most buy, and some have come with friends", Demo: sellOut,
			Lobby: 400, Late: 100, Span: 10 * time.Second, Mix: eager, Limit: 100 * time.Second, Settle: untilAllAreBack,
			// Nobody who comes late has a turn.
			Excuse: append(unless(InvSoldOut, InvOdds, InvParty), InvOrder, InvLobby)},
		{Name: "crash", About: "200 fans for 320 units; everything is killed in the middle", Demo: crash,
			// Nothing is excused: Redis has handed to the kernel what it answers for. The exception is what it takes while
			// a sync of its log is under way, 1 to 30 ms of every second here: a kill just then loses that.
			Lobby: 100, Late: 100, Span: 12 * time.Second, Mix: fewStay, Limit: 2 * time.Minute, Settle: untilAllAreBack, Crash: true, Excuse: unless()},
		{Name: "lobby", About: "1,500 fans in the lobby, each does some work to join and checks the draw", Demo: lobby,
			Lobby: 1500, Late: 100, Span: 10 * time.Second, Mix: sociable, Limit: 3 * time.Minute, ChecksDraw: true,
			Excuse: append(unless(InvDraw, InvParty), shop...)},
		{Name: "surge", About: "1,500 fans, most at the opening; the rate changes twice, and a pause", Demo: surge,
			Lobby: 400, Late: 1100, Span: 15 * time.Second, Mix: sociable, Limit: 6 * time.Minute,
			Steps: []Step{{After: 40 * time.Second, Deed: Pause, For: 10 * time.Second},
				{After: 75 * time.Second, Deed: Change, Cap: 400, Rate: 360}, {After: 130 * time.Second, Deed: Change, Cap: 400, Rate: 720}},
			Excuse: append(unless(InvEstimate, InvLonger, InvParty), shop...)},
		{Name: "flaky-phones", About: "700 fans who drop off, sleep, poll, come back elsewhere; an edge dies", Demo: phones,
			Lobby: 400, Late: 300, Span: 20 * time.Second, Mix: flaky, Limit: 9 * time.Minute, Edges: 2,
			Steps: []Step{{Offered: 20, Deed: KillEdge}}, Excuse: append(unless(InvReturns, InvLonger), shop...)},
		{Name: "mutant-wait", About: "360 fans, short; the rate is halved", Demo: wait,
			Lobby: 160, Late: 200, Span: 6 * time.Second, Mix: strollers, Limit: 3 * time.Minute,
			Steps:  []Step{{After: 20 * time.Second, Deed: Change, Cap: 400, Rate: 240}},
			Excuse: append(unless(InvEstimate, InvLonger), shop...)},
		{Name: "mutant-party", About: "120 fans, half of them in parties, for 24 slots; short", Demo: friends,
			Lobby: 80, Late: 40, Span: 8 * time.Second, Mix: crowd, Limit: 2 * time.Minute,
			Excuse: append(unless(InvParty), shop...)},
		{Name: "any-shop", About: "150 fans for a foreign shop with nginx in front of it, and intruders with every trick", Demo: abroad,
			Lobby: 90, Late: 60, Span: 10 * time.Second, Mix: strollers, Limit: 2 * time.Minute, Abroad: true,
			Excuse: append(unless(InvForeign), shop...)},
		{Name: "safety-net", About: "110 fans at a safety net in front of a foreign shop: a few, then far too many, and a few again", Demo: net,
			Late: 86, Span: 4 * time.Second, Mix: passersBy, Limit: 100 * time.Second, Abroad: true, Calm: Calm{Fans: 12, For: 5 * time.Second},
			Excuse: append(unless(InvForeign, InvNetRoom, InvNetOrder, InvNetRate), append(shop, InvLobby)...)},
		{Name: "presale", About: "400 fans in three lanes: every fifth has a code, every tenth an invitation or a sign-in, some copies and forged ones; an attacker guesses, colleagues come past the line", Demo: presale,
			Lobby: 300, Late: 100, Span: 12 * time.Second, Mix: strollers, Limit: 2 * time.Minute,
			Excuse: append(unless(InvShares, InvLanes, InvCodes, InvBypass), shop...)},
		{Name: "many-sales", About: "600 fans in one of 1,000 sales that are followed at once, and a few in some of the others", Demo: hot,
			Lobby: 300, Late: 300, Span: 10 * time.Second, Mix: strollers, Limit: 100 * time.Second,
			Quiet: Quiet{Visited: 20, Fans: 3}, Excuse: append(unless(InvQuiet), shop...)},
		{Name: "slow-core", About: "1,100 fans who buy, in automatic mode; the database becomes slow, and quick again", Demo: slow,
			Lobby: 1100, Mix: buyers, Limit: 5 * time.Minute, Settle: untilAllAreBack,
			Steps:  []Step{{Deed: Steer}, {After: 14 * time.Second, Deed: Slow, For: 2 * time.Minute}},
			Excuse: append(unless(InvAutomatic), InvLobby, InvOrder, InvLeavers, InvHolds)},
		{Name: "redis-loss", About: "600 fans on three edges; Redis forgets everything, twice", Demo: loss,
			Lobby: 400, Late: 200, Span: 15 * time.Second, Mix: strollers, Limit: 5 * time.Minute, Edges: 2,
			Steps: []Step{{Offered: 15, Deed: Flush}, {Offered: 45, Deed: Lose}}, Excuse: append(unless(InvLonger), shop...)},
	}
}

// shop lists the invariants that need people who buy.
var shop = []string{InvUnits, InvConfirmed, InvAccounted, InvTickets, InvHolds, InvInventory, InvRepeats}

// unless lists the invariants that only a run made for them has facts of, but
// for some.
func unless(some ...string) []string {
	return slices.DeleteFunc([]string{InvDraw, InvEstimate, InvLonger, InvReturns, InvParty, InvShares, InvLanes, InvCodes, InvBypass, InvSoldOut, InvOdds, InvForeign, InvQuiet, InvAutomatic, InvNetRoom, InvNetOrder, InvNetRate},
		func(name string) bool { return slices.Contains(some, name) })
}

// FindProfile returns the profile of that name.
func FindProfile(name string) (Profile, error) {
	var names []string
	for _, p := range Profiles() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Profile{}, fmt.Errorf("there is no profile %q; there are: %s", name, strings.Join(names, ", "))
}

// Promised lists the invariants that must be held.
func (p Profile) Promised() []string {
	var names []string
	for _, inv := range Invariants() {
		if !slices.Contains(p.Excuse, inv.Name) {
			names = append(names, inv.Name)
		}
	}
	return names
}

// stall is how long nothing may move before a run says that the line is empty
// or stuck: longer than any offer, token or hold lives.
func (p Profile) stall(window time.Duration) time.Duration {
	longest := window + time.Duration(p.Demo.TokenLife+p.Demo.Hold)*time.Second + 3*time.Second
	if p.Crash || p.losses() > 0 { // slots that the crash may have forgotten are counted for as long as their tokens live
		longest += recovery + time.Duration(p.Demo.TokenLife)*time.Second + ropeline.TokenMargin
	}
	return longest
}

// recovery is how long a stack takes to start again and its line to settle.
const recovery = 10 * time.Second

// WithFans is the profile with another number of fans, in the same shares, and
// as many fewer quiet sales.
func (p Profile) WithFans(n int) Profile {
	p.Demo.Quiet = min(p.Demo.Quiet, n)
	p.Quiet.Visited = min(p.Quiet.Visited, p.Demo.Quiet)
	n = max(0, n-2*p.Calm.Fans)
	p.Lobby = n * p.Lobby / max(1, p.Lobby+p.Late)
	p.Late = n - p.Lobby
	return p
}

// CasualProfile is what Casual is run with: people in no hurry.
func CasualProfile() Profile {
	return Profile{Name: "casual", About: "fans for people to watch", Lobby: 250, Late: 250, Span: time.Minute, Mix: gentle}
}
