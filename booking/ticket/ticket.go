// Package ticket makes and checks what a holder shows at the door.
//
// There are two codes. The printed one, of paper and of the PDF, is 160 random bits:
// whoever shows it first gets in, where the organizer lets paper in at all. The one on
// the phone is signed anew every 15 seconds, without a connection, so that a picture of
// it is worthless half a minute later (docs/tickets.md says what it does not prevent).
//
// The phone's key is the ticket's own, and of one issue of it: a ticket that changes
// hands is issued again, and the codes of the issue before are dead at once. Private
// halves are derived from the installation's key when their holder asks and are kept
// nowhere. Doors know public halves only, so a stolen scanner can forge nothing; a
// shared secret, as TOTP has it, would be on each of them. P-256 because phones of 2022
// have no Ed25519 in their browsers.
package ticket

import (
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
	// Given is what it is to whoever has given it to somebody else: theirs no more. Kept is
	// its own state.
	Given State = "given"
)

// printedBytes makes a printed code of 32 characters without padding.
const printedBytes = 20

// DrawPrinted draws a new printed code from random.
func DrawPrinted(random io.Reader) (string, error) {
	var b [printedBytes]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("drawing a ticket code: %w", err)
	}
	return text.EncodeToString(b[:]), nil
}
