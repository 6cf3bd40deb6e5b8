package queue

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/ropeline/ropeline"
)

// View is a line as an edge sees it at one tick: the state and, from the
// departed bitmap, the exact position of every place. A View never changes;
// Superseded says when there is a newer one.
type View struct {
	State
	Board      *Board    // what is posted; nil of a snapshot
	departed   []bitmap  // of each line
	late       [][]int64 // of each lane, the scores of its late, rising
	shape      shape
	lanes      []laneView
	superseded chan struct{}
}

// laneView is a lane as it is all in all.
type laneView struct {
	Stand
	reached int64 // the cursor of the line that has come furthest
}

func newView(s State, departed []bitmap, late [][]int64) *View {
	v := &View{State: s, departed: departed, late: late, shape: s.shape(), superseded: make(chan struct{})}
	stands := s.stands()
	v.lanes = make([]laneView, v.shape.laneCount())
	for i := range v.lanes {
		mine := of(v.shape, stands, i)
		v.lanes[i].Stand = combined(mine)
		for _, stand := range mine {
			v.lanes[i].reached = max(v.lanes[i].reached, stand.Cursor)
		}
	}
	return v
}

// LaneOf is the number of the lane that a place is of, 0 for the main one.
func (v *View) LaneOf(id ropeline.PlaceID) int { return v.shape.laneOf(id) }

// LaneNumber is the number of a lane, 0 for one that the sale has not.
func (v *View) LaneNumber(name string) int { return max(0, slices.Index(v.shape.lanes, name)) }

// LaneName is the name of a place's lane, "" in a sale that has no others.
func (v *View) LaneName(id ropeline.PlaceID) string {
	if len(v.shape.lanes) == 0 {
		return ""
	}
	return v.shape.lanes[v.shape.laneOf(id)]
}

// StandIn is how far the lane of a place has come.
func (v *View) StandIn(id ropeline.PlaceID) Stand { return v.lanes[v.shape.laneOf(id)].Stand }

// LaneStand is how far the lane of this number has come.
func (v *View) LaneStand(lane int) Stand { return v.lanes[lane].Stand }

// standOf is the stand of the line in which a place stands.
func (v *View) standOf(id ropeline.PlaceID) Stand { return v.stands()[v.shape.lineOf(id)] }

// Superseded is closed when a newer View is there.
func (v *View) Superseded() <-chan struct{} { return v.superseded }

// Position returns how many people are before a waiting place: those of its lane
// who have not been reached and not left, and those who were put back
// before it after a loss. It never rises within an epoch but for the latter.
// Comebacks, who go before everybody, are counted apart (State.Comebacks).
func (v *View) Position(p Place) int64 {
	if p.Back {
		return 0
	}
	lane := v.shape.laneOf(p.ID)
	n, first := v.lateBefore(lane, p.Score), lane*v.shape.shards
	if v.shape.shards == 1 {
		return n + v.unreached(first, v.lanes[lane].Cursor, p.Ordinal)
	}
	if p.ranks == nil { // it could not be ranked yet, and has no epoch either
		return n
	}
	for i, rank := range *p.ranks {
		n += v.unreached(first+i, v.Lines[first+i].Cursor, rank)
	}
	return n
}

// unreached returns how many of a line stand before a rank, have not been
// reached and not left.
func (v *View) unreached(line int, cursor, rank int64) int64 {
	if rank <= cursor {
		return 0
	}
	return rank - cursor - (v.departed[line].rank(rank) - v.departed[line].rank(cursor))
}

// lateBefore returns how many of a lane's late stand before a score.
func (v *View) lateBefore(lane int, text string) int64 {
	if len(v.late) == 0 || len(v.late[lane]) == 0 {
		return 0
	}
	score, ok := scoreOf(text)
	if !ok {
		return 0
	}
	n, _ := slices.BinarySearch(v.late[lane], score)
	return int64(n)
}

// bitmap is a departed bitmap (bit i = ordinal i, most significant first) with
// the count of ones before each block, so that rank costs one block.
type bitmap struct {
	bytes  []byte
	before []int64 // ones before block i
}

const blockBytes = 64

func newBitmap(raw []byte) bitmap {
	b := bitmap{bytes: raw, before: make([]int64, len(raw)/blockBytes+1)}
	for i := 1; i < len(b.before); i++ {
		b.before[i] = b.before[i-1] + ones(raw[(i-1)*blockBytes:i*blockBytes])
	}
	return b
}

// with returns a copy in which these ordinals are set too.
func (b bitmap) with(ordinals []int64) bitmap {
	if len(ordinals) == 0 {
		return b
	}
	size := len(b.bytes)
	for _, o := range ordinals {
		size = max(size, int(o/8)+1)
	}
	raw := make([]byte, size)
	copy(raw, b.bytes)
	for _, o := range ordinals {
		raw[o/8] |= 0x80 >> (o % 8)
	}
	return newBitmap(raw)
}

// rank returns how many ones stand before this ordinal.
func (b bitmap) rank(ordinal int64) int64 {
	at := min(ordinal, int64(len(b.bytes))*8)
	block := at / 8 / blockBytes
	n := b.before[block] + ones(b.bytes[block*blockBytes:at/8])
	if rest := at % 8; rest != 0 {
		n += int64(bits.OnesCount8(b.bytes[at/8] >> (8 - rest)))
	}
	return n
}

func ones(raw []byte) (n int64) {
	for ; len(raw) >= 8; raw = raw[8:] {
		n += int64(bits.OnesCount64(binary.NativeEndian.Uint64(raw)))
	}
	for _, b := range raw {
		n += int64(bits.OnesCount8(b))
	}
	return n
}
