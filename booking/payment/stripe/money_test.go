package stripe

import (
	"testing"

	"github.com/ropeline/ropeline/booking"
)

func TestMoneyInStripesUnits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ours     booking.Money
		amount   int64 // 0: not payable
		currency string
	}{
		{booking.Money{Amount: 1050, Currency: "EUR"}, 1050, "eur"},
		{booking.Money{Amount: 500, Currency: "JPY"}, 500, "jpy"},
		{booking.Money{Amount: 5, Currency: "ISK"}, 500, "isk"},
		{booking.Money{Amount: 5120, Currency: "KWD"}, 5120, "kwd"},
		{booking.Money{Amount: 5124, Currency: "KWD"}, 0, ""},
		{booking.Money{Amount: 500, Currency: "MGA"}, 0, ""},
		{booking.Money{Amount: 500, Currency: "UGX"}, 0, ""},
		{booking.Money{Amount: 99_999_999, Currency: "EUR"}, 99_999_999, "eur"},
		{booking.Money{Amount: 100_000_000, Currency: "EUR"}, 0, ""},
		{booking.Money{Amount: 999_999, Currency: "ISK"}, 99_999_900, "isk"},
		{booking.Money{Amount: 1_000_000, Currency: "ISK"}, 0, ""},
		{booking.Money{Amount: 1 << 62, Currency: "ISK"}, 0, ""},
		{booking.Money{Amount: 0, Currency: "EUR"}, 0, ""},
		{booking.Money{Amount: -1, Currency: "EUR"}, 0, ""},
	} {
		if payable(c.ours) != (c.amount != 0) {
			t.Errorf("%+v is payable: %v", c.ours, payable(c.ours))
		}
		if c.amount == 0 {
			continue
		}
		amount, currency := toStripe(c.ours)
		if amount != c.amount || currency != c.currency {
			t.Errorf("%+v is %d %s to Stripe, want %d %s", c.ours, amount, currency, c.amount, c.currency)
		}
		if back := fromStripe(amount, currency); back != c.ours {
			t.Errorf("%+v comes back as %+v", c.ours, back)
		}
	}
}
