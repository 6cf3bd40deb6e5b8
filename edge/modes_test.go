package edge

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

func TestNobodyJoinsALineThatIsDrained(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened)
	g.draw()
	inside := g.browser()
	inside.join()
	g.steer(t, ropeline.ModeDrain, "We close at eight.")
	g.tick()
	g.until("nobody can join", func() bool { return g.browser().do("POST", "place", "").StatusCode == http.StatusConflict })
	wantProblem(t, g.browser().do("POST", "place", ""), http.StatusConflict, "line-closed")
	if s := read[wire.Sale](t, g.browser().do("GET", "", "")); s.Status.Paused || s.Status.Reason != "" {
		t.Errorf("a line that is drained is shown as %+v", s.Status)
	}
	inside.join() // who is in it is
	g.admit(1)
	inside.claim()
}

func TestAStoppedSaleSaysWhyAndGoesOn(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened)
	f, _ := admitted(g)
	late := g.browser()
	late.join()
	g.admit(2)
	g.steer(t, ropeline.ModeStop, "The hall has no power.")
	for fan, path := range map[*fan]string{f: "session", late: "place/claim"} {
		r := fan.do("POST", path, "{}")
		wantProblem(t, r, http.StatusServiceUnavailable, "sale-stopped")
		if !strings.Contains(string(r.body), "The hall has no power.") || r.Header.Get("Retry-After") == "" {
			t.Errorf("%s answers %s", path, r.body)
		}
	}
	g.tick()
	g.until("the stop is shown", func() bool {
		s := read[wire.Sale](t, late.do("GET", "", "")).Status
		return s.Paused && s.Reason == "The hall has no power."
	})
	g.steer(t, ropeline.ModeRun, "")
	late.claim()
	wantStatus(t, f.do("POST", "session", "{}"), http.StatusOK)
}

// Each reads why the line is paused in a language of theirs, pushed and polled, and
// nobody what was written for the audit.
func TestAPauseIsExplainedInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	// A socket that looks by itself once an hour: only being woken is in time.
	g := newRig(t, opened, shut, paced(func(p *pace) { p.near, p.far = time.Hour, time.Hour }))
	g.draw()
	tabs, fans := g.readers()
	langs := map[string]string{"de-AT, en;q=0.5": "de", "ja": "en"}
	expect := func(mode ropeline.Mode, says map[string]string, who ...string) {
		t.Helper()
		for _, reads := range who {
			b, lang := tabs[reads], langs[reads]
			s := b.await("the reason", func(s wire.Status) bool { return s.Sale.Reason == says[lang] }).Sale
			polled := read[wire.Status](t, fans[reads].do("GET", "place", "", "Accept-Language", reads)).Sale
			public := read[wire.Sale](t, fans[reads].do("GET", "", "", "Accept-Language", reads)).Status
			for how, s := range map[string]wire.SaleStatus{"pushed": s, "polled": polled, "of the sale": public} {
				if !s.Paused || s.Mode != mode || s.Reason != says[lang] || s.ReasonLang != lang {
					t.Errorf("%s, who reads %s: %+v", how, reads, s)
				}
			}
			plain := string(fans[reads].do("GET", "plain", "", "Accept-Language", reads).body)
			if !strings.Contains(plain, `lang="`+lang+`">`+says[lang]+`</p>`) || strings.Contains(plain, "INC-7") {
				t.Errorf("without scripts, who reads %s: %s", reads, plain)
			}
		}
	}
	says := map[string]string{"en": "The band is late.", "de": "Die Band kommt später."}
	g.explain(t, ropeline.ModePause, "INC-7", says)
	g.tick()
	expect(ropeline.ModePause, says, "de-AT, en;q=0.5", "ja")
	// Only a translation changes: it is pushed like everything else that explains a pause.
	says["de"] = "Die Band steht im Stau."
	g.explain(t, ropeline.ModePause, "INC-7", says)
	g.tick()
	expect(ropeline.ModePause, says, "de-AT, en;q=0.5")
	g.explain(t, ropeline.ModeStop, "INC-7", map[string]string{"en": "Power is out.", "de": "Der Strom ist weg."})
	g.tick()
	expect(ropeline.ModeStop, map[string]string{"en": "Power is out.", "de": "Der Strom ist weg."}, "de-AT, en;q=0.5", "ja")
	g.steer(t, ropeline.ModeRun, "")
	g.tick()
	for reads, b := range tabs {
		s := b.await("it goes on", func(s wire.Status) bool { return !s.Sale.Paused }).Sale
		if s.Reason != "" || s.ReasonLang != "" || s.Mode != "" {
			t.Errorf("who reads %s is told %+v of a line that moves", reads, s)
		}
	}
}

func TestAPauseWithoutAReasonSaysWhatItIs(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened)
	g.draw()
	f := g.browser()
	f.join()
	for mode, words := range pausedTexts {
		g.steer(t, mode, "")
		g.tick()
		g.until("the page says so", func() bool { return strings.Contains(string(f.do("GET", "plain", "").body), words) })
	}
}
