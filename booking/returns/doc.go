// Package returns keeps the returns list: who waits for units that come free after
// their tier was sold out, and in which order they are offered.
//
// The one hard idea is that an offer is a hold. Postgres has the list and says whose
// turn it is; Redis has the units, as it has all that is held. From the moment that
// somebody joins a tier's list, what comes free of the tier goes into a pool beside
// the open sale (see inventory), and an offer is a hold of units of that pool, whose
// claim window is the hold's life. So nothing here gives a unit to anybody: a fan who
// claims pays for a hold, in the checkout that everybody uses, and a hold that runs
// out puts its units back, into the pool.
//
// One offer is made at a time, in three steps. The next place of the list becomes
// "offering" and gets the id of a hold, which a unique index allows one place of a
// performance; the hold is made in Redis under that id; the place becomes "offered". Whoever
// finds a place that is "offering" does the second and third step again, which
// changes nothing that was done. So a process may die at any moment, and any number of
// Tenders may run.
//
// A place whose wish is larger than what came free is gone over and keeps its number.
// What nobody on the list wants goes to the open sale: at once if nobody waits for the
// tier, else after Gather, so that single units come together for those who want two.
//
// The package shows nothing and pays for nothing. It owns the tables returns_*, and of
// other parts' tables it reads attempts, inside its own conditions.
package returns
