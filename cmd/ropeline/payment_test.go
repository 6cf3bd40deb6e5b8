package main

import (
	"os"
	"path/filepath"
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
