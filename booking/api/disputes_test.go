package api

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// A dispute by webhook blocks the tickets, staff see it, and nobody but staff puts the
// places of one that was lost on sale again.
func TestDisputesOverHTTP(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()
	var o Order
	c.pay(fan, "k", c.hold(fan, 3, 4).ID, sandbox.Disputed).is(http.StatusCreated, &o)
	c.deliver()
	var now Order
	c.get("/api/v1/orders/"+o.ID, o.Key).is(http.StatusOK, &now)
	if now.State != "paid" || now.Tickets[0].State != "blocked" || now.Tickets[0].Code != "" || now.Tickets[0].QR != "" {
		t.Errorf("the order is %+v", now)
	}
	cancel := organizerAPI + "/orders/" + o.ID + "/cancel"
	c.do(http.MethodPost, cancel, "key-sre", c.json(m{"reason": "ill", "full": true})).refused(http.StatusConflict, "order-disputed")

	listed := func() Dispute {
		t.Helper()
		var list struct {
			Disputes []Dispute `json:"disputes"`
		}
		c.get(organizerAPI+"/disputes", "key-sre").is(http.StatusOK, &list)
		if len(list.Disputes) != 1 {
			t.Fatalf("disputes %+v", list)
		}
		return list.Disputes[0]
	}
	d := listed()
	if d.Order != o.ID || d.State != "open" || d.Amount != o.Total || d.Withdrawn != o.Total.Amount || d.Fee.Amount != 1500 || d.EvidenceDue == nil || d.Ref == "" {
		t.Errorf("dispute %+v", d)
	}
	release := organizerAPI + "/disputes/" + d.ID + "/release"
	why := c.json(m{"reason": "the door knows"})
	c.do(http.MethodPost, release, "key-sre", why).refused(http.StatusConflict, "dispute-not-lost")

	ctx, cancelled := context.WithTimeout(t.Context(), time.Minute)
	defer cancelled()
	var attempt string
	if err := c.db.QueryRow(ctx, `select attempt_id::text from orders where id = $1`, o.ID).Scan(&attempt); err != nil {
		t.Fatal(err)
	}
	if err := c.sandbox.Judge(ctx, attempt, false); err != nil {
		t.Fatal(err)
	}
	c.deliver()
	if d = listed(); d.State != "lost" || d.Void != 2 || d.EvidenceDue != nil {
		t.Errorf("lost: %+v", d)
	}
	c.do(http.MethodPost, cancel, "key-sre", c.json(m{"reason": "ill"})).refused(http.StatusConflict, "order-dispute-lost")

	var sum SumSettlement
	c.get(organizerAPI+"/sales/"+string(o.Sale)+"/settlement", "key-sre").is(http.StatusOK, &sum)
	if len(sum.Performances) != 1 || sum.Performances[0].Performance != o.Performance || sum.Performances[0].Title == "" || len(sum.Totals) != 1 ||
		sum.Totals[0] != sum.Performances[0].Currencies[0] || sum.Totals[0].Disputed != o.Total.Amount || sum.Totals[0].Net != -1500 {
		t.Errorf("the sale came to %+v", sum)
	}
	c.get(organizerAPI+"/sales/nothing/settlement", "key-sre").refused(http.StatusNotFound, "sale-unknown")
	c.get(organizerAPI+"/accounts/nobody/settlement", "key-sre").refused(http.StatusNotFound, "account-unknown")
	if _, err := c.db.Exec(ctx, `insert into payment_accounts (name, provider_account, charges) values ('opera', 'acct_7', false)`); err != nil {
		t.Fatal(err)
	}
	c.get(organizerAPI+"/accounts/opera/settlement", "key-sre").is(http.StatusOK, &sum)
	if len(sum.Performances) != 0 || sum.Totals == nil {
		t.Errorf("an account that sold nothing came to %+v", sum)
	}
	var accounts struct {
		Accounts []catalogue.Account `json:"accounts"`
	}
	c.get(organizerAPI+"/accounts", "key-sre").is(http.StatusOK, &accounts)
	if len(accounts.Accounts) != 1 || accounts.Accounts[0].Provider != "acct_7" || accounts.Accounts[0].Charges {
		t.Errorf("accounts %+v", accounts)
	}
	c.do(http.MethodPost, release, "", why).refused(http.StatusUnauthorized, "staff-required")
	c.do(http.MethodPost, release, "key-sre", c.json(m{"reason": strings.Repeat("x", 201)})).refused(http.StatusUnprocessableEntity, "reason-invalid")
	c.do(http.MethodPost, organizerAPI+"/disputes/"+uuid.NewString()+"/release", "key-sre", why).refused(http.StatusNotFound, "dispute-unknown")
	c.do(http.MethodPost, organizerAPI+"/disputes/x/release", "key-sre", why).refused(http.StatusNotFound, "dispute-unknown")
	for range 2 {
		c.do(http.MethodPost, release, "key-sre", why).is(http.StatusOK, &d)
		if d.Void != 0 {
			t.Errorf("released: %+v", d)
		}
	}
	c.hold(fan, 3, 4)
	c.inventory()
}
