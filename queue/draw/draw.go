// Package draw is the arithmetic of a draw that anybody can check: from a seed
// that was committed to before anybody joined, and a root over everybody who
// did, follows the one order. docs/draw.md describes it for outsiders.
//
// The one hard idea is who knows what when. The commitment binds the seed before
// there are entrants; the root binds the entrants before the seed is known; the
// key is made of both, so nobody who lacks one of them can tell the order.
//
// It is pure: no clock, no store, no randomness. The format is frozen as
// version 1; testdata holds vectors that may not change.
package draw

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"slices"
	"strings"
	"sync"

	"github.com/ropeline/ropeline"
)

// Hash is a SHA-256 value.
type Hash [sha256.Size]byte

// Terms are what a draw is bound to before anybody joins.
type Terms struct {
	Sale   ropeline.SaleID
	Close  int64  // of the lobby, ms since 1970
	Beacon string // the rule for a public random value; NoBeacon for none
}

// NoBeacon is the rule of a draw without a beacon: its value is 32 zero bytes.
const NoBeacon = "none"

// Commitment binds the seed. It is public from the sale's creation on.
func Commitment(t Terms, seed Hash) Hash {
	return sha256.Sum256(fmt.Appendf(nil, "ropeline draw 1\n%s\n%d\n%s\n%s", t.Sale, t.Close, t.Beacon, seed[:]))
}

// Root binds the entrants: SHA-256 of their number, as 8 bytes big-endian, and
// the head of the Merkle tree (RFC 6962) over them. The ids must be sorted by
// their bytes and have no doubles.
func Root(sorted []ropeline.PlaceID) Hash {
	head := treeHead(sorted)
	return sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, uint64(len(sorted))), head[:]...))
}

func treeHead(ids []ropeline.PlaceID) Hash {
	switch len(ids) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaf(ids[0])
	}
	left := split(len(ids))
	if len(ids) < alone {
		return node(treeHead(ids[:left]), treeHead(ids[left:]))
	}
	var head Hash
	var beside sync.WaitGroup
	beside.Go(func() { head = treeHead(ids[:left]) })
	tail := treeHead(ids[left:])
	beside.Wait()
	return node(head, tail)
}

// alone is how few places are not worth sharing between processors: 20 ms.
const alone = 1 << 16

// split is the largest power of two below n.
func split(n int) int {
	left := 1
	for left*2 < n {
		left *= 2
	}
	return left
}

// A leaf's text starts with 0, a node's with 1. Both stay on the stack: a million
// places are two million of them.
func leaf(id ropeline.PlaceID) Hash {
	var text [64]byte
	return sha256.Sum256(append(text[:1], id...))
}

func node(left, right Hash) Hash {
	text := [1 + 2*sha256.Size]byte{1}
	copy(text[1:], left[:])
	copy(text[1+sha256.Size:], right[:])
	return sha256.Sum256(text[:])
}

// Proof shows that one place is among the entrants: its index among the sorted
// ids, their number, and the hashes beside its way up the tree, from the bottom.
type Proof struct {
	Index int
	Count int
	Path  []Hash
}

// Prove returns the proof for the place at this index.
func Prove(sorted []ropeline.PlaceID, index int) Proof {
	return Proof{Index: index, Count: len(sorted), Path: path(sorted, index)}
}

func path(ids []ropeline.PlaceID, index int) []Hash {
	if len(ids) <= 1 {
		return nil
	}
	left := split(len(ids))
	if index < left {
		return append(path(ids[:left], index), treeHead(ids[left:]))
	}
	return append(path(ids[left:], index-left), treeHead(ids[:left]))
}

// Root returns the root that follows from the proof for this place; false if
// the proof has not the form of one.
func (p Proof) Root(id ropeline.PlaceID) (Hash, bool) {
	if p.Index < 0 || p.Index >= p.Count {
		return Hash{}, false
	}
	head, ok := climb(leaf(id), p.Index, p.Count, p.Path)
	return sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, uint64(p.Count)), head[:]...)), ok
}

func climb(head Hash, index, count int, path []Hash) (Hash, bool) {
	if count == 1 {
		return head, len(path) == 0
	}
	if len(path) == 0 {
		return Hash{}, false
	}
	beside, left := path[len(path)-1], split(count)
	below := path[:len(path)-1]
	if index < left {
		head, ok := climb(head, index, left, below)
		return node(head, beside), ok
	}
	head, ok := climb(head, index-left, count-left, below)
	return node(beside, head), ok
}

// Key returns what scores are made with. Without a beacon its value is zero.
func Key(seed, root, beacon Hash) Hash {
	return sha256.Sum256(slices.Concat(seed[:], root[:], beacon[:]))
}

// Score is a place's order in the draw: the first 52 bits of
// HMAC-SHA-256(key, place id), which a double holds exactly.
func Score(key Hash, id ropeline.PlaceID) int64 {
	return score(hmac.New(sha256.New, key[:]), id)
}

func score(mac hash.Hash, id ropeline.PlaceID) int64 {
	var text, sum [64]byte
	mac.Reset()
	mac.Write(append(text[:0], id...))
	return int64(binary.BigEndian.Uint64(mac.Sum(sum[:0])) >> 12)
}

// Scored is a place with its score.
type Scored struct {
	Score int64
	Place ropeline.PlaceID
}

// Scores returns the places with their scores, in drawn order: by score, ties by
// the bytes of the id.
func Scores(key Hash, ids []ropeline.PlaceID) []Scored {
	all := make([]Scored, len(ids))
	var parts sync.WaitGroup
	for from := 0; from < len(ids); from += alone {
		parts.Go(func() {
			mac := hmac.New(sha256.New, key[:]) // its Reset does not hash the key again
			for i := from; i < min(from+alone, len(ids)); i++ {
				all[i] = Scored{score(mac, ids[i]), ids[i]}
			}
		})
	}
	parts.Wait()
	slices.SortFunc(all, func(a, b Scored) int {
		return cmp.Or(cmp.Compare(a.Score, b.Score), strings.Compare(string(a.Place), string(b.Place)))
	})
	return all
}

// Order returns the places in drawn order.
func Order(key Hash, ids []ropeline.PlaceID) []ropeline.PlaceID {
	order := make([]ropeline.PlaceID, len(ids))
	for i, s := range Scores(key, ids) {
		order[i] = s.Place
	}
	return order
}
