package catalogue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// Performance is a performance's map together with the settings of the sale
// that sells it.
type Performance struct {
	Map    *Map
	Sale   ropeline.Sale
	OnSale bool // neither it nor its event is postponed, canceled or a draft, and its venue agrees
}

// ErrOffSale refuses to sell what is not on sale.
var ErrOffSale = &ropeline.Error{Kind: ropeline.Conflict, Code: "performance-off-sale",
	Detail: "Nothing of this performance is sold at the moment: it is canceled, postponed, or not published yet. Nothing was held or charged."}

// Store reads the catalogue from Postgres and keeps what does not move in
// memory.
type Store struct {
	db     *pgxpool.Pool
	now    func() time.Time
	shows  *cache[ropeline.PerformanceID, Performance]
	onSale *cache[ropeline.SaleID, []ropeline.PerformanceID]
	payees *cache[string, Account]
	later  *cache[ropeline.PerformanceID, map[string]int64]

	planTime func() time.Time // for tests; nil: the database's clock
}

// New returns a Store over a pool; now says what time it is.
func New(db *pgxpool.Pool, now func() time.Time) *Store {
	s := &Store{db: db, now: now}
	s.shows = newCache(now, s.read)
	s.onSale = newCache(now, s.readOnSale)
	s.payees = newCache(now, s.Account)
	s.later = newCache(now, s.readLater)
	return s
}

// Performance returns a performance by its id, from memory if it was read in
// the last minute. Callers must not change what it points to.
func (s *Store) Performance(ctx context.Context, id ropeline.PerformanceID) (Performance, error) {
	return s.shows.get(ctx, id)
}

// Forget has performances read afresh that somebody has just changed.
func (s *Store) Forget(ids ...ropeline.PerformanceID) {
	for _, id := range ids {
		s.shows.drop(id)
	}
}

func (s *Store) read(ctx context.Context, id ropeline.PerformanceID) (Performance, error) {
	if !booking.IsID(string(id)) {
		return Performance{}, ErrPerformanceUnknown
	}
	m := &Map{ID: id, Tiers: []Tier{}, Rows: []Row{}}
	var doc []byte
	p := Performance{Map: m}
	err := s.db.QueryRow(ctx, `
		select e.title, v.name, p.starts_at, p.units, p.tariff, coalesce(p.account, ''), coalesce(s.document, 'null'), on_sale(p.id)
		from performances p
		join events e on e.id = p.event_id
		join venues v on v.id = p.venue_id
		left join sale_performances sp on sp.performance_id = p.id
		left join sales s on s.id = sp.sale_id
		where p.id = $1`, id).Scan(&m.Title, &m.Venue, &m.StartsAt, &m.Units, &m.Tariff, &m.Account, &doc, &p.OnSale)
	if errors.Is(err, pgx.ErrNoRows) {
		return Performance{}, ErrPerformanceUnknown
	}
	if err != nil {
		return Performance{}, ropeline.ErrStoreAway.Because(fmt.Errorf("reading performance %s: %w", id, err))
	}
	if err := json.Unmarshal(doc, &p.Sale); err != nil {
		return Performance{}, fmt.Errorf("reading sale document of performance %s: %w", id, err)
	}
	m.Sale, m.StartsAt = p.Sale.ID, m.StartsAt.UTC()
	if err := s.readTiers(ctx, m); err != nil {
		return Performance{}, ropeline.ErrStoreAway.Because(err)
	}
	if m.text, err = json.Marshal(m); err != nil {
		return Performance{}, fmt.Errorf("writing map of %s: %w", id, err)
	}
	sum := sha256.Sum256(m.text)
	m.tag = hex.EncodeToString(sum[:12])
	m.sortOut()
	return p, nil
}

func (s *Store) readTiers(ctx context.Context, m *Map) error {
	rows, err := s.db.Query(ctx, `
		select id, name, kind, amount, currency, first_unit, units
		from tiers where performance_id = $1 order by first_unit`, m.ID)
	if err != nil {
		return fmt.Errorf("reading tiers of %s: %w", m.ID, err)
	}
	m.Tiers, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (t Tier, err error) {
		return t, r.Scan(&t.ID, &t.Name, &t.Kind, &t.Price.Amount, &t.Price.Currency, &t.First, &t.Count)
	})
	if err != nil {
		return fmt.Errorf("reading tiers of %s: %w", m.ID, err)
	}
	rows, err = s.db.Query(ctx, `
		select section, name, tier_id, first_unit, units, rank, x, y, dx, dy, seats, places, accessible, companion, restricted
		from seat_rows where performance_id = $1 order by first_unit`, m.ID)
	if err != nil {
		return fmt.Errorf("reading rows of %s: %w", m.ID, err)
	}
	m.Rows, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (w Row, err error) {
		return w, r.Scan(&w.Section, &w.Name, &w.Tier, &w.First, &w.Count, &w.rank, &w.X, &w.Y, &w.DX, &w.DY,
			&w.Seats, &w.Places, &w.Accessible, &w.Companion, &w.Restricted)
	})
	if err != nil {
		return fmt.Errorf("reading rows of %s: %w", m.ID, err)
	}
	return nil
}

// OnSale lists the performances that a sale sells, from memory if it was
// asked in the last minute.
func (s *Store) OnSale(ctx context.Context, sale ropeline.SaleID) ([]ropeline.PerformanceID, error) {
	return s.onSale.get(ctx, sale)
}

func (s *Store) readOnSale(ctx context.Context, sale ropeline.SaleID) ([]ropeline.PerformanceID, error) {
	return s.ids(ctx, `select performance_id from sale_performances where sale_id = $1 order by performance_id`, sale)
}

// Performances lists every performance that some sale sells.
func (s *Store) Performances(ctx context.Context) ([]ropeline.PerformanceID, error) {
	return s.ids(ctx, `select performance_id from sale_performances order by performance_id`)
}

func (s *Store) ids(ctx context.Context, query string, args ...any) ([]ropeline.PerformanceID, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, ropeline.ErrStoreAway.Because(fmt.Errorf("listing performances: %w", err))
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[ropeline.PerformanceID])
	if err != nil {
		return nil, ropeline.ErrStoreAway.Because(fmt.Errorf("listing performances: %w", err))
	}
	return ids, nil
}

// Sale reads a sale's settings document; ropeline.ErrSaleUnknown if there is
// none.
func (s *Store) Sale(ctx context.Context, id ropeline.SaleID) (ropeline.Sale, error) {
	var doc []byte
	err := s.db.QueryRow(ctx, `select document from sales where id = $1`, id).Scan(&doc)
	if errors.Is(err, pgx.ErrNoRows) {
		return ropeline.Sale{}, ropeline.ErrSaleUnknown
	}
	if err != nil {
		return ropeline.Sale{}, ropeline.ErrStoreAway.Because(fmt.Errorf("reading sale %s: %w", id, err))
	}
	return ropeline.ParseSale(doc)
}
