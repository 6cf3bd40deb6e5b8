package token

import (
	"bytes"
	"hash/maphash"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ropeline/ropeline"
)

// CacheSize is how many tokens a Cache remembers unless it is told otherwise:
// those of as many people shopping at once, in about 25 MB.
const CacheSize = 32_768

// Cache is a Verifier that remembers which tokens it has verified: the check
// of a signature takes 50 to 75 µs, finding a token that was checked 0.2 µs. It
// answers what the Verifier would, at every moment: a token is forgotten with
// the key that signed it, and its times are looked at each time.
//
// Only good tokens are remembered, so nobody without one of our signatures can
// push others out. Of those that nobody brought for longest some are forgotten when
// there are too many. They are found by their whole text: its SHA-256 would take twice
// as long as all the rest. Whether a session ended early is not the Cache's to know:
// package gate asks that on each request.
type Cache struct {
	verifier *Verifier
	most     int // of one generation
	seed     maphash.Seed

	// When the young generation is full the old one is dropped and the young one takes
	// its place; whoever is asked for in the old one is put into the young one, too. So
	// what is dropped was not asked for while as many others were.
	young, old atomic.Pointer[generation]
	mu         sync.Mutex // who adds has it
}

// generation is a hash table that tokens are only added to. So who looks takes no lock: all
// requests of a page bring one token, and would wait for each other.
type generation struct {
	chains []atomic.Pointer[remembered] // a power of two
	held   int                          // under the Cache's lock
}

// remembered is a verified token with a copy of its text: Fiber, whose strings a
// gate is given, uses their memory again for the next request. It does not change. What
// a look reads stands first.
type remembered struct {
	hash uint64
	next *remembered // of the chain
	raw  string
	verified
}

// NewCache returns a Cache in front of a Verifier, of CacheSize if size is 0.
func NewCache(v *Verifier, size int) *Cache {
	if size <= 0 {
		size = CacheSize
	}
	c := &Cache{verifier: v, most: max(1, size/2), seed: maphash.MakeSeed()}
	c.young.Store(newGeneration(c.most))
	c.old.Store(newGeneration(1))
	return c
}

// Verify is Verifier.Verify.
func (c *Cache) Verify(raw string) (*Claims, error) {
	if raw == "" {
		return nil, ErrMissing
	}
	hash := maphash.String(c.seed, raw)
	if known := c.find(raw, hash); known != nil {
		if key, err := c.verifier.keys.Key(known.kid); err == nil && bytes.Equal(key, known.key) {
			if !c.verifier.now().Before(known.claims.Expires.Add(ropeline.TokenLeeway)) {
				return nil, ErrExpired
			}
			return &known.claims, nil
		}
	}
	found, err := c.verifier.check(raw)
	if err != nil {
		return nil, err
	}
	c.keep(remembered{hash: hash, raw: strings.Clone(raw), verified: found})
	return &found.claims, nil
}

func (c *Cache) find(raw string, hash uint64) *remembered {
	if known := c.young.Load().find(raw, hash); known != nil {
		return known
	}
	known := c.old.Load().find(raw, hash)
	if known != nil {
		c.keep(*known)
	}
	return known
}

// keep adds a token, unless another request was faster. One that was signed anew with
// another key of the same name stands before what was known of it.
func (c *Cache) keep(token remembered) {
	c.mu.Lock()
	defer c.mu.Unlock()
	young := c.young.Load()
	if had := young.find(token.raw, token.hash); had != nil && bytes.Equal(had.key, token.key) {
		return
	}
	if young.held >= c.most {
		c.old.Store(young) // first: who looks between the two finds it in both
		young = newGeneration(c.most)
		c.young.Store(young)
	}
	chain := young.chain(token.hash)
	token.next = chain.Load()
	chain.Store(&token)
	young.held++
}

func newGeneration(most int) *generation {
	return &generation{chains: make([]atomic.Pointer[remembered], 1<<bits.Len(uint(most-1)))}
}

func (g *generation) chain(hash uint64) *atomic.Pointer[remembered] {
	return &g.chains[hash&uint64(len(g.chains)-1)]
}

func (g *generation) find(raw string, hash uint64) *remembered {
	for known := g.chain(hash).Load(); known != nil; known = known.next {
		if known.hash == hash && known.raw == raw {
			return known
		}
	}
	return nil
}
