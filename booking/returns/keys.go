package returns

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// Keys makes the keys of places and the passes of offers, all of one secret. None of
// them is kept anywhere.
type Keys []byte

// Place is the key of a place on the list: whoever has it may look at the place, and
// give it up.
func (k Keys) Place(entry string) string { return k.signed("returns place", entry) }

// Pass opens one offer: whoever has it may claim, and pay for, exactly the units of
// that hold.
func (k Keys) Pass(hold string) string { return k.signed("returns pass", hold) }

// ReadPlace returns the place that a key opens; ReadPass the hold that a pass is of.
func (k Keys) ReadPlace(key string) (entry string, ok bool) { return k.read("returns place", key) }

// ReadPass returns the hold that a pass is of.
func (k Keys) ReadPass(pass string) (hold string, ok bool) { return k.read("returns pass", pass) }

// IsPass tells what might be a pass from an admission token, which has two dots. It
// checks nothing.
func IsPass(raw string) bool { return strings.Count(raw, ".") == 1 }

// person is what is kept of an e-mail address to tell people apart. Their spelling
// does not: case differs from keyboard to keyboard.
func (k Keys) person(email string) ropeline.PlaceID {
	return ropeline.PlaceID(base64.RawURLEncoding.EncodeToString(k.sum("returns person", strings.ToLower(email))[:16]))
}

// request names the content of a wish without keeping it: an idempotency key that comes
// back with another one is refused.
func (k Keys) request(w Wish) []byte {
	return k.sum("returns wish", w.Tier, strconv.Itoa(w.Quantity), strconv.FormatBool(w.Together), w.Email)
}

func (k Keys) signed(what, id string) string {
	return id + "." + base64.RawURLEncoding.EncodeToString(k.sum(what, id))
}

// read compares texts, in constant time: a decoder of base64 skips line breaks, so that
// many texts would open one thing.
func (k Keys) read(what, text string) (id string, ok bool) {
	id, _, _ = strings.Cut(text, ".")
	if !booking.IsID(id) || !hmac.Equal([]byte(text), []byte(k.signed(what, id))) {
		return "", false
	}
	return id, true
}

// sum is a MAC over words, each of which ends with a zero byte. None of them contains
// one: addresses have no such character, and the rest is ours.
func (k Keys) sum(words ...string) []byte {
	m := hmac.New(sha256.New, k)
	for _, w := range words {
		m.Write([]byte(w + "\x00"))
	}
	return m.Sum(nil)
}
