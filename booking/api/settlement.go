package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/tariff"
)

func (s *server) routeMoney() error {
	return all(
		handle(s, "get-receipt", s.getReceipt),
		handle(s, "cancel-order", s.cancelOrder),
		handle(s, "staff-cancel-order", s.staffCancel),
		handle(s, "put-bulk-refund", s.putBulkRefund),
		handle(s, "get-bulk-refund", s.getBulkRefund),
		handle(s, "hold-exchange", s.holdExchange),
		handle(s, "drop-exchange", s.dropExchange),
		handle(s, "exchange-tickets", s.exchangeTickets),
		handle(s, "staff-hold-exchange", s.staffHoldExchange),
		handle(s, "staff-exchange-tickets", s.staffExchangeTickets),
		handle(s, "get-order-ledger", s.orderLedger),
		handle(s, "list-failed-refunds", s.failedRefunds),
		handle(s, "retry-refund", s.retryRefund),
		handle(s, "list-accounts", s.listAccounts),
		handle(s, "list-disputes", s.listDisputes),
		handle(s, "release-dispute", s.releaseDispute),
		handle(s, "get-settlement", s.getSettlement),
		handle(s, "get-settlement-csv", s.getSettlementCSV),
		handle(s, "get-sale-settlement", s.getSaleSettlement),
		handle(s, "get-account-settlement", s.getAccountSettlement),
	)
}

// ErrSREOnly refuses a key of the staff that is for something else.
var ErrSREOnly = &ropeline.Error{Kind: ropeline.Forbidden, Code: "sre-required", Detail: "This is for SREs."}

// by is who of the staff a request comes from, as the ledger names them.
func by(ctx context.Context) string {
	return order.Staff(memberOf(ctx).name)
}

// StaffCancelRequest says which tickets to cancel, and why.
type StaffCancelRequest struct {
	Tickets []string `json:"tickets,omitempty" maxItems:"100" doc:"their ids; left out: all of the order"`
	Reason  string   `json:"reason" doc:"1 to 200 characters; no personal data"`
	Full    bool     `json:"full,omitempty" doc:"all that was paid goes back, whatever the rules keep"`
}

type staffCancel struct {
	ID   string `path:"id" doc:"of the order"`
	Body StaffCancelRequest
}

// staffCancel is not bound by the time that the rules give buyers.
func (s *server) staffCancel(ctx context.Context, in *staffCancel) (*gotReceipt, error) {
	if err := checkStaff(in.ID, in.Body.Reason); err != nil {
		return nil, err
	}
	_, err := s.desk.Cancel(ctx, order.Cancel{Order: in.ID, Tickets: in.Body.Tickets, Who: by(ctx), Reason: in.Body.Reason, Full: in.Body.Full})
	if err != nil {
		return nil, err
	}
	return s.receipt(ctx, in.ID)
}

// BulkRefundRequest says why everybody gets their money back.
type BulkRefundRequest struct {
	Reason string `json:"reason" doc:"1 to 200 characters; no personal data"`
}

type putBulkRefund struct {
	AtPerformance
	Body BulkRefundRequest
}

type gotBulkRefund struct{ Body order.BulkRefund }

func (s *server) putBulkRefund(ctx context.Context, in *putBulkRefund) (*gotBulkRefund, error) {
	if !isReason(in.Body.Reason) {
		return nil, order.ErrReason
	}
	if err := s.theirs(ctx, in.ID); err != nil {
		return nil, err
	}
	b, err := s.desk.RefundAll(ctx, ropeline.PerformanceID(in.ID), by(ctx), in.Body.Reason)
	return &gotBulkRefund{Body: b}, err
}

func (s *server) getBulkRefund(ctx context.Context, in *AtPerformance) (*gotBulkRefund, error) {
	if err := s.theirs(ctx, in.ID); err != nil {
		return nil, err
	}
	b, err := s.desk.BulkRefund(ctx, ropeline.PerformanceID(in.ID))
	return &gotBulkRefund{Body: b}, err
}

// checkStaff checks what staff say of an order that they change.
func checkStaff(id, reason string) error {
	switch {
	case !booking.IsID(id):
		return order.ErrUnknown
	case !isReason(reason):
		return order.ErrReason
	}
	return nil
}

// isReason accepts a line of text.
func isReason(s string) bool {
	return strings.TrimSpace(s) != "" && len([]rune(s)) <= 200 && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// OrderLedger is what happened to an order.
type OrderLedger struct {
	Order    string              `json:"order"`
	Currency string              `json:"currency"`
	Entries  []order.LedgerEntry `json:"entries"`
	Next     string              `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type orderEntries struct {
	ID string `path:"id" doc:"of the order"`
	Page
}

type gotLedger struct{ Body OrderLedger }

func (s *server) orderLedger(ctx context.Context, in *orderEntries) (*gotLedger, error) {
	if !booking.IsID(in.ID) {
		return nil, order.ErrUnknown
	}
	o, err := s.orders.Order(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	entries, next, err := s.orders.Ledger(ctx, o, in.of())
	return &gotLedger{Body: OrderLedger{Order: o.ID, Currency: o.Total.Currency, Entries: entries, Next: next}}, err
}

// FailedRefund is a refund that the provider refuses.
type FailedRefund struct {
	ID          string                 `json:"id"`
	Order       string                 `json:"order"`
	Performance ropeline.PerformanceID `json:"performance"`
	Amount      booking.Money          `json:"amount"`
	State       order.RefundState      `json:"state" enum:"refunding,refunded,failed"`
	Who         string                 `json:"who"`
	Reason      string                 `json:"reason,omitempty"`
	At          time.Time              `json:"at"`
	Changed     time.Time              `json:"changed_at"`
}

func failedRefund(c order.Cancellation) FailedRefund {
	return FailedRefund{ID: c.ID, Order: c.Order, Performance: c.Performance, Amount: c.Amount, State: c.State,
		Who: c.Who, Reason: c.Reason, At: c.At, Changed: c.Changed}
}

type gotRefunds struct {
	Body struct {
		Refunds []FailedRefund `json:"refunds" doc:"the newest first"`
		Next    string         `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
	}
}

func (s *server) failedRefunds(ctx context.Context, in *Page) (*gotRefunds, error) {
	found, next, err := s.orders.FailedRefunds(ctx, in.of())
	if err != nil {
		return nil, err
	}
	out := &gotRefunds{}
	out.Body.Next = next
	out.Body.Refunds = make([]FailedRefund, len(found))
	for i, c := range found {
		out.Body.Refunds[i] = failedRefund(c)
	}
	return out, nil
}

type refundID struct {
	ID string `path:"id" doc:"of the refund"`
}

type gotRefund struct{ Body FailedRefund }

func (s *server) retryRefund(ctx context.Context, in *refundID) (*gotRefund, error) {
	if !booking.IsID(in.ID) {
		return nil, order.ErrRefundUnknown
	}
	c, err := s.desk.RetryRefund(ctx, in.ID, by(ctx))
	if err != nil {
		return nil, err
	}
	return &gotRefund{Body: failedRefund(c)}, nil
}

// PerformanceSettlement is what the orders of a performance came to.
type PerformanceSettlement struct {
	Performance ropeline.PerformanceID `json:"performance"`
	Title       string                 `json:"title"`
	StartsAt    time.Time              `json:"starts_at"`
	Account     string                 `json:"account,omitempty" doc:"the organizer's own, which was paid: what is owed is there already"`
	Currencies  []order.Settlement     `json:"currencies" doc:"one; none if no money was taken"`
}

type settled struct {
	ID string `path:"id" doc:"of the performance"`
}

type gotSettlement struct{ Body PerformanceSettlement }

func (s *server) getSettlement(ctx context.Context, in *settled) (*gotSettlement, error) {
	p, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	sums, err := s.orders.Settle(ctx, p.Map.ID)
	return &gotSettlement{Body: PerformanceSettlement{Performance: p.Map.ID, Title: p.Map.Title, StartsAt: p.Map.StartsAt, Account: p.Map.Account, Currencies: sums}}, err
}

// SumSettlement is what several performances came to.
type SumSettlement struct {
	Performances []PerformanceSettlement `json:"performances" doc:"in the order of their starts; those of which no money was taken are left out"`
	Totals       []order.Settlement      `json:"totals" doc:"one for each currency"`
}

type gotSum struct{ Body SumSettlement }

type settledSale struct {
	Sale ropeline.SaleID `path:"sale"`
}

func (s *server) getSaleSettlement(ctx context.Context, in *settledSale) (*gotSum, error) {
	if _, err := s.shows.Sale(ctx, in.Sale); err != nil {
		return nil, err
	}
	return sumUp(s.orders.SettleSale(ctx, in.Sale))
}

type settledAccount struct {
	Account string `path:"account" doc:"its name"`
}

func (s *server) getAccountSettlement(ctx context.Context, in *settledAccount) (*gotSum, error) {
	if _, err := s.shows.Account(ctx, in.Account); err != nil {
		return nil, err
	}
	return sumUp(s.orders.SettleAccount(ctx, in.Account))
}

// sumUp adds settlements of performances up, which come one for each currency.
func sumUp(of []order.PerformanceSettlement, err error) (*gotSum, error) {
	if err != nil {
		return nil, err
	}
	out := &gotSum{Body: SumSettlement{Performances: []PerformanceSettlement{}, Totals: []order.Settlement{}}}
	for _, p := range of {
		if last := len(out.Body.Performances) - 1; last >= 0 && out.Body.Performances[last].Performance == p.Performance {
			out.Body.Performances[last].Currencies = append(out.Body.Performances[last].Currencies, p.Settlement)
		} else {
			out.Body.Performances = append(out.Body.Performances, PerformanceSettlement{Performance: p.Performance, Title: p.Title,
				StartsAt: p.StartsAt, Account: p.Account, Currencies: []order.Settlement{p.Settlement}})
		}
		i := slices.IndexFunc(out.Body.Totals, func(t order.Settlement) bool { return t.Currency == p.Currency })
		if i < 0 {
			out.Body.Totals = append(out.Body.Totals, p.Settlement)
		} else {
			out.Body.Totals[i] = out.Body.Totals[i].Plus(p.Settlement)
		}
	}
	return out, nil
}

// settlementRows is how many orders one answer has.
const settlementRows = 10_000

type settledOrders struct {
	ID    string `path:"id" doc:"of the performance"`
	After string `query:"after" doc:"go on behind this order"`
}

type settlementCSV struct {
	Type  string `header:"Content-Type"`
	After string `header:"Ropeline-After" doc:"there is more: ask again with after"`
	Body  []byte
}

// getSettlementCSV has a line for each order: what getSettlement adds up.
func (s *server) getSettlementCSV(ctx context.Context, in *settledOrders) (*settlementCSV, error) {
	if !booking.IsID(in.ID) {
		return nil, catalogue.ErrPerformanceUnknown
	}
	if in.After != "" && !booking.IsID(in.After) {
		return nil, order.ErrUnknown
	}
	show, err := s.shows.Performance(ctx, ropeline.PerformanceID(in.ID))
	if err != nil {
		return nil, err
	}
	has, err := s.shows.PlanOfShow(ctx, show.Map)
	if err == nil {
		err = has.Exports()
	}
	if err != nil {
		return nil, err
	}
	rows, err := s.orders.SettleOrders(ctx, ropeline.PerformanceID(in.ID), in.After, settlementRows)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	lines := [][]string{{"order", "currency", "taken", "refunded", "to_refund", "fee", "owed", "cash", "terminal", "disputed", "dispute_fees", "tax", "net", "exchanged"}}
	for _, r := range rows {
		line := []string{r.Order, r.Currency}
		for _, amount := range []int64{r.Taken, r.Refunded, r.ToRefund, r.Fee, r.Owed, r.Cash, r.Terminal, r.Disputed, r.Charged, r.Tax, r.Net, r.Exchanged} {
			line = append(line, tariff.Decimal(amount, r.Currency))
		}
		lines = append(lines, line)
	}
	if err := w.WriteAll(lines); err != nil {
		return nil, err
	}
	out := &settlementCSV{Type: "text/csv; charset=utf-8", Body: text.Bytes()}
	if len(rows) == settlementRows {
		out.After = rows[len(rows)-1].Order
	}
	return out, nil
}
