// Package ropeline holds the words that every part of Ropeline says: what a
// sale is, what a place in its line can be, and the one error that crosses
// borders between parts.
//
// It imports the standard library only and nothing of the product, so every
// other package may import it. It has no behaviour beyond checking and
// describing these words: the line itself is package queue, how many are let
// in is package admission, what is sold is below booking.
package ropeline
