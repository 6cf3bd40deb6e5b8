package door_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/door"
	"github.com/ropeline/ropeline/booking/ticket"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// house is a performance with tickets, and its doors.
type house struct {
	testing.TB
	*door.Store
	db   *pgxpool.Pool
	show *catalogue.Map
	keys ticket.Keys
	now  func() time.Time
}

// sold is a ticket and what its holder can show.
type sold struct{ id, order, printed string }

func open(t testing.TB) *house {
	t.Helper()
	keys, err := ticket.ParseKeys(strings.Repeat("07", 32) + "\n")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{TB: t, db: devtest.Postgres(t), keys: keys, now: time.Now}
	h.show = h.perform("gala")
	h.Store = door.New(h.db, keys, func() time.Time { return h.now() })
	t.Cleanup(h.Close)
	return h
}

func (h *house) perform(sale ropeline.SaleID) *catalogue.Map {
	h.Helper()
	opens := time.Now().UTC().Truncate(time.Second)
	shows := catalogue.New(h.db, time.Now)
	made, err := shows.Seed(h.Context(), catalogue.Plan{Venue: "Opera", StartsAt: opens.Add(time.Hour), Seats: 40, General: 500, Sale: ropeline.Sale{ID: sale, Version: 1, Title: "Gala",
		LobbyClosesAt: opens.Add(-time.Second), OpensAt: opens, EndsAt: opens.Add(time.Hour), Cap: 10, Rate: 60, UnitsPerHold: 6, ClaimWindow: 60, TokenLife: 60, SessionMax: 3600, Hold: 600}})
	if err != nil {
		h.Fatal(err)
	}
	p, err := shows.Performance(h.Context(), made.Performances[0])
	if err != nil {
		h.Fatal(err)
	}
	return p.Map
}

func (h *house) exec(sql string, args ...any) {
	h.Helper()
	if _, err := h.db.Exec(h.Context(), sql, args...); err != nil {
		h.Fatalf("%s: %v", sql, err)
	}
}

func (h *house) sell(m *catalogue.Map, unit int, email string) sold {
	h.Helper()
	id := func() string { return uuid.Must(uuid.NewV7()).String() }
	buyer, attempt, s := id(), id(), sold{id: id(), order: id()}
	printed, err := ticket.DrawPrinted(rand.Reader)
	if err != nil {
		h.Fatal(err)
	}
	s.printed = printed
	tier, ok := m.TierOf(unit)
	if !ok {
		h.Fatal("no such unit")
	}
	h.exec(`insert into buyers (id, email) values ($1, $2)`, buyer, email)
	h.exec(`insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key, request_mac, units, amount, currency, method, state)
		values ($1, $2::uuid, gen_random_uuid(), 's', gen_random_uuid()::text, '', 'k', '', array[$3::int], 4500, 'EUR', 'm', 'done')`, m.ID, attempt, unit)
	h.exec(`insert into orders (performance_id, id, sale_id, session_id, place_id, attempt_id, buyer_id, state, amount, currency) values ($1, $2, 's', '', '', $3, $4, 'paid', 4500, 'EUR')`, m.ID, s.order, attempt, buyer)
	h.exec(`insert into tickets (performance_id, id, order_id, unit, tier_id, label, amount, currency, state, code) values ($1, $2, $3, $4, $5, $6, 4500, 'EUR', 'valid', $7)`,
		m.ID, s.id, s.order, unit, tier.ID, fmt.Sprintf("%s-%d", tier.Name, unit), s.printed)
	return s
}

// phone is the code that the holder's phone shows, its clock ahead by so much.
func (h *house) phone(s sold, issue int, ahead time.Duration) string {
	h.Helper()
	p, err := h.keys.Private(s.id, issue, time.Now())
	if err != nil {
		h.Fatal(err)
	}
	code, err := p.Code(ticket.PeriodOf(h.now().Add(ahead)))
	if err != nil {
		h.Fatal(err)
	}
	return code
}

func scan(h *house, code string) door.Scan {
	return door.Scan{Performance: h.show.ID, ID: uuid.NewString(), Code: code, Door: door.Main, Device: "gate 1", Who: "staff:kim"}
}

func (h *house) reads(s door.Scan) door.Answer {
	h.Helper()
	a, err := h.Scan(h.Context(), s)
	if err != nil {
		h.Fatal(err)
	}
	return a
}

func (h *house) says(s door.Scan, want door.Reason) door.Answer {
	h.Helper()
	a := h.reads(s)
	if a.Reason != want || a.Passed != (want == "") {
		h.Errorf("%.20s at %s is %+v; want %q", s.Code+s.Ticket, s.Door, a, want)
	}
	return a
}

func (h *house) count(sql string, want int) {
	h.Helper()
	var n int
	if err := h.db.QueryRow(h.Context(), sql).Scan(&n); err != nil || n != want {
		h.Errorf("%s: %d, %v; want %d", sql, n, err, want)
	}
}

func (h *house) puts(k door.Settings) {
	h.Helper()
	if _, err := h.Put(h.Context(), h.show.ID, k, audit.Change{Who: "staff:olga", Blind: true}); err != nil {
		h.Fatal(err)
	}
}

func TestATicketOpensADoorOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	s, paper := h.sell(h.show, 0, "ann@example.org"), h.sell(h.show, 1, "")
	first := scan(h, h.phone(s, 1, 0))
	a := h.says(first, "")
	if a.Ticket != s.id || a.Order != s.order || a.Holder != "ann@example.org" || a.Seat == "" || a.Tier != h.show.Tiers[0].Name || a.Used != nil {
		t.Errorf("%+v", a)
	}
	if again := h.says(first, ""); again != a {
		t.Errorf("the same scan again is %+v, not %+v", again, a)
	}
	b := h.says(scan(h, h.phone(s, 1, 0)), door.Used)
	if b.Used == nil || b.Used.Scan != a.Scan || !b.Used.At.Equal(a.At) || b.Used.Door != door.Main || b.Used.Who != "staff:kim" {
		t.Errorf("%+v", b)
	}
	h.says(scan(h, s.printed), door.Used) // the other code of the same ticket
	h.says(scan(h, strings.ToLower(paper.printed)), "")
	h.says(scan(h, paper.printed), door.Used)
	h.count(`select count(*) from order_ledger where entry = 'scanned_in' and who = 'staff:kim' and amount = 0`, 2)
	h.count(`select count(*) from scans`, 5)

	other := first
	other.Code = paper.printed
	if _, err := h.Scan(h.Context(), other); !errors.Is(err, door.ErrReused) {
		t.Errorf("an id that was used for another ticket: %v", err)
	}
	uses, err := h.Uses(h.Context(), h.show.ID, s.order)
	if err != nil || len(uses) != 1 || uses[s.id].Door != door.Main || !uses[s.id].At.Equal(a.At) {
		t.Errorf("%+v, %v", uses, err)
	}
}

func TestWhatIsNoTicketOpensNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	elsewhere := h.perform("other")
	s, theirs := h.sell(h.show, 0, "ann@example.org"), h.sell(elsewhere, 0, "bob@example.org")
	good := h.phone(s, 1, 0)
	forged := good[:60] + map[bool]string{true: "A", false: "B"}[good[60] != 'A'] + good[61:]
	h.says(scan(h, forged), door.Forged)
	h.says(scan(h, "https://example.org/"), door.Foreign)
	h.says(scan(h, "RT2ABC"), door.Newer)
	h.says(scan(h, strings.Repeat("A", 32)), door.Unknown)
	h.says(scan(h, theirs.printed), door.Unknown)
	h.says(scan(h, h.phone(theirs, 1, 0)), door.Elsewhere)
	h.says(scan(h, h.phone(s, 2, 0)), door.OldHolder) // as of another holder
	for ahead, want := range map[time.Duration]door.Reason{15 * time.Second: "", -10 * time.Minute: door.Clock, time.Hour: door.Clock} {
		if a := h.reads(scan(h, h.phone(h.sell(h.show, 2+int(ahead.Minutes()+20), ""), 1, ahead))); a.Reason != want || want != "" && (a.Off-int64(ahead.Seconds()) > 15 || int64(ahead.Seconds())-a.Off > 15 || a.Ticket == "") {
			t.Errorf("a phone that is ahead by %v: %+v", ahead, a)
		}
	}
	for state, want := range map[string]door.Reason{"unpaid": door.Unpaid, "canceled": door.Canceled, "blocked": door.Disputed, "void": door.Disputed} {
		h.exec(`update tickets set state = $2 where id = $1`, s.id, state)
		h.says(scan(h, h.phone(s, 1, 0)), want)
		h.says(scan(h, s.printed), want)
	}
	h.exec(`update tickets set state = 'valid', issue = 2 where id = $1`, s.id) // given to somebody else
	h.says(scan(h, h.phone(s, 1, 0)), door.OldHolder)
	h.says(scan(h, h.phone(s, 1, -time.Hour)), door.OldHolder)
	h.exec(`insert into transfers (performance_id, id, order_id, ticket_id, giver, email, language, state, expires_at) values ($1, $2, $3, $4, 'ann@example.org', 'carl@example.org', 'en', 'accepted', now())`, h.show.ID, s.order, s.order, s.id)
	h.exec(`update tickets set holder = $2 where id = $1`, s.id, s.order)
	for q, want := range map[string]int{"ann@": 0, "carl@": 1} {
		if found, err := h.Find(t.Context(), h.show.ID, q); err != nil || len(found) != want || want > 0 && found[0].Holder != "carl@example.org" {
			t.Errorf("%q finds %+v, %v", q, found, err)
		}
	}
	at := scan(h, h.phone(s, 2, 0))
	at.Door = "Nowhere"
	h.says(at, door.NoDoor)
	h.count(`select count(*) from door_entries`, 1)                                        // of the phone that was a period ahead
	h.count(`select count(*) from order_ledger where entry like 'scan%'`, 1)               // no other
	h.count(`select count(*) from scans where reason = 'forged' and ticket_id is null`, 1) // whose it says it is, is not believed
	if a := h.says(scan(h, h.phone(s, 2, 0)), ""); a.Holder != "carl@example.org" {
		t.Errorf("%+v", a)
	}

	for name, bad := range map[string]func(*door.Scan){
		"no id": func(s *door.Scan) { s.ID = "x" }, "nothing": func(s *door.Scan) { s.Code = "" }, "both": func(s *door.Scan) { s.Ticket = uuid.NewString() },
		"no ticket": func(s *door.Scan) { s.Code, s.Ticket = "", "x" }, "no door": func(s *door.Scan) { s.Door = "" }, "a device": func(s *door.Scan) { s.Device = "<b>" },
		"long": func(s *door.Scan) { s.Code = strings.Repeat("A", 501) },
	} {
		one := scan(h, good)
		bad(&one)
		if _, err := h.Scan(t.Context(), one); !errors.Is(err, door.ErrScan) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDoorsHaveRules(t *testing.T) {
	t.Parallel()
	h := open(t)
	stalls, floor := h.show.Tiers[0], h.show.Tiers[len(h.show.Tiers)-1]
	section := h.show.Rows[0].Section
	h.puts(door.Settings{Reentry: true, Doors: []door.Door{{Name: "North", Areas: []string{floor.Name}}, {Name: "South"}, {Name: "Stairs", Areas: []string{section}}, {Name: "Lounge", Zone: "Lounge", Areas: []string{stalls.Name}}}})
	seat, stands := h.sell(h.show, stalls.First, "a@example.org"), h.sell(h.show, floor.First, "b@example.org")
	at := func(s sold, where string, out bool) door.Scan {
		one := scan(h, h.phone(s, 1, 0))
		one.Door, one.Out = where, out
		return one
	}
	paper := scan(h, seat.printed)
	paper.Door = "South"
	h.says(paper, door.NoPaper)
	h.says(at(seat, "North", false), door.WrongZone)
	h.says(at(stands, "Stairs", false), door.WrongZone)
	h.says(at(seat, "South", true), door.NotInside)
	h.says(at(seat, "Stairs", false), "")
	h.says(at(seat, "South", false), door.Used)
	if a := h.says(at(seat, "Lounge", false), ""); a.Zone != "Lounge" { // another zone
		t.Errorf("%+v", a)
	}
	h.says(at(stands, "Lounge", false), door.WrongZone)
	for range 2 { // out and in again, as often as they like
		h.says(at(seat, "South", true), "")
		h.says(at(seat, "South", true), door.NotInside)
		h.says(at(seat, "Stairs", false), "")
		h.says(at(seat, "Stairs", false), door.Used)
	}
	hand := door.Scan{Performance: h.show.ID, ID: uuid.NewString(), Ticket: stands.id, Door: "North", Device: "gate 1", Who: "staff:kim"}
	h.says(hand, "") // looked up: the phone was empty
	h.says(at(stands, "North", false), door.Used)

	h.puts(door.Settings{Printed: true, Doors: []door.Door{{Name: "South"}}})
	h.says(at(seat, "South", true), door.NoReentry)

	c, err := h.Counts(t.Context(), h.show.ID)
	if err != nil || c.Valid != 2 || c.Entered != 2 || len(c.Zones) != 2 || c.Zones[0].Inside != 2 || c.Zones[1] != (door.InZone{Zone: "Lounge", Inside: 1}) || len(c.Minutes) < 1 || len(c.Refused) < 4 {
		t.Errorf("%+v, %v", c, err)
	}
	for _, bad := range []door.Settings{{}, {Doors: []door.Door{{Name: "a"}, {Name: "a"}}}, {Doors: []door.Door{{Name: ""}}}, {Doors: []door.Door{{Name: "a", Areas: []string{"nowhere"}}}},
		{Doors: make([]door.Door, 51)}, {Doors: []door.Door{{Name: "a", Zone: strings.Repeat("z", 41)}}}, {Doors: []door.Door{{Name: "a\n"}}}} {
		if _, err := h.Put(t.Context(), h.show.ID, bad, audit.Change{Who: "staff:olga", Blind: true}); !errors.Is(err, door.ErrSettings) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := h.Put(t.Context(), h.show.ID, door.Settings{Doors: []door.Door{{Name: "a"}}}, audit.Change{Who: "staff:olga", Seen: 1}); !errors.Is(err, audit.ErrChanged) {
		t.Errorf("an older version is put: %v", err)
	}
	h.count(`select count(*) from catalogue_changes where what = 'door'`, 2)
}

// Two scanners, or two cores, with one ticket in the same millisecond: one yes.
func TestTwoScannersAtOnceSayYesOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	other := door.New(h.db, h.keys, time.Now) // of another core
	t.Cleanup(other.Close)
	const tickets, scanners = 12, 8
	var (
		mu     sync.Mutex
		passed = map[string]int{}
		wg     sync.WaitGroup
	)
	begin := make(chan struct{})
	for i := range tickets {
		s := h.sell(h.show, i, "")
		for n := range scanners {
			one, by := scan(h, h.phone(s, 1, 0)), []*door.Store{h.Store, other}[n%2]
			if n%3 == 0 {
				one.Code = s.printed
			}
			for range 2 { // each of them twice, as one whose answer was lost
				wg.Go(func() {
					<-begin
					a, err := by.Scan(h.Context(), one)
					if err != nil || !a.Passed && a.Reason != door.Used {
						t.Errorf("%+v, %v", a, err)
					}
					mu.Lock()
					defer mu.Unlock()
					if a.Passed {
						passed[s.id+one.ID]++
					}
				})
			}
		}
	}
	close(begin)
	wg.Wait()
	if len(passed) != tickets {
		t.Errorf("%d scans passed of %d tickets", len(passed), tickets)
	}
	for of, n := range passed {
		if n != 2 {
			t.Errorf("the scan %s passed %d times of 2 that it was sent", of, n)
		}
	}
	h.count(`select count(*) from scans`, tickets*scanners)
	h.count(`select count(*) from scans where passed`, tickets)
	h.count(`select count(*) from order_ledger where entry = 'scanned_in'`, tickets)
}

func TestASupervisorTakesAScanBack(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.puts(door.Settings{Reentry: true, Printed: true, Doors: []door.Door{{Name: door.Main}}})
	s := h.sell(h.show, 0, "a@example.org")
	by := audit.Change{Who: "staff:sue", Reason: "the wrong person"}
	undo := func(scan string, want error) {
		t.Helper()
		if err := h.Undo(t.Context(), h.show.ID, scan, by); !errors.Is(err, want) {
			t.Errorf("undone: %v, want %v", err, want)
		}
	}
	first := scan(h, s.printed)
	in := h.says(first, "")
	no := h.says(scan(h, s.printed), door.Used)
	undo("x", door.ErrUnknown)
	undo(uuid.NewString(), door.ErrUnknown)
	undo(no.Scan, door.ErrNothing)
	if err := h.Undo(t.Context(), h.show.ID, in.Scan, audit.Change{Who: "staff:sue"}); !errors.Is(err, audit.ErrReason) {
		t.Errorf("without a reason: %v", err)
	}
	undo(in.Scan, nil)
	undo(in.Scan, nil)
	// Whoever sends it again now, since the answer was lost, must not open the door: the ticket
	// is another's to show. It was answered yes.
	for range 2 {
		if a := h.says(first, door.Undone); a.Undone == nil || time.Since(*a.Undone) > time.Minute || a.Ticket != s.id || !a.At.Equal(in.At) {
			t.Errorf("%+v", a)
		}
	}
	h.count(`select count(*) from door_entries`, 0)
	again := h.says(scan(h, s.printed), "")
	out := scan(h, s.printed)
	out.Out = true
	left := h.says(out, "")
	undo(again.Scan, door.ErrMoved)
	undo(left.Scan, nil)
	h.says(scan(h, s.printed), door.Used) // inside, as before they left
	undo(again.Scan, nil)
	h.says(scan(h, s.printed), "")
	h.count(`select count(*) from order_ledger where entry = 'scan_undone' and who = 'staff:sue'`, 3)
	h.count(`select count(*) from catalogue_changes where what = 'scan' and reason = 'the wrong person'`, 3)
	if c, err := h.Counts(t.Context(), h.show.ID); err != nil || c.Undone != 3 || c.Entered != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

// Three hours without a network: what scanners have decided comes later, and who came in twice
// is told.
func TestWhatWasScannedOfflineIsMerged(t *testing.T) {
	t.Parallel()
	h := open(t)
	now := time.Now().UTC().Truncate(time.Millisecond)
	back := now.Add(-3 * time.Hour)
	h.now = func() time.Time { return back }
	tickets := make([]sold, 5)
	codes := make([]string, 5)
	for i := range tickets {
		tickets[i] = h.sell(h.show, i, fmt.Sprintf("fan%d@example.org", i))
		codes[i] = h.phone(tickets[i], 1, 0) // as it was three hours ago
	}
	h.now = func() time.Time { return now }
	h.says(scan(h, codes[0]), door.Clock)                    // it is no code of now
	online := h.says(scan(h, h.phone(tickets[1], 1, 0)), "") // by a scanner with a network, later
	h.exec(`update tickets set state = 'canceled' where id = $1`, tickets[2].id)
	decided := func(i int, passed bool, after time.Duration) door.Decision {
		return door.Decision{ID: uuid.NewString(), Code: codes[i], Door: door.Main, Passed: passed, At: back.Add(after)}
	}
	all := []door.Decision{decided(3, true, 4*time.Second), decided(0, true, time.Second), decided(1, true, 2*time.Second), decided(2, true, 3*time.Second), decided(4, false, 0), decided(3, true, 5*time.Second)}
	var answers [2][]door.Answer
	for i := range answers { // the answer was lost
		var err error
		if answers[i], err = h.Merge(t.Context(), h.show.ID, "gate 2", "staff:kim", all); err != nil || len(answers[i]) != len(all) {
			t.Fatal(answers[i], err)
		}
	}
	want := []struct {
		passed bool
		reason door.Reason
	}{{false, door.RefusedThere}, {true, ""}, {true, door.Used}, {true, door.Canceled}, {true, ""}, {true, door.Used}} // in the order of their times
	for i, w := range want {
		if a, b := answers[0][i], answers[1][i]; a.Passed != w.passed || a.Reason != w.reason || b.Reason != a.Reason || b.Scan != a.Scan {
			t.Errorf("decision %d is %+v and %+v; want %+v", i, a, b, w)
		}
	}
	doubles, next, err := h.Doubles(t.Context(), h.show.ID, booking.Page{Limit: 2})
	if err != nil || len(doubles) != 2 || next == "" {
		t.Fatalf("%+v, %q, %v", doubles, next, err)
	}
	rest, next, err := h.Doubles(t.Context(), h.show.ID, booking.Page{Limit: 2, Cursor: next})
	if err != nil || len(rest) != 1 || next != "" {
		t.Fatalf("%+v, %q, %v", rest, next, err)
	}
	found := map[string]door.Double{}
	for _, d := range append(doubles, rest...) {
		found[d.Ticket] = d
	}
	if d := found[tickets[1].id]; d.Reason != door.Used || d.Device != "gate 2" || d.Used == nil || d.Used.Scan != online.Scan || d.Holder != "fan1@example.org" {
		t.Errorf("who came in by two scanners: %+v", d)
	}
	if d := found[tickets[2].id]; d.Reason != door.Canceled || d.Used != nil {
		t.Errorf("who came in with a canceled ticket: %+v", d)
	}
	uses, err := h.Uses(t.Context(), h.show.ID, tickets[1].order)
	if err != nil || !uses[tickets[1].id].At.Equal(back.Add(2*time.Second)) { // that was first
		t.Errorf("%+v, %v", uses, err)
	}
	h.count(`select count(*) from order_ledger where entry = 'scanned_twice'`, 2)
	h.says(scan(h, h.phone(tickets[0], 1, 0)), door.Used) // from now on everybody knows
	h.says(scan(h, h.phone(tickets[4], 1, 0)), "")        // and who was refused may come
	// The door was open, whatever is taken back of it: sent again it still says so.
	second := found[tickets[1].id].Scan
	if err := h.Undo(t.Context(), h.show.ID, second, audit.Change{Who: "staff:sue", Reason: "looked into"}); err != nil {
		t.Fatal(err)
	}
	again, err := h.Merge(t.Context(), h.show.ID, "gate 2", "staff:kim", all)
	if err != nil {
		t.Fatal(err)
	}
	if a := again[2]; a.Scan != second || !a.Passed || a.Reason != door.Used || a.Undone == nil || again[1].Undone != nil {
		t.Errorf("taken back, and handed in again: %+v", a)
	}
	for _, bad := range [][]door.Decision{nil, make([]door.Decision, door.MostDecisions+1), {{ID: uuid.NewString(), Code: codes[0], Door: door.Main, At: now.Add(-8 * 24 * time.Hour)}}, {{ID: "x", Code: codes[0], Door: door.Main, At: now}}} {
		if _, err := h.Merge(t.Context(), h.show.ID, "gate 2", "staff:kim", bad); !errors.Is(err, door.ErrScan) {
			t.Errorf("%d decisions: %v", len(bad), err)
		}
	}
}

func TestStaffFindATicketByWhatPeopleKnow(t *testing.T) {
	t.Parallel()
	h := open(t)
	s := h.sell(h.show, 7, "Ann@Example.org")
	h.sell(h.show, 8, "bob@example.org")
	in := h.says(scan(h, s.printed), "")
	for _, q := range []string{"ann@", "ANN@example.org", s.id, s.order, s.id[:8], strings.ToUpper(h.show.Tiers[0].Name) + "-7"} {
		found, err := h.Find(t.Context(), h.show.ID, q)
		if q == s.id[:8] { // made in the same minute
			found = found[:min(1, len(found))]
		}
		if err != nil || len(found) != 1 || found[0].Ticket != s.id && q != s.id[:8] {
			t.Errorf("%q finds %+v, %v", q, found, err)
			continue
		}
		if f := found[0]; f.Ticket == s.id && (f.Used == nil || f.Used.Scan != in.Scan || !f.Inside) {
			t.Errorf("%+v", f)
		}
	}
	for _, q := range []string{"%", "zz", "ann%", "_nn@"} {
		if found, err := h.Find(t.Context(), h.show.ID, q); len(found) != 0 || err != nil && len(q) > 1 {
			t.Errorf("%q finds %+v, %v", q, found, err)
		}
	}
	if _, err := h.Find(t.Context(), h.show.ID, strings.Repeat("x", 300)); !errors.Is(err, door.ErrScan) {
		t.Error(err)
	}
}

// A scan reads its own rows: its plan is made when the doors open, while there are no scans yet,
// and kept.
// It read all scans of the performance each time, so that a door became slower with everybody
// who came in: 1,700 a second were 400 after 40,000.
func TestAScanReadsNoOthers(t *testing.T) {
	t.Parallel()
	h := open(t)
	const scans = 60
	tx, err := h.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	for i := range scans {
		s, id := h.sell(h.show, i, "ann@example.org"), uuid.NewString()
		for range 2 { // the second time as one that is sent again
			if _, err := tx.Exec(t.Context(), `select door_scans($1, jsonb_build_array(jsonb_build_object('n', 1, 'scan', $2::text, 'ticket', $3::text, 'issue', 1, 'verdict', '', 'way', 'phone',
				'door', 'Main entrance', 'direction', 'in', 'device', 'd', 'who', 'staff:d')))`, h.show.ID, id, s.id); err != nil {
				t.Fatal(err)
			}
		}
	}
	rows, err := tx.Query(t.Context(), `select relname, seq_tup_read + coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables where relname ~ '^(scans|door_entries|order_ledger)'`)
	if err != nil {
		t.Fatal(err)
	}
	var table string
	var read, all int
	if _, err := pgx.ForEachRow(rows, []any{&table, &read}, func() error {
		if all += read; read > 6*scans {
			t.Errorf("%d scans, sent twice, read %d rows of %s", scans, read, table)
		}
		return nil
	}); err != nil || all < scans {
		t.Error(all, err)
	}
}

// Whatever a scanner hands in is taken or refused, and never our fault; what is taken is
// answered one by one, and the same again as before.
func FuzzMerge(f *testing.F) {
	h := open(f)
	s := h.sell(h.show, 0, "ann@example.org")
	now := time.Now().UTC().Format(time.RFC3339Nano)
	for _, seed := range []string{
		`[]`, `[{}]`, `[{"id":"` + s.order + `","code":"` + h.phone(s, 1, 0) + `","door":"Main entrance","passed":true,"at":"` + now + `"}]`,
		`[{"id":"` + s.order + `","ticket":"` + s.id + `","door":"Main entrance","out":true,"at":"` + now + `"},{"id":"` + s.order + `","code":"` + s.printed + `","door":"Main entrance","at":"` + now + `"}]`,
		`[{"id":"` + s.id + `","code":"\u0000\ud800","door":"\u202e","at":"9999-12-31T23:59:59.999999999Z"}]`, `[{"id":"{` + s.id + `}","ticket":"urn:uuid:` + s.id + `","door":"a","at":"0000-01-01T00:00:00+23:59"}]`,
	} {
		f.Add(seed, "gate 1")
	}
	f.Fuzz(func(t *testing.T, body, device string) {
		var decisions []door.Decision
		if json.Unmarshal([]byte(body), &decisions) != nil {
			return
		}
		answers, err := h.Merge(t.Context(), h.show.ID, device, "staff:kim", decisions)
		if err != nil {
			if !errors.Is(err, door.ErrScan) && !errors.Is(err, door.ErrReused) {
				t.Fatalf("%s: %v", body, err)
			}
			return
		}
		again, err := h.Merge(t.Context(), h.show.ID, device, "staff:kim", decisions)
		if err != nil || len(answers) != len(decisions) || len(again) != len(answers) {
			t.Fatalf("%s: %d, %d, %v", body, len(answers), len(again), err)
		}
		for i := range again {
			if a, b := answers[i], again[i]; a.Scan != b.Scan || a.Passed != b.Passed || a.Reason != b.Reason && a.Reason != door.Clock {
				t.Fatalf("%s: %+v and %+v", body, a, b)
			}
		}
	})
}

// Of two cores that decide on one ticket at the same time the second waits, and knows of the
// first: whatever it has read before would let both in.
func TestTheSecondOfTwoCoresKnowsOfTheFirst(t *testing.T) {
	t.Parallel()
	h := open(t)
	s := h.sell(h.show, 0, "ann@example.org")
	tx, err := h.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	var passed bool
	err = tx.QueryRow(t.Context(), `select passed from door_scans($1, jsonb_build_array(jsonb_build_object('n', 1, 'scan', gen_random_uuid(), 'ticket', $2::text, 'issue', 1, 'verdict', '', 'way', 'phone',
		'door', 'Main entrance', 'direction', 'in', 'device', 'd', 'who', 'staff:d')))`, h.show.ID, s.id).Scan(&passed)
	if err != nil || !passed {
		t.Fatal(passed, err)
	}
	answer := make(chan door.Answer, 1)
	go func() {
		a, err := h.Scan(t.Context(), scan(h, s.printed))
		if err != nil {
			t.Error(err)
		}
		answer <- a
	}()
	tick, late := time.NewTicker(5*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for waits := false; !waits; {
		select {
		case a := <-answer:
			t.Fatalf("it did not wait: %+v", a)
		case <-late:
			t.Fatal("it does not come to wait")
		case <-tick.C:
			if err := h.db.QueryRow(t.Context(), `select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query ~ 'door_scans')`).Scan(&waits); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := <-answer; a.Passed || a.Reason != door.Used || a.Used == nil || a.Used.Who != "staff:d" {
		t.Errorf("the second is told %+v", a)
	}
}
