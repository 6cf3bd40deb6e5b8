package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// publishByStaff makes version 3 by the staff's API: with a reason, by whoever saw
// version 2, written down before and after.
func publishByStaff(t *testing.T, keys keyFolder, db *pgxpool.Pool, rdb redis.UniversalClient) {
	t.Helper()
	key, err := keys.addStaff("ada", admission.RoleSRE, "")
	if err != nil {
		t.Fatal(err)
	}
	staff, err := admission.LoadStaff(keys.path(staffFile))
	if err != nil {
		t.Fatal(err)
	}
	quiet, line := slog.New(slog.DiscardHandler), queue.New(rdb, queue.Keys{})
	audit, err := admission.NewAudit(db, t.TempDir(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	handler := admission.NewOps(line, staff, quiet).WithRecords(audit, admission.NewSchedule(db, line, quiet))
	api := httptest.NewServer(handler)
	t.Cleanup(api.Close)
	changing := regexp.MustCompile(`[0-9a-f]{64}|of \d\S+Z`)
	ops := func(args ...string) string {
		t.Helper()
		return changing.ReplaceAllString(session(t, "", append([]string{"ops", "--edge", api.URL, "--staff-key", key, "terms"}, args...)...), "#")
	}
	if says := ops("show", "demo"); !strings.HasPrefix(says, "ropeline: terms-away: ") {
		t.Errorf("without a key for terms it says %s", says)
	}
	p, err := newPublisher(db, rdb, keys, quiet)
	if err != nil || p == nil {
		t.Fatalf("%v, %v", p, err)
	}
	handler.WithTerms(p)
	second := "version 2 #, hash #\nchanged because: The band has grown.\n  price of Stalls: \"7500 EUR\", now \"9900 EUR\"\n"
	expect(t, ops("show", "demo"), second)
	expect(t, ops("publish", "demo", "--reason", "To be sure."), "nothing has changed\n"+second)
	if _, err := db.Exec(t.Context(), `update tiers set amount = 9800 where name = 'Stalls'`); err != nil {
		t.Fatal(err)
	}
	expect(t, ops("show", "demo"), second+"  not published yet: price of Stalls: \"9900 EUR\", now \"9800 EUR\"\n")
	for body, want := range map[string]string{
		`{"expect":1,"reason":"r"}`:             "terms-changed",
		`{"expect":-1,"reason":"r"}`:            "expect-missing",
		`{"reason":"r"}`:                        "expect-missing",
		`{"expect":2}`:                          "reason-missing",
		`{"expect":2,"reason":"a\nb"}`:          "reason-missing",
		`{"expect":2,"reason":"r","sheet":{}}`:  "body-malformed",
		`{"expect":2,"reason":"r","version":9}`: "body-malformed",
		`[`:                                     "body-malformed",
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/api/v1/ops/sales/demo/terms", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %s, want %s", body, w.Body, want)
		}
	}
	expect(t, ops("publish", "nowhere", "--reason", "r"), "ropeline: sale-unknown: There is no such sale.\nhint: which sales there are says: ropeline ops status\n[1]\n")
	expect(t, ops("publish", "demo", "--reason", "A sponsor."), "version 3 #, hash #\nchanged because: A sponsor.\n  price of Stalls: \"9900 EUR\", now \"9800 EUR\"\n")
	if b, err := line.Board(t.Context(), "demo"); err != nil || b.Newest() != 3 {
		t.Errorf("Redis has version %d, %v", b.Newest(), err)
	}
	rows, _, err := audit.List(t.Context(), "demo", 0, 10)
	if err != nil || len(rows) < 2 || rows[0].Kind != admission.Effective || rows[1].Kind != admission.Intended ||
		rows[0].Action != "publish terms" || rows[0].Reason != "A sponsor." || !strings.Contains(string(rows[0].Detail), `"version": 3`) {
		t.Errorf("the audit has %+v, %v", rows, err)
	}
	events, err := rdb.XRevRangeN(t.Context(), "ropeline:{demo}:events", "+", "-", 1).Result()
	if err != nil || len(events) != 1 || events[0].Values["kind"] != "terms" || !strings.Contains(fmt.Sprint(events[0].Values["data"]), "A sponsor.") {
		t.Errorf("the public is told %v, %v", events, err)
	}
}

// The terms of a sale are published, changed with a reason and checked offline,
// all on the command line.
func TestPublishAndVerifyTerms(t *testing.T) {
	t.Parallel()
	server, dsn, dir := devtest.PrivateRedis(t), devtest.PostgresDSN(t), t.TempDir()
	db, keys := devtest.PostgresAt(t, dsn), keyFolder(dir)
	if _, err := keys.init(); err != nil {
		t.Fatal(err)
	}
	d := usualDemo
	d.Seats, d.General = 40, 10
	sale, err := d.seed(t.Context(), db, server.Client, keys)
	if err != nil {
		t.Fatal(err)
	}
	hash := regexp.MustCompile(`[0-9a-f]{64}|[0-9]+ bytes`)
	publish := func(args ...string) string {
		t.Helper()
		args = append([]string{"publish", "--redis", server.URL, "--postgres", dsn, "--keys", "DIR"}, args...)
		return hash.ReplaceAllString(session(t, dir, args...), "#")
	}
	expect(t, publish("demo"), "demo is published; version 1 of its terms (as before) has # and the hash #\n")
	if _, err := db.Exec(t.Context(), `update tiers set amount = 9900 where performance_id = $1 and name = 'Stalls'`, sale.Performances[0]); err != nil {
		t.Fatal(err)
	}
	expect(t, publish("demo"), "ropeline: reason-missing: The terms of the sale have changed since they were published: give a reason, which the fans are shown.\n[1]\n")
	expect(t, publish("demo", "--reason", "The band has grown."), "demo is published; version 2 of its terms (new) has # and the hash #\n")
	expect(t, publish("nowhere"), "ropeline: sale-unknown: There is no such sale.\n[1]\n")

	// Redis forgets the sale: it gets every version again.
	if err := server.Client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	expect(t, publish("demo"), "demo is published; version 2 of its terms (as before) has # and the hash #\n")
	board, err := queue.New(server.Client, queue.Keys{}).Board(t.Context(), "demo")
	if err != nil || board.Newest() != 2 {
		t.Fatalf("Redis has %d versions, %v", board.Newest(), err)
	}

	publishByStaff(t, keys, db, server.Client)

	for i, signed := range board.Terms {
		doc, err := json.Marshal(wire.Terms{Version: i + 1, Signed: signed, Sheet: json.RawMessage("{}")})
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]string{fmt.Sprintf("v%d.json", i+1): string(doc), fmt.Sprintf("v%d.jws", i+1): signed + "\n",
			fmt.Sprintf("forged%d.jws", i+1): strings.Replace(signed, ".", ".e", 1)}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	verify := func(args ...string) string {
		t.Helper()
		return session(t, dir, append([]string{"verify-terms", "--keys", "DIR/terms.pub"}, args...)...)
	}
	says := verify("DIR/v1.json", "DIR/v2.jws")
	for _, part := range []string{"holds   version 1 of the terms of demo", "holds   version 2", "changed because: The band has grown.", `price of Stalls: "7500 EUR", now "9900 EUR"`} {
		if !strings.Contains(says, part) || strings.Contains(says, "[1]") {
			t.Errorf("it does not say %q:\n%s", part, says)
		}
	}
	noted := regexp.MustCompile(`[0-9a-f]{64}`).FindString(says)
	if says := verify("--hash", strings.ToUpper(noted), "DIR/v1.json"); strings.Contains(says, "[1]") {
		t.Errorf("the hash that was noted: %s", says)
	}
	for want, args := range map[string][]string{
		"it does not follow the one before":         {"DIR/v2.json", "DIR/v1.json"},
		"it is not the one whose hash you noted":    {"--hash", noted, "DIR/v2.json"},
		"forged1.jws: reading the sheet":            {"DIR/forged1.jws"},
		"is no terms sheet: open DIR/none":          {"DIR/none"},
		"is no terms sheet: it has no field signed": {"DIR/admission.pub"},
		"the signature is not one of these keys":    {"--keys", "DIR/admission.pub", "DIR/v1.json"},
		"hint: ropeline --help":                     nil,
	} {
		if says := verify(args...); !strings.Contains(says, want) || !strings.HasSuffix(says, "]\n") {
			t.Errorf("%v: it says\n%s\nwant %q", args, says, want)
		}
	}
}
