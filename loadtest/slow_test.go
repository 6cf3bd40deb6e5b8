package loadtest

import (
	"strings"
	"testing"
	"time"
)

// The judge of the automatic mode: orders as fans saw them, and when offers were made.
func TestTheAutomaticModeIsJudged(t *testing.T) {
	t.Parallel()
	people := func(orders ...time.Duration) (of [][]time.Duration) {
		for i := range 200 {
			var one []time.Duration
			if i%10 > 0 {
				one = append(one, orders[i%len(orders)])
			}
			of = append(of, one)
		}
		return of
	}
	// Nine of ten order: 6 a second leave the row a tenth and more of its time.
	best := bestFixed(slowService, people(sec(0.5), sec(0.7), sec(0.9)))
	if best < 6 || best > 7.2 {
		t.Fatalf("the best fixed rate is %.2f a second", best)
	}
	if uneven := bestFixed(slowService, people(sec(0.5), sec(0.7), sec(5))); uneven > 0.97*best {
		t.Errorf("it is %.2f where people order unevenly, and %.2f where they do not", uneven, best)
	}
	if none := bestFixed(slowService, [][]time.Duration{nil}); none < 59 {
		t.Errorf("it is %.2f where nobody orders", none)
	}
	// evidence is of a minute in which so many a second are offered, of whom nine in
	// ten order, and orders are slow for so long.
	evidence := func(rate func(at float64) float64, slowFor float64) Evidence {
		e := Evidence{Slow: Period{sec(10), sec(70)}, Service: slowService}
		for at := 10.0; at < 70; at += 1 / rate(at) {
			h := History{MadeAt: sec(at)}
			if n := len(e.Fans); n%10 > 0 {
				a := Attempt{Outcome: Confirmed, Took: 200 * time.Millisecond}
				if at < 10+slowFor {
					a.Took = 2 * time.Second
				}
				a.ConfirmedAt = h.MadeAt + sec(0.5+0.2*float64(n%3)) + a.Took
				h.Attempts = append(h.Attempts, a)
			}
			e.Fans = append(e.Fans, h)
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
