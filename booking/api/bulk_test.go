package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// An organizer asks for it once the performance is canceled, and hears how far it is.
func TestAnOrganizerRefundsAllOfWhatIsCanceled(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()
	var o Order
	c.pay(fan, "k", c.hold(fan, 1, 2).ID, sandbox.OK).is(http.StatusCreated, &o)
	at := organizer + "/performances/" + string(c.show.ID) + "/refund"
	put := func(path, body string) answer { return c.do(http.MethodPut, path, "key-olga", body) }
	c.get(at, "key-olga").refused(http.StatusNotFound, "bulk-refund-unknown")
	put(at, `{"reason": "the roof leaks"}`).refused(http.StatusConflict, "performance-not-canceled")
	if _, err := c.db.Exec(t.Context(), `update performances set state = 'canceled' where id = $1`, c.show.ID); err != nil {
		t.Fatal(err)
	}
	put(at, `{"reason": " "}`).refused(http.StatusUnprocessableEntity, "reason-invalid")
	put(organizer+"/performances/"+uuid.NewString()+"/refund", `{"reason": "the roof leaks"}`).refused(http.StatusNotFound, "performance-unknown")
	put(organizer+"/performances/'/refund", `{"reason": "the roof leaks"}`).refused(http.StatusNotFound, "performance-unknown")
	var b order.BulkRefund
	put(at, `{"reason": "the roof leaks"}`).is(http.StatusOK, &b)
	if b.Who != "staff:olga" || b.Reason != "the roof leaks" {
		t.Errorf("%+v", b)
	}
	for deadline := time.Now().Add(20 * time.Second); b.Canceled != 1 || b.Left != 0 || b.Refunded != 1; c.get(at, "key-olga").is(http.StatusOK, &b) {
		if time.Now().After(deadline) {
			t.Fatalf("after 20 s: %+v", b)
		}
	}
	c.get("/api/v1/orders/"+o.ID, o.Key).is(http.StatusOK, &o)
	if o.State != order.Canceled {
		t.Errorf("the order is %s", o.State)
	}
}
