package returns

import (
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
)

// State says what has become of a place on the list.
type State string

// The states of a place. From Bought on they are final.
const (
	Waiting  State = "waiting"
	Offering State = "offering" // about to be offered something, or not
	Offered  State = "offered"
	Claimed  State = "claimed" // the fan pays
	Bought   State = "bought"
	Lapsed   State = "lapsed" // the offer was not claimed, or not paid for, in time
	Left     State = "left"
	Closed   State = "closed" // the performance has begun
)

// Wish is what somebody waits for.
type Wish struct {
	Tier     string
	Quantity int
	Together bool // side by side; of a tier without seats it says nothing
	Email    string
}

// Entry is a place on the list.
type Entry struct {
	ID          string
	Performance ropeline.PerformanceID
	Number      int64 // the order of the list
	Person      ropeline.PlaceID
	Wish
	State    State
	Hold     string // of the offer, the last one if it is over
	Units    []int
	Expires  time.Time     // of the offer, as it was when it was made or claimed
	left     time.Duration // until then
	JoinedAt time.Time
}

// Session is whose hold an offer is: nobody's in the line.
func (e Entry) Session() string { return hold.Listed + e.Hold }

// columns are those of a place, in the order in which scan takes them.
const columns = `e.performance_id, e.id, e.number, e.person, e.email, e.tier_id, e.quantity, e.together, e.state, coalesce(e.hold_id::text, ''),
	coalesce(e.units, '{}'), coalesce(e.expires_at, 'epoch'), extract(epoch from coalesce(e.expires_at, 'epoch') - ` + clock + `)::float8, e.joined_at`

func scan(r pgx.CollectableRow) (e Entry, err error) {
	var left float64
	err = r.Scan(&e.Performance, &e.ID, &e.Number, &e.Person, &e.Email, &e.Tier, &e.Quantity, &e.Together, &e.State, &e.Hold,
		&e.Units, &e.Expires, &left, &e.JoinedAt)
	e.left, e.Expires, e.JoinedAt = time.Duration(math.Round(1000*left))*time.Millisecond, e.Expires.UTC(), e.JoinedAt.UTC()
	return e, err
}

// parts is what of the pool an offer takes. Seats that need not be side by side are
// chosen one by one, as best available chooses: never a place for a wheelchair.
func (e Entry) parts(m *catalogue.Map) []hold.Part {
	t, _ := m.Tier(e.Tier)
	switch {
	case t.Kind == catalogue.General:
		return []hold.Part{hold.Among(e.Quantity, catalogue.Range{First: t.First, Count: t.Count})}
	case e.Together:
		return []hold.Part{hold.Beside(e.Quantity, m.BestRows(t.ID))}
	}
	parts := make([]hold.Part, e.Quantity)
	for i := range parts {
		parts[i] = hold.Beside(1, m.BestRows(t.ID))
	}
	return parts
}

// units are those of a tier that its list has when they come free: all places, and the
// seats that best available chooses from. Places for wheelchairs are picked in the open
// sale by who needs them.
func units(m *catalogue.Map, tier string) (all []int) {
	t, ok := m.Tier(tier)
	if !ok {
		return nil
	}
	stretches := []catalogue.Stretch{{Range: catalogue.Range{First: t.First, Count: t.Count}}}
	if t.Kind == catalogue.Seated {
		stretches = m.BestRows(tier)
	}
	seen := map[int]bool{} // a stretch with a restricted view may lie over others
	for _, s := range stretches {
		for u := s.First; u < s.First+s.Count; u++ {
			if !seen[u] {
				seen[u], all = true, append(all, u)
			}
		}
	}
	return all
}

// room is the largest wish of a tier that units of the pool fulfil: how many there are,
// and how many side by side.
func room(m *catalogue.Map, tier string, pool map[int]bool) (any, together int) {
	t, _ := m.Tier(tier)
	for _, u := range units(m, tier) {
		if pool[u] {
			any++
		}
	}
	if t.Kind == catalogue.General {
		return any, any
	}
	for _, s := range m.BestRows(tier) {
		run := 0
		for u := s.First; u < s.First+s.Count; u++ {
			if run++; !pool[u] {
				run = 0
			}
			together = max(together, run)
		}
	}
	return any, together
}
