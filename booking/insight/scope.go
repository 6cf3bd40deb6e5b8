package insight

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
)

// Store reads what organizers learn.
type Store struct {
	// Static after New.
	db    *pgxpool.Pool
	now   func() time.Time
	files chan struct{} // a place for each that is being written
	turn  chan struct{} // whose it is looks at something that is live

	mu     sync.Mutex // guards what follows
	kept   map[ropeline.PerformanceID]Live
	looked time.Time // when somebody did last
}

// New returns a Store.
func New(db *pgxpool.Pool, now func() time.Time) *Store {
	return &Store{db: db, now: now, files: make(chan struct{}, MostFiles), turn: make(chan struct{}, 1), kept: map[ropeline.PerformanceID]Live{}}
}

// Scope is what somebody wants to know something of: exactly one of these.
type Scope struct {
	Performance ropeline.PerformanceID
	Event       string
	Sale        ropeline.SaleID
	Account     string // by its name
}

// ErrScope refuses none of them, or several.
var ErrScope = &ropeline.Error{Kind: ropeline.Invalid, Code: "scope-invalid", Detail: "Say of what: of one performance, one event, one sale or one account."}

// Show is a performance.
type Show struct {
	ID       ropeline.PerformanceID
	Title    string
	Venue    string
	StartsAt time.Time
	Account  string
	Sale     ropeline.SaleID // that sells it, empty if none does
}

// ErrNothing answers for an account that is paid for no performance.
var ErrNothing = &ropeline.Error{Kind: ropeline.NotFound, Code: "performances-none", Detail: "No performance is paid to this account."}

// ErrNoEvent answers for an event that there is not, or that has no performance.
var ErrNoEvent = &ropeline.Error{Kind: ropeline.NotFound, Code: "event-unknown", Detail: "There is no such event, or it has no performance."}

// Shows are the performances of a scope, in the order of their starts. There is one at least.
func (s *Store) Shows(ctx context.Context, of Scope) ([]Show, error) {
	var where string
	var of1 any
	var unknown error
	switch {
	case of == Scope{}:
		return nil, ErrScope
	case of == Scope{Performance: of.Performance}:
		if !booking.IsID(string(of.Performance)) {
			return nil, catalogue.ErrPerformanceUnknown
		}
		where, of1, unknown = `p.id = $1`, of.Performance, catalogue.ErrPerformanceUnknown
	case of == Scope{Event: of.Event}:
		if !booking.IsID(of.Event) {
			return nil, ErrNoEvent
		}
		where, of1, unknown = `p.event_id = $1`, of.Event, ErrNoEvent
	case of == Scope{Sale: of.Sale}:
		if !of.Sale.Valid() {
			return nil, ropeline.ErrSaleUnknown
		}
		where, of1, unknown = `p.id in (select performance_id from sale_performances where sale_id = $1)`, of.Sale, ropeline.ErrSaleUnknown
	case of == Scope{Account: of.Account}:
		if !ropeline.SaleID(of.Account).Valid() { // both are slugs
			return nil, catalogue.ErrAccountUnknown
		}
		where, of1, unknown = `p.account = $1`, of.Account, ErrNothing
	default:
		return nil, ErrScope
	}
	rows, err := s.db.Query(ctx, `select p.id, e.title, v.name, p.starts_at, coalesce(p.account, ''), coalesce(sp.sale_id, '') from performances p
		join events e on e.id = p.event_id join venues v on v.id = p.venue_id left join sale_performances sp on sp.performance_id = p.id where `+where+` order by p.starts_at, p.id`, of1)
	if err != nil {
		return nil, away("looking for performances of", of, err)
	}
	shows, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Show])
	if err != nil {
		return nil, away("looking for performances of", of, err)
	}
	if len(shows) == 0 {
		return nil, unknown
	}
	return shows, nil
}

// snapshot reads several things as they were at one instant.
func (s *Store) snapshot(ctx context.Context, what string, of any, read func(pgx.Tx) error) error {
	err := pgx.BeginTxFunc(ctx, s.db, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, read)
	if err != nil {
		return away(what, of, err)
	}
	return nil
}

func ids(shows []Show) []ropeline.PerformanceID {
	list := make([]ropeline.PerformanceID, len(shows))
	for i, p := range shows {
		list[i] = p.ID
	}
	return list
}

func away(what string, of any, err error) error {
	return ropeline.ErrStoreAway.Because(fmt.Errorf("%s %v: %w", what, of, err))
}
