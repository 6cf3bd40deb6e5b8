package gate

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Of requests at once no more pass than may, in a window that the first of them opens.
// A time that was read before the lock was taken for a clock set back, when another
// with a later one was faster, and the count began anew: in some of these rounds.
func TestRequestsAtOnceShareOneWindow(t *testing.T) {
	t.Parallel()
	began := time.Now()
	for range 2_000 {
		var ticks, passed atomic.Int64
		r := newRates(1, func() time.Time {
			n := ticks.Add(1)
			for range 3 - n { // the first one dawdles
				runtime.Gosched()
			}
			return began.Add(time.Duration(n))
		})
		var browsers sync.WaitGroup
		for range 3 {
			browsers.Go(func() {
				if r.take("shared") == nil {
					passed.Add(1)
				}
			})
		}
		browsers.Wait()
		if passed.Load() != 1 {
			t.Fatalf("%d passed, want 1", passed.Load())
		}
	}
}
