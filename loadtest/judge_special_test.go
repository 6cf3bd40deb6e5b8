package loadtest

import (
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
)

// The judges of what only some profiles have: lanes with codes and rules, and a
// foreign shop.
func TestSpecialRunsAreJudged(t *testing.T) {
	t.Parallel()
	// presale is 20 offers from three lanes by their shares; the members have codes, and
	// the circle has letters.
	presale := func() Evidence {
		e := Evidence{Codes: 9, Guesses: 50, Looked: 10, Guessing: 30 * time.Second}
		for n := range int64(20) {
			h := History{Fan: int(n), Offer: n + 1, Lane: ropeline.MainLane}
			switch {
			case n%10 >= 10-laneShare/10:
				h.Lane, h.Code = laneMembers, string(rune('a'+n))
			case n%10 >= 10-laneShare/10-circleShare/10:
				h.Lane, h.Letter, h.Invitee, h.Presented = laneCircle, signedIn, string(rune('a'+n)), 201
			}
			e.Fans = append(e.Fans, h)
		}
		e.Fans[0].Tried, e.Fans[1].Bypassed = []int{404, 429}, true
		return e
	}
	abroad := func() Evidence {
		return Evidence{Cap: 2, Abroad: &Abroad{Requests: 9, Visits: []Visit{{sec(1), sec(3)}, {sec(2), sec(4)}, {sec(3.1), sec(5)}}}}
	}
	for name, c := range map[string]struct {
		evidence Evidence
		judge    func(Evidence) finding
		change   func(*Evidence)
		wants    string // of the first example; "" is a run that is held
	}{
		"shares held":      {presale(), judgeShares, func(*Evidence) {}, ""},
		"members first":    {presale(), judgeShares, func(e *Evidence) { swap(e, 9) }, "went to the lane"},
		"lanes held":       {presale(), judgeLanes, func(*Evidence) {}, ""},
		"no code":          {presale(), judgeLanes, func(e *Evidence) { e.Fans[9].Code = "" }, "has no code"},
		"no letter":        {presale(), judgeLanes, func(e *Evidence) { e.Fans[5].Letter = "" }, "stands in"},
		"forged":           {presale(), judgeLanes, func(e *Evidence) { e.Fans[5].Letter = forged }, "stands in"},
		"forged, believed": {presale(), judgeLanes, func(e *Evidence) { e.Fans[0].Letter, e.Fans[0].Presented = forged, 201 }, "was answered with 201"},
		"a letter for two": {presale(), judgeLanes, func(e *Evidence) { e.Fans[5].Invitee = e.Fans[6].Invitee }, "are all"},
		"a right refused": {presale(), judgeLanes, func(e *Evidence) {
			e.Fans[5].Lane, e.Fans[5].Presented = ropeline.MainLane, 403
		}, "has a right"},
		"refused for a copy": {presale(), judgeLanes, func(e *Evidence) {
			e.Fans[5].Lane, e.Fans[5].Presented = ropeline.MainLane, 409
			e.Fans[6].Letter, e.Fans[6].Invitee = copied, e.Fans[5].Invitee
		}, ""},
		"endless guesses":  {presale(), judgeCodes, func(e *Evidence) { e.Looked = 11 }, "were looked at"},
		"codes held":       {presale(), judgeCodes, func(*Evidence) {}, ""},
		"a code twice":     {presale(), judgeCodes, func(e *Evidence) { e.Fans[9].Code = e.Fans[19].Code }, "by a code for one"},
		"the wrong lane":   {presale(), judgeCodes, func(e *Evidence) { e.Fans[9].Lane = ropeline.MainLane }, "stands in"},
		"a guess that hit": {presale(), judgeCodes, func(e *Evidence) { e.Hits = 1 }, "led to a lane"},
		"somebody ejected": {presale(), judgeCodes, func(e *Evidence) { e.Ejected = 1 }, "cost the place"},
		"a wrong code":     {presale(), judgeCodes, func(e *Evidence) { e.Fans[0].Tried[0] = 410 }, "was answered with 410"},
		"bypass held":      {presale(), judgeBypass, func(*Evidence) {}, ""},
		"too many by the rule": {presale(), judgeBypass, func(e *Evidence) {
			for i := range e.Fans {
				e.Fans[i].Bypassed = true
			}
		}, "came by a rule"},
		"a shop that is guarded": {abroad(), judgeForeign, func(*Evidence) {}, ""},
		"a stranger":             {abroad(), judgeForeign, func(e *Evidence) { e.Abroad.Strangers = []string{"//buy"} }, "without a session"},
		"turned away":            {abroad(), judgeForeign, func(e *Evidence) { e.Abroad.Turned = []string{"/buy"} }, "turned away"},
		"three of two":           {abroad(), judgeForeign, func(e *Evidence) { e.Abroad.Visits[2].First = sec(2.5) }, "the cap is 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.change(&c.evidence)
			f := c.judge(c.evidence)
			switch {
			case f.facts == 0:
				t.Error("it saw nothing")
			case c.wants == "" && f.broken > 0:
				t.Errorf("a good run: %v", f.examples)
			case c.wants != "" && (f.broken == 0 || !strings.Contains(f.examples[0], c.wants)):
				t.Errorf("%v, want %q", f.examples, c.wants)
			}
		})
	}
}

// swap lets members have the first turns.
func swap(e *Evidence, turns int) {
	for i := range turns {
		e.Fans[i].Lane, e.Fans[i].Code = laneMembers, ""
	}
}

// Of every twenty fans of a presale two may join the circle, and a copy names one of
// them; each kind of worthless letter comes.
func TestFansBringLetters(t *testing.T) {
	t.Parallel()
	kinds := map[letter]int{}
	owner := map[string]bool{}
	for n := range 120 {
		switch l := letterOf(n); {
		case l.good():
			owner[invitee(n)] = true
			kinds[l]++
		case l == copied && !owner[invitee(n)]:
			t.Errorf("fan %d has a copy of nobody's: %s", n, invitee(n))
		case l != "":
			kinds[l]++
		}
	}
	for _, l := range []letter{invited, signedIn, copied} {
		if kinds[l] != 6 {
			t.Errorf("%d have %q, want 6", kinds[l], l)
		}
		delete(kinds, l)
	}
	for _, l := range []letter{forged, forgedToken, overdue, foreignSale, unsigned, laneless} {
		if kinds[l] != 1 {
			t.Errorf("%d have %q, want 1", kinds[l], l)
		}
	}
}
