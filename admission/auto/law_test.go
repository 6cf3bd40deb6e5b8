package auto

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// shape is what happens to a shop, and where in it what is measured.
type shape struct {
	shop     func(*shop)
	slowness func(at float64) float64
	fails    func(at float64) float64
	down     func(at float64) bool
	most     float64 // share of what it bears as usual that the SRE's bound allows; 0: there is none
	began    float64 // when it could be well again at the earliest; 0: at once, at 60
	changed  float64 // when the shop changes for the last time
	settled  float64 // seconds after that until throughput and swing are measured,
	measured float64 // for so long
}

// What is promised, and when it begins.
const (
	disturbed = 60.0
	within    = 15.0
	atLeast   = 0.9
	about     = 0.2
)

// shapes are the ways in which shops get into trouble, and out of it.
var shapes = map[string]shape{
	"1.5 times slower":            {slowness: from(60, 1.5), changed: 60, settled: 60, measured: 140},
	"2 times slower":              {slowness: from(60, 2), changed: 60, settled: 60, measured: 140},
	"slow for a minute":           {slowness: between(60, 120, 2), changed: 120, settled: 90, measured: 120},
	"5 times slower for a minute": {shop: nimble, slowness: between(60, 120, 5), most: 0.5, changed: 120, settled: 90, measured: 120},
	"slower and slower":           {slowness: func(at float64) float64 { return 1 + min(1, max(0, (at-60)/60)) }, began: 120, changed: 120, settled: 60, measured: 140},
	"errors for a while":          {fails: between(60, 80, 0.3), changed: 80, settled: 90, measured: 120},
	"the core restarts":           {down: func(at float64) bool { return at >= 60 && at < 70 }, began: 70, changed: 70, settled: 60, measured: 120},
	"quick at last": {slowness: func(at float64) float64 {
		if at < 60 {
			return 2
		}
		return 1
	}, changed: 60, settled: 80, measured: 120},
	"one row for all orders": {shop: row, slowness: from(60, 7.5), most: 600.0 / 3158, changed: 60, settled: 20, measured: 180},
	"one row, locked at last": {shop: row, slowness: func(at float64) float64 {
		switch {
		case at < 60:
			return 1
		case at < 118:
			return 7.5
		case at < 120:
			return 100
		}
		return min(2, 1+(at-120)/20) // and quick again, but not as quick as it seemed
	}, most: 600.0 / 3158, changed: 120, settled: 40, measured: 100},
	"nimble, slower":           {shop: nimble, slowness: from(60, 1.5), changed: 60, settled: 60, measured: 140},
	"one row, a full pool":     {shop: pool, slowness: from(60, 7.5), most: 600.0 / 3158, changed: 60, settled: 20, measured: 180},
	"one row, in groups":       {shop: groups, slowness: from(60, 7.5), most: 600.0 / 3158, changed: 60, settled: 20, measured: 180},
	"few servers":              {shop: small, slowness: from(60, 2), changed: 60, settled: 60, measured: 140},
	"few servers for a minute": {shop: small, slowness: between(60, 120, 2), changed: 120, settled: 90, measured: 120},
}

func from(when, slowness float64) func(float64) float64 {
	return between(when, math.Inf(1), slowness)
}

func between(from, to, value float64) func(float64) float64 {
	return func(at float64) float64 {
		switch {
		case at >= from && at < to:
			return value
		case value >= 1:
			return 1
		}
		return 0
	}
}

// nimble is a shop of short requests, of which few make a session.
func nimble(s *shop) { s.servers, s.service, s.asks = 8, 0.015, 4 }

// row is a shop in which each order needs the same row: few orders a second, one of
// each person, soon after the offer.
func row(s *shop) {
	s.servers, s.service, s.asks, s.claims, s.target, s.spread = 1, 0.02, 1, 1.2, 1, 0.1
}

// pool is such a shop with few connections, which are held by who waits for the row,
// and of whose requests three of ten do not need it.
func pool(s *shop) {
	row(s)
	s.servers, s.asks, s.rowless, s.quickly = 10, 1.43, 0.3, 0.01
}

// groups is such a shop, with connections enough, that writes orders together.
func groups(s *shop) {
	pool(s)
	s.servers, s.together = 64, true
}

// small is a shop with few connections.
func small(s *shop) { s.servers = 6 }

func (h shape) open(seed uint64) *shop {
	s := newShop(seed)
	if h.shop != nil {
		h.shop(s)
	}
	if h.slowness != nil {
		s.slowness = h.slowness
	}
	if h.fails != nil {
		s.fails = h.fails
	}
	if h.down != nil {
		s.down = h.down
	}
	s.rate = min(0.85*s.bearable(s.slowness(0)), h.bound(s))
	return s
}

func (h shape) bound(s *shop) float64 {
	if h.most > 0 {
		return h.most * s.bearable(1)
	}
	return 10_000
}

// best searches for the fixed rate that serves most while no more requests are slow
// than may be, once the shop does not change any more, and returns what it serves,
// in sessions a second. It must hold whatever the noise: in all runs
// together.
func (h shape) best() float64 {
	const runs, warm, long = 2, 40, 100
	slowness := 1.0
	if h.slowness != nil {
		slowness = h.slowness(1e6)
	}
	for part := 0.98; part > 0.5; part -= 0.02 {
		var sum second
		for seed := range uint64(runs) {
			s := newShop(seed)
			if h.shop != nil {
				h.shop(s)
			}
			s.slowness = func(float64) float64 { return slowness }
			s.rate = min(part*s.bearable(slowness), h.bound(s))
			s.run(warm+long, nil)
			t := total(s.seconds, warm, warm+long)
			sum.slow, sum.requests, sum.served = sum.slow+t.slow, sum.requests+t.requests, sum.served+t.served
		}
		if sum.slow <= fallback.Slow*sum.requests {
			return sum.served / runs / long
		}
	}
	return 0
}

// outcome is what the three promises are of.
type outcome struct{ back, share, swing float64 }

func (o outcome) kept() bool { return o.back <= within && o.share >= atLeast && o.swing <= about }

func (h shape) try(seed uint64, best float64) outcome {
	s := h.open(seed)
	begin := h.changed + h.settled
	s.run(begin+h.measured, s.byLaw(&Law{}, Bounds{0, h.bound(s)}, nil))
	return outcome{overTarget(s.seconds, max(disturbed, h.began)), total(s.seconds, begin, begin+h.measured).served / h.measured / best, swing(s.seconds, int(begin), int(begin+h.measured))}
}

// overTarget is the longest time after some moment in which latency is over the
// target without a break: of the requests of the five seconds that begin more are
// slow than may be.
func overTarget(seconds []second, from float64) (longest float64) {
	const ahead = 5
	end, began := seconds[len(seconds)-1].at, math.NaN()
	for at := from; at+ahead <= end; at++ {
		over := slowShare(seconds, at, at+ahead) > fallback.Slow
		switch {
		case !over:
			began = math.NaN()
		case math.IsNaN(began) && at == from:
			began = at
		case math.IsNaN(began):
			began = at + ahead - 1 // the second that has just come in is
		}
		if over {
			longest = max(longest, at+1-began)
		}
	}
	return longest
}

// swing is how far the rate goes from its mean between two times, over any ten
// seconds: what comes in is felt over the length of a session.
func swing(seconds []second, from, to int) (most float64) {
	mean := func(part []second) (sum float64) {
		for _, s := range part {
			sum += s.rate / float64(len(part))
		}
		return sum
	}
	const session = 10
	all := mean(seconds[from:to])
	for at := from; at+session <= to; at++ {
		most = max(most, math.Abs(mean(seconds[at:at+session])/all-1))
	}
	return most
}

// seeds is how many runs of each shape the test does. More are a setting away:
// AUTO_SEEDS=1000 go test -run EveryShape -v ./admission/auto.
func seeds(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("AUTO_SEEDS")
	if text == "" {
		return usualSeeds
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// firstSeed is of those that nothing was tuned with; usualSeeds is how many of them
// are tried of each shape.
const firstSeed, usualSeeds = 20_001, 3

// missing are the runs of the test that do not keep what is promised, of so many of
// each shape. They are what is left to do: no other may miss, and one that keeps it
// is to be struck off. With more seeds about one in nine misses (docs/sre.md says of how
// many, and by how much).
var missing = map[string][]uint64{
	"few servers":              {20_001, 20_003}, // 20 s over the target; 85 and 88 % of the best fixed rate
	"few servers for a minute": {20_001, 20_003}, // 20 s over the target; 89 %
	"one row, a full pool":     {20_003},         // the rate goes 34 % from its mean
	"one row, in groups":       {20_002, 20_003}, // the rate goes 45 % from its mean; 89 %
	"the core restarts":        {20_001},         // the rate goes 24 % from its mean
}

// Whatever happens to a shop, latency is back under the target in 15 s and never
// over it for longer, nine tenths of what the best fixed rate serves is served, and
// the rate keeps within a fifth of its mean.
func TestTheLawMeetsEveryShape(t *testing.T) {
	t.Parallel()
	for name, h := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			best, misses := h.best(), 0
			worst := outcome{share: math.Inf(1)}
			for seed := range seeds(t) {
				o := h.try(firstSeed+seed, best)
				worst = outcome{max(worst.back, o.back), min(worst.share, o.share), max(worst.swing, o.swing)}
				said := t.Logf
				if seed < usualSeeds && o.kept() == slices.Contains(missing[name], firstSeed+seed) {
					said = t.Errorf
				}
				if !o.kept() {
					misses++
				}
				said("seed %d: over the target for %.0f s, %.0f %% of the best fixed rate, rate about ±%.0f %%: kept %v", firstSeed+seed, o.back, 100*o.share, 100*o.swing, o.kept())
			}
			t.Logf("%d of %d missed; at worst over the target for %.0f s, %.0f %% of the best fixed rate, rate about ±%.0f %%", misses, seeds(t), worst.back, 100*worst.share, 100*worst.swing)
			if worst.back > 4*within || worst.share < 0.7 || worst.swing > 0.5 {
				t.Errorf("at worst over the target for %.0f s, %.0f %% of the best fixed rate, rate about ±%.0f %%", worst.back, 100*worst.share, 100*worst.swing)
			}
		})
	}
}

// Whoever leads next goes on with what was learned as if nothing had happened.
func TestALawIsHandedOver(t *testing.T) {
	t.Parallel()
	for name, h := range shapes {
		one, other := h.open(firstSeed), h.open(firstSeed)
		l := &Law{}
		handOver := func(*Reading) {
			text, err := json.Marshal(l)
			if err == nil {
				*l = Law{}
				err = json.Unmarshal(text, l)
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(text) > 4096 {
				t.Fatalf("%s: the law takes %d bytes", name, len(text))
			}
		}
		one.run(150, one.byLaw(&Law{}, Bounds{0, h.bound(one)}, nil))
		other.run(150, other.byLaw(l, Bounds{0, h.bound(other)}, handOver))
		if !slices.Equal(one.seconds, other.seconds) {
			t.Errorf("%s: a law that is handed over each second steers in another way", name)
		}
	}
}

// What is learned while nobody comes says nothing of a crowd, and probes that lie now
// and then do not stop a sale.
func TestIdleTimesAndLies(t *testing.T) {
	t.Parallel()
	usual := shape{}.best()
	for name, run := range map[string]func(*shop) error{
		"nobody comes, then a crowd": func(s *shop) error {
			s.demand = func(at float64) float64 {
				if at < 120 {
					return 0.2
				}
				return math.Inf(1)
			}
			start := s.rate
			s.run(300, s.byLaw(&Law{}, Bounds{0, 10_000}, nil))
			idle := s.seconds[118].rate / start
			return want("rate after two idle minutes", idle, 0.99, 1.6, "slow share of the crowd", slowShare(s.seconds, 150, 300), 0, 0.12)
		},
		"probes that lie": func(s *shop) error {
			disturb := func(r *Reading) {
				switch n := s.rng.Float64(); {
				case n < 0.05:
					r.Known = false
				case n < 0.1:
					r.Probes = 1.2 + s.rng.Float64()
					r.Probe = "noise"
				}
			}
			s.run(300, s.byLaw(&Law{}, Bounds{0, 10_000}, disturb))
			return want("slow share", slowShare(s.seconds, 60, 300), 0, 0.1, "served", total(s.seconds, 60, 300).served/240/usual, 0.3, 1.1)
		},
	} {
		s := shape{}.open(1)
		if err := run(s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Of a shop whose orders are slow it does not help that its pages are quick.
func TestAKindThatIsWorseCounts(t *testing.T) {
	t.Parallel()
	all := Kind{Requests: 100, Slow: 4, Failed: 1}
	for kind, want := range map[Kind]Kind{
		{}:                                  all,
		{Requests: 10}:                      all,
		{Requests: 10, Slow: 5}:             {Requests: 100, Slow: 50, Failed: 1},
		{Requests: 10, Slow: 5, Failed: 10}: {Requests: 100, Slow: 50, Failed: 100},
		{Requests: 1, Slow: 1}:              {Requests: 100, Slow: 20, Failed: 1}, // one says little
	} {
		if got := all.AsBad(kind); got != want {
			t.Errorf("with %+v: %+v, want %+v", kind, got, want)
		}
	}
}

// want checks values against what they may be: name, value, least, most.
func want(of ...any) error {
	for i := 0; i < len(of); i += 4 {
		value, least, most := of[i+1].(float64), number(of[i+2]), number(of[i+3])
		if !(value >= least && value <= most) {
			return fmt.Errorf("%s is %.3f, want %v to %v", of[i], value, least, most)
		}
	}
	return nil
}

func number(x any) float64 {
	if n, ok := x.(int); ok {
		return float64(n)
	}
	return x.(float64)
}

// Whatever is measured, the bounds hold, a rate is a number, and who sees nothing
// raises nothing.
func TestNoReadingPassesTheBounds(t *testing.T) {
	t.Parallel()
	odd := rapid.OneOf(rapid.Float64Range(0, 300), rapid.Float64(), rapid.SampledFrom([]float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64}))
	kind := func(t *rapid.T, of string) Kind {
		return Kind{odd.Draw(t, of+"requests"), odd.Draw(t, of+"slow"), odd.Draw(t, of+"failed"), odd.Draw(t, of+"spent"), odd.Draw(t, of+"under way")}
	}
	rapid.Check(t, func(t *rapid.T) {
		b := Bounds{float64(rapid.Int64Range(0, 100).Draw(t, "least")), float64(rapid.Int64Range(100, 100_000).Draw(t, "most"))}
		s := fallback
		s.InFlight = rapid.SampledFrom([]int64{0, 5, 1000}).Draw(t, "in flight")
		l, rate := Law{}, odd.Draw(t, "rate")
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			r := Reading{Took: time.Duration(rapid.Int64Range(-3_600_000, 3_600_000).Draw(t, "ms")) * time.Millisecond, Known: rapid.Bool().Draw(t, "known"),
				Kind: kind(t, "all "), Orders: kind(t, "orders "),
				Offered: odd.Draw(t, "offered"), Probes: odd.Draw(t, "probes")}
			before := b.hold(rate)
			next, why := l.Step(s, b, rate, r)
			if !(next >= b.Least && next <= b.Most) {
				t.Fatalf("%v, %q: out of %v after %+v", next, why, b, r)
			}
			if !r.Known && next > max(before, lowest) {
				t.Fatalf("raised from %v to %v by what nobody knows", before, next)
			}
			if next != max(before, min(lowest, b.Most)) && why == "" {
				t.Fatalf("moved from %v to %v without a reason", before, next)
			}
			rate = next
		}
	})
}

func TestSettingsAreReadOrRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Settings{
		"": fallback, "null": fallback, "{}": fallback,
		`{"on":true}`: {On: true, TargetMS: 300, Slow: 0.05, Errors: 0.02},
		`{"on":true,"target_ms":500,"slow":0.1,"errors":0.5,"in_flight":40}`: {true, 500, 0.1, 0.5, 40},
	} {
		if got, err := Parse([]byte(text)); err != nil || got != want {
			t.Errorf("%s is %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"{", "[]", "7", `{"on":1}`, `{"target":5}`, `{"target_ms":0}`, `{"target_ms":-5}`, `{"slow":0}`, `{"slow":-0.1}`,
		`{"slow":0.9}`, `{"errors":2}`, `{"in_flight":-1}`, `{} {}`, `{"target_ms":1e300}`} {
		if got, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s is read as %+v", text, got)
		}
	}
}
