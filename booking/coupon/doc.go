// Package coupon makes, gives out and redeems coupons: a shop offers one for a
// product, people claim copies of it into their bags, and a copy lowers what an
// order costs or is used at the shop's till.
//
// The one hard idea is that a copy is a row that stands in exactly one queue,
// that of its state, and that every change is one conditional step from one
// queue to another. Whoever claims takes the first published copy that nobody
// else is just taking (skip locked), so there is no counter to fight for: a
// counter is the length of a queue. The database itself refuses steps that
// there are not, and writes the history of each.
//
//	created → published → claimed → reserved → redeemed
//
// A reservation lives as long as the hold it lowers, and the hold lives in
// Redis. So a reserved copy is only given back by somebody who has looked that
// the hold is over and no payment for it is open (Sweeper, or the fan who brings
// the copy again); what is past its time is refused by the clock, whether or not
// anybody has moved it. A copy is redeemed in the transaction that writes the
// order, or the order is not written.
//
// A bag is a person without a name: a random id and a key that is made of it. A
// copy's code is made of the copy and a key, too, so neither is kept; the code's
// keyed hash finds the copy.
//
// The package takes no money. A coupon that costs something, and every drop, is
// sold as the units of a tier, through holds and orders, and delivered for the
// tickets.
package coupon
