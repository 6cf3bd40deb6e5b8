// Package signature makes and checks the header with which a webhook says who
// sent it: t=1764172800,v1=5257a869…, an HMAC-SHA256 of the time and the body.
// It is Stripe's form, which others have taken over.
//
// The one hard idea is that the time is signed too: whoever has overheard a
// request can send it again for as long as the tolerance only. Within it, the
// reader has to know an event again by its id.
package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Tolerance is how far the time of a signature may be off, either way: clocks
// differ, and a request may wait in a queue. Senders sign each repeat anew.
const Tolerance = 5 * time.Minute

// What can be wrong with a signature.
var (
	ErrMalformed = errors.New("the signature header is malformed")
	ErrTime      = errors.New("the signature is not of now")
	ErrWrong     = errors.New("no signature fits the body")
)

// Make returns the header of a body.
func Make(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	return "t=" + t + ",v1=" + hex.EncodeToString(sum(secret, t, body))
}

// Check reports what is wrong with the header of a body. Several secrets are
// good while one takes the place of another.
func Check(header string, body []byte, secrets []string, now time.Time) error {
	t, signatures, err := parse(header)
	if err != nil {
		return err
	}
	at, err := strconv.ParseInt(t, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: time %.20q", ErrMalformed, t)
	}
	if off := now.Sub(time.Unix(at, 0)); off > Tolerance || off < -Tolerance {
		return fmt.Errorf("%w: off by %v", ErrTime, off.Round(time.Second))
	}
	for _, secret := range secrets {
		if secret == "" { // anybody has it
			continue
		}
		want := sum(secret, t, body)
		for _, s := range signatures {
			if hmac.Equal(want, s) {
				return nil
			}
		}
	}
	return ErrWrong
}

// maxSignatures bounds the work of one header. Stripe sends one for each secret
// that is good, of which there are two at most.
const maxSignatures = 16

// parse takes a header apart. A second time would let somebody have one time
// checked and another one signed. Schemes other than v1 are for others.
func parse(header string) (t string, signatures [][]byte, err error) {
	for part := range strings.SplitSeq(header, ",") {
		name, value, found := strings.Cut(part, "=")
		switch {
		case !found, value == "", strings.Contains(value, "="), name == "t" && t != "", len(signatures) == maxSignatures:
			return "", nil, ErrMalformed
		case name == "t":
			t = value
		case name == "v1":
			s, err := hex.DecodeString(value)
			if err != nil {
				return "", nil, ErrMalformed
			}
			signatures = append(signatures, s)
		}
	}
	if t == "" || len(signatures) == 0 {
		return "", nil, ErrMalformed
	}
	return t, signatures, nil
}

func sum(secret, t string, body []byte) []byte {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(t + "."))
	m.Write(body)
	return m.Sum(nil)
}
