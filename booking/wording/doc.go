// Package wording is what letters say: a text of each kind in each language, which an
// organizer may replace by one of their own, as plain text and as HTML.
//
// Whoever writes a template is not trusted with HTML: a template is plain text with
// placeholders in braces, of a list that its kind has. What it says, and what is put in for a
// placeholder, is shown as text, whatever it is. A placeholder is put in once: braces in what
// is put in are braces. A subject is one line.
//
// The package knows neither who gets a letter nor how it is sent.
package wording
