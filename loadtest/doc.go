// Package loadtest walks simulated fans through a sale and judges, from what
// they saw, whether the promises of the waiting room and the shop were kept.
//
// The fans use the public surface only, HTTP and WebSocket, each from its own
// loopback address. They arrive in an open model: when one comes never depends
// on how fast others are answered, so a slow server is measured as slow.
//
// The one hard idea is who is asked. Every invariant is judged by pure
// functions over histories (what each fan sent and read, with monotonic times)
// and over rows that an audit reads from Postgres with SQL of its own; the
// numbers that the judged code keeps about itself are never believed. A check
// that saw no fact is "not judged", and that counts as a failure wherever the
// profile promises the invariant, so a check cannot pass by being blind.
//
// It does not measure the limits of the machine (that is the benchmarks'
// business), and it does not judge what only the inside knows, like the draw's
// seed.
package loadtest
