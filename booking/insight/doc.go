// Package insight is what organizers learn of what they sell: files of orders and of
// the accounts, reports, how a sale goes just now.
//
// It only reads what others write, and adds nothing up that they have not written: money
// is the order ledger's, by package order's sums. What is shown live is looked at once for
// everybody who looks, and a file is written down whole, from one snapshot, before the
// first byte of it is sent: it has a length, so one that was cut does not look whole.
package insight
