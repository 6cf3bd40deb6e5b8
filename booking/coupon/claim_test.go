package coupon_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/coupon"
)

// A thousand tabs of one person get what one person may have, and leave the rest
// to the others; tabs that repeat one request get one copy.
func aThousandTabsGetWhatOnePersonMay(t *testing.T, r *rig) {
	c := r.published(func(t *coupon.Terms) { t.Stock, t.PerPerson = 10, 3 })
	bag := uuid.NewString()
	var got, limited atomic.Int64
	var tabs sync.WaitGroup
	for i := range 1000 {
		tabs.Go(func() {
			_, fresh, err := r.Claim(t.Context(), c.ID, bag, fmt.Sprintf("tab-%d", i/2)) // each twice
			switch {
			case err == nil && fresh:
				got.Add(1)
			case err == nil:
			case errors.Is(err, coupon.ErrLimit):
				limited.Add(1)
			default:
				t.Errorf("tab %d: %v", i, err)
			}
		})
	}
	tabs.Wait()
	if got.Load() != 3 {
		t.Errorf("%d copies for one person, want 3 (%d refused)", got.Load(), limited.Load())
	}
	r.queues(c, "published 7, claimed 3")
}

// What is left goes to exactly as many as there is, without anybody waiting for a
// counter.
func theLastOnesGoToExactlySoMany(t *testing.T, r *rig) {
	c := r.published(func(t *coupon.Terms) { t.Stock = 20 })
	var got, none atomic.Int64
	var all sync.WaitGroup
	for range 60 {
		all.Go(func() {
			_, _, err := r.Claim(t.Context(), c.ID, uuid.NewString(), "k")
			switch {
			case err == nil:
				got.Add(1)
			case errors.Is(err, coupon.ErrNone):
				none.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got.Load() != 20 || none.Load() != 40 {
		t.Errorf("%d got one and %d none, want 20 and 40", got.Load(), none.Load())
	}
	r.queues(c, "claimed 20")
}

// A shareable coupon goes to whoever has its code; the code that was given away
// is void then. A personal one goes nowhere, and whether it exists is not told.
func passingACouponOn(t *testing.T, r *rig) {
	ctx := t.Context()
	ours := r.published(func(t *coupon.Terms) { t.Shareable = true })
	giver, got := r.claim(ours)
	taker := uuid.NewString()
	wanted := r.hold(1)
	_, err := r.Reserve(ctx, giver, got.Code, wanted, r.total(wanted))
	r.must(err)
	r.must(r.TakeOff(ctx, wanted))
	var mine coupon.Copy
	for range 2 { // an answer that was lost
		k, err := r.Take(ctx, taker, "take", got.Code)
		r.must(err)
		if mine = k; k.Number != got.Number || k.Code == got.Code {
			t.Errorf("took %+v", k)
		}
	}
	_, err = r.Take(ctx, giver, "back", got.Code)
	r.refused(err, coupon.ErrUnknown)
	_, err = r.Take(ctx, taker, "again", mine.Code) // one's own
	r.must(err)
	if list, _, err := r.Bag(ctx, giver, booking.Page{}); err != nil || len(list) != 0 {
		t.Errorf("the giver still has %+v, %v", list, err)
	}
	_, _, err = r.Claim(ctx, ours.ID, giver, "k") // the same request again
	r.refused(err, coupon.ErrLimit)
	_, other := r.claim(ours)
	_, err = r.Take(ctx, taker, "two", other.Code) // one a person
	r.refused(err, coupon.ErrLimit)
	r.story(ours, got.Number, "claimed reserved returned passed_on")
	h := r.hold(1)
	_, err = r.Reserve(ctx, taker, mine.Code, h, r.total(h))
	r.must(err)
	past, err := r.Past(ctx, taker, ours.ID, mine.Number)
	r.must(err)
	for _, e := range past { // which hold it lowered once was told to the next owner
		if e.Detail == wanted.ID || e.Who == giver || e.Who == wanted.Session {
			t.Errorf("the taker is told %+v", e)
		}
	}
	if last := past[len(past)-1]; last.Entry != "reserved" || last.Detail != h.ID || last.Who != "you" {
		t.Errorf("of their own they are told %+v", last)
	}

	personal := r.published(nil)
	owner, k := r.claim(personal)
	_, err = r.Take(ctx, taker, "steal", k.Code)
	r.refused(err, coupon.ErrUnknown)
	h = r.hold(1)
	for _, bag := range []string{"", taker} {
		_, err = r.Reserve(ctx, bag, k.Code, h, r.total(h))
		r.refused(err, coupon.ErrUnknown)
	}
	_, err = r.Copy(ctx, taker, personal.ID, k.Number)
	r.refused(err, coupon.ErrUnknown)
	_, err = r.Past(ctx, taker, personal.ID, k.Number)
	r.refused(err, coupon.ErrUnknown)
	_, err = r.Reserve(ctx, owner, k.Code, h, r.total(h))
	r.must(err)
}

// Of a hundred who take one coupon at once one has it.
func oneOfManyTakesACoupon(t *testing.T, r *rig) {
	c := r.published(func(t *coupon.Terms) { t.Shareable = true })
	_, got := r.claim(c)
	var took atomic.Int64
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			if _, err := r.Take(t.Context(), uuid.NewString(), "k", got.Code); err == nil {
				took.Add(1)
			} else if !errors.Is(err, coupon.ErrUnknown) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if took.Load() != 1 {
		t.Errorf("%d have the one coupon", took.Load())
	}
	r.queues(c, "published 4, claimed 1")
}

// Whoever brings wrong codes is not heard any more, not even with a right one,
// and a thousand at once are no way round. The others are.
func guessingIsLimited(t *testing.T, r *rig) {
	ctx := t.Context()
	c := r.published(func(t *coupon.Terms) { t.Shareable = true })
	_, got := r.claim(c)
	guesser, friend := uuid.NewString(), uuid.NewString()
	for range 30 { // right ones do not count
		if _, err := r.Verify(ctx, r.shop, friend, got.Code); err != nil {
			t.Fatal(err)
		}
	}
	var heard, limited atomic.Int64
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			code := coupon.Keys("guess").Code(c.ID, i, 1)
			switch _, err := r.Verify(ctx, r.shop, guesser, code); {
			case errors.Is(err, coupon.ErrUnknown):
				heard.Add(1)
			case errors.Is(err, coupon.ErrGuesses):
				limited.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if heard.Load() != 10 || limited.Load() != 90 {
		t.Errorf("%d guesses were heard and %d not, want 10 and 90", heard.Load(), limited.Load())
	}
	_, err := r.Verify(ctx, r.shop, guesser, got.Code)
	var e *ropeline.Error
	if !errors.As(err, &e) || e.Code != coupon.ErrGuesses.Code || e.RetryAfter <= 0 || e.RetryAfter > time.Minute {
		t.Errorf("a right code after ten wrong ones: %v", err)
	}
	if _, err := r.Verify(ctx, r.shop, friend, got.Code); err != nil {
		t.Errorf("somebody else: %v", err)
	}
}

// No code and no key is in the database, and every code is another one.
func codesAreNotKept(t *testing.T, r *rig) {
	ctx := t.Context()
	c := r.published(nil)
	_, a := r.claim(c)
	_, b := r.claim(c)
	if a.Code == b.Code {
		t.Error("two copies have one code")
	}
	var text string
	r.must(r.db.QueryRow(ctx, `select string_agg(k::text, ' ') from coupon_copies k where coupon_id = $1`, c.ID).Scan(&text))
	if strings.Contains(text, a.Code) || strings.Contains(strings.ToUpper(text), strings.ToUpper(a.Code)) {
		t.Error("a code is kept")
	}
	bag, key, err := r.NewBag()
	r.must(err)
	if got, ok := r.Keys().Bag(key); !ok || got != bag {
		t.Error("a key does not open its bag")
	}
	for _, wrong := range []string{"", bag, bag + ".", key + "=", key[:len(key)-1], uuid.NewString() + key[36:], strings.ToUpper(key), key + "\n",
		coupon.Keys("other").BagKey(bag), r.Keys().BagKey("x")} {
		if _, ok := r.Keys().Bag(wrong); ok {
			t.Errorf("%q opens a bag", wrong)
		}
	}
	for _, text := range []string{"", "A", a.Code + "A", a.Code[:23], a.Code[:23] + "1", a.Code[:23] + "é", strings.Repeat("A", 1000), a.Code + "\x00", "'; drop table coupons; --"} {
		if _, ok := coupon.ReadCode(text); ok {
			t.Errorf("%q is read as a code", text)
		}
	}
}

// The JSON of a coupon says all that a fan has to know; a code is only where it is
// of use.
func aCouponAsJSON(t *testing.T, r *rig) {
	_, got := r.claim(r.published(func(t *coupon.Terms) { t.AtMost = 500 }))
	text, err := json.Marshal(got)
	r.must(err)
	for _, want := range []string{`"shop":"opera-`, `"category":"shows"`, `"percent":20`, `"at_most":500`, `"state":"claimed"`, `"code":"`, `"expires_at":"2027-01-08T12:00:00Z"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if strings.Contains(string(text), `"left"`) || strings.Contains(string(text), `"amount"`) {
		t.Errorf("more than is so: %s", text)
	}
}
