package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// session runs a command line and returns what a person would see: what it
// prints, and its exit code if it is not 0. DIR stands for the folder.
func session(t *testing.T, dir string, args ...string) string {
	t.Helper()
	for i, arg := range args {
		args[i] = strings.ReplaceAll(arg, "DIR", dir)
	}
	var out bytes.Buffer
	code := execute(t.Context(), append([]string{"--log", "error"}, args...), &out, &out)
	text := out.String()
	if dir != "" {
		text = strings.ReplaceAll(text, dir, "DIR")
	}
	if code != 0 {
		text += "[" + string(rune('0'+code)) + "]\n"
	}
	return text
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("it says\n%s\nwant\n%s", got, want)
	}
}

// staffKeys makes the keys of a server below dir, and in dir/key that of somebody on staff.
func staffKeys(t *testing.T, dir string) keyFolder {
	t.Helper()
	keys := keyFolder(filepath.Join(dir, "keys"))
	if _, err := keys.init(); err != nil {
		t.Fatal(err)
	}
	key, err := keys.devStaff()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	return keys
}

// runs runs parts of a server until the test ends, which waits for them.
func runs(t *testing.T, log *slog.Logger, parts ...part) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- runAll(ctx, log, parts...) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("what ran ended with %v", err)
		}
	})
}

func TestKeysAreMadeOnceAndChecked(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")

	expect(t, session(t, dir, "check", "--keys", "DIR"), `error  keys: DIR/place.key is missing; make it with: ropeline keygen init --keys DIR
       DIR/seed.key is missing; make it with: ropeline keygen init --keys DIR
       DIR/order.key is missing; make it with: ropeline keygen init --keys DIR
       loading admission key: open DIR/admission.key: no such file or directory
       loading key set: open DIR/admission.pub: no such file or directory
[1]
`)
	expect(t, session(t, dir, "keygen", "init", "--keys", "DIR"),
		"made in DIR: place.key seed.key code.key order.key people.key ticket.key admission.key admission.pub terms.key terms.pub ledger.key ledger.pub badge.key badge.pub invite.key invite.pub staff\n")
	before, err := os.ReadFile(filepath.Join(dir, "place.key"))
	if err != nil {
		t.Fatal(err)
	}
	expect(t, session(t, dir, "keygen", "init", "--keys", "DIR"), "nothing was missing in DIR\n")
	after, err := os.ReadFile(filepath.Join(dir, "place.key"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("a second init changed a key (%v)", err)
	}
	expect(t, session(t, dir, "check", "--keys", "DIR"), "ok     keys: they are there and fit together\n")
}

func TestBadKeysAreNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string) error
		says  string
	}{
		"cut": {
			func(_ *testing.T, dir string) error {
				return os.WriteFile(filepath.Join(dir, "seed.key"), []byte("abcd\n"), 0o600)
			},
			"DIR/seed.key is damaged: want 64 hexadecimal digits",
		},
		"readable": {
			func(_ *testing.T, dir string) error { return os.Chmod(filepath.Join(dir, "order.key"), 0o644) },
			"order.key may be read by others; run: chmod 600 DIR/order.key",
		},
		"foreign": {
			func(t *testing.T, dir string) error {
				other := filepath.Join(t.TempDir(), "other")
				session(t, other, "keygen", "init", "--keys", "DIR")
				return os.Rename(filepath.Join(other, "admission.pub"), filepath.Join(dir, "admission.pub"))
			},
			"admission.pub does not trust the key in admission.key, so nobody would get in",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "keys")
			session(t, dir, "keygen", "init", "--keys", "DIR")
			if err := c.spoil(t, dir); err != nil {
				t.Fatal(err)
			}
			expect(t, session(t, dir, "check", "--keys", "DIR"), "error  keys: "+c.says+"\n[1]\n")
		})
	}
}

func TestStaffGetAKeyOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	session(t, dir, "keygen", "init", "--keys", "DIR")
	key := strings.TrimSpace(session(t, dir, "keygen", "staff", "--keys", "DIR", "ada", "sre"))
	list, err := os.ReadFile(filepath.Join(dir, "staff"))
	if err != nil {
		t.Fatal(err)
	}
	if len(key) < 20 || bytes.Contains(list, []byte(key)) || !bytes.HasPrefix(list, []byte("ada sre ")) {
		t.Errorf("key %q, list %q", key, list)
	}
	expect(t, session(t, dir, "keygen", "staff", "--keys", "DIR", "ada", "sre"),
		"ropeline: ada is in DIR/staff already; remove that line first\n[1]\n")
	expect(t, session(t, dir, "keygen", "staff", "--keys", "DIR", "bob", "king"),
		"ropeline: staff role \"king\": the roles are: sre, shop, vendor, boxoffice, organizer, door, supervisor\n[1]\n")
}

func TestKeysOfTicketsAreAdded(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	session(t, dir, "keygen", "init", "--keys", "DIR")
	count := func() int {
		file, err := os.ReadFile(filepath.Join(dir, "ticket.key"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(file), "\n")
	}
	for _, c := range []struct {
		flags []string
		says  string
		keys  int
	}{
		{nil, "the new key is there; bring ticket.key to all booking cores and start them again before ", 2},
		{nil, "the new key is there; bring ticket.key to all booking cores and start them again before ", 3},
		{[]string{"--at-once"}, "the new key is there; bring ticket.key to all booking cores and start them again at once", 1},
	} {
		says := session(t, dir, append([]string{"keygen", "tickets", "--keys", "DIR"}, c.flags...)...)
		if !strings.HasPrefix(says, c.says) || count() != c.keys {
			t.Errorf("%v: %d keys, %s", c.flags, count(), says)
		}
		expect(t, session(t, dir, "check", "--keys", "DIR"), "ok     keys: they are there and fit together\n")
	}
	if err := os.WriteFile(filepath.Join(dir, "ticket.key"), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, session(t, dir, "check", "--keys", "DIR"), "error  keys: DIR/ticket.key: there is none in it\n[1]\n")
}

func TestCheckLooksAtTheServers(t *testing.T) {
	t.Parallel()
	redis := devtest.PrivateRedis(t)
	postgres := devtest.PostgresDSN(t)
	expect(t, session(t, "", "check", "--redis", redis.URL, "--postgres", postgres),
		"ok     redis: it answers and never evicts\nok     postgres: it answers and is migrated\n")

	if err := redis.Client.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err(); err != nil {
		t.Fatal(err)
	}
	expect(t, session(t, "", "check", "--redis", redis.URL),
		"error  redis: maxmemory-policy is allkeys-lru, so places could silently vanish; set it to noeviction\n[1]\n")

	redis.Kill()
	if says := session(t, "", "check", "--redis", redis.URL); !strings.HasPrefix(says, "error  redis: it does not answer: ") {
		t.Errorf("with Redis away: %s", says)
	}
	db := devtest.Postgres(t)
	if _, err := db.Exec(t.Context(), "drop table goose_db_version"); err != nil {
		t.Fatal(err)
	}
	expect(t, session(t, "", "check", "--postgres", db.Config().ConnString()),
		"error  postgres: the database is behind this program; run: ropeline migrate\n[1]\n")
}

func TestCheckInventoryFindsWhatDiffers(t *testing.T) {
	t.Parallel()
	redis := devtest.PrivateRedis(t)
	dsn := devtest.PostgresDSN(t)
	db := devtest.PostgresAt(t, dsn)
	keys := keyFolder(filepath.Join(t.TempDir(), "keys"))
	if _, err := keys.init(); err != nil {
		t.Fatal(err)
	}
	d := usualDemo
	d.Seats, d.General = 40, 10
	sale, err := d.seed(t.Context(), db, redis.Client, keys)
	if err != nil {
		t.Fatal(err)
	}
	says := session(t, "", "check", "inventory", "--redis", redis.URL, "--postgres", dsn)
	expect(t, strings.ReplaceAll(says, string(sale.Performances[0]), "SHOW"),
		"error  SHOW: 50 units, 50 free, 0 held, 0 being paid, 0 sold\n       not-built: units []\n[1]\n")

	says = session(t, "", "check", "inventory", "--json", "--redis", redis.URL, "--postgres", dsn)
	var report struct {
		OK           bool
		Performances []struct{ Mismatches []struct{ Kind string } }
	}
	if err := json.Unmarshal([]byte(strings.TrimSuffix(says, "[1]\n")), &report); err != nil {
		t.Fatal(err)
	}
	if report.OK || len(report.Performances) != 1 || report.Performances[0].Mismatches[0].Kind != "not-built" {
		t.Errorf("as JSON: %s", says)
	}

	says = session(t, "", "check", "ledger", "--postgres", dsn)
	expect(t, strings.ReplaceAll(says, string(sale.Performances[0]), "SHOW"), "ok     SHOW: 0 orders\n")
}

func TestUnclearCommandLinesGetAHint(t *testing.T) {
	t.Parallel()
	expect(t, session(t, "", "worker"), "ropeline: missing flags: --postgres=DSN, --redis=URL\nhint: ropeline --help\n[2]\n")
	expect(t, session(t, "", "check"), "ropeline: nothing to check: give --redis, --postgres, --keys or --stripe-key\n[1]\n")
	expect(t, session(t, "", "dance"), "ropeline: unexpected argument dance\nhint: ropeline --help\n[2]\n")
}

func TestADemoWithAnUnknownSettingIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "demo.json"), []byte(`{"price": 3}`), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, session(t, dir, "dev", "--data", "DIR/data", "--demo", "DIR/demo.json"),
		"ropeline: reading the demo DIR/demo.json: json: unknown field \"price\"\n[1]\n")
}

func TestPartsStopInReverseOrderWhenOneFails(t *testing.T) {
	t.Parallel()
	var stopped []string // written by one part at a time: each ends before the next is stopped
	waits := func(name string) part {
		return part{name, func(ctx context.Context) error {
			<-ctx.Done()
			stopped = append(stopped, name)
			return nil
		}}
	}
	broken := errors.New("broken")
	err := runAll(t.Context(), slog.New(slog.DiscardHandler), waits("first"), waits("second"),
		part{"third", func(context.Context) error { return broken }})
	if !errors.Is(err, broken) || err.Error() != "third: broken" {
		t.Errorf("the error is %v", err)
	}
	if got := strings.Join(stopped, " "); got != "second first" {
		t.Errorf("stopped %s", got)
	}
}

func TestInvite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	session(t, dir, "keygen", "init", "--keys", "DIR")
	out := session(t, dir, "invite", "--keys", "DIR", "--url", "https://sale.example/", "autumn", "guest-1", "guest-2")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[1], "guest-2 https://sale.example/sales/autumn#invitation=invite1.") {
		t.Errorf("invitations:\n%s", out)
	}
	if out := session(t, dir, "invite", "--keys", "DIR", "--url", "https://sale.example", "autumn", "two words"); !strings.Contains(out, "inviting") {
		t.Errorf("a bad name: %s", out)
	}
}

func TestRoutesAreCheckedAndLookedUp(t *testing.T) {
	t.Parallel()
	const routes = "../../docs/gate/routes.yaml"
	expect(t, session(t, "", "check", "routes", routes), "ok     shop.example: sale lanterns, 4 routes, in front of 127.0.0.1:9000\n")
	expect(t, session(t, "", "check", "routes", routes, "--url", "https://shop.example/Static//a.css?x", "--url", "https://shop.example/buy/%2e%2e",
		"--url", "shop.example:443/buy,1", "--url", "https://tickets.example/", "--url", "https://shop.example/sales/lanterns", "--url", "http://evil.example"),
		`GET https://shop.example/Static//a.css?x
       line 15: no token needed, fails open; forwarded as /Static/a.css?x (refused where a proxy asks, which would forward it as it came)
GET https://shop.example/buy/%2e%2e
       refused: path-invalid: This address cannot be opened: it could be read in two ways.
GET shop.example:443/buy,1
       line 28: needs a token of lanterns, fails closed; forwarded as /buy,1
GET https://tickets.example/
       the edge's own host
GET https://shop.example/sales/lanterns
       the waiting room
GET http://evil.example
       refused: host-unknown: This server does not know the host that was asked for.
`)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "routes.yaml"), []byte("hosts:\n  - host: shop.example\n    sale: lanterns\n    routes: [{paths: /**, token: required}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, session(t, dir, "check", "routes", "DIR/routes.yaml"),
		"ropeline: DIR/routes.yaml: line 4: fail: say \"open\" or \"closed\": what shall happen while the gate cannot see?\n[1]\n")
}

func TestAdmissionKeysAreRotatedStepByStep(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	for _, step := range []struct {
		args string
		says string
		code string
	}{
		{"keygen init --keys DIR", "made in DIR", ""},
		{"keygen promote --keys DIR", "there is no next key", "[1]"},
		{"keygen retire --keys DIR", "there is no old key", "[1]"},
		{"keygen rotate --keys DIR", "the next key is published", ""},
		{"check --keys DIR", "ok     keys", ""},
		{"keygen rotate --keys DIR", "there is a next key already", "[1]"},
		{"keygen promote --keys DIR", "may not be known everywhere before", "[1]"},
		{"keygen promote --at-once --keys DIR", "the next key signs", ""},
		{"check --keys DIR", "ok     keys", ""},
		{"keygen retire --keys DIR", "may be accepted until", "[1]"},
		{"keygen retire --at-once --keys DIR", "old keys that are gone: 1", ""},
		{"check --keys DIR", "ok     keys", ""},
	} {
		got := session(t, dir, strings.Fields(step.args)...)
		if !strings.Contains(got, step.says) || strings.HasSuffix(got, "[1]\n") != (step.code != "") {
			t.Fatalf("%s says\n%s\nwant %q%s", step.args, got, step.says, step.code)
		}
	}
}
