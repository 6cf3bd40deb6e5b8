package edge

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
	"github.com/ropeline/ropeline/terms"
)

// post publishes the next version of the sale's terms.
func (g *rig) post(version int, hold int) {
	g.Helper()
	g.sale.UnitsPerHold = hold
	sheet := terms.First(g.sale.ID, terms.Of(g.sale, nil), g.sale.OpensAt)
	if version > 1 {
		before := sheet
		before.UnitsPerHold = hold + 2
		next, _, err := before.Next(sheet.Content, g.sale.OpensAt, "It was decided.")
		must(g, err)
		sheet = next
		sheet.Version = version
	}
	text, err := terms.Canonical(sheet)
	must(g, err)
	_, err = g.store.PostTerms(g.Context(), g.sale.ID, version, g.signer.SignDocument(terms.Type, text), map[string]int{"version": version})
	must(g, err)
	g.tick()
}

// say posts a message of the organizer's.
func (g *rig) say(m queue.Message) {
	g.Helper()
	_, err := g.store.SetMessage(g.Context(), g.sale.ID, m, nil, map[string]string{})
	must(g, err)
	g.tick()
}

func TestTermsArePinnedWhenSomebodyJoins(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened, shut, paced(func(p *pace) { p.near, p.far = time.Hour, time.Hour }))
	g.draw()
	g.post(1, 6)
	f := g.phone()
	g.until("the edge has the terms", func() bool { return read[wire.Sale](t, f.do("GET", "", "")).Status.Terms == 1 })
	joined := f.join()
	if joined.Terms != 1 || joined.Sale.Terms != 1 {
		t.Fatalf("joined under terms %d of %d", joined.Terms, joined.Sale.Terms)
	}
	live := f.open()
	if s := live.next(); s.Terms != 1 {
		t.Fatalf("a frame says terms %d", s.Terms)
	}
	g.post(2, 4)
	// Sockets of this test look by themselves once an hour: this one was woken.
	if s := live.await("the new terms", func(s wire.Status) bool { return s.Sale.Terms == 2 }); s.Terms != 1 {
		t.Errorf("a frame says terms %d of %d", s.Terms, s.Sale.Terms)
	}
	if s := f.join(); s.Terms != 1 || s.Sale.Terms != 2 { // again: it is the same place
		t.Errorf("who joined before has terms %d of %d", s.Terms, s.Sale.Terms)
	}
	if s := g.browser().join(); s.Terms != 2 {
		t.Errorf("who joins now has terms %d", s.Terms)
	}
	// The place goes to another device with them.
	if s := g.browser().take(f.code().Code); s.Terms != 1 {
		t.Errorf("on another device it has terms %d", s.Terms)
	}
}

func TestEachVersionOfTheTermsCanBeRead(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	f := g.browser()
	wantProblem(t, f.do("GET", "terms", ""), http.StatusNotFound, "terms-unknown")
	g.post(1, 6)
	g.post(2, 4)
	g.until("the edge has the terms", func() bool { return f.do("GET", "terms?version=2", "").StatusCode == http.StatusOK })
	keys := g.signer.KeySet()
	for path, version := range map[string]int{"terms": 2, "terms?version=1": 1, "terms?version=2": 2} {
		doc := read[wire.Terms](t, wantStatus(t, f.do("GET", path, ""), http.StatusOK))
		sheet, err := terms.Open(doc.Signed, keys)
		if err != nil || sheet.Version != version || doc.Version != version || doc.Newest != 2 || sheet.UnitsPerHold != 8-2*version {
			t.Errorf("%s: %+v, %v", path, doc, err)
		}
		text, _ := base64.RawURLEncoding.DecodeString(strings.Split(doc.Signed, ".")[1])
		if hash, err := sheet.Hash(); err != nil || hash != doc.Hash || string(doc.Sheet) != string(text) {
			t.Errorf("%s: hash %s of %s, %v", path, doc.Hash, doc.Sheet, err)
		}
	}
	for _, version := range []string{"0", "-1", "x", "1.5", "99999999999999999999"} {
		wantProblem(t, f.do("GET", "terms?version="+version, ""), http.StatusUnprocessableEntity, "terms-version-invalid")
	}
	wantProblem(t, f.do("GET", "terms?version=3", ""), http.StatusNotFound, "terms-unknown")
}

// readers stand in line with open sockets, by the languages that they read: one of
// them one that there are words in, the other none such.
func (g *rig) readers() (map[string]*tab, map[string]*fan) {
	tabs, fans := map[string]*tab{}, map[string]*fan{"de-AT, en;q=0.5": g.phone(), "ja": g.phone()}
	for reads, f := range fans {
		f.join()
		conn, _, err := f.dial("Accept-Language", reads)
		must(g, err)
		g.Cleanup(func() { _ = conn.CloseNow() })
		tabs[reads] = &tab{f, conn}
		tabs[reads].next()
	}
	return tabs, fans
}

func TestAMessageIsPushedAtOnceInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	// A socket that looks by itself once an hour: only being woken is in time.
	g := newRig(t, opened, shut, paced(func(p *pace) { p.near, p.far = time.Hour, time.Hour }))
	g.draw()
	says := map[string]string{"en": "Doors at 8", "de": "Einlass um 8"}
	tabs, fans := g.readers()
	for _, f := range fans {
		if s := f.poll(); s.Message != nil || s.Sale.Message != 0 {
			t.Fatalf("a message before there is one: %+v", s)
		}
	}
	g.say(queue.Message{Texts: says, Default: "en"})
	for reads, lang := range map[string]string{"de-AT, en;q=0.5": "de", "ja": "en"} {
		s := tabs[reads].await("the message", func(s wire.Status) bool { return s.Message != nil })
		if s.Message.Lang != lang || s.Message.Number != s.Sale.Message || s.Message.Text != says[lang] {
			t.Errorf("who reads %s: %+v", reads, s.Message)
		}
		polled := read[wire.Status](t, fans[reads].do("GET", "place", "", "Accept-Language", reads))
		if polled.Message == nil || *polled.Message != *s.Message {
			t.Errorf("who reads %s is told in a poll: %+v", reads, polled.Message)
		}
	}
	g.say(queue.Message{})
	for reads, b := range tabs {
		if s := b.await("it is taken away", func(s wire.Status) bool { return s.Sale.Message == 0 }); s.Message != nil {
			t.Errorf("who reads %s is told %+v", reads, s.Message)
		}
		if s := fans[reads].poll(); s.Message != nil || s.Sale.Message != 0 {
			t.Errorf("who reads %s is told %+v in a poll", reads, s.Message)
		}
	}
}

func TestAMessageEndsByItself(t *testing.T) {
	t.Parallel()
	g := newRig(t, opened, shut, paced(func(p *pace) { p.near, p.far = time.Hour, time.Hour }))
	g.draw()
	f := g.browser()
	f.join()
	b := f.open()
	b.next()
	g.say(queue.Message{Texts: map[string]string{"en": "Soon"}, Default: "en", Until: time.Now().Add(300 * time.Millisecond)})
	if s := b.await("the message", func(s wire.Status) bool { return s.Message != nil }); s.Message.Until == nil {
		t.Errorf("it does not say until when: %+v", s.Message)
	}
	g.until("it is over", func() bool { g.tick(); return f.poll().Sale.Message == 0 })
	b.await("it is over", func(s wire.Status) bool { return s.Sale.Message == 0 })
}
