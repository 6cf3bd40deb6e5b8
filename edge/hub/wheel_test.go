package hub

import (
	"math/rand/v2"
	"testing"
	"time"
)

// The wheel against a list: nothing comes before its time, nothing later than a
// step after it, nothing is lost.
func TestEverybodyIsDueInTime(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		var w wheel
		now, due := moment(r.IntN(1e6)), map[*Socket]moment{}
		sockets := make([]Socket, 50)
		for range 2000 {
			switch s := &sockets[r.IntN(len(sockets))]; r.IntN(10) {
			case 0, 1, 2, 3:
				due[s] = now + moment(r.Int64N(int64(3*wheelSlots*wheelStep)))
				if r.IntN(2) == 0 {
					due[s] = now + moment(r.Int64N(int64(5*wheelStep)))
				}
				w.put(s, due[s], now)
			case 4:
				delete(due, s)
				w.remove(s)
			case 5:
				now += moment(r.Int64N(int64(2 * wheelSlots * wheelStep)))
			default:
				now += moment(r.Int64N(int64(3 * wheelStep)))
			}
			for s := w.pop(now); s != nil; s = w.pop(now) {
				if at, held := due[s]; !held || at > now {
					t.Fatalf("seed %d: popped at %s what is due at %s (held %t)", seed, now, at, held)
				}
				delete(due, s)
			}
			for _, at := range due {
				if at < now-wheelStep {
					t.Fatalf("seed %d: at %s what was due at %s has not come", seed, now, at)
				}
			}
			wait, any := w.wait(now)
			if any != (len(due) > 0) || w.held != len(due) {
				t.Fatalf("seed %d: %d held, want %d", seed, w.held, len(due))
			}
			for _, at := range due {
				if at+wheelStep < now+wait {
					t.Fatalf("seed %d: waits %s at %s though one is due at %s", seed, wait, now, at)
				}
			}
		}
		n := 0
		w.all(func(*Socket) { n++ })
		if n != len(due) {
			t.Fatalf("all are %d, want %d", n, len(due))
		}
	}
}

func TestTheLongestWaitIsNoneForNobody(t *testing.T) {
	t.Parallel()
	var w wheel
	if _, any := w.wait(time.Hour); any || w.pop(time.Hour) != nil {
		t.Error("an empty wheel holds somebody")
	}
}
