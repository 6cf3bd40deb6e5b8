package main

import (
	"log/slog"
	"net"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// Staff block, look and lift from the command line, at a booking core on real servers.
func TestStaffBlockAndLiftFromTheCommandLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := staffKeys(t, dir)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	db, log := devtest.Postgres(t), slog.New(slog.DiscardHandler)
	parts, err := newBooking(devtest.Redis(t), db, payments{Provider: sandbox.New(db)}, keys, "blocks", 0, siteFlags{}, abuseFlags{}, receiverFlags{}, ln, prometheus.NewRegistry(), log)
	if err != nil {
		t.Fatal(err)
	}
	runs(t, log, parts...)

	id, when := "", regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	hash := regexp.MustCompile(`\b[A-Za-z0-9_-]{22}\b`)
	ops := func(args ...string) string {
		t.Helper()
		text := session(t, dir, append([]string{"ops", "--edge", "http://" + ln.Addr().String(), "--staff-key-file", "DIR/key", "blocks"}, args...)...)
		if id != "" {
			text = strings.ReplaceAll(text, id, "ID")
		}
		return when.ReplaceAllString(text, "TIME")
	}
	expect(t, ops("list"), "there are none\n")
	made := ops("add", "--address", "203.0.113.7", "--for", "2h", "--reason", "sells at the door")
	at := strings.Index(made, "\nid ")
	if at < 0 {
		t.Fatalf("adding said %q", made)
	}
	id = strings.TrimSpace(made[at+4:])
	expect(t, made[:at], "blocked until TIME")
	expect(t, ops("add", "--address", "203.0.113.7", "--reason", "again"), "ropeline: block-exists: Staff have blocked them already. Lift that block first to make another one.\nhint: which blocks there are says: ropeline ops blocks list\n[3]\n")
	expect(t, ops("add", "--address", "nowhere", "--reason", "r"), "ropeline: block-invalid: A block is of one place or one address, for 60 seconds to 366 days, with a reason of 1 to 200 characters that can be printed.\n[1]\n")
	if got := ops("add", "--reason", "r"); !strings.HasSuffix(got, "[2]\n") {
		t.Errorf("nobody named: %s", got)
	}
	fields := strings.Fields(strings.Split(ops("list", "--address", "203.0.113.7"), "\n")[1])
	if got := hash.ReplaceAllString(strings.Join(fields, " "), "HASH"); !strings.HasPrefix(got, "TIME TIME active staff address HASH staff:") || !strings.HasSuffix(got, "sells at the door ID") {
		t.Errorf("the list says %q", got)
	}
	expect(t, ops("list", "--address", "203.0.113.8"), "there are none\n")
	expect(t, ops("lift", id, "--reason", "a school class", "--erase"), "lifted\n")
	expect(t, ops("list"), "there are none\n")
	shown := ops("show", id)
	for _, want := range []string{"lifted address  for staff, until TIME: sells at the door\n", "a school class", "erased"} {
		if !strings.Contains(shown, want) {
			t.Errorf("showing says %q, want %q in it", shown, want)
		}
	}
	expect(t, ops("show", "x"), "ropeline: block-unknown: There is no such block.\nhint: which blocks there are says: ropeline ops blocks list\n[1]\n")
}
