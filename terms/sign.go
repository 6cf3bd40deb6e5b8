package terms

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Type is the media type that a signed sheet names in its header. A token for
// something else that was signed with the same key is no sheet.
const Type = "ropeline-terms+json"

// maxSigned bounds what Open looks at; 1,000 tiers are about 200 KB.
const maxSigned = 1 << 20

// Canonical is the one text of a document: RFC 8785, keys in order and no white
// space. Ours have whole numbers only.
func Canonical(doc any) ([]byte, error) {
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("writing terms: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var fields any
	if err := d.Decode(&fields); err != nil {
		return nil, fmt.Errorf("writing terms: %w", err)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(fields); err != nil { // it sorts the keys of a map
		return nil, fmt.Errorf("writing terms: %w", err)
	}
	return separators(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// separators writes U+2028 and U+2029 as they are, which encoding/json escapes
// and RFC 8785 does not.
func separators(text []byte) []byte {
	if !bytes.Contains(text, []byte(`\u202`)) {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			out = append(out, text[i])
			continue
		}
		switch rest := text[i:]; {
		case bytes.HasPrefix(rest, []byte(`\u2028`)):
			out, i = append(out, "\u2028"...), i+5
		case bytes.HasPrefix(rest, []byte(`\u2029`)):
			out, i = append(out, "\u2029"...), i+5
		default: // an escape is two bytes at least: \\u2028 is none of these
			out, i = append(out, text[i], text[i+1]), i+1
		}
	}
	return out
}

// Hash is the SHA-256 of the canonical text, in hexadecimal: what a fan may note.
func (s Sheet) Hash() (string, error) {
	text, err := Canonical(s)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// Text returns the canonical text that a signed sheet holds, and its hash.
func Text(signed string) (text []byte, hash string, err error) {
	parts := strings.Split(signed, ".")
	if len(parts) != 3 {
		return nil, "", errors.New("this is no signed terms sheet")
	}
	if text, err = base64.RawURLEncoding.Strict().DecodeString(parts[1]); err != nil {
		return nil, "", fmt.Errorf("reading the sheet: %w", err)
	}
	sum := sha256.Sum256(text)
	return text, hex.EncodeToString(sum[:]), nil
}

// ErrSignature means that a text is no sheet that one of the keys has signed.
var ErrSignature = errors.New("the signature is not one of these keys")

type header struct {
	Algorithm string `json:"alg"`
	Key       string `json:"kid"`
	Type      string `json:"typ"`
}

// Open returns the sheet that a compact JWS (RFC 7515) holds, if one of these
// Ed25519 keys signed exactly this text.
func Open(signed string, keys map[string]ed25519.PublicKey) (Sheet, error) {
	sheet, h, err := read(signed)
	if err != nil {
		return Sheet{}, err
	}
	dot := strings.LastIndexByte(signed, '.')
	signature, err := base64.RawURLEncoding.Strict().DecodeString(signed[dot+1:])
	key := keys[h.Key]
	if err != nil || h.Algorithm != "EdDSA" || h.Type != Type || len(key) != ed25519.PublicKeySize ||
		!ed25519.Verify(key, []byte(signed[:dot]), signature) {
		return Sheet{}, ErrSignature
	}
	return sheet, nil
}

// Unverified returns the sheet of a signed text that comes from our own store.
func Unverified(signed string) (Sheet, error) {
	sheet, _, err := read(signed)
	return sheet, err
}

func read(signed string) (sheet Sheet, h header, err error) {
	parts := strings.Split(signed, ".")
	if len(signed) > maxSigned || len(parts) != 3 || strings.ContainsAny(signed, "\r\n") {
		return sheet, h, errors.New("this is no signed terms sheet")
	}
	if err := decode(parts[0], &h); err != nil {
		return sheet, h, fmt.Errorf("reading the header: %w", err)
	}
	if err := decode(parts[1], &sheet); err != nil {
		return sheet, h, fmt.Errorf("reading the sheet: %w", err)
	}
	if sheet.Format != Format || !sheet.Sale.Valid() || sheet.Version < 1 {
		return sheet, h, errors.New("this is no terms sheet of a form that is known here")
	}
	return sheet, h, nil
}

func decode(part string, into any) error {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
