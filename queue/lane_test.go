package queue

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func lane(name string, share int) ropeline.Lane {
	return ropeline.Lane{Name: name, Title: "Lane " + name, Share: share, Entry: []ropeline.LaneEntry{ropeline.EntryCode}}
}

// A laned sale is open, and its fans stand in their lanes as many as wanted.
type laned struct {
	*Store
	sale ropeline.Sale
	now  time.Time
}

func openLaned(t *testing.T, lanes []ropeline.Lane, change func(*ropeline.Sale)) *laned {
	t.Helper()
	l := &laned{now: time.Date(2049, 1, 1, 0, 0, 0, 0, time.UTC)}
	l.Store = New(devtest.Redis(t), testKeys).WithClock(func() time.Time { return l.now })
	t.Cleanup(l.Close)
	l.sale = testSale(fmt.Sprintf("laned-%d", time.Now().UnixNano()), l.now.Add(-time.Minute))
	l.sale.Lanes, l.sale.Cap, l.sale.Rate = lanes, 1000, 60_000
	if change != nil {
		change(&l.sale)
	}
	err := l.PublishSale(t.Context(), l.sale)
	if err == nil && !l.now.Before(l.sale.LobbyClosesAt) {
		err = l.Draw(t.Context(), l.sale.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// joins lets so many people join a lane, one after the other.
func (l *laned) joins(t *testing.T, lane string, n int) (places []Place) {
	t.Helper()
	for range n {
		id, err := NewPlaceID(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		p, err := l.Join(t.Context(), l.sale.ID, id.In(lane), "")
		if err != nil || p.ID.Lane() != lane {
			t.Fatalf("joining %s: %+v, %v", lane, p, err)
		}
		places = append(places, p)
	}
	return places
}

// beat tells all lines that the edge lives and has told who is there.
func (l *laned) beat(t *testing.T) {
	t.Helper()
	state, err := l.State(t.Context(), l.sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	for i, stand := range state.stands() {
		if err := l.attend(t.Context(), lineID{l.sale.ID, i}, stand.Epoch, true, nil, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// ticks moves the line on and returns what the lanes were given by then.
func (l *laned) ticks(t *testing.T, n int) (people []int64) {
	t.Helper()
	for range n {
		l.now = l.now.Add(TickInterval)
		l.beat(t)
		ticked, err := l.Tick(t.Context(), l.sale.ID, "controller", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		people = nil
		for _, lane := range ticked.Lanes {
			people = append(people, lane.People)
		}
	}
	return people
}

// While people wait in every lane, none is ever more than a turn from its share,
// however large or small the ticks are.
func TestLanesHaveTheirShares(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		shares := rapid.SampledFrom([][]int{{70, 30}, {50, 30, 20}, {97, 1, 2}, {40, 7, 13, 40}}).Draw(t, "shares")
		leads, given := make([]int64, len(shares)), make([]int64, len(shares))
		sale := ropeline.Sale{}
		for i, s := range shares[1:] {
			sale.Lanes = append(sale.Lanes, lane(fmt.Sprint("l", i), s))
		}
		words := strings.Fields(sharesText(sale))
		for i, s := range shares {
			if words[3*i+1] != fmt.Sprint(s) {
				t.Fatalf("shares %v are told as %v", shares, words)
			}
		}
		common := int64(0)
		for i, s := range shares {
			var cost int64
			if _, err := fmt.Sscan(words[3*i+2], &cost); err != nil {
				t.Fatal(err)
			}
			if common == 0 {
				common = cost * int64(s)
			}
			if cost*int64(s) != common {
				t.Fatalf("the costs of %v are not in proportion: %v", shares, words)
			}
		}
		// The rule of offer.lua, which the model test holds the script to.
		for n := range int64(rapid.IntRange(1, 400).Draw(t, "turns")) {
			k := slices.Index(leads, slices.Min(leads))
			least := leads[k]
			for i := range leads {
				leads[i] = max(0, leads[i]-least)
			}
			leads[k] += common / int64(shares[k])
			given[k]++
			for i, s := range shares {
				if want := float64(n+1) * float64(s) / 100; math.Abs(float64(given[i])-want) > 1+float64(len(shares)-1)*float64(s)/100 {
					t.Fatalf("after %d turns the lanes of %v were given %v", n+1, shares, given)
				}
			}
		}
	})
}

// Turns go by share while people wait in all lanes; what one does not use goes to
// the others, and who was not there has saved up nothing.
func TestALaneGivesAwayWhatItDoesNotUse(t *testing.T) {
	t.Parallel()
	l := openLaned(t, []ropeline.Lane{lane("members", 30)}, func(s *ropeline.Sale) { s.Rate = 3000 }) // 10 a tick
	general := l.joins(t, ropeline.MainLane, 100)
	if got := l.ticks(t, 3); got[0] < 20 || got[1] != 0 {
		t.Fatalf("with nobody in the other lane %v were given", got)
	}
	members := l.joins(t, "members", 40)
	state, err := l.State(t.Context(), l.sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	before := []int64{state.Lanes[0].People, state.Lanes[1].People}
	after := l.ticks(t, 5)
	main, side := after[0]-before[0], after[1]-before[1]
	if total := main + side; total < 45 || math.Abs(float64(side)-0.3*float64(total)) > 1.4 {
		t.Errorf("%d and %d were given, want 70 and 30 in 100", main, side)
	}
	// In each lane they go as they came.
	v := view(t, l.Store, l.sale.ID)
	for _, places := range [][]Place{general, members} {
		last, waiting := int64(0), int64(0)
		for i, p := range places {
			p, err := l.Find(t.Context(), l.sale.ID, p.ID)
			switch {
			case err != nil:
				t.Fatal(err)
			case p.Offer != nil && (p.Offer.Number <= last || waiting > 0):
				t.Fatalf("place %d of its lane has offer %d after %d, with %d before it who wait", i, p.Offer.Number, last, waiting)
			case p.Offer != nil:
				last = p.Offer.Number
			case v.Position(p) != waiting:
				t.Fatalf("place %d of its lane is shown %d ahead, want %d", i, v.Position(p), waiting)
			default:
				waiting++
			}
		}
	}
}

// An estimate counts the turns of the other lanes, as long as somebody waits there.
func TestAnEstimateKnowsTheOtherLanes(t *testing.T) {
	t.Parallel()
	s := State{Lanes: []LaneState{{Name: MainLane, Share: 70}, {Name: "members", Share: 30}}, Lines: []Stand{{Size: 700, Drawn: true}, {Size: 60, Drawn: true}}}
	s.setStands(s.Lines)
	p := Pace{Waiting: s.waitingByLane(byLane[bool]{}), Shares: s.shares()}
	for _, c := range []struct {
		lane        int
		ahead, want float64
	}{
		{0, 69.5, 69.5 + 30}, // 30 of the others go meanwhile
		{0, 600, 600 + 60},   // and never more than there are
		{1, 29.5, 29.5 + 70},
	} {
		if got := p.turns(c.lane, c.ahead); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("with %v ahead in lane %d, %v turns; want %v", c.ahead, c.lane, got, c.want)
		}
	}
	p.Waiting = s.waitingByLane(byLane[bool]{true, false})
	if got := p.turns(1, 30); got != 30 {
		t.Errorf("beside a lane where nobody is, %v turns for 30 places", got)
	}
}

// A visitor has one place, whichever lane it is in.
func TestAVisitorHasOnePlaceInAllLanes(t *testing.T) {
	t.Parallel()
	l := openLaned(t, []ropeline.Lane{lane("members", 30)}, func(s *ropeline.Sale) { s.Shards = 2 })
	ctx, who := t.Context(), l.VisitorOf(l.sale.ID, ropeline.VisitorBrowser, "ada")
	in := func(attempt, lane string) ropeline.PlaceID {
		return l.PlaceOf(l.sale.ID, who, attempt, l.sale.Shards).In(lane)
	}
	first, err := l.Join(ctx, l.sale.ID, in("one", "members"), who)
	if err != nil || !first.New {
		t.Fatalf("joining: %+v, %v", first, err)
	}
	for _, again := range []ropeline.PlaceID{in("one", "members"), in("two", "members"), in("two", ropeline.MainLane)} {
		if p, err := l.Join(ctx, l.sale.ID, again, who); err != nil || p.New || p.ID != first.ID {
			t.Errorf("joining again as %s: %+v, %v", again, p, err)
		}
	}
	if _, err := l.Leave(ctx, l.sale.ID, first.ID); err != nil {
		t.Fatal(err)
	}
	if p, err := l.Join(ctx, l.sale.ID, in("three", ropeline.MainLane), who); err != nil || !p.New {
		t.Errorf("joining after leaving: %+v, %v", p, err)
	}
}

// Shares that are steered hold from the next tick on, are told to fans and public,
// and outlive a new version of the settings.
func TestSharesAreSteered(t *testing.T) {
	t.Parallel()
	l := openLaned(t, []ropeline.Lane{lane("members", 33), lane("a", 37)}, func(s *ropeline.Sale) { s.Rate = 3000 }) // 10 a tick
	ctx := t.Context()
	for _, name := range l.sale.LaneNames() {
		l.joins(t, name, 60)
	}
	before := l.ticks(t, 6)
	if got := view(t, l.Store, l.sale.ID).Gauge; got.Longer != "" {
		t.Errorf("waits rose by themselves: %s", got.Longer)
	}
	to := Settings{Shares: map[string]int64{"members": 50, "a": 10}}
	done, err := l.Steer(ctx, l.sale.ID, Change{Set: to, Expect: Settings{Shares: map[string]int64{"a": 37, "members": 33}}, By: "sre", Reason: "r"})
	if err != nil || done.Was.Shares["members"] != 33 || done.Now.Shares["members"] != 50 {
		t.Fatalf("steering: %+v, %v", done, err)
	}
	after := l.ticks(t, 4)
	var given [3]int64
	total := int64(0)
	for i := range given {
		given[i] = after[i] - before[i]
		total += given[i]
	}
	for i, share := range []int64{40, 50, 10} {
		if total < 35 || math.Abs(float64(given[i])-float64(total*share)/100) > 1.6 {
			t.Errorf("of %d turns %v were given, want 40, 50 and 10 of 100", total, given)
		}
	}
	v := view(t, l.Store, l.sale.ID)
	if w, ok := v.Wait(2, 20); !ok || w.Longer != LongerLimits {
		t.Errorf("in the lane that has less now the wait is %+v, %v", w, ok)
	}
	_, data := publicEvents(t, l.rdb, l.sale.ID)
	for _, want := range []string{`"set":{"shares":{`, `"members":50`, `"was":{"shares":{`, `"members":33`} {
		if !strings.Contains(data["limits"], want) {
			t.Errorf("the public is told %s, without %s", data["limits"], want)
		}
	}
	for _, wrong := range []map[string]int64{{"members": 5}, {"members": 5, "b": 5}, {"members": 5, "a": 5, "b": 5}, {"main": 5, "a": 5}} {
		_, err := l.Steer(ctx, l.sale.ID, Change{Set: Settings{Shares: wrong}})
		if told, ok := errors.AsType[*ropeline.Error](err); !ok || told.Code != "setting-invalid" || !strings.Contains(told.Detail, "a, members") {
			t.Errorf("shares %v: %v", wrong, err)
		}
	}
	if got, err := l.Steer(ctx, l.sale.ID, Change{Set: to, Expect: Settings{Shares: map[string]int64{"a": 37, "members": 33}}}); !errors.Is(err, ErrLimitsChanged) || got.Now.Shares["a"] != 10 {
		t.Errorf("expecting old shares: %+v, %v", got.Now, err)
	}
	l.sale.Version++
	l.sale.Lanes = []ropeline.Lane{lane("members", 20), lane("a", 20)}
	if err := l.PublishSale(ctx, l.sale); err != nil {
		t.Fatal(err)
	}
	if s, err := l.State(ctx, l.sale.ID); err != nil || s.Shares != `{"a":10,"members":50}` || s.Lanes[0].Share != 40 {
		t.Errorf("after a new version the shares are %s, %v", s.Shares, err)
	}
}

// What a turn costs changes with the shares: nobody pays in the old money for long.
func TestNewSharesOfADocumentHoldAtOnce(t *testing.T) {
	t.Parallel()
	l := openLaned(t, []ropeline.Lane{lane("members", 33), lane("a", 37)}, func(s *ropeline.Sale) { s.Rate = 3000 })
	for _, name := range l.sale.LaneNames() {
		l.joins(t, name, 40)
	}
	before := l.ticks(t, 3)
	l.sale.Version++
	l.sale.Lanes = []ropeline.Lane{lane("members", 25), lane("a", 25)}
	if err := l.PublishSale(t.Context(), l.sale); err != nil {
		t.Fatal(err)
	}
	after := l.ticks(t, 4)
	main, members, a := after[0]-before[0], after[1]-before[1], after[2]-before[2]
	if total := main + members + a; total < 35 || math.Abs(float64(main)-float64(total)/2) > 2 || max(members-a, a-members) > 1 {
		t.Errorf("%d, %d and %d were given, want 50, 25 and 25 of 100", main, members, a)
	}
}

// A party uses as many turns of its lane's share as it has members.
func TestAPartyUsesItsLanesShareByItsSize(t *testing.T) {
	t.Parallel()
	l := openLaned(t, []ropeline.Lane{lane("members", 50)}, func(s *ropeline.Sale) { s.Rate, s.PartyMax = 3000, 6 }) // 10 a tick
	ctx := t.Context()
	for _, p := range l.joins(t, "members", 5) {
		if _, err := l.OpenParty(ctx, l.sale.ID, p.ID); err != nil {
			t.Fatal(err)
		}
		for n := range 5 {
			if _, err := l.JoinParty(ctx, l.sale.ID, Ticket{Place: p.ID, Member: fmt.Sprint("friend-", n)}, 6); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.joins(t, ropeline.MainLane, 60)
	for range 8 {
		people := l.ticks(t, 1)
		if behind := people[0] - people[1]; people[1] < 30 && (people[1]%6 != 0 || behind < -6 || behind > 6) {
			t.Fatalf("%v people were given to lanes with the same share, one of parties of six", people)
		}
	}
	if people := l.ticks(t, 1); people[1] != 30 {
		t.Errorf("%v people were given, want all 30 of the parties", people)
	}
}

// Who comes by a rule is counted by rule, in all and toward the cap; the public is told.
func TestWhoComesByARuleIsCountedAndTold(t *testing.T) {
	t.Parallel()
	l := openLaned(t, []ropeline.Lane{lane("members", 30)}, func(s *ropeline.Sale) { s.Cap = 4 })
	ctx, rules := t.Context(), []ropeline.Bypass{{Name: "staff", Share: 2}, {Name: "press", Share: 2}}
	for n, rule := range []ropeline.Bypass{rules[0], rules[0], rules[1], rules[0]} {
		id := ropeline.PlaceID(fmt.Sprint("colleague-", n))
		for again := range 2 {
			if did, err := l.Bypass(ctx, l.sale.ID, id, rule); err != nil || did.New != (again == 0) || did.All != int64(n+1) || did.Total != int64(n+1) {
				t.Fatalf("colleague %d by %s: %+v, %v", n, rule.Name, did, err)
			}
		}
	}
	if _, err := l.Bypass(ctx, l.sale.ID, "one-too-many", rules[1]); !errors.Is(err, ErrBypassFull) {
		t.Errorf("above the cap: %v", err)
	}
	s, err := l.State(ctx, l.sale.ID)
	if err != nil || s.BypassedBy("staff") != 3 || s.BypassedBy("press") != 1 || s.Offered != 4 || !s.Proof.Holds() {
		t.Errorf("the state has %+v and %d offered, %v", s.Bypassed, s.Offered, err)
	}
	// What comes within a minute is told with the next word.
	kinds, data := publicEvents(t, l.rdb, l.sale.ID)
	if !slices.Contains(kinds, "bypass") || !strings.Contains(data["bypass"], `"staff":1`) {
		t.Errorf("the public is told %v: %s", kinds, data["bypass"])
	}
}

// Who comes by a rule before the line is drawn, is failed by the shop and comes in again waits
// where the draw has made no order yet. Leaving was answered as for a place that nobody
// knows, and the turn came all the same.
func TestWhoComesInAgainBeforeTheDrawCanLeave(t *testing.T) {
	t.Parallel()
	l := openLaned(t, nil, func(s *ropeline.Sale) {
		s.LobbyClosesAt = s.OpensAt.Add(time.Minute)
		s.OpensAt, s.EndsAt = s.OpensAt.Add(time.Hour), s.EndsAt.Add(2*time.Hour)
	})
	ctx, id := t.Context(), ropeline.PlaceID("colleague")
	l.now = l.sale.OpensAt.Add(time.Second) // and nobody has drawn
	if _, err := l.Bypass(ctx, l.sale.ID, id, ropeline.Bypass{Name: "staff", Share: 2}); err != nil {
		t.Fatal(err)
	}
	session, err := l.Claim(ctx, l.sale.ID, id)
	if err == nil {
		err = l.Grant(ctx, l.sale.ID, session.ID, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	l.now = l.now.Add(time.Hour) // the session is over
	if stands, err := l.Reenter(ctx, l.sale.ID, Ticket{Place: id}); !stands || err != nil {
		t.Fatalf("coming in again: %v, %v", stands, err)
	}
	if _, err := l.Leave(ctx, l.sale.ID, id); err != nil {
		t.Errorf("leaving: %v", err)
	}
	if _, err := l.Leave(ctx, l.sale.ID, id); err != nil {
		t.Errorf("leaving again: %v", err)
	}
	if err := l.Draw(ctx, l.sale.ID); err != nil {
		t.Fatal(err)
	}
	l.ticks(t, 3)
	if p, err := l.Find(ctx, l.sale.ID, id); err != nil || p.State != ropeline.PlaceLeft {
		t.Errorf("after the draw it is %+v, %v", p, err)
	}
}

// Beyond its first few a rule has its share of all people, to a person.
func TestARuleHasItsShare(t *testing.T) {
	t.Parallel()
	l := openLaned(t, []ropeline.Lane{lane("members", 30)}, func(s *ropeline.Sale) { s.Cap = 40 })
	comes := 0
	by := func(rule string, share int) error {
		comes++
		_, err := l.Bypass(t.Context(), l.sale.ID, ropeline.PlaceID(fmt.Sprint("colleague-", comes)), ropeline.Bypass{Name: rule, Share: share})
		return err
	}
	for range bypassFirst {
		if err := errors.Join(by("staff", 2), by("press", 50)); err != nil {
			t.Fatal(err)
		}
	}
	if err := by("press", 50); !errors.Is(err, ErrBypassShare) {
		t.Errorf("the sixth of eleven, with a share of 50: %v", err)
	}
	if err := errors.Join(by("crew", 2), by("press", 50)); err != nil {
		t.Errorf("the sixth of twelve: %v", err)
	}
}

func TestWhichLanesASaleHasIsFixed(t *testing.T) {
	t.Parallel()
	l := openLaned(t, []ropeline.Lane{lane("members", 30)}, nil)
	for _, c := range []struct {
		lanes []ropeline.Lane
		want  error
	}{
		{[]ropeline.Lane{lane("members", 30), lane("staff", 5)}, ErrLanesFixed},
		{[]ropeline.Lane{lane("staff", 30)}, ErrLanesFixed},
		{nil, ErrShardsFixed},
		{[]ropeline.Lane{lane("members", 60)}, nil},
	} {
		l.sale.Lanes = c.lanes
		l.sale.Version++
		if err := l.PublishSale(t.Context(), l.sale); !errors.Is(err, c.want) {
			t.Errorf("publishing with %+v: %v, want %v", c.lanes, err, c.want)
		}
	}
	if s, err := l.State(t.Context(), l.sale.ID); err != nil || s.Lanes[1].Share != 60 || s.Lanes[0].Share != 40 {
		t.Errorf("the shares are %+v, %v", s.Lanes, err)
	}
}
