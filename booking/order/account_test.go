package order_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/payment/stripe/stripetest"
	"github.com/ropeline/ropeline/booking/tariff"
)

// generous keeps nothing, and gives the fee back.
var generous = tariff.Tariff{FeeRate: 250, FeeFixed: 49, Refund: tariff.Refund{Before: 60}}

// paidTo has an organizer's own account be paid for the performance.
func (d *desk) paidTo(account string) {
	d.t.Helper()
	d.must(d.shows.KeepAccount(d.t.Context(), catalogue.Account{Name: "opera", Provider: account, Charges: true}))
	_, err := d.db.Exec(d.t.Context(), `update performances set account = 'opera', tariff = $2 where id = $1`, d.id, generous)
	d.must(err)
	d.shows = catalogue.New(d.db, time.Now)
	d.store = order.NewStore(d.db, d.shows)
	d.Desk = d.deskOn(d.store, d.shows)
}

// The organizer is paid on an account of their own and leaves the fee to us; a refund
// comes from there, and the fee goes back to it.
func TestAnOrganizersOwnAccountIsPaid(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.must(d.sandbox().SetCharges(t.Context(), "acct_7", true))
	d.paidTo("acct_7")
	o := d.buys("s1", 3, 4)
	d.count(`select count(*) from sandbox_payments where account = 'acct_7' and fee = 424 and amount = 15000`, 1)
	d.compare(1)
	d.troubled("")
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Tickets: []string{o.Tickets[0].ID}, Who: order.Buyer}); err != nil {
		t.Fatal(err)
	}
	d.count(`select fee from sandbox_refunds`, 212)
	d.audited()
	d.settles(order.Settlement{Currency: "EUR", Orders: 1, Taken: 15000, Refunded: 7500, Fee: 212, Owed: 7288})
	if all, err := d.store.SettleAccount(t.Context(), "opera"); err != nil || len(all) != 1 || all[0].Account != "opera" || all[0].Owed != 7288 {
		t.Errorf("the account came to %+v, %v", all, err)
	}
	d.free()
}

// An account that takes no payments sells nothing, and says so; nothing is lost.
func TestAClosedAccountSellsNothing(t *testing.T) {
	t.Parallel()
	d := open(t)
	bank := d.sandbox()
	d.must(bank.SetCharges(t.Context(), "acct_7", true))
	d.paidTo("acct_7")
	told := func(want order.Heard) {
		t.Helper()
		d.hear(payment.Event{ID: "evt_" + uuid.NewString(), Account: "acct_7", About: payment.AboutAccount, At: time.Now()}, want)
	}
	h := d.hold("s1", 3, 4)
	// The provider knows before we do.
	d.must(bank.SetCharges(t.Context(), "acct_7", false))
	r := d.request(h, sandbox.OK)
	for range 2 {
		if _, err := d.Checkout(t.Context(), r); !errors.Is(err, catalogue.ErrAccountClosed) {
			t.Fatalf("paid to a closed account: %v", err)
		}
	}
	d.want("attempts closed; orders -; tickets -; payments -; ledger -; redis sold 0 held")
	told(order.HeardNow)
	told(order.HeardAgain)
	calls := len(d.provider.calls)
	if _, err := d.Checkout(t.Context(), d.request(h, sandbox.OK)); !errors.Is(err, catalogue.ErrAccountClosed) || len(d.provider.calls) != calls {
		t.Errorf("%v, with the calls %v", err, d.provider.calls[calls:])
	}
	d.must(bank.SetCharges(t.Context(), "acct_7", true))
	d.compare(0) // no webhook comes
	if o, err := d.Checkout(t.Context(), d.request(h, sandbox.OK)); err != nil || o.State != order.Paid {
		t.Errorf("open again: %+v, %v", o, err)
	}
	d.hear(payment.Event{ID: "evt_1", Account: "acct_8", About: payment.AboutAccount, At: time.Now()}, order.HeardNot)
	d.consistent()
}

// Whoever has an account can write there what they like: what it says of another's
// order is not believed.
func TestAnAccountTellsOfItsOwnOrdersOnly(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.buys("s1", 3, 4)
	bank := d.sandbox()
	d.must(bank.SetCharges(t.Context(), "acct_7", true))
	d.must(d.shows.KeepAccount(t.Context(), catalogue.Account{Name: "opera", Provider: "acct_7", Charges: true}))
	_, err := d.db.Exec(t.Context(), `
		insert into sandbox_payments (id, attempt_id, amount, currency, state, method, account)
		values (gen_random_uuid(), gen_random_uuid(), 15000, 'EUR', 'captured', $1, 'acct_7')`, sandbox.Disputed)
	d.must(err)
	_, err = d.db.Exec(t.Context(), `insert into sandbox_disputes (id, attempt_id, state, amount, withdrawn, fee)
		select gen_random_uuid(), attempt_id, 'open', 15000, 15000, 1500 from sandbox_payments where account = 'acct_7'`)
	d.must(err)
	var dispute string
	d.must(d.db.QueryRow(t.Context(), `select id::text from sandbox_disputes`).Scan(&dispute))
	before := d.state()
	var ref string
	d.must(d.db.QueryRow(t.Context(), `select provider_ref from attempts`).Scan(&ref))
	d.provider.Provider = liar{bank, d.attempt(), ref}
	d.hear(payment.Event{ID: "evt_1", Account: "acct_7", About: payment.AboutDispute, Ref: "pi", Dispute: dispute, At: time.Now()}, order.HeardNot)
	if after := d.state(); after != before {
		t.Errorf("it changed\n%s\nto\n%s", before, after)
	}
}

// liar says that each dispute is about one payment.
type liar struct {
	*sandbox.Provider
	attempt, ref string
}

func (l liar) Dispute(ctx context.Context, account, ref string) (payment.Dispute, error) {
	d, err := l.Provider.Dispute(ctx, account, ref)
	d.Attempt, d.Payment = l.attempt, l.ref
	return d, err
}

// With Stripe: each request is made on the account, and the fee is ours.
func TestAnOrganizersOwnAccountAtStripe(t *testing.T) {
	t.Parallel()
	d, fake := openStripe(t)
	d.paidTo(stripetest.Organizer)
	o := d.buysBy(stripetest.Visa, "s1", 3, 4)
	d.must(fake.Deliver(t.Context()))
	if earned := fake.Earned(); earned != 424 {
		t.Errorf("we have earned %d", earned)
	}
	d.compare(1)
	d.troubled("")
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Who: order.Buyer}); err != nil {
		t.Fatal(err)
	}
	d.must(fake.Deliver(t.Context()))
	if earned := fake.Earned(); earned != 0 {
		t.Errorf("after the refund we have earned %d", earned)
	}
	d.want("attempts done; orders canceled; tickets 3:canceled,4:canceled; payments -; ledger placed,authorized,captured,fee,canceled,fee_returned,canceled,fee_returned,refunding,refunded; redis sold 0")
	d.consistent()

	d.buysBy(stripetest.Disputed, "s2", 5)
	d.must(fake.Deliver(t.Context()))
	if list := d.disputes(); len(list) != 1 || list[0].Account != stripetest.Organizer || list[0].State != payment.DisputeOpen {
		t.Errorf("disputes %+v", list)
	}
	fake.SetCharges(stripetest.Organizer, false)
	d.must(fake.Deliver(t.Context()))
	if _, err := d.Checkout(t.Context(), d.request(d.hold("s3", 7), stripetest.Visa)); !errors.Is(err, catalogue.ErrAccountClosed) {
		t.Errorf("paid to a closed account: %v", err)
	}
	fake.Disconnect(stripetest.Organizer)
	d.must(fake.Deliver(t.Context()))
	if a, err := d.shows.Account(t.Context(), "opera"); err != nil || a.Charges || a.Reason != "access_revoked" {
		t.Errorf("the account is %+v, %v", a, err)
	}
}
