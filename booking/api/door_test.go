package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/door"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/ticket"
)

func (c *core) door(path string) string {
	return organizerAPI + "/performances/" + string(c.show.ID) + "/door" + path
}

// code is what the phone of a ticket's holder shows now.
func (c *core) code(t PassTicket) string {
	c.t.Helper()
	p, err := phones.Private(t.ID, t.Issue, time.Now())
	if err != nil {
		c.t.Fatal(err)
	}
	code, err := p.Code(ticket.PeriodOf(time.Now()))
	if err != nil {
		c.t.Fatal(err)
	}
	return code
}

// PassTicket is what a code is of.
type PassTicket struct {
	ID    string
	Issue int
}

func (c *core) scans(bearer string, body m) (a door.Answer) {
	c.t.Helper()
	full := m{"id": uuid.NewString(), "door": door.Main, "device": "gate 1"}
	for name, v := range body {
		full[name] = v
	}
	c.do(http.MethodPost, c.door("/scans"), bearer, c.json(full)).is(http.StatusOK, &a)
	return a
}

// From the phone of whoever bought to the door, and back to the phone.
func TestTheDoorLetsHoldersInOnce(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()
	var o Order
	c.pay(fan, "k", c.hold(fan, 1, 2).ID, sandbox.OK).is(http.StatusCreated, &o)
	one, two := PassTicket{o.Tickets[0].ID, 1}, PassTicket{o.Tickets[1].ID, 1}

	var desk DoorDesk
	c.get(c.door(""), "key-door").is(http.StatusOK, &desk)
	if desk.Who != "staff:dora" || desk.MayUndo || desk.MaySet || !desk.Settings.Printed || len(desk.Settings.Doors) != 1 || len(desk.ListKeys) != 1 {
		t.Errorf("%+v", desk)
	}
	var others DoorDesk
	c.get(c.door(""), "key-super").is(http.StatusOK, &others)
	if !others.MayUndo || others.MaySet {
		t.Errorf("%+v", others)
	}
	c.get(c.door(""), "key-olga").is(http.StatusOK, &others)
	if !others.MayUndo || !others.MaySet {
		t.Errorf("%+v", others)
	}
	id := uuid.NewString()
	code := c.code(one)
	a := c.scans("key-door", m{"id": id, "code": code})
	if !a.Passed || a.Ticket != one.ID || a.Holder != "fan@example.org" || a.Seat == "" {
		t.Errorf("%+v", a)
	}
	if again := c.scans("key-door", m{"id": id, "code": code}); again != a {
		t.Errorf("%+v, and the same again %+v", a, again)
	}
	if b := c.scans("key-super", m{"code": c.code(one)}); b.Passed || b.Reason != door.Used || b.Used == nil || b.Used.Who != "staff:dora" || b.Used.Scan != id {
		t.Errorf("%+v", b)
	}
	c.do(http.MethodPost, c.door("/scans"), "key-door", c.json(m{"id": id, "code": c.code(two), "door": door.Main, "device": "gate 1"})).refused(422, "scan-reused")
	c.do(http.MethodPost, c.door("/scans"), "key-door", c.json(m{"id": "x", "code": c.code(two), "door": door.Main, "device": "gate 1"})).refused(422, "scan-invalid")
	c.do(http.MethodPost, organizerAPI+"/performances/x/door/scans", "key-door", c.json(m{"id": id, "code": c.code(two), "door": door.Main, "device": "gate 1"})).refused(404, "performance-unknown")

	var p Passes
	c.get("/api/v1/orders/"+o.ID+"/passes", o.Key).is(http.StatusOK, &p)
	for _, pass := range p.Tickets {
		if used := pass.Used; (used != nil) != (pass.ID == one.ID) || used != nil && (used.Door != door.Main || !used.At.Equal(a.At)) {
			t.Errorf("the phone says %+v", pass)
		}
	}
	var found DoorTickets
	c.get(c.door("/tickets?q=FAN@"), "key-door").is(http.StatusOK, &found)
	if len(found.Tickets) != 2 {
		t.Errorf("found %+v", found)
	}
	c.get(c.door("/tickets?q=f"), "key-door").refused(422, "scan-invalid")
	if a := c.scans("key-door", m{"ticket": two.ID}); !a.Passed {
		t.Errorf("looked up: %+v", a)
	}
	var counts door.Counts
	c.get(c.door("/counts"), "key-olga").is(http.StatusOK, &counts)
	if counts.Valid != 2 || counts.Entered != 2 || len(counts.Refused) != 1 || len(counts.Minutes) < 1 {
		t.Errorf("%+v", counts)
	}

	undo := c.door("/scans/" + id + "/undo")
	c.do(http.MethodPost, undo, "key-door", `{"reason":"another"}`).refused(403, "supervisor-required")
	c.do(http.MethodPost, undo, "key-super", `{"reason":""}`).refused(422, "reason-invalid")
	for range 2 {
		c.do(http.MethodPost, undo, "key-super", `{"reason":"another person"}`).is(http.StatusNoContent, nil)
	}
	if a := c.scans("key-door", m{"code": c.code(one)}); !a.Passed {
		t.Errorf("after that: %+v", a)
	}
	var ledger struct {
		Entries []struct{ Entry, Who, Ticket string }
	}
	c.get(organizerAPI+"/orders/"+o.ID+"/ledger", "key-olga").is(http.StatusOK, &ledger)
	told := ""
	for _, e := range ledger.Entries {
		if strings.HasPrefix(e.Entry, "scan") {
			told += e.Entry + " " + e.Who + ", "
		}
	}
	if told != "scanned_in staff:dora, scanned_in staff:dora, scan_undone staff:sue, scanned_in staff:dora, " {
		t.Errorf("the ledger says %s", told)
	}
	c.inventory()
}

func TestDoorsAreSetByOrganizers(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()
	var o Order
	c.pay(fan, "k", c.hold(fan, 1).ID, sandbox.OK).is(http.StatusCreated, &o)
	rules := m{"printed": false, "reentry": true, "doors": []m{{"name": "North"}, {"name": "Lounge", "zone": "Lounge", "areas": []string{c.show.Tiers[len(c.show.Tiers)-1].Name}}}}
	put := func(bearer string, body m, headers ...string) answer {
		return c.do(http.MethodPut, c.door(""), bearer, c.json(body), headers...)
	}
	put("key-door", rules, "If-None-Match", "*").refused(403, "organizer-required")
	c.founded("rival")
	put("key-rival", rules, "If-None-Match", "*").refused(404, "performance-unknown")
	put("key-olga", rules).refused(428, "if-match-missing")
	var k door.Settings
	put("key-olga", rules, "If-None-Match", "*").is(http.StatusCreated, &k)
	put("key-olga", rules, "If-None-Match", "*").is(http.StatusCreated, &k) // the answer was lost
	rules["reentry"] = false
	put("key-olga", rules, "If-None-Match", "*").refused(412, "changed-meanwhile")
	rules["doors"] = []m{{"name": "North", "areas": []string{"Nowhere"}}}
	put("key-olga", rules, "If-Match", `"1"`).refused(422, "door-invalid")
	if k.Version != 1 || len(k.Doors) != 2 || k.Printed {
		t.Errorf("%+v", k)
	}
	if a := c.scans("key-door", m{"code": o.Tickets[0].Code, "door": "North"}); a.Reason != door.NoPaper {
		t.Errorf("%+v", a)
	}
	if a := c.scans("key-door", m{"code": c.code(PassTicket{o.Tickets[0].ID, 1}), "door": "Lounge"}); a.Reason != door.WrongZone {
		t.Errorf("%+v", a)
	}
}

// A scanner that had a list and no network for three hours.
func TestAScannerWithoutANetworkHandsInLater(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()
	var o Order
	c.pay(fan, "k", c.hold(fan, 1, 2).ID, sandbox.OK).is(http.StatusCreated, &o)
	var desk DoorDesk
	c.get(c.door(""), "key-door").is(http.StatusOK, &desk)
	var signed door.SignedList
	got := c.get(c.door("/list"), "key-door")
	got.is(http.StatusOK, &signed)
	if a := c.get(c.door("/list"), "key-door", "If-None-Match", got.Header.Get("ETag")); a.Status != http.StatusNotModified {
		t.Errorf("a list that nothing has changed: %d", a.Status)
	}
	verifies := func(text string) bool {
		raw, err := base64.RawURLEncoding.DecodeString(desk.ListKeys[signed.KeyID])
		if err != nil {
			t.Fatal(err)
		}
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append([]byte{4}, raw...))
		if err != nil {
			t.Fatal(err)
		}
		signature, err := base64.RawURLEncoding.DecodeString(signed.Signature)
		sum := sha256.Sum256([]byte(text))
		return err == nil && ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
	}
	if !verifies(signed.List) || verifies(signed.List+" ") {
		t.Error("the signature is not of the list")
	}
	var list door.List
	if err := json.Unmarshal([]byte(signed.List), &list); err != nil || len(list.Tickets) != 2 || list.Performance != c.show.ID {
		t.Fatalf("%+v, %v", list, err)
	}
	if strings.Contains(signed.List, o.Tickets[0].Code) || strings.Contains(signed.List, "fan@example.org") {
		t.Error("the list tells a printed code, or who bought")
	}
	sum := sha256.Sum256([]byte(o.Tickets[0].Code))
	for _, l := range list.Tickets {
		public, err := phones.Public(ticketKey(t, l.ID), l.ID, 1)
		if err != nil || len(l.Keys) != 1 || l.Keys[ticketKey(t, l.ID).String()] != base64.RawURLEncoding.EncodeToString(public[:]) {
			t.Errorf("%+v, %v", l, err)
		}
		if (l.Printed == base64.RawURLEncoding.EncodeToString(sum[:])) != (l.ID == o.Tickets[0].ID) {
			t.Errorf("%+v", l)
		}
	}

	online := c.scans("key-door", m{"code": c.code(PassTicket{o.Tickets[0].ID, 1})})
	if a := c.get(c.door("/list"), "key-door", "If-None-Match", got.Header.Get("ETag")); a.Status != http.StatusOK {
		t.Errorf("a list that is old: %d", a.Status)
	}
	decisions := m{"device": "gate 2", "decisions": []m{
		{"id": uuid.NewString(), "code": c.code(PassTicket{o.Tickets[0].ID, 1}), "door": door.Main, "passed": true, "at": time.Now()},
		{"id": uuid.NewString(), "code": c.code(PassTicket{o.Tickets[1].ID, 1}), "door": door.Main, "passed": true, "at": time.Now()},
	}}
	for range 2 {
		var merged Merged
		c.do(http.MethodPost, c.door("/scans/merge"), "key-door", c.json(decisions)).is(http.StatusOK, &merged)
		if len(merged.Answers) != 2 || merged.Answers[0].Reason != door.Used || merged.Answers[0].Used == nil || merged.Answers[0].Used.Scan != online.Scan || merged.Answers[1].Reason != "" || !merged.Answers[1].Passed {
			t.Errorf("%+v", merged)
		}
	}
	var doubles DoubleList
	c.get(c.door("/doubles"), "key-door").is(http.StatusOK, &doubles)
	if len(doubles.Doubles) != 1 || doubles.Doubles[0].Ticket != o.Tickets[0].ID || doubles.Doubles[0].Device != "gate 2" {
		t.Errorf("%+v", doubles)
	}
	c.do(http.MethodPost, c.door("/scans/merge"), "key-door", `{"device":"gate 2","decisions":[]}`).refused(422, "request-invalid")
}

func ticketKey(t *testing.T, id string) ticket.KeyID {
	t.Helper()
	p, err := phones.Private(id, 1, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return p.KeyID()
}
