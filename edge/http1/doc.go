// Package http1 serves handlers of net/http at half of what net/http costs.
//
// The one hard idea: it reads plain requests only, those that can be read in one
// way: HTTP/1.1, a path, one host, no body or one of a given length. What could be
// read in two ways is refused here. Everything else (upgrades, chunks, HTTP/1.0,
// Expect, an absolute address, a head that is too large) goes to a server of
// net/http with the bytes that it came with, which answers this one request and
// closes. So there is one handler for all, and no second reading of anything odd.
//
// net/http has a goroutine beside each request that watches whether the client
// goes away, and starts and stops it each time. Here it is started when somebody
// asks for the context's Done, and is not answered within a moment.
package http1
