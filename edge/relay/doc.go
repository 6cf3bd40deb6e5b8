// Package relay forwards requests to a shop that is not ours, over HTTP/1.1:
// bodies stream in both directions, WebSockets become tunnels.
//
// The one hard idea: nothing is forwarded as it came. A request was parsed by
// net/http, and its head is written anew: one Host, one length or chunks, no
// header of a hop or of ours. So there is nothing that two servers could read
// differently.
//
// It is written by hand for its cost: http.Transport has two goroutines for each
// connection and hands each answer over between them; here one goroutine writes
// and reads. It knows no token and no route; it opens connections to the address
// that it was made with and to no other.
package relay
