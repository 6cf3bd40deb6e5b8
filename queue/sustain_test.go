package queue

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
)

// A page sleeps for longer than its token lives while the fan holds seats: the
// slot is counted all the while, and the session is renewed when it wakes.
func TestASessionThatHoldsSomethingOutlivesItsToken(t *testing.T) {
	t.Parallel()
	_, sale, rdb := open(t, func(s *ropeline.Sale) { s.Cap, s.SessionMax = 1, 600 })
	now, mu := time.Now().Add(time.Minute), sync.Mutex{}
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	wait := func(by time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(by) }
	at := New(rdb, testKeys).WithClock(clock)
	t.Cleanup(at.Close)
	p := join(t, at, sale.ID)
	var session Session
	err := errors.New("no tick yet")
	for range 20 {
		if wait(300 * time.Millisecond); err != nil { // the rate's bucket fills
			tick(t, at, sale.ID)
			session, err = at.Claim(t.Context(), sale.ID, p.ID)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := at.Renew(t.Context(), sale.ID, p.ID); err != nil {
		t.Fatal(err)
	}
	heard := rdb.Subscribe(t.Context(), key(sale.ID, "changed"))
	defer heard.Close()
	if _, err := heard.Receive(t.Context()); err != nil { // it listens
		t.Fatal(err)
	}
	if err := at.Keep(t.Context(), sale.ID, session.ID, "hold", clock().Add(2*time.Minute), false); err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if m, err := heard.ReceiveMessage(soon); err != nil || m.Payload != string(p.ID) {
		t.Errorf("its edge hears %v, %v; want the place", m, err)
	}
	wait(sale.TokenLife.Duration() + ropeline.TokenMargin + time.Second)
	if s := tick(t, at, sale.ID); s.Active != 1 {
		t.Errorf("%d slots are counted, want that of the fan who holds seats", s.Active)
	}
	if _, err := at.Renew(t.Context(), sale.ID, p.ID); err != nil {
		t.Errorf("the page woke: %v", err)
	}
	if err := at.LetGo(t.Context(), sale.ID, session.ID, "hold"); err != nil {
		t.Fatal(err)
	}
	wait(sale.TokenLife.Duration() + ropeline.TokenMargin + time.Second)
	if s := tick(t, at, sale.ID); s.Active != 0 {
		t.Errorf("%d slots are counted after the hold was given back, want none", s.Active)
	}
	if err := at.Keep(t.Context(), sale.ID, session.ID, "hold", clock().Add(time.Minute), false); !errors.Is(err, ErrSessionOver) {
		t.Errorf("a hold for a session that is over: %v", err)
	}
	until := clock().Add(time.Minute).UnixMilli()
	for i, r := range at.sustainAll(t.Context(), sale.ID, []sustained{{"lost", "a", until, ""}, {session.ID, "b", until, ""}, {"lost", "c", until, "p"}}) {
		if errors.Is(r.Err, ErrSessionOver) != (i == 1) || i != 1 && r.Err != nil {
			t.Errorf("together with others, call %d: %v", i, r.Err)
		}
	}
}

// A session that was ended while it paid keeps its slot until the payment is over.
// Whoever leaves after that gives the slot back, though another of its holds has not
// run out: every gate has refused the session since.
func TestLeavingAfterAnEndAndItsPaymentGivesTheSlotBack(t *testing.T) {
	t.Parallel()
	store, sale, _ := open(t, func(s *ropeline.Sale) { s.SessionMax = 600 })
	p := join(t, store, sale.ID)
	admitUntil(t, store, sale.ID, p.ID)
	session, err := store.Claim(t.Context(), sale.ID, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	soon := time.Now().Add(5 * time.Minute)
	for hold, pays := range map[string]bool{"kept": false, "paid": true} {
		if err := store.Keep(t.Context(), sale.ID, session.ID, hold, soon, pays); err != nil {
			t.Fatal(err)
		}
	}
	counted := func(doing string, want int64) {
		if s := tick(t, store, sale.ID); s.Active != want {
			t.Errorf("%s: %d slots are counted, want %d", doing, s.Active, want)
		}
	}
	if acknowledged, err := store.End(t.Context(), sale.ID, p.ID); acknowledged || err != nil {
		t.Fatalf("ended while it pays: acknowledged %v, %v", acknowledged, err)
	}
	counted("it pays", 1)
	if err := store.LetGo(t.Context(), sale.ID, session.ID, "paid"); err != nil {
		t.Fatal(err)
	}
	counted("it has paid", 1)
	if acknowledged, err := store.Leave(t.Context(), sale.ID, p.ID); !acknowledged || err != nil {
		t.Fatalf("left: acknowledged %v, %v", acknowledged, err)
	}
	counted("it has left", 0)
}

func TestWhoeverFollowsTheEndsHearsOfEach(t *testing.T) {
	t.Parallel()
	store, sale, _ := open(t, nil)
	p := join(t, store, sale.ID)
	admitUntil(t, store, sale.ID, p.ID)
	session, err := store.Claim(t.Context(), sale.ID, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard, done := make(chan Ended, 100), make(chan error, 1)
	go func() { done <- store.FollowEnded(ctx, func(_ context.Context, e Ended) { heard <- e }) }()
	if _, err := store.EndSession(t.Context(), sale.ID, session.ID, false); err != nil {
		t.Fatal(err)
	}
	for deadline := time.After(10 * time.Second); ; {
		select {
		case e := <-heard:
			if e == (Ended{sale.ID, session.ID}) { // others are of other tests
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
				return
			}
		case <-deadline:
			t.Fatal("nobody heard of the end")
		}
	}
}
