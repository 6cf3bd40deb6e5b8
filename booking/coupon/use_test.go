package coupon_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/booking/hold"
)

// A coupon from its making to the till: each queue, the counters and the history.
func fromTheDeskToTheTill(t *testing.T, r *rig) {
	ctx := t.Context()
	c := r.make(func(t *coupon.Terms) { t.Product, t.Percent, t.Amount, t.MinSpend = "coffee", 0, 250, 500 })
	r.queues(c, "created 5")
	if list, _, err := r.Browse(ctx, coupon.Filter{Shop: r.shop}, booking.Page{}); err != nil || len(list) > 0 {
		t.Errorf("what is not published is shown: %v, %v", list, err)
	}
	_, err := r.Show(ctx, c.ID)
	r.refused(err, coupon.ErrUnknown)
	_, _, err = r.Claim(ctx, c.ID, uuid.NewString(), "k")
	r.refused(err, coupon.ErrUnknown)

	for range 2 { // a repeat does nothing
		if c, err = r.Publish(ctx, r.shop, c.ID, "opera.rosa", nil); err != nil || c.State != coupon.Published || *c.Left != 5 {
			t.Fatalf("published %+v, %v", c, err)
		}
	}
	r.queues(c, "published 5")
	bag, got := r.claim(c)
	if got.State != coupon.Claimed || got.Number != 1 || len(got.Code) != 24 || !got.ExpiresAt.Equal(c.ExpiresAt) {
		t.Errorf("claimed %+v", got)
	}
	r.queues(c, "published 4, claimed 1")
	inBag, next, err := r.Bag(ctx, bag, booking.Page{})
	if err != nil || next != "" || len(inBag) != 1 || inBag[0].Code != got.Code {
		t.Errorf("in the bag: %+v, %v", inBag, err)
	}

	seen, err := r.Verify(ctx, r.shop, "opera.rosa", strings.ToLower(got.Code[:12]+" - "+got.Code[12:]))
	if err != nil || seen.State != coupon.Claimed || seen.Code != "" {
		t.Errorf("verified %+v, %v", seen, err)
	}
	spend := booking.Money{Amount: 499, Currency: c.Currency}
	_, err = r.Spend(ctx, r.shop, "opera.rosa", "till-1", got.Code, spend)
	r.refused(err, coupon.ErrMinimum)
	spend.Amount = 600
	for range 2 { // the same key gets the same answer
		used, err := r.Spend(ctx, r.shop, "opera.rosa", "till-1", got.Code, spend)
		if err != nil || used.Discount.Amount != 250 || used.State != coupon.Redeemed {
			t.Fatalf("spent %+v, %v", used, err)
		}
	}
	_, err = r.Spend(ctx, r.shop, "opera.rosa", "till-2", got.Code, spend)
	r.refused(err, coupon.ErrUsed)
	spend.Amount, spend.Currency = 700, "XXX"
	_, err = r.Spend(ctx, r.shop, "opera.rosa", "till-1", got.Code, spend)
	r.refused(err, booking.ErrKeyReused)
	_, err = r.Verify(ctx, r.other, "cinema.tom", got.Code)
	r.refused(err, coupon.ErrUnknown)
	r.queues(c, "published 4, redeemed 1")
	r.story(c, got.Number, "claimed redeemed")
	r.story(c, 0, "created published claimed redeemed")
	report, err := r.Report(ctx, r.shop, c.ID)
	if err != nil || report.Discount.Amount != 250 || report.Bags != 1 {
		t.Errorf("report %+v, %v", report, err)
	}
	past, err := r.Past(ctx, bag, c.ID, got.Number)
	if err != nil || len(past) != 2 || past[0].Who != "you" || past[1].Who != "opera.rosa" || past[1].Detail != "till-1" {
		t.Errorf("past %+v, %v", past, err)
	}

	// With the code of the next guest the key once spent that coupon, too.
	_, second := r.claim(c)
	spend.Currency = c.Currency
	_, err = r.Spend(ctx, r.shop, "opera.rosa", "till-1", second.Code, spend)
	r.refused(err, booking.ErrKeyReused)
	if seen, err := r.Verify(ctx, r.shop, "opera.rosa", second.Code); err != nil || seen.State != coupon.Claimed {
		t.Errorf("the other guest's: %+v, %v", seen, err)
	}
	_, err = r.Spend(ctx, r.shop, "opera.rosa", "till-2", second.Code, spend)
	r.must(err)
}

func theWindowAndTheLifeOfACoupon(t *testing.T, r *rig) {
	ctx := t.Context()
	c := r.published(func(t *coupon.Terms) { t.PublishFrom, t.UseWithin = t.PublishFrom.Add(time.Hour), 3600 })
	bag := uuid.NewString()
	_, _, err := r.Claim(ctx, c.ID, bag, "k")
	r.refused(err, coupon.ErrUnknown) // not even that it exists is told
	r.pass(time.Hour)
	_, got := r.claim(c)
	if !got.ExpiresAt.Equal(r.now().Add(time.Hour)) {
		t.Errorf("it expires at %v, an hour after its claim at %v", got.ExpiresAt, r.now())
	}
	r.pass(time.Hour - time.Second)
	if k, err := r.Verify(ctx, r.shop, "rosa", got.Code); err != nil || k.State != coupon.Claimed {
		t.Errorf("a second before its end: %+v, %v", k, err)
	}
	r.pass(time.Second) // nobody has swept
	if k, err := r.Verify(ctx, r.shop, "rosa", got.Code); err != nil || k.State != coupon.Expired {
		t.Errorf("at its end: %+v, %v", k, err)
	}
	_, err = r.Spend(ctx, r.shop, "rosa", "k", got.Code, booking.Money{Amount: 1000, Currency: c.Currency})
	r.refused(err, coupon.ErrExpired)
	if n, err := r.Expire(ctx); err != nil || n != 1 {
		t.Errorf("swept %d, %v", n, err)
	}
	r.queues(c, "published 4, expired 1")
	r.story(c, got.Number, "claimed expired")
	late := r.make(nil)
	r.pass(24 * time.Hour)
	_, err = r.Publish(ctx, r.shop, late.ID, "rosa", nil)
	r.refused(err, coupon.ErrOver)
	_, _, err = r.Claim(ctx, c.ID, bag, "k")
	r.refused(err, coupon.ErrOver)
	r.pass(7 * 24 * time.Hour)
	if n, err := r.Expire(ctx); err != nil || n != 4 {
		t.Errorf("swept %d, %v", n, err)
	}
	r.queues(c, "expired 5")
	r.story(c, 0, "created published claimed expired expired")
	if c, err := r.Show(ctx, c.ID); err != nil || c.State != coupon.Expired || *c.Left != 0 {
		t.Errorf("after all: %+v, %v", c, err)
	}
}

// Between the moment in which the till looks at a coupon and the one in which it uses it up
// the coupon comes to its end.
func aCouponThatEndsAtTheTill(t *testing.T, r *rig) {
	c := r.published(func(t *coupon.Terms) { t.UseWithin = 60 })
	_, got := r.claim(c)
	r.pass(time.Minute - time.Second)
	till := r.At(func() time.Time { // each look at the clock takes a second
		now := r.now()
		r.pass(time.Second)
		return now
	})
	total := booking.Money{Amount: 1000, Currency: c.Currency}
	_, err := till.Spend(t.Context(), r.shop, "rosa", "k", got.Code, total)
	r.refused(err, coupon.ErrExpired)
	r.story(c, got.Number, "claimed")
	_, got = r.claim(c)
	r.pass(time.Minute - 2*time.Second)
	if used, err := till.Spend(t.Context(), r.shop, "rosa", "k", got.Code, total); err != nil || used.State != coupon.Redeemed {
		t.Errorf("in its last second: %+v, %v", used, err)
	}
}

// Withdrawing takes back what nobody paid for, bags included, and says why.
func withdrawing(t *testing.T, r *rig) {
	ctx := t.Context()
	c := r.published(nil)
	bag, got := r.claim(c)
	h := r.hold(1)
	_, err := r.Reserve(ctx, bag, got.Code, h, r.total(h))
	r.must(err)
	_, err = r.Withdraw(ctx, r.shop, c.ID, "opera.rosa", " ")
	r.refused(err, coupon.ErrInvalid)
	_, err = r.Withdraw(ctx, r.other, c.ID, "cinema.tom", "mine now")
	r.refused(err, coupon.ErrUnknown)
	for range 2 {
		_, err = r.Withdraw(ctx, r.shop, c.ID, "opera.rosa", "a mistake")
		r.must(err)
	}
	r.queues(c, "withdrawn 5")
	_, _, err = r.Claim(ctx, c.ID, uuid.NewString(), "k")
	r.refused(err, coupon.ErrWithdrawn)
	_, found, err := r.OfHold(ctx, r.show, h.ID, r.total(h)) // it does not fall off the hold in silence
	if r.refused(err, coupon.ErrWithdrawn); !found {
		t.Error("the hold has lost its coupon without a word")
	}
	r.must(r.TakeOff(ctx, h))
	if _, found, err := r.OfHold(ctx, r.show, h.ID, r.total(h)); found || err != nil {
		t.Errorf("taken off: %v, %v", found, err)
	}
	_, err = r.Publish(ctx, r.shop, c.ID, "opera.rosa", nil)
	r.refused(err, coupon.ErrState)
	entries, _, err := r.History(ctx, r.shop, c.ID, 0, booking.Page{})
	if last := entries[len(entries)-1]; err != nil || last.Entry != "withdrawn" || last.Detail != "a mistake" || last.Who != "opera.rosa" {
		t.Errorf("history ends with %+v, %v", last, err)
	}
}

// Checkouts that ask together are each told of their own hold, also by a store that is
// closed; and what is no hold spoils nobody's question.
func manyAskAtOnce(t *testing.T, r *rig) {
	ctx := t.Context()
	c := r.published(func(t *coupon.Terms) { t.Stock = 50 })
	holds, off := make([]hold.Hold, 120), make([]bool, 120)
	for i := range holds {
		holds[i] = hold.Hold{ID: uuid.NewString(), Session: uuid.NewString(), Performance: r.show}
		if off[i] = i%8 == 3; off[i] {
			bag, got := r.claim(c)
			holds[i] = r.hold(1)
			_, err := r.Reserve(ctx, bag, got.Code, holds[i], r.total(holds[i]))
			r.must(err)
		}
	}
	ask := func() {
		var g errgroup.Group
		for i, h := range holds {
			g.Go(func() error {
				l, found, err := r.OfHold(ctx, r.show, h.ID, r.tier.Price)
				if err != nil || found != off[i] || found && l.Hold != h.ID {
					return fmt.Errorf("hold %d: %+v, %v, %w", i, l.Copy, found, err)
				}
				return nil
			})
			g.Go(func() error {
				if _, found, err := r.OfHold(ctx, r.show, "'; drop table coupon_copies; --", r.tier.Price); found || err != nil {
					return fmt.Errorf("no hold at all: %v, %w", found, err)
				}
				return nil
			})
		}
		r.must(g.Wait())
	}
	ask()
	r.Close()
	ask()
}

// A reservation lives exactly as long as its hold.
func aReservationReturnsWithItsHold(t *testing.T, r *rig) {
	ctx := t.Context()
	c := r.published(func(t *coupon.Terms) { t.Shareable = true })
	bag, got := r.claim(c)
	first, second := r.hold(2), r.hold(1)
	for range 2 {
		k, err := r.Reserve(ctx, "", got.Code, first, r.total(first))
		if err != nil || k.State != coupon.Reserved || k.Hold != first.ID {
			t.Fatalf("reserved %+v, %v", k, err)
		}
	}
	l, found, err := r.OfHold(ctx, r.show, first.ID, r.total(first))
	if err != nil || !found || l.Discount.Amount != 2*r.tier.Price.Amount/5 {
		t.Errorf("of the hold: %+v, %v, %v", l, found, err)
	}
	_, err = r.Reserve(ctx, bag, got.Code, second, r.total(second))
	r.refused(err, coupon.ErrReserved)
	_, more := r.claim(c)
	_, err = r.Reserve(ctx, "", more.Code, first, r.total(first))
	r.refused(err, coupon.ErrOne)

	r.pass(9 * time.Minute)
	_, err = r.holds.Extend(ctx, r.show, first.ID, first.Session, 10*time.Minute)
	r.must(err)
	r.pass(2 * time.Minute) // past the first end
	if n, err := r.Lapse(ctx); err != nil || n != 0 {
		t.Errorf("the hold lives and %d were given back, %v", n, err)
	}
	r.queues(c, "published 3, claimed 1, reserved 1")
	r.pass(10 * time.Minute)
	second = r.hold(1)
	_, err = r.Reserve(ctx, bag, got.Code, second, r.total(second)) // nobody had swept
	r.must(err)
	r.pass(time.Hour)
	if n, err := r.Lapse(ctx); err != nil || n != 1 {
		t.Errorf("the hold is over and %d were given back, %v", n, err)
	}
	third := r.hold(1)
	_, err = r.Reserve(ctx, bag, got.Code, third, r.total(third))
	r.must(err)
	r.must(r.TakeOff(ctx, third))
	r.queues(c, "published 3, claimed 2")
	r.story(c, got.Number, "claimed reserved returned reserved returned reserved returned")
}

// A hold that is being paid for keeps its coupon, whatever its time.
func aCouponStaysWhileAPaymentIsOpen(t *testing.T, r *rig) {
	ctx := t.Context()
	c := r.published(nil)
	bag, got := r.claim(c)
	h := r.hold(1)
	_, err := r.Reserve(ctx, bag, got.Code, h, r.total(h))
	r.must(err)
	attempt := uuid.NewString()
	_, err = r.holds.Pay(ctx, r.show, h.ID, h.Session, attempt)
	r.must(err)
	_, err = r.db.Exec(ctx, `insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key, request_mac,
		units, amount, currency, method, state) values ($1, $2, $3, 'gala', $4, 'p', 'k', '\x00', '{1}', 1, 'EUR', '', 'started')`, r.show, attempt, h.ID, h.Session)
	r.must(err)
	r.must(r.TakeOff(ctx, h))
	r.pass(time.Hour)
	_, err = r.Lapse(ctx)
	r.must(err)
	r.queues(c, "published 4, reserved 1")
	_, err = r.db.Exec(ctx, `update attempts set state = 'closed'`)
	r.must(err)
	r.must(r.holds.Unpay(ctx, r.show, h.ID, attempt, time.Minute))
	r.pass(time.Hour)
	_, err = r.Lapse(ctx)
	r.must(err)
	r.queues(c, "published 4, claimed 1")
}

// What is for another show, too small or in another currency is refused before
// anything is reserved.
func aCouponIsForWhatItSays(t *testing.T, r *rig) {
	ctx := t.Context()
	h := r.hold(1)
	for want, change := range map[error]func(*coupon.Terms){
		coupon.ErrElsewhere: func(t *coupon.Terms) { t.Product = "coffee" },
		coupon.ErrMinimum:   func(t *coupon.Terms) { t.MinSpend = r.tier.Price.Amount + 1 },
	} {
		c := r.published(change)
		bag, got := r.claim(c)
		_, err := r.Reserve(ctx, bag, got.Code, h, r.total(h))
		r.refused(err, want)
		r.queues(c, "published 4, claimed 1")
	}
	c := r.published(func(t *coupon.Terms) { t.Currency = "JPY" })
	bag, got := r.claim(c)
	_, err := r.Reserve(ctx, bag, got.Code, h, r.total(h))
	r.refused(err, coupon.ErrElsewhere)
}
