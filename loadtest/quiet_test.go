package loadtest

import (
	"strings"
	"testing"
)

func TestJudgeQuiet(t *testing.T) {
	t.Parallel()
	inTime := QuietFan{Sale: "q", Asked: sec(1), Join: call(1, 1.1, 201), Shown: sec(1.3), Offered: sec(2), Entered: sec(2.1)}
	with := func(change func(*QuietFan)) QuietFan {
		q := inTime
		change(&q)
		return q
	}
	late := with(func(q *QuietFan) { q.Offered = sec(4) })
	for name, c := range map[string]struct {
		odd   []QuietFan
		wants string // of the first example
	}{
		"all in time":        {nil, ""},
		"one of ten is late": {[]QuietFan{late}, "for the turn"},
		"no place":           {[]QuietFan{with(func(q *QuietFan) { q.Join.Status = 503 })}, "got no place"},
		"a slow join":        {[]QuietFan{with(func(q *QuietFan) { q.Join, q.Offered, q.Entered = call(1, 7, 201), sec(8), sec(8.1) })}, "waited 6s for a place"},
		"never a turn":       {[]QuietFan{with(func(q *QuietFan) { q.Offered = 0 })}, "never offered"},
		"a late turn":        {[]QuietFan{with(func(q *QuietFan) { q.Offered = sec(7) })}, "for the turn"},
		"not let in":         {[]QuietFan{with(func(q *QuietFan) { q.Entered = 0 })}, "not let in"},
	} {
		e := Evidence{Quiet: c.odd}
		for len(e.Quiet) < 10 {
			e.Quiet = append(e.Quiet, inTime)
		}
		f := judgeQuiet(e)
		switch {
		case c.wants == "" && f.broken > 0:
			t.Errorf("%s: %v", name, f.examples)
		case c.wants != "" && (f.broken == 0 || !strings.Contains(f.examples[0], c.wants)):
			t.Errorf("%s: %v, want %q", name, f.examples, c.wants)
		}
	}
	if f := judgeQuiet(Evidence{}); f.facts != 0 {
		t.Errorf("nobody came, and %d facts were judged", f.facts)
	}
}
