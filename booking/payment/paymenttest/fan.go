package paymenttest

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
)

// back is where a fan's browser comes back to.
const back = "https://tickets.example.org/back"

func action(b *bench) {
	ask := func() (payment.Charge, payment.Payment) {
		c := b.charge(b.Cards.Action)
		c.Return = back
		p, err := b.Provider.Authorize(b.Context(), c)
		b.is("authorize", payment.NeedsAction, p, err)
		if p.Action == "" {
			b.Fatal("an action is needed, but not where")
		}
		if again, err := b.Provider.Authorize(b.Context(), c); err != nil || again != p {
			b.Errorf("authorized again: %+v, %v; before: %+v", again, err, p)
		}
		early, err := b.Provider.Capture(b.Context(), c)
		b.is("captured before the fan confirmed", payment.NeedsAction, early, err)
		return c, p
	}

	c, p := ask()
	if err := b.Confirm(b.Context(), c, p, true); err != nil {
		b.Fatal(err)
	}
	p, err := b.find(c)
	b.is("confirmed", payment.Authorized, p, err)
	if p.Action != "" {
		b.Errorf("confirmed, but asked to confirm again: %+v", p)
	}
	p, err = b.Provider.Capture(b.Context(), c)
	b.is("captured", payment.Captured, p, err)

	c, p = ask()
	if err := b.Confirm(b.Context(), c, p, false); err != nil {
		b.Fatal(err)
	}
	p, err = b.find(c)
	b.is("refused by the fan", payment.Declined, p, err)
	if err := b.Confirm(b.Context(), c, p, true); err == nil {
		b.Error("confirmed after it was declined")
	}
	p, err = b.Provider.Capture(b.Context(), c)
	b.gone("captured after it was declined", p, err)

	c, p = ask()
	asked := p
	p, err = b.Provider.Void(b.Context(), c)
	b.is("let go before the fan confirmed", payment.Voided, p, err)
	if err := b.Confirm(b.Context(), c, asked, true); err == nil {
		b.Error("confirmed after it was let go")
	}
	p, err = b.find(c)
	b.is("afterwards", payment.Voided, p, err)
}

// Without a place to come back to nobody can take an action.
func actionWithoutReturn(b *bench) {
	c := b.charge(b.Cards.Action)
	p, err := b.Provider.Authorize(b.Context(), c)
	b.is("authorize", payment.Declined, p, err)
	p, err = b.find(c)
	b.gone("looked up", p, err)
}

func refunds(b *bench) {
	c, p := b.authorized(b.Cards.OK)
	eur := func(n int64) payment.Refund {
		return payment.Refund{ID: b.id(), Amount: booking.Money{Amount: n, Currency: "EUR"}}
	}
	give := func(r payment.Refund, c payment.Charge) payment.Refunded {
		b.Helper()
		done, err := b.Provider.Refund(b.Context(), c, r)
		if err != nil || done.State != payment.RefundDone || done.Amount != r.Amount || done.Ref == "" {
			b.Fatalf("refund of %d: %+v, %v", r.Amount.Amount, done, err)
		}
		return done
	}
	refuse := func(what string, r payment.Refund) {
		b.Helper()
		if done, err := b.Provider.Refund(b.Context(), c, r); !errors.Is(err, payment.ErrNotRefundable) {
			b.Errorf("%s: %+v, %v; want not refundable", what, done, err)
		}
	}
	refuse("before the capture", eur(1))
	if _, err := b.Provider.Capture(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	refuse("more than was taken", eur(4501))
	refuse("nothing", eur(0))
	refuse("less than nothing", eur(-1))
	refuse("another currency", payment.Refund{ID: b.id(), Amount: booking.Money{Amount: 100, Currency: "USD"}})
	known := c
	known.Ref = p.Ref
	first := eur(1500)
	done := give(first, c)
	if again := give(first, known); again != done {
		b.Errorf("the same refund again: %+v, first %+v", again, done)
	}
	if p, err := b.find(c); err != nil || p.State != payment.Captured || p.Refunded != 1500 || p.Amount.Amount != 4500 {
		b.Errorf("after one refund: %+v, %v", p, err)
	}
	refuse("more than is left", eur(3001))
	give(eur(3000), known)
	refuse("when nothing is left", eur(1))
	if p := b.one(c); p.Refunded != 4500 {
		b.Errorf("after all refunds: %+v", p)
	}

	c, _ = b.captured(b.Cards.OK)
	once := eur(500)
	together(8, func(int) { _, _ = b.Provider.Refund(b.Context(), c, once) })
	if p := b.one(c); p.Refunded != 500 {
		b.Errorf("one refund asked for eight times at once gave back %d cents", p.Refunded)
	}

	c, _ = b.captured(b.Cards.OK)
	halves := []payment.Refund{eur(2500), eur(2500)}
	together(8, func(i int) { _, _ = b.Provider.Refund(b.Context(), c, halves[i%2]) })
	if p := b.one(c); p.Refunded != 2500 {
		b.Errorf("refunds of 25 and 25 from 45 at once gave back %d cents", p.Refunded)
	}
}

// The books have each payment once, whatever became of it, and nothing from
// before the time that was asked for.
func books(b *bench) {
	old, _ := b.authorized(b.Cards.OK)
	b.Later(time.Hour)
	from := b.Now().Truncate(time.Second)
	want := map[string]payment.State{}
	for range 103 { // more than a page of any provider's
		c, _ := b.authorized(b.Cards.OK)
		want[c.Attempt] = payment.Authorized
	}
	taken, _ := b.captured(b.Cards.OK)
	want[taken.Attempt] = payment.Captured
	lost := b.charge(b.Cards.Lost)
	if _, err := b.Provider.Authorize(b.Context(), lost); err == nil {
		b.Fatal("the answer was not lost")
	}
	want[lost.Attempt] = payment.Authorized
	for p, err := range b.Provider.Since(b.Context(), "", from) {
		if err != nil {
			b.Fatal(err)
		}
		if p.Attempt == old.Attempt {
			b.Error("a payment from before")
		}
		if p.State != want[p.Attempt] || p.Amount != taken.Amount || p.CreatedAt.Before(from) {
			b.Errorf("the books say %+v, want %s", p, want[p.Attempt])
		}
		delete(want, p.Attempt)
	}
	if len(want) > 0 {
		b.Errorf("not in the books: %v", want)
	}
	for p, err := range b.Provider.Since(b.Context(), "", time.Unix(0, 0)) {
		if err != nil || p.Attempt == "" {
			b.Fatalf("the books say %+v, %v", p, err)
		}
		break // who stops reading is left in peace
	}
}

func webhooks(b *bench) {
	c, p := b.authorized(b.Cards.OK)
	seen := map[string]bool{}
	var state payment.State // that the last event told of
	told := func(what string, about payment.About, refund string) {
		b.Helper()
		events := b.heard()
		i := slices.IndexFunc(events, func(e payment.Event) bool { return e.About == about })
		if i < 0 {
			b.Fatalf("%s: heard %+v", what, events)
		}
		for _, e := range events {
			if e.ID == "" || seen[e.ID] || e.Ref != p.Ref || b.Now().Sub(e.At).Abs() > time.Minute {
				b.Errorf("%s: heard %+v", what, e)
			}
			seen[e.ID] = true
		}
		if e := events[i]; about == payment.AboutPayment && e.Attempt != c.Attempt || e.Refund != refund {
			b.Errorf("%s: heard %+v, want attempt %s, refund %q", what, e, c.Attempt, refund)
		}
		state = events[i].State
	}
	said := func(want payment.State) {
		b.Helper()
		if state != want {
			b.Errorf("heard that it was %q then, want %s", state, want)
		}
	}
	told("authorized", payment.AboutPayment, "")
	said(payment.Authorized)
	if _, err := b.Provider.Capture(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	told("captured", payment.AboutPayment, "")
	said(payment.Captured)
	r := payment.Refund{ID: b.id(), Amount: booking.Money{Amount: 500, Currency: "EUR"}}
	if _, err := b.Provider.Refund(b.Context(), c, r); err != nil {
		b.Fatal(err)
	}
	told("refunded", payment.AboutRefund, r.ID)

	for _, card := range []string{b.Cards.Declined, b.Cards.Lost} {
		c = b.charge(card)
		_, _ = b.Provider.Authorize(b.Context(), c)
		found, err := b.find(c)
		if err != nil {
			b.Fatal(err)
		}
		p = found
		told(card, payment.AboutPayment, "")
	}
	c, p = b.authorized(b.Cards.OK)
	if _, err := b.Provider.Void(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	told("let go", payment.AboutPayment, "")
	if events := b.heard(); len(events) > 0 {
		b.Errorf("heard of nothing new: %+v", events)
	}
}

func webhookTwiceOrEarly(b *bench) {
	c := b.charge(b.Cards.Early)
	if _, err := b.Provider.Authorize(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	events := b.read(b.ear.Take()) // nobody has called Deliver
	if len(events) == 0 || events[0].Attempt != c.Attempt {
		b.Fatalf("before the answer: heard %+v", events)
	}

	c, _ = b.authorized(b.Cards.Twice)
	events = b.heard()
	ids := map[string]int{}
	for _, e := range events {
		ids[e.ID]++
	}
	for id, n := range ids {
		if n != 2 {
			b.Errorf("event %s came %d times", id, n)
		}
	}
	if len(events) == 0 || events[0].Attempt != c.Attempt {
		b.Errorf("heard %+v", events)
	}
}

func forged(b *bench) {
	b.authorized(b.Cards.OK)
	if err := b.Deliver(b.Context()); err != nil {
		b.Fatal(err)
	}
	good := b.ear.Take()[0]
	if _, err := b.Provider.Event(good.Header, good.Body); err != nil {
		b.Fatalf("a good one: %v", err)
	}
	refuse := func(what string, r Request) {
		b.Helper()
		if e, err := b.Provider.Event(r.Header, r.Body); !errors.Is(err, payment.ErrNotAuthentic) {
			b.Errorf("%s: %+v, %v; want not authentic", what, e, err)
		}
	}
	refuse("another body", Request{good.Header, []byte(strings.Replace(string(good.Body), "a", "b", 1))})
	refuse("more body", Request{good.Header, append(slices.Clone(good.Body), ' ')})
	refuse("no body", Request{good.Header, nil})
	refuse("no header", Request{nil, good.Body})
	for name, values := range good.Header {
		if !strings.Contains(values[0], "v1=") {
			continue
		}
		for what, value := range map[string]string{
			"empty":             "",
			"nonsense":          "t",
			"another time":      "t=1" + values[0][len("t="):],
			"a second time":     "t=1," + values[0],
			"another scheme":    strings.Replace(values[0], "v1=", "v0=", 1),
			"another signature": values[0][:len(values[0])-2] + "0g",
			"half a signature":  values[0][:len(values[0])-2],
		} {
			h := good.Header.Clone()
			h.Set(name, value)
			refuse(what, Request{h, good.Body})
		}
	}
	b.Later(6 * time.Minute)
	refuse("sent again later", good)
	b.Later(-12 * time.Minute)
	refuse("from the future", good)
}
