package coupon

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/ropeline/ropeline/booking"
)

// Keys makes the codes of copies and the keys of bags, all of one secret. None of
// them is kept anywhere: each is made again whenever it is shown or compared.
type Keys []byte

// codeBytes makes a code of 24 characters: 120 bits that nobody guesses.
const codeBytes = 15

// Code is what a copy shows at a till, as text and as a barcode. It changes with
// each turn, that is whenever the copy changes hands.
func (k Keys) Code(coupon string, number, turn int) string {
	sum := k.sum("coupon code", coupon, strconv.Itoa(number), strconv.Itoa(turn))
	return base32.StdEncoding.EncodeToString(sum[:codeBytes])
}

// ReadCode takes the spaces, hyphens and small letters out of a code that
// somebody typed. It reports false for what is no code at all.
func ReadCode(s string) (string, bool) {
	if len(s) > 64 {
		return "", false
	}
	s = strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(s))
	raw, err := base32.StdEncoding.DecodeString(s)
	return s, err == nil && len(raw) == codeBytes && base32.StdEncoding.EncodeToString(raw) == s
}

// hash finds a copy by its code. It is keyed, so that the table alone opens
// nothing.
func (k Keys) hash(code string) []byte { return k.sum("coupon hash", code)[:16] }

// same compares a code with a copy's in constant time.
func (k Keys) same(code string, c Copy, turn int) bool {
	return hmac.Equal([]byte(code), []byte(k.Code(c.Coupon.ID, c.Number, turn)))
}

// BagKey is the key of a bag: whoever has it has what is in there.
func (k Keys) BagKey(bag string) string {
	return bag + "." + base64.RawURLEncoding.EncodeToString(k.sum("bag", bag))
}

// Bag returns the bag that a key opens. It compares texts, in constant time.
func (k Keys) Bag(key string) (string, bool) {
	bag, _, _ := strings.Cut(key, ".")
	if !booking.IsID(bag) || !hmac.Equal([]byte(key), []byte(k.BagKey(bag))) {
		return "", false
	}
	return bag, true
}

// sum is a MAC over words, each of which ends with a zero byte that none of them
// contains.
func (k Keys) sum(words ...string) []byte {
	m := hmac.New(sha256.New, k)
	for _, w := range words {
		m.Write([]byte(w + "\x00"))
	}
	return m.Sum(nil)
}
