package inventory

import "math/bits"

// Bitmap has one bit a unit, most significant bit first, as Redis keeps it.
type Bitmap []byte

// Has reports the bit of a unit; a unit past the end has none.
func (b Bitmap) Has(unit int) bool {
	return unit>>3 < len(b) && b[unit>>3]&(0x80>>(unit&7)) != 0
}

func (b Bitmap) set(unit int) { b[unit>>3] |= 0x80 >> (unit & 7) }

// Count returns how many of the units first … first+count-1 have their bit
// set.
func (b Bitmap) Count(first, count int) int {
	n, end := 0, first+count
	for u := first; u < end; {
		if u&7 == 0 && u+8 <= end && u>>3 < len(b) {
			n += bits.OnesCount8(b[u>>3])
			u += 8
			continue
		}
		if b.Has(u) {
			n++
		}
		u++
	}
	return n
}

// bitmapOf makes a bitmap as long as the performance, all zeros included: a
// missing key would answer BITPOS wrongly.
func bitmapOf(units []int, size int) []byte {
	b := make(Bitmap, (size+7)/8)
	for _, u := range units {
		if u < size {
			b.set(u)
		}
	}
	return b
}
