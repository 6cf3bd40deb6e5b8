package api

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// What many look at is looked at once, is never shown when it is a second old, and is
// looked at anew beside the answers while somebody asks.
func TestManyLookOnceAndNobodySeesWhatIsASecondOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, seen := newGlances(time.Now), 0
		defer g.Close()
		var broken error
		see := func(context.Context) (sight, error) {
			seen++
			n := seen
			time.Sleep(10 * time.Millisecond)
			if broken != nil {
				return sight{}, broken
			}
			return sightOf(n)
		}
		look := func(want int) {
			t.Helper()
			if s, err := g.look(t.Context(), "hall", see); err != nil || string(s.text) != strconv.Itoa(want) {
				t.Fatalf("saw %s, %v; want %d", s.text, err, want)
			}
		}
		var crowd sync.WaitGroup
		for range 100 {
			crowd.Go(func() { look(1) })
		}
		crowd.Wait()
		time.Sleep(glanceFresh - 11*time.Millisecond) // since the look began: 1 ms less
		look(1)
		synctest.Wait()
		if seen != 1 {
			t.Fatalf("looked %d times at what is fresh", seen)
		}

		time.Sleep(time.Millisecond)
		for range 100 {
			crowd.Go(func() { look(1) }) // none of them waits
		}
		crowd.Wait()
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		look(2)

		time.Sleep(glanceLife - 11*time.Millisecond)
		look(2) // a millisecond younger than that
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		look(3)
		time.Sleep(glanceLife)
		began := time.Now()
		look(4)
		if waited := time.Since(began); waited != 10*time.Millisecond {
			t.Errorf("who finds it too old waits for %s", waited)
		}

		broken = errors.New("no Redis")
		time.Sleep(glanceFresh)
		look(4)
		time.Sleep(20 * time.Millisecond)
		look(4) // and tries again
		synctest.Wait()
		time.Sleep(glanceLife)
		if s, err := g.look(t.Context(), "hall", see); !errors.Is(err, broken) {
			t.Errorf("saw %s, %v long after Redis went away", s.text, err)
		}
		broken = nil
		look(seen + 1)
	})
}

// What nobody looks at any more is not kept, and nothing is looked at after the end.
func TestGlancesForgetAndEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGlances(time.Now)
		slow, ended := time.Duration(0), 0
		see := func(ctx context.Context) (sight, error) {
			time.Sleep(slow)
			ended++
			return sightOf("free", []byte("mark"))
		}
		look := func(key string) {
			t.Helper()
			if s, err := g.look(t.Context(), key, see); err != nil || len(s.etag) != 26 {
				t.Fatalf("saw %s, %v", s.etag, err)
			}
		}
		for n := range 50 {
			look(strconv.Itoa(n))
		}
		time.Sleep(glanceLife)
		look("last")
		if len(g.kept) != 1 {
			t.Errorf("%d are kept", len(g.kept))
		}
		slow = time.Minute
		time.Sleep(glanceFresh)
		look("last")
		g.Close()
		if ended != 52 {
			t.Error("a look was left behind")
		}
		slow = 0
		look("last") // too old
		time.Sleep(glanceFresh)
		look("last")
		synctest.Wait()
		if ended != 53 {
			t.Errorf("looked %d times", ended)
		}
	})
}
