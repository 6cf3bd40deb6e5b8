package readiness

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// count writes 4,210.
func count(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func many(n int64, one, other string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + other
}

func span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 2*time.Minute:
		return many(int64(d.Round(time.Second)/time.Second), "second", "seconds")
	case d < 2*time.Hour:
		return many(int64(d.Round(time.Minute)/time.Minute), "minute", "minutes")
	}
	return many(int64(d.Round(time.Hour)/time.Hour), "hour", "hours")
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
