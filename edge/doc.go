// Package edge is what a fan's browser talks to: the place routes over HTTP
// and WebSocket, the pages, and a reverse proxy to the booking core and to the
// staff's API.
//
// The one hard idea: an edge queues nothing for a fan. Each sale has one room,
// which follows the sale's line and holds the newest immutable view of it; a
// socket or a poll makes its answer from that view at the moment it is sent.
// So a slow reader costs no memory, the newest status always replaces an
// unsent one, and the work in Redis does not grow with the number of fans.
//
// It needs Redis and nothing else: the line is served on while Postgres and
// the booking core are down. It does not decide who is next (package queue),
// how many enter (package admission), or what is sold; and it is not the last
// guard of the booking core, which checks every admission token itself.
package edge
