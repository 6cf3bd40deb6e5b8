// Package order turns a hold into tickets, for money, exactly once.
//
// The one hard idea is the payment attempt: a row that is written before the
// provider is first called and whose state is the single truth about how far
// the purchase got. Every step changes that state conditionally ("only if it
// is still started"), so a fan's request, its repeat and the settler may all
// work on one attempt and only one of them takes each step. No step holds a
// transaction or a pooled connection while it talks to the provider.
//
// What is on disk if power fails after a step, and who goes on:
//
//  0. A hold in Redis. Nothing else. The sweeper gives it back in time.
//  1. The attempt, started; the hold may still be held. The settler closes
//     the attempt; the hold is the fan's until it runs out.
//  2. The hold is paying, it does not run out. As 1, and the settler gives the
//     hold back to the fan for Grace.
//  3. The provider has authorized. The settler finds that by the attempt's id,
//     lets the money go and then does as in 2.
//  4. One statement: the attempt is recorded, order and tickets are there,
//     unpaid. From here on the settler goes forward: it captures. If the
//     provider has let the money go meanwhile, it cancels the order instead.
//     Where the fan has to confirm first, the attempt is acting instead, and
//     order and tickets are there all the same. A webhook, the fan's return or
//     the settler, whoever is first, makes it recorded once the provider says so
//     (attend), or cancels the order if it says no or if ActionLife is over.
//  5. The provider has captured. The settler captures again, which the
//     provider answers with the first capture.
//  6. One statement: the attempt is captured, order paid, tickets valid. The
//     settler marks the units as sold in Redis; a rebuilt inventory has them
//     from Postgres anyway.
//  7. Redis: the units are sold, the hold has ended. The settler marks them
//     once more.
//  8. The attempt is done.
//
// Steps 1, 4, 6 and 8 are written for all purchases that come to them together,
// in one statement (group.go): all of a group is on disk, or nothing. An order with
// a coupon takes step 4 alone, in one transaction with the coupon's use (lower.go).
//
// Step 4 is also where a card has its limit (card.go): before it nobody knows which card
// it is, and after it the money is taken.
//
// Redis may know less than Postgres: it may still call a hold paying after its
// attempt has ended, because it lost its last second or a late command came
// through. The settler compares the two in each round (EndStrays).
//
// An attempt that fails is voiding until hold and provider are known to be
// rid of it, then closed. Two orders for one unit are impossible whatever
// Redis says: the index tickets_unit_once refuses the second in step 4, and
// its money is let go.
//
// Money may come for an attempt that has failed: a fan confirms in the last
// moment, or somebody captures by hand. The attempt is opened again (reopen), and
// a canceled order gets its units back if nobody has them; else the money goes
// back (late). Staff see all of it, and whatever else does not fit when our books
// are compared with the provider's (Compare), as a Trouble.
//
// What a provider tells by webhook is a hint where to look (Hear). It is written
// down in the transaction of its effect, so that it has one however often it
// comes.
//
// A paid order's tickets may be canceled (cancel.go). One transaction writes that and
// a row of what is still to do, which the request does, or else the worker
// (refund.go): tell Redis that the units are free, have the provider give the money
// back. Each may be repeated, so wherever power fails, one or both are done again.
//
// Tickets are exchanged for those of a new order (exchange.go): an attempt as any, but
// that step 6 is one transaction that gives the old tickets up, too.
//
// The ledger is written in the statement, or transaction, of what it tells. Audit
// adds it up, settlements are its sums. The package sends no mails.
package order
