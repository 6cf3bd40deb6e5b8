package abuse

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

func wish(key string) Wish {
	return Wish{Who: "staff:ada", Key: key, Address: "203.0.113.7", For: 600, Reason: "sells at the door"}
}

func (r *rig) entries(id string) string {
	r.t.Helper()
	_, history, _, err := r.Inspect(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	var told []string
	for _, e := range history {
		told = append(told, e.Entry+" by "+e.Who+": "+e.Reason)
	}
	return strings.Join(told, "; ")
}

func TestStaffBlockAndLiftAndTheHistorySaysWhoAndWhy(t *testing.T) {
	t.Parallel()
	r := open(t, small())
	var got [8]Block
	var errs [8]error
	var all sync.WaitGroup
	for i := range got { // one request, sent eight times at once
		all.Go(func() { got[i], errs[i] = r.Block(t.Context(), wish("key")) })
	}
	all.Wait()
	b := got[0]
	for i := range got {
		if errs[i] != nil || got[i].ID != b.ID {
			t.Fatalf("one request made %+v and %+v, %v", b, got[i], errs[i])
		}
	}
	w := who(1, "203.0.113.7")
	if e := refused(t, r.mayHold(t.Context(), w), ErrBlockedNetwork, 600*time.Second); e.Reference != b.ID {
		t.Errorf("the reference is %q", e.Reference)
	}
	_, err := r.Begin(t.Context(), payment(w, "pm_1", 4500))
	refused(t, err, ErrBlockedNetwork, 600*time.Second)

	changed := wish("key")
	changed.Reason = "another"
	if _, err := r.Block(t.Context(), changed); !errors.Is(err, ErrKeyReused) {
		t.Errorf("the key for something else: %v", err)
	}
	if _, err := r.Block(t.Context(), wish("other")); !errors.Is(err, ErrThere) {
		t.Errorf("a second block of the same: %v", err)
	}

	for i := range 2 { // again changes nothing
		lifted, err := r.Lift(t.Context(), b.ID, "staff:tom", "it was a school class", false)
		if err != nil || lifted.State != Lifted || lifted.Subject == "" {
			t.Fatalf("lifting, time %d: %+v, %v", i, lifted, err)
		}
	}
	r.may(w)
	want := "blocked by staff:ada: sells at the door; lifted by staff:tom: it was a school class"
	if told := r.entries(b.ID); told != want {
		t.Errorf("the history says %q", told)
	}
	if again, err := r.Block(t.Context(), wish("key")); err != nil || again.State != Lifted {
		t.Errorf("the request again: %+v, %v", again, err)
	}
	if _, err := r.db.Exec(t.Context(), `update abuse_history set who = 'nobody'`); err == nil {
		t.Error("the history can be changed")
	}
	if _, err := r.db.Exec(t.Context(), `truncate abuse_history`); err == nil {
		t.Error("the history can be emptied")
	}
}

// What led to a block is forgotten with it, at every core, and so is whom it was for if
// staff say so.
func TestLiftingForgetsThePointsAndErasingWhomItWasFor(t *testing.T) {
	t.Parallel()
	shared := open(t, small())
	for n, erase := range []bool{false, true} {
		r := &rig{Guard: shared.guard(small()), t: t, db: shared.db, redis: shared.redis, clock: shared.clock}
		other, w := r.guard(small()), who(n, "")
		if err := other.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			r.held(w, 3)
			r.clock.pass(40 * time.Second)
		}
		e := refused(t, r.mayHold(t.Context(), w), ErrBlockedHolds, -1)
		r.clock.pass(-30 * time.Second) // into the last wait
		other.heldBy(w)                 // it counts one itself, so it knows of the wait by heart
		if err := errors.Join(other.Flush(t.Context()), other.Read(t.Context())); err != nil {
			t.Fatal(err)
		}
		refused(t, other.mayHold(t.Context(), w), ErrBlockedHolds, -1)
		r.clock.pass(time.Second)
		b, err := r.Lift(t.Context(), e.Reference, "staff:tom", "asked us to", erase)
		if err != nil || b.State != Lifted || (b.Subject == "") != erase {
			t.Fatalf("lifting: %+v, %v", b, err)
		}
		if err := other.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.may(w)
		if err := other.mayHold(t.Context(), w); err != nil {
			t.Errorf("the other core has not heard of it, erased %t: %v", erase, err)
		}
		r.held(w, 2)
		r.may(w)
		want := "lifted by staff:tom: asked us to"
		if erase {
			want += "; erased by staff:tom: asked us to"
		}
		if told := r.entries(b.ID); !strings.HasSuffix(told, want) {
			t.Errorf("the history says %q", told)
		}
		var named int
		err = r.db.QueryRow(t.Context(), `select count(*) from abuse_blocks b, abuse_history h where position($1 in row(b.*)::text || row(h.*)::text) > 0`, string(w.Place)).Scan(&named)
		if err != nil || (named == 0) != erase {
			t.Errorf("%d rows name whom it was for, erased %t, %v", named, erase, err)
		}
	}
}

func TestBlocksEndAndAreForgottenInTime(t *testing.T) {
	t.Parallel()
	r := open(t, small())
	b, err := r.Block(t.Context(), wish("key"))
	if err != nil {
		t.Fatal(err)
	}
	r.clock.pass(601 * time.Second)
	r.may(who(1, "203.0.113.7"))
	next, err := r.Block(t.Context(), wish("next")) // the old one is over, whether or not it was purged
	if err != nil || next.ID == b.ID {
		t.Fatalf("the next block: %+v, %v", next, err)
	}
	r.clock.pass(601 * time.Second)
	if err := r.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.clock.pass(3600 * time.Second)
	if err := r.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{b.ID, next.ID} {
		if told := r.entries(id); told != "blocked by staff:ada: sells at the door; over by policy: ; erased by policy: " {
			t.Errorf("the history says %q", told)
		}
	}
	list, _, err := r.List(t.Context(), Filter{Limit: 10})
	if err != nil || len(list) != 2 || list[0].ID != next.ID || list[0].State != Over || list[0].Subject != "" {
		t.Errorf("the list is %+v, %v", list, err)
	}
}

func TestBlocksAreListedByPagesPlacesAndAddresses(t *testing.T) {
	t.Parallel()
	r := open(t, small())
	var ids []string
	for i := range 5 {
		b, err := r.Block(t.Context(), Wish{Who: "staff:ada", Key: "k" + string(rune('a'+i)), Place: who(i, "").Place, For: 600, Reason: "bot"})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, b.ID)
	}
	if _, err := r.Block(t.Context(), Wish{Who: "staff:ada", Key: "address", Address: "2001:db8::7", For: 600, Reason: "bot"}); err != nil {
		t.Fatal(err)
	}
	page, next, err := r.List(t.Context(), Filter{State: Active, Limit: 4})
	if err != nil || len(page) != 4 || next != page[3].ID {
		t.Fatalf("the first page: %+v %q, %v", page, next, err)
	}
	page, next, err = r.List(t.Context(), Filter{State: Active, Limit: 4, After: next})
	if err != nil || len(page) != 2 || next != "" || page[1].ID != ids[0] {
		t.Errorf("the second page: %+v %q, %v", page, next, err)
	}
	page, _, err = r.List(t.Context(), Filter{Address: "2001:db8::9999", Limit: 4}) // of the same /64
	if err != nil || len(page) != 1 || page[0].Kind != Address || strings.Contains(page[0].Subject, "2001") {
		t.Errorf("of an address: %+v, %v", page, err)
	}
	page, _, err = r.List(t.Context(), Filter{Place: who(3, "").Place, Limit: 4})
	if err != nil || len(page) != 1 || page[0].ID != ids[3] {
		t.Errorf("of a place: %+v, %v", page, err)
	}
}

func TestWhatStaffMayNotBlock(t *testing.T) {
	t.Parallel()
	r := open(t, small())
	for name, change := range map[string]func(*Wish){
		"nobody":        func(w *Wish) { w.Address = "" },
		"both":          func(w *Wish) { w.Place = who(1, "").Place },
		"no address":    func(w *Wish) { w.Address = "203.0.113.7'; drop table abuse_blocks; --" },
		"no place":      func(w *Wish) { w.Address, w.Place = "", "}:*" },
		"too short":     func(w *Wish) { w.For = 59 },
		"too long":      func(w *Wish) { w.For = longest + 1 },
		"no reason":     func(w *Wish) { w.Reason = " " },
		"a long reason": func(w *Wish) { w.Reason = strings.Repeat("x", 201) },
		"a line break":  func(w *Wish) { w.Reason = "a\nb" },
	} {
		wrong := wish("key")
		change(&wrong)
		if _, err := r.Block(t.Context(), wrong); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.Block(t.Context(), wish("")); !errors.Is(err, ErrKeyMissing) {
		t.Errorf("without a key: %v", err)
	}
	for _, id := range []string{"", "x", "0192-'", "01939f4e-7a00-7000-8000-000000000001"} {
		if _, err := r.Lift(t.Context(), id, "staff:ada", "why", false); !errors.Is(err, ErrUnknown) {
			t.Errorf("lifting %q: %v", id, err)
		}
	}
	if _, _, err := r.List(t.Context(), Filter{Address: "x", Limit: 1}); !errors.Is(err, ErrInvalid) {
		t.Errorf("listing nobody's: %v", err)
	}
	if _, _, err := r.List(t.Context(), Filter{After: "'", Limit: 1}); !errors.Is(err, ErrUnknown) {
		t.Errorf("listing after nothing: %v", err)
	}
	id, err := booking.NewID()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := r.Inspect(t.Context(), id); !errors.Is(err, ErrUnknown) {
		t.Errorf("inspecting none: %v", err)
	}
	var n ropeline.Seconds
	if err := r.db.QueryRow(t.Context(), `select count(*) from abuse_blocks`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d blocks were made, %v", n, err)
	}
}
