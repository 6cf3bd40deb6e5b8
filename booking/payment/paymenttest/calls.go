package paymenttest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
)

// step is one of the calls that answer with a payment.
type step func(context.Context, payment.Charge) (payment.Payment, error)

// Whatever is asked twice is answered the second time as the first time,
// whether or not the caller knows the provider's id.
func repeats(b *bench) {
	c, first := b.authorized(b.Cards.OK)
	if first.Attempt != c.Attempt || first.Amount != c.Amount || first.Ref == "" || first.Refunded != 0 ||
		b.Now().Sub(first.CreatedAt).Abs() > time.Minute {
		b.Fatalf("authorized %+v, asked for %+v", first, c)
	}
	known := c
	known.Ref = first.Ref
	for _, c := range []payment.Charge{c, known} {
		for name, call := range map[string]step{"find": b.Provider.Find, "authorize": b.Provider.Authorize} {
			if again, err := call(b.Context(), c); err != nil || again != first {
				b.Errorf("%s again: %+v, %v", name, again, err)
			}
		}
	}
	for _, call := range []step{b.Provider.Capture, b.Provider.Capture, b.Provider.Void, b.Provider.Find, b.Provider.Authorize} {
		for _, c := range []payment.Charge{c, known} {
			if now, err := call(b.Context(), c); err != nil || now.State != payment.Captured || now.Ref != first.Ref || now.Amount != c.Amount {
				b.Errorf("after the capture: %+v, %v", now, err)
			}
		}
	}
}

// What was let go or declined stays so.
func finals(b *bench) {
	voided, p := b.authorized(b.Cards.OK)
	voided.Ref = p.Ref
	now, err := b.Provider.Void(b.Context(), voided)
	b.is("void", payment.Voided, now, err)

	declined := b.charge(b.Cards.Declined)
	now, err = b.Provider.Authorize(b.Context(), declined)
	b.is("authorize a bad card", payment.Declined, now, err)
	known := declined
	known.Ref = now.Ref

	for _, c := range []payment.Charge{voided, declined, known} {
		for _, call := range []step{b.Provider.Capture, b.Provider.Find, b.Provider.Void, b.Provider.Authorize, b.Provider.Find} {
			now, err := call(b.Context(), c)
			b.gone("afterwards", now, err)
		}
		if _, err := b.Provider.Refund(b.Context(), c, payment.Refund{ID: b.id(), Amount: c.Amount}); !errors.Is(err, payment.ErrNotRefundable) {
			b.Errorf("refund of what was not taken: %v", err)
		}
	}
}

// A card is known again without its number.
func card(b *bench) {
	_, first := b.authorized(b.Cards.OK)
	_, again := b.captured(b.Cards.OK)
	_, other := b.captured(b.Cards.Twice)
	if first.Card == "" || first.Card != again.Card || first.Card == other.Card {
		b.Errorf("one card twice is %q and %q, another one %q", first.Card, again.Card, other.Card)
	}
}

func unknown(b *bench) {
	for range 2 {
		c := b.charge(b.Cards.OK)
		for _, call := range []step{b.Provider.Find, b.Provider.Capture, b.Provider.Void, b.Provider.Find} {
			if p, err := call(b.Context(), c); !errors.Is(err, payment.ErrNone) {
				b.Errorf("answered %+v, %v; want none", p, err)
			}
		}
		if _, err := b.Provider.Refund(b.Context(), c, payment.Refund{ID: b.id(), Amount: c.Amount}); !errors.Is(err, payment.ErrNone) {
			b.Errorf("refund: %v, want none", err)
		}
	}
}

// What somebody has recorded and the provider does not know is another
// account's: that it is gone may not be concluded.
func foreign(b *bench) {
	c := b.charge(b.Cards.OK)
	c.Ref = "pi_of_another_account"
	for _, call := range []step{b.Provider.Find, b.Provider.Capture, b.Provider.Void, b.Provider.Find} {
		if p, err := call(b.Context(), c); err == nil || errors.Is(err, payment.ErrNone) {
			b.Errorf("answered %+v, %v; want an error", p, err)
		}
	}
}

func methods(b *bench) {
	for _, method := range []string{b.Cards.Unknown, "", "visa", "4242424242424242", "pm_4242_4242_4242_4242", "pm_card_visa' or 1=1", "pm_\x00"} {
		c := b.charge(method)
		if p, err := b.Provider.Authorize(b.Context(), c); !errors.Is(err, payment.ErrMethodUnknown) {
			b.Errorf("%q: %+v, %v; want method unknown", method, p, err)
		}
		if p, err := b.find(c); !errors.Is(err, payment.ErrNone) {
			b.Errorf("%q afterwards: %+v, %v; want none", method, p, err)
		}
	}
}

// Minor units are ISO 4217's, whatever the provider counts in.
func amounts(b *bench) {
	for _, m := range []booking.Money{{Amount: 1, Currency: "EUR"}, {Amount: 99_999_999, Currency: "USD"}, {Amount: 700, Currency: "JPY"},
		{Amount: 12_340, Currency: "KWD"}, {Amount: 5, Currency: "ISK"}} {
		c := b.charge(b.Cards.OK)
		c.Amount = m
		if p, err := b.Provider.Authorize(b.Context(), c); err != nil || p.Amount != m {
			b.Errorf("%+v: %+v, %v", m, p, err)
		}
		if p, err := b.Provider.Capture(b.Context(), c); err != nil || p.Amount != m {
			b.Errorf("%+v: captured %+v, %v", m, p, err)
		}
		r, err := b.Provider.Refund(b.Context(), c, payment.Refund{ID: b.id(), Amount: m})
		if err != nil || r.Amount != m {
			b.Errorf("%+v: refunded %+v, %v", m, r, err)
		}
		if p, err := b.find(c); err != nil || p.Refunded != m.Amount {
			b.Errorf("%+v: after the refund %+v, %v", m, p, err)
		}
	}
}

func lost(b *bench) {
	for range 2 {
		c := b.charge(b.Cards.Lost)
		if p, err := b.Provider.Authorize(b.Context(), c); err == nil {
			b.Fatalf("answered %+v", p)
		}
		p, err := b.find(c)
		b.is("looked up", payment.Authorized, p, err)
		again, err := b.Provider.Authorize(b.Context(), c)
		b.is("authorized again", payment.Authorized, again, err)
		if again.Ref != p.Ref {
			b.Errorf("two payments for one attempt: %s and %s", p.Ref, again.Ref)
		}
		p, err = b.Provider.Capture(b.Context(), c)
		b.is("capture", payment.Captured, p, err)
	}
	c := b.charge(b.Cards.Error)
	if p, err := b.Provider.Authorize(b.Context(), c); err == nil {
		b.Fatalf("answered %+v", p)
	}
	if p, err := b.find(c); !errors.Is(err, payment.ErrNone) {
		b.Errorf("nothing was recorded: %+v, %v; want none", p, err)
	}
}

func captureLost(b *bench) {
	c, _ := b.authorized(b.Cards.CaptureLost)
	if p, err := b.Provider.Capture(b.Context(), c); err == nil {
		b.Fatalf("answered %+v", p)
	}
	p, err := b.find(c)
	b.is("looked up", payment.Captured, p, err)
	p, err = b.Provider.Capture(b.Context(), c)
	b.is("captured again", payment.Captured, p, err)
	p, err = b.Provider.Void(b.Context(), c)
	b.is("too late to let go", payment.Captured, p, err)
}

func gaveUp(b *bench) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	c := b.charge(b.Cards.Timeout)
	answer := make(chan error, 1)
	go func() {
		_, err := b.Provider.Authorize(ctx, c)
		answer <- err
	}()
	b.until("the payment is in the books", func() bool {
		for p, err := range b.Provider.Since(b.Context(), "", b.Now().Add(-time.Hour)) {
			if err == nil && p.Attempt == c.Attempt {
				return true
			}
		}
		return false
	})
	cancel()
	if err := <-answer; err == nil {
		b.Error("answered although nobody waits any more")
	}
	p, err := b.find(c)
	b.is("looked up", payment.Authorized, p, err)
	p, err = b.Provider.Void(b.Context(), c)
	b.is("let go", payment.Voided, p, err)

	cancelled, cancel := context.WithCancel(b.Context())
	cancel()
	if p, err := b.Provider.Authorize(cancelled, b.charge(b.Cards.OK)); err == nil {
		b.Errorf("a caller that had gone already was answered %+v", p)
	}
}

// A call that comes late, after Find said none, either reserves nothing or can
// be found.
func noneIsKept(b *bench) {
	c := b.charge(b.Cards.OK)
	if p, err := b.find(c); !errors.Is(err, payment.ErrNone) {
		b.Fatalf("before: %+v, %v", p, err)
	}
	late, err := b.Provider.Authorize(b.Context(), c)
	found, findErr := b.find(c)
	if err != nil && !errors.Is(findErr, payment.ErrNone) || err == nil && (findErr != nil || found != late) {
		b.Errorf("authorized late: %+v, %v; then found %+v, %v", late, err, found, findErr)
	}
}

func keysExpire(b *bench) {
	c, first := b.authorized(b.Cards.OK)
	b.Later(25 * time.Hour)
	for name, call := range map[string]step{"find": b.Provider.Find, "authorize": b.Provider.Authorize} {
		if again, err := call(b.Context(), c); err != nil || again.Ref != first.Ref || again.State != payment.Authorized {
			b.Errorf("%s a day later: %+v, %v", name, again, err)
		}
	}
	p, err := b.Provider.Capture(b.Context(), c)
	b.is("capture a day later", payment.Captured, p, err)

	r := payment.Refund{ID: b.id(), Amount: booking.Money{Amount: 1000, Currency: "EUR"}}
	back, err := b.Provider.Refund(b.Context(), c, r)
	if err != nil || back.State != payment.RefundDone {
		b.Fatalf("refund: %+v, %v", back, err)
	}
	b.Later(25 * time.Hour)
	if again, err := b.Provider.Refund(b.Context(), c, r); err != nil || again != back {
		b.Errorf("the same refund a day later: %+v, %v", again, err)
	}
	if p, err := b.find(c); err != nil || p.Refunded != 1000 {
		b.Errorf("refunded twice: %+v, %v", p, err)
	}
	b.one(c)
}

func lapses(b *bench) {
	for _, ref := range []bool{true, false} {
		c, p := b.authorized(b.Cards.OK)
		if ref {
			c.Ref = p.Ref
		}
		b.Later(8 * 24 * time.Hour)
		p, err := b.Provider.Capture(b.Context(), c)
		b.is("capture after a week", payment.Voided, p, err)
		p, err = b.Provider.Find(b.Context(), c)
		b.is("looked up", payment.Voided, p, err)
	}
}

// one checks that the books have one payment of an attempt.
func (b *bench) one(c payment.Charge) payment.Payment {
	b.Helper()
	var found []payment.Payment
	for p, err := range b.Provider.Since(b.Context(), "", time.Unix(0, 0)) {
		if err != nil {
			b.Fatalf("reading the books: %v", err)
		}
		if p.Attempt == c.Attempt {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		b.Fatalf("the books have %d payments of one attempt: %+v", len(found), found)
	}
	return found[0]
}

// together has callers do something at once.
func together(n int, do func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

// Some of many callers may be told that another one is at it.
func manyAuthorize(b *bench) {
	c := b.charge(b.Cards.OK)
	var answers [8]payment.Payment
	together(len(answers), func(i int) { answers[i], _ = b.Provider.Authorize(b.Context(), c) })
	p, err := b.find(c)
	b.is("looked up", payment.Authorized, p, err)
	for _, a := range answers {
		if a != (payment.Payment{}) && a != p {
			b.Errorf("one was answered %+v, it is %+v", a, p)
		}
	}
	b.one(c)
}

// A request and a webhook may capture at once, whatever the capture brings with it: both
// are told that it is done.
func manyCapture(b *bench) {
	for i := range 24 {
		c, p := b.authorized([]string{b.Cards.OK, b.Cards.Disputed, b.Cards.Inquiry}[i%3])
		c.Ref = p.Ref
		var answers [6]payment.Payment
		var errs [6]error
		together(len(answers), func(i int) { answers[i], errs[i] = b.Provider.Capture(b.Context(), c) })
		for i, a := range answers {
			if errs[i] != nil || a.State != payment.Captured {
				b.Errorf("one was answered %+v, %v", a, errs[i])
			}
		}
		b.one(c)
	}
}

func captureOrVoid(b *bench) {
	for range 4 {
		c, p := b.authorized(b.Cards.OK)
		c.Ref = p.Ref
		var answers [6]payment.Payment
		var errs [6]error
		together(len(answers), func(i int) {
			call := []step{b.Provider.Capture, b.Provider.Void}[i%2]
			answers[i], errs[i] = call(b.Context(), c)
		})
		now, err := b.find(c)
		if err != nil || now.State != payment.Captured && now.State != payment.Voided {
			b.Fatalf("afterwards: %+v, %v", now, err)
		}
		for i, a := range answers {
			if errs[i] != nil || a.State != now.State {
				b.Errorf("one was answered %+v, %v; it is %s", a, errs[i], now.State)
			}
		}
	}
}
