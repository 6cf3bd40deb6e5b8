package inventory

import "github.com/ropeline/ropeline"

// Keys names a performance's keys in Redis, all in one hash slot.
type Keys struct{ base string }

// KeysOf returns the keys of a performance.
func KeysOf(id ropeline.PerformanceID) Keys { return Keys{base: "ropeline:{" + string(id) + "}:"} }

// Hold is the key of one hold's record; with an empty id, what all of them
// start with.
func (k Keys) Hold(id string) string { return k.base + "hold:" + id }

// Taken is the bitmap of units that are not free, most significant bit first.
func (k Keys) Taken() string { return k.base + "taken" }

// Sold is the bitmap of units that are sold.
func (k Keys) Sold() string { return k.base + "sold" }

// Sessions is the hash from a session to its live hold.
func (k Keys) Sessions() string { return k.base + "sessions" }

// Places is the hash from a place of the line to how many units it holds or has
// bought, in a sale that limits it.
func (k Keys) Places() string { return k.base + "built:places" }

// returnedOf is the set of units of attempts that were given back, of a performance
// whose built mark has this key; see hold/lua/return.lua.
func returnedOf(built string) string { return built + ":returned" }

// withheldOf and reservesOf are the bitmap of what is not on sale, and by which
// reserves, of a performance whose built mark has this key.
func withheldOf(built string) string { return built + ":withheld" }
func reservesOf(built string) string { return built + ":reserves" }

// poolOf is what came free and is kept for the returns list, of a performance whose
// built mark has this key: a sorted set, unit -> ms at which it came free.
func poolOf(built string) string { return built + ":pool" }

// listedOf is the bitmap of the units of which that list has what comes free.
func listedOf(built string) string { return built + ":listed" }

// For lists the keys in the order in which every script takes them; see
// hold/lua/clock.lua.
func (k Keys) For(hold string) []string {
	return []string{k.base + "built", k.Taken(), k.Sold(), k.base + "deadlines", k.base + "paying", k.Sessions(), k.Hold(hold)}
}
