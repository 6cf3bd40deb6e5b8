package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// An organizer's account is asked for before it is kept, a program names it, and a sale
// whose account takes no payments is neither made nor published.
func TestAnAccountThatTakesNoPayments(t *testing.T) {
	t.Parallel()
	dir, dsn := t.TempDir(), devtest.PostgresDSN(t)
	db := devtest.PostgresAt(t, dsn)
	run := func(args ...string) string { return session(t, dir, args...) }
	bank := sandbox.New(db)
	can := func(yes bool) {
		t.Helper()
		if err := bank.SetCharges(t.Context(), "acct_7", yes); err != nil {
			t.Fatal(err)
		}
	}
	can(true)
	connect := []string{"account", "connect", "--postgres", dsn, "opera", "acct_7"}
	expect(t, run(connect...), "opera is acct_7, which takes payments\n")
	expect(t, run("account", "connect", "--postgres", dsn, "opera", "acct_8"), "ropeline: account-exists: This name, or this account of the provider's, is kept already, with another.\n[1]\n")
	expect(t, run("account", "connect", "--postgres", dsn, "film", "acct_7"), "ropeline: account-exists: This name, or this account of the provider's, is kept already, with another.\n[1]\n")
	expect(t, run("account", "connect", "--postgres", dsn, "Opera House", "acct_9"), "ropeline: account-invalid: The name of an account has 1 to 64 small letters, digits and hyphens; the provider's id of it must be given.\n[1]\n")

	example, err := os.ReadFile("../../docs/venue.json")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "venue.json"), example, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	venue := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`).FindString(run("venue", "import", "--postgres", dsn, "DIR/venue.json"))
	write := func(account string) {
		t.Helper()
		text := strings.Replace(strings.ReplaceAll(exampleProgram(t), "VENUE", venue), `"currency":`, `"account": "`+account+`", "currency":`, 1)
		if err := os.WriteFile(filepath.Join(dir, "program.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := []string{"program", "--postgres", dsn, "DIR/program.json"}
	write("nobody")
	expect(t, run(program...), "ropeline: account-unknown: There is no payment account of this name.\n[1]\n")
	write("opera")
	can(false)
	expect(t, run(connect...), "opera is acct_7, which takes no payments: past_due\n")
	expect(t, run(program...), "ropeline: payments-suspended: The organizer's payment account takes no payments at the moment. Nothing is charged.\n[1]\n")
	can(true)
	run(connect...)
	if made := run(program...); !strings.HasSuffix(made, "ropeline publish gala\n") {
		t.Fatalf("making the program: %s", made)
	}
	can(false)
	run(connect...)
	if got := run("account", "list", "--postgres", dsn); !regexp.MustCompile(`(?m)^opera +acct_7 +takes no payments: past_due +`).MatchString(got) {
		t.Errorf("the accounts are\n%s", got)
	}
	expect(t, run("publish", "--postgres", dsn, "--redis", devtest.PrivateRedis(t).URL, "--keys", "DIR", "gala"),
		"ropeline: gala is not published: payment account opera (acct_7) takes no payments: past_due\nhint: see to it at the payment provider, then ask anew with: ropeline account connect opera acct_7\n[1]\n")
}
