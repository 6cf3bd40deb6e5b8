// Package abuse slows down, and then blocks, who takes places and never buys, and
// who tries cards.
//
// The one hard idea is that only what went wrong is counted, and that it is
// forgotten by itself. A hold costs its place in line a point until it is
// bought, a declined payment costs points that stay; points halve in a fixed time
// (Policy). From so many points on each further one costs a wait, each wait twice as
// long as the one before; who comes to wait too often is blocked. Holds and
// payments are two ladders: who holds too much may still pay for what they
// have, and nothing that is paid, or being paid, is touched.
//
// Points are counted for the place in line, for the address (an IPv4 address, an
// IPv6 /64) and for the card, as the provider tells one from another. An address is
// shared: its ladder begins a hundred times higher, its waits are short, and it is
// blocked only after many of them.
//
// Points and waits are in Redis, changed by one script that goes by Redis' own
// clock, and lost with it. Blocks are in Postgres with who made and who lifted them,
// and why; each core reads them once a second. Addresses and cards are kept as an
// HMAC. While Redis cannot be asked nothing is paid for, and no hold is made anyway.
//
// A wait costs us nothing: it is an answer with Retry-After, and no request sleeps.
// Prices, tickets and what a hold is are not known here.
package abuse
