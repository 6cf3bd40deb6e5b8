package loadtest

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPaceKeepsLobbyAndLateArrivalsOnTheirSideOfTheClose(t *testing.T) {
	t.Parallel()
	p := NewPace(100, 50, 10*time.Second, 20*time.Second)
	if got := p.Fans(); got != 150 {
		t.Fatalf("fans = %d, want 150", got)
	}
	for i := range 150 {
		at := p.At(i)
		if i < 100 && at >= 10*time.Second-beforeClose {
			t.Errorf("lobby fan %d arrives at %v, after the margin before the close", i, at)
		}
		if i >= 100 && at <= 10*time.Second {
			t.Errorf("late fan %d arrives at %v, before the close", i, at)
		}
	}
	if got := p.Rate(15 * time.Second); got != 2.5 {
		t.Errorf("rate after the close = %v, want 2.5 a second", got)
	}
	if got := p.Rate(10 * time.Second); got != 0 {
		t.Errorf("rate at the close = %v, want 0", got)
	}
}

func TestPaceWithoutALobbySendsEverybodyAfterwards(t *testing.T) {
	t.Parallel()
	p := NewPace(100, 50, -time.Hour, 10*time.Second)
	if p.Fans() != 150 || p.At(0) != afterClose || p.At(149) >= 10*time.Second+afterClose {
		t.Errorf("pace = %+v, first %v, last %v", p, p.At(0), p.At(149))
	}
}

func TestPaceNeverGoesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := NewPace(rapid.IntRange(0, 300).Draw(t, "lobby"), rapid.IntRange(1, 300).Draw(t, "late"),
			time.Duration(rapid.IntRange(-5000, 20000).Draw(t, "close"))*time.Millisecond,
			time.Duration(rapid.IntRange(1, 20000).Draw(t, "span"))*time.Millisecond)
		for i := 1; i <= p.Fans(); i++ {
			if p.At(i) < p.At(i-1) {
				t.Fatalf("fan %d arrives at %v, before fan %d at %v", i, p.At(i), i-1, p.At(i-1))
			}
		}
	})
}
