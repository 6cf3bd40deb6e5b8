package edge

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/visitor"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

// withLanes is a sale with lanes, and a rule that lets staff past the line.
func withLanes(c *Config, s *ropeline.Sale) {
	s.Lanes = []ropeline.Lane{
		{Name: "members", Title: "Members", Share: 30, Entry: []ropeline.LaneEntry{ropeline.EntryCode}},
		{Name: "guests", Title: "Guests", Share: 10, Entry: []ropeline.LaneEntry{ropeline.EntryInvitation}},
	}
	sum := sha256.Sum256([]byte(staffKey))
	s.Bypass = []ropeline.Bypass{{Name: "staff", Title: "Staff of the venue", Share: 2, Keys: []string{hex.EncodeToString(sum[:])}}}
}

const staffKey = "a key of the staff, long and random"

// coded lets the rig's edges check codes, and keeps some.
func coded(t *testing.T, codes ...string) *rig {
	g := newRig(t, withLanes)
	n, err := g.store.AddCodes(t.Context(), g.sale.ID, queue.CodeBatch{ID: "b", Lane: "members", Uses: 1}, codes)
	must(t, err)
	if n != int64(len(codes)) {
		t.Fatalf("%d of %d codes are new", n, len(codes))
	}
	return g
}

// A fan who waits is told where a code leads, and moves there once they agree: into
// the lane's draw while the lobby is open, to its tail afterwards.
func TestACodeMovesAFanWhoWaits(t *testing.T) {
	t.Parallel()
	g := coded(t, "GOOD-CODE", "IN-THE-LOBBY")
	early := g.browser()
	early.join()
	offer := read[wire.LaneOffer](t, wantStatus(t, early.do("POST", "place/code", `{"code":"in the lobby"}`), http.StatusOK))
	if offer.Lane.Name != "members" || offer.Lane.Share != 30 || !offer.Lobby || offer.Now != nil {
		t.Errorf("in the lobby the code leads to %+v", offer)
	}
	if s := early.poll(); s.Lane != ropeline.MainLane || s.State != ropeline.PlaceCollected {
		t.Errorf("before it agreed the place is %+v", s)
	}
	moved := read[wire.Status](t, wantStatus(t, early.do("POST", "place/code", `{"code":"in the lobby","confirm":true}`), http.StatusCreated))
	if moved.Lane != "members" || moved.State != ropeline.PlaceCollected || early.poll().Lane != "members" {
		t.Errorf("moved to %+v", moved)
	}

	g.draw()
	room, err := g.server.rooms.known(g.sale.ID, time.Now())
	must(t, err)
	g.until("the edge hears of the draw", func() bool { return room.line.View().Phase() == ropeline.PhaseOpen })
	f := g.phone()
	f.join()
	offer = read[wire.LaneOffer](t, wantStatus(t, f.do("POST", "place/code", `{"code":"GOOD-CODE"}`), http.StatusOK))
	if offer.Lobby || offer.Ahead != 1 || offer.Now == nil || *offer.Now != 0 {
		t.Errorf("in line the code leads to %+v", offer)
	}
	old := f.ticket
	first := read[wire.Status](t, wantStatus(t, f.do("POST", "place/code", `{"code":"GOOD-CODE","confirm":true}`), http.StatusCreated))
	again := read[wire.Status](t, wantStatus(t, f.do("POST", "place/code", `{"code":"GOOD-CODE","confirm":true}`), http.StatusCreated))
	if first.Lane != "members" || first.Position == nil || *first.Position != 1 || again.Lane != "members" {
		t.Errorf("moved to %+v and, asking again, %+v", first, again)
	}
	if f.ticket = again.Ticket; f.poll().Lane != "members" {
		t.Error("the new ticket is not of the lane")
	}
	if f.ticket = old; f.poll().State != ropeline.PlaceLeft {
		t.Error("the old place was not given up")
	}
}

// What is wrong with a code leaves the place as it is.
func TestAWrongCodeCostsNothing(t *testing.T) {
	t.Parallel()
	g := coded(t, "GOOD-CODE")
	g.draw()
	f := g.browser()
	before := f.join()
	wantProblem(t, f.do("POST", "place/code", `{"code":"<b>"}`), http.StatusUnprocessableEntity, "lane-code-malformed")
	for left := 4; left >= 0; left-- {
		r := f.do("POST", "place/code", fmt.Sprintf(`{"code":"WRONG-%d","confirm":true}`, left))
		wantProblem(t, r, http.StatusNotFound, "lane-code-unknown")
		if !strings.Contains(string(r.body), fmt.Sprintf("this minute: %d.", left)) {
			t.Errorf("with %d tries left: %s", left, r.body)
		}
	}
	r := f.do("POST", "place/code", `{"code":"GOOD-CODE"}`)
	wantProblem(t, r, http.StatusTooManyRequests, "lane-code-tries")
	if r.Header.Get("Retry-After") == "" {
		t.Error("it is not said when to try again")
	}
	if s := f.poll(); s.State != ropeline.PlaceWaiting || *s.Position != *before.Position {
		t.Errorf("the place is %+v, want %+v", s, before)
	}
	neighbor := g.browser() // of the same address
	neighbor.join()
	wantStatus(t, neighbor.do("POST", "place/code", `{"code":"GOOD-CODE","confirm":true}`), http.StatusCreated)
}

// A code may come with the join; one that leads nowhere gives no place.
func TestJoiningWithACode(t *testing.T) {
	t.Parallel()
	g := coded(t, "GOOD-CODE")
	g.draw()
	f := g.browser()
	wantProblem(t, f.do("POST", "place", `{"code":"WRONG-CODE"}`), http.StatusNotFound, "lane-code-unknown")
	wantProblem(t, f.do("GET", "place", ""), http.StatusUnauthorized, "place-ticket-missing")
	body := `{"code":"good code","attempt":"0123456789abcdef"}`
	if s := read[wire.Status](t, wantStatus(t, f.do("POST", "place", body), http.StatusCreated)); s.Lane != "members" {
		t.Errorf("joined %+v", s)
	}
	if s := read[wire.Status](t, wantStatus(t, g.browser().do("POST", "place", body), http.StatusCreated)); s.Lane != "members" {
		t.Errorf("the same attempt again: %+v", s)
	}
	wantProblem(t, g.browser().do("POST", "place", `{"code":"good code"}`), http.StatusConflict, "lane-code-spent")
	g.tick()
	var sale wire.Sale
	g.until("the lane is told to have somebody", func() bool {
		sale = read[wire.Sale](t, wantStatus(t, f.do("GET", "", ""), http.StatusOK))
		return len(sale.Lanes) == 3 && sale.Lanes[1].Waiting+sale.Lanes[1].People == 1
	})
	if len(sale.Lanes) != 3 || sale.Lanes[0].Share != 60 || sale.Lanes[1].Title != "Members" {
		t.Errorf("the lanes are %+v", sale.Lanes)
	}
}

// An edge without the key of codes says so, and serves the line all the same.
func TestCodesWithoutTheirKey(t *testing.T) {
	t.Parallel()
	g := newRig(t, withLanes, func(c *Config, _ *ropeline.Sale) {
		c.Store = queue.New(c.Redis, queue.Keys{Place: bytes.Repeat([]byte{7}, 32)})
	})
	f := g.browser()
	f.join()
	wantProblem(t, f.do("POST", "place/code", `{"code":"GOOD-CODE"}`), http.StatusServiceUnavailable, "codes-unavailable")
	f.poll()
}

// A rule lets its key's holder in past the line, counted and told; never without
// the key, and not where the sale stands still.
func TestARuleLetsItsHolderPastTheLine(t *testing.T) {
	t.Parallel()
	g := newRig(t, withLanes)
	key := `{"bypass":"` + staffKey + `","attempt":"colleague-00000001"}`
	f := g.phone()
	wantProblem(t, f.do("POST", "place", key), http.StatusServiceUnavailable, "bypass-closed") // before the opening
	g.draw()
	g.tick()
	wantProblem(t, f.do("POST", "place", `{"bypass":"guess","attempt":"colleague-00000001"}`), http.StatusForbidden, "bypass-invalid")
	wantProblem(t, f.do("POST", "place", `{"bypass":"`+staffKey+`"}`), http.StatusBadRequest, "body-malformed")
	for range 2 {
		s := read[wire.Status](t, wantStatus(t, f.do("POST", "place", key), http.StatusCreated))
		if s.State != ropeline.PlaceOffered || s.Offer == nil || !s.Offer.Beside || s.Offer.Number != 1 {
			t.Fatalf("by the rule: %+v", s)
		}
		f.ticket = ""
		defer func(ticket string) { f.ticket = ticket }(s.Ticket)
	}
	state := g.snapshot()
	if state.Offered != 1 || state.BypassedBy("staff") != 1 {
		t.Errorf("%d offered, %+v by rules", state.Offered, state.Bypassed)
	}
	for n := 2; n <= 5; n++ {
		wantStatus(t, f.do("POST", "place", fmt.Sprintf(`{"bypass":%q,"attempt":"colleague-%08d"}`, staffKey, n)), http.StatusCreated)
	}
	wantProblem(t, f.do("POST", "place", `{"bypass":"`+staffKey+`","attempt":"colleague-00000006"}`), http.StatusServiceUnavailable, "bypass-share")
	g.tick()
	g.until("the public is told", func() bool {
		sale := read[wire.Sale](t, wantStatus(t, f.do("GET", "", ""), http.StatusOK))
		return len(sale.Bypass) == 1 && sale.Bypass[0] == wire.Bypass{Name: "staff", Title: "Staff of the venue", Share: 2, People: 5}
	})
	for _, mode := range []ropeline.Mode{ropeline.ModeQueue, ropeline.ModeStop} {
		g.steer(t, mode, "because")
		wantProblem(t, f.do("POST", "place", `{"bypass":"`+staffKey+`","attempt":"colleague-00000007"}`), http.StatusServiceUnavailable, "bypass-closed")
	}
	if text := g.logged.String(); !strings.Contains(text, "let past the line") || !strings.Contains(text, "rule=staff") || strings.Contains(text, staffKey) {
		t.Error("the log does not name the rule, or names the key")
	}
}

// Who comes by a rule takes a slot of the cap like anybody.
func TestARuleDoesNotRaiseTheCap(t *testing.T) {
	t.Parallel()
	g := newRig(t, withLanes, func(_ *Config, s *ropeline.Sale) { s.Cap = 1 })
	g.draw()
	g.tick()
	wantStatus(t, g.phone().do("POST", "place", `{"bypass":"`+staffKey+`","attempt":"colleague-00000001"}`), http.StatusCreated)
	wantProblem(t, g.phone().do("POST", "place", `{"bypass":"`+staffKey+`","attempt":"colleague-00000002"}`), http.StatusServiceUnavailable, "bypass-full")
	g.browser().join()
	g.tick()
	if s := g.tick(); s.Offered+s.Active != 1 || s.MaxInUse != 1 {
		t.Errorf("%d + %d are in use, at most %d", s.Offered, s.Active, s.MaxInUse)
	}
}

// Without scripts the same, in two steps.
func TestACodeWithoutScripts(t *testing.T) {
	t.Parallel()
	g := coded(t, "GOOD-CODE")
	g.draw()
	f := g.browser()
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	wantStatus(t, f.do("POST", "plain", "do=join&key=0123456789abcdef", form...), http.StatusOK)
	page := f.do("GET", "plain", "")
	if !bytes.Contains(page.body, []byte("Enter a code")) || !bytes.Contains(page.body, []byte("60 % of the turns")) {
		t.Fatalf("the page has no form for a code: %s", page.body)
	}
	if form := wantStatus(t, f.do("GET", "plain?ask=code", ""), http.StatusOK); !bytes.Contains(form.body, []byte(`name="code"`)) || form.Header.Get("Refresh") != "" {
		t.Errorf("the page for a code loads itself again in %q: %s", form.Header.Get("Refresh"), form.body)
	}
	wrong := f.do("POST", "plain", "do=code&code=WRONG-CODE", form...)
	if wrong.StatusCode != http.StatusNotFound || !bytes.Contains(wrong.body, []byte("Your place is kept")) {
		t.Errorf("a wrong code: %d %s", wrong.StatusCode, wrong.body)
	}
	asked := wantStatus(t, f.do("POST", "plain", "do=code&code=GOOD-CODE", form...), http.StatusOK)
	if !bytes.Contains(asked.body, []byte("Members")) || !bytes.Contains(asked.body, []byte("30 % of the turns")) || f.poll().Lane != ropeline.MainLane {
		t.Errorf("a good code: %s", asked.body)
	}
	wantStatus(t, f.do("POST", "plain", "do=code&confirm=1&code=GOOD-CODE", form...), http.StatusOK)
	if s := f.poll(); s.Lane != "members" {
		t.Errorf("moved to %+v", s)
	}
}

// An invitation to a lane, or a token of the seller's login that names one, leads
// there, whatever the sale asks of others; brought again it is the same place.
func TestAnInvitationLeadsToItsLane(t *testing.T) {
	t.Parallel()
	private, public, err := visitor.GenerateInviter()
	must(t, err)
	file := filepath.Join(t.TempDir(), "invite")
	must(t, os.WriteFile(file, []byte(private), 0o600))
	inviter, err := visitor.LoadInviter(file)
	must(t, err)
	must(t, os.WriteFile(file, []byte(public), 0o600))
	g := newRig(t, forBrowsers, withLanes, func(c *Config, _ *ropeline.Sale) {
		c.Visitors[ropeline.VisitorInvitation], err = visitor.LoadInvitations(file, time.Now)
		must(t, err)
	})
	g.draw()
	brings := func(lane, who, attempt string) string {
		text, err := inviter.Invite(visitor.Invitation{Sale: g.sale.ID, Invitee: who, Expires: time.Now().Add(time.Hour).Unix(), Lane: lane})
		must(t, err)
		return `{"invitation":"` + text + `","attempt":"` + attempt + `"}`
	}
	f := g.phone()
	first := read[wire.Status](t, wantStatus(t, f.do("POST", "place", brings("guests", "ada", "0123456789abcdef")), http.StatusCreated))
	again := read[wire.Status](t, wantStatus(t, f.do("POST", "place", brings("guests", "ada", "0123456789abcdef")), http.StatusCreated))
	if first.Lane != "guests" || *first.Position != 0 || *again.Position != 0 {
		t.Errorf("invited to %+v and, again, %+v", first, again)
	}
	wantProblem(t, f.do("POST", "place", brings("guests", "ada", "another-attempt-01")), http.StatusConflict, "place-elsewhere")
	wantProblem(t, f.do("POST", "place", brings("members", "bob", "0123456789abcdef")), http.StatusConflict, "lane-unknown") // by code only
	wantProblem(t, f.do("POST", "place", brings("nowhere", "bob", "0123456789abcdef")), http.StatusConflict, "lane-unknown")
	wantProblem(t, f.do("POST", "place", brings("", "bob", "0123456789abcdef")), http.StatusConflict, "lane-none")
	wantProblem(t, f.do("POST", "place", `{}`), http.StatusUnauthorized, "proof-needed")
}
