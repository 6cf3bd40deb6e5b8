package booking

import (
	"regexp"

	"github.com/ropeline/ropeline"
)

// Refusals of an Idempotency-Key.
var (
	ErrKey       = &ropeline.Error{Kind: ropeline.Invalid, Code: "idempotency-key-missing", Detail: "Send an Idempotency-Key header of 1 to 128 letters, digits or punctuation, a new one for each new request."}
	ErrKeyReused = &ropeline.Error{Kind: ropeline.Invalid, Code: "idempotency-key-reused", Detail: "This Idempotency-Key was used for another request."}
)

var keyShape = regexp.MustCompile(`^[!-~]{1,128}$`)

// IsKey reports whether s can be an Idempotency-Key.
func IsKey(s string) bool { return keyShape.MatchString(s) }
