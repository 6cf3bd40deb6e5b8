package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// The terms of a sale are published, changed with a reason and checked offline,
// all on the command line.
func TestPublishAndVerifyTerms(t *testing.T) {
	t.Parallel()
	redis, dsn, dir := devtest.PrivateRedis(t), devtest.PostgresDSN(t), t.TempDir()
	db, keys := devtest.PostgresAt(t, dsn), keyFolder(dir)
	if _, err := keys.init(); err != nil {
		t.Fatal(err)
	}
	d := usualDemo
	d.Seats, d.General = 40, 10
	sale, err := d.seed(t.Context(), db, redis.Client, keys)
	if err != nil {
		t.Fatal(err)
	}
	hash := regexp.MustCompile(`[0-9a-f]{64}|[0-9]+ bytes`)
	publish := func(args ...string) string {
		t.Helper()
		args = append([]string{"publish", "--redis", redis.URL, "--postgres", dsn, "--keys", "DIR"}, args...)
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
	if err := redis.Client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	expect(t, publish("demo"), "demo is published; version 2 of its terms (as before) has # and the hash #\n")
	board, err := queue.New(redis.Client, queue.Keys{}).Board(t.Context(), "demo")
	if err != nil || board.Newest() != 2 {
		t.Fatalf("Redis has %d versions, %v", board.Newest(), err)
	}

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
