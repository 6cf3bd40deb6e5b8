// Package queue is the line: everything of a sale's waiting room that lives in
// Redis, and all of its Lua.
//
// The one hard idea: the order never changes and nothing is popped. A sorted
// set holds every place, its score is the order, and a place's rank (its
// ordinal) stays what it is. What moves is a cursor, and a bitmap marks the
// ordinals that departed. So one short message a tick tells an edge the exact
// position of every fan it serves, at no cost in Redis per fan:
//
//	position = ordinal − cursor − departed between the two
//
// Every change is one script and atomic, and safe to repeat after a lost
// answer, but for two: a repeated tick is another tick, and a repeated change of
// limits answers ErrLimitsChanged. Every time is Redis's own unless a test
// passes a clock. What counts slots has the hash tag {sale}, each line of the
// sale {sale.0}, {sale.1} …: no script touches two of them, so a sale may be
// spread over a cluster.
//
// The package decides order and counts slots. How large cap and rate are is
// the SRE's business (package admission), what the fan is told is the edge's.
package queue
