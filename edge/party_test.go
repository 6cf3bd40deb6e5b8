package edge

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

// forFriends is a sale in which up to three share a place.
func forFriends(_ *Config, s *ropeline.Sale) { s.PartyMax, s.Cap = 3, 5 }

func (f *fan) invite() wire.Invite {
	f.Helper()
	return read[wire.Invite](f.TB, wantStatus(f.TB, f.do("POST", "place/party", "{}"), http.StatusOK))
}

func (f *fan) follow(code string, more string) reply {
	f.Helper()
	return f.do("POST", "place/party/join", fmt.Sprintf(`{"code":%q%s}`, code, more))
}

func (f *fan) becomes(code string) wire.Status {
	f.Helper()
	s := read[wire.Status](f.TB, wantStatus(f.TB, f.follow(code, ""), http.StatusCreated))
	if s.Ticket != "" {
		f.ticket = s.Ticket
	}
	return s
}

func size(n int) func(wire.Status) bool {
	return func(s wire.Status) bool { return s.Party != nil && s.Party.Size == n }
}

func TestFriendsShareOneDrawOneOfferAndOneSession(t *testing.T) {
	t.Parallel()
	g := newRig(t, forFriends)
	desk, friend, app := g.browser(), g.browser(), g.phone()
	desk.join()
	live := desk.open()
	code := desk.invite()
	if code.Size != 1 || code.Max != 3 {
		t.Errorf("invitation %+v", code)
	}
	if s := friend.becomes(code.Code); s.State != ropeline.PlaceCollected || s.Party == nil || *s.Party != (wire.Party{Size: 2, You: 2}) {
		t.Errorf("the friend is told %+v", s)
	}
	app.becomes(friend.invite().Code) // any member may invite
	live.await("two friends", size(3))
	if n := g.snapshot().Collected; n != 1 {
		t.Errorf("%d places in the lobby, want one", n)
	}
	fourth := g.browser()
	wantProblem(t, fourth.follow(code.Code, ""), http.StatusConflict, "party-full")

	g.draw()
	socket := app.open()
	socket.await("the same position", func(s wire.Status) bool { return s.Position != nil && *s.Position == 0 })
	g.admit(1)
	offer := socket.await("the offer", in(ropeline.PlaceOffered)).Offer
	live.await("the offer", func(s wire.Status) bool { return s.Offer != nil && *s.Offer == *offer })
	wantProblem(t, fourth.follow(code.Code, ""), http.StatusConflict, "party-offered")
	if s := g.snapshot(); s.Offered != 3 {
		t.Errorf("%d slots are counted, want 3", s.Offered)
	}

	sid := friend.claim().Session.ID
	socket.await("in", in(ropeline.PlaceActive))
	for _, f := range []*fan{desk, app} {
		a := f.claim()
		if c, err := g.verifier().Verify(a.Token); err != nil || a.Session.ID != sid || c.Session != sid {
			t.Errorf("claimed %+v, %v; want session %s", a, err, sid)
		}
	}
	if s := g.snapshot(); s.Active != 3 || s.Offered != 0 {
		t.Errorf("%d active, %d offered", s.Active, s.Offered)
	}
	// One goes: only that one is out, and its slot is free when its token is over.
	wantStatus(t, friend.do("DELETE", "session", ""), http.StatusAccepted)
	wantProblem(t, friend.do("POST", "session", ""), http.StatusGone, "party-left")
	if s := friend.poll(); s.State != ropeline.PlaceDone {
		t.Errorf("who left the shop is %s", s.State)
	}
	wantStatus(t, app.do("POST", "session", ""), http.StatusOK)
	wantStatus(t, app.do("DELETE", "place", ""), http.StatusAccepted)
	wantStatus(t, desk.do("DELETE", "session", ""), http.StatusNoContent)
	if s := g.snapshot(); s.Active != 0 {
		t.Errorf("%d active after all left", s.Active)
	}
}

func TestAFriendGivesUpAPlaceOnlyOnPurpose(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened, forFriends, func(_ *Config, s *ropeline.Sale) { s.Rate = 0 })
	g.draw()
	first, second, third := g.browser(), g.browser(), g.browser()
	first.join()
	second.join()
	third.join()
	code := first.invite().Code
	wantProblem(t, second.follow(code, ""), http.StatusConflict, "party-own-place")
	if s := second.poll(); *s.Position != 1 || s.Party != nil {
		t.Errorf("who was asked first stands at %+v", s)
	}
	s := read[wire.Status](t, wantStatus(t, second.follow(code, `,"give_up":true`), http.StatusCreated))
	if *s.Position != 0 || s.Party.You != 2 {
		t.Errorf("in the party: %+v", s)
	}
	wantStatus(t, second.follow(code, ""), http.StatusOK) // is a member
	g.tick()
	g.until("the place was given up", func() bool { return *third.poll().Position <= 1 })

	other := third.invite().Code
	wantProblem(t, second.follow(other, `,"give_up":true`), http.StatusConflict, "party-member")
	// The first goes, and the other has the place alone.
	wantStatus(t, first.do("DELETE", "place", ""), http.StatusNoContent)
	g.until("one is left", func() bool { return size(1)(second.poll()) })
	wantStatus(t, second.do("DELETE", "place", ""), http.StatusNoContent)
	wantProblem(t, g.browser().follow(code, ""), http.StatusGone, "party-over")
}

func TestBadInvitations(t *testing.T) {
	t.Parallel()
	g, elsewhere := newRig(t, opened, forFriends), newRig(t, opened, forFriends)
	g.draw()
	elsewhere.draw()
	f := g.browser()
	f.join()
	other := elsewhere.browser()
	other.join()
	code := f.invite().Code
	mac := code[len(code)-22:]
	nobody, err := queue.NewPlaceID(zeros{})
	must(t, err)
	for name, bad := range map[string]string{
		"forged": string(nobody) + "." + mac, "cut": code[:len(code)-1], "empty": "", "of another sale": other.invite().Code,
		"a place ticket": f.raw(), "other base64": base64.StdEncoding.EncodeToString([]byte(code)),
	} {
		wantProblem(t, g.browser().follow(bad, ""), http.StatusUnprocessableEntity, "party-code-invalid")
		if s := f.poll(); s.Party.Size != 1 {
			t.Errorf("%s: %+v", name, s.Party)
		}
	}
	// Sent again because the answer was lost, a joining is of the same member.
	app := g.phone()
	for range 2 {
		wantStatus(t, app.follow(code, `,"device":"0123456789abcdef"`), http.StatusCreated)
	}
	g.until("two share the place", func() bool { return size(2)(f.poll()) })
	// A shared place stays on its devices.
	wantProblem(t, f.do("POST", "place/handover", "{}"), http.StatusConflict, "party-shared")
	// The turn of one's own place is not lost by a slip.
	single := g.browser()
	single.join()
	g.admit(2)
	g.until("it is offered", func() bool { return single.poll().State == ropeline.PlaceOffered })
	second := g.browser()
	second.join()
	wantProblem(t, single.follow(code, `,"give_up":true`), http.StatusConflict, "party-own-turn")
	wantProblem(t, single.follow(second.invite().Code, `,"give_up":true`), http.StatusConflict, "party-own-turn")
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestASaleWithoutParties(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened)
	g.draw()
	f := g.browser()
	f.join()
	wantProblem(t, f.do("POST", "place/party", "{}"), http.StatusConflict, "parties-off")
	wantProblem(t, g.browser().follow(g.store.Invite(g.sale.ID, "x"), ""), http.StatusConflict, "parties-off")
}

// This edge may serve the party and not have heard yet of a friend who joined
// through another one.
func TestAFriendWhoJoinedElsewhereIsNotTakenForOneWhoLeft(t *testing.T) {
	t.Parallel()
	g := newRig(t, forFriends)
	for n := range 20 {
		first, friend := g.phone(), g.phone()
		first.join()
		first.open().next()
		code := first.invite()
		id, err := g.store.ReadInvite(g.sale.ID, code.Code)
		must(t, err)
		first.poll() // what this edge knows is new
		seat := queue.Ticket{Sale: g.sale.ID, Lane: queue.MainLane, Place: id, Member: queue.NewMember(id, fmt.Sprint(n))}
		seat.Party, err = g.store.JoinParty(t.Context(), g.sale.ID, seat, 3) // as another edge does
		must(t, err)
		friend.ticket, err = g.store.SignTicket(seat)
		must(t, err)
		if s := friend.poll(); s.State != ropeline.PlaceCollected || s.Party == nil || s.Party.Size != 2 {
			t.Fatalf("friend %d is told %+v", n, s)
		}
	}
}
