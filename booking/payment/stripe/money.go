package stripe

import (
	"strings"

	"github.com/ropeline/ropeline/booking"
)

// Stripe counts in minor units as ISO 4217 does, with exceptions
// (docs.stripe.com/currencies). Of the króna it wants two decimals that are
// zero. Of currencies with three decimals the last one has to be zero. The
// ariary and the Ugandan shilling we do not take: Stripe's pages do not agree
// with themselves on what the minor unit is.
const krona = "ISK"

var (
	threeDecimals = map[string]bool{"BHD": true, "JOD": true, "KWD": true, "OMR": true, "TND": true}
	unclear       = map[string]bool{"MGA": true, "UGX": true}
)

// most is the largest amount that Stripe takes: eight digits.
const most = 99_999_999

// payable reports whether Stripe can take an amount.
func payable(m booking.Money) bool {
	if m.Amount <= 0 || m.Amount > most || unclear[m.Currency] || threeDecimals[m.Currency] && m.Amount%10 != 0 {
		return false
	}
	return m.Currency != krona || m.Amount <= most/100
}

// toStripe puts a payable amount into Stripe's units.
func toStripe(m booking.Money) (int64, string) {
	if m.Currency == krona {
		m.Amount *= 100
	}
	return m.Amount, strings.ToLower(m.Currency)
}

// fromStripe puts it back into ours.
func fromStripe(amount int64, currency string) booking.Money {
	m := booking.Money{Amount: amount, Currency: strings.ToUpper(currency)}
	if m.Currency == krona {
		m.Amount /= 100
	}
	return m
}
