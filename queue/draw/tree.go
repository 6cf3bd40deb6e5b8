package draw

import (
	"slices"

	"github.com/ropeline/ropeline"
)

// Tree proves places quickly: it keeps the heads of its lowest subtrees, 32 KB a
// million places, so that a proof hashes block leaves and not all of them.
type Tree struct {
	sorted []ropeline.PlaceID
	blocks []Hash // heads of block leaves each; of fewer, the last
}

// block is a power of two, so that every subtree above is one of whole blocks.
const block = 1024

// NewTree returns the tree over these ids, which must be sorted and have no
// doubles.
func NewTree(sorted []ropeline.PlaceID) *Tree {
	t := &Tree{sorted: sorted}
	for ids := range slices.Chunk(sorted, block) {
		t.blocks = append(t.blocks, treeHead(ids))
	}
	return t
}

// Prove returns the proof for a place, false if it is not in the tree.
func (t *Tree) Prove(id ropeline.PlaceID) (Proof, bool) {
	index, found := slices.BinarySearch(t.sorted, id)
	if !found {
		return Proof{}, false
	}
	b := index / block
	leaves := t.sorted[b*block : min((b+1)*block, len(t.sorted))]
	return Proof{Index: index, Count: len(t.sorted), Path: append(path(leaves, index%block), pathUp(t.blocks, b)...)}, true
}

// pathUp is path over the heads of subtrees.
func pathUp(heads []Hash, index int) []Hash {
	if len(heads) <= 1 {
		return nil
	}
	left := split(len(heads))
	if index < left {
		return append(pathUp(heads[:left], index), headOf(heads[left:]))
	}
	return append(pathUp(heads[left:], index-left), headOf(heads[:left]))
}

func headOf(heads []Hash) Hash {
	if len(heads) == 1 {
		return heads[0]
	}
	left := split(len(heads))
	return node(headOf(heads[:left]), headOf(heads[left:]))
}
