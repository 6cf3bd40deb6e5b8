package batch_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/ropeline/ropeline/internal/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Where each request takes long by itself, a batch has no more than are done in the
// time that it may take, and as many as ever once they are quick again.
func TestABatchIsAsLargeAsIsDoneInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		each := 30 * time.Millisecond
		var mu sync.Mutex
		largest := 0
		g := batch.New(8, 100, time.Minute, func(_ context.Context, in []int) []batch.Result[int] {
			time.Sleep(each * time.Duration(len(in)))
			mu.Lock()
			defer mu.Unlock()
			largest = max(largest, len(in))
			return make([]batch.Result[int], len(in))
		}).Within(100 * time.Millisecond)
		defer g.Close()
		call := func(n int) int {
			largest = 0
			var callers sync.WaitGroup
			for range n {
				callers.Go(func() {
					if _, err := g.Do(t.Context(), 1); err != nil {
						t.Error(err)
					}
				})
			}
			callers.Wait()
			return largest
		}
		call(1)
		if n := call(40); n != 3 {
			t.Errorf("batches of up to %d, want 3 of 30 ms each in 100 ms", n)
		}
		each = time.Second
		call(4)
		if n := call(40); n != 1 {
			t.Errorf("batches of up to %d of a second each, want one by one", n)
		}
		each = time.Microsecond
		call(4)
		if n := call(40); n != 8 {
			t.Errorf("batches of up to %d that are quick again, want 8", n)
		}
	})
}

// gated returns a Func that doubles numbers, refuses negative ones, tells the
// size of each batch and waits for one signal a batch.
func gated(sizes chan<- int, proceed <-chan struct{}) batch.Func[int, int] {
	return func(_ context.Context, in []int) []batch.Result[int] {
		sizes <- len(in)
		<-proceed
		out := make([]batch.Result[int], len(in))
		for i, n := range in {
			if n < 0 {
				out[i].Err = fmt.Errorf("negative %d", n)
				continue
			}
			out[i].Value = 2 * n
		}
		return out
	}
}

func awaitWaiting(t *testing.T, g *batch.Gatherer[int, int], n int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); g.Waiting() < n; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d calls wait, want %d", g.Waiting(), n)
		}
	}
}

func TestCallsThatArriveDuringABatchShareTheNext(t *testing.T) {
	sizes, proceed := make(chan int, 10), make(chan struct{})
	g := batch.New(64, 1000, time.Second, gated(sizes, proceed))
	defer g.Close()

	var callers sync.WaitGroup
	do := func(n int) {
		callers.Go(func() {
			got, err := g.Do(t.Context(), n)
			if n < 0 && (err == nil || err.Error() != fmt.Sprintf("negative %d", n)) {
				t.Errorf("Do(%d) error = %v, want its own", n, err)
			}
			if n >= 0 && (err != nil || got != 2*n) {
				t.Errorf("Do(%d) = %d, %v; want %d", n, got, err, 2*n)
			}
		})
	}
	do(1)
	if n := <-sizes; n != 1 {
		t.Fatalf("a lone call went in a batch of %d", n)
	}
	for n := 2; n <= 9; n++ {
		do(n)
	}
	do(-5) // one bad request of a batch spoils no other
	awaitWaiting(t, g, 9)
	proceed <- struct{}{}
	if n := <-sizes; n != 9 {
		t.Errorf("nine calls that arrived together went in a batch of %d", n)
	}
	proceed <- struct{}{}
	callers.Wait()
}

// With one batch at a time Redis stood idle while answers were read and callers
// woken; a small batch beside another one would cost it more than that saves.
func TestASecondBatchGoesBesideTheFirstWhenItIsHalfFull(t *testing.T) {
	sizes, proceed := make(chan int, 10), make(chan struct{})
	g := batch.New(8, 1000, time.Second, gated(sizes, proceed))
	var callers sync.WaitGroup
	call := func(n int) {
		for range n {
			callers.Go(func() {
				if got, err := g.Do(t.Context(), 3); err != nil || got != 6 {
					t.Errorf("Do(3) = %d, %v", got, err)
				}
			})
		}
	}
	call(1)
	<-sizes // under way
	call(3)
	awaitWaiting(t, g, 3)
	select {
	case n := <-sizes:
		t.Fatalf("a batch of %d went beside another one, less than half full", n)
	default:
	}
	call(1)
	if n := <-sizes; n != 4 {
		t.Fatalf("beside the first went a batch of %d, want the four who waited", n)
	}
	call(20)
	awaitWaiting(t, g, 20)
	select {
	case n := <-sizes:
		t.Fatalf("a third batch of %d is under way", n)
	default:
	}
	close(proceed)
	callers.Wait()
	g.Close()
	close(sizes)
	rest := 0
	for n := range sizes {
		if rest += n; n > 8 {
			t.Errorf("a batch of %d, 8 are allowed", n)
		}
	}
	if rest != 20 {
		t.Errorf("%d of the last twenty were carried out", rest)
	}
}

func TestACanceledCallerCancelsNobodyElse(t *testing.T) {
	sizes, proceed := make(chan int, 10), make(chan struct{})
	g := batch.New(64, 1000, time.Second, gated(sizes, proceed))
	defer g.Close()

	ctx, cancel := context.WithCancel(t.Context())
	canceled := make(chan error)
	go func() { _, err := g.Do(ctx, 1); canceled <- err }()
	<-sizes
	other := make(chan int)
	go func() { n, _ := g.Do(context.Background(), 21); other <- n }()
	cancel()
	if err := <-canceled; !errors.Is(err, context.Canceled) {
		t.Fatalf("canceled caller got %v", err)
	}
	close(proceed)
	if n := <-other; n != 42 {
		t.Errorf("the other caller got %d, want 42", n)
	}
}

func TestAFullBacklogRefusesAndCloseWaits(t *testing.T) {
	sizes, proceed := make(chan int, 10), make(chan struct{})
	g := batch.New(4, 1, time.Second, gated(sizes, proceed))
	results := make(chan error, 2)
	go func() { _, err := g.Do(t.Context(), 1); results <- err }()
	<-sizes // the first is under way, nobody waits
	go func() { _, err := g.Do(t.Context(), 2); results <- err }()
	awaitWaiting(t, g, 1)
	if _, err := g.Do(t.Context(), 3); !errors.Is(err, batch.ErrFull) {
		t.Errorf("a full backlog answered %v, want ErrFull", err)
	}
	close(proceed)
	g.Close()
	for range 2 {
		if err := <-results; err != nil {
			t.Errorf("a call from before Close failed: %v", err)
		}
	}
	if _, err := g.Do(t.Context(), 4); !errors.Is(err, batch.ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
}

// A test that fails in the middle of a batch ends the goroutine that runs it.
func TestABatchThatEndsItsGoroutineEndsItsCallers(t *testing.T) {
	g := batch.New(64, 1000, time.Second, func(_ context.Context, in []int) []batch.Result[int] {
		if in[0] < 0 {
			runtime.Goexit()
		}
		return make([]batch.Result[int], len(in))
	})
	defer g.Close()
	answered, ended := false, make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = g.Do(t.Context(), -1)
		answered = true
	}()
	<-ended
	if answered {
		t.Error("its caller goes on")
	}
	if _, err := g.Do(t.Context(), 1); err != nil {
		t.Errorf("the next batch: %v", err)
	}
}

// Whoever comes alone does not wait. Who comes when several came just before waits
// for more, but not once they are half a batch.
func TestPacedBatchesWaitForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ms = time.Millisecond
		var sizes []int
		g := batch.New(8, 100, time.Second, func(_ context.Context, in []int) []batch.Result[int] {
			sizes = append(sizes, len(in))
			time.Sleep(ms)
			return make([]batch.Result[int], len(in))
		}).Paced(20 * ms)
		defer g.Close()
		began := time.Now()
		var callers sync.WaitGroup
		for _, c := range []struct{ comes, done time.Duration }{
			{0, 1 * ms},                        // alone
			{ms / 2, 2 * ms}, {ms / 2, 2 * ms}, // during that one
			{7 * ms, 22 * ms}, {10 * ms, 22 * ms}, // the last batch began at 1
			{30 * ms, 34 * ms}, {31 * ms, 34 * ms}, {32 * ms, 34 * ms}, {33 * ms, 34 * ms}, // half full before 41
			{35 * ms, 54 * ms},           // the last batch began at 33
			{54*ms + ms/2, 55*ms + ms/2}, // that one was alone
		} {
			callers.Go(func() {
				time.Sleep(c.comes)
				if _, err := g.Do(t.Context(), 1); err != nil || time.Since(began) != c.done {
					t.Errorf("who came at %v: %v at %v, want %v", c.comes, err, time.Since(began), c.done)
				}
			})
		}
		callers.Wait()
		if want := []int{1, 2, 2, 4, 1, 1}; !slices.Equal(sizes, want) {
			t.Errorf("batches of %v, want %v", sizes, want)
		}
	})
}
