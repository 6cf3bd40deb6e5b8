// Package ticket makes the secret code that is printed on a ticket.
//
// The code is a bearer secret of 160 random bits: whoever shows it first gets
// in. So it leaves the server only for the holder of the order link and only
// once the ticket is paid. Scanning it at the door is not here yet.
package ticket

import (
	"encoding/base32"
	"fmt"
	"io"
)

// State says whether a ticket opens a door.
type State string

// The states of a ticket.
const (
	Unpaid   State = "unpaid" // recorded, the money is not taken yet
	Valid    State = "valid"
	Blocked  State = "blocked" // the buyer's bank wants the money back, and it is not decided yet
	Void     State = "void"    // the bank has got it; the unit is nobody else's before staff release it
	Canceled State = "canceled"
)

// codeBytes makes a code of 32 characters without padding.
const codeBytes = 20

// Code draws a new code from random.
func Code(random io.Reader) (string, error) {
	var b [codeBytes]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("drawing a ticket code: %w", err)
	}
	return base32.StdEncoding.EncodeToString(b[:]), nil
}
