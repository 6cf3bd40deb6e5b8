// Package auto is the arithmetic of the automatic mode: from how a shop is, once a
// second, it says how many people a minute may come in.
//
// The one hard idea is that what is steered acts late. Whoever is let in asks for
// the first thing seconds later and for the last one a session later, so a law that
// looks at the last second only swings. When there is too much to do, this one lets
// in as few as, with all that those inside will still ask, can be served in 8 s,
// measures meanwhile what the shop answers (the knee), comes back close to that at
// once, and from there goes by how long a request takes, which rises long before one
// is slow. flow.go keeps what it needs for that: how much a person asks for and when,
// how much is answered, and how long it takes.
//
// It is pure: no clock, no store, no randomness. Bounds and who may write a rate
// are the line's affair (queue.Store.SetRate), and so a slip of this package can
// pass neither.
//
// A library for adaptive limits was tried (failsafe-go, adaptivelimiter) and does
// not fit: it bounds how many calls of one process are under way, by the time they
// take. Here one number for many processes is steered, which is kept in a store and
// acts seconds later, and every step of it must be the same in a simulation.
package auto
