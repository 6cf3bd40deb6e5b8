package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/plan"
)

// withAccount starts a core with the account opera.
func withAccount(t *testing.T, sql ...string) *core {
	t.Helper()
	c := startAfter(t, slog.New(slog.DiscardHandler), append([]string{`insert into payment_accounts (name, provider_account, charges) values ('opera', 'acct_7', true)`}, sql...)...)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.sandbox.SetCharges(ctx, "acct_7", true); err != nil {
		t.Fatal(err)
	}
	return c
}

const operaPlan = organizer + "/accounts/opera/plan"

// plan makes a plan, or its next version.
func (c *core) plan(id string, version string, more m) {
	c.t.Helper()
	body := m{"id": id, "name": strings.ToUpper(id), "period": "month", "price": m{"amount": 4900, "currency": "EUR"}}
	for name, value := range more {
		body[name] = value
	}
	seen := []string{"If-None-Match", "*"}
	if version != "" {
		seen = []string{"If-Match", version}
	}
	if a := c.do(http.MethodPut, plansPath+"/"+id+"?reason=r", "key-sre", c.json(body), seen...); a.Status != http.StatusCreated && a.Status != http.StatusOK {
		c.t.Fatalf("putting plan %s: %d %s", id, a.Status, a.Body)
	}
}

func (c *core) chooses(id string) (st catalogue.AccountPlan) {
	c.t.Helper()
	c.organize(http.MethodPut, operaPlan, c.json(m{"plan": id})).is(http.StatusOK, &st)
	return st
}

func (c *core) standing() (st catalogue.AccountPlan) {
	c.t.Helper()
	c.organize(http.MethodGet, operaPlan, "").is(http.StatusOK, &st)
	return st
}

// monthsLater is what an account has chosen so many months ago.
func (c *core) monthsLater(n int) {
	c.t.Helper()
	if _, err := c.db.Exec(c.t.Context(), `update subscriptions set anchor = anchor - make_interval(months => $1)`, n); err != nil {
		c.t.Fatal(err)
	}
}

func (c *core) detail(a answer) string {
	c.t.Helper()
	var p ropeline.Problem
	if err := json.Unmarshal(a.Body, &p); err != nil {
		c.t.Fatal(err)
	}
	return p.Detail
}

func TestPlansAreChosenOverHTTP(t *testing.T) {
	t.Parallel()
	c := withAccount(t)
	c.plan("stage", "", m{"fee": m{"rate": 150, "fixed": m{"EUR": 30}}, "entitlements": m{"rooms": 1, "lanes": 0, "own_look": false}})
	c.plan("arena", "", m{"price": m{"amount": 49000, "currency": "EUR"}, "period": "year", "entitlements": m{"rooms": 5}})
	const path = plansPath + "/stage"

	a := c.organize(http.MethodGet, path, "")
	var read plan.Plan
	a.is(http.StatusOK, &read)
	if a.Header.Get("ETag") != `"1"` || *read.Entitlements.Rooms != 1 || read.Entitlements.Exports != nil || read.Fee.Fixed["EUR"] != 30 {
		t.Errorf("read %s %s", a.Header.Get("ETag"), a.Body)
	}
	if a := c.organize(http.MethodGet, path, "", "If-None-Match", `"1"`); a.Status != http.StatusNotModified || len(a.Body) > 0 {
		t.Errorf("having it: %d %s", a.Status, a.Body)
	}
	put := func(body, key string, headers ...string) answer {
		return c.do(http.MethodPut, path+"?reason=r", key, body, headers...)
	}
	dearer := strings.Replace(string(a.Body), "4900", "5900", 1)
	put(dearer, "key-olga", "If-Match", `"1"`).refused(403, "sre-required")
	put(dearer, "key-sre").refused(428, "if-match-missing")
	put(dearer, "key-sre", "If-Match", `"2"`).refused(412, "changed-meanwhile")
	put(dearer, "key-sre", "If-None-Match", "*").refused(412, "changed-meanwhile")
	wrong := put(strings.Replace(dearer, `"rooms":1`, `"rooms":-1`, 1), "key-sre", "If-Match", `"1"`)
	if wrong.refused(422, "plan-invalid"); !strings.HasPrefix(c.detail(wrong), "entitlements.rooms must lie") {
		t.Errorf("a bad number: %s", wrong.Body)
	}
	put(strings.Replace(dearer, `"rooms"`, `"room"`, 1), "key-sre", "If-Match", `"1"`).refused(422, "request-invalid")
	put(strings.Replace(dearer, `"stage"`, `"other"`, 1), "key-sre", "If-Match", `"1"`).refused(422, "plan-invalid")
	put(string(a.Body), "key-sre", "If-Match", `"1"`).is(http.StatusOK, nil) // it is what it was
	if a := put(dearer, "key-sre", "If-Match", `"1"`); a.Status != http.StatusOK || a.Header.Get("ETag") != `"2"` {
		t.Errorf("the next version: %d %s", a.Status, a.Header.Get("ETag"))
	}

	st := c.standing()
	if st.Plan.ID != plan.Free || st.EndsAt != nil || st.Next != "" {
		t.Errorf("nothing chosen: %s", c.json(st))
	}
	st = c.chooses("stage")
	if st.Plan.ID != "stage" || st.Version != 2 || st.Next != "stage" || st.EndsAt.Sub(*st.BeginsAt) < 28*24*time.Hour {
		t.Errorf("chosen: %s", c.json(st))
	}
	if again := c.chooses("stage"); c.json(again) != c.json(st) {
		t.Errorf("chosen again: %s", c.json(again))
	}
	c.organize(http.MethodPut, operaPlan, c.json(m{"plan": "gold"})).refused(404, "plan-unknown")
	c.organize(http.MethodPut, operaPlan, c.json(m{"plan": evilLua})).refused(404, "plan-unknown")
	c.organize(http.MethodPut, organizer+"/accounts/nobody/plan", c.json(m{"plan": "stage"})).refused(404, "account-unknown")
	c.organize(http.MethodGet, organizer+"/accounts/nobody/plan", "").refused(404, "account-unknown")
	c.organize(http.MethodPut, operaPlan+"?reason=a%0Ab", c.json(m{"plan": "arena"})).refused(422, "reason-invalid")

	if st = c.chooses("arena"); st.Plan.ID != "arena" || st.EndsAt.Sub(*st.BeginsAt) < 365*24*time.Hour {
		t.Errorf("a better one begins at once: %s", c.json(st))
	}
	if st = c.chooses("stage"); st.Plan.ID != "arena" || st.Next != "stage" {
		t.Errorf("a lesser one waits: %s", c.json(st))
	}
	c.plan("stage", `"2"`, m{"closed": true, "entitlements": m{"rooms": 0}})
	c.chooses("arena")
	c.organize(http.MethodPut, operaPlan, c.json(m{"plan": "stage"})).refused(409, "plan-closed")
	c.chooses(plan.Free)
	c.monthsLater(12)
	if st = c.standing(); st.Plan.ID != plan.Free || st.EndsAt != nil {
		t.Errorf("after the last period: %s", c.json(st))
	}
	c.chooses("arena")
	c.monthsLater(25)
	var periods PeriodList
	c.organize(http.MethodGet, operaPlan+"/periods", "").is(http.StatusOK, &periods)
	if got := periods.Periods; len(got) != 5 || got[0].Who != "staff:olga" || got[1].Price.Amount != 49000 || got[2].Price.Amount != 5900 || got[2].Version != 2 ||
		got[3].Who != "renewal" || !got[3].BeginsAt.Equal(got[4].EndsAt) || got[4].Who != "renewal" { // those that were moved back come last
		t.Errorf("the periods are %s", c.json(periods))
	}
	var log ChangeList
	c.organize(http.MethodGet, organizer+"/changes?subject=opera", "").is(http.StatusOK, &log)
	if len(log.Changes) != 6 || log.Changes[0].Name != "arena" || log.Changes[1].Name != plan.Free || log.Changes[5].Who != "staff:olga" || log.Changes[5].What != "subscription" {
		t.Errorf("the changes are %s", c.json(log))
	}
}

// What is new is asked, once: lanes and fee when a program is made, rooms when its sale is
// published. A sale that is open, or will be, goes on when the plan is over: it is published
// again, changed, sold and paid, and nobody is asked.
func TestAnOpenSaleOutlivesThePlan(t *testing.T) {
	t.Parallel()
	c := withAccount(t, `update performances set account = 'opera', tariff = '{"fee_rate": 150, "fee_fixed": 30, "refund": {}, "exchange": {}}'`)
	shows := catalogue.New(c.db, time.Now) // as whoever publishes has it
	open := func(sale ropeline.Sale, want string) {
		t.Helper()
		err := shows.OpenRoom(t.Context(), sale)
		if p, _ := ropeline.ProblemOf(err); err == nil && want != "" || err != nil && p.Type != ropeline.ProblemType+want {
			t.Errorf("publishing %s: %v, want %q", sale.ID, err, want)
		}
	}
	c.plan(plan.Free, `"1"`, m{"price": m{"amount": 0, "currency": "EUR"}, "entitlements": m{"rooms": 0, "lanes": 0, "automatic": false, "exports": false}})
	c.plan("stage", "", m{"fee": m{"rate": 150, "fixed": m{"EUR": 30}}, "entitlements": m{"rooms": 2, "lanes": 1}})
	venue := c.newVenue(t, "k")
	lane := `"lanes":[{"name":"members","title":"Members","share":30,"entry":["code"]}],`
	program := func(id string, lanes string) string {
		text := strings.ReplaceAll(c.evening(venue.ID), "evening", id)
		text = strings.Replace(text, `,"tariff":{"fee_rate":250}`, "", 1)
		return strings.Replace(strings.Replace(text, `"currency":"EUR"`, `"currency":"EUR","account":"opera"`, 1), `"id":"`+id+`",`, `"id":"`+id+`",`+lanes, 1)
	}
	make := func(id, lanes string) answer {
		return c.organize(http.MethodPut, programsPath+"/"+id, program(id, lanes), "If-None-Match", "*")
	}
	made := func(id, lanes string) (p catalogue.Program) {
		t.Helper()
		make(id, lanes).is(http.StatusCreated, &p)
		return p
	}

	a := make("first", lane)
	if a.refused(409, "plan-lanes"); !strings.Contains(c.detail(a), `"FREE"`) {
		t.Errorf("it does not say which plan: %s", a.Body)
	}
	open(c.sale, "plan-rooms")
	c.chooses("stage")
	first := made("first", lane)
	second := made("second", "")
	third := made("third", "")
	if first.Tariff.FeeRate != 150 || first.Tariff.FeeFixed != 30 {
		t.Errorf("the fee of a program is %+v, not the plan's", first.Tariff)
	}
	make("first", lane).is(http.StatusOK, nil) // the answer was lost
	two := strings.Replace(lane, `}],`, `},{"name":"crew","title":"Crew","share":5,"entry":["code"]}],`, 1)
	make("many", two).refused(409, "plan-lanes")
	c.organize(http.MethodPut, programsPath+"/first?reason=r", program("first", two), "If-Match", `"1"`).refused(409, "plan-lanes")
	dearer := strings.Replace(program("other", ""), `"currency"`, `"tariff":{"fee_rate":149},"currency"`, 1)
	c.organize(http.MethodPut, programsPath+"/other", dearer, "If-None-Match", "*").refused(409, "plan-fee")
	c.organize(http.MethodPut, programsPath+"/other", strings.Replace(program("other", ""), `"EUR"`, `"USD"`, 1), "If-None-Match", "*").refused(409, "plan-currency")
	open(c.sale, "")
	open(first.Sale, "")
	open(second.Sale, "plan-rooms")
	if st := c.standing(); st.Used.Rooms != 2 || st.Used.Lanes != 1 {
		t.Errorf("used: %s", c.json(st.Used))
	}
	settlement := organizer + "/performances/" + string(c.show.ID) + "/settlement"
	c.get(settlement+".csv", "key-sre").is(http.StatusOK, nil)

	held := c.fan()
	h := c.hold(held, 1, 2)
	c.chooses(plan.Free)
	c.monthsLater(1)
	if st := c.standing(); st.Plan.ID != plan.Free || st.Used.Rooms != 2 {
		t.Fatalf("it is not over: %s", c.json(st))
	}
	var before, after Order
	c.pay(held, "k1", h.ID, sandbox.OK).is(http.StatusCreated, &before)
	later := c.fan()
	c.pay(later, "k2", c.hold(later, 3).ID, sandbox.OK).is(http.StatusCreated, &after)
	if before.State != order.Paid || after.State != order.Paid {
		t.Errorf("after the plan is over orders are %s and %s", before.State, after.State)
	}
	open(c.sale, "")
	open(first.Sale, "")
	cheaper := strings.Replace(program("first", lane), `"Stalls":7500`, `"Stalls":7000`, 1)
	c.organize(http.MethodPut, programsPath+"/first?reason=r", cheaper, "If-Match", `"1"`).is(http.StatusOK, nil)
	open(second.Sale, "plan-rooms")
	open(third.Sale, "plan-rooms")
	make("fourth", lane).refused(409, "plan-lanes")
	c.get(settlement+".csv", "key-sre").refused(409, "plan-exports")

	// What was sold before and after is settled at the fee of its program, to the cent.
	var sum PerformanceSettlement
	c.get(settlement, "key-sre").is(http.StatusOK, &sum)
	fee := int64((15000*150+5000)/10000+30) + (7500*150+5000)/10000 + 30
	if got := sum.Currencies[0]; got.Taken != 22500 || got.Fee != fee || got.Owed != 22500-fee {
		t.Errorf("settled %+v, want a fee of %d", got, fee)
	}
	var ledger int64
	if err := c.db.QueryRow(t.Context(), `select sum(amount) from order_ledger where entry = 'fee'`).Scan(&ledger); err != nil || ledger != fee {
		t.Errorf("the ledger has a fee of %d, want %d: %v", ledger, fee, err)
	}

	c.plan("stage", `"1"`, m{"fee": m{"rate": 500}, "entitlements": m{"rooms": 3}})
	c.chooses("stage")
	open(second.Sale, "")
	open(third.Sale, "plan-rooms")
	if p := made("fifth", two); p.Tariff.FeeRate != 500 || p.Tariff.FeeFixed != 0 {
		t.Errorf("the fee of a new program is %+v, not the new plan's", p.Tariff)
	}
	if k, err := shows.Program(t.Context(), "first", 0); err != nil || k.Program.Tariff.FeeRate != 150 {
		t.Errorf("the fee of an old one became %+v, %v", k.Program.Tariff, err)
	}
}
