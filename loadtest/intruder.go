package loadtest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// The ways in which a token can be no good. Expired and ended ones are real
// tokens that fans had; the others are made here.
var probeKinds = []string{"missing", "forged", "unsigned", "foreign", "expired", "ended"}

// intruder knocks at every gate with tokens that must not open it, all through
// a run.
type intruder struct {
	client *client
	hall   *hall
	key    ed25519.PrivateKey
	kid    string // of a published key: the forgeries claim it
	probes []Probe
}

// maxProbes bounds what an intruder remembers: an hour of knocking.
const maxProbes = 100_000

// between is how long the intruder rests between two tokens: 6 requests each,
// so about 20 requests a second, below the edge's limit for one address.
const between = 300 * time.Millisecond

func newIntruder(ctx context.Context, c *client, h *hall) (*intruder, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a forger's key: %w", err)
	}
	var set struct {
		Keys []struct {
			KID string `json:"kid"`
		} `json:"keys"`
	}
	a := c.do(ctx, request{method: http.MethodGet, path: "/.well-known/jwks.json"})
	if !a.ok() {
		return nil, fmt.Errorf("fetching the published keys: status %d", a.Status)
	}
	if err := a.decode(&set); err != nil {
		return nil, err
	}
	if len(set.Keys) == 0 {
		return nil, fmt.Errorf("fetching the published keys: there are none")
	}
	return &intruder{client: c, hall: h, key: key, kid: set.Keys[0].KID}, nil
}

// knock tries one token of each kind in turn until ctx ends.
func (i *intruder) knock(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		kind := probeKinds[n%4]
		if len(i.probes) < maxProbes {
			i.probes = append(i.probes, knockAll(ctx, i.client, i.hall.plan, kind, i.token(kind))...)
		}
		sleep(ctx, between)
	}
}

// token makes a token that is no good in one way only.
func (i *intruder) token(kind string) string {
	now := time.Now()
	claims := map[string]any{
		"iss": "ropeline", "aud": []string{string(i.hall.sale)}, "sub": "AAAAAAAAAAAAAAAAAAAAAA",
		"sid": "01939f4e-7a00-7000-8000-000000000001",
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "end": now.Add(time.Hour).Unix(),
	}
	switch kind {
	case "forged": // says it is signed with a published key
		return i.sign(map[string]any{"alg": "EdDSA", "typ": "JWT", "kid": i.kid}, claims)
	case "foreign": // of another sale and another signer
		claims["aud"] = []string{"another-sale"}
		return i.sign(map[string]any{"alg": "EdDSA", "typ": "JWT", "kid": "stranger"}, claims)
	case "unsigned":
		return part(map[string]any{"alg": "none", "typ": "JWT"}) + "." + part(claims) + "."
	}
	return ""
}

func (i *intruder) sign(header, claims map[string]any) string {
	return signed(i.key, part(header)+"."+part(claims))
}

// part is one part of a token. Strings and numbers always marshal.
func part(v map[string]any) string {
	text, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(text)
}
