package main

import (
	"net/http"
	"slices"
	"time"

	"github.com/ropeline/ropeline/booking/door"
)

// doorOperations are what scanners do, and who looks after them.
func (s *shop) doorOperations() []operation {
	at := "/api/v1/organizer/performances/" + string(s.sale.Performances[0]) + "/door"
	staff := &buyer{token: s.staff}
	scan := func(b *buyer) int {
		status, answer := s.do(staff, http.MethodPost, at+"/scans", map[string]any{"id": b.key, "ticket": b.tickets[0], "door": door.Main, "device": b.key}, "")
		if status == http.StatusOK && answer["passed"] != true {
			s.t.Errorf("nobody is let in: %v", answer)
		}
		return status
	}
	merge := func(b *buyer) int {
		status, _ := s.do(staff, http.MethodPost, at+"/scans/merge", map[string]any{"device": b.key, "decisions": []map[string]any{
			{"id": b.key, "ticket": b.tickets[0], "door": door.Main, "passed": true, "at": time.Now().Add(-time.Hour)}}}, "")
		return status
	}
	undo := func(b *buyer) int {
		status, _ := s.do(staff, http.MethodPost, at+"/scans/"+b.key+"/undo", map[string]any{"reason": "another person"}, "")
		return status
	}
	scanned := func(b *buyer) {
		s.bought(b)
		if status := scan(b); status != http.StatusOK {
			s.t.Fatalf("scanning: %d", status)
		}
	}
	once := func(act func(*buyer) int, want int, entry string, end string) func(*buyer) string {
		return func(b *buyer) string {
			if status := act(b); status != want {
				s.t.Errorf("asked again: %d, want %d", status, want)
			}
			if n := s.count(`select count(*) from order_ledger where order_id = $1 and entry = $2`, b.order, entry); n != 1 {
				s.t.Errorf("%d entries %s", n, entry)
			}
			if n := s.count(`select count(*) from scans where device = $1`, b.key); n != 1 {
				s.t.Errorf("%d scans", n)
			}
			return end
		}
	}
	unset := func(b *buyer) {
		if _, err := s.db.Exec(s.t.Context(), `delete from door_settings`); err != nil {
			s.t.Fatal(err)
		}
	}
	set := func(b *buyer) int {
		status, _ := s.do(staff, http.MethodPut, at, map[string]any{"printed": true, "doors": []map[string]any{{"name": door.Main}}}, "", "If-None-Match", "*")
		return status
	}
	isSet := func(b *buyer) string {
		if status := set(b); !slices.Contains([]int{http.StatusCreated, http.StatusOK}, status) {
			s.t.Errorf("set again: %d", status)
		}
		if n := s.count(`select version from door_settings`); n != 1 {
			s.t.Errorf("it is version %d", n)
		}
		return "made once"
	}
	return []operation{
		{always: true, name: "scan", routes: []string{"scan-ticket"}, prepare: s.bought, act: scan, want: http.StatusOK, finish: once(scan, http.StatusOK, "scanned_in", "let in once")},
		{name: "hand scans in", routes: []string{"merge-scans"}, prepare: s.bought, act: merge, want: http.StatusOK, finish: once(merge, http.StatusOK, "scanned_in", "let in once")},
		{name: "take a scan back", routes: []string{"undo-scan"}, prepare: scanned, act: undo, want: http.StatusNoContent, finish: once(undo, http.StatusNoContent, "scan_undone", "taken back once")},
		{name: "set doors", routes: []string{"put-door"}, prepare: unset, act: set, want: http.StatusCreated, finish: isSet},
	}
}
