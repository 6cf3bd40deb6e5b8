package signature_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v82/webhook"

	"github.com/ropeline/ropeline/booking/payment/signature"
)

const secret = "whsec_of_the_test"

var (
	now  = time.Unix(1_764_172_800, 0)
	body = []byte(`{"id":"evt_1"}`)
)

func TestCheck(t *testing.T) {
	t.Parallel()
	good := signature.Make(secret, now, body)
	_, v1, _ := strings.Cut(good, ",")
	older := func(d time.Duration) string { return signature.Make(secret, now.Add(-d), body) }
	for name, c := range map[string]struct {
		header string
		body   string
		want   error
	}{
		"good":                        {good, string(body), nil},
		"with another scheme":         {good + ",v0=00,x=y", string(body), nil},
		"two signatures, one of ours": {"t=1764172800,v1=00," + v1, string(body), nil},
		"just in time":                {older(signature.Tolerance), string(body), nil},
		"a clock that is ahead":       {older(-signature.Tolerance), string(body), nil},
		"sent again later":            {older(signature.Tolerance + time.Second), string(body), signature.ErrTime},
		"of the future":               {older(-signature.Tolerance - time.Second), string(body), signature.ErrTime},
		"the end of time":             {"t=9223372036854775807," + v1, string(body), signature.ErrTime},
		"before the beginning":        {"t=-9223372036854775808," + v1, string(body), signature.ErrTime},
		"another body":                {good, string(body) + " ", signature.ErrWrong},
		"no body":                     {good, "", signature.ErrWrong},
		"another time":                {"t=1764172801," + v1, string(body), signature.ErrWrong},
		"the same time, written anew": {"t=+1764172800," + v1, string(body), signature.ErrWrong},
		"another secret":              {signature.Make("whsec_x", now, body), string(body), signature.ErrWrong},
		"no secret":                   {signature.Make("", now, body), string(body), signature.ErrWrong},
		"half a signature":            {good[:len(good)-2], string(body), signature.ErrWrong},
		"no header":                   {"", string(body), signature.ErrMalformed},
		"no time":                     {v1, string(body), signature.ErrMalformed},
		"no signature":                {"t=1764172800", string(body), signature.ErrMalformed},
		"two times":                   {"t=1764172800," + older(time.Hour), string(body), signature.ErrMalformed},
		"the other way round":         {older(time.Hour) + ",t=1764172800", string(body), signature.ErrMalformed},
		"a first time that is empty":  {"t=," + good, string(body), signature.ErrMalformed}, // found by FuzzCheck
		"not a time":                  {"t=now," + v1, string(body), signature.ErrMalformed},
		"not a signature":             {"t=1764172800,v1=xyz", string(body), signature.ErrMalformed},
		"more signatures than any":    {good + strings.Repeat(",v1=00", 20), string(body), signature.ErrMalformed},
	} {
		if err := signature.Check(c.header, []byte(c.body), []string{"whsec_new", "", secret}, now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if err := signature.Check(good, body, nil, now); !errors.Is(err, signature.ErrWrong) {
		t.Errorf("without a secret: %v", err)
	}
}

// Ours is what Stripe's library makes, and takes.
func TestSignaturesAreStripes(t *testing.T) {
	t.Parallel()
	theirs := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: body, Secret: secret, Timestamp: now})
	if ours := signature.Make(secret, now, body); ours != theirs.Header {
		t.Errorf("we sign %s, Stripe %s", ours, theirs.Header)
	}
}

// Whatever we take, Stripe's own library takes.
func FuzzCheck(f *testing.F) {
	f.Add(signature.Make(secret, now, body), body)
	f.Add("t=1764172800,v1=", []byte(nil))
	f.Add("t=1764172800,v0=00,v1=00,"+signature.Make(secret, now, nil), []byte(nil))
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		for _, h := range []string{header, header + "," + signature.Make(secret, now, body), signature.Make(secret, now, body) + "," + header} {
			if signature.Check(h, body, []string{secret}, now) != nil {
				continue
			}
			if err := webhook.ValidatePayloadIgnoringTolerance(body, h, secret); err != nil {
				t.Errorf("we take %q of %q, Stripe says %v", h, body, err)
			}
		}
	})
}
