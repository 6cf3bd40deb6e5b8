package queue

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// timed is a drawn line on a clock that the test moves.
type timed struct {
	*testing.T
	*Store
	sale ropeline.Sale
	now  time.Time
}

func openTimed(t *testing.T, limits int64) *timed {
	t.Helper()
	// Far from today, so that living gates of other tests are not waited for.
	k := &timed{T: t, now: time.Date(2041, 1, 1, 0, 0, 0, 0, time.UTC)}
	k.sale = testSale(fmt.Sprintf("party-%d", time.Now().UnixNano()), k.now.Add(-time.Minute))
	k.sale.Cap, k.sale.PartyMax = limits, 4
	k.Store = New(devtest.Redis(t), testKeys).WithClock(func() time.Time { return k.now })
	t.Cleanup(k.Close)
	if err := errors.Join(k.PublishSale(t.Context(), k.sale), k.Draw(t.Context(), k.sale.ID)); err != nil {
		t.Fatal(err)
	}
	k.tick() // the bucket starts empty
	return k
}

func (k *timed) tick() Ticked {
	k.Helper()
	k.now = k.now.Add(TickInterval)
	return tick(k.T, k.Store, k.sale.ID)
}

// party joins as one place of that many people.
func (k *timed) party(size int) Place {
	k.Helper()
	p := join(k.T, k.Store, k.sale.ID)
	for n := range size {
		if _, err := k.JoinParty(k.Context(), k.sale.ID, member(p.ID, n), k.sale.PartyMax); err != nil {
			k.Fatal(err)
		}
	}
	return p
}

// member is the ticket of the nth member.
func member(id ropeline.PlaceID, n int) Ticket {
	t := Ticket{Place: id}
	if n > 0 {
		t.Member = fmt.Sprintf("member%d", n)
	}
	return t
}

func (k *timed) claim(t Ticket) Session {
	k.Helper()
	session, err := k.ClaimAs(k.Context(), k.sale.ID, t)
	if err != nil {
		k.Fatal(err)
	}
	return session
}

func (k *timed) is(p Place, want ropeline.PlaceState) Place {
	k.Helper()
	got, err := k.Find(k.Context(), k.sale.ID, p.ID)
	if err != nil || got.State != want {
		k.Fatalf("the place is %s, %v; want %s", got.State, err, want)
	}
	return got
}

func TestAPartyIsOneTurnAndOneSessionForAll(t *testing.T) {
	t.Parallel()
	k := openTimed(t, 3)
	p := k.party(3)
	if s := k.tick(); s.Offered != 3 || s.LastOffer != 1 {
		t.Fatalf("after the offer %+v, want 3 slots and one offer", s.State)
	}
	session := k.claim(member(p.ID, 2))
	for n := range 3 {
		if other := k.claim(member(p.ID, n)); other != session {
			t.Errorf("member %d got %+v, want %+v", n, other, session)
		}
	}
	_, err := k.ClaimAs(t.Context(), k.sale.ID, member(p.ID, 3))
	wantErr(t, err, ErrParted)
	// Renewed by one, all slots are counted on.
	for range 3 {
		k.now = k.now.Add(4 * time.Second)
		if _, err := k.RenewAs(t.Context(), k.sale.ID, member(p.ID, 1)); err != nil {
			t.Fatal(err)
		}
		if s := k.tick(); s.Active != 3 {
			t.Fatalf("%d slots are counted, want 3", s.Active)
		}
	}
}

func TestAMemberLeavesAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	k := openTimed(t, 4)
	p := k.party(4)
	leave := func(n int, given, acknowledged bool) {
		t.Helper()
		g, a, err := k.LeaveAs(t.Context(), k.sale.ID, member(p.ID, n))
		if err != nil || g != given || a != acknowledged {
			t.Fatalf("leaving: given %v, acknowledged %v, %v; want %v, %v", g, a, err, given, acknowledged)
		}
	}
	leave(0, false, true) // who took the place, while waiting
	k.tick()
	k.is(p, ropeline.PlaceOffered)
	leave(3, false, true) // an offered slot is free at once
	if s := k.tick(); s.Offered != 2 {
		t.Fatalf("%d offered, want 2", s.Offered)
	}
	last := k.claim(member(p.ID, 1)).ExpiresAt
	leave(2, false, false) // may have a token until last
	leave(2, false, false)
	k.now = last.Add(-2 * time.Second)
	if _, err := k.RenewAs(t.Context(), k.sale.ID, member(p.ID, 1)); err != nil {
		t.Fatal(err)
	}
	_, err := k.RenewAs(t.Context(), k.sale.ID, member(p.ID, 2))
	wantErr(t, err, ErrParted)
	if k.now = last.Add(2 * time.Second); k.tick().Active != 2 {
		t.Fatal("the slot of the leaver was given away while a token of it may be accepted")
	}
	if k.now = last.Add(ropeline.TokenMargin); k.tick().Active != 1 {
		t.Fatal("the slot of the leaver is still counted")
	}
	leave(1, true, true)
	k.is(p, ropeline.PlaceDone)
	if s := k.tick(); s.Active != 0 {
		t.Fatalf("%d active after the last left", s.Active)
	}
	_, err = k.JoinParty(t.Context(), k.sale.ID, member(p.ID, 5), 4)
	wantErr(t, err, ErrPartyOffered)
}

// The line waits 10 s for a party that does not fit; then the next go first, and
// for each of them a slot is saved.
func TestAPartyHoldsTheLineForTenSecondsAndIsNotStarved(t *testing.T) {
	t.Parallel()
	k := openTimed(t, 4)
	inside := []Place{k.party(1), k.party(1)}
	k.tick()
	for _, p := range inside {
		k.claim(member(p.ID, 0))
	}
	k.sale.ClaimWindow = 3600
	three := k.party(3)
	var singles []Place
	for range 6 {
		singles = append(singles, k.party(1))
	}
	renew := func() {
		for _, p := range inside {
			if _, err := k.RenewAs(t.Context(), k.sale.ID, member(p.ID, 0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	since := k.now
	for k.tick(); k.now.Sub(since) < 10*time.Second; k.tick() {
		renew()
		if s := k.is(singles[0], ropeline.PlaceWaiting); s.Ordinal != 3 {
			t.Fatalf("a single went before the party after %v", k.now.Sub(since))
		}
	}
	k.tick() // it has stepped aside
	if p := k.is(three, ropeline.PlaceWaiting); !p.Back {
		t.Fatalf("the party is not before everybody: %+v", p)
	}
	k.is(singles[0], ropeline.PlaceOffered)
	k.is(singles[1], ropeline.PlaceOffered) // the two free slots, before anything was saved
	k.is(singles[2], ropeline.PlaceWaiting)
	// From here on one leaves at a time, twice the size of the party less one.
	next := 2
	for _, p := range append(inside, singles[:3]...) {
		if _, err := k.Leave(t.Context(), k.sale.ID, p.ID); err != nil {
			t.Fatal(err)
		}
		k.tick()
		if now, _ := k.Find(t.Context(), k.sale.ID, three.ID); now.State == ropeline.PlaceOffered {
			break
		}
		if now, _ := k.Find(t.Context(), k.sale.ID, singles[next].ID); now.State == ropeline.PlaceOffered {
			next++
		}
	}
	k.is(three, ropeline.PlaceOffered)
	if next == 2 {
		t.Error("nobody went before the party while it stood aside")
	}
}

func TestAPartyThatIsTooLargeStopsNobody(t *testing.T) {
	t.Parallel()
	k := openTimed(t, 4)
	p, single := k.party(4), k.party(1)
	steer(t, k.Store, k.sale.ID, Settings{Cap: new(int64(3))})
	k.tick()
	k.is(single, ropeline.PlaceOffered)
	if _, _, err := k.LeaveAs(t.Context(), k.sale.ID, member(p.ID, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Leave(t.Context(), k.sale.ID, single.ID); err != nil {
		t.Fatal(err)
	}
	k.tick()
	k.is(p, ropeline.PlaceOffered)
}

func TestWhoMayJoinAParty(t *testing.T) {
	t.Parallel()
	k := openTimed(t, 3)
	alone := join(t, k.Store, k.sale.ID)
	ctx, id := t.Context(), k.sale.ID
	try := func(want error, ticket Ticket, most int) {
		t.Helper()
		_, err := k.JoinParty(ctx, id, ticket, most)
		wantErr(t, err, want)
	}
	try(ErrPartyOver, member(alone.ID, 1), 4) // nobody opened it
	p := k.party(2)
	try(ErrPartyFull, member(p.ID, 3), 2)
	try(nil, member(p.ID, 1), 2) // is one
	three := k.party(3)
	try(ErrPartyLarge, member(three.ID, 4), 4)
	for n := range 2 {
		if _, _, err := k.LeaveAs(ctx, id, member(p.ID, n)); err != nil {
			t.Fatal(err)
		}
	}
	try(ErrPartyOver, member(p.ID, 5), 4) // all have left
	try(ErrPartyOver, member(p.ID, 0), 4)
	k.tick()
	k.is(alone, ropeline.PlaceOffered)
	try(ErrPartyOffered, member(alone.ID, 0), 4)
	for range 30 { // nobody claims: missed once, not once a member
		k.tick()
	}
	k.is(three, ropeline.PlaceOffered)
	for range 30 {
		k.tick()
	}
	if s := k.tick(); s.Missed != 2 || s.Offered != 0 {
		t.Errorf("%d missed and %d offered, want 2 and 0", s.Missed, s.Offered)
	}
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
}

func TestAnInviteIsOfItsSaleAndPlaceOnly(t *testing.T) {
	t.Parallel()
	s := New(nil, testKeys)
	code := s.Invite("a", "place-1")
	if id, err := s.ReadInvite("a", code); err != nil || id != "place-1" {
		t.Fatalf("%q, %v", id, err)
	}
	mac := code[strings.IndexByte(code, '.'):]
	for _, bad := range []string{"", ".", code[:len(code)-1], code + "A", "place-2" + mac, "place-1", code + "\n", s.Invite("b", "place-1")} {
		if _, err := s.ReadInvite("a", bad); !errors.Is(err, ErrInviteInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzInviteIsUnforgeable(f *testing.F) {
	s := New(nil, testKeys)
	f.Add(s.Invite("sale", "place"))
	f.Add("place.AAAA")
	f.Fuzz(func(t *testing.T, code string) {
		if id, err := s.ReadInvite("sale", code); err == nil && s.Invite("sale", id) != code {
			t.Errorf("%q was taken for an invitation to %q", code, id)
		}
	})
}

// What a loss forgot of parties that were offered or inside is put back with all
// their slots, each in the place of a ghost.
func TestALossForgetsNoSlotOfAParty(t *testing.T) {
	t.Parallel()
	k := openTimed(t, 6)
	ctx, id := t.Context(), k.sale.ID
	inside, offered := k.party(3), k.party(3)
	k.tick()
	k.claim(member(inside.ID, 0))
	turns := []Place{k.is(inside, ropeline.PlaceActive), k.is(offered, ropeline.PlaceOffered)}
	known, err := k.State(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	charter, err := k.charter(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	names, err := k.rdb.Keys(ctx, "ropeline:{"+string(id)+"[.}]*").Result()
	if err := errors.Join(err, k.rdb.Del(ctx, names...).Err(), k.restore(ctx, id, charter, known)); err != nil {
		t.Fatal(err)
	}
	before, err := k.State(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // two edges remember them
		if err := k.Reinstate(ctx, id, turns); err != nil {
			t.Fatal(err)
		}
		if s, err := k.State(ctx, id); err != nil || s.Active != 3 || s.Offered != 3 || s.Ghosts != before.Ghosts-6 || s.Brought != 4 {
			t.Errorf("put back: %d inside, %d offered, %d ghosts of %d, %d brought, %v; want 3 and 3 for 6 ghosts, and 4",
				s.Active, s.Offered, s.Ghosts, before.Ghosts, s.Brought, err)
		}
	}
}

// A loss forgot who shares a place, and the first that is heard of the party is
// that one leaves: the others are counted then.
func TestALeaveTellsOfAPartyThatWasForgotten(t *testing.T) {
	t.Parallel()
	k := openTimed(t, 6)
	ctx, id := t.Context(), k.sale.ID
	place := k.party(4)
	brought := func(want int64) {
		t.Helper()
		if s, err := k.State(ctx, id); err != nil || s.Brought != want {
			t.Fatalf("%d are brought, %v; want %d", s.Brought, err, want)
		}
	}
	brought(3)
	if err := errors.Join(k.rdb.Del(ctx, key(id, "parties")).Err(), k.rdb.HDel(ctx, key(id, "state"), "brought").Err()); err != nil {
		t.Fatal(err)
	}
	brought(0)
	gone := member(place.ID, 1)
	gone.Party = "0 member1 member2 member3"
	for range 2 { // the answer was lost
		if given, _, err := k.LeaveAs(ctx, id, gone); err != nil || given {
			t.Fatalf("a member leaves: the place is given up %v, %v", given, err)
		}
		brought(2)
	}
}
