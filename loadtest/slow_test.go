package loadtest

import (
	"strings"
	"testing"
	"time"
)

// The judge of the automatic mode: orders as fans saw them, and when offers were made.
func TestTheAutomaticModeIsJudged(t *testing.T) {
	t.Parallel()
	best := bestFixed(slowService)
	if best < 5 || best > 6.7 {
		t.Fatalf("the best fixed rate is %.2f a second", best)
	}
	// evidence is of a minute in which so many a second are offered, and orders are
	// slow for so long.
	evidence := func(rate func(at float64) float64, slowFor float64) Evidence {
		e := Evidence{Slow: Period{sec(10), sec(70)}, Service: slowService}
		for at := 10.0; at < 70; at += 1 / rate(at) {
			a := Attempt{ConfirmedAt: sec(at), Took: 100 * time.Millisecond}
			if at < 10+slowFor {
				a.Took = 2 * time.Second
			}
			e.Fans = append(e.Fans, History{MadeAt: sec(at), Attempts: []Attempt{a}})
		}
		return e
	}
	even := func(rate float64) func(float64) float64 { return func(float64) float64 { return rate } }
	for name, c := range map[string]struct {
		evidence Evidence
		wants    string // of an example; "" is a run that is held
	}{
		"held":          {evidence(even(0.95*best), 12), ""},
		"slow too long": {evidence(even(0.95*best), 18), "orders were slow for"},
		"too few":       {evidence(even(0.8*best), 12), "a fixed rate could be"},
		"swings": {evidence(func(at float64) float64 {
			if at > 50 {
				return 1.5 * best
			}
			return 0.9 * best
		}, 12), "from its mean"},
	} {
		f := judgeAutomatic(c.evidence)
		switch {
		case c.wants == "" && f.broken > 0:
			t.Errorf("%s: %v", name, f.examples)
		case c.wants != "" && (f.broken == 0 || !strings.Contains(strings.Join(f.examples, "\n"), c.wants)):
			t.Errorf("%s: %v", name, f.examples)
		}
	}
	if f := judgeAutomatic(Evidence{}); f.facts != 0 || f.broken != 0 {
		t.Errorf("a run without a slow database is judged: %+v", f)
	}
}
