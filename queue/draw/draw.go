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
	"slices"
	"strings"

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
	return node(treeHead(ids[:left]), treeHead(ids[left:]))
}

// split is the largest power of two below n.
func split(n int) int {
	left := 1
	for left*2 < n {
		left *= 2
	}
	return left
}

func leaf(id ropeline.PlaceID) Hash { return sha256.Sum256(append([]byte{0}, id...)) }

func node(left, right Hash) Hash {
	return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
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
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(id))
	return int64(binary.BigEndian.Uint64(mac.Sum(nil)) >> 12)
}

// Order returns the places in drawn order: by score, ties by the bytes of the
// id.
func Order(key Hash, ids []ropeline.PlaceID) []ropeline.PlaceID {
	type scored struct {
		score int64
		id    ropeline.PlaceID
	}
	all := make([]scored, len(ids))
	for i, id := range ids {
		all[i] = scored{Score(key, id), id}
	}
	slices.SortFunc(all, func(a, b scored) int {
		return cmp.Or(cmp.Compare(a.score, b.score), strings.Compare(string(a.id), string(b.id)))
	})
	order := make([]ropeline.PlaceID, len(all))
	for i, s := range all {
		order[i] = s.id
	}
	return order
}
