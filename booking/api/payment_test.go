package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/ropeline/ropeline/booking/catalogue"
)

// A page is told whose fields to show, and for which account; the sandbox has none.
func TestHowAPerformanceIsPaidFor(t *testing.T) {
	t.Parallel()
	c := start(t)
	at := "/api/v1/performances/" + string(c.show.ID) + "/payment"
	var p Payment
	c.get(at, "").is(http.StatusOK, &p)
	if p != (Payment{Provider: "sandbox"}) {
		t.Errorf("the sandbox: %+v", p)
	}
	c.get("/api/v1/performances/x/payment", "").refused(http.StatusNotFound, "performance-unknown")

	for _, sql := range []string{
		`insert into payment_accounts (name, provider_account, charges) values ('opera', 'acct_7', false)`,
		`update performances set account = 'opera'`,
	} {
		if _, err := c.db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	s := &server{shows: catalogue.New(c.db, time.Now), fields: "pk_test_1"}
	got, err := s.getPayment(t.Context(), &tagged{ID: string(c.show.ID)})
	if err != nil || *got.Body != (Payment{Provider: "stripe", Key: "pk_test_1", Account: "acct_7"}) {
		t.Errorf("Stripe: %+v, %v", got, err)
	}
}
