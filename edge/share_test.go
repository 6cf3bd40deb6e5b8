package edge

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
)

// However sales come and go: never more is used than there is, and a crowd of
// one leaves a fifth to sales that have less than their share.
func TestACrowdLeavesRoomForOtherSales(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.Int64Range(1, 60).Draw(t, "most")
		sales := rapid.IntRange(1, 6).Draw(t, "sales")
		k := shares{most: most}
		used := map[ropeline.SaleID]int64{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			id := ropeline.SaleID(rune('a' + rapid.IntRange(0, sales-1).Draw(t, "sale")))
			if used[id] > 0 && rapid.IntRange(0, 3).Draw(t, "leaves") == 0 {
				k.leave(id)
				used[id]--
				continue
			}
			fits := k.take(id, sales)
			all, free := int64(0), most
			for _, n := range used {
				all += n
			}
			free -= all
			crowd := sales > 1 && used[id] >= most/int64(sales)
			switch {
			case fits && free == 0:
				t.Fatalf("%d of %d are used, and another one was let in", all, most)
			case fits && crowd && free <= most/5:
				t.Fatalf("a sale with %d of %d took one of the last %d", used[id], most, free)
			case !fits && free > 0 && (!crowd || free > most/5):
				t.Fatalf("a sale with %d of %d was refused though %d are free", used[id], most, free)
			}
			if fits {
				used[id]++
			}
		}
		if len(k.of) > sales {
			t.Fatalf("%d sales are kept, of %d", len(k.of), sales)
		}
	})
}
