package token

import (
	"crypto/sha256"
	"sync"

	"github.com/ropeline/ropeline"
)

// CacheSize is how many tokens a Cache remembers unless it is told otherwise:
// those of as many people shopping at once, in about 12 MB.
const CacheSize = 32_768

// cacheShards keeps requests from waiting for each other's lock.
const cacheShards = 16

// Cache is a Verifier that remembers which tokens it has verified: the check
// of a signature takes 50 to 75 µs, finding a token that was checked 0.4 µs. It
// answers what the Verifier would, at every moment: a token is forgotten with
// the key that signed it, and its times are looked at each time.
//
// Only good tokens are remembered, by a hash of their text, so nobody without
// one of our signatures can push others out, and a dump of the memory holds no
// token. Of those that nobody brought for longest some are forgotten when there
// are too many. Whether a session ended early is not the Cache's to know: package
// gate asks that on each request.
type Cache struct {
	verifier *Verifier
	most     int // of one generation of one shard
	shards   [cacheShards]cacheShard
}

// cacheShard has two generations. When the young one is full the old one is
// dropped and the young one takes its place; whoever is asked for in the old one
// moves to the young one. So what is dropped was not asked for while as many
// others were.
type cacheShard struct {
	mu         sync.Mutex // guards what follows
	young, old map[digest]verified
}

type digest [sha256.Size]byte

// NewCache returns a Cache in front of a Verifier, of CacheSize if size is 0.
func NewCache(v *Verifier, size int) *Cache {
	if size <= 0 {
		size = CacheSize
	}
	c := &Cache{verifier: v, most: max(1, size/cacheShards/2)}
	for i := range c.shards {
		c.shards[i].young = map[digest]verified{}
	}
	return c
}

// Verify is Verifier.Verify.
func (c *Cache) Verify(raw string) (Claims, error) {
	if raw == "" {
		return Claims{}, ErrMissing
	}
	var room [512]byte // tokens have 300; so that the copy needs no memory of its own
	sum := digest(sha256.Sum256(append(room[:0], raw...)))
	shard := &c.shards[sum[0]%cacheShards]
	if known, ok := shard.find(sum, c.most); ok {
		if key, err := c.verifier.keys.Key(known.kid); err == nil && key.Equal(known.key) {
			if !c.verifier.now().Before(known.claims.Expires.Add(ropeline.TokenLeeway)) {
				return Claims{}, ErrExpired
			}
			return known.claims, nil
		}
	}
	found, err := c.verifier.check(raw)
	if err != nil {
		return Claims{}, err
	}
	shard.keep(sum, found, c.most)
	return found.claims, nil
}

func (s *cacheShard) find(sum digest, most int) (verified, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.young[sum]
	if ok {
		return v, true
	}
	if v, ok = s.old[sum]; ok {
		delete(s.old, sum)
		s.put(sum, v, most)
	}
	return v, ok
}

func (s *cacheShard) keep(sum digest, v verified, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.old, sum)
	s.put(sum, v, most)
}

// put is for who holds the lock.
func (s *cacheShard) put(sum digest, v verified, most int) {
	if _, there := s.young[sum]; !there && len(s.young) >= most {
		s.old, s.young = s.young, make(map[digest]verified, most)
	}
	s.young[sum] = v
}

// len counts the tokens that are remembered.
func (c *Cache) len() (n int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n += len(s.young) + len(s.old)
		s.mu.Unlock()
	}
	return n
}
