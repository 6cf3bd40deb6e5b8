package queue

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// reader takes the fields of a script's reply one after the other and keeps
// the first error, so that a changed script is found rather than guessed at.
type reader struct {
	fields []any
	err    error
}

func (r *reader) next() any {
	if len(r.fields) == 0 {
		if r.err == nil {
			r.err = fmt.Errorf("the reply is too short")
		}
		return nil
	}
	f := r.fields[0]
	r.fields = r.fields[1:]
	return f
}

func (r *reader) text() string {
	switch v := r.next().(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

func (r *reader) integer() int64 {
	switch v := r.next().(type) {
	case int64:
		return v
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil && r.err == nil {
			r.err = fmt.Errorf("not an integer: %q", v)
		}
		return n
	}
	return 0
}

func (r *reader) failed(doing string) error {
	if r.err == nil {
		return nil
	}
	return fmt.Errorf("%s: reading the reply: %w", doing, r.err)
}

// milli converts Unix milliseconds, 0 to the zero time.
func milli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// micro converts Unix microseconds, 0 to the zero time.
func micro(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// readSession reads the session text that the scripts keep: session id, issue,
// expiry and end in Unix seconds, and open or ended.
func readSession(text string, err error) (*Session, error) {
	if err != nil {
		return nil, err
	}
	words := strings.Fields(text)
	if len(words) != 5 {
		return nil, fmt.Errorf("not a session: %q", text)
	}
	var at [3]time.Time
	for i, w := range words[1:4] {
		sec, err := strconv.ParseInt(w, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("not a session: %q", text)
		}
		at[i] = time.Unix(sec, 0).UTC()
	}
	return &Session{ID: words[0], IssuedAt: at[0], ExpiresAt: at[1], EndsAt: at[2]}, nil
}
