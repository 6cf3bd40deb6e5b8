package paymenttest

import (
	"errors"
	"slices"
	"time"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment"
)

// What banks do, and people at the provider.

// contested makes a payment that is in dispute, and tells which.
func (b *bench) contested(card string) (payment.Charge, payment.Payment, string) {
	b.Helper()
	b.heard()
	c, p := b.captured(card)
	events := b.heard()
	i := slices.IndexFunc(events, func(e payment.Event) bool { return e.About == payment.AboutDispute })
	if i < 0 || events[i].Ref != p.Ref || events[i].Dispute == "" {
		b.Fatalf("heard %+v", events)
	}
	return c, p, events[i].Dispute
}

// stands checks how a dispute stands, and that the books say the same.
func (b *bench) stands(c payment.Charge, p payment.Payment, ref string, want payment.DisputeState, withdrawn, reinstated int64) payment.Dispute {
	b.Helper()
	d, err := b.Provider.Dispute(b.Context(), "", ref)
	if err != nil || d.Ref != ref || d.Payment != p.Ref || d.Attempt != c.Attempt || d.State != want || d.Amount != c.Amount || d.Reason == "" ||
		d.Withdrawn != withdrawn || d.Reinstated != reinstated || d.EvidenceDue.IsZero() != want.Over() || b.Now().Sub(d.OpenedAt).Abs() > time.Minute {
		b.Fatalf("the dispute is %+v, %v; want %s, %d and %d", d, err, want, withdrawn, reinstated)
	}
	if (d.Fee.Taken == 0) != (withdrawn == 0) || d.Fee.Taken > 0 && d.Fee.Currency != "EUR" {
		b.Errorf("%d were withdrawn, for a fee of %+v", withdrawn, d.Fee)
	}
	found := 0
	for listed, err := range b.Provider.Disputes(b.Context(), "", d.OpenedAt.Truncate(time.Second)) {
		if err != nil {
			b.Fatal(err)
		}
		if listed.Ref == ref {
			found++
		}
		if listed.Ref == ref && listed != d {
			b.Errorf("the books say %+v, want %+v", listed, d)
		}
	}
	if found != 1 {
		b.Errorf("the dispute is %d times in the books", found)
	}
	return d
}

func disputes(b *bench) {
	for _, won := range []bool{true, false} {
		c, p, ref := b.contested(b.Cards.Disputed)
		b.stands(c, p, ref, payment.DisputeOpen, 4500, 0)
		if done, err := b.Provider.Refund(b.Context(), c, payment.Refund{ID: b.id(), Amount: c.Amount}); !errors.Is(err, payment.ErrNotRefundable) {
			b.Errorf("given back while in dispute: %+v, %v", done, err)
		}
		if err := b.Judge(b.Context(), p, won); err != nil {
			b.Fatal(err)
		}
		if events := b.heard(); !slices.ContainsFunc(events, func(e payment.Event) bool { return e.Dispute == ref && e.About == payment.AboutDispute }) {
			b.Errorf("judged: heard %+v", events)
		}
		if won {
			b.stands(c, p, ref, payment.DisputeWon, 4500, 4500)
		} else {
			b.stands(c, p, ref, payment.DisputeLost, 4500, 0)
		}
		if now := b.one(c); now.State != payment.Captured || now.Refunded != 0 {
			b.Errorf("a dispute is no refund: %+v", now)
		}
		if err := b.Judge(b.Context(), p, !won); err == nil {
			b.Error("judged twice")
		}
	}
	for d, err := range b.Provider.Disputes(b.Context(), "", b.Now().Add(time.Hour)) {
		b.Errorf("a dispute of tomorrow: %+v, %v", d, err)
	}
	if d, err := b.Provider.Dispute(b.Context(), "", "dp_of_nobody"); err == nil {
		b.Errorf("nobody's dispute is %+v", d)
	}
}

func inquiry(b *bench) {
	c, p, ref := b.contested(b.Cards.Inquiry)
	b.stands(c, p, ref, payment.DisputeAsked, 0, 0)
	if err := b.Judge(b.Context(), p, true); err != nil {
		b.Fatal(err)
	}
	b.stands(c, p, ref, payment.DisputeWon, 0, 0)

	c, p, ref = b.contested(b.Cards.Inquiry)
	done, err := b.Provider.Refund(b.Context(), c, payment.Refund{ID: b.id(), Amount: booking.Money{Amount: 500, Currency: "EUR"}})
	if err != nil || done.State != payment.RefundDone {
		b.Errorf("given back before anything was taken: %+v, %v", done, err)
	}
	if err := b.Judge(b.Context(), p, false); err != nil {
		b.Fatal(err)
	}
	if d, err := b.Provider.Dispute(b.Context(), "", ref); err != nil || d.State != payment.DisputeLost || d.Withdrawn != 4500 {
		b.Errorf("lost: %+v, %v", d, err)
	}
}

func byHand(b *bench) {
	c, p := b.captured(b.Cards.OK)
	b.heard()
	from := b.Now().Truncate(time.Second)
	ours := payment.Refund{ID: b.id(), Amount: booking.Money{Amount: 1000, Currency: "EUR"}}
	if _, err := b.Provider.Refund(b.Context(), c, ours); err != nil {
		b.Fatal(err)
	}
	if err := b.RefundByHand(b.Context(), p, 700); err != nil {
		b.Fatal(err)
	}
	events := b.heard()
	if i := slices.IndexFunc(events, func(e payment.Event) bool { return e.About == payment.AboutRefund && e.Refund == "" }); i < 0 || events[i].Ref != p.Ref || len(events) != 2 {
		b.Errorf("heard %+v", events)
	}
	if now, err := b.Provider.Find(b.Context(), payment.Charge{Ref: p.Ref}); err != nil || now.Attempt != c.Attempt || now.Refunded != 1700 {
		b.Errorf("found by its reference: %+v, %v", now, err)
	}
	known := c
	known.Ref = p.Ref
	all, err := b.Provider.Refunds(b.Context(), known)
	if err != nil || len(all) != 2 {
		b.Fatalf("refunds: %+v, %v", all, err)
	}
	slices.SortFunc(all, func(x, y payment.Refunded) int { return int(x.Amount.Amount - y.Amount.Amount) })
	if r := all[0]; r.ID != "" || r.Payment != p.Ref || r.State != payment.RefundDone || r.Amount.Amount != 700 || r.Amount.Currency != "EUR" || r.Ref == "" {
		b.Errorf("by hand: %+v", r)
	}
	if r := all[1]; r.ID != ours.ID || r.Amount.Amount != 1000 {
		b.Errorf("ours: %+v", r)
	}
	listed := 0
	for r, err := range b.Provider.RefundsByHand(b.Context(), "", from) {
		if listed++; err != nil || r != all[0] {
			b.Errorf("the books say %+v, %v", r, err)
		}
	}
	if listed != 1 {
		b.Errorf("%d refunds by hand are in the books", listed)
	}
}

// A bank sends back what was given back: the money is ours again, the same refund stays
// failed, and another one gives it back.
func sentBack(b *bench) {
	c, p := b.captured(b.Cards.OK)
	c.Ref = p.Ref
	from := b.Now().Truncate(time.Second)
	r := payment.Refund{ID: b.id(), Amount: c.Amount}
	done, err := b.Provider.Refund(b.Context(), c, r)
	if err != nil || done.State != payment.RefundDone {
		b.Fatalf("refund: %+v, %v", done, err)
	}
	b.heard()
	sendBack := func(r payment.Refunded, id string) {
		b.Helper()
		if err := b.SendBack(b.Context(), r); err != nil {
			b.Fatal(err)
		}
		if err := b.SendBack(b.Context(), r); err == nil {
			b.Error("sent back twice")
		}
		events := b.heard()
		if len(events) == 0 || slices.ContainsFunc(events, func(e payment.Event) bool {
			return e.About != payment.AboutRefund || e.Refund != id || e.Ref != p.Ref || e.ID == ""
		}) {
			b.Errorf("sent back: heard %+v", events)
		}
	}
	sendBack(done, r.ID)
	done.State = payment.RefundFailed
	if now := b.one(c); now.State != payment.Captured || now.Refunded != 0 {
		b.Errorf("after it was sent back: %+v", now)
	}
	b.Later(25 * time.Hour) // no key is kept that long
	if again, err := b.Provider.Refund(b.Context(), c, r); err != nil || again != done {
		b.Errorf("the same again: %+v, %v; want %+v", again, err, done)
	}
	if now := b.one(c); now.Refunded != 0 {
		b.Errorf("the same again gave back: %+v", now)
	}
	other := payment.Refund{ID: b.id(), Amount: c.Amount}
	if again, err := b.Provider.Refund(b.Context(), c, other); err != nil || again.State != payment.RefundDone {
		b.Errorf("another one: %+v, %v", again, err)
	}
	if all, err := b.Provider.Refunds(b.Context(), c); err != nil || len(all) != 2 || !slices.Contains(all, done) {
		b.Errorf("refunds: %+v, %v", all, err)
	}

	c, p = b.captured(b.Cards.OK)
	c.Ref = p.Ref
	if err := b.RefundByHand(b.Context(), p, 700); err != nil {
		b.Fatal(err)
	}
	b.heard()
	all, err := b.Provider.Refunds(b.Context(), c)
	if err != nil || len(all) != 1 {
		b.Fatalf("refunds: %+v, %v", all, err)
	}
	sendBack(all[0], "")
	for r, err := range b.Provider.RefundsByHand(b.Context(), "", from) {
		if err != nil || r.Ref != all[0].Ref || r.State != payment.RefundFailed {
			b.Errorf("the books say %+v, %v", r, err)
		}
	}
}

// An organizer is paid on an account of their own, and leaves the fee to us.
func ownAccount(b *bench) {
	if a, err := b.Provider.Account(b.Context(), b.Account); err != nil || a != (payment.Account{ID: b.Account, Charges: true}) {
		b.Fatalf("the account is %+v, %v", a, err)
	}
	from := b.Now().Truncate(time.Second)
	c := b.charge(b.Cards.OK)
	c.Account, c.Fee = b.Account, 424
	p, err := b.Provider.Authorize(b.Context(), c)
	b.is("authorize", payment.Authorized, p, err)
	if again, err := b.Provider.Authorize(b.Context(), c); err != nil || again != p {
		b.Errorf("again: %+v, %v", again, err)
	}
	found, err := b.find(c)
	b.is("looked up", payment.Authorized, found, err)
	b.earned("reserved", 0)
	p, err = b.Provider.Capture(b.Context(), c)
	b.is("capture", payment.Captured, p, err)
	b.earned("captured", 424)
	for _, e := range b.heard() {
		if e.Account != b.Account || e.Ref != p.Ref {
			b.Errorf("heard %+v", e)
		}
	}
	ours, _ := b.captured(b.Cards.OK)
	for account, want := range map[string]string{b.Account: c.Attempt, "": ours.Attempt} {
		var listed []string
		for p, err := range b.Provider.Since(b.Context(), account, from) {
			if err != nil {
				b.Fatal(err)
			}
			listed = append(listed, p.Attempt)
		}
		if !slices.Equal(listed, []string{want}) {
			b.Errorf("the books of %q have %v, want %s", account, listed, want)
		}
	}
	r := payment.Refund{ID: b.id(), Amount: booking.Money{Amount: 2000, Currency: "EUR"}, Fee: 200}
	for range 2 {
		done, err := b.Provider.Refund(b.Context(), c, r)
		if err != nil || done.State != payment.RefundDone || done.Amount != r.Amount {
			b.Fatalf("refund: %+v, %v", done, err)
		}
		b.earned("refunded", 224)
	}
	done, err := b.Provider.Refund(b.Context(), c, r)
	if err == nil {
		err = b.SendBack(b.Context(), done)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.earned("sent back", 224) // that is between us and the account
	r = payment.Refund{ID: b.id(), Amount: r.Amount, Fee: r.Fee, Cause: r.ID}
	if done, err := b.Provider.Refund(b.Context(), c, r); err != nil || done.State != payment.RefundDone {
		b.Fatalf("another try: %+v, %v", done, err)
	}
	b.earned("given back again", 224)
	b.Later(25 * time.Hour)
	if done, err := b.Provider.Refund(b.Context(), c, r); err != nil || done.State != payment.RefundDone {
		b.Fatalf("the refund a day later: %+v, %v", done, err)
	}
	b.earned("a day later", 224)
	if all, err := b.Provider.Refunds(b.Context(), payment.Charge{Attempt: c.Attempt, Ref: p.Ref, Account: b.Account}); err != nil || len(all) != 2 {
		b.Errorf("refunds %+v, %v", all, err)
	}

	b.heard()
	c = b.charge(b.Cards.Disputed)
	c.Account = b.Account
	if p, err = b.Provider.Authorize(b.Context(), c); err == nil {
		p, err = b.Provider.Capture(b.Context(), c)
	}
	b.is("one that is disputed", payment.Captured, p, err)
	events := b.heard()
	i := slices.IndexFunc(events, func(e payment.Event) bool { return e.About == payment.AboutDispute })
	if i < 0 || events[i].Account != b.Account {
		b.Fatalf("heard %+v", events)
	}
	if d, err := b.Provider.Dispute(b.Context(), b.Account, events[i].Dispute); err != nil || d.Attempt != c.Attempt {
		b.Errorf("the dispute is %+v, %v", d, err)
	}
	if d, err := b.Provider.Dispute(b.Context(), "", events[i].Dispute); err == nil {
		b.Errorf("the dispute of another account: %+v", d)
	}
}

func (b *bench) earned(when string, want int64) {
	b.Helper()
	if got, err := b.Earned(b.Context()); err != nil || got != want {
		b.Errorf("%s: we have earned %d, %v; want %d", when, got, err, want)
	}
}

func closedAccount(b *bench) {
	set := func(can bool) {
		b.Helper()
		if err := b.SetCharges(b.Context(), b.Account, can); err != nil {
			b.Fatal(err)
		}
		if events := b.heard(); len(events) != 1 || events[0].About != payment.AboutAccount || events[0].Account != b.Account || events[0].ID == "" {
			b.Errorf("heard %+v", events)
		}
		if a, err := b.Provider.Account(b.Context(), b.Account); err != nil || a.Charges != can || (a.Reason == "") != can {
			b.Errorf("the account is %+v, %v", a, err)
		}
	}
	set(false)
	c := b.charge(b.Cards.OK)
	c.Account = b.Account
	if p, err := b.Provider.Authorize(b.Context(), c); !errors.Is(err, payment.ErrAccountClosed) {
		b.Errorf("authorized %+v, %v; want that the account is closed", p, err)
	}
	for p, err := range b.Provider.Since(b.Context(), b.Account, time.Unix(0, 0)) {
		b.Errorf("recorded %+v, %v", p, err)
	}
	set(true)
	p, err := b.Provider.Authorize(b.Context(), c)
	b.is("authorize afterwards", payment.Authorized, p, err)
	if a, err := b.Provider.Account(b.Context(), "acct_of_nobody"); err != nil || a.Charges || a.Reason == "" {
		b.Errorf("nobody's account is %+v, %v", a, err)
	}
}
