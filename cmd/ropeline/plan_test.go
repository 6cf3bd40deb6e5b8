package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	plans "github.com/ropeline/ropeline/booking/plan"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// A plan by commands alone: made from the file of the documentation, chosen, used up, and
// over. What was published before it was over, and opens after it, is known to the line as ever and
// may be published again.
func TestAPlanIsChosenUsedAndOver(t *testing.T) {
	t.Parallel()
	dir, dsn := t.TempDir(), devtest.PostgresDSN(t)
	db, redis := devtest.PostgresAt(t, dsn), devtest.PrivateRedis(t)
	run := func(args ...string) string { return session(t, dir, args...) }
	plan := func(do string, args ...string) string {
		t.Helper()
		return run(append([]string{"plan", do, "--postgres", dsn}, args...)...)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(file string) string {
		t.Helper()
		text, err := os.ReadFile("../../docs/" + file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	write("plan.json", read("plan.json"))
	write("wrong.json", strings.Replace(read("plan.json"), `"rooms": 2`, `"rooms": -2`, 1))
	write("free.json", `{"id": "free", "name": "Free", "period": "month", "entitlements": {"rooms": 0, "lanes": 0, "automatic": false, "exports": false}}`)
	write("venue.json", read("venue.json"))
	if err := sandbox.New(db).SetCharges(t.Context(), "acct_7", true); err != nil {
		t.Fatal(err)
	}
	run("account", "connect", "--postgres", dsn, "opera", "acct_7")
	run("keygen", "init", "--keys", "DIR")

	const stage = "Stage, 49.00 EUR a month, rooms: 2, lanes: 1, API keys: 2, no own look"
	expect(t, run("plan", "check", "DIR/plan.json"), "stage: "+stage+"\n")
	expect(t, run("plan", "check", "DIR/wrong.json"), "ropeline: plan-invalid: entitlements.rooms must lie between 0 and 1000000; leave it out for any number.\n[1]\n")
	expect(t, plan("show", "opera"), "opera has free, version 1: Free, nothing a month\nrooms open: 0 of any number; lanes of one: 0 of any number\n")
	expect(t, plan("put", "DIR/plan.json"), "stage is kept, version 1 (new): "+stage+"\n")
	expect(t, plan("put", "DIR/plan.json"), "stage is kept, version 1 (as before): "+stage+"\n")
	expect(t, plan("put", "DIR/free.json"), "free is kept, version 2 (new): Free, nothing a month, rooms: 0, lanes: 0, no automatic mode, no exports\n")
	anyTime := regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	timeless := func(text string) string { return anyTime.ReplaceAllString(text, "TIME") }
	expect(t, timeless(plan("list")), "PLAN   VERSION  SINCE                 IS\nfree   2        TIME  Free, nothing a month, rooms: 0, lanes: 0, no automatic mode, no exports\nstage  1        TIME  "+stage+"\n")
	expect(t, plan("choose", "opera", "gold"), "ropeline: plan-unknown: There is no such plan.\n[1]\n")
	expect(t, plan("choose", "nobody", "stage"), "ropeline: account-unknown: There is no payment account of this name.\n[1]\n")
	expect(t, timeless(plan("choose", "opera", "stage")), "opera has stage, version 1: "+stage+"\nuntil TIME, then stage\nrooms open: 0 of 2; lanes of one: 0 of 1\n")

	venue := anyID.FindString(run("venue", "import", "--postgres", dsn, "DIR/venue.json"))
	example := strings.ReplaceAll(exampleProgram(t), "VENUE", venue)
	example = strings.Replace(strings.Replace(example, `"fee_rate": 250, `, "", 1), `"currency":`, `"account": "opera", "currency":`, 1)
	publish := func(id string) string {
		t.Helper()
		return run("publish", "--postgres", dsn, "--redis", redis.URL, "--keys", "DIR", id)
	}
	for _, id := range []string{"spring", "autumn", "winter"} {
		write("program.json", strings.Replace(strings.ReplaceAll(example, "2027", "2047"), `"gala"`, `"`+id+`"`, 1))
		if made := run("program", "--postgres", dsn, "DIR/program.json"); !strings.HasSuffix(made, "ropeline publish "+id+"\n") {
			t.Fatalf("making %s: %s", id, made)
		}
	}
	for _, id := range []string{"spring", "autumn"} {
		if said := publish(id); !strings.HasPrefix(said, id+" is published; version 1 of its terms (new)") {
			t.Errorf("publishing %s: %s", id, said)
		}
	}
	refused := func(plan string) string {
		return "ropeline: plan-rooms: The plan \"" + plan + "\" allows so many waiting rooms open at once: "
	}
	expect(t, publish("winter"), refused("Stage")+"2. Open are: 2. Nothing was changed.\n[1]\n")
	line := queue.New(redis.Client, queue.Keys{Seed: make([]byte, 32)})
	if _, err := line.Sale(t.Context(), "winter"); err == nil {
		t.Error("a sale that was refused is known to the line")
	}

	staff := planBook{catalogue.New(db, time.Now)}
	if err := staff.Automatic(t.Context(), "spring"); err != nil {
		t.Errorf("the automatic mode of a plan that has it: %v", err)
	}
	if said := plan("choose", "opera", "free"); !strings.Contains(said, ", then it is over, and what is open stays open\n") {
		t.Errorf("giving it up: %s", said)
	}
	if _, err := db.Exec(t.Context(), `update subscriptions set anchor = anchor - interval '1 month'`); err != nil {
		t.Fatal(err)
	}
	expect(t, plan("show", "opera"), "opera has free, version 2: Free, nothing a month, rooms: 0, lanes: 0, no automatic mode, no exports\nrooms open: 2 of 0; lanes of one: 0 of 0\n")
	for _, id := range []string{"spring", "autumn"} {
		if said := publish(id); !strings.HasPrefix(said, id+" is published; version 1 of its terms (as before)") {
			t.Errorf("publishing %s again: %s", id, said)
		}
		if sale, err := line.Sale(t.Context(), ropeline.SaleID(id)); err != nil || sale.OpensAt.Before(time.Now()) {
			t.Errorf("%s in the line: %+v, %v", id, sale, err)
		}
	}
	if err := staff.Automatic(t.Context(), "spring"); !errors.Is(err, plans.ErrAutomatic) {
		t.Errorf("the automatic mode of a plan that is over: %v", err)
	}
	expect(t, publish("winter"), refused("Free")+"0. Open are: 2. Nothing was changed.\n[1]\n")
	periods := timeless(plan("periods", "opera"))
	if !regexp.MustCompile(`^BEGINS +ENDS +PLAN +VERSION +COSTS +BY\nTIME +TIME +stage +1 +49\.00 EUR +command\n$`).MatchString(periods) {
		t.Errorf("the periods are\n%s", periods)
	}
}
