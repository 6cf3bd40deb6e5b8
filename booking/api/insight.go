package api

import (
	"context"
	"mime"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/insight"
)

func (s *server) routeInsight() error {
	return all(
		handle(s, "get-orders-csv", s.getOrdersCSV),
		handle(s, "get-accounting-csv", s.getAccountingCSV),
	)
}

// InScope says of what something is wanted.
type InScope struct {
	Performance ropeline.PerformanceID `query:"performance" doc:"of one performance, or"`
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
		s.log.Info("buyers' addresses exported", "who", by(ctx), "performance", in.Performance, "sale", in.Sale, "account", in.Account)
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
