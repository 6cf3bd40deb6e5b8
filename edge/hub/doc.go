// Package hub writes to very many WebSockets that hardly ever say anything.
//
// The one hard idea: a socket is not a goroutine. Each belongs to one of a few
// writers, and only that writer's goroutine reads, writes and closes it, so
// nothing of a socket needs a lock. Everybody else – the poller that sees bytes
// come, a line that has news of a place – leaves a note in the writer's queue.
// A writer never waits for a client: what does not fit into the connection is
// finished when there is room again, and meanwhile nothing else is made for it.
//
// The handshake is not done here, and neither is anything decided about what a
// client is told: a Teller says that. Messages from clients are not expected;
// only the control frames of RFC 6455 are understood.
package hub
