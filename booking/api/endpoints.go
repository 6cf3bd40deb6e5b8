package api

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/webhook"
)

func (s *server) routeEndpoints() error {
	return all(
		handle(s, "create-webhook", s.createEndpoint),
		handle(s, "list-webhooks", s.listEndpoints),
		handle(s, "get-webhook", s.getEndpoint),
		handle(s, "change-webhook", s.changeEndpoint),
		handle(s, "delete-webhook", s.deleteEndpoint),
		handle(s, "rotate-webhook", s.rotateEndpoint),
		handle(s, "test-webhook", s.testEndpoint),
		handle(s, "list-webhook-deliveries", s.listDeliveries),
		handle(s, "redeliver-webhook", s.redeliver),
		handle(s, "redeliver-webhooks", s.redeliverSince),
	)
}

// NewEndpoint is an endpoint and its secret, which is shown once.
type NewEndpoint struct {
	webhook.Endpoint
	Secret string `json:"secret" doc:"with which what is sent is signed (Standard Webhooks); not shown again"`
}

type createEndpoint struct {
	Key  string `header:"Idempotency-Key" doc:"required; the same key with the same body makes one endpoint"`
	Body webhook.Plan
}

type newEndpoint struct{ Body NewEndpoint }

func (s *server) createEndpoint(ctx context.Context, in *createEndpoint) (*newEndpoint, error) {
	if !booking.IsKey(in.Key) {
		return nil, order.ErrKeyMissing
	}
	e, secret, err := s.endpoints.Add(ctx, in.Body, in.Key, by(ctx))
	return &newEndpoint{Body: NewEndpoint{e, secret}}, err
}

type endpointList struct {
	Body struct {
		Webhooks []webhook.Endpoint `json:"webhooks" doc:"the newest first"`
		Next     string             `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
	}
}

func (s *server) listEndpoints(ctx context.Context, in *Page) (*endpointList, error) {
	size, err := in.of().Size()
	if err != nil {
		return nil, err
	}
	after, err := in.of().After()
	if err != nil {
		return nil, err
	}
	list, err := s.endpoints.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	if after != nil {
		list = list[slices.IndexFunc(list, func(e webhook.Endpoint) bool { return e.ID == *after })+1:]
	}
	out := &endpointList{}
	out.Body.Webhooks, out.Body.Next = booking.Cut(list, size, func(e webhook.Endpoint) string { return e.ID })
	return out, nil
}

type endpointID struct {
	ID string `path:"id" doc:"of the endpoint"`
}

type gotEndpoint struct{ Body webhook.Endpoint }

func (s *server) getEndpoint(ctx context.Context, in *endpointID) (*gotEndpoint, error) {
	e, err := s.endpoints.Endpoint(ctx, in.ID)
	return &gotEndpoint{Body: e}, err
}

type changeEndpoint struct {
	ID   string `path:"id" doc:"of the endpoint"`
	Body webhook.Plan
}

func (s *server) changeEndpoint(ctx context.Context, in *changeEndpoint) (*gotEndpoint, error) {
	e, err := s.endpoints.Change(ctx, in.ID, in.Body)
	return &gotEndpoint{Body: e}, err
}

func (s *server) deleteEndpoint(ctx context.Context, in *endpointID) (*struct{}, error) {
	return nil, s.endpoints.Remove(ctx, in.ID)
}

// RotateRequest asks for a new secret.
type RotateRequest struct {
	Generation int `json:"generation" minimum:"1" doc:"of the secret that is replaced: the same request again is answered with the same secret"`
	Keep       int `json:"keep,omitempty" minimum:"0" maximum:"604800" doc:"for so many seconds the one before is used as well; a day if left out"`
}

type rotateEndpoint struct {
	ID   string `path:"id" doc:"of the endpoint"`
	Body RotateRequest
}

func (s *server) rotateEndpoint(ctx context.Context, in *rotateEndpoint) (*newEndpoint, error) {
	keep := webhook.OldSecret
	if in.Body.Keep > 0 {
		keep = time.Duration(in.Body.Keep) * time.Second
	}
	e, secret, err := s.endpoints.Rotate(ctx, in.ID, in.Body.Generation, keep)
	return &newEndpoint{Body: NewEndpoint{e, secret}}, err
}

type testedEndpoint struct {
	Body struct {
		Event string `json:"event" doc:"its webhook-id"`
	}
}

// testEndpoint needs no key against repeats: a second test is a second test.
func (s *server) testEndpoint(ctx context.Context, in *endpointID) (*testedEndpoint, error) {
	out := &testedEndpoint{}
	var err error
	out.Body.Event, err = s.endpoints.Probe(ctx, in.ID)
	return out, err
}

type listDeliveries struct {
	ID string `path:"id" doc:"of the endpoint"`
	Page
	State webhook.DeliveryState `query:"state" enum:"due,delivered,failed"`
}

type deliveryList struct {
	Body struct {
		Deliveries []webhook.Delivery `json:"deliveries" doc:"the newest first; a page has 100 at most"`
		Next       string             `json:"next,omitempty" doc:"cursor of the next page; left out on the last"`
	}
}

func (s *server) listDeliveries(ctx context.Context, in *listDeliveries) (*deliveryList, error) {
	size, err := in.of().Size()
	if err != nil {
		return nil, err
	}
	before := int64(0)
	if in.Cursor != "" {
		if before, err = strconv.ParseInt(in.Cursor, 10, 64); err != nil || before < 1 {
			return nil, booking.ErrPage
		}
	}
	list, err := s.endpoints.Deliveries(ctx, in.ID, in.State, before)
	if err != nil {
		return nil, err
	}
	number := func(d webhook.Delivery) string { return strconv.FormatInt(d.Number, 10) }
	out := &deliveryList{}
	out.Body.Deliveries, out.Body.Next = booking.Cut(list, size, number)
	if out.Body.Next == "" && len(list) == webhook.DeliveriesMost {
		out.Body.Next = number(list[len(list)-1])
	}
	return out, nil
}

type redeliver struct {
	ID    string `path:"id" doc:"of the endpoint"`
	Event string `path:"event" doc:"its webhook-id"`
}

func (s *server) redeliver(ctx context.Context, in *redeliver) (*struct{}, error) {
	return nil, s.endpoints.Redeliver(ctx, in.ID, in.Event)
}

// RedeliverRequest says from when on.
type RedeliverRequest struct {
	Since time.Time `json:"since" doc:"30 days ago at most: what is older is forgotten"`
}

type redeliverSince struct {
	ID   string `path:"id" doc:"of the endpoint"`
	Body RedeliverRequest
}

type redelivered struct {
	Body struct {
		Due int `json:"due" doc:"how many deliveries are to be made again; 10,000 at most: ask again for more"`
	}
}

func (s *server) redeliverSince(ctx context.Context, in *redeliverSince) (*redelivered, error) {
	out := &redelivered{}
	var err error
	out.Body.Due, err = s.endpoints.RedeliverSince(ctx, in.ID, in.Body.Since)
	return out, err
}
