// Package review keeps what people say of events: reviews, questions and comments, and what
// the organizer answers.
//
// Whoever has signed in may ask, and comment on what others have said. A review is written by
// who was there: a ticket of theirs has opened a door of that event, and nobody has taken that
// back. It is one for each person and event, in the database's own words, so of two at the same
// time one is there.
//
// A post waits until staff of the organizer have looked at it, unless the organizer wants it
// shown at once. Staff decide on a version: who has it changed meanwhile, its writer or another
// of the staff, makes them look again. What is taken back, or was written by somebody who was
// erased, leaves no word of theirs: a gap, where others have answered.
//
// Texts are plain, and stay so: no part of one is markup, or a link.
package review
