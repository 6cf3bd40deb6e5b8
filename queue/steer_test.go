package queue

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestNoAbsurdSettingIsTaken(t *testing.T) {
	t.Parallel()
	for doc, names := range map[string]string{
		`{}`:                                     "Nothing",
		`{"cap":-1}`:                             "cap",
		`{"cap":10000001}`:                       "cap",
		`{"rate":-5}`:                            "rate",
		`{"rate":99999999}`:                      "rate",
		`{"mode":"open"}`:                        "open",
		`{"session":0}`:                          "Session",
		`{"session":-3}`:                         "Session",
		`{"session":86401}`:                      "Session",
		`{"claim":0}`:                            "Claim",
		`{"claim":3601}`:                         "Claim",
		`{"min_cap":-1}`:                         "min_cap",
		`{"max_rate":999999999}`:                 "max_rate",
		`{"version":7}`:                          "ersion",
		`{"cap":1,"version":7}`:                  "ersion",
		`{"shares":{"a":0}}`:                     "Lane a",
		`{"shares":{"a":100}}`:                   "Lane a",
		`{"shares":{"a":-9223372036854775808}}`:  "Lane a",
		`{"shares":{"a":40,"b":60,"c":1,"d":1}}`: "Lane b", // and not another one each time
		`{"shares":{}}`:                          "Nothing",
		`{"auto":"` + strings.Repeat("x", 5000) + `"}`: "Auto",
	} {
		var s Settings
		if err := json.Unmarshal([]byte(doc), &s); err != nil {
			t.Fatal(err)
		}
		err := s.Check()
		if e, ok := errors.AsType[*ropeline.Error](err); !errors.Is(err, ErrSettingInvalid) || !ok || !strings.Contains(e.Detail, names) {
			t.Errorf("%.60s: %v, want it refused by name", doc, err)
		}
	}
}

func TestSettingsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{
		`{"cap":500,"rate":60,"mode":"pass","session":600,"claim":30,"min_cap":0,"max_cap":10000000,"min_rate":1,"max_rate":2,"auto":{"target":0.2},"version":9}`,
		`{"rate":0}`, `{"auto":null}`, `{"shares":{"a":3,"a-b":40}}`,
	} {
		var s Settings
		if err := json.Unmarshal([]byte(doc), &s); err != nil {
			t.Fatal(err)
		}
		if doc == `{"auto":null}` {
			s.Auto = json.RawMessage("null")
		}
		got, err := json.Marshal(settingsOf(s.values()))
		if err != nil || string(got) != doc {
			t.Errorf("%s came back as %s, %v", doc, got, err)
		}
	}
}

func TestBoundsSayWhatIsWrongWithThem(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"BOUNDS cap 0 6": "The sale's bounds let cap lie between 0 and 6.", "BOUNDS rate 9 3": "The least rate, 9, would be above the most, 3.",
		"BOUNDS": ErrOutOfBounds.Detail,
	} {
		err := outOfBounds(text)
		if e, ok := errors.AsType[*ropeline.Error](err); !errors.Is(err, ErrOutOfBounds) || !ok || e.Detail != says {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

// Two who steer at once: the second is shown what is now.
func TestWhoExpectsOldValuesChangesNothing(t *testing.T) {
	t.Parallel()
	store, sale, rdb := open(t, nil)
	steer(t, store, sale.ID, Settings{Cap: new(int64(8)), Auto: json.RawMessage(`{"on": true}`)})
	got, err := store.Steer(t.Context(), sale.ID, Change{Set: Settings{Cap: new(int64(9)), Rate: new(int64(1))}, Expect: Settings{Cap: &sale.Cap}})
	if !errors.Is(err, ErrLimitsChanged) || *got.Now.Cap != 8 || *got.Now.Rate != sale.Rate || *got.Now.Mode != ropeline.ModeRun || *got.Now.Session != sale.SessionMax {
		t.Errorf("%+v, %v; want the limits as they are", got, err)
	}
	done := steer(t, store, sale.ID, Settings{Cap: new(int64(9))})
	if *done.Was.Cap != 8 || *done.Now.Cap != 9 || done.Now.Rate != nil || done.At.IsZero() {
		t.Errorf("changed: %+v", done)
	}
	s, err := store.State(t.Context(), sale.ID)
	if err != nil || s.Cap != 9 || s.Rate != sale.Rate || s.Version != 2 || s.Auto != `{"on":true}` {
		t.Errorf("%+v, %v", s.Limits, err)
	}
	if now := s.Of([]string{"cap", "auto"}); *now.Cap != 9 || string(now.Auto) != s.Auto || now.Rate != nil {
		t.Errorf("the limits' cap and auto are %+v", now)
	}
	_, data := publicEvents(t, rdb, sale.ID)
	if !strings.Contains(data["limits"], `"by":"sre"`) || !strings.Contains(data["limits"], `"cap":9`) || !strings.Contains(data["limits"], `"proof":{`) {
		t.Errorf("the public is told %s", data["limits"])
	}
}

// What staff write for the audit is not told where there are words for everybody:
// those are the reason, whoever asks, and each reads them in a language of theirs.
func TestAPauseIsExplainedInWordsForEverybody(t *testing.T) {
	t.Parallel()
	store, sale, rdb := open(t, nil)
	change := Change{Set: Settings{Mode: new(ropeline.ModeStop)}, By: "sre", Reason: "INC-7: primary is on fire",
		Public: map[string]string{"de": "Der Laden macht Pause.", "en": "The shop takes a break.", "ar": "المتجر في استراحة."}}
	view := func() *View {
		t.Helper()
		state, err := store.State(t.Context(), sale.ID)
		if err != nil {
			t.Fatal(err)
		}
		b, err := store.Board(t.Context(), sale.ID)
		if err != nil || b.Number > state.Posted {
			t.Fatalf("edges are told of number %d of a board of %d, %v", state.Posted, b.Number, err)
		}
		return &View{State: state, Board: b}
	}
	if _, err := store.Steer(t.Context(), sale.ID, change); err != nil {
		t.Fatal(err)
	}
	v := view()
	if v.Pause() == nil || v.Reason != "The shop takes a break." {
		t.Fatalf("%+v, %q", v.Board.Pause, v.Reason)
	}
	if lang, text := v.Pause().In("ar-EG"); lang != "ar" || text != change.Public["ar"] {
		t.Errorf("in Egypt they read %s %q", lang, text)
	}
	_, data := publicEvents(t, rdb, sale.ID)
	if told := data["mode"]; !strings.Contains(told, `"reason":"The shop takes a break."`) || !strings.Contains(told, `"lang":"en"`) || !strings.Contains(told, `"languages":3`) {
		t.Errorf("the public is told %s", told)
	}
	// Another pause, with words of its own in one language; then a change without a
	// mode, which is no pause; then it goes on.
	change.Set, change.Public, change.Reason = Settings{Mode: new(ropeline.ModePause)}, nil, "The band is late."
	if _, err := store.Steer(t.Context(), sale.ID, change); err != nil {
		t.Fatal(err)
	}
	change = Change{Set: Settings{Cap: new(int64(3))}, By: "sre", Reason: "INC-7 again", Public: map[string]string{"fr": "Moins de monde à la fois."}}
	if _, err := store.Steer(t.Context(), sale.ID, change); err != nil {
		t.Fatal(err)
	}
	if v := view(); v.Pause() != nil || v.Reason != "The band is late." {
		t.Errorf("%+v, %q, want words in one language", v.Pause(), v.Reason)
	}
	_, data = publicEvents(t, rdb, sale.ID)
	if told := data["limits"]; !strings.Contains(told, `"reason":"Moins de monde à la fois."`) || !strings.Contains(told, `"lang":"fr"`) {
		t.Errorf("the public is told %s", told)
	}
	steer(t, store, sale.ID, Settings{Mode: new(ropeline.ModeRun)})
	if v := view(); v.Pause() != nil || v.Reason != "" {
		t.Errorf("%+v, %q, want none while it runs", v.Pause(), v.Reason)
	}
	events, err := rdb.XRange(t.Context(), key(sale.ID, "events"), "-", "+").Result()
	for _, e := range events {
		if data, _ := e.Values["data"].(string); err != nil || strings.Contains(data, "INC-7") {
			t.Errorf("the public is told %s, %v", data, err)
		}
	}
}

func TestPublicReasonsThatNobodyCouldBeShownAreRefused(t *testing.T) {
	t.Parallel()
	store, sale, _ := open(t, nil)
	for name, public := range map[string]map[string]string{
		"no language":      {},
		"an empty text":    {"en": " "},
		"two lines":        {"en": "a\nb"},
		"a long text":      {"en": strings.Repeat("x", 501)},
		"a made-up tag":    {"english please": "a"},
		"a control letter": {"en": "a", "de": "\x1b[31m"},
	} {
		_, err := store.Steer(t.Context(), sale.ID, Change{Set: Settings{Mode: new(ropeline.ModePause)}, By: "sre", Reason: "r", Public: public})
		if !errors.Is(err, ErrMessageInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s, err := store.State(t.Context(), sale.ID); err != nil || s.Mode != ropeline.ModeRun {
		t.Errorf("%+v, %v, want nothing changed", s.Limits, err)
	}
}

// A stop's reason goes to whoever claims; turns and sessions do not run out in it.
func TestAStopStopsTheClockOfTurns(t *testing.T) {
	t.Parallel()
	k := openTimed(t, 4)
	id := k.sale.ID
	inside, next := join(t, k.Store, id), join(t, k.Store, id)
	k.tick()
	k.is(next, ropeline.PlaceOffered)
	if _, err := k.Claim(t.Context(), id, inside.ID); err != nil {
		t.Fatal(err)
	}
	steer(t, k.Store, id, Settings{Mode: new(ropeline.ModeStop)})
	k.now = k.now.Add(10 * time.Minute) // longer than everything
	k.tick()
	_, err := k.Claim(t.Context(), id, next.ID)
	_, renewing := k.Renew(t.Context(), id, inside.ID)
	e, _ := errors.AsType[*ropeline.Error](err)
	if !errors.Is(err, ErrSaleStopped) || !errors.Is(renewing, ErrSaleStopped) || !strings.Contains(e.Detail, "a reason") {
		t.Errorf("claiming: %v, renewing: %v", err, renewing)
	}
	k.is(inside, ropeline.PlaceActive)
	k.is(next, ropeline.PlaceOffered)
	steer(t, k.Store, id, Settings{Mode: new(ropeline.ModeRun)})
	k.tick()
	if _, err := k.Claim(t.Context(), id, next.ID); err != nil {
		t.Error("claiming after the stop:", err)
	}
	// This session's time was over meanwhile; one that has time left is renewed.
	if _, err := k.Renew(t.Context(), id, inside.ID); !errors.Is(err, ErrSessionOver) {
		t.Error("renewing a session past its end:", err)
	}
	steer(t, k.Store, id, Settings{Mode: new(ropeline.ModeStop)})
	k.now = k.now.Add(12 * time.Second) // a token's life and more, not the session's
	k.tick()
	steer(t, k.Store, id, Settings{Mode: new(ropeline.ModeRun)})
	k.tick()
	if _, err := k.Renew(t.Context(), id, next.ID); err != nil {
		t.Error("renewing after the stop:", err)
	}
}

// A stop moves the end of a slot by its own milliseconds. A claim that was repeated
// compared that with whole seconds: for the rest of a second it was told of a session
// whose slot was free already.
func TestAClaimIsRepeatedToTheMillisecond(t *testing.T) {
	t.Parallel()
	k := openTimed(t, 4)
	id := k.sale.ID
	fan := join(t, k.Store, id)
	k.tick()
	session, err := k.Claim(t.Context(), id, fan.ID)
	if err != nil {
		t.Fatal(err)
	}
	const stopped = 100 * time.Millisecond
	steer(t, k.Store, id, Settings{Mode: new(ropeline.ModeStop)})
	k.now = k.now.Add(stopped)
	steer(t, k.Store, id, Settings{Mode: new(ropeline.ModeRun)})
	free := session.ExpiresAt.Add(time.Duration(margin)*time.Second + stopped)
	k.now = free.Add(-time.Millisecond)
	if again, err := k.Claim(t.Context(), id, fan.ID); err != nil || again.ID != session.ID {
		t.Errorf("while the slot is counted: %+v, %v", again, err)
	}
	k.now = free
	if again, err := k.Claim(t.Context(), id, fan.ID); !errors.Is(err, ErrSessionOver) {
		t.Errorf("when the slot is free: %+v, %v", again, err)
	}
}

// Where everybody passes, the proof says that nothing was limited; the limit that
// follows starts with who is inside.
func TestTheProofOfTheCapIsHonestAboutPassing(t *testing.T) {
	t.Parallel()
	store, sale, _ := open(t, func(s *ropeline.Sale) { s.Cap, s.Rate = 2, 60 })
	for range 9 {
		join(t, store, sale.ID)
	}
	steer(t, store, sale.ID, Settings{Mode: new(ropeline.ModePass)})
	s := tick(t, store, sale.ID)
	if want := (Proof{Limit: Unlimited, Since: s.Proof.Since, Most: 9}); s.Offered != 9 || s.Proof != want || s.MaxInUse != 9 {
		t.Errorf("everybody passes: %d offered, proof %+v", s.Offered, s.Proof)
	}
	steer(t, store, sale.ID, Settings{Mode: new(ropeline.ModeRun)})
	join(t, store, sale.ID)
	s = tick(t, store, sale.ID)
	if want := (Proof{Limit: 2, Since: s.Proof.Since, From: 9, Most: 9}); s.Offered != 9 || s.Proof != want || !s.Proof.Holds() {
		t.Errorf("with the cap in force again: %d offered, proof %+v", s.Offered, s.Proof)
	}
	if (Proof{Limit: 2, From: 1, Most: 3}).Holds() {
		t.Error("three of two is said to hold")
	}
}

// A replica that lagged takes over and has not heard of a stop. Edges have: it is
// given back before anybody is offered.
func TestAStopThatAFailoverLostIsGivenBack(t *testing.T) {
	t.Parallel()
	store, sale, rdb := open(t, nil)
	ctx, leave := context.WithCancel(t.Context())
	line := NewLine(store, sale.ID, slog.New(slog.DiscardHandler))
	var running sync.WaitGroup
	running.Go(func() { _ = line.Run(ctx) })
	t.Cleanup(func() { leave(); running.Wait() })
	<-line.Ready()
	join(t, store, sale.ID)
	lost, err := rdb.HGetAll(ctx, key(sale.ID, "limits")).Result()
	if err != nil {
		t.Fatal(err)
	}
	steer(t, store, sale.ID, Settings{Mode: new(ropeline.ModeStop), Cap: new(int64(1))})
	until := func(what string, holds func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !holds(); {
			if s := tick(t, store, sale.ID); s.Offered > 0 {
				t.Fatalf("somebody was offered though the sale is stopped: %+v", s.State)
			}
			if time.Now().After(deadline) {
				t.Fatal("in vain: ", what)
			}
		}
	}
	until("the edge hears of the stop", func() bool { return line.View().Mode == ropeline.ModeStop })
	_, err = rdb.TxPipelined(ctx, func(r redis.Pipeliner) error {
		r.Del(ctx, key(sale.ID, "limits"))
		r.HSet(ctx, key(sale.ID, "limits"), lost)
		r.HSet(ctx, key(sale.ID, "state"), "run_id", "of the master that was")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	until("the stop is given back", func() bool {
		s, err := store.State(ctx, sale.ID)
		return err == nil && s.Mode == ropeline.ModeStop && s.Cap == 1 && s.Version == 1 && s.Reason == "a reason"
	})
}

// A server that was just found to be another one waits for what edges know.
func TestNobodyIsOfferedInTheFirstSecondAfterAFailover(t *testing.T) {
	t.Parallel()
	k := openTimed(t, 1000)
	steer(t, k.Store, k.sale.ID, Settings{Rate: new(int64(600))})
	p := join(t, k.Store, k.sale.ID)
	if err := k.rdb.HSet(t.Context(), key(k.sale.ID, "state"), "run_id", "of the master that was").Err(); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		k.tick()
		k.is(p, ropeline.PlaceWaiting)
	}
	for range 3 {
		k.tick()
	}
	k.is(p, ropeline.PlaceOffered)
}

func TestGatesHearOfAStopAndWhoeverTicksPutsItRight(t *testing.T) {
	t.Parallel()
	rdb := devtest.PrivateRedis(t).Client // gates are global to a Redis
	store := New(rdb, testKeys)
	t.Cleanup(store.Close)
	sale := testSale("stops", time.Now().Add(-time.Minute))
	if err := errors.Join(store.PublishSale(t.Context(), sale), store.Draw(t.Context(), sale.ID)); err != nil {
		t.Fatal(err)
	}
	gate := gateOf(t, store, "gate")
	waits := func(mode ropeline.Mode, meanwhile func()) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); gate.Mode(sale.ID) != mode; meanwhile() {
			if time.Now().After(deadline) {
				t.Fatalf("the gate goes by %s, want %s", gate.Mode(sale.ID), mode)
			}
		}
	}
	hears := func(mode ropeline.Mode) {
		t.Helper()
		waits(mode, func() { tick(t, store, sale.ID) })
	}
	hears(ropeline.ModeRun)
	steer(t, store, sale.ID, Settings{Mode: new(ropeline.ModeStop)})
	hears(ropeline.ModeStop)
	if err := rdb.Del(t.Context(), keyModes).Err(); err != nil { // its node has lost it
		t.Fatal(err)
	}
	waits(ropeline.ModeRun, func() { <-time.After(time.Millisecond) }) // a tick might put it right before the gate looks
	hears(ropeline.ModeStop)
	steer(t, store, sale.ID, Settings{Mode: new(ropeline.ModePass)})
	hears(ropeline.ModePass)
	steer(t, store, sale.ID, Settings{Mode: new(ropeline.ModeDrain)})
	hears(ropeline.ModeRun)
}

// What an edge gives back may be what the document says: then it is the
// document's again, not what the lagging replica had.
func TestATimeThatIsTheDocumentsIsGivenBack(t *testing.T) {
	t.Parallel()
	store, sale, rdb := open(t, nil)
	ctx := t.Context()
	steer(t, store, sale.ID, Settings{Claim: new(sale.ClaimWindow + 7)})
	lost, err := rdb.HGetAll(ctx, key(sale.ID, "limits")).Result()
	if err != nil {
		t.Fatal(err)
	}
	steer(t, store, sale.ID, Settings{Claim: new(sale.ClaimWindow)})
	known := tick(t, store, sale.ID).Limits
	_, err = rdb.TxPipelined(ctx, func(r redis.Pipeliner) error {
		r.Del(ctx, key(sale.ID, "limits"))
		r.HSet(ctx, key(sale.ID, "limits"), lost)
		r.HSet(ctx, key(sale.ID, "state"), "run_id", "of the master that was")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tick(t, store, sale.ID) // finds another server
	if err := store.recallLimits(ctx, sale.ID, known); err != nil {
		t.Fatal(err)
	}
	if s, err := store.State(ctx, sale.ID); err != nil || s.Claim != sale.ClaimWindow || s.Version != known.Version {
		t.Errorf("to claim are %d s in version %d, %v; want %d s in %d", s.Claim, s.Version, err, sale.ClaimWindow, known.Version)
	}
}
