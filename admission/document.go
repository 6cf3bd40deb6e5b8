package admission

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
)

// SignDocument returns a document as a compact JWS (RFC 7515) of this type. The
// type is signed, too: what was signed as one thing is never taken for another.
func (s *Signer) SignDocument(kind string, text []byte) string {
	b := base64.RawURLEncoding.AppendEncode(nil, fmt.Appendf(nil, `{"alg":"EdDSA","kid":%q,"typ":%q}`, s.id, kind))
	b = base64.RawURLEncoding.AppendEncode(append(b, '.'), text)
	signature := ed25519.Sign(s.key, b)
	return string(base64.RawURLEncoding.AppendEncode(append(b, '.'), signature))
}
