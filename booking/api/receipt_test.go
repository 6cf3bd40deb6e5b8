package api

import (
	"encoding/csv"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/tariff"
)

const organizerAPI = "/api/v1/organizer"

// A fan buys, cancels one ticket by the rules, staff cancel the rest: the receipt,
// the ledger and the settlement say the same, to the cent, in every currency.
func TestWhatIsCanceledGoesBackOnTheReceipt(t *testing.T) {
	t.Parallel()
	rules := tariff.Tariff{FeeRate: 250, FeeFixed: 49, TaxRate: 1900, Refund: tariff.Refund{Before: 60, KeepRate: 1000, KeepFee: true}}
	text, err := json.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	// What was cents is thousandths.
	c := startAfter(t, slog.New(slog.DiscardHandler), `update performances set tariff = '`+string(text)+`'`, `update tiers set currency = 'KWD'`)
	fan := c.fan()
	var o Order
	c.pay(fan, "k", c.hold(fan, 3, 4).ID, sandbox.OK).is(http.StatusCreated, &o)
	price := o.Total.Amount / 2

	at := "/api/v1/orders/" + o.ID
	var r Receipt
	c.get(at+"/receipt", o.Key).is(http.StatusOK, &r)
	fee := rules.Fee(o.Total.Amount)
	if r.Total != 2*price || r.Digits != 3 || r.Currency != "KWD" || r.Fee != fee || r.Net+r.Tax != r.Total || r.Tax != r.Lines[0].Tax+r.Lines[1].Tax ||
		r.Tax == 0 || r.Lines[0].Paid+r.Lines[1].Paid != r.Total || r.CancelUntil == nil || len(r.Refunds) != 0 || r.Lines[0].Refund == 0 {
		t.Fatalf("receipt %+v", r)
	}
	back := r.Lines[0].Refund

	c.do(http.MethodPost, at+"/cancel", o.Key, c.json(m{"tickets": []string{o.Tickets[0].ID}, "refund": back + 1})).refused(http.StatusConflict, "refund-changed")
	for _, less := range []int64{-1, math.MinInt64} {
		c.do(http.MethodPost, at+"/cancel", o.Key, c.json(m{"refund": less})).names(http.StatusUnprocessableEntity, "request-invalid", "refund")
	}
	one := c.json(m{"tickets": []string{o.Tickets[0].ID}, "refund": back})
	for range 2 {
		c.do(http.MethodPost, at+"/cancel", o.Key, one).is(http.StatusOK, &r)
		if r.State != "paid" || r.Lines[0].State != "canceled" || r.Lines[0].Refund != 0 || len(r.Refunds) != 1 ||
			r.Refunds[0].Amount != back || r.Refunds[0].State != "refunded" || r.Refunds[0].Kept != price-back {
			t.Fatalf("canceled one: %+v", r)
		}
	}
	c.do(http.MethodPost, at+"/cancel", o.Key, c.json(m{"tickets": []string{uuid.NewString()}})).refused(http.StatusNotFound, "ticket-unknown")
	staff := func(body m) answer {
		return c.do(http.MethodPost, organizerAPI+"/orders/"+o.ID+"/cancel", "key-sre", c.json(body))
	}
	staff(m{"reason": " "}).refused(http.StatusUnprocessableEntity, "reason-invalid")
	staff(m{"reason": strings.Repeat("é", 201)}).refused(http.StatusUnprocessableEntity, "reason-invalid")
	staff(m{"reason": "a\nb"}).refused(http.StatusUnprocessableEntity, "reason-invalid")
	staff(m{"reason": "'; drop table orders; --", "full": true}).is(http.StatusOK, &r)
	if r.State != "canceled" || len(r.Refunds) != 2 || r.Refunds[1].Amount != price || r.Refunds[1].Kept != 0 {
		t.Fatalf("canceled the rest: %+v", r)
	}

	var l OrderLedger
	c.get(organizerAPI+"/orders/"+o.ID+"/ledger", "key-sre").is(http.StatusOK, &l)
	sums := map[string]int64{}
	for _, e := range l.Entries {
		sums[e.Entry] += e.Amount
		if e.Entry == "fee_returned" && e.Who != "staff:ada" || e.Who != "staff:ada" && e.Who != "buyer" && e.Who != "system" {
			t.Errorf("entry %+v", e)
		}
	}
	if sums["captured"] != 2*price || sums["refunded"] != price+back || sums["kept"] != price-back || l.Currency != "KWD" {
		t.Errorf("ledger %+v", l)
	}

	var sum PerformanceSettlement
	show := organizerAPI + "/performances/" + string(c.show.ID)
	c.get(show+"/settlement", "key-sre").is(http.StatusOK, &sum)
	if len(sum.Currencies) != 1 {
		t.Fatalf("settlement %+v", sum)
	}
	got := sum.Currencies[0]
	if got.Taken != 2*price || got.Refunded != price+back || got.ToRefund != 0 || got.Orders != 1 ||
		got.Fee != fee-sums["fee_returned"] || got.Owed != price-back-got.Fee {
		t.Errorf("settlement %+v of %+v", got, sums)
	}
	a := c.get(show+"/settlement.csv", "key-sre")
	rows, err := csv.NewReader(strings.NewReader(string(a.Body))).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][0] != o.ID || rows[1][2] != tariff.Decimal(2*price, "KWD") || rows[1][6] != tariff.Decimal(got.Owed, "KWD") ||
		a.Header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("settlement as CSV: %v, %v", rows, err)
	}
	c.get(show+"/settlement.csv?after="+o.ID, "key-sre").is(http.StatusOK, nil)
	c.get(show+"/settlement.csv?after=x", "key-sre").refused(http.StatusNotFound, "order-unknown")
	c.get(organizerAPI+"/performances/"+uuid.NewString()+"/settlement", "key-sre").refused(http.StatusNotFound, "performance-unknown")
	c.get(organizerAPI+"/orders/"+uuid.NewString()+"/ledger", "key-sre").refused(http.StatusNotFound, "order-unknown")

	var none struct {
		Refunds []FailedRefund `json:"refunds"`
	}
	c.get(organizerAPI+"/refunds", "key-sre").is(http.StatusOK, &none)
	if none.Refunds == nil || len(none.Refunds) != 0 {
		t.Errorf("failed refunds %+v", none)
	}
	c.do(http.MethodPost, organizerAPI+"/refunds/"+uuid.NewString()+"/retry", "key-sre", "").refused(http.StatusNotFound, "refund-unknown")
	var again Order
	c.pay(fan, "k2", c.hold(fan, 3, 4).ID, sandbox.OK).is(http.StatusCreated, &again)
	if again.Total != (booking.Money{Amount: 2 * price, Currency: "KWD"}) || again.ID == o.ID {
		t.Errorf("the places again: %+v", again)
	}
}
