package loadtest

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// stand serves handler and returns a client of fan 7 and its meter.
func stand(t *testing.T, handler http.HandlerFunc) (*client, *meter) {
	t.Helper()
	server := httptest.NewServer(handler)
	m := newMeter()
	c := newClient(source(7), newTarget(Address{Edge: server.URL}), &clock{start: time.Now()}, m)
	t.Cleanup(func() { c.rest(); server.Close() })
	return c, m
}

func TestEveryFanHasAnAddressOfItsOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for _, n := range []int{addressLooker, addressIntruder, addressIntruder + 1} {
		seen[source(n).String()] = n
	}
	for n := range 100_000 {
		ip := source(n)
		if !ip.IsLoopback() {
			t.Fatalf("fan %d has address %v", n, ip)
		}
		if other, twice := seen[ip.String()]; twice {
			t.Fatalf("fans %d and %d share %v", n, other, ip)
		}
		seen[ip.String()] = n
	}
	var from atomic.Value
	c, _ := stand(t, func(_ http.ResponseWriter, r *http.Request) { from.Store(r.RemoteAddr) })
	c.do(t.Context(), request{method: http.MethodGet, path: "/"})
	if got, want := from.Load().(string), source(7).String()+":"; got[:len(want)] != want {
		t.Errorf("the request came from %s, want %s", got, want)
	}
}

func TestRetryAfterIsRespected(t *testing.T) {
	t.Parallel()
	var times []time.Time
	c, m := stand(t, func(w http.ResponseWriter, _ *http.Request) {
		times = append(times, time.Now())
		if len(times) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	a := c.insist(t.Context(), rand.New(rand.NewPCG(1, 1)), 3, request{method: http.MethodGet, path: "/api/v1/holds/1234"})
	if !a.ok() || len(times) != 2 {
		t.Fatalf("status %d after %d requests", a.Status, len(times))
	}
	if waited := times[1].Sub(times[0]); waited < time.Second {
		t.Errorf("asked again after %v, was told a second", waited)
	}
	if m.statuses["GET /api/v1/holds/{id} 429"] != 1 || m.faults.Answers != 2 {
		t.Errorf("counted %v", m.statuses)
	}
}

// A request that is repeated may have been done the first time.
func TestALostTryIsRemembered(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	c, _ := stand(t, func(w http.ResponseWriter, _ *http.Request) {
		switch asked.Add(1) {
		case 1:
			w.WriteHeader(http.StatusTooManyRequests) // surely not done
		case 2:
			panic(http.ErrAbortHandler)
		}
	})
	a := c.insist(t.Context(), rand.New(rand.NewPCG(1, 1)), 4, request{method: http.MethodPost, path: "/"})
	if !a.ok() || a.Lost == 0 || a.Lost >= a.Sent {
		t.Errorf("answer %+v: want the second try as lost", a)
	}
	if a := c.insist(t.Context(), rand.New(rand.NewPCG(1, 1)), 4, request{method: http.MethodPost, path: "/"}); a.Lost != 0 {
		t.Errorf("answer %+v: nothing was lost", a)
	}
}

func TestALostAnswerIsNoAnswer(t *testing.T) {
	t.Parallel()
	c, m := stand(t, func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	a := c.do(t.Context(), request{method: http.MethodPost, path: "/", body: struct{}{}})
	if a.Status != 0 || a.Answered != 0 || a.Sent == 0 || !a.unavailable() {
		t.Errorf("answer %+v", a)
	}
	if m.faults.Answers != 0 {
		t.Errorf("%d answers counted", m.faults.Answers)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a := c.insist(ctx, rand.New(rand.NewPCG(1, 1)), tries, request{method: http.MethodGet, path: "/"}); a.Status != 0 {
		t.Errorf("an answer without a context: %+v", a)
	}
}

func TestProblemsAndInternalErrorsAreNoted(t *testing.T) {
	t.Parallel()
	c, m := stand(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(`{"type":"urn:ropeline:problem:internal","title":"Internal Server Error","status":500}`))
	})
	if a := c.do(t.Context(), request{method: http.MethodGet, path: "/x"}); a.Code != "internal" || a.Status != 500 {
		t.Errorf("answer %+v", a)
	}
	if m.faults.Internal != 1 || len(m.faults.Examples) != 1 {
		t.Errorf("faults %+v", m.faults)
	}
}

func TestAShownPositionIsKeptOnce(t *testing.T) {
	t.Parallel()
	var h History
	for range 3 {
		h.show(Shown{At: 1, Position: 5, Served: 2, Epoch: "e"})
	}
	h.show(Shown{At: 2, Position: 4, Served: 3, Epoch: "e"})
	if len(h.Shown) != 2 {
		t.Errorf("kept %v", h.Shown)
	}
	for i := range 2 * maxShown {
		h.show(Shown{Position: int64(i)})
	}
	if len(h.Shown) != maxShown || h.Skipped == 0 {
		t.Errorf("kept %d, skipped %d", len(h.Shown), h.Skipped)
	}
}

func TestAvailabilityBitsAreUnits(t *testing.T) {
	t.Parallel()
	shelf, err := availability{Taken: "oIA=", Sold: "gAA="}.shelf(9) // 1010 0000 1, 1000 0000 0
	if err != nil {
		t.Fatal(err)
	}
	want := []bool{true, false, true, false, false, false, false, false, true}
	for i, taken := range want {
		if shelf.Taken[i] != taken || shelf.Sold[i] != (i == 0) {
			t.Errorf("unit %d: taken %v, sold %v", i, shelf.Taken[i], shelf.Sold[i])
		}
	}
	due := slices.Repeat([]Moment{sec(5)}, 9)
	if shelf.At = sec(5); shelf.settled(due) {
		t.Error("a held unit is settled")
	}
	due[2], due[8] = sec(4), sec(4)
	if !shelf.settled(due) {
		t.Error("units that are overdue are waited for")
	}
	for _, bad := range []string{"!", "AAAAAA=="} {
		if _, err := (availability{Taken: bad}).shelf(9); err == nil {
			t.Errorf("%q was read as nine units", bad)
		}
	}
	plan := &seating{Rows: []row{{First: 0, Count: 4}, {First: 4, Count: 4}}}
	if got := plan.neighbors(rand.New(rand.NewPCG(1, 1)), shelf.Taken, 3); len(got) != 3 || got[0] < 4 {
		t.Errorf("neighbors %v, want three of the second row", got)
	}
}

func TestTheSameSeedMakesTheSameFans(t *testing.T) {
	t.Parallel()
	kinds := map[Errand]int{}
	for n := range uint64(200) {
		a := rough.persona(rand.New(rand.NewPCG(42, n)), hand{42, int(n)})
		if b := rough.persona(rand.New(rand.NewPCG(42, n)), hand{42, int(n)}); a != b {
			t.Fatalf("fan %d is %+v and %+v", n, a, b)
		}
		kinds[a.Errand]++
	}
	for _, errand := range []Errand{Buy, BuyTwice, BuySlow, Browse, Drop, Give} {
		if kinds[errand] == 0 {
			t.Errorf("nobody of 200 comes to %s", errand)
		}
	}
}

func FuzzReadToken(f *testing.F) {
	f.Add("eyJhbGciOiJFZERTQSJ9.e30.AA")
	f.Add("a.eyJzaWQiOiJzIiwiZXhwIjoxfQ.b")
	f.Fuzz(func(t *testing.T, token string) {
		if c, err := readToken(token); err == nil && (c.Session == "" || c.Expires == 0) {
			t.Errorf("%q was read as %+v", token, c)
		}
	})
}

// A promise that nobody meets is not judged, and fails the run: so a run of a
// hundred fans has some of everybody, whatever its seed.
func TestEveryHundredFansHaveExactShares(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		for name, m := range map[string]Mix{"rough": rough, "strollers": strollers, "flaky": flaky} {
			var pollers, misses, leavers, hasty, browsers int
			for n := 300; n < 400; n++ {
				p := m.persona(rand.New(rand.NewPCG(seed, uint64(n))), hand{seed, n})
				count := func(in bool, total *int) {
					if in {
						*total++
					}
				}
				count(p.Poller, &pollers)
				count(p.NoShow, &misses)
				count(p.Leaves > 0, &leavers)
				count(p.Leaves > 0 && p.Leaves <= 2*time.Second, &hasty)
				count(p.Errand == Browse, &browsers)
			}
			if got, want := [...]int{pollers, misses, leavers, browsers}, [...]int{m.Pollers, m.NoShows, m.Leavers, m.Browsers}; got != want {
				t.Errorf("%s, seed %d: pollers, no-shows, leavers, browsers are %d, want %d", name, seed, got, want)
			}
			if hasty < m.hasty() || m.hasty() == 0 {
				t.Errorf("%s, seed %d: %d leave at once, want %d at least", name, seed, hasty, m.hasty())
			}
		}
	}
}
