// Package admission decides how many people enter and how fast, and signs
// their tokens.
//
// The limits live in Redis and one script (package queue's admit) applies
// them, so any number of controllers may run: a second one can only tick more
// often, never admit more. A Controller is what calls that script: it takes a
// lease for each sale, draws the lobby when it closes and ticks the line.
//
// The one hard idea: the cap counts a session until its last token cannot be
// accepted any more (ropeline.TokenMargin past its exp), so a token never outlives its
// slot.
package admission
