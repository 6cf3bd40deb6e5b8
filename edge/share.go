package edge

import (
	"sync"

	"github.com/ropeline/ropeline"
)

// shares divides something that an edge has only so much of (sockets, polls that
// are answered at once) among the sales that it follows. One sale's crowd may
// take four fifths of it. The last fifth is for sales that have less than an equal
// share of all, so that in whatever crowd there is room for the few of a quiet
// sale. An edge that follows one sale keeps nothing back.
type shares struct {
	most int64
	mu   sync.Mutex // guards the rest
	used int64
	of   map[ropeline.SaleID]int64
}

// fits reports whether another one of a sale finds room, when so many sales are
// followed here. mu is held.
func (k *shares) fits(sale ropeline.SaleID, sales int) bool {
	if k.used >= k.most {
		return false
	}
	kept := k.most / 5
	return sales < 2 || k.used < k.most-kept || k.of[sale] < k.most/int64(sales)
}

// add counts one more. mu is held.
func (k *shares) add(sale ropeline.SaleID) {
	if k.of == nil {
		k.of = map[ropeline.SaleID]int64{}
	}
	k.used++
	k.of[sale]++
}

// take counts one more if there is room.
func (k *shares) take(sale ropeline.SaleID, sales int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.fits(sale, sales) {
		return false
	}
	k.add(sale)
	return true
}

func (k *shares) leave(sale ropeline.SaleID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.remove(sale)
}

// remove counts one less. mu is held.
func (k *shares) remove(sale ropeline.SaleID) {
	k.used--
	if k.of[sale]--; k.of[sale] == 0 {
		delete(k.of, sale) // ids come from outside: no more are kept than there are
	}
}

// now is how much is in use.
func (k *shares) now() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.used
}
