package loadtest

import (
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
)

// netRun is a net of three slots: somebody comes every 4 s and is let in at once,
// for 2 s, but for three in the middle, who come at once when all slots are taken.
func netRun() Evidence {
	e := Evidence{Cap: 3, Rate: 60, Emptied: true}
	visit := func(came Call, at, until float64) *History {
		e.Fans = append(e.Fans, History{Fan: len(e.Fans), Came: came,
			Sessions: []Session{{ID: string(rune('a' + len(e.Fans))), Asked: sec(at), First: sec(at + 0.1), Expires: sec(until), End: call(until-0.1, until, 204)}}})
		return &e.Fans[len(e.Fans)-1]
	}
	let := func(at, until float64) {
		h := visit(call(at, at+0.1, 200), at, until)
		h.In = h.Came
	}
	for n := range 6 {
		let(4*float64(n), 4*float64(n)+2)
	}
	let(30, 38)
	let(32, 40)
	let(34, 42)
	for n, turn := range []float64{38, 40, 42} {
		came := 36 + 0.1*float64(n)
		h := visit(call(came, came+0.05, 303), turn+0.2, turn+2)
		h.Join, h.Offer, h.MadeAt, h.OfferedAt, h.Stood = call(came+0.05, came+0.1, 201), int64(n+1), sec(turn), sec(turn+0.1), sec(turn+0.1)
	}
	for n := range 6 {
		let(60+4*float64(n), 62+4*float64(n))
	}
	return e
}

func TestNetsAreJudged(t *testing.T) {
	t.Parallel()
	const full, last, later = 8, 11, 12 // fans: who takes the last slot, stands last in line, comes when that is over
	wait := func(e *Evidence, n int) {
		h := &e.Fans[n]
		h.In, h.Came.Status, h.MadeAt, h.Offer, h.Stood = Call{}, 303, h.Came.Answered+sec(0.3), 9, h.Came.Answered+sec(0.3)
		h.Join = h.Came
	}
	letIn := func(e *Evidence, n int, at float64) {
		h := &e.Fans[n]
		h.Came = call(at, at+0.1, 200)
		h.In, h.Sessions[0].Asked, h.Sessions[0].First = h.Came, sec(at), sec(at+0.1)
	}
	for name, c := range map[string]struct {
		judge  func(Evidence) finding
		change func(*Evidence)
		wants  string // of the first example; "" is a run that is held
	}{
		"room held":             {judgeNetRoom, func(*Evidence) {}, ""},
		"sent away at first":    {judgeNetRoom, func(e *Evidence) { wait(e, 2) }, "was told to wait"},
		"sent away for the 3rd": {judgeNetRoom, func(e *Evidence) { wait(e, full) }, "was told to wait"},
		"sent away afterwards":  {judgeNetRoom, func(e *Evidence) { wait(e, later) }, "was told to wait"},
		"let in slowly": {judgeNetRoom, func(e *Evidence) {
			e.Fans[2].Came.Answered += netAtOnce
			e.Fans[2].In = e.Fans[2].Came
		}, "was in after 1.1s"},
		"nowhere to wait": {judgeNetRoom, func(e *Evidence) { e.Fans[last].Join = Call{} }, "got no place"},
		"a line and a free slot": {judgeNetRoom, func(e *Evidence) {
			e.Fans[6].Sessions[0].Expires, e.Fans[6].Sessions[0].End, e.Fans[9].MadeAt = sec(36.3)-ropeline.TokenMargin, Call{}, sec(39)
		}, "fan 9 stood in line from 36.1s to 39s, and there was room from 36.35s to 38.95s"},
		"a line and no free slot": {judgeNetRoom, func(e *Evidence) {
			e.Fans[6].Sessions[0].Expires, e.Fans[6].Sessions[0].End, e.Fans[9].MadeAt = sec(36), Call{}, sec(39)
		}, ""},
		"a line and no rate": {judgeNetRoom, func(e *Evidence) {
			e.Fans[6].Sessions[0].Expires, e.Fans[6].Sessions[0].End, e.Fans[9].MadeAt, e.Rate = sec(32), Call{}, sec(39), 24
			e.Fans[7].In, e.Fans[full].In = call(34, 35, 200), call(36, 36.1, 200)
		}, ""},
		"full for all one knows": {judgeNetRoom, func(e *Evidence) {
			e.Fans[4].Sessions[0].Expires, e.Fans[4].Sessions[0].End = sec(80), Call{}
			wait(e, full)
		}, ""},
		"a slot that was given back": {judgeNetRoom, func(e *Evidence) {
			e.Fans[5].Sessions[0].Expires, e.Fans[5].Sessions[0].End = sec(80), call(31, 31.1, 204)
			wait(e, full)
		}, "was told to wait"},
		"a slot is counted past its token": {judgeNetRoom, func(e *Evidence) {
			e.Fans[5].Sessions[0].Expires, e.Fans[5].Sessions[0].End = sec(33), Call{}
			wait(e, full)
		}, ""},
		"no rate left": {judgeNetRoom, func(e *Evidence) {
			e.Rate = 30 // one and a bit at once, the next one 2 s later
			letIn(e, full-1, 33.5)
			wait(e, full)
		}, ""},
		"of those let in while somebody counts as waiting": {judgeNetRoom, func(e *Evidence) {
			e.Fans[later].Came = call(45, 45.1, 200) // the last one in line was told to wait 9 s ago
			wait(e, later)
		}, ""},
		"a lost answer":     {judgeNetRoom, func(e *Evidence) { e.Fans[last].Join.Lost = sec(36.2) }, "0 when it was quiet again"},
		"never a line":      {judgeNetRoom, func(e *Evidence) { e.Fans = append(e.Fans[:full+1], e.Fans[later:]...) }, "0 had to wait"},
		"never quiet again": {judgeNetRoom, func(e *Evidence) { e.Fans = e.Fans[:later] }, "0 when it was quiet again"},
		"rate not known":    {judgeNetRoom, func(e *Evidence) { e.Rate = 0 }, "not known"},

		"order held": {judgeNetOrder, func(*Evidence) {}, ""},
		"passed by":  {judgeNetOrder, func(e *Evidence) { letIn(e, later, 37) }, "was let in at 37.1s"},
		"passed by one who is let in at once, too": {judgeNetOrder, func(e *Evidence) { letIn(e, later, 41.3) }, ""},
		"passed by for ever": {judgeNetOrder, func(e *Evidence) {
			e.Fans[last].MadeAt, e.Fans[last].Offer, e.Fans[last].Sessions, e.Fans[last].Stayed = 0, 0, nil, true
		}, "until the end; fan 12 came at 1m0s"},
		"passed by after leaving": {judgeNetOrder, func(e *Evidence) {
			letIn(e, later, 36.6)
			e.Fans[9].Leave = call(36.5, 36.6, 204)
			e.Fans[10].MadeAt, e.Fans[last].MadeAt = sec(36.9), sec(36.9)
		}, ""},

		"rate held": {judgeNetRate, func(*Evidence) {}, ""},
		"a minute's rate at once": {judgeNetRate, func(e *Evidence) {
			for n := range 4 {
				letIn(e, n, 13)
			}
		}, "let in from 13s to 13.1s"},
		"too many turns": {judgeNetRate, func(e *Evidence) {
			for n := 9; n <= last; n++ {
				e.Fans[n].MadeAt = sec(38)
			}
			letIn(e, later, 38)
		}, "3 were let in from 38s to 38s"},
		"no rate": {judgeNetRate, func(e *Evidence) { e.Rate = 0 }, "not known"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := netRun()
			c.change(&e)
			f := c.judge(e)
			switch {
			case c.wants == "" && (f.broken > 0 || f.facts == 0):
				t.Errorf("a good run: %d facts, %v", f.facts, f.examples)
			case c.wants != "" && (len(f.examples) == 0 || !strings.Contains(f.examples[0], c.wants)):
				t.Errorf("%v, want %q", f.examples, c.wants)
			}
		})
	}
}

// A calm's fans come before and after the others, and a smaller run has fewer of
// these only.
func TestTheCalmIsAroundTheCrowd(t *testing.T) {
	t.Parallel()
	profile := find(t, "safety-net", 40)
	pace, calm := profile.pace(-time.Minute), profile.Calm
	if got := pace.Fans(); got != 40 || profile.Late != 40-2*calm.Fans {
		t.Errorf("%d fans, %d in the crowd, want 40", got, profile.Late)
	}
	if from, to := pace.At(calm.Fans), pace.At(calm.Fans+profile.Late-1); from != netHead+calm.For || to >= from+profile.Span {
		t.Errorf("the crowd comes from %v to %v, want it after %v, for %v", from, to, netHead+calm.For, profile.Span)
	}
}
