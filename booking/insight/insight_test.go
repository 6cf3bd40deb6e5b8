package insight_test

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/insight"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// books are a store over sales whose orders are written as package order leaves them.
type books struct {
	testing.TB
	*insight.Store
	db    *pgxpool.Pool
	shows *catalogue.Store
}

func open(t testing.TB) *books {
	t.Helper()
	db := devtest.Postgres(t)
	return &books{TB: t, Store: insight.New(db, time.Now), db: db, shows: catalogue.New(db, time.Now)}
}

// sale makes a sale of a performance of 40 seats and 20 places.
func (b *books) sale() *catalogue.Map {
	b.Helper()
	opens := time.Now().UTC().Truncate(time.Second)
	sale, err := b.shows.Seed(b.Context(), catalogue.Plan{
		Sale: ropeline.Sale{
			ID: ropeline.SaleID("s-" + uuid.NewString()), Version: 1, Title: "Gala",
			LobbyClosesAt: opens.Add(-time.Second), OpensAt: opens, EndsAt: opens.Add(time.Hour), Cap: 10, Rate: 60,
			ClaimWindow: 60, TokenLife: 60, SessionMax: 1800, Hold: 600, HoldExtensions: 1, UnitsPerHold: 6,
		},
		Venue: "Opera", StartsAt: opens.Add(time.Hour), Seats: 40, General: 20,
	})
	b.must(err)
	p, err := b.shows.Performance(b.Context(), sale.Performances[0])
	b.must(err)
	return p.Map
}

// entry is a row of the ledger.
type entry struct {
	what   string
	amount int64
	tender string
}

// sold writes an order for a unit, with what the ledger says of it.
func (b *books) sold(m *catalogue.Map, unit int, email, state, currency string, ledger ...entry) string {
	b.Helper()
	id, attempt, buyer := uuid.Must(uuid.NewV7()).String(), uuid.NewString(), uuid.NewString()
	queue := &pgx.Batch{}
	queue.Queue(`insert into buyers (id, email) values ($1, $2)`, buyer, email)
	queue.Queue(`insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key, request_mac, units, amount, currency, method, state)
		values ($1, $2::uuid, gen_random_uuid(), 's', gen_random_uuid()::text, '', 'k', '', $3, 4500, $4, 'm', 'done')`, m.ID, attempt, []int{unit}, currency)
	queue.Queue(`insert into orders (performance_id, id, sale_id, session_id, place_id, attempt_id, buyer_id, state, amount, currency) values ($1, $2, 's', '', '', $3, $4, $5, 4500, $6)`,
		m.ID, id, attempt, buyer, state, currency)
	lines, _, err := m.Lines([]int{unit})
	b.must(err)
	ticket := map[string]string{"paid": "valid", "canceled": "canceled", "pending": "unpaid"}[state]
	queue.Queue(`insert into tickets (performance_id, id, order_id, unit, tier_id, label, amount, currency, state, code) values ($1, $2, $3, $4, $5, $6, 5000, $7, $8, $9)`,
		m.ID, uuid.NewString(), id, unit, lines[0].Tier, lines[0].Label, currency, ticket, uuid.NewString())
	for _, e := range ledger {
		queue.Queue(`insert into order_ledger (performance_id, order_id, entry, amount, currency, tender) values ($1, $2, $3, $4, $5, $6)`, m.ID, id, e.what, e.amount, currency, e.tender)
	}
	b.must(b.db.SendBatch(b.Context(), queue).Close())
	return id
}

func (b *books) exec(sql string, args ...any) {
	b.Helper()
	_, err := b.db.Exec(b.Context(), sql, args...)
	b.must(err)
}

func (b *books) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// of finds the performances of a scope.
func (b *books) of(s insight.Scope) []insight.Show {
	b.Helper()
	shows, err := b.Shows(b.Context(), s)
	b.must(err)
	return shows
}

// rows reads a file to its end, by its head.
func (b *books) rows(f *insight.File, err error) []map[string]string {
	b.Helper()
	b.must(err)
	text, err := io.ReadAll(f)
	b.must(err)
	b.must(f.Close())
	if int64(len(text)) != f.Size {
		b.Errorf("%s says it has %d bytes, and has %d", f.Name, f.Size, len(text))
	}
	if strings.Count(string(text), "\n") != strings.Count(string(text), "\r\n") {
		b.Error("a line does not end as RFC 4180 has it")
	}
	records, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	b.must(err)
	var rows []map[string]string
	for _, r := range records[1:] {
		row := map[string]string{}
		for i, cell := range r {
			row[records[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return rows
}

// cents reads an amount of a currency of two decimals.
func (b *books) cents(text string) int64 {
	b.Helper()
	whole, part, found := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	if !found || len(part) != 2 {
		b.Fatalf("%q is no amount", text)
	}
	n, err := strconv.ParseInt(whole+part, 10, 64)
	b.must(err)
	if strings.HasPrefix(text, "-") {
		n = -n
	}
	return n
}
