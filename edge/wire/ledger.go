package wire

import (
	"encoding/json"

	"github.com/ropeline/ropeline"
)

// Ledger is a page of a sale's public ledger. Its entries are as docs/ledger.md
// describes them.
type Ledger struct {
	Sale    ropeline.SaleID   `json:"sale"`
	Head    LedgerHead        `json:"head"`
	Key     *LedgerKey        `json:"key,omitempty"`   // that heads are signed with
	First   int64             `json:"first,omitempty"` // number of the oldest entry that is served here
	Entries []json.RawMessage `json:"entries"`
	Next    int64             `json:"next,omitempty"` // there are more: ask with after=next
}

// LedgerHead is the newest entry, whose hash covers all before it: note it, and
// nobody can change anything of them without your seeing it.
type LedgerHead struct {
	Seq    int64         `json:"seq"`
	Hash   string        `json:"hash"`
	Signed *LedgerSigned `json:"signed,omitempty"` // the newest one that is signed
}

// LedgerSigned is a signed head.
type LedgerSigned struct {
	Seq       int64  `json:"seq"`
	Hash      string `json:"hash"`
	Key       string `json:"key"`
	Signature string `json:"signature"` // JWS, compact
}

// LedgerKey is a public key, Ed25519 in base64url.
type LedgerKey struct {
	ID     string `json:"id"`
	Public string `json:"public"`
}
