package api

import (
	"encoding/csv"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/ropeline/ropeline/booking/insight"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/tariff"
)

// table reads a CSV by its head.
func (a answer) table() (rows []map[string]string) {
	a.t.Helper()
	if a.Status != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/csv") || a.Header.Get("Content-Length") != strconv.Itoa(len(a.Body)) {
		a.t.Fatalf("%d %v: %s", a.Status, a.Header, a.Body)
	}
	records, err := csv.NewReader(strings.NewReader(string(a.Body))).ReadAll()
	if err != nil {
		a.t.Fatal(err)
	}
	for _, r := range records[1:] {
		row := map[string]string{}
		for i, cell := range r {
			row[records[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return rows
}

// What was bought is in the files, what was canceled is what the settlement says, and the
// length of each is said, so that one that was cut does not look whole.
func TestFilesOfWhatWasSold(t *testing.T) {
	t.Parallel()
	c := startAfter(t, slog.New(slog.DiscardHandler), `update performances set tariff = '{"tax_rate": 600, "fee_rate": 250, "refund": {}}'`)
	var orders []Order
	for unit, email := range []string{"+one@example.org", "two@example.org"} {
		fan := c.fan()
		var o Order
		c.do(http.MethodPost, "/api/v1/orders", fan, c.json(m{"hold": c.hold(fan, unit).ID, "email": email, "payment_method": sandbox.OK}), "Idempotency-Key", "k").is(http.StatusCreated, &o)
		orders = append(orders, o)
	}
	c.organize(http.MethodPost, organizer+"/orders/"+orders[1].ID+"/cancel", c.json(m{"reason": "rain"})).is(http.StatusOK, nil)
	of := "?performance=" + string(c.show.ID)
	a := c.get(exports+"/orders.csv"+of, "key-olga")
	rows := a.table()
	if len(rows) != 2 || rows[0]["order"] != orders[0].ID || rows[0]["state"] != "paid" || rows[1]["state"] != "canceled" || strings.Contains(string(a.Body), "@example.org") {
		t.Errorf("the orders are %s", a.Body)
	}
	if !strings.Contains(a.Header.Get("Content-Disposition"), `filename=orders.csv`) || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("it comes with %v", a.Header)
	}
	if rows := c.get(exports+"/orders.csv?mails=true&sale="+string(c.sale.ID), "key-sre").table(); rows[0]["email"] != "'+one@example.org" || rows[1]["email"] != "two@example.org" {
		t.Errorf("with addresses they are %v", rows)
	}
	var s gotSettlement
	c.get(organizer+"/performances/"+string(c.show.ID)+"/settlement", "key-olga").is(http.StatusOK, &s.Body)
	sums := map[string]int64{}
	for _, row := range c.get(exports+"/accounting.csv"+of, "key-olga").table() {
		for column, cell := range row {
			if n, err := strconv.ParseFloat(cell, 64); err == nil && column != "order" && column != "performance" {
				sums[column] += int64(n*100 + .5)
			}
		}
	}
	want := s.Body.Currencies[0]
	for column, n := range map[string]int64{"taken": want.Taken, "refunded": want.Refunded, "to_refund": want.ToRefund, "fee": want.Fee, "tax": want.Tax, "owed": want.Owed, "net": want.Net} {
		if sums[column] != n {
			t.Errorf("%s adds up to %s, the settlement says %s", column, tariff.Decimal(sums[column], "EUR"), tariff.Decimal(n, "EUR"))
		}
	}
	if want.Taken == 0 || want.Refunded == 0 || want.Fee == 0 || want.Tax == 0 {
		t.Errorf("the settlement is %+v: it tries too little", want)
	}
}

// What is asked for has to be one thing, that is there, and that the plan lets be read.
func TestFilesAreRefused(t *testing.T) {
	t.Parallel()
	c := start(t)
	for _, file := range []string{"/orders.csv", "/accounting.csv"} {
		for query, want := range map[string]string{
			"": "422 scope-invalid", "?sale=a&account=b": "422 scope-invalid", "?performance=x": "404 performance-unknown",
			"?performance=01939f4e-7a00-7000-8000-000000000001": "404 performance-unknown", "?sale=nothing": "404 sale-unknown", "?account=nobody": "404 performances-none",
		} {
			var status int
			var code string
			if _, err := fmt.Sscan(want, &status, &code); err != nil {
				t.Fatal(err)
			}
			c.get(exports+file+query, "key-olga").refused(status, code)
		}
	}
	for _, sql := range []string{`insert into payment_accounts (name, provider_account, charges) values ('opera', 'acct_1', true)`, `update performances set account = 'opera'`} {
		if _, err := c.db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	c.do(http.MethodPut, plansPath+"/small", "key-sre", c.json(m{"id": "small", "name": "small", "period": "month", "entitlements": m{"exports": false}}), "If-None-Match", "*").is(http.StatusCreated, nil)
	c.organize(http.MethodPut, organizer+"/accounts/opera/plan", c.json(m{"plan": "small"})).is(http.StatusOK, nil)
	c.get(exports+"/orders.csv?account=opera", "key-olga").refused(http.StatusConflict, "plan-exports")
}

// Who signed in on a page of ours is known by their cookie, and by nothing that another site
// makes their browser send.
func TestTheDeskTakesTheCookieOfASignIn(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.get(programsPath, "", "Cookie", "ropeline_staff=key-olga").is(http.StatusOK, nil)
	c.get(programsPath, "", "Cookie", "ropeline_staff=key-counter").refused(http.StatusForbidden, "organizer-required")
	c.do(http.MethodPost, venuesPath, "", "{}", "Cookie", "ropeline_staff=key-olga", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site").refused(http.StatusForbidden, "origin-mismatch")
}

// The desk sees how a performance sells and who bought, also while the line says nothing, and
// finds nothing of what there is not.
func TestTheDeskWatchesASale(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.get("/api/v1/performances/"+string(c.show.ID), "").is(http.StatusOK, nil)
	fan := c.fan()
	var o Order
	c.pay(fan, "k", c.hold(fan, 1, 2).ID, sandbox.OK).is(http.StatusCreated, &o)
	live := organizer + "/performances/" + string(c.show.ID) + "/live"
	var l insight.Live
	c.get(live, "key-olga").is(http.StatusOK, &l)
	if len(l.Money) != 1 || l.Money[0].Taken != o.Total.Amount || l.Tiers[0].Sold != 2 || l.Funnel.Bought != 1 || l.Funnel.Joined == nil || *l.Funnel.Joined != 30 || *l.Funnel.Admitted != 10 {
		t.Errorf("live: %+v", l)
	}
	c.line.mu.Lock()
	c.line.fails = true
	c.line.mu.Unlock()
	var silent insight.Live
	c.get(live, "", "Cookie", "ropeline_staff=key-olga").is(http.StatusOK, &silent)
	if silent.Funnel.Joined != nil || silent.Funnel.Bought != 1 {
		t.Errorf("without the line: %+v", silent.Funnel)
	}
	orders := organizer + "/performances/" + string(c.show.ID) + "/orders"
	var found SoldList
	c.get(orders+"?email=FAN%40&state=paid&seat="+url.QueryEscape(o.Tickets[0].Label), "key-olga").is(http.StatusOK, &found)
	if len(found.Orders) != 1 || found.Orders[0].ID != o.ID || found.Orders[0].Email != "fan@example.org" || len(found.Orders[0].Tickets) != 2 {
		t.Errorf("found %+v", found)
	}
	var one insight.Sold
	c.get(organizer+"/orders/"+o.ID, "key-olga").is(http.StatusOK, &one)
	if fmt.Sprint(one) != fmt.Sprint(found.Orders[0]) {
		t.Errorf("by its id it is %+v", one)
	}
	const nobody = "01939f4e-7a00-7000-8000-000000000001"
	c.get(organizer+"/orders/"+nobody, "key-olga").refused(http.StatusNotFound, "order-unknown")
	c.get(organizer+"/performances/"+nobody+"/orders", "key-olga").refused(http.StatusNotFound, "performance-unknown")
	c.get(organizer+"/performances/x/live", "key-olga").refused(http.StatusNotFound, "performance-unknown")
	c.get(orders+"?email="+strings.Repeat("a", 101), "key-olga").refused(http.StatusUnprocessableEntity, "search-invalid")
	c.get(orders+"?since=yesterday", "key-olga").refused(http.StatusUnprocessableEntity, "request-invalid")
}
