package api

import (
	"context"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/plan"
)

func (s *server) routePlans() error {
	return all(
		handle(s, "list-plans", s.listPlans),
		handle(s, "get-plan", s.getPlan),
		handle(s, "put-plan", s.putPlan),
		handle(s, "get-account-plan", s.getAccountPlan),
		handle(s, "choose-plan", s.choosePlan),
		handle(s, "list-plan-periods", s.listPlanPeriods),
	)
}

var errNotThePlan = &ropeline.Error{Kind: ropeline.Invalid, Code: "plan-invalid", Detail: "id is not what the address says."}

// PlanList is a page of plans.
type PlanList struct {
	Plans []catalogue.PlanLine `json:"plans" doc:"the newest version of each, by id"`
	Next  string               `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotPlans struct{ Body PlanList }

func (s *server) listPlans(ctx context.Context, in *Page) (*gotPlans, error) {
	list, next, err := s.shows.Plans(ctx, in.of())
	return &gotPlans{Body: PlanList{list, next}}, err
}

type onePlan struct {
	Plan string `path:"plan" doc:"its id"`
	VersionOf
}

func (s *server) getPlan(ctx context.Context, in *onePlan) (*versioned[plan.Plan], error) {
	v, err := s.shows.Plan(ctx, in.Plan, in.Version)
	if err != nil {
		return nil, err
	}
	return versionAnswer(in.Have, v.Version, &v.Plan), nil
}

type putPlan struct {
	Plan string `path:"plan" doc:"its id"`
	Edited
	Body plan.Plan
}

// putPlan makes a plan, or its next version.
func (s *server) putPlan(ctx context.Context, in *putPlan) (*versioned[plan.Plan], error) {
	if in.Body.ID != in.Plan {
		return nil, errNotThePlan
	}
	change, err := in.change(ctx)
	if err != nil {
		return nil, err
	}
	k, err := s.shows.PutPlan(ctx, in.Body, change)
	if err != nil {
		return nil, err
	}
	return putAnswer(k.Version.Version, k.Fresh, &k.Plan), nil
}

// AtAccount names an account in the path.
type AtAccount struct {
	Account string `path:"account" doc:"its name"`
}

type standing struct{ Body catalogue.AccountPlan }

func (s *server) getAccountPlan(ctx context.Context, in *AtAccount) (*standing, error) {
	st, err := s.shows.PlanOf(ctx, in.Account)
	return &standing{Body: st}, err
}

// PlanChoice says which plan an account is to have.
type PlanChoice struct {
	Plan string `json:"plan" doc:"its id; free: nothing follows the present period"`
}

type choosePlan struct {
	AtAccount
	Reason string `query:"reason" doc:"up to 200 characters: why"`
	Body   PlanChoice
}

// choosePlan needs no version that was seen: the last word counts, and the answer says
// what comes of it.
func (s *server) choosePlan(ctx context.Context, in *choosePlan) (*standing, error) {
	st, err := s.shows.ChoosePlan(ctx, in.Account, in.Body.Plan, audit.Change{Who: by(ctx), Reason: in.Reason})
	return &standing{Body: st}, err
}

type somePeriods struct {
	AtAccount
	Page
}

// PeriodList is a page of the periods of plans that began.
type PeriodList struct {
	Periods []catalogue.PlanPeriod `json:"periods" doc:"the newest first"`
	Next    string                 `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
}

type gotPeriods struct{ Body PeriodList }

func (s *server) listPlanPeriods(ctx context.Context, in *somePeriods) (*gotPeriods, error) {
	list, next, err := s.shows.PlanPeriods(ctx, in.Account, in.of())
	return &gotPeriods{Body: PeriodList{list, next}}, err
}
