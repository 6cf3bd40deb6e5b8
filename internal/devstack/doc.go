// Package devstack runs a private redis-server and a private Postgres as
// children of this process: for `ropeline dev`, which finds its data again at
// the next start, and for every test (package devtest).
//
// The one hard idea is that nothing outlives its owner, whatever kills the
// owner. Each child is started and awaited by one goroutine locked to its
// thread, because the kernel sends the parent-death signal when that thread
// ends. The data folder is held by a lock that the children inherit: who
// holds it knows that no server of an earlier start still runs there, so
// what a killed start left behind may be removed without looking at process
// ids. And servers listen on Unix sockets only, so no two stacks can want
// the same port.
//
// When root runs it, the servers run as the user postgres (or nobody),
// because Postgres refuses root. The package does not install programs, and
// it is no way to run production.
package devstack
