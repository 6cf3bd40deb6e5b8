package api

import (
	"context"
	"errors"
	"mime"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/insight"
	"github.com/ropeline/ropeline/booking/mail"
)

func (s *server) routeInsight() error {
	return all(
		handle(s, "get-live-sales", s.getLiveSales),
		handle(s, "list-sold-orders", s.listSoldOrders),
		handle(s, "get-sold-order", s.getSoldOrder),
		handle(s, "list-popularity", s.listPopularity),
		handle(s, "get-orders-csv", s.getOrdersCSV),
		handle(s, "get-accounting-csv", s.getAccountingCSV),
		handle(s, "get-report-pdf", s.getReportPDF),
		handle(s, "get-audience", s.getAudience),
		handle(s, "get-audience-csv", s.getAudienceCSV),
	)
}

// InScope says of what something is wanted.
type InScope struct {
	Performance ropeline.PerformanceID `query:"performance" doc:"of one performance, or"`
	Event       string                 `query:"event" doc:"of those of an event, or"`
	Sale        ropeline.SaleID        `query:"sale" doc:"of those of a sale, or"`
	Account     string                 `query:"account" doc:"of those that are paid to an organizer's own account"`
}

// exported finds the performances of a scope, if they may be read as files.
func (s *server) exported(ctx context.Context, in InScope) ([]insight.Show, error) {
	shows, err := s.insight.Shows(ctx, insight.Scope(in))
	if err != nil {
		return nil, err
	}
	asked := map[string]bool{}
	for _, p := range shows {
		if asked[p.Account] {
			continue
		}
		asked[p.Account] = true
		has, err := s.shows.PlanOfShow(ctx, &catalogue.Map{Account: p.Account})
		if err == nil {
			err = has.Exports()
		}
		if err != nil {
			return nil, err
		}
	}
	return shows, nil
}

// file sends a file that is whole: who gets less of it than its length can tell.
func file(f *insight.File, kind string, err error) (*huma.StreamResponse, error) {
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", kind)
		ctx.SetHeader("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
		humafiber.Unwrap(ctx).Context().SetBodyStream(f, int(f.Size)) // which closes it
	}}, nil
}

const csvKind = "text/csv; charset=utf-8; header=present"

type ordersCSV struct {
	InScope
	Mails bool `query:"mails" doc:"say the buyers' addresses, too: personal data, which is noted in the log"`
}

func (s *server) getOrdersCSV(ctx context.Context, in *ordersCSV) (*huma.StreamResponse, error) {
	shows, err := s.exported(ctx, in.InScope)
	if err != nil {
		return nil, err
	}
	if in.Mails {
		s.log.Info("buyers' addresses exported", "who", by(ctx), "performance", in.Performance, "event", in.Event, "sale", in.Sale, "account", in.Account)
	}
	f, err := s.insight.Orders(ctx, shows, in.Mails)
	return file(f, csvKind, err)
}

type accountingCSV struct{ InScope }

func (s *server) getAccountingCSV(ctx context.Context, in *accountingCSV) (*huma.StreamResponse, error) {
	shows, err := s.exported(ctx, in.InScope)
	if err != nil {
		return nil, err
	}
	f, err := s.insight.Accounts(ctx, shows)
	return file(f, csvKind, err)
}

type reportPDF struct{ InScope }

func (s *server) getReportPDF(ctx context.Context, in *reportPDF) (*huma.StreamResponse, error) {
	shows, err := s.exported(ctx, in.InScope)
	if err != nil {
		return nil, err
	}
	title := "Account " + in.Account
	switch {
	case in.Performance != "", in.Event != "":
		title = shows[0].Title
	case in.Sale != "":
		title = "Sale " + string(in.Sale)
	}
	f, err := s.insight.Report(ctx, shows, title)
	return file(f, "application/pdf", err)
}

type gotLive struct{ Body insight.Live }

func (s *server) getLiveSales(ctx context.Context, in *AtPerformance) (*gotLive, error) {
	shows, err := s.insight.Shows(ctx, insight.Scope{Performance: ropeline.PerformanceID(in.ID)}) // whose it is
	if errors.Is(err, insight.ErrScope) {
		err = catalogue.ErrPerformanceUnknown
	}
	if err != nil {
		return nil, err
	}
	l, err := s.insight.Live(ctx, shows[0])
	if err != nil {
		return nil, err
	}
	if shows[0].Sale != "" {
		if n := s.funnel(ctx, shows[0].Sale); n != nil {
			l.Funnel.Joined, l.Funnel.Offered, l.Funnel.Admitted = &n[0], &n[1], &n[2]
		}
	}
	return &gotLive{Body: l}, nil
}

// funnel is what the line says of a sale, nil if it says nothing: what was sold can be read
// all the same.
func (s *server) funnel(ctx context.Context, sale ropeline.SaleID) *[3]int64 {
	if s.line == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, linePatience)
	defer cancel()
	joined, offered, admitted, err := s.line.Funnel(ctx, sale)
	if err != nil {
		return nil
	}
	return &[3]int64{joined, offered, admitted}
}

// linePatience is how long the line may take to say how many came.
const linePatience = time.Second

type someSold struct {
	AtPerformance
	Page
	Email  string    `query:"email" doc:"a part of the buyer's address"`
	Seat   string    `query:"seat" doc:"a part of the name of a place"`
	State  string    `query:"state" enum:"pending,paid,canceled"`
	Since  time.Time `query:"since" doc:"placed then or later"`
	Before time.Time `query:"before" doc:"placed before"`
}

// SoldList is a page of orders.
type SoldList struct {
	Orders []insight.Sold `json:"orders"`
	Next   string         `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotSold struct{ Body SoldList }

func (s *server) listSoldOrders(ctx context.Context, in *someSold) (*gotSold, error) {
	if _, err := s.insight.Shows(ctx, insight.Scope{Performance: ropeline.PerformanceID(in.ID)}); err != nil {
		return nil, err
	}
	list, next, err := s.insight.Find(ctx, ropeline.PerformanceID(in.ID),
		insight.Wanted{Email: in.Email, Seat: in.Seat, State: in.State, Since: in.Since, Before: in.Before}, in.of())
	return &gotSold{Body: SoldList{list, next}}, err
}

// SoldShown is an order that was sold, and what is known of its address.
type SoldShown struct {
	insight.Sold
	Marks []mail.Mark `json:"marks,omitempty" doc:"of the address: it refuses letters, or somebody complained about one; left out where neither is known"`
}

type oneSold struct{ Body SoldShown }

func (s *server) getSoldOrder(ctx context.Context, in *orderID) (*oneSold, error) {
	o, err := s.insight.Order(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &oneSold{Body: SoldShown{Sold: o}}
	if s.letters != nil {
		out.Body.Marks, err = s.letters.Marks(ctx, o.Email)
	}
	return out, err
}

// PopularityList is a page of performances.
type PopularityList struct {
	Performances []insight.Popular `json:"performances" doc:"the newest first"`
	Next         string            `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotPopularity struct{ Body PopularityList }

func (s *server) listPopularity(ctx context.Context, in *Page) (*gotPopularity, error) {
	list, next, err := s.insight.Popularity(ctx, in.of())
	if err != nil {
		return nil, err
	}
	joined := map[ropeline.SaleID]*[3]int64{}
	for i, p := range list {
		if _, asked := joined[p.Sale]; !asked && p.Sale != "" {
			joined[p.Sale] = s.funnel(ctx, p.Sale)
		}
		if n := joined[p.Sale]; n != nil {
			list[i].Joined = &n[0]
		}
	}
	return &gotPopularity{Body: PopularityList{list, next}}, nil
}
