// Package stock tells the line what can still be sold: how many units of each
// tier are free, held and sold, how many a buyer takes, what share of the sessions
// buys, and for how many people without a basket there is enough.
//
// The one hard idea is the last number (Supports): people who come in for what
// cannot be sold any more stand in an empty shop, and if too few come in, units
// that nobody has seen stay unsold. It is arithmetic of what was measured in this
// very sale; whether it is kept to is the line's affair.
//
// The package counts and tells. It changes no unit and no hold, and it does not
// know the line but through the interface Line.
package stock
