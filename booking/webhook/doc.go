// Package webhook tells integrators what happened: orders that were paid, canceled
// and refunded, tickets that are not valid any more, performances that are sold out.
//
// The one hard idea is that nobody who sells knows of it. Triggers in the database
// (migration webhooks) write an event, and a delivery of it to each endpoint that
// wants it, in the transaction that makes it so: none is lost, and none tells of what
// was rolled back. A Sender takes deliveries that are due and sends them, each until
// the receiver says that it took it: at least once, and those of one order in their
// order.
//
// A receiver knows by webhook-id what it has seen, and by webhook-signature that it is
// from us (standardwebhooks.com). Secrets are made of a key of the installation
// (Keys) and kept nowhere. Events have random ids only, nobody's name.
//
// Nobody is a friend: a receiver's address may lead anywhere, so it is looked at when
// the connection is made; it may be slow, so each has a lane of its own, with a
// bound; it may answer without end, so little is read.
package webhook
