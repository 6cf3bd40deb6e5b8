package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Keys makes the secrets of endpoints. None of them is kept anywhere: each is made
// again whenever something is signed.
type Keys []byte

// Secret is that of a generation of an endpoint, as its owner gets it.
func (k Keys) Secret(endpoint string, generation int) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(k.raw(endpoint, generation))
}

func (k Keys) raw(endpoint string, generation int) []byte {
	m := hmac.New(sha256.New, k)
	m.Write([]byte("webhook\x00" + endpoint + "\x00" + strconv.Itoa(generation)))
	return m.Sum(nil)
}

// sign sets what Standard Webhooks asks for, with one signature for each generation.
func (k Keys) sign(h http.Header, id string, at time.Time, body []byte, endpoint string, generations ...int) error {
	signatures := make([]string, len(generations))
	for i, g := range generations {
		w, err := standardwebhooks.NewWebhookRaw(k.raw(endpoint, g))
		if err == nil {
			signatures[i], err = w.Sign(id, at, body)
		}
		if err != nil {
			return err
		}
	}
	h.Set(standardwebhooks.HeaderWebhookID, id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return nil
}
