// Package passage decides, from a table of routes, what a gate does with a
// request for a foreign shop: who stands in front of whom, which paths need an
// admission token, and what happens while the gate cannot see.
//
// The one hard idea: two servers that read one address differently are a way
// around the gate. So a path is decoded once and normalized, what cannot be read
// in one way only is refused, and the form that was matched is the form that is
// forwarded. What no route fits is closed.
//
// It is pure: it opens no connection, knows no token and no line.
package passage
