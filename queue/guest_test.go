package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
)

// cuts carries scripts out that use a certain key only while it is whole.
type cuts struct {
	redis.UniversalClient
	key   string
	whole bool
}

func (c *cuts) FCall(ctx context.Context, name string, keys []string, args ...any) *redis.Cmd {
	if c.whole || !slices.ContainsFunc(keys, func(k string) bool { return strings.HasSuffix(k, c.key) }) {
		return c.UniversalClient.FCall(ctx, name, keys, args...)
	}
	cmd := redis.NewCmd(ctx)
	cmd.SetErr(io.ErrUnexpectedEOF)
	return cmd
}

// A connection that broke while a place was looked for once made the fan's page
// say that the place had been given up.
func TestABrokenConnectionIsNoDeparture(t *testing.T) {
	t.Parallel()
	_, sale, rdb := open(t, nil)
	client := &cuts{UniversalClient: rdb, key: ":returned"}
	shaky := New(client, testKeys)
	t.Cleanup(shaky.Close)
	line := NewLine(shaky, sale.ID, slog.New(slog.DiscardHandler))
	if err := line.snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	lost := Place{ID: "lost", State: ropeline.PlaceWaiting, Epoch: "before", Score: "4503599627370999"}
	link := line.Attend(Ticket{Place: lost.ID, Score: lost.Score, Epoch: lost.Epoch}, lost, false, func(ropeline.PlaceState) {})
	line.guests.suspect(lost.ID)
	if err := line.look(t.Context()); !errors.Is(err, ropeline.ErrStoreAway) || link.Place().State != ropeline.PlaceWaiting {
		t.Fatalf("a look through a broken connection: %v, the place is %s", err, link.Place().State)
	}
	client.whole = true
	if err := line.look(t.Context()); err != nil || link.Place().State != ropeline.PlaceLeft {
		t.Errorf("a place of a line that lost nothing: %v, %s; want left", err, link.Place().State)
	}
}

// An offer that was made while its fan left, and is taken back, or that is heard of
// when its fan is in already, once made the edge say "offered" for a while.
func TestLateNewsOfAnOfferChangesNothing(t *testing.T) {
	t.Parallel()
	store, sale, _ := open(t, nil)
	line := NewLine(store, sale.ID, slog.New(slog.DiscardHandler))
	if err := line.snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	soon := time.Now().Add(time.Minute)
	p, err := store.Join(t.Context(), sale.ID, "gone", "")
	if err != nil {
		t.Fatal(err)
	}
	links := map[ropeline.PlaceState]*Link{}
	for _, state := range []ropeline.PlaceState{ropeline.PlaceWaiting, ropeline.PlacePassed, ropeline.PlaceExpired, ropeline.PlaceActive, ropeline.PlaceDone} {
		id := ropeline.PlaceID(state)
		links[state] = line.Attend(Ticket{Place: id}, Place{ID: id, State: state}, false, func(ropeline.PlaceState) {})
	}
	gone := line.Attend(Ticket{Place: p.ID, Score: p.Score, Epoch: p.Epoch}, p, false, func(ropeline.PlaceState) {})
	if _, err := store.Leave(t.Context(), sale.ID, p.ID); err != nil {
		t.Fatal(err)
	}
	line.Changed(p.ID)
	if err := line.look(t.Context()); err != nil || gone.Place().State != ropeline.PlaceLeft {
		t.Fatalf("the place is %s, %v", gone.Place().State, err)
	}
	for state := range links {
		line.guests.offer(ropeline.PlaceID(state), Offer{Number: 1, ClaimBy: soon})
	}
	line.guests.offer(p.ID, Offer{Number: 2, ClaimBy: soon})
	for state, link := range links {
		want := state
		if state == ropeline.PlaceWaiting || state == ropeline.PlacePassed || state == ropeline.PlaceExpired {
			want = ropeline.PlaceOffered
		}
		if got := link.Place().State; got != want {
			t.Errorf("%s became %s, want %s", state, got, want)
		}
	}
	if known, ok := line.Known(p.ID); ok {
		t.Errorf("%s is told from memory", known.State)
	}
	if err := line.look(t.Context()); err != nil || gone.Place().State != ropeline.PlaceLeft {
		t.Errorf("the place is %s, %v", gone.Place().State, err)
	}
}

func TestAnEdgeTakesInSoManyPollersAndNoMore(t *testing.T) {
	t.Parallel()
	store, sale, _ := open(t, nil)
	line := NewLine(store, sale.ID, slog.New(slog.DiscardHandler))
	line.guests.most = 2
	for _, id := range []ropeline.PlaceID{"a", "b", "c"} {
		p := Place{ID: id, State: ropeline.PlaceWaiting}
		line.Visit(Ticket{Place: id}, p, false, time.Now(), time.Minute)
		if got := line.Recall(Ticket{Place: id}, false); got.ID != id {
			t.Errorf("recalled %s as %+v", id, got)
		}
	}
	if _, known := line.Known("c"); known || len(line.guests.byPlace) != 2 {
		t.Errorf("%d guests, want two", len(line.guests.byPlace))
	}
	line.Attend(Ticket{Place: "d"}, Place{ID: "d"}, false, func(ropeline.PlaceState) {}) // sockets are bounded by the edge
	if _, known := line.Known("d"); !known {
		t.Error("a socket was not taken in")
	}
}

// The look that tells of a new member may come after the friend's socket, whose
// page once said then that the place had been given up.
func TestAFriendWhoHasJustJoinedIsNotTakenForOneWhoLeft(t *testing.T) {
	t.Parallel()
	store, sale, _ := open(t, nil)
	line := NewLine(store, sale.ID, slog.New(slog.DiscardHandler))
	told := 0
	alone := Place{ID: "a", State: ropeline.PlaceWaiting, Party: "0"}
	line.Attend(Ticket{Place: "a"}, alone, false, func(ropeline.PlaceState) { told++ })
	friend := Ticket{Place: "a", Member: "f"}
	both := alone
	both.Party = "0 f"
	link := line.Attend(friend, both, false, func(ropeline.PlaceState) {})
	if p := link.Place(); p.Party.Seat(friend) != 2 || told != 1 {
		t.Errorf("the friend's socket is told %+v, and the other one was told %d times", p, told)
	}
	// What the first one finds may be older than what is known.
	line.Visit(Ticket{Place: "a"}, alone, false, time.Now(), time.Minute)
	if p := link.Place(); p.Party.Seat(friend) != 2 {
		t.Errorf("after an older answer the friend's socket is told %+v", p)
	}
}

// The script that joins a place tells that it is here: it is not told a second
// time, but it is told that it went.
func TestWhoJoinsIsToldOnce(t *testing.T) {
	t.Parallel()
	store, sale, rdb := open(t, nil)
	line := NewLine(store, sale.ID, slog.New(slog.DiscardHandler))
	id, err := NewPlaceID(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := store.Join(t.Context(), sale.ID, id, "")
	if err != nil || p.Epoch == "" {
		t.Fatalf("joining an open line: %+v, %v", p, err)
	}
	if err := line.snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	here := func() int64 {
		return rdb.GetBit(t.Context(), lineID{sale.ID, 0}.presence()+store.edge, p.Ordinal).Val()
	}
	now := time.Now()
	line.Visit(Ticket{Place: id}, p, false, now, time.Second)
	came, went, _, _, _ := line.guests.changes(line.View(), now)
	if len(came)+len(went) > 0 || here() != 1 {
		t.Errorf("whoever has just joined is told again: came %v, went %v, present %d", came, went, here())
	}
	_, went, _, _, _ = line.guests.changes(line.View(), now.Add(time.Hour))
	if len(went) != 1 || went[0] != (told{id, p.Ordinal}) {
		t.Errorf("an hour later %v went, want the place", went)
	}
}

// A look over all guests goes past those with whom nothing is to be done: each
// thing that may have to be done ends that.
func TestOnlyAGuestWhoJustWaitsIsGoneOver(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct {
		change func(*guest, *Place, *View)
		calm   bool
	}{
		"nothing":                {func(*guest, *Place, *View) {}, true},
		"it is next":             {func(_ *guest, _ *Place, v *View) { v.Cursor = 7 }, true},
		"the line has passed it": {func(_ *guest, _ *Place, v *View) { v.Cursor = 8 }, false},
		"another line is further": {func(g *guest, p *Place, v *View) {
			v.Lines = []Stand{{Cursor: 2, Epoch: "e"}, {Cursor: 8, Epoch: "e"}}
			p.Epoch, g.marked = epochOf([]string{"e", "e"}), epochOf([]string{"e", "e"})
		}, false},
		"another lane is further": {func(_ *guest, _ *Place, v *View) {
			v.Lanes, v.Lines = []LaneState{{Name: MainLane}, {Name: "members"}}, []Stand{{Cursor: 3, Epoch: "e"}, {Cursor: 8, Epoch: "f"}}
		}, true},
		"a new order":                  {func(_ *guest, _ *Place, v *View) { v.Epoch = "f" }, false},
		"no order":                     {func(g *guest, p *Place, v *View) { p.Epoch, g.marked, v.Epoch = "", "", "" }, false},
		"no ordinal":                   {func(_ *guest, p *Place, _ *View) { p.Ordinal = -1 }, false},
		"its socket has closed":        {func(g *guest, _ *Place, _ *View) { g.links = nil }, false},
		"it polls":                     {func(g *guest, _ *Place, _ *View) { g.links, g.until = nil, now.Add(time.Second) }, true},
		"it is not told to be here":    {func(g *guest, _ *Place, _ *View) { g.marked = "" }, false},
		"it was a comeback":            {func(g *guest, _ *Place, _ *View) { g.kept = "e" }, false},
		"it moved to another device":   {func(g *guest, _ *Place, _ *View) { g.moved = &moved{} }, false},
		"it stands before everybody":   {func(_ *guest, p *Place, _ *View) { p.Back = true }, false},
		"it stands beside the line":    {func(_ *guest, p *Place, _ *View) { p.Beside = true }, false},
		"it has been passed over":      {func(_ *guest, p *Place, _ *View) { p.State = ropeline.PlacePassed }, false},
		"its turn has come":            {func(_ *guest, p *Place, _ *View) { p.State = ropeline.PlaceOffered }, false},
		"it was known to be a lobby's": {func(_ *guest, p *Place, _ *View) { p.State = ropeline.PlaceCollected }, false},
	} {
		g, p, v := &guest{marked: "e", links: []*Link{{}}}, &Place{State: ropeline.PlaceWaiting, Epoch: "e", Ordinal: 7}, &View{}
		v.Epoch, v.Cursor = "e", 3
		c.change(g, p, v)
		if g.know(p); g.calm(newView(v.State, nil, nil).lanes, now) != c.calm {
			t.Errorf("%s: calm %v, want %v", name, !c.calm, c.calm)
		}
	}
}
