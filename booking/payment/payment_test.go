package payment_test

import (
	"strings"
	"testing"

	"github.com/ropeline/ropeline/booking/payment"
)

func TestMethodsAreTokensAndNeverCardNumbers(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"sandbox_ok", "pm_1PgaftB7WZ01zgkWm3waTcFp", "pm_card_visa", "tok_visa", "pm_12345678901", "pm_1234567890a12345678901"} {
		if !payment.IsMethod(s) {
			t.Errorf("%q is not taken", s)
		}
	}
	for _, s := range []string{"", "_", "_a", "visa", "4242424242424242", "4242_4242", "pm_4242424242424242", "pm_4242_4242_4242_4242",
		"pm_x4242424242424242y", "pm_123456789012", "pm4242_424242424242", "pm 1", "pm_1\n", "pm_é", "pm_\u0664\u0662", "pm-1", "pm_1;--", "pm_" + strings.Repeat("a", 62)} {
		if payment.IsMethod(s) {
			t.Errorf("%q is taken for a method", s)
		}
	}
}
