package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
)

// coded is a sale with a lane that takes codes, and with some.
func coded(t *testing.T, b CodeBatch, codes ...string) *laned {
	t.Helper()
	l := openLaned(t, []ropeline.Lane{lane("members", 30), lane("press", 5)}, nil)
	l.keys.Code = make([]byte, 32)
	b.Lane, b.Uses = "members", max(1, b.Uses)
	if n, err := l.AddCodes(t.Context(), l.sale.ID, b, codes); err != nil || n != int64(len(codes)) {
		t.Fatalf("adding codes: %d, %v", n, err)
	}
	return l
}

// redeems is what the edge does with a code.
func (l *laned) redeems(ctx context.Context, p Place, code, address string) (Place, error) {
	now, err := l.Find(ctx, l.sale.ID, p.ID)
	if err != nil {
		return Place{}, err
	}
	by := Redeemer{Place: p.ID, Address: address, Moves: now.Movable()}
	got, err := l.Redeem(ctx, l.sale.ID, by, code, true)
	if err != nil {
		return Place{}, err
	}
	return l.Move(ctx, l.sale.ID, Ticket{Sale: l.sale.ID, Place: p.ID, Visitor: p.Visitor}, got.Place)
}

// A code leads to the tail of its lane; the old place is given up, and an answer
// that was lost is had again.
func TestACodeLeadsToALaneOnce(t *testing.T) {
	t.Parallel()
	l, ctx := coded(t, CodeBatch{ID: "b"}, "GOOD-CODE"), t.Context()
	old := l.joins(t, ropeline.MainLane, 1)[0]
	before := l.joins(t, "members", 1)[0]
	moved, err := l.redeems(ctx, old, " good code ", "1.2.3.4")
	if err != nil || moved.ID.Lane() != "members" || moved.State != ropeline.PlaceWaiting || moved.Ordinal != before.Ordinal+1 {
		t.Fatalf("moved to %+v, %v; want behind %+v", moved, err, before)
	}
	if p, err := l.Find(ctx, l.sale.ID, old.ID); err != nil || p.State != ropeline.PlaceLeft {
		t.Errorf("the old place is %+v, %v", p, err)
	}
	if again, err := l.redeems(ctx, old, "GOOD-CODE", "1.2.3.4"); err != nil || again.ID != moved.ID {
		t.Errorf("once more: %+v, %v; want %s", again, err, moved.ID)
	}
	other := l.joins(t, ropeline.MainLane, 1)[0]
	if _, err := l.redeems(ctx, other, "GOOD-CODE", "1.2.3.5"); !errors.Is(err, ErrCodeSpent) {
		t.Errorf("somebody else with the code: %v", err)
	}
	if p, err := l.Find(ctx, l.sale.ID, other.ID); err != nil || p.State != ropeline.PlaceWaiting {
		t.Errorf("whose code was spent is %+v, %v", p, err)
	}
	if b, err := l.CodeBatches(ctx, l.sale.ID); err != nil || len(b) != 1 || b[0].Used != 1 || b[0].Codes != 1 {
		t.Errorf("the batches are %+v, %v", b, err)
	}
}

// However many bring a code at once, no more than its uses come in by it.
func TestACodeIsUsedAtMostItsUses(t *testing.T) {
	t.Parallel()
	l, ctx := coded(t, CodeBatch{ID: "b", Uses: 3}, "FOR-THREE"), t.Context()
	var came sync.Map
	var all sync.WaitGroup
	for i, p := range l.joins(t, ropeline.MainLane, 12) {
		all.Go(func() {
			for range 2 {
				if moved, err := l.redeems(ctx, p, "FOR-THREE", fmt.Sprint(i)); err == nil {
					came.Store(moved.ID, true)
				} else if !errors.Is(err, ErrCodeSpent) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	n := 0
	came.Range(func(any, any) bool { n++; return true })
	if n != 3 {
		t.Errorf("%d came in by a code for three", n)
	}
}

// Who guesses costs nobody their place, and cannot lock out the holder of a good
// code: not at the same address, and not by using up what the whole sale may try.
func TestGuessingLocksNobodyOut(t *testing.T) {
	t.Parallel()
	l, ctx := coded(t, CodeBatch{ID: "b"}, "GOOD-CODE", "GOOD-CODE-2"), t.Context()
	attacker, fan, second := l.joins(t, ropeline.MainLane, 1)[0], l.joins(t, ropeline.MainLane, 1)[0], l.joins(t, ropeline.MainLane, 1)[0]
	tries := 0
	for ; tries < 100; tries++ {
		_, err := l.redeems(ctx, attacker, fmt.Sprintf("GUESS-%04d", tries), "6.6.6.6")
		if errors.Is(err, ErrCodeTries) {
			var told *ropeline.Error
			if errors.As(err, &told); told.RetryAfter <= 0 || told.RetryAfter > time.Minute {
				t.Errorf("told to come back in %v", told.RetryAfter)
			}
			break
		}
		if !errors.Is(err, ErrCodeWrong) {
			t.Fatal(err)
		}
	}
	if tries != triesOfPlace {
		t.Errorf("%d tries of one place in a minute", tries)
	}
	if err := l.rdb.HSet(ctx, key(l.sale.ID, "code-tries"), "a 6.6.6.6", triesOfAddress, "all", triesOfSale).Err(); err != nil {
		t.Fatal(err)
	}
	if moved, err := l.redeems(ctx, fan, "GOOD-CODE", "6.6.6.6"); err != nil || moved.ID.Lane() != "members" {
		t.Errorf("a good code at the attacker's address: %+v, %v", moved, err)
	}
	for _, want := range []error{ErrCodeWrong, ErrCodeTries} {
		if _, err := l.redeems(ctx, second, "MISTYPED", "6.6.6.6"); !errors.Is(err, want) {
			t.Errorf("a mistyped code under attack: %v, want %v", err, want)
		}
	}
	// Nobody has a new place for each try.
	for _, want := range []error{ErrCodeTries} {
		by := Redeemer{Place: "fresh", Address: "6.6.6.6", Joins: true, Moves: true}
		if _, err := l.Redeem(ctx, l.sale.ID, by, "GOOD-CODE-2", true); !errors.Is(err, want) {
			t.Errorf("joining with a code at the attacker's address: %v", err)
		}
	}
	if p, err := l.Find(ctx, l.sale.ID, attacker.ID); err != nil || p.State != ropeline.PlaceWaiting || p.Ordinal != attacker.Ordinal {
		t.Errorf("the attacker's place is %+v, %v", p, err)
	}
	l.now = l.now.Add(time.Minute)
	if moved, err := l.redeems(ctx, second, "GOOD-CODE-2", "6.6.6.6"); err != nil || moved.ID.Lane() != "members" {
		t.Errorf("a minute later: %+v, %v", moved, err)
	}
}

// What an address and a sale may try is used up by wrong codes alone, and then each
// place has one.
func TestWhatAllMayTryIsUsedUpTogether(t *testing.T) {
	t.Parallel()
	l, ctx := coded(t, CodeBatch{ID: "b"}, "GOOD-CODE"), t.Context()
	// triesFrom is how many wrong codes a fresh place may bring from an address.
	triesFrom := func(address string) (n int) {
		t.Helper()
		p := l.joins(t, ropeline.MainLane, 1)[0]
		for ; n <= triesOfPlace; n++ {
			_, err := l.redeems(ctx, p, "MISTYPED", address)
			if errors.Is(err, ErrCodeTries) {
				return n
			}
			if !errors.Is(err, ErrCodeWrong) {
				t.Fatal(err)
			}
		}
		return n
	}
	wants := func(what, address string, want int) {
		t.Helper()
		if n := triesFrom(address); n != want {
			t.Errorf("%s: a place had %d tries, want %d", what, n, want)
		}
	}
	for range triesOfAddress / triesOfPlace {
		wants("before an address had too many", "6.6.6.6", triesOfPlace)
	}
	wants("when the address had too many", "6.6.6.6", 1)
	wants("at another address", "7.7.7.7", triesOfPlace)
	used := triesOfAddress + 1 + triesOfPlace
	tries := key(l.sale.ID, "code-tries")
	if all, err := l.rdb.HGet(ctx, tries, "all").Int(); err != nil || all != used {
		t.Errorf("%d tries of the sale are counted, %v; want %d", all, err, used)
	}
	if err := l.rdb.HSet(ctx, tries, "all", triesOfSale-triesOfPlace).Err(); err != nil {
		t.Fatal(err)
	}
	wants("before the sale had too many", "8.8.8.8", triesOfPlace)
	wants("when the sale had too many", "9.9.9.9", 1)
	l.now = l.now.Add(time.Minute)
	wants("a minute later", "6.6.6.6", triesOfPlace)
}

func TestWhatACodeCannotDo(t *testing.T) {
	t.Parallel()
	l, ctx := coded(t, CodeBatch{ID: "b", Uses: 9}, "GOOD-CODE", "REVOKED"), t.Context()
	add := func(b CodeBatch, code string) {
		t.Helper()
		b.Uses = 1
		if _, err := l.AddCodes(ctx, l.sale.ID, b, []string{code}); err != nil {
			t.Fatal(err)
		}
	}
	add(CodeBatch{ID: "later", Lane: "press", From: l.now.Add(time.Hour)}, "TOO-EARLY")
	add(CodeBatch{ID: "before", Lane: "press", Until: l.now.Add(-time.Hour)}, "TOO-LATE")
	add(CodeBatch{ID: "gone", Lane: "press"}, "WHOLE-BATCH")
	if err := errors.Join(l.RevokeCodes(ctx, l.sale.ID, "", "revoked"), l.RevokeCodes(ctx, l.sale.ID, "gone", "")); err != nil {
		t.Fatal(err)
	}
	if err := l.RevokeCodes(ctx, l.sale.ID, "nothing", ""); !errors.Is(err, ErrBatchUnknown) {
		t.Errorf("revoking what is not there: %v", err)
	}
	for code, want := range map[string]error{
		"TOO-EARLY": ErrCodeEarly, "TOO-LATE": ErrCodeOver, "REVOKED": ErrCodeRevoked, "WHOLE-BATCH": ErrCodeRevoked,
		"UNHEARD-OF": ErrCodeWrong, "x": ErrCodeMalformed, "<script>": ErrCodeMalformed,
	} {
		p := l.joins(t, ropeline.MainLane, 1)[0]
		if _, err := l.redeems(ctx, p, code, code); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", code, err, want)
		}
		if p, err := l.Find(ctx, l.sale.ID, p.ID); err != nil || p.State != ropeline.PlaceWaiting {
			t.Errorf("after %s the place is %+v, %v", code, p, err)
		}
	}
	member := l.joins(t, "members", 1)[0]
	if _, err := l.redeems(ctx, member, "GOOD-CODE", "m"); !errors.Is(err, ErrLaneHere) {
		t.Errorf("a code to one's own lane: %v", err)
	}
	party := l.joins(t, ropeline.MainLane, 1)[0]
	if _, err := l.OpenParty(ctx, l.sale.ID, party.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := l.JoinParty(ctx, l.sale.ID, Ticket{Place: party.ID, Member: "friend"}, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := l.redeems(ctx, party, "GOOD-CODE", "p"); !errors.Is(err, ErrLaneFixed) {
		t.Errorf("a code for a place that friends share: %v", err)
	}
	for _, b := range []CodeBatch{{ID: "b", Lane: "nobody", Uses: 1}, {ID: "b", Lane: ropeline.MainLane, Uses: 1}, {ID: "b", Lane: "press"},
		{ID: "two words", Lane: "press", Uses: 1}, {ID: "b", Lane: "press", Uses: 1, From: l.now, Until: l.now}} {
		var told *ropeline.Error
		if _, err := l.AddCodes(ctx, l.sale.ID, b, []string{"ANY-CODE"}); !errors.As(err, &told) || told.Code != "codes-invalid" {
			t.Errorf("adding %+v: %v", b, err)
		}
	}
}

// A code in the lobby leads into the lane's draw.
func TestACodeInTheLobbyLeadsIntoTheLanesDraw(t *testing.T) {
	t.Parallel()
	l, ctx := openLaned(t, []ropeline.Lane{lane("members", 30)}, func(s *ropeline.Sale) {
		s.LobbyClosesAt, s.OpensAt, s.EndsAt = s.LobbyClosesAt.Add(time.Hour), s.OpensAt.Add(time.Hour), s.EndsAt.Add(time.Hour)
	}), t.Context()
	l.keys.Code = make([]byte, 32)
	if _, err := l.AddCodes(ctx, l.sale.ID, CodeBatch{ID: "b", Lane: "members", Uses: 1}, []string{"GOOD-CODE"}); err != nil {
		t.Fatal(err)
	}
	all := l.joins(t, ropeline.MainLane, 5)
	moved, err := l.redeems(ctx, all[2], "GOOD-CODE", "a")
	if err != nil || moved.State != ropeline.PlaceCollected {
		t.Fatalf("moved in the lobby: %+v, %v", moved, err)
	}
	l.now = l.sale.LobbyClosesAt.Add(time.Second)
	if err := l.Draw(ctx, l.sale.ID); err != nil {
		t.Fatal(err)
	}
	f, err := l.DrawFile(ctx, l.sale.ID)
	if err != nil || len(f.Places) != 5 {
		t.Fatalf("%d places were drawn, %v", len(f.Places), err)
	}
	for _, c := range f.Verify() {
		if c.Err != nil {
			t.Errorf("%s: %v", c.What, c.Err)
		}
	}
	if p, err := l.Find(ctx, l.sale.ID, moved.ID); err != nil || p.Ordinal != 0 || p.State != ropeline.PlaceWaiting {
		t.Errorf("in the lane it stands at %+v, %v", p, err)
	}
}

// A visitor who moves keeps the one place.
func TestAVisitorWhoMovesHasOnePlace(t *testing.T) {
	t.Parallel()
	l, ctx := coded(t, CodeBatch{ID: "b"}, "GOOD-CODE"), t.Context()
	who := l.VisitorOf(l.sale.ID, ropeline.VisitorBrowser, "ada")
	p, err := l.Join(ctx, l.sale.ID, l.PlaceOf(l.sale.ID, who, "one", 1), who)
	if err != nil {
		t.Fatal(err)
	}
	p.Visitor = who
	moved, err := l.redeems(ctx, p, "GOOD-CODE", "a")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := l.Join(ctx, l.sale.ID, l.PlaceOf(l.sale.ID, who, "two", 1), who); err != nil || again.New || again.ID != moved.ID {
		t.Errorf("joining again: %+v, %v; want %s", again, err, moved.ID)
	}
}

func TestCodesAreReadAsPeopleTypeThem(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		" good-code ": "G00DC0DE", "o0iIlL": "001111", "": "", "short": "", "ÄÖÜ-ßßß": "", "\x00\x00\x00\x00\x00\x00": "",
		strings.Repeat("A", longestCode): strings.Repeat("A", longestCode), strings.Repeat("A", longestCode+1): "", strings.Repeat("-", 2000) + "GOODCODE": "",
	} {
		if got, err := plainCode(typed); got != want || (err != nil) != (want == "") {
			t.Errorf("%q is read as %q, %v; want %q", typed, got, err, want)
		}
	}
	seen := map[string]bool{}
	for _, code := range NewLaneCodes(1000) {
		plain, err := plainCode(code)
		if err != nil || len(plain) != newCodeLength || seen[plain] {
			t.Fatalf("made %q, %v", code, err)
		}
		seen[plain] = true
	}
}
