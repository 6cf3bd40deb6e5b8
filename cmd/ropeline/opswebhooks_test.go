package main

import (
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/webhook"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// Staff tell an integrator of what happens, from the command line, at a booking core and
// a worker on real servers.
func TestIntegratorsAreToldFromTheCommandLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := staffKeys(t, dir)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := keys.secret(orderKey)
	if err != nil {
		t.Fatal(err)
	}
	db, rdb, log, told := devtest.Postgres(t), devtest.Redis(t), slog.New(slog.DiscardHandler), receiverFlags{WebhooksInside: true}
	parts, err := newBooking(rdb, db, payments{Provider: sandbox.New(db)}, keys, "webhooks", 0, siteFlags{}, abuseFlags{}, told, ln, prometheus.NewRegistry(), log)
	if err != nil {
		t.Fatal(err)
	}
	parts = append(parts, newWorker(rdb, db, sandbox.New(db), secrets, told, prometheus.NewRegistry(), log)...)
	runs(t, log, parts...)

	ears := listens(t)
	words := strings.NewReplacer(ears.url, "URL")
	when, ids := regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^ \n]*`), regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)
	ops := func(args ...string) string {
		t.Helper()
		return session(t, dir, append([]string{"ops", "--edge", "http://" + ln.Addr().String(), "--staff-key-file", "DIR/key", "webhooks"}, args...)...)
	}
	// row is a line of a table, with its columns one space apart.
	row := func(text string, n int) string {
		t.Helper()
		lines := strings.Split(text, "\n")
		if len(lines) <= n {
			t.Fatalf("there is no line %d in %q", n, text)
		}
		return when.ReplaceAllString(ids.ReplaceAllString(words.Replace(strings.Join(strings.Fields(lines[n]), " ")), "ID"), "TIME")
	}

	expect(t, ops("list"), "nobody is told of anything\n")
	expect(t, ops("add", "http://10.0.0.1#x", "--kind", "order.paid"), "ropeline: "+problemOf(webhook.ErrURL)+"\n[1]\n")
	expect(t, ops("add", ears.url, "--kind", "order.lost"), "ropeline: "+problemOf(webhook.ErrKind)+"\n[1]\n")
	if got := ops("add", ears.url); !strings.HasSuffix(got, "[2]\n") {
		t.Errorf("without a kind: %s", got)
	}
	made := regexp.MustCompile(`^endpoint ([0-9a-f-]{36})\nsecret   (whsec_[A-Za-z0-9+/=]{44})\nThe secret is not shown again.\n$`)
	first := made.FindStringSubmatch(ops("add", ears.url, "--kind", "order.paid,order.canceled", "--description", "our CRM"))
	if first == nil {
		t.Fatal("adding shows no secret")
	}
	id := first[1]
	if other := made.FindStringSubmatch(ops("add", ears.url+"/foyer", "--kind", "performance.sold_out")); other == nil || other[1] == id || other[2] == first[2] {
		t.Fatalf("another one is %q", other)
	} else {
		expect(t, ops("remove", other[1]), "forgotten\n")
	}
	expect(t, row(ops("list"), 0), "ID STATE DUE FAILING SINCE URL KINDS DESCRIPTION")
	expect(t, row(ops("list"), 1), "ID on 0 - URL order.paid,order.canceled our CRM")

	sent := ids.FindString(ops("test", id))
	await(t, "the test is sent", func() bool { return ears.has(sent) && strings.Contains(ops("deliveries", id), " delivered ") })
	expect(t, row(ops("deliveries", id), 0), "NUMBER EVENT KIND STATE TRIES STATUS PROBLEM HAPPENED")
	expect(t, row(ops("deliveries", id, "--state", "delivered"), 1), "1 ID webhook.test delivered 1 200 TIME")
	if got := ops("deliveries", id, "--json"); !strings.HasPrefix(got, "{") || !strings.Contains(got, sent) {
		t.Errorf("for programs: %s", got)
	}
	if got := ops("deliveries", id, "--state", "failed"); strings.Contains(got, sent) {
		t.Errorf("failed, it says: %s", got)
	}
	expect(t, ops("redeliver", id, sent), "1 to be sent\n")
	await(t, "it is sent again", func() bool { return ears.times(sent) == 2 })
	expect(t, ops("redeliver", id, "--since", "2026-01-01T00:00:00Z"), "0 to be sent\n")
	expect(t, ops("redeliver", id), "ropeline: give an event, or --since\n[1]\n")
	expect(t, ops("redeliver", id, id), "ropeline: "+problemOf(webhook.ErrDelivery)+"\nhint: what was sent says: ropeline ops webhooks deliveries ID\n[1]\n")

	expect(t, row(ops("off", id), 0), "ID off 0 - URL order.paid,order.canceled our CRM")
	expect(t, ops("test", id), "ropeline: "+problemOf(webhook.ErrOff)+"\nhint: ropeline ops webhooks on ID\n[3]\n")
	expect(t, row(ops("on", id), 0), "ID on 0 - URL order.paid,order.canceled our CRM")
	expect(t, row(ops("change", id, "--url", ears.url+"/new", "--kind", "order.paid", "--description", ""), 0), "ID on 0 - URL/new order.paid")
	expect(t, ops("change", id, "--kind", "x"), "ropeline: "+problemOf(webhook.ErrKind)+"\n[1]\n")

	next := made.FindStringSubmatch(ops("rotate", id, "--keep", "2h"))
	if next == nil || next[1] != id || next[2] == first[2] {
		t.Errorf("the new secret is %q, after %q", next, first)
	}
	if got := ops("rotate", id, "--keep", "200h"); !strings.HasSuffix(got, "[1]\n") {
		t.Errorf("for more than a week: %s", got)
	}
	if got := ops("list", "--json"); !strings.Contains(got, `"generation":2`) || !strings.Contains(got, `"old_until":`) || strings.Contains(got, next[2]) || strings.Contains(got, first[2]) {
		t.Errorf("for programs: %s", got)
	}
	expect(t, ops("remove", id), "forgotten\n")
	expect(t, ops("rotate", id), "ropeline: "+problemOf(webhook.ErrUnknown)+"\nhint: which endpoints there are says: ropeline ops webhooks list\n[1]\n")
	expect(t, ops("list"), "nobody is told of anything\n")
	if resp, err := http.Get("http://" + ln.Addr().String() + "/api/v1/organizer/webhooks"); err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a key: %v, %v", resp, err)
	} else {
		_ = resp.Body.Close()
	}
}

// await waits until something is so.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for !is() {
		select {
		case <-look.C:
		case <-limit.C:
			t.Fatalf("not after 20 s: %s", what)
		}
	}
}
