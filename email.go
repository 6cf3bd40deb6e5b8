package ropeline

import (
	"net/mail"
	"strings"
	"unicode"
)

// IsEmail accepts a bare address with a dot in its domain; whether it exists
// only a mail can tell.
func IsEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > 254 || strings.ContainsAny(s, "\" ") ||
		strings.ContainsFunc(s, func(r rune) bool { return r == '\ufffd' || !unicode.IsPrint(r) }) {
		return false
	}
	domain := s[strings.LastIndexByte(s, '@')+1:]
	return strings.Contains(strings.Trim(domain, "."), ".")
}
