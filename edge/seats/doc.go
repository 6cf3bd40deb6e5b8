// Package seats follows what becomes of the units of performances and makes the
// frames that their viewers read: the whole picture once, then what has changed.
//
// The one hard idea: it is not sent changes, it looks. A few times a second it reads
// the bitmaps and compares them with those of the look before. So no change can be
// lost on the way and none has to be asked for again, a unit that is taken and given
// back between two looks costs nobody anything, holds have no message to send, and
// for any number of viewers there is one reader for each performance.
//
// A feed numbers its pictures and keeps the last changes. A viewer is one number:
// how far it has read. One that fell behind reads change after change, or the whole
// picture if that is too long ago; nothing is queued for anybody.
//
// The package knows no prices and no map, and decides nothing: what is shown may be a
// second old.
package seats
