package ledger

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/ropeline/ropeline"
)

// Signed is the data of an entry that signs the head before it.
type Signed struct {
	Seq       int64  `json:"seq"`
	Hash      string `json:"hash"`
	Key       string `json:"key"`       // id
	Signature string `json:"signature"` // JWS in its compact form, EdDSA, typ ropeline-ledger
}

// KeyData is the data of an entry that names a key.
type KeyData struct {
	Key    string `json:"key"`    // id
	Public string `json:"public"` // Ed25519, base64url
}

// typ keeps a signed head from being taken for anything else that a key of
// ours signs, and the other way round.
const typ = "ropeline-ledger"

// statement is what is signed.
type statement struct {
	Sale ropeline.SaleID `json:"sale"`
	Seq  int64           `json:"seq"`
	Hash string          `json:"hash"`
}

type header struct {
	Algorithm string `json:"alg"`
	Key       string `json:"kid"`
	Type      string `json:"typ"`
}

var encoding = base64.RawURLEncoding.Strict()

// Sign signs a head with whatever signs bytes by Ed25519 under this key id.
func Sign(h Head, key string, sign func([]byte) []byte) (Signed, error) {
	head, err := Canonical(header{"EdDSA", key, typ})
	if err != nil {
		return Signed{}, err
	}
	body, err := Canonical(statement{h.Sale, h.Seq, h.Hash})
	if err != nil {
		return Signed{}, err
	}
	text := encoding.EncodeToString(head) + "." + encoding.EncodeToString(body)
	return Signed{h.Seq, h.Hash, key, text + "." + encoding.EncodeToString(sign([]byte(text)))}, nil
}

// Check reports whether one of the keys, by their ids, signed this head of the
// sale.
func (s Signed) Check(sale ropeline.SaleID, keys map[string]ed25519.PublicKey) error {
	parts := strings.Split(s.Signature, ".")
	if len(parts) != 3 {
		return errors.New("the signature is no JWS")
	}
	var head header
	var body statement
	signature, err := encoding.DecodeString(parts[2])
	if err := errors.Join(err, decode(parts[0], &head), decode(parts[1], &body)); err != nil {
		return fmt.Errorf("the signature cannot be read: %w", err)
	}
	if head.Algorithm != "EdDSA" || head.Type != typ || head.Key != s.Key {
		return errors.New("the signature is of another kind")
	}
	if body != (statement{sale, s.Seq, s.Hash}) {
		return errors.New("the signature is of another head")
	}
	key, ok := keys[s.Key]
	if !ok {
		return fmt.Errorf("signed with key %s, which is not known", s.Key)
	}
	if !ed25519.Verify(key, []byte(parts[0]+"."+parts[1]), signature) {
		return errors.New("the signature is wrong")
	}
	return nil
}

func decode(part string, into any) error {
	text, err := encoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
