package seats

import "encoding/binary"

// Bits say of each unit what it is not, the most significant bit of the first byte
// first: Taken those that are not free, among them Sold, and Closed, which are not
// for sale.
type Bits struct{ Taken, Sold, Closed []byte }

// What a unit may be, in a frame's runs.
const (
	free   = 0
	held   = 1 // and may return
	sold   = 2
	closed = 3 // not for sale, or not yet
	same   = 4 // as it was
)

func bit(b []byte, unit int) bool {
	return unit>>3 < len(b) && b[unit>>3]&(0x80>>(unit&7)) != 0
}

func at(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}

// of says what a unit is.
func (b Bits) of(unit int) int {
	switch {
	case !bit(b.Taken, unit):
		return free
	case bit(b.Sold, unit):
		return sold
	case bit(b.Closed, unit):
		return closed
	}
	return held
}

// units is how many there are at most: bitmaps end with a whole byte.
func (b Bits) units() int { return 8 * len(b.Taken) }

// eight is like of for the eight units of a byte, if they are all alike.
func (b Bits) eight(i int, before *Bits) (what int, alike bool) {
	if before != nil {
		return same, at(before.Taken, i) == at(b.Taken, i) && at(before.Sold, i) == at(b.Sold, i) && at(before.Closed, i) == at(b.Closed, i)
	}
	return free, b.Taken[i] == 0
}

// runs says what all units are, or with the bits of before what has changed: one
// number a run of units that are alike, how many there are times eight plus what
// they are, as varints. The last run is left out if it says nothing.
func (b Bits) runs(before *Bits) []byte {
	var out []byte
	count, what := 0, -1
	add := func(n, of int) {
		if of != what && count > 0 {
			out = binary.AppendUvarint(out, uint64(count)<<3|uint64(what))
			count = 0
		}
		count, what = count+n, of
	}
	for i := range b.Taken {
		if of, alike := b.eight(i, before); alike {
			add(8, of)
			continue
		}
		for unit := 8 * i; unit < 8*i+8; unit++ {
			of := b.of(unit)
			if before != nil && before.of(unit) == of {
				of = same
			}
			add(1, of)
		}
	}
	if what == free && before == nil || what == same {
		return out
	}
	return binary.AppendUvarint(out, uint64(count)<<3|uint64(what))
}
