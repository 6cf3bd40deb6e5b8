package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// Hundreds of lines share a connection, each hears its own, and when one of them
// is deaf all look again.
func TestLinesShareAConnection(t *testing.T) {
	t.Parallel()
	private := devtest.PrivateRedis(t)
	store := New(private.Client, Keys{})
	const lines = earLines + 10
	hearings := make([]*hearing, lines)
	for i := range hearings {
		h, err := store.listen(t.Context(), 10*time.Second, fmt.Sprintf("ticks-%d", i), "everybody")
		if err != nil {
			t.Fatal(err)
		}
		hearings[i] = h
	}
	clients := private.Client.ClientList(t.Context()).Val()
	if n := strings.Count(clients, "cmd=subscribe"); n != 2 {
		t.Errorf("%d connections listen for %d lines, want 2:\n%s", n, lines, clients)
	}
	say := func(channel, text string) {
		if err := private.Client.Publish(t.Context(), channel, text).Err(); err != nil {
			t.Fatal(err)
		}
	}
	hears := func(i int, want string) {
		t.Helper()
		got, err := hearings[i].take(t.Context(), 10*time.Second)
		if err != nil || len(got) != 1 || got[0].Payload != want {
			t.Errorf("line %d heard %v (%v), want %s", i, got, err, want)
		}
	}
	say("ticks-7", "seven")
	hears(7, "seven")
	say("everybody", "all")
	hears(7, "all")
	hears(lines-1, "all")
	if _, err := hearings[7].take(t.Context(), time.Millisecond); !errors.Is(err, errSilent) {
		t.Errorf("a line that nobody talks to: %v", err)
	}

	// Who leaves and comes again hears from then on.
	hearings[7].close()
	say("ticks-7", "lost")
	again, err := store.listen(t.Context(), 10*time.Second, "ticks-7", "everybody")
	if err != nil {
		t.Fatal(err)
	}
	hearings[7] = again
	say("ticks-7", "eight")
	hears(7, "eight")

	hearings[0].distrust(errDeaf)
	for _, i := range []int{0, 9, earLines - 1} {
		if _, err := hearings[i].take(t.Context(), 10*time.Second); !errors.Is(err, errDeaf) {
			t.Errorf("line %d of an ear that is over: %v", i, err)
		}
	}
	hears(earLines+5, "all") // the other ear goes on
	for _, h := range hearings {
		h.close()
	}
	if _, err := hearings[lines-1].take(t.Context(), time.Second); !errors.Is(err, errUnheard) {
		t.Errorf("after the end: %v", err)
	}
}

// A line that does not take what it hears costs memory to a bound, and is told
// that it missed something.
func TestALineThatDoesNotListenMissesSomething(t *testing.T) {
	t.Parallel()
	h := &hearing{ear: &ear{}, news: make(chan struct{}, 1)}
	for range heardMost + 1 {
		h.hear(nil)
	}
	if _, err := h.take(t.Context(), time.Second); !errors.Is(err, errMissed) || len(h.messages) != heardMost {
		t.Errorf("%d messages are kept, and taking them: %v", len(h.messages), err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&hearing{ear: &ear{}}).take(ended, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the line: %v", err)
	}
}

// A controller that was late ticks at the very moment when a line looks for itself:
// what it finds is on its way to be heard. Only if it never comes is the line deaf.
func TestALateTickMakesNobodyDeaf(t *testing.T) {
	t.Parallel()
	store, sale, _ := open(t, nil)
	line := NewLine(store, sale.ID, slog.New(slog.DiscardHandler))
	if err := line.snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	hears, err := store.listen(t.Context(), 10*time.Second, key(sale.ID, "ticks"))
	if err != nil {
		t.Fatal(err)
	}
	defer hears.close()
	if heard, err := line.doubt(t.Context(), hears); len(heard) != 0 || err != nil {
		t.Errorf("nobody ticked: heard %v, %v", heard, err)
	}
	tick(t, store, sale.ID)
	if heard, err := line.doubt(t.Context(), hears); len(heard) != 1 || err != nil {
		t.Errorf("a tick came: heard %v, %v", heard, err)
	}
	elsewhere, err := store.listen(t.Context(), 10*time.Second, key(sale.ID, "elsewhere"))
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.close()
	tick(t, store, sale.ID)
	if _, err := line.doubt(t.Context(), elsewhere); !errors.Is(err, errDeaf) {
		t.Errorf("a tick is never heard of: %v", err)
	}
}
