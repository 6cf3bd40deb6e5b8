package token

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

// key makes the n-th key pair of a test.
func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(slices.Repeat([]byte{n}, ed25519.SeedSize))
}

func public(n byte) ed25519.PublicKey { return key(n).Public().(ed25519.PublicKey) }

func signed(t testing.TB, n byte, session string, exp time.Time) string {
	t.Helper()
	tok := jwt.NewWithClaims(jwt.SigningMethodEdDSA, JWT{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: Issuer, Subject: "p", Audience: jwt.ClaimStrings{"demo"},
			IssuedAt: jwt.NewNumericDate(noon), ExpiresAt: jwt.NewNumericDate(exp)},
		Session: session, SessionEnds: jwt.NewNumericDate(noon.Add(time.Hour)),
	})
	tok.Header["kid"] = fmt.Sprint("k", n)
	raw, err := tok.SignedString(key(n))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// ring are keys that come and go.
type ring struct {
	mu   sync.RWMutex
	keys KeySet
	away bool
}

func (r *ring) Key(id string) (ed25519.PublicKey, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.away {
		return nil, ErrKeysAway
	}
	return r.keys.Key(id)
}

func (r *ring) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// Whatever becomes of clock and keys, a Cache answers what the Verifier behind
// it would, and remembers no more than it may.
func TestACacheAnswersWhatTheVerifierWould(t *testing.T) {
	t.Parallel()
	type sample struct {
		raw string
		key byte // that signed it; 0: it is no token of ours
		exp time.Time
	}
	samples := []sample{{raw: "x"}}
	for n := byte(1); n <= 3; n++ {
		for i := range 4 {
			exp := noon.Add(time.Duration(i) * 10 * time.Second)
			samples = append(samples, sample{signed(t, n, fmt.Sprint("s", n, i), exp), n, exp})
		}
	}
	samples = append(samples, sample{raw: samples[1].raw + "\n"}, sample{raw: samples[1].raw[:len(samples[1].raw)-2] + "AA"})
	rapid.Check(t, func(t *rapid.T) {
		now := noon
		keys := &ring{keys: KeySet{"k1": public(1), "k2": public(2)}}
		size := rapid.SampledFrom([]int{1, 4, 64, 0}).Draw(t, "size")
		cache := NewCache(NewVerifier(keys, func() time.Time { return now }), size)
		want := func(s sample) error { // what the Verifier's own tests say
			switch {
			case s.key == 0 || keys.keys[fmt.Sprint("k", s.key)] == nil && !keys.away:
				return ErrInvalid
			case keys.away:
				return ErrKeysAway
			case !keys.keys[fmt.Sprint("k", s.key)].Equal(public(s.key)):
				return ErrInvalid
			case !now.Before(s.exp.Add(ropeline.TokenLeeway)):
				return ErrExpired
			}
			return nil
		}
		t.Repeat(map[string]func(*rapid.T){
			"ask": func(t *rapid.T) {
				s := rapid.SampledFrom(samples).Draw(t, "token")
				got, err := cache.Verify(s.raw)
				if expected := want(s); expected == nil && (err != nil || !got.Expires.Equal(s.exp)) || expected != nil && (got != nil || !sameOrForged(err, expected, s.key)) {
					t.Fatalf("the cache says %+v, %v; want %v", got, err, expected)
				}
			},
			"time goes": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(-10_000, 20_000).Draw(t, "ms")) * time.Millisecond)
			},
			"a key comes, goes or is another": func(t *rapid.T) {
				n := rapid.SampledFrom([]byte{1, 2, 3}).Draw(t, "key")
				keys.change(func() {
					if id := fmt.Sprint("k", n); keys.keys[id] == nil {
						keys.keys[id] = public(rapid.SampledFrom([]byte{n, n, 9}).Draw(t, "signer"))
					} else {
						delete(keys.keys, id)
					}
				})
			},
			"keys are away or back": func(*rapid.T) { keys.change(func() { keys.away = !keys.away }) },
			"": func(t *rapid.T) {
				if n, most := cache.len(), 2*cache.most; n > most {
					t.Fatalf("%d tokens are remembered, %d may be", n, most)
				}
			},
		})
	})
}

// sameOrForged: of a text that is no token of ours nothing is promised but that
// it opens nothing.
func sameOrForged(err, want error, key byte) bool {
	return errors.Is(err, want) || key == 0 && err != nil
}

// A flood of other tokens pushes out what nobody asks for, and nothing that is
// in use.
func TestACacheKeepsWhatIsInUse(t *testing.T) {
	t.Parallel()
	cache := NewCache(NewVerifier(KeySet{"k1": public(1)}, func() time.Time { return noon }), 64)
	used := signed(t, 1, "used", noon.Add(time.Minute))
	ask := func(raw string) {
		t.Helper()
		if _, err := cache.Verify(raw); err != nil {
			t.Fatal(err)
		}
	}
	ask(used)
	for i := range 400 {
		ask(signed(t, 1, fmt.Sprint(i), noon.Add(time.Minute)))
		if !cache.knows(used) {
			t.Fatalf("the token in use is forgotten after %d others", i+1)
		}
		ask(used)
	}
	if n := cache.len(); n > 64 {
		t.Errorf("%d tokens are remembered, want at most %d", n, 64)
	}
}

// Many ask at once while generations come and go: each gets the claims of its own
// token, and what two have verified at once is remembered once.
func TestManyAskACacheAtOnce(t *testing.T) {
	t.Parallel()
	cache := NewCache(NewVerifier(KeySet{"k1": public(1)}, func() time.Time { return noon }), 8)
	var raws, sessions []string
	for i := range 24 {
		sessions = append(sessions, fmt.Sprint("s", i))
		raws = append(raws, signed(t, 1, sessions[i], noon.Add(time.Minute)))
	}
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for i := range 200 {
				n := i % len(raws)
				if c, err := cache.Verify(raws[n]); err != nil || c.Session != sessions[n] {
					t.Errorf("%+v, %v for the token of %s", c, err, sessions[n])
				}
			}
		})
	}
	asking.Wait()
	if n := cache.len(); n > 8 {
		t.Errorf("%d tokens are remembered, want at most 8", n)
	}
	last := raws[199%len(raws)]
	again := *cache.young.Load().find(last, maphash.String(cache.seed, last))
	held := cache.young.Load().held
	if cache.keep(again); cache.young.Load().held != held {
		t.Error("a token is remembered twice")
	}
}

// Fiber and fasthttp write the next request over the strings of the last: what is
// remembered must not change with them, when it moves to the young ones either.
func TestACacheKeepsNothingOfItsCallers(t *testing.T) {
	t.Parallel()
	cache := NewCache(NewVerifier(KeySet{"k1": public(1)}, func() time.Time { return noon }), 8)
	used := signed(t, 1, "used", noon.Add(time.Minute))
	memory := make([]byte, len(used))
	for i := range 100 {
		if copy(memory, used); i > 0 && !cache.knows(used) {
			t.Fatalf("the token is forgotten after %d others", i)
		}
		if _, err := cache.Verify(unsafe.String(&memory[0], len(memory))); err != nil {
			t.Fatal(err)
		}
		copy(memory, signed(t, 1, fmt.Sprint("x", i), noon.Add(time.Minute)))
		if _, err := cache.Verify(string(memory)); err != nil && !errors.Is(err, ErrInvalid) { // it may be cut
			t.Fatal(err)
		}
	}
	for _, g := range []*generation{cache.young.Load(), cache.old.Load()} {
		for raw := range g.texts() {
			if unsafe.StringData(raw) == &memory[0] {
				t.Error("a text in the cache is in its caller's memory")
			}
		}
	}
}

// knows looks without leaving a trace.
func (c *Cache) knows(raw string) bool {
	hash := maphash.String(c.seed, raw)
	return c.young.Load().find(raw, hash) != nil || c.old.Load().find(raw, hash) != nil
}

// texts are what a generation holds.
func (g *generation) texts() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range g.chains {
			for l := g.chains[i].Load(); l != nil; l = l.next {
				if !yield(l.raw) {
					return
				}
			}
		}
	}
}

// len counts those that were moved twice.
func (c *Cache) len() (n int) {
	for _, g := range []*generation{c.young.Load(), c.old.Load()} {
		for range g.texts() {
			n++
		}
	}
	return n
}

// From the moment in which a key is taken away no request passes with a token of
// it, however many are under way.
func TestATokenIsForgottenWithItsKey(t *testing.T) {
	t.Parallel()
	keys := &ring{keys: KeySet{"k1": public(1)}}
	cache := NewCache(NewVerifier(keys, func() time.Time { return noon }), 0)
	raw := signed(t, 1, "s", noon.Add(time.Minute))
	var gone atomic.Bool
	var asking sync.WaitGroup
	var passed, refused atomic.Int64
	many := make(chan struct{}) // closed when many have passed
	for range 4 {
		asking.Go(func() {
			for refused.Load() < 1000 {
				before := gone.Load()
				_, err := cache.Verify(raw)
				switch {
				case err == nil && before:
					t.Error("a token passed after its key was taken away")
					return
				case err == nil:
					if passed.Add(1) == 1000 {
						close(many)
					}
				case errors.Is(err, ErrInvalid):
					refused.Add(1)
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	select {
	case <-many:
	case <-time.After(20 * time.Second):
		t.Error("1,000 tokens do not pass")
	}
	keys.change(func() { delete(keys.keys, "k1") })
	gone.Store(true)
	asking.Wait()
}

func BenchmarkVerify(b *testing.B) {
	raw := signed(b, 1, "s", noon.Add(time.Minute))
	v := NewVerifier(KeySet{"k1": public(1)}, func() time.Time { return noon.Add(ropeline.TokenLeeway) })
	cache := NewCache(v, 0)
	for name, verify := range map[string]func(string) (*Claims, error){"signature": v.Verify, "cached": cache.Verify} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := verify(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
