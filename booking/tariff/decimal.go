package tariff

import (
	"fmt"
	"strconv"
	"strings"
)

// digits are those of the currencies whose minor unit is not a hundredth (ISO 4217).
var digits = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0,
	"UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"CLF": 4, "UYW": 4,
}

// Digits is how many decimals a currency has.
func Digits(currency string) int {
	if n, ok := digits[currency]; ok {
		return n
	}
	return 2
}

// Decimal writes an amount as people do: 4500 EUR is 45.00, 4500 JPY is 4500.
func Decimal(amount int64, currency string) string {
	n := Digits(currency)
	text, sign := strconv.FormatInt(amount, 10), ""
	if strings.HasPrefix(text, "-") {
		text, sign = text[1:], "-"
	}
	if n == 0 {
		return sign + text
	}
	text = fmt.Sprintf("%0*s", n+1, text)
	return sign + text[:len(text)-n] + "." + text[len(text)-n:]
}
