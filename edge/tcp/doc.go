// Package tcp makes a connection cheaper to use: for a proxy, which does little else.
//
// The one hard idea: Go tells its scheduler of each system call, since most may
// block. One on a socket that does not block takes 10 to 20 us, mostly in the kernel's
// network, and that is long enough for the scheduler's watchdog: it takes the
// processor away from the thread, wakes another for it, and looks again 20 us later.
// Where half of the time is spent in such calls, a fifth of all was spent on that. A
// call that cannot block needs none of it; where there is nothing to read, or no room
// to write, the goroutine waits in Go's poller as ever, and deadlines hold.
package tcp
