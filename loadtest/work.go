package loadtest

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

// The work of a browser as a stranger would do it from docs/visitors.md: it
// shares no code with the product.

// workMost is the hardest challenge that a fan takes up: a second and more.
const workMost = 5000

// challenge is what is read of one. It goes back as it came.
type challenge struct {
	Parameters struct {
		Algorithm string `json:"algorithm"`
		Cost      int    `json:"cost"`
		KeyLength int    `json:"keyLength"`
		KeyPrefix string `json:"keyPrefix"`
		Nonce     string `json:"nonce"`
		Salt      string `json:"salt"`
	} `json:"parameters"`
}

// credential is what the sale asks of whoever joins.
func (f *fan) credential(ctx context.Context) (join wire.Join, err error) {
	if f.hall.about.Visitor != ropeline.VisitorBrowser {
		return join, nil
	}
	a := f.insist(ctx, f.rng, tries, request{method: http.MethodGet, path: f.place + "/challenge"})
	if !a.ok() {
		return join, fmt.Errorf("getting a challenge: %d %s", a.Status, a.Code)
	}
	join.Proof, err = solve(a.body)
	return join, err
}

// solve finds the counter whose key begins as the challenge says.
func solve(raw []byte) (proof string, err error) {
	var c challenge
	if err := json.Unmarshal(raw, &c); err != nil {
		return "", fmt.Errorf("reading a challenge: %w", err)
	}
	p := c.Parameters
	nonce, err := hex.DecodeString(p.Nonce)
	if err != nil {
		return "", fmt.Errorf("reading a challenge: %w", err)
	}
	salt, err := hex.DecodeString(p.Salt)
	switch {
	case err != nil:
		return "", fmt.Errorf("reading a challenge: %w", err)
	case p.Algorithm != "PBKDF2/SHA-256" || p.Cost < 1 || p.Cost > workMost || p.KeyLength < 1 || p.KeyLength > sha256.Size || p.KeyPrefix == "":
		return "", fmt.Errorf("this is no challenge for a fan: %s, %d derivations", p.Algorithm, p.Cost)
	}
	for counter := range uint32(workMost) {
		key, err := pbkdf2.Key(sha256.New, string(binary.BigEndian.AppendUint32(nonce, counter)), salt, p.Cost, p.KeyLength)
		if err != nil {
			return "", fmt.Errorf("deriving a key: %w", err)
		}
		text := hex.EncodeToString(key)
		if !strings.HasPrefix(text, p.KeyPrefix) {
			continue
		}
		solved, err := json.Marshal(map[string]any{"challenge": json.RawMessage(raw),
			"solution": map[string]any{"counter": counter, "derivedKey": text}})
		return base64.StdEncoding.EncodeToString(solved), err
	}
	return "", errors.New("the challenge is too hard")
}
