package main

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/payment/stripe"
)

func TestWhoTakesTheMoney(t *testing.T) {
	t.Parallel()
	p, err := paymentFlags{}.provider(nil)
	if _, ok := p.(*sandbox.Provider); !ok || err != nil {
		t.Errorf("without a key: %T, %v", p, err)
	}
	key := filepath.Join(t.TempDir(), "stripe.key")
	if p, err := (paymentFlags{StripeKey: key}).provider(nil); err == nil {
		t.Errorf("without the file: %T", p)
	}
	if err := os.WriteFile(key, []byte("sk_test_x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err = paymentFlags{StripeKey: key}.provider(nil)
	if _, ok := p.(*stripe.Provider); !ok || err != nil {
		t.Errorf("with a key: %T, %v", p, err)
	}
}

// A booking core is told of Stripe's webhooks by a file of secrets; the sandbox's
// come to the core's own address.
func TestWhoIsBelieved(t *testing.T) {
	t.Parallel()
	folder, quiet := t.TempDir(), slog.New(slog.DiscardHandler)
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	key, secrets, bad := file("key", "sk_test_x\n"), file("secrets", "whsec_a\nwhsec_b\n"), file("bad", "whsec_a\nsk_live_oops\n")

	if p, err := (webhookFlags{}).payments(paymentFlags{}, nil, ln, quiet); err != nil || p.sandbox == nil || p.criers["sandbox"] == nil || p.criers["stripe"] != nil || len(p.parts) != 1 {
		t.Errorf("the sandbox: %+v, %v", p, err)
	}
	if p, err := (webhookFlags{StripeWebhookSecrets: secrets, StripePublishableKey: "pk_test_x"}).payments(paymentFlags{StripeKey: key}, nil, ln, quiet); err != nil || p.sandbox != nil || p.criers["stripe"] == nil || p.criers["sandbox"] != nil || len(p.parts) != 0 || p.fields != "pk_test_x" {
		t.Errorf("Stripe: %+v, %v", p, err)
	}
	for what, flags := range map[string][2]string{
		"secrets without a key": {"", secrets}, "a line that is no secret": {key, bad}, "no such file": {key, filepath.Join(folder, "none")},
	} {
		if p, err := (webhookFlags{StripeWebhookSecrets: flags[1]}).payments(paymentFlags{StripeKey: flags[0]}, nil, ln, quiet); err == nil {
			t.Errorf("%s: %+v", what, p)
		}
	}
	for _, flags := range [][2]string{{"", "pk_test_x"}, {key, "sk_test_x"}, {key, "pk_test_x'; drop"}} { // the secret key is shown to nobody
		if p, err := (webhookFlags{StripePublishableKey: flags[1]}).payments(paymentFlags{StripeKey: flags[0]}, nil, ln, quiet); err == nil || strings.Contains(err.Error(), "sk_") {
			t.Errorf("publishable key %s: %+v, %v", flags[1], p, err)
		}
	}
	expect(t, session(t, folder, "check", "--stripe-key", "DIR/key", "--stripe-webhook-secrets", "DIR/secrets"),
		"ok     stripe: the key is there, and webhooks signed with 2 secrets are believed\n")
	expect(t, session(t, folder, "check", "--stripe-key", "DIR/key", "--stripe-webhook-secrets", "DIR/bad"),
		"error  stripe: DIR/bad: line 2 does not begin with whsec_\n[1]\n")
	if err := os.Chmod(secrets, 0o644); err != nil {
		t.Fatal(err)
	}
	expect(t, session(t, folder, "check", "--stripe-key", "DIR/key", "--stripe-webhook-secrets", "DIR/secrets"),
		"error  stripe: secrets may be read by others; run: chmod 600 DIR/secrets\n[1]\n")

	for addr, want := range map[string]string{"0.0.0.0:80": "127.0.0.1:80", "[::]:80": "127.0.0.1:80", "10.0.0.7:80": "10.0.0.7:80"} {
		at, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := reachable(at); got != want {
			t.Errorf("%s is reached at %s", addr, got)
		}
	}
}
