// Package newsletter carries what an organizer writes to those who have asked for it, and
// keeps who has.
//
// A consent is of one address for one organization: given by whoever is signed in with that
// address, or asked for at a checkout and given by a press of a button in a letter that went
// there (a double opt-in). It is kept when, where and to which words it was given. Whoever
// withdraws it gets nothing any more, not even what was written and is not sent yet; a
// letter of before does not bring it back.
//
// A newsletter is written down with those that have consented (Send); a Poster makes letters
// of it (package mail), some every second, in the transaction that says so: whoever dies in
// between, an address has one letter of each. Each can be ended by one POST, without a
// sign-in (RFC 8058).
package newsletter
