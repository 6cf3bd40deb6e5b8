package loadtest

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

// asked is a challenge whose key is that of counter 3.
const asked = `{"parameters":{"algorithm":"PBKDF2/SHA-256","cost":10,"data":{"browser":"b","sale":"s"},"expiresAt":1,"keyLength":32,` +
	`"keyPrefix":"PREFIX","keySignature":"k","nonce":"00112233445566778899aabbccddeeff","salt":"ffeeddccbbaa99887766554433221100"},"signature":"g"}`

func TestAFanDoesTheWork(t *testing.T) {
	t.Parallel()
	const prefix = "b73d1227"
	text := strings.Replace(asked, "PREFIX", prefix, 1)
	proof, err := solve([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(proof)
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Challenge json.RawMessage
		Solution  struct {
			Counter    int    `json:"counter"`
			DerivedKey string `json:"derivedKey"`
		}
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	if string(p.Challenge) != text || p.Solution.Counter != 3 || !strings.HasPrefix(p.Solution.DerivedKey, prefix) {
		t.Errorf("the proof is %s", raw)
	}
}

// FuzzSolve reads challenges that no server of ours gives.
func FuzzSolve(f *testing.F) {
	f.Add([]byte(strings.Replace(asked, "PREFIX", "0", 1)))
	f.Add([]byte(strings.Replace(asked, `"cost":10`, `"cost":-1`, 1)))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var c challenge
		if json.Unmarshal(raw, &c) == nil && (c.Parameters.Cost > 10 || len(c.Parameters.KeyPrefix) > 2) {
			return // hard work, which is not what is tried here
		}
		if proof, err := solve(raw); err == nil && proof == "" {
			t.Errorf("%q was solved with nothing", raw)
		}
	})
}
