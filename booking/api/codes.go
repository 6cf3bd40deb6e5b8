package api

import (
	"context"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/presale"
)

func (s *server) routeCodes() error {
	return all(
		handle(s, "list-codes", s.listCodes),
		handle(s, "create-codes", s.createCodes),
		handle(s, "withdraw-codes", s.withdrawCodes),
	)
}

// CodesRequest asks for presale codes.
type CodesRequest struct {
	presale.Rules
	Count int `json:"count" doc:"how many, 10000 at most"`
}

// NewCodes are codes, as they are shown once.
type NewCodes struct {
	presale.Rules
	Codes []string `json:"codes" doc:"kept nowhere: the same request with the same key is told them again, and nobody else"`
}

type createCodes struct {
	AtSale
	Creating
	Body CodesRequest
}

type newCodes struct{ Body NewCodes }

func (s *server) createCodes(ctx context.Context, in *createCodes) (*newCodes, error) {
	change, err := in.change(ctx)
	if err != nil {
		return nil, err
	}
	sale, err := s.shows.Sale(ctx, ropeline.SaleID(in.Sale))
	if err != nil {
		return nil, err
	}
	if s.around.Published != nil { // the line keeps codes of no sale that it does not know
		version, err := s.around.Published(ctx, sale.ID)
		if err != nil {
			return nil, err
		}
		if version == 0 {
			return nil, presale.ErrEarly
		}
	}
	rules, codes, err := s.codes.Make(ctx, sale, in.Body.Rules, in.Body.Count, change)
	return &newCodes{Body: NewCodes{rules, codes}}, err
}

type someCodes struct {
	AtSale
	Page
}

// CodeList is a page of batches of codes.
type CodeList struct {
	Batches []presale.Batch `json:"batches"`
	Next    string          `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotCodes struct{ Body CodeList }

func (s *server) listCodes(ctx context.Context, in *someCodes) (*gotCodes, error) {
	if _, err := s.shows.Sale(ctx, ropeline.SaleID(in.Sale)); err != nil {
		return nil, err
	}
	list, next, err := s.codes.Batches(ctx, ropeline.SaleID(in.Sale), booking.Page(in.Page))
	return &gotCodes{Body: CodeList{append([]presale.Batch{}, list...), next}}, err
}

type withdrawCodes struct {
	AtSale
	Batch  string `path:"batch" doc:"its name"`
	Reason string `query:"reason" doc:"1 to 200 characters: why"`
}

// withdrawCodes needs no key: the same again is the same.
func (s *server) withdrawCodes(ctx context.Context, in *withdrawCodes) (*nothing, error) {
	if _, err := s.shows.Sale(ctx, ropeline.SaleID(in.Sale)); err != nil {
		return nil, err
	}
	return &nothing{}, s.codes.Withdraw(ctx, ropeline.SaleID(in.Sale), in.Batch, audit.Change{Who: by(ctx), Reason: in.Reason})
}
